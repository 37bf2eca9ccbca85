"""The jobs people and schedules launch. Each runs in one process: starting one per step costs more than the work."""

from __future__ import annotations

import dagster as dg

PUBLISHED = dg.AssetSelection.groups("published")
SIMULATION = dg.AssetSelection.groups("simulation")

whole_year = dg.define_asset_job(
    "whole_year",
    selection=dg.AssetSelection.all() - PUBLISHED - SIMULATION,
    executor_def=dg.in_process_executor,
    description=(
        "One school year: take in the inbox, check the year's extracts, compute every round anew. "
        "Publishing follows by itself (sensor publish_after_year)."
    ),
)

one_round = dg.define_asset_job(
    "one_round",
    selection=dg.AssetSelection.groups("parameters", "staging", "intermediate", "marts") | PUBLISHED,
    executor_def=dg.in_process_executor,
    description="One selection round (uttrekk): compile its rules, compute, publish a revision if anything changed.",
)

simulate = dg.define_asset_job(
    "simulate",
    selection=SIMULATION,
    executor_def=dg.in_process_executor,
    description="What hangs on the open choices of a round's rule. Apart from a run: it takes as long again.",
)


def everything(definitions: dg.Definitions) -> dg.JobDefinition:
    """The job that holds all assets and names no partition: each asset processes every partition at hand.

    ``define_asset_job`` refuses assets of two partitionings in one job, though Dagster's own "materialise all" holds
    them. So the job is built the way Dagster builds that one. It is not a public call; a test watches it.
    """
    from dagster._core.definitions.assets.job.asset_job import build_asset_job

    return build_asset_job(
        "everything",
        asset_graph=definitions.resolve_asset_graph(),
        allow_different_partitions_defs=True,
        resource_defs=dict(definitions.resources or {}),
        executor_def=dg.in_process_executor,
        description=(
            "From the inbox to the published tables in one run: every school year and every round at hand. "
            "What `oppfolging run` and the inbox sensor start."
        ),
    )


JOBS = [whole_year, one_round, simulate]
