"""Turn what Great Expectations found into findings with places: one result per check, with the rows that failed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any

from dagster_project.diagnostics import SHOWN_PLACES, Finding, Severity, with_the_rest
from dagster_project.forms.spec import FORMS, Column
from dagster_project.pages.words import texts
from dagster_project.validation.suites import Expectation

FORM_BATCHES = ("form", "replies")
PLACE = ("source_sha256", "source_row", "source_column", "raw_value", "unit_code", "municipality_code", "indicator",
         "grade", "school_year")  # fmt: skip
OF_FILE = {"school_year", "grade", "indicator"}
"""What a heading says of many rows: the same wrong value is one fault, at no row. So do the fields above a form."""
OF_UNIT = {"unit_code": "Organisasjonsnummer", "municipality_code": "Kommunekode"}
"""What stands once a row whatever its figures: one fault a row, with the heading that the files have for it."""


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
    outcomes: Iterable[tuple[Expectation, Any]], parameters: Mapping[str, Any], file: str,
    names: Mapping[str, str] | None = None,
) -> list[CheckResult]:  # fmt: skip
    """One result per code, in the order of the suite, from what Great Expectations says of each expectation.

    ``names`` are the files of rows by their hash, where the rows come from several files.
    """
    results: dict[str, CheckResult] = {}
    for entry, outcome in outcomes:
        mine = _result(entry, outcome, parameters, file, names or {})
        if (other := results.get(entry.code)) is not None:
            mine = CheckResult(
                entry.code, entry.stage, entry.severity, mine.passed and other.passed, mine.count + other.count,
                (*other.findings, *mine.findings), (*other.rows, *mine.rows),
            )  # fmt: skip
        results[entry.code] = mine
    return list(results.values())


def _result(
    entry: Expectation, outcome: Any, parameters: Mapping[str, Any], file: str, names: Mapping[str, str]
) -> CheckResult:
    if outcome.success:
        return holds(entry)
    found = outcome.result["unexpected_index_list"]
    rows = tuple({name: plain(value) for name, value in row.items()} for row in found)
    faults: dict[Any, list[dict[str, Any]]] = {}
    for number, row in enumerate(rows):
        faults.setdefault(_fault(entry, row, number), []).append(row)
    findings = []
    for same in list(faults.values())[:SHOWN_PLACES]:
        count = 1 if entry.batch in FORM_BATCHES else len(same)
        named = names.get(same[0].get("source_sha256") or "", file)
        findings.append(_finding(entry, same[0], parameters, named, count))
    return CheckResult(entry.code, entry.stage, entry.severity, False, len(rows),
                       tuple(with_the_rest(findings, len(faults))), rows)  # fmt: skip


def _fault(entry: Expectation, row: dict[str, Any], number: int) -> Any:
    """Rows with the same answer have the same fault."""
    if _of_file(entry):
        return row.get(entry.looked_at)
    return row["source_row"] if entry.of_unit and "source_row" in row else number


def _of_file(entry: Expectation) -> bool:
    form = FORMS.get(entry.dataset)
    return entry.looked_at in OF_FILE | {c.name for c in (form.fields if form else ())}


def _in_form(entry: Expectation) -> dict[str, Column]:
    """What the form asks for, by name; nothing where the file is no form."""
    form = FORMS.get(entry.dataset)
    return {c.name: c for c in (*form.fields, *form.columns)} if form else {}


def holds(entry: Expectation) -> CheckResult:
    """The result of an expectation that nothing stands against."""
    return CheckResult(entry.code, entry.stage, entry.severity, True, 0, (), ())


def not_asked(entry: Expectation, file: str) -> CheckResult:
    """The result of an expectation that could not be asked, since what it is held to is not there."""
    note = Finding(
        "not-checked", Severity.PASS, entry.why, stage=entry.stage, file=file,
        found="no list in force", expected=entry.expects, fix="Ingest SSB's Klass 131 of the year.",
    )  # fmt: skip
    return CheckResult(entry.code, entry.stage, entry.severity, True, 0, (note,), ())


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


def _as_written(column: Column | None, value: Any) -> Any:
    """A coded choice of a form as people choose it."""
    written = {code: text for text, code in column.choices.items()} if column else {}
    return written.get(value, value) if isinstance(value, str) else value


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
    form, looked_at = entry.batch in FORM_BATCHES, entry.looked_at
    whole, asked = _of_file(entry), _in_form(entry)
    named = () if whole or entry.of_unit else ("indicator", "grade", "school_year", "unit_code")
    where = " ".join(str(row[n]) for n in named if row.get(n) is not None)
    known = {
        name: _shown(value if isinstance(value, list) else plain(value), entry.language)
        for name, value in parameters.items()
    }
    known |= {name: _shown(_as_written(asked.get(name), value), entry.language) for name, value in row.items()}
    if form:
        column = asked[looked_at].norsk if looked_at in asked else None
    else:
        column = OF_UNIT[looked_at] if entry.of_unit else row.get("source_column")
    return Finding(
        entry.code,
        entry.severity,
        f"{entry.why} ({where})" if where else entry.why,
        stage=entry.stage,
        file=file,
        row=None if whole else row.get("source_row"),
        column=column,
        found=known.get(looked_at),
        expected=entry.expects.format_map(known) if entry.expects else _bounds(entry.kwargs),
        fix=entry.fix,
        count=count,
    )
