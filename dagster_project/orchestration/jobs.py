"""The jobs people and schedules launch. Each runs in one process: starting one per step costs more than the work.

There is no job of one school year. Which datasets have figures of a year differs through the year, so a run of all of
them for one year would fail for the datasets that are not out yet. A year of one dataset is a partition of its asset.
"""

from __future__ import annotations

import dagster as dg

PUBLISHED = dg.AssetSelection.groups("published")
SIMULATION = dg.AssetSelection.groups("simulation")

one_round = dg.define_asset_job(
    "one_round",
    selection=dg.AssetSelection.groups("parameters", "marts") | dg.AssetSelection.kind("dbt") | PUBLISHED,
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
    them. That job is always called ``__ASSET_JOB``, is not listed under Jobs and cannot be the target of a sensor. So
    its graph is given a name here. The definitions handed in decide which assets it holds.
    """
    whole = definitions.resolve_implicit_global_asset_job_def()
    graph = dg.GraphDefinition(
        name="everything",
        node_defs=whole.graph.node_defs,
        dependencies=whole.graph.dependencies,
        description=(
            "From the inbox to the published tables in one run: every school year and every round at hand. "
            "What `oppfolging run`, the inbox sensor and the schedules of the publication days start."
        ),
    )
    return graph.to_job(
        resource_defs=whole.resource_defs, executor_def=dg.in_process_executor, asset_layer=whole.asset_layer
    )


JOBS = [one_round, simulate]
