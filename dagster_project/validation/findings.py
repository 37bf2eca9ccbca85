"""Turn what Great Expectations found into findings with places: one result per check, with the rows that failed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any

from dagster_project.diagnostics import Finding, Severity
from dagster_project.forms.spec import FORMS
from dagster_project.pages.words import texts
from dagster_project.validation.suites import Expectation

SHOWN_PLACES = 20
PLACE = ("source_sha256", "source_row", "source_column", "raw_value", "unit_code", "municipality_code", "indicator",
         "grade", "school_year")  # fmt: skip
HEADERS = {c.name: c.norsk for form in FORMS.values() for c in (*form.fields, *form.columns)}


@dataclass(frozen=True)
class CheckResult:
    """What the expectations of one check found in one file. ``rows`` are the failing rows, named by place."""

    code: str
    stage: str
    severity: Severity
    passed: bool
    count: int
    findings: tuple[Finding, ...]
    rows: tuple[dict[str, Any], ...]


def by_check(
    outcomes: Iterable[tuple[Expectation, Any]], parameters: Mapping[str, Any], file: str
) -> list[CheckResult]:
    """One result per code, in the order of the suite, from what Great Expectations says of each expectation."""
    results: dict[str, CheckResult] = {}
    for entry, outcome in outcomes:
        mine = _result(entry, outcome, parameters, file)
        if (other := results.get(entry.code)) is not None:
            mine = CheckResult(
                entry.code, entry.stage, entry.severity, mine.passed and other.passed, mine.count + other.count,
                (*other.findings, *mine.findings), (*other.rows, *mine.rows),
            )  # fmt: skip
        results[entry.code] = mine
    return list(results.values())


def _result(entry: Expectation, outcome: Any, parameters: Mapping[str, Any], file: str) -> CheckResult:
    if outcome.success:
        return holds(entry)
    found = outcome.result["unexpected_index_list"]
    rows = tuple({name: plain(value) for name, value in row.items()} for row in found)
    count = len(rows) if len(rows) > SHOWN_PLACES else 1  # each place is named, unless there are too many
    findings = tuple(_finding(entry, row, parameters, file, count) for row in rows[:SHOWN_PLACES])
    return CheckResult(entry.code, entry.stage, entry.severity, False, len(rows), findings, rows)


def holds(entry: Expectation) -> CheckResult:
    """The result of an expectation that nothing stands against."""
    return CheckResult(entry.code, entry.stage, entry.severity, True, 0, (), ())


def place(entries: Iterable[Expectation], columns: Iterable[str]) -> tuple[str, ...]:
    """The columns of a table that name a failing row, or that the entries name when they say what is expected."""
    named = {e.shows for e in entries} | {name for e in entries for _, name, _, _ in Formatter().parse(e.expects or "")}
    return tuple(c for c in columns if c in PLACE or c in named)


def plain(value: Any) -> Any:
    """A value of a pandas table as Python has it; None where there is none."""
    if value is None or value != value:
        return None
    if isinstance(value, dt.datetime):
        return value.date()
    return value.item() if hasattr(value, "item") else value


def _shown(value: Any, language: str) -> str:
    if value is None:
        return texts(language)._("an empty cell")
    if isinstance(value, dt.date):
        return texts(language).date(value)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _bounds(limits: Mapping[str, Any]) -> str | None:
    """Limits in words, where the expectation has any."""
    low, high = limits.get("min_value"), limits.get("max_value")
    if low is not None and high is not None:
        return f"between {low} and {high}"
    if low is not None:
        return f"at least {low}"
    return None if high is None else f"at most {high}"


def _finding(entry: Expectation, row: dict[str, Any], parameters: Mapping[str, Any], file: str, count: int) -> Finding:
    where = " ".join(str(row[n]) for n in ("indicator", "grade", "school_year", "unit_code") if row.get(n) is not None)
    known = {
        name: _shown(value if isinstance(value, list) else plain(value), entry.language)
        for name, value in parameters.items()
    }
    known |= {name: _shown(value, entry.language) for name, value in row.items()}
    looked_at = entry.shows or entry.columns[0]
    return Finding(
        entry.code,
        entry.severity,
        f"{entry.why} ({where})" if where else entry.why,
        stage=entry.stage,
        file=file,
        row=row.get("source_row"),
        column=HEADERS.get(looked_at) or row.get("source_column") or looked_at,
        found=known.get(looked_at),
        expected=entry.expects.format_map(known) if entry.expects else _bounds(entry.kwargs),
        fix=entry.fix,
        count=count,
    )
