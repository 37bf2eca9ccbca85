"""The tidy extracts: partitions by school year with their checks, and the reference data."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import dagster as dg

from dagster_project import schema
from dagster_project.archive import Archive
from dagster_project.assets.inbox import OWNER, taken_in_by
from dagster_project.diagnostics import Severity
from dagster_project.intake.partitions import partition_path, read_partition
from dagster_project.intake.results import check_results
from dagster_project.orchestration.partitions import SCHOOL_YEARS, names_partitions, processed_keys
from dagster_project.orchestration.resources import Home
from dagster_project.settings import REPOSITORY, Settings
from dagster_project.validation import suites

TITLES = {
    schema.NATIONAL_TESTS: "National tests (nasjonale prøver), one row per cell of the files.",
    schema.PUPIL_SURVEY: "The Pupil Survey (Elevundersøkelsen), one row per cell of the files.",
    schema.GRADE_POINTS: "Lower secondary grade points (grunnskolepoeng), one row per cell of the files.",
    schema.SCHOOL_REGISTER: "The National School Register (Nasjonalt skoleregister), newest record of each school.",
    schema.MUNICIPALITY_CHANGES: "Changes of municipality codes (kommuneendringer, SSB Klass 131).",
    schema.GOVERNOR_PRIORITIES: "County governors' priorities (statsforvalternes prioriteringer), a row per candidate.",
    schema.DECISIONS: "Udir's decisions (beslutninger) on municipalities, every one of them.",
    schema.FOLLOWUP_REPORTS: "Reports received in the follow-up (mottatte rapporter).",
    schema.SUPPORT_MEASURES: "Support measures (støttetiltak) with the money applied for, granted and spent.",
    schema.ROUND_QUERIES: "Municipalities' queries in the preview window (spørsmål i innsynsperioden).",
}
SHAPES: Mapping[str, Callable[[], Any]] = {
    **dict.fromkeys(schema.YEARLY_DATASETS, schema.extract_schema),
    schema.SCHOOL_REGISTER: schema.register_schema,
    schema.MUNICIPALITY_CHANGES: schema.changes_schema,
    **{dataset: partial(schema.form_schema, dataset) for dataset in schema.FORM_DATASETS},
}


def check_specs(dataset: str) -> list[dg.AssetCheckSpec]:
    """One check per suite entry. Errors block what comes after; warnings are shown apart."""
    return [
        dg.AssetCheckSpec(
            entry.code.replace("-", "_"),
            asset=dataset,
            description=entry.why,
            blocking=entry.severity is Severity.FAIL,
            metadata={"severity": entry.severity.value, "fix": entry.fix},
        )
        for entry in suites.load_suite(REPOSITORY / "expectations", dataset)
    ]


def files_of(settings: Settings, run_id: str) -> set[str]:
    """Hashes that this run answers for: what it took in, and what is in force."""
    events = Archive(settings).events()
    accepted = {e["sha256"] for e in events if e["event"] == "accepted"}
    return accepted | {e["sha256"] for e in events if e["event"] == "arrived" and e.get("by") == taken_in_by(run_id)}


def _table_schema(dataset: str) -> dg.TableSchema:
    return dg.TableSchema([dg.TableColumn(f.name, str(f.type)) for f in SHAPES[dataset]()])


def _counts(table: Any) -> Mapping[str, int]:
    """Rows, and cells by state where the table has states."""
    if table is None:
        return {"dagster/row_count": 0}
    counts = {"dagster/row_count": table.num_rows}
    if "state" in table.column_names:
        for entry in table["state"].value_counts().to_pylist():
            counts[f"cells_{entry['values']}"] = entry["counts"]
    return counts


def _checks(settings: Settings, dataset: str, years: list[str | None], only: set[str]) -> Iterator[dg.AssetCheckResult]:
    by_name: dict[str, list[dict[str, Any]]] = {}
    for year in years:
        for result in check_results(settings, dataset, year, only=only):
            by_name.setdefault(result["name"], []).append(result)
    for name, results in by_name.items():
        findings = [f for r in results for f in r["findings"]]
        lines = [f"- {f['file']}, line {f['row']}, {f['column']}: {f['found']}" for f in findings[:15]]
        yield dg.AssetCheckResult(
            asset_key=dataset,
            check_name=name.replace("-", "_"),
            passed=all(r["passed"] for r in results),
            severity=dg.AssetCheckSeverity.WARN
            if results[0]["severity"] == Severity.WARN.value
            else dg.AssetCheckSeverity.ERROR,
            metadata={
                "failing_cells": sum(r["count"] for r in results),
                "quarantined": dg.MetadataValue.md("\n".join(lines) or "none"),
            },
        )


def _yearly(dataset: str) -> dg.AssetsDefinition:
    @dg.asset(
        name=dataset,
        group_name="extracts",
        owners=[OWNER],
        kinds={"parquet"},
        deps=["inbox"],
        partitions_def=SCHOOL_YEARS,
        check_specs=check_specs(dataset),
        description=TITLES[dataset],
        metadata={"dagster/column_schema": _table_schema(dataset)},
    )
    def extract(context: dg.AssetExecutionContext, home: Home) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        settings = home.settings()
        at_hand = [y for y in SCHOOL_YEARS.get_partition_keys() if partition_path(settings, dataset, y).exists()]
        years = processed_keys(context, at_hand)
        tables = {year: _counts(read_partition(settings, dataset, year, columns=("state",))) for year in years}
        if not names_partitions(context):
            for year, counts in tables.items():
                context.log_event(dg.AssetMaterialization(dataset, partition=year, metadata=dict(counts)))
        totals: dict[str, int] = {}
        for counts in tables.values():
            for name, count in counts.items():
                totals[name] = totals.get(name, 0) + count
        by_year = "\n".join(
            f"| {y} | {c['dagster/row_count']} | {c.get('cells_suppressed', 0)} |" for y, c in tables.items()
        )
        yield dg.MaterializeResult(
            asset_key=dataset,
            metadata={
                **totals,
                "by_year": dg.MetadataValue.md("| year | cells | suppressed |\n|---|---|---|\n" + by_year),
            },
        )
        # without any year at hand the checks still answer: nothing failed
        yield from _checks(settings, dataset, list(years) or [None], files_of(settings, context.run.run_id))

    return extract


def _reference(dataset: str) -> dg.AssetsDefinition:
    @dg.asset(
        name=dataset,
        group_name="people" if dataset in schema.FORM_DATASETS else "reference",
        owners=[OWNER],
        kinds={"parquet"},
        deps=["inbox"],
        check_specs=check_specs(dataset),
        description=TITLES[dataset],
        metadata={"dagster/column_schema": _table_schema(dataset)},
    )
    def reference(
        context: dg.AssetExecutionContext, home: Home
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        settings = home.settings()
        yield dg.MaterializeResult(asset_key=dataset, metadata=_counts(read_partition(settings, dataset, None)))
        yield from _checks(settings, dataset, [None], files_of(settings, context.run.run_id))

    return reference


EXTRACTS = [_yearly(dataset) for dataset in schema.YEARLY_DATASETS]
REFERENCE = [
    _reference(dataset) for dataset in (schema.SCHOOL_REGISTER, schema.MUNICIPALITY_CHANGES, *schema.FORM_DATASETS)
]
