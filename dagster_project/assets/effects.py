"""The estimated effects of follow-up, as an asset downstream of the marts."""

import dagster as dg

from dagster_project import progress
from dagster_project.assets import STATISTICS
from dagster_project.assets.acting import as_table, writing
from dagster_project.assets.marts import documented
from dagster_project.assets.models import refuse_stale_marts
from dagster_project.assets.versions import code_of
from dagster_project.orchestration.resources import Home
from dagster_project.rounds.monitoring import current_effects, effects_basis
from dagster_project.rules import load_rules


@dg.asset(
    name="cohort_effect",
    group_name="marts",
    owners=[STATISTICS],
    kinds={"python", "parquet"},
    code_version=code_of("effects"),
    deps=["cohort_progress"],
    metadata=documented("cohort_effect"),
    description=(
        "Effect of the follow-up in each cohort (virkning av oppfølgingen), by several methods, next to the naive "
        "difference, which is misleading, and the regression to the mean expected by chance. See docs/effects.md."
    ),
)
def cohort_effect(context: dg.AssetExecutionContext, home: Home) -> dg.MaterializeResult:
    settings = home.settings()
    with progress.stage("effects"), writing(context, settings):
        refuse_stale_marts(context, settings)
        table = current_effects(settings, load_rules(settings))
        (version,) = effects_basis(settings).values()
    titles = ("cohort", "method", "estimate", "ci_low", "ci_high")
    rows = [
        tuple(round(r[t], 3) if isinstance(r[t], float) else r[t] for t in titles)
        for r in table.to_pylist()
        if r.get("estimate") is not None and r["event_time"] is None and not r["pooled"]
    ]
    return dg.MaterializeResult(
        metadata={"dagster/row_count": table.num_rows, "estimates": as_table(titles, rows)},
        data_version=dg.DataVersion(version),
    )
