"""The uncertainty of a round and its sensitivity to the open rule choices. Neither changes a list."""

import dagster as dg

from dagster_project import progress
from dagster_project.assets import STATISTICS
from dagster_project.assets.acting import as_table, writing
from dagster_project.assets.marts import documented
from dagster_project.assets.models import refuse_stale_marts
from dagster_project.assets.versions import code_of
from dagster_project.orchestration.partitions import ROUNDS, processed_keys, round_ids
from dagster_project.orchestration.resources import Home
from dagster_project.publication import current_revision
from dagster_project.rounds.publishing import computed_rounds
from dagster_project.rounds.uncertainty import RESTS_ON, current_uncertainty
from dagster_project.rules import load_rules
from dagster_project.simulation.output import write_tables
from dagster_project.simulation.variants import compute_variants, sensitivity_tables, variants_file


@dg.asset(
    name="selection_uncertainty",
    group_name="marts",
    owners=[STATISTICS],
    kinds={"python", "parquet"},
    code_version=code_of("simulation"),
    deps=[*RESTS_ON, "selection"],
    metadata=documented("selection_uncertainty"),
    description=(
        "How certain the list is (usikkerhet): the round recomputed with figures drawn within their uncertainty; "
        "probabilities, intervals and confidence sets for ranks. It never changes the list."
    ),
)
def selection_uncertainty(context: dg.AssetExecutionContext, home: Home) -> dg.MaterializeResult:
    settings = home.settings()
    with progress.stage("uncertainty"), writing(context, settings):
        refuse_stale_marts(context, settings)
        rulebook = load_rules(settings)
        table = current_uncertainty(settings, rulebook, computed_rounds(settings, rulebook))
    rows = [
        (r["round"], f"{r['unit_code']} {r['unit_name']}", r["rank"], f"{r['probability_selected']:.0%}",
         r["rank_low"], r["rank_high"])
        for r in sorted(table.to_pylist(), key=lambda r: (r["round"], r["rank"]))
        if r["probability_selected"]
    ]  # fmt: skip
    titles = ("round", "municipality", "rank", "taken", "from", "to")
    return dg.MaterializeResult(metadata={"dagster/row_count": table.num_rows, "taken": as_table(titles, rows)})


@dg.asset(
    group_name="simulation",
    owners=[STATISTICS],
    kinds={"parquet", "csv"},
    code_version=code_of("simulation"),
    deps=["published_round"],
    partitions_def=ROUNDS,
    description=(
        "Sensitivity to the open rule choices (valgene A1 til A16): all variants computed, in how many of them each "
        "municipality is selected, and the effective weight of each indicator."
    ),
)
def choice_sensitivity(context: dg.AssetExecutionContext, home: Home) -> dg.MaterializeResult:
    settings = home.settings()
    rows = []
    with writing(context, settings):
        for round_id in processed_keys(context, round_ids(settings)):
            rule_set = load_rules(settings).round(round_id).rule_set
            if not (current_revision(settings, round_id) and variants_file(settings, rule_set).exists()):
                context.log.info(f"{round_id}: nothing published, or no readings are written for its rule set")
                continue
            tables = sensitivity_tables(compute_variants(settings, round_id))
            folder = write_tables(settings, round_id, tables)
            rows += [
                (round_id, f"{folder.relative_to(settings.home).as_posix()}/{name}", table.num_rows)
                for name, table in tables.items()
            ]
    return dg.MaterializeResult(metadata={"tables": as_table(("round", "table", "rows"), rows)})
