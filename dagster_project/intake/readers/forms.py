"""Filled forms: workbooks that came back, or a CSV with the same headers.

A form is known by its headers, wherever the table stands on the sheet and in whatever order its columns come. What
is wrong with it is said in Norwegian, since case officers read it. One wrong cell refuses the whole form, so that
nothing is half merged; all that is wrong is said at once.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from dagster_project import schema
from dagster_project.diagnostics import Finding, Severity
from dagster_project.forms.spec import FORMS, Column, Form
from dagster_project.intake.cells import FIRST_FICTIONAL_COUNTY, ExtractTable, problem, refuse
from dagster_project.intake.tables import TextTable
from dagster_project.intake.text import refuse_oversize, unreadable

HEADER_WITHIN_ROWS = 40
ENOUGH_HEADERS = 0.6
OWN_SHEETS = {"Veiledning", "Kandidater", "Områder", "Skoler", "Liste"}
MONTHS = ("januar", "februar", "mars", "april", "mai", "juni", "juli", "august", "september", "oktober", "november",
          "desember")  # fmt: skip
DOTTED = re.compile(r"^(\d{1,2})[./](\d{1,2})[./](\d{4})$")
WRITTEN = re.compile(r"^(\d{1,2})\.?\s+([a-zæøå]+)\.?\s+(\d{4})$")
MACROS = "xl/vbaProject.bin"


@dataclass(frozen=True)
class Found:
    """Where a form was found: its sheet, the row of its headers (1-based), and the headers."""

    form: Form
    sheet: str
    header_row: int
    headers: tuple[str, ...]


def looks_like(header: Sequence[str]) -> Form | None:
    """The form whose headers these mostly are; a column that is missing is said later."""
    given = {h.strip() for h in header}
    best = max(FORMS.values(), key=lambda f: _share(f, given))
    return best if _share(best, given) >= ENOUGH_HEADERS else None


def _share(form: Form, given: set[str]) -> float:
    # a table on its own holds its fields as columns too
    wanted = {c.norsk for c in form.columns}
    return len(wanted & given) / len(wanted)


def find(path: Path, name: str) -> Found | None:
    """Find the one form in a workbook.

    Raises:
        UnreadableFile: ``damaged-workbook``, ``macros-in-workbook``, ``several-forms``.
    """
    from zipfile import ZipFile

    from openpyxl import load_workbook

    with ZipFile(path) as package:
        if MACROS in package.namelist():
            raise unreadable(
                "macros-in-workbook", "arbeidsboken inneholder makroer, og slike tas ikke imot", name,
                found=MACROS, expected="en .xlsx uten makroer",
                fix="Lagre den som vanlig Excel-arbeidsbok (.xlsx) og send den på nytt.",
            )  # fmt: skip
    found: list[Found] = []
    try:
        with path.open("rb") as handle:
            book = load_workbook(handle, read_only=True, keep_links=False)
            for sheet in book.worksheets:
                if sheet.title in OWN_SHEETS:
                    continue
                rows = sheet.iter_rows(max_row=HEADER_WITHIN_ROWS, values_only=True)
                for number, row in enumerate(rows, start=1):
                    headers = tuple("" if v is None else str(v).strip() for v in row)
                    if (form := looks_like(headers)) is not None:
                        found.append(Found(form, sheet.title, number, headers))
                        break
            book.close()
    except Exception as error:
        raise unreadable("damaged-workbook", "the workbook cannot be opened", name, found=str(error)[:160],
                         expected="a whole workbook", fix="Save it again as .xlsx.") from error  # fmt: skip
    if len(found) > 1:
        raise unreadable(
            "several-forms", "arbeidsboken inneholder flere skjemaer", name,
            found=", ".join(f.sheet for f in found), expected="ett skjema i hver arbeidsbok",
            fix="Del den opp, og send ett skjema om gangen.",
        )  # fmt: skip
    return found[0] if found else None


def read_workbook(path: Path, name: str, sha256: str) -> list[ExtractTable]:
    """Read the form in a workbook.

    Raises:
        SchemaProblem: with every cell that cannot be used, in Norwegian.
        UnreadableFile: what ``find`` raises, or the file is too large.
    """
    from openpyxl import load_workbook

    refuse_oversize(path, name, lines=False)
    where = find(path, name)
    assert where is not None, "a workbook is only sent here when a form was recognised in it"
    with path.open("rb") as handle:
        book = load_workbook(handle, data_only=False, keep_links=False)
        extra = [s.title for s in book.worksheets if s.title != where.sheet and s.title not in OWN_SHEETS]
        cells = [(n, list(row)) for n, row in enumerate(book[where.sheet].iter_rows(values_only=True), start=1)]
        book.close()
    above = {str(r[0]).strip(): (n, r[1]) for n, r in cells if n < where.header_row and len(r) > 1 and r[0]}
    lines = [(n, dict(zip(where.headers, row, strict=False))) for n, row in cells if n > where.header_row]
    notes = [
        Finding("extra-sheet", Severity.WARN, f"arket {title} hører ikke til skjemaet og leses ikke", stage="schema",
                file=name, found=title, fix="Det gjør ingenting hvis ingenting av betydning står der.")
        for title in extra
    ]  # fmt: skip
    return [_assemble(where.form, where.header_row, where.headers, above, lines, name, sha256, tuple(notes))]


def read_table(table: TextTable, sha256: str) -> list[ExtractTable]:
    """Read a CSV with the headers of a form; the form's fields, if it has any, are columns of it too."""
    form = looks_like(table.header)
    assert form is not None, "a table is only sent here when a form was recognised in it"
    columns = {h: table.columns[h].to_pylist() for h in table.header}
    rows = table.rows.to_pylist()
    lines = [(row, {h: columns[h][i] or None for h in table.header}) for i, row in enumerate(rows)]
    return [_assemble(form, rows[0] - 1, table.header, {}, lines, table.name, sha256, ())]


def _assemble(
    form: Form,
    header_row: int,
    headers: Sequence[str],
    above: dict[str, tuple[int, Any]],
    lines: Iterable[tuple[int, dict[str, Any]]],
    name: str,
    sha256: str,
    notes: tuple[Finding, ...],
) -> ExtractTable:
    import pyarrow as pa

    findings: list[Finding] = []
    in_table = [c for c in (*form.fields, *form.columns) if c.norsk in headers]
    for column in form.columns:
        if column.norsk not in headers:
            findings.append(
                problem("form-column-missing", f"kolonnen {column.norsk} mangler i skjemaet", name, row=header_row,
                        column=column.norsk, found=", ".join(h for h in headers if h), expected=column.norsk,
                        fix="Bruk skjemaet slik det ble sendt ut, med alle kolonnene.")
            )  # fmt: skip
    given: dict[str, Any] = {}
    for column in form.fields:
        if column in in_table:
            continue
        row, value = above.get(column.norsk, (1, None))
        given[column.name] = _value(column, value, name, row, findings)
    refuse(name, [f for f in findings if f.code == "form-column-missing"])
    rows = []
    for number, line in lines:
        if all(_blank(line.get(c.norsk)) for c in form.columns if not c.locked):
            continue
        values = {c.name: _value(c, line.get(c.norsk), name, number, findings) for c in in_table}
        code = values.get("municipality_code") or ""
        rows.append(
            {**given, **values, "fictional": FIRST_FICTIONAL_COUNTY <= code < "99", "source_sha256": sha256,
             "source_row": number, "source_column": _place(form).norsk}
        )  # fmt: skip
    findings += _repeated(form, rows, name)
    refuse(name, findings)
    if not rows:
        raise unreadable("no-rows", "skjemaet er ikke fylt ut", name, row=header_row,
                         fix="Fyll ut minst én rad og send det på nytt.")  # fmt: skip
    table = pa.Table.from_pylist(rows, schema=schema.form_schema(form.dataset))
    return ExtractTable(form.dataset, table, tuple(h for h in headers if h), notes)


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


def _blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _value(column: Column, value: Any, name: str, row: int, findings: list[Finding]) -> Any:
    """The cell as its kind wants it; what cannot be used is added to ``findings`` and becomes null."""
    if _blank(value):
        if column.required:
            findings.append(
                problem("blank-cell", f"{column.norsk} er ikke fylt ut", name, row=row, column=column.norsk,
                        found="tom celle", expected=column.hint or column.norsk,
                        fix="Fyll ut cellen og send skjemaet på nytt.")
            )  # fmt: skip
        return None
    code, expected, converted = _converted(column, value)
    if code is not None:
        findings.append(
            problem(code, f"{column.norsk} kan ikke leses", name, row=row, column=column.norsk, found=str(value)[:80],
                    expected=expected, fix="Rett cellen og send skjemaet på nytt.")
        )  # fmt: skip
    return converted


def _converted(column: Column, value: Any) -> tuple[str | None, str, Any]:
    """Code of what is wrong (null when nothing is), what was expected, and the value."""
    text = str(value).strip()
    if (isinstance(value, str) and text.startswith("=")) or not isinstance(value, str | int | float | dt.date):
        return "formula-in-cell", "en verdi, ikke en formel", None
    if column.kind == "whole":
        number = _number(value)
        least = column.least or 0
        if number is None or number != number.to_integral_value() or number < least:
            return "not-a-whole-number", f"et helt tall, minst {least}", None
        return None, "", int(number)
    if column.kind == "money":
        number = _number(value)
        if number is None or number < 0:
            return "not-an-amount", "et beløp i kroner, for eksempel 250 000", None
        return None, "", number.quantize(Decimal("0.01"))
    if column.kind == "date":
        day = _date(value)
        return (None, "", day) if day else ("not-a-date", "en dato, for eksempel 15.02.2026", None)
    if column.kind == "choice":
        chosen = {label.casefold(): stored for label, stored in column.choices.items()}.get(text.casefold())
        return (None, "", chosen) if chosen else ("unknown-choice", "en av: " + ", ".join(column.choices), None)
    if column.kind == "code":
        digits = f"{value:.0f}" if isinstance(value, float) else text
        if not digits.isdigit() or len(digits) > 4:
            return "not-a-municipality-number", "et kommunenummer med fire siffer", None
        return None, "", digits.zfill(4)
    return None, "", text


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool | dt.date):
        return None
    text = re.sub(r"[\s\u00a0\u202f]|kr\.?", "", str(value)).replace(",", ".").removesuffix(".-")
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


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
