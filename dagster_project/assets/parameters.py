"""Rule sets, rounds and registers, checked and compiled for dbt."""

import datetime as dt

import dagster as dg

from dagster_project import schema
from dagster_project.assets import STATISTICS
from dagster_project.orchestration.resources import Home, exclusive
from dagster_project.rounds.monitoring import monitored
from dagster_project.rules import compile_parameters, load_rules


@dg.asset(
    name="parameters",
    group_name="parameters",
    owners=[STATISTICS],
    kinds={"yaml", "parquet"},
    deps=[*schema.YEARLY_DATASETS, schema.DECISIONS],
    description=(
        "The rules as data (regelsett, uttrekk og registre): every YAML file under data/ checked, each mistake named "
        "by file and line, and compiled to the tables the models read."
    ),
)
def parameters(home: Home) -> dg.MaterializeResult:
    settings = home.settings()
    rulebook = load_rules(settings)
    with exclusive(settings):
        followed = monitored(settings, rulebook)
        counts = compile_parameters(rulebook, settings.parameters, monitored=followed, as_of=dt.date.today())
    lines = ["| round | rule set | last school year | origin | placeholders |", "|---|---|---|---|---|"]
    for r in rulebook.rounds:
        placeholders = len(rulebook.rule_sets[r.rule_set].placeholders)
        lines.append(f"| {r.id} | {r.rule_set} | {r.last_school_year} | {r.origin} | {placeholders} |")
    return dg.MaterializeResult(metadata={**counts, "overview": dg.MetadataValue.md("\n".join(lines))})
