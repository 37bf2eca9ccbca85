"""The extracts: partitions by school year, and the reference and form data. Materialising one makes it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any

import dagster as dg

from dagster_project import progress, schema
from dagster_project.archive.files import File, Key, open_files
from dagster_project.assets import statements
from dagster_project.assets.acting import as_table, writing
from dagster_project.assets.by_partition import tell_checked, tell_made
from dagster_project.assets.inbox import OWNER
from dagster_project.clock import now
from dagster_project.diagnostics import PipelineProblem, Severity
from dagster_project.forms.spec import form_schema
from dagster_project.intake import flow, quarantine
from dagster_project.intake.checks import Checked, check_partition, without_rows
from dagster_project.intake.partitions import Extracts, name_of
from dagster_project.intake.reader import readers_version
from dagster_project.orchestration.partitions import names_partitions
from dagster_project.orchestration.resources import Home
from dagster_project.orchestration.schedules import freshness
from dagster_project.orchestration.years import school_years
from dagster_project.rounds.figures_due import FIGURES
from dagster_project.settings import REPOSITORY, Settings, load_settings
from dagster_project.transform import dbt_step
from dagster_project.transform.columns import descriptions_of_extract
from dagster_project.transform.snapshot import repin
from dagster_project.validation.suites import by_check

TITLES = {
    schema.NATIONAL_TESTS: "National tests (nasjonale prøver), one row per cell of the files.",
    schema.PUPIL_SURVEY: "The Pupil Survey (Elevundersøkelsen), one row per cell of the files.",
    schema.GRADE_POINTS: "Lower secondary grade points (grunnskolepoeng), one row per cell of the files.",
    schema.SCHOOL_REGISTER: "The National School Register (Nasjonalt skoleregister), newest record of each school.",
    schema.MUNICIPALITY_CHANGES: "Changes of municipality codes (kommuneendringer, SSB Klass 131).",
    schema.MUNICIPALITY_VERSIONS: "Municipality lists with the day each is valid from (SSB Klass 131).",
    schema.GOVERNOR_PRIORITIES: "County governors' priorities (statsforvalternes prioriteringer), a row per candidate.",
    schema.DECISIONS: "Udir's decisions (beslutninger) on municipalities, every one of them.",
    schema.FOLLOWUP_REPORTS: "Reports received in the follow-up (mottatte rapporter).",
    schema.SUPPORT_MEASURES: "Support measures (støttetiltak) with the money applied for, granted and spent.",
    schema.ROUND_QUERIES: "Municipalities' queries in the preview window (spørsmål i innsynsperioden).",
    schema.SELECTED_MUNICIPALITY: "Official lists of the municipalities selected in a round (offisielle lister).",
}
SHAPES: Mapping[str, Callable[[], Any]] = {
    **dict.fromkeys(schema.YEARLY_DATASETS, schema.extract_schema),
    schema.SCHOOL_REGISTER: schema.register_schema,
    schema.MUNICIPALITY_CHANGES: schema.changes_schema,
    schema.MUNICIPALITY_VERSIONS: schema.versions_schema,
    **{dataset: partial(form_schema, dataset) for dataset in schema.FORM_DATASETS},
}
SUITES = REPOSITORY / "expectations"
RUN_ID = "validated_by_run"
SHOWN_FINDINGS = 15


@cache
def checks_by_code(dataset: str) -> dict[str, str]:
    """The name of each check of a suite by the code that `oppfolging accept` takes."""
    return {
        code: statements.name_of(statements.of_expectations(entries))
        for code, entries in by_check(SUITES, dataset).items()
    }


def check_specs(dataset: str, partitions: dg.PartitionsDefinition | None = None) -> list[dg.AssetCheckSpec]:
    """One check per suite entry, per partition where there are any. Errors block what comes after; warnings do not."""
    return [
        dg.AssetCheckSpec(
            checks_by_code(dataset)[code],
            asset=dataset,
            description=f"{statements.sentence(statements.of_expectations(entries, short=False))} {entries[0].why}",
            blocking=entries[0].severity is Severity.FAIL,
            metadata={"code": code, "severity": entries[0].severity.value, "fix": entries[0].fix},
            partitions_def=partitions,
        )
        for code, entries in by_check(SUITES, dataset).items()
    ]


def _table_schema(dataset: str) -> dg.TableSchema:
    """The columns of an extract: names and types as its contract has them, descriptions as the files under dbt/ do."""
    means = descriptions_of_extract(dbt_step.load_manifest(load_settings()), dataset)
    return dg.TableSchema([dg.TableColumn(f.name, str(f.type), means[f.name]) for f in SHAPES[dataset]()])


def quarantined(extracts: Extracts, key: Key) -> dict[str, int]:
    """How many files of a partition did not come into force, and how many of their rows are in quarantine."""
    left_out = ("rejected", "held", "dismissed")
    files = {f.sha256 for f in extracts.files if f.status in left_out and key in f.partitions}
    rows = sum(quarantine.rows(extracts.settings, sha256) for sha256 in files)
    return {"quarantined_files": len(files), "quarantined_rows": rows}


def _made(extracts: Extracts, key: Key, *, anew: bool) -> dict[str, Any]:
    """Make a partition (``anew``: whatever lies there) and tell of it: rows, cells by state, files, identity."""
    if anew or not extracts.is_made(key):
        extracts.make(key)
    table = extracts.table(key)
    assert table is not None, "it was just made"
    counts: dict[str, Any] = {"dagster/row_count": table.num_rows, **quarantined(extracts, key)}
    if "state" in table.column_names:
        found = {e["values"]: e["counts"] for e in table["state"].value_counts().to_pylist()}
        # a state without a cell is a point of the plot too
        counts |= {"cells": table.num_rows, **{f"cells_{state}": found.get(state, 0) for state in schema.STATES}}
        levels = table.select(["unit_level", "unit_code"]).group_by(["unit_level", "unit_code"]).aggregate([])
        counts["schools"] = levels["unit_level"].to_pylist().count("school")
    files = as_table(
        ("file", "arrived", "SHA-256"), [(f.name, f.arrived[:10], f.sha256) for f in extracts.in_force[key]]
    )
    return {**counts, "files_in_force": files, "made_from": extracts.identity(key)}


def _metadata(results: list[Checked], waiting: Sequence[tuple[str, ...]]) -> dict[str, Any]:
    """What a check found, and which files wait in quarantine because of it."""
    findings = [f for r in results for f in r.findings]
    named = ("file", "row", "column", "found", "expected")
    shown = [[f[name] for name in named] for f in findings[:SHOWN_FINDINGS]]
    return {
        "failing_cells": sum(r.count for r in results),
        "accepted_cells": sum(r.accepted for r in results),
        **({"findings": as_table(named, shown)} if shown else {}),
        **({"quarantine": as_table(("file", "status", "folder"), waiting)} if waiting else {}),
        RUN_ID: ", ".join(sorted({r.run_id for r in results})),
    }


def _in_quarantine(settings: Settings, file: File) -> tuple[str, ...]:
    return (file.name, file.status, quarantine.place(settings, file.sha256) or "")


def _severity(results: list[Checked]) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.WARN if results[0].severity is Severity.WARN else dg.AssetCheckSeverity.ERROR


def _results(extracts: Extracts, dataset: str, results: list[Checked]) -> Iterator[dg.AssetCheckResult]:
    """One check result per entry of the suite, over all partitions that this step looked at."""
    waiting = [f for f in open_files(extracts.files) if dataset in f.datasets]
    for code in dict.fromkeys(r.code for r in results):
        of_code = [r for r in results if r.code == code]
        yield dg.AssetCheckResult(
            asset_key=dataset,
            check_name=checks_by_code(dataset)[code],
            passed=all(r.passed for r in of_code),
            severity=_severity(of_code),
            metadata=_metadata(of_code, [_in_quarantine(extracts.settings, f) for f in waiting if code in f.codes]),
        )


def _settled(context: dg.AssetExecutionContext, settings: Settings, dataset: str) -> Extracts:
    """Screen what is pending for a dataset, pin what the run answers for, and open its extracts."""
    for result in flow.settle(
        settings, datasets=(dataset,), now=now(), on_file=lambda name: progress.report("extracts", name)
    ):
        context.log.info("; ".join([f"{result.file}: {result.status}", *(c.as_text() for c in result.changes)]))
        for finding in result.warnings:
            context.log.warning(finding.as_text())
    return Extracts(settings, repin(settings, context.run.run_id).head)


def _yearly(dataset: str) -> dg.AssetsDefinition:
    years_known = school_years(dataset)
    (due,) = (d for d in FIGURES if d.dataset == dataset)

    @dg.asset(
        name=dataset,
        group_name="extracts",
        owners=[OWNER],
        kinds={"parquet"},
        deps=["inbox"],
        partitions_def=years_known,
        backfill_policy=dg.BackfillPolicy.single_run(),
        code_version=readers_version()[:12],
        check_specs=check_specs(dataset, years_known),
        description=TITLES[dataset],
        metadata={"dagster/column_schema": _table_schema(dataset)},
        freshness_policy=freshness(due),
    )
    def extract(context: dg.AssetExecutionContext, home: Home) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        settings, named = home.settings(), names_partitions(context)
        run_id = context.run.run_id
        results: dict[str, list[Checked]] = {}
        made: dict[str, dict[str, Any]] = {}
        with progress.stage("extracts"), writing(context, settings), _settled(context, settings, dataset) as extracts:
            years = list(context.partition_keys) if named else [y for d, y in extracts.in_force if d == dataset and y]
            for year in years:
                key = (dataset, year)
                if key not in extracts.in_force:
                    raise PipelineProblem(f"No file in force holds {name_of(key)}. Put the export into the inbox.")
                made[year] = _made(extracts, key, anew=named)
                results[year] = check_partition(extracts, key, run_id=run_id, now=now(), anew=named)
                if named and len(years) > 1:
                    context.add_asset_metadata(made[year], asset_key=dataset, partition_key=year)
        shown = ("cells", "schools", "cells_suppressed", "quarantined_rows", "quarantined_files")
        by_year = [(year, *(told[name] for name in shown)) for year, told in made.items()]
        one = made[years[0]] if len(years) == 1 else {}
        yield dg.MaterializeResult(
            asset_key=dataset,
            metadata={
                **one,
                "by_year": as_table(("year", *shown), by_year),
            },
            data_version=dg.DataVersion(one["made_from"]) if one else None,
        )
        if not named or len(years) > 1:
            for year in years:
                if not named:
                    tell_made(context, dataset, year, made[year], made[year]["made_from"])
                tell_checked(context, dataset, year, _results(extracts, dataset, results[year]))
        found = [r for of_year in results.values() for r in of_year]
        yield from _results(extracts, dataset, found or list(without_rows(settings, dataset, run_id)))

    return extract


def _reference(dataset: str) -> dg.AssetsDefinition:
    @dg.asset(
        name=dataset,
        group_name="forms" if dataset in schema.FORM_DATASETS else "reference",
        owners=[OWNER],
        kinds={"parquet"},
        deps=["inbox"],
        code_version=readers_version()[:12],
        check_specs=check_specs(dataset),
        description=TITLES[dataset],
        metadata={"dagster/column_schema": _table_schema(dataset)},
    )
    def reference(
        context: dg.AssetExecutionContext, home: Home
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        settings, key = home.settings(), (dataset, None)
        run_id, alone = context.run.run_id, len(context.run.asset_selection or ()) == 1
        results: list[Checked] = []
        made: dict[str, Any] = {"dagster/row_count": 0}
        with progress.stage("extracts"), writing(context, settings), _settled(context, settings, dataset) as extracts:
            if key in extracts.in_force:
                made = _made(extracts, key, anew=alone)
                results = check_partition(extracts, key, run_id=run_id, now=now(), anew=alone)
        version = dg.DataVersion(made["made_from"]) if "made_from" in made else None
        yield dg.MaterializeResult(asset_key=dataset, metadata=made, data_version=version)
        yield from _results(extracts, dataset, results or list(without_rows(settings, dataset, run_id)))

    return reference


EXTRACTS = [_yearly(dataset) for dataset in schema.YEARLY_DATASETS]
REFERENCE = [
    _reference(dataset)
    for dataset in (
        schema.MUNICIPALITY_VERSIONS, schema.SCHOOL_REGISTER, schema.MUNICIPALITY_CHANGES, *schema.FORM_DATASETS
    )
]  # fmt: skip
