"""Report to Dagster what a run of several partitions did for each of them.

Dagster records materialisations and check results of a partition by itself only when the run names that one partition.
A run of a range, and the job ``everything``, which names none, tell of each partition here, so that every year and
every round shows as made and checked by the run that did it.

A check counts as current when it names the materialisation that it looked at. The class that names it is not public in
Dagster; without it, every partition would show as never checked after a whole run.
``tests/pipeline/test_partitions.py`` fails when Dagster changes this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as Target,
)


def tell_made(
    context: dg.AssetExecutionContext,
    asset: str,
    partition: str,
    metadata: Mapping[str, Any],
    version: str | None = None,
) -> None:
    """Record that a partition was made. For runs that name no partition; of a range Dagster records it by itself."""
    tags = {"dagster/data_version": version} if version else None
    context.log_event(dg.AssetMaterialization(asset, partition=partition, metadata=metadata, tags=tags))


def newest(context: dg.AssetExecutionContext, asset: str, partition: str | None) -> Target | None:
    """The newest materialisation of a partition, or of the asset as a whole; None when there is none."""
    wanted = dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[partition] if partition else None)
    for record in context.instance.fetch_materializations(wanted, limit=1).records:
        return Target(storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp)
    return None


def tell_checked(
    context: dg.AssetExecutionContext, asset: str, partition: str, results: Iterable[dg.AssetCheckResult],
    target: Target | None = None,
) -> None:  # fmt: skip
    """Record check results of one partition. To be called after its materialisation was recorded.

    ``target`` is the materialisation that was looked at, when it is not the newest of the partition.
    """
    looked_at = target or newest(context, asset, partition)
    for result in results:
        assert result.check_name is not None
        context.log_event(
            dg.AssetCheckEvaluation(
                dg.AssetKey(asset), result.check_name, result.passed, result.metadata, severity=result.severity,
                description=result.description, partition=partition, target_materialization_data=looked_at,
            )
        )  # fmt: skip
