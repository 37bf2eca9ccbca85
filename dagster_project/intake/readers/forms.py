"""Filled forms: workbooks that came back, or a CSV with the same headers.

A form is known by its headers, wherever the table stands on the sheet and in whatever order its columns come. What
is wrong with it is said in Norwegian, since case officers read it. One wrong cell refuses the whole form, so that
nothing is half merged. All that is wrong is said at once: cells that cannot be read are findings on the table, which is
validated all the same.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from dagster_project.diagnostics import Finding
from dagster_project.forms.spec import FORMS, Column, Form, Kind, form_schema
from dagster_project.intake.cells import FIRST_FICTIONAL_COUNTY, ExtractTable, problem, refuse
from dagster_project.intake.convert import table_of
from dagster_project.intake.numbers import OUT_OF_RANGE, TOO_MANY_DECIMALS, BadNumber, parse_number
from dagster_project.intake.tables import (
    ERRORS,
    FIRST_ROWS,
    MAX_CELL_CHARACTERS,
    TextTable,
    cell_text,
    filled_rows,
    is_blank,
    is_formula,
    open_workbook,
)
from dagster_project.intake.text import CONTROL, shown, unreadable, warning

ENOUGH_HEADERS = 0.6
OWN_SHEETS = {"Veiledning", "Kandidater", "Områder", "Skoler", "Liste"}
MONTHS = ("januar", "februar", "mars", "april", "mai", "juni", "juli", "august", "september", "oktober", "november",
          "desember")  # fmt: skip
DOTTED = re.compile(r"^([0-9]{1,2})[./]([0-9]{1,2})[./]([0-9]{4})$")
WRITTEN = re.compile(r"^([0-9]{1,2})\.?\s+([a-zæøå]+)\.?\s+([0-9]{4})$")
MUNICIPALITY = re.compile("[0-9]{1,4}")
# ranks, report numbers and years: a telephone number is none of them
MAX_WHOLE = 9999
FIRST_YEAR, LAST_YEAR = 2000, 2099
Rows = Sequence[tuple[int, Sequence[Any]]]


@dataclass(frozen=True)
class Found:
    """Where a form was found: its sheet, the row of its headers (1-based), and the headers."""

    form: Form
    sheet: str
    header_row: int
    headers: tuple[str, ...]


WANTED: Mapping[Kind, str] = {
    "text": "en tekst", "whole": "et helt tall", "money": "et beløp i kroner", "choice": "et av valgene i listen",
    "date": "en dato, for eksempel 15.02.2026", "code": "et kommunenummer med fire siffer",
}  # fmt: skip


def looks_like(header: Sequence[str]) -> Form | None:
    """The form whose headers these mostly are; a column that is missing is said later."""
    given = {h.strip() for h in header}
    best = max(FORMS.values(), key=lambda f: _share(f, given))
    return best if _share(best, given) >= ENOUGH_HEADERS else None


def _share(form: Form, given: set[str]) -> float:
    # a table on its own holds its fields as columns too
    wanted = {c.norsk for c in form.columns if not c.later}
    return len(wanted & given) / len(wanted)


def find(sheets: Iterable[tuple[str, Rows]], name: str) -> Found | None:
    """Find the one form in the first rows of the sheets of a workbook.

    Raises:
        UnreadableFile: ``several-forms``.
    """
    found: list[Found] = []
    for title, rows in sheets:
        for number, row in rows if title not in OWN_SHEETS else ():
            headers = tuple(cell_text(value).strip() for value in row)
            if (form := looks_like(headers)) is not None:
                found.append(Found(form, title, number, headers))
                break
    if len(found) > 1:
        raise unreadable(
            "several-forms", "arbeidsboken inneholder flere skjemaer", name,
            found=", ".join(f.sheet for f in found), expected="ett skjema i hver arbeidsbok",
            fix="Del den opp, og send ett skjema om gangen.",
        )  # fmt: skip
    return found[0] if found else None


def read_workbook(path: Path, name: str, sha256: str) -> list[ExtractTable]:
    """Read the form in a workbook. What cannot be read in it is null, with a finding of its own in Norwegian.

    Raises:
        SchemaProblem: columns are missing, or no line is left.
        UnreadableFile: what ``find``, ``open_workbook`` and ``filled_rows`` raise.
    """
    with open_workbook(path, name) as sheets:
        where = find([(s.title, filled_rows(s, name, FIRST_ROWS)) for s in sheets], name)
        assert where is not None, "a workbook is only sent here when a form was recognised in it"
        extra = [s.title for s in sheets if s.title != where.sheet and s.title not in OWN_SHEETS]
        rows = filled_rows(next(s for s in sheets if s.title == where.sheet), name)
    # the fields stand above the table, or below it
    labels = {c.norsk for c in where.form.fields}
    beside = {n: cell_text(row[0]).strip() for n, row in rows if n != where.header_row}
    fields = {beside[n]: (n, (*row, None)[1]) for n, row in rows if beside.get(n) in labels}
    below = [(n, row) for n, row in rows if n > where.header_row and beside[n] not in labels]
    lines = [(n, dict(zip(where.headers, row, strict=False))) for n, row in below]
    notes = [
        _not_read("extra-sheet", f"arket {shown(title)} hører ikke til skjemaet og leses ikke", name, title,
                  "bare skjemaet")
        for title in extra
    ]  # fmt: skip
    notes += _beside(where, below, name)
    return [_assemble(where.form, where.header_row, where.headers, fields, lines, name, sha256, tuple(notes))]


def _not_read(code: str, message: str, name: str, found: str, expected: str, **place: Any) -> Finding:
    fix = "Du kan se bort fra dette hvis det ikke står noe viktig der."
    return warning(code, message, name, found=found, expected=expected, fix=fix, **place)


def _beside(where: Found, below: Rows, name: str) -> Iterator[Finding]:
    """What stands under no header is a note of somebody's: it moves no other cell, so it is only told."""
    for number, row in below:
        for position, value in enumerate(row):
            if not is_blank(value) and not (position < len(where.headers) and where.headers[position]):
                yield _not_read("blank-column", "en kolonne uten overskrift leses ikke", name, cell_text(value),
                                "en overskrift over hver kolonne", row=number,
                                column=f"kolonne {position + 1}")  # fmt: skip
                return


def read_table(table: TextTable, sha256: str) -> list[ExtractTable]:
    """Read a CSV with the headers of a form; the form's fields, if it has any, are columns of it too."""
    form = looks_like(table.header)
    assert form is not None, "a table is only sent here when a form was recognised in it"
    columns = {h: table.columns[h].to_pylist() for h in table.header}
    rows = table.rows.to_pylist()
    lines = [(row, {h: columns[h][i] or None for h in table.header}) for i, row in enumerate(rows)]
    return [_assemble(form, table.header_row or 1, table.header, {}, lines, table.name, sha256, ())]


def _assemble(
    form: Form,
    header_row: int,
    headers: Sequence[str],
    beside: dict[str, tuple[int, Any]],
    lines: Sequence[tuple[int, dict[str, Any]]],
    name: str,
    sha256: str,
    notes: tuple[Finding, ...],
) -> ExtractTable:

    findings: list[Finding] = []
    in_table = [c for c in (*form.fields, *form.columns) if c.norsk in headers]
    for column in form.columns:
        if column.norsk not in headers and not column.later:
            findings.append(
                problem("form-column-missing", f"kolonnen {column.norsk} mangler i skjemaet", name, row=header_row,
                        column=column.norsk, found=", ".join(h for h in headers if h), expected=column.norsk,
                        fix="Bruk skjemaet slik det ble sendt ut, med alle kolonnene.")
            )  # fmt: skip
    for header, times in Counter(h for h in headers if h).items():
        if times > 1:
            findings.append(
                problem("repeated-column", f"kolonnen {shown(header)} står flere ganger i skjemaet", name,
                        row=header_row, column=header, found=f"{times} ganger", expected="hver kolonne én gang",
                        fix="Behold den ene.")
            )  # fmt: skip
    refuse(name, findings)
    known = {c.norsk for c in (*form.fields, *form.columns)}
    findings += [
        _not_read("unread-column", "kolonnen hører ikke til skjemaet og leses ikke", name, header,
                  "kolonnene i skjemaet slik det ble sendt ut", row=header_row, column=header)
        for header in headers
        if header and header not in known and any(not is_blank(line.get(header)) for _, line in lines)
    ]  # fmt: skip
    given: dict[str, Any] = {}
    for column in form.fields:
        if column in in_table:
            continue
        row, value = beside.get(column.norsk, (1, None))
        given[column.name] = _value(column, value, name, row, findings)
    rows = []
    for number, line in lines:
        if all(is_blank(line.get(c.norsk)) for c in form.columns if not c.locked):
            continue
        values = {c.name: c.default for c in form.columns if c.later}
        values |= {c.name: _value(c, line.get(c.norsk), name, number, findings) for c in in_table}
        code = values.get("municipality_code")
        rows.append(
            {**given, **values, "fictional": FIRST_FICTIONAL_COUNTY <= code < "99" if code else None,
             "source_sha256": sha256, "source_row": number, "source_column": _place(form).norsk}
        )  # fmt: skip
    findings += _repeated(form, rows, name)
    if not rows:
        refuse(name, findings)
        raise unreadable("no-rows", "skjemaet er ikke fylt ut", name, row=header_row,
                         fix="Fyll ut minst én rad og send det på nytt.")  # fmt: skip
    table = table_of(rows, form_schema(form.dataset), name)
    return ExtractTable(form.dataset, table, tuple(h for h in headers if h), (*notes, *findings))


def _place(form: Form) -> Column:
    return next(c for c in form.columns if c.name == "municipality_code")


def _repeated(form: Form, rows: list[dict[str, Any]], name: str) -> Iterator[Finding]:
    seen: dict[tuple[Any, ...], int] = {}
    for row in rows:
        key = tuple(row[k] for k in form.key)
        if key in seen and None not in key:
            yield problem("line-repeated", f"linjen står to ganger (også i rad {seen[key]})", name,
                          row=row["source_row"], column=_place(form).norsk, found=", ".join(str(k) for k in key),
                          fix="Behold den ene.")  # fmt: skip
        seen[key] = row["source_row"]


def _value(column: Column, value: Any, name: str, row: int, findings: list[Finding]) -> Any:
    """The cell as its kind wants it; what cannot be used is added to ``findings`` and becomes null."""
    if is_blank(value):
        if column.required:
            findings.append(
                problem("blank-cell", f"{column.norsk} er ikke fylt ut", name, row=row, column=column.norsk,
                        found="tom celle", expected=column.hint or WANTED[column.kind],
                        fix="Fyll ut cellen og send skjemaet på nytt.")
            )  # fmt: skip
        return column.default
    code, expected, converted = _converted(column, value)
    if code is not None:
        findings.append(
            problem(code, f"{column.norsk} kan ikke leses", name, row=row, column=column.norsk, found=cell_text(value),
                    expected=expected, fix="Rett cellen og send skjemaet på nytt.")
        )  # fmt: skip
    return converted


def _converted(column: Column, value: Any) -> tuple[str | None, str, Any]:
    """Code of what is wrong (null when nothing is), what was expected, and the value."""
    if is_formula(value):
        return "formula-in-cell", "en verdi, ikke en formel", None
    text = cell_text(value).strip()
    if text in ERRORS:
        return "error-in-cell", "en verdi, ikke en feilmelding fra regnearket", None
    if len(text) > MAX_CELL_CHARACTERS:
        return "cell-too-long", f"høyst {MAX_CELL_CHARACTERS} tegn", None
    if re.search(CONTROL, text):
        return "control-character", "bokstaver, sifre og tegn", None
    if column.kind in ("whole", "money"):
        return _number(column, value, text)
    if column.kind == "date":
        day = _date(value)
        if day is None or not FIRST_YEAR <= day.year <= LAST_YEAR:
            return "not-a-date", f"en dato fra {FIRST_YEAR} til {LAST_YEAR}, for eksempel 15.02.2026", None
        return None, "", day
    if column.kind == "choice":
        known = {label.casefold(): stored for label, stored in {**column.earlier, **column.choices}.items()}
        chosen = known.get(text.casefold())
        return (None, "", chosen) if chosen else ("unknown-choice", "en av: " + ", ".join(column.choices), None)
    if column.kind == "code":
        if not MUNICIPALITY.fullmatch(text):
            return "not-a-municipality-number", "et kommunenummer med fire siffer", None
        return None, "", text.zfill(4)
    return None, "", text


def _number(column: Column, value: Any, text: str) -> tuple[str | None, str, Any]:
    """A whole number or an amount. A decimal point is refused: to some it parts thousands, to others øre."""
    whole, least = column.kind == "whole", column.least or 0
    if whole:
        wrong, expected = "not-a-whole-number", f"et helt tall fra {least} til {MAX_WHOLE}"
    else:
        wrong, expected = "not-an-amount", "et beløp i kroner med høyst to desimaler, for eksempel 250 000"
        text = text.casefold().removeprefix("kr.").removeprefix("kr").removesuffix("kr.").removesuffix("kr")
        text = text.strip().removesuffix(",-").removesuffix(".-")
    try:
        number = None if isinstance(value, bool | dt.date) else parse_number(text)
    except BadNumber as bad:
        kept = bad.code == OUT_OF_RANGE or (bad.code == TOO_MANY_DECIMALS and not whole)
        return bad.code if kept else wrong, expected, None
    if number is None or number < least or (whole and number % 1):
        return wrong, expected, None
    if whole and number > MAX_WHOLE:
        return OUT_OF_RANGE, expected, None
    if number * 100 % 1:
        return TOO_MANY_DECIMALS, expected, None
    return None, "", int(number) if whole else number.quantize(Decimal("0.01"))


def _date(value: Any) -> dt.date | None:
    """A date cell, or a date as text in the forms people write in Norway."""
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    if not isinstance(value, str):
        return None
    text = value.strip().casefold()
    try:
        if match := DOTTED.match(text):
            return dt.date(int(match[3]), int(match[2]), int(match[1]))
        if match := WRITTEN.match(text):
            month = next((i for i, m in enumerate(MONTHS, 1) if m == match[2] or m[:3] == match[2]), 0)
            return dt.date(int(match[3]), month, int(match[1]))
        return dt.date.fromisoformat(text)
    except ValueError:
        return None
