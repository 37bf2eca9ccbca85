"""Rule sets, rounds, registers and the files in force, checked and compiled for dbt."""

import dagster as dg

from dagster_project import schema
from dagster_project.assets import STATISTICS
from dagster_project.assets.acting import as_table, writing
from dagster_project.assets.versions import code_of
from dagster_project.orchestration.resources import Home
from dagster_project.rules import load_rules
from dagster_project.transform.parameters import compile_snapshot
from dagster_project.transform.snapshot import pin


@dg.asset(
    name="parameters",
    group_name="parameters",
    owners=[STATISTICS],
    kinds={"yaml", "parquet"},
    code_version=code_of("rules", "transform"),
    deps=[
        *schema.YEARLY_DATASETS, schema.MUNICIPALITY_VERSIONS, schema.SCHOOL_REGISTER, schema.MUNICIPALITY_CHANGES,
        *schema.FORM_DATASETS,
    ],
    description=(
        "The rules as data (regelsett, uttrekk og registre): all YAML files under data/, checked and compiled, with "
        "the list of files in force, to the tables that the models read. Mistakes are named by file and line."
    ),
)  # fmt: skip
def parameters(context: dg.AssetExecutionContext, home: Home) -> dg.MaterializeResult:
    settings = home.settings()
    with writing(context, settings):
        snapshot = pin(settings, context.run.run_id)
        counts = compile_snapshot(settings, snapshot)
        rulebook = load_rules(settings)
    titles = ("round", "rule set", "last school year", "origin", "placeholders")
    rows = [
        (r.id, r.rule_set, r.last_school_year, r.origin, len(rulebook.rule_sets[r.rule_set].placeholders))
        for r in rulebook.rounds
    ]
    return dg.MaterializeResult(
        metadata={**counts, "snapshot": snapshot.identity, "overview": as_table(titles, rows)},
        data_version=dg.DataVersion(snapshot.identity),
    )
