"""The marts and the snapshot they were made from.

After a whole build without a failure, ``marts/_made_from.json`` keeps the snapshot, the hash of every mart, the result
of every test, and the run that did it. A build that begins removes the record first, so that a build that was killed
is never taken for a whole one. Marts without a record, or not as their record says, are never published.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dagster_project.archive.store import sha256_of
from dagster_project.atomic import replacing
from dagster_project.diagnostics import Finding, Severity
from dagster_project.intake.partitions import Extracts
from dagster_project.settings import Settings
from dagster_project.transform import dbt_step
from dagster_project.transform.dbt_step import DbtOutcome, NodeResult
from dagster_project.transform.parameters import ensure_parameters
from dagster_project.transform.snapshot import Snapshot
from dagster_project.transform.warehouse import is_damaged, record_path

SHOWN = 6


@dataclass(frozen=True)
class Build:
    """A whole build: what it follows from, the hashes of the marts it made, the run, and every test's result.

    ``warehouse`` is the hash of the database it left: another one, such as an older copy, is never built on.
    """

    snapshot: Snapshot
    marts: dict[str, str]
    run_id: str
    results: tuple[NodeResult, ...]
    warehouse: str = ""


def mart_names(settings: Settings) -> set[str]:
    """The marts that dbt makes. Later steps put tables of their own beside them."""
    return {mart["name"] for mart in dbt_step.marts_of(settings)}


def _hashes(settings: Settings) -> dict[str, str]:
    paths = {name: settings.marts / f"{name}.parquet" for name in sorted(mart_names(settings))}
    return {name: sha256_of(path) for name, path in paths.items() if path.exists()}


def last_build(settings: Settings) -> Build | None:
    """The build that the marts come from; None when there was none, or the marts are not as it left them."""
    try:
        raw = json.loads(record_path(settings).read_text(encoding="utf-8"))
        build = Build(
            Snapshot.from_dict(raw["snapshot"]), raw["marts"], raw["run_id"],
            tuple(NodeResult(**{**r, "rows": tuple(r["rows"])}) for r in raw["results"]), raw.get("warehouse", ""),
        )  # fmt: skip
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return build if build.marts == _hashes(settings) else None


def differences(settings: Settings, snapshot: Snapshot) -> list[Finding]:
    """Why the marts do not follow from a snapshot; empty when they do."""
    build = last_build(settings)
    if build is None:
        what = ["the marts are missing, changed by hand, or from a build that did not end"]
    else:
        what = build.snapshot.differences(snapshot)
    if not what:
        return []
    more = f"; and {len(what) - SHOWN} more" if len(what) > SHOWN else ""
    return [
        Finding(
            "marts-not-of-the-snapshot", Severity.FAIL, "the marts were not made from the files and rules in force",
            stage="publication", file="marts/", found="; ".join(what[:SHOWN]) + more, count=len(what),
            expected="marts made from the files and rules in force",
            fix="Materialise the models and everything downstream of them, or: oppfolging run",
        )
    ]  # fmt: skip


def build_models(
    settings: Settings, snapshot: Snapshot, run_id: str, *, select: Sequence[str] = (),
    on_node: Callable[[str, str], None] | None = None,
) -> DbtOutcome:  # fmt: skip
    """Build the models for a snapshot, with the extracts and parameters it needs; the caller holds the write lock.

    With ``select`` only the models named, when all others are those of the snapshot already; else all of them.

    Raises:
        PipelineProblem: dbt could not run, or an accepted file can no longer be read.
        RuleProblem: the rules cannot be used.
    """
    before = last_build(settings)
    whole = settings.warehouse.exists() and not is_damaged(settings)
    alone = bool(select) and before is not None and whole and _is_left_by(settings, before, snapshot)
    ensure_parameters(settings, snapshot)
    with Extracts(settings, snapshot.head) as extracts:
        extracts.ensure()
        inputs = extracts.paths()
    if not whole:  # it holds nothing that is not made again
        settings.warehouse.unlink(missing_ok=True)
    outcome = dbt_step.build(settings, inputs, select=select if alone else (), on_node=on_node)
    if outcome.success:
        anew = {r.unique_id for r in outcome.results}
        kept = before.results if before is not None and alone else ()
        _remember(settings, snapshot, run_id, (*(r for r in kept if r.unique_id not in anew), *outcome.results))
    return outcome


def _is_left_by(settings: Settings, build: Build, snapshot: Snapshot) -> bool:
    """Whether the warehouse is the one that a build left, for this snapshot and day."""
    same = (build.snapshot.identity, build.snapshot.day) == (snapshot.identity, snapshot.day)
    return same and build.warehouse == sha256_of(settings.warehouse)


def _remember(settings: Settings, snapshot: Snapshot, run_id: str, results: Sequence[NodeResult]) -> None:
    # Spark leaves no database that another build could go on from
    warehouse = sha256_of(settings.warehouse) if settings.engine == "duckdb" else ""
    kept: list[dict[str, Any]] = [asdict(replace(r, compiled_code="")) for r in results]
    record = {"snapshot": snapshot.as_dict(), "marts": _hashes(settings), "warehouse": warehouse,
              "run_id": run_id, "results": kept}  # fmt: skip
    path: Path = record_path(settings)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
