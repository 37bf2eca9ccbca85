"""How sure a round is, and what hangs on its open choices. Beside the published tables, never among them."""

from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from dagster_project.partitions import ROUNDS, processed_keys
from dagster_project.publication import current_revision
from dagster_project.resources import Home, exclusive
from dagster_project.rules import load_rules
from dagster_project.settings import Settings
from dagster_project.simulation.output import write_tables
from dagster_project.simulation.uncertainty import compute_uncertainty, uncertainty_table
from dagster_project.simulation.variants import compute_variants, sensitivity_tables, variants_file


class Drawing(dg.Config):
    """How often the figures are drawn anew, and from which seed."""

    draws: int = 1000
    seed: int = 1


def _write(
    context: dg.AssetExecutionContext, home: Home, compute: Callable[[Settings, str], Mapping[str, Any] | None]
) -> dg.MaterializeResult:
    settings = home.settings()
    lines = ["| round | table | rows |", "|---|---|---|"]
    with exclusive(settings):
        for round_id in processed_keys(context, list(ROUNDS.get_partition_keys())):
            tables = compute(settings, round_id) if current_revision(settings, round_id) else None
            if tables is None:
                context.log.info(f"{round_id}: nothing published, or no readings are written for its rule set")
                continue
            folder = write_tables(settings, round_id, tables)
            lines += [f"| {round_id} | {folder / name} | {table.num_rows} |" for name, table in tables.items()]
    return dg.MaterializeResult(metadata={"tables": dg.MetadataValue.md("\n".join(lines))})


@dg.asset(
    group_name="simulation",
    owners=["team:statistics"],
    kinds={"parquet", "csv"},
    deps=["published_round"],
    partitions_def=ROUNDS,
    description=(
        "How sure the list is (usikkerhet): figures drawn anew within their uncertainty and judged by the very models; "
        "probabilities, intervals and confidence sets for ranks. It never changes the list."
    ),
)
def selection_uncertainty(context: dg.AssetExecutionContext, config: Drawing, home: Home) -> dg.MaterializeResult:
    def compute(settings: Settings, round_id: str) -> Mapping[str, Any]:
        found = compute_uncertainty(settings, round_id, draws=config.draws, seed=config.seed)
        return {"selection_uncertainty": uncertainty_table(found)}

    return _write(context, home, compute)


@dg.asset(
    group_name="simulation",
    owners=["team:statistics"],
    kinds={"parquet", "csv"},
    deps=["published_round"],
    partitions_def=ROUNDS,
    description=(
        "What hangs on each open choice of the rule (valgene A1 til A15): every ready-made reading computed, in how "
        "many each municipality is taken, and what each indicator weighs in fact."
    ),
)
def choice_sensitivity(context: dg.AssetExecutionContext, home: Home) -> dg.MaterializeResult:
    def compute(settings: Settings, round_id: str) -> Mapping[str, Any] | None:
        rule_set = load_rules(settings).round(round_id).rule_set
        if not variants_file(settings, rule_set).exists():
            return None
        return sensitivity_tables(compute_variants(settings, round_id))

    return _write(context, home, compute)


SIMULATIONS = [selection_uncertainty, choice_sensitivity]
