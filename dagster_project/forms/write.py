"""Write a form for people to fill in: prefilled cells are locked, the others are validated by Excel.

The validation (lists, whole numbers, dates) is of the kind both Excel and LibreOffice hold people to.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dagster_project.forms.spec import Column, Form
from dagster_project.pages.words import FICTIONAL, both

FILLED, MEASURE = "#FFF6CC", "#DCE6F1"
SPARE_ROWS = 40
FORM_SHEET, HELP_SHEET = "Skjema", "Veiledning"
EARLIEST = dt.date(2017, 1, 1)
Look = Callable[[Column, bool], Any]


@dataclass(frozen=True)
class Evidence:
    """A sheet of figures beside the form. ``norsk`` names the columns; ``percent`` those that are shares."""

    title: str
    norsk: tuple[str, ...]
    rows: Sequence[Sequence[Any]]
    percent: frozenset[int] = frozenset()


def _validation(column: Column, upper: int | None) -> dict[str, Any] | None:
    common = {"error_title": column.norsk, "ignore_blank": True}
    if column.kind == "choice":
        return {**common, "validate": "list", "source": list(column.choices),
                "error_message": "Velg et av alternativene i listen."}  # fmt: skip
    if column.kind == "whole":
        least, most = column.least or 0, upper or 9999
        return {**common, "validate": "integer", "criteria": "between", "minimum": least, "maximum": most,
                "error_message": f"Skriv et helt tall fra {least} til {most}."}  # fmt: skip
    if column.kind == "money":
        return {**common, "validate": "decimal", "criteria": ">=", "value": 0,
                "error_message": "Skriv et beløp i kroner."}  # fmt: skip
    if column.kind == "date":
        return {**common, "validate": "date", "criteria": ">=", "value": EARLIEST,
                "error_message": "Skriv en dato, for eksempel 15.02.2026."}  # fmt: skip
    return None


def write_form(
    path: Path,
    form: Form,
    *,
    fields: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    fictional: bool,
    evidence: Sequence[Evidence] = (),
    spare: bool = False,
) -> Path:
    """Write a workbook with the form on its first sheet, then help, then evidence.

    ``fields`` and ``rows`` hold what is filled in beforehand; a row may name further columns that are locked in it
    (``locked``). ``spare`` adds blank lines for forms whose number of
    lines is not known; without it the lines are exactly ``rows``. Locked cells cannot be changed, nor lines moved.
    """
    import xlsxwriter

    book = xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "in_memory": True})
    book.set_properties({"title": form.title, "created": dt.datetime(2000, 1, 1, tzinfo=dt.UTC)})
    bold = book.add_format({"bold": True})
    head = book.add_format({"bold": True, "bg_color": MEASURE, "border": 1, "text_wrap": True, "valign": "top"})
    look = _looks(book)
    sheet = book.add_worksheet(FORM_SHEET)
    sheet.protect("", {"select_locked_cells": True, "format_columns": True, "autofilter": True})
    sheet.write_string(0, 0, form.title, bold)
    line = 1
    if fictional:
        sheet.write_string(line, 0, both(FICTIONAL), book.add_format({"bold": True, "font_color": "#B00020"}))
        line += 1
    for column in form.fields:
        sheet.write_string(line, 0, column.norsk, bold)
        _write(sheet, line, 1, fields.get(column.name), look(column, column.locked))
        if rule := None if column.locked else _validation(column, None):
            sheet.data_validation(line, 1, line, 1, rule)
        line += 1
    _write_lines(sheet, line + 1, form, rows, head, look, spare=spare)
    guide = book.add_worksheet(HELP_SHEET)
    guide.protect()
    guide.set_column(0, 0, 110)
    for at, text in enumerate((form.title, *form.help, *(f"{c.norsk}: {c.hint}" for c in form.columns if c.hint))):
        guide.write_string(at, 0, text, bold if at == 0 else None)
    for extra in evidence:
        _write_evidence(book, extra, head)
    book.close()
    return path


def _looks(book: Any) -> Look:
    """The format of a cell: by the kind of its column, and yellow where somebody fills it in."""

    @cache
    def made(number: str, locked: bool, wrap: bool) -> Any:
        style = {"num_format": number, "border": 1, "locked": locked, "valign": "top", "text_wrap": wrap}
        return book.add_format(style if locked else {**style, "bg_color": FILLED})

    def look(column: Column, locked: bool) -> Any:
        number = {"date": "dd.mm.yyyy", "whole": "0", "money": "# ##0"}.get(column.kind, "@")
        return made(number, locked, column.kind == "text")

    return look


def _write_lines(
    sheet: Any, header: int, form: Form, rows: Sequence[Mapping[str, Any]], head: Any, look: Look, *, spare: bool
) -> None:
    """The table of a form, from its header line on."""
    for position, column in enumerate(form.columns):
        # the field names stand in the first column, so it is never narrower than they are
        sheet.set_column(position, position, max(column.width, 28) if position == 0 and form.fields else column.width)
        sheet.write_string(header, position, column.norsk, head)
        if column.hint:
            sheet.write_comment(header, position, column.hint)
    lines = [*rows, *([{}] * (SPARE_ROWS if spare else 0))]
    for at, given in enumerate(lines, start=header + 1):
        for position, column in enumerate(form.columns):
            locked = (column.locked and not (spare and not given)) or column.name in given.get("locked", ())
            _write(sheet, at, position, given.get(column.name), look(column, locked))
    ordered = sum("priority" not in row.get("locked", ()) for row in rows)
    for position, column in enumerate(form.columns):
        if (rule := _validation(column, ordered if column.name == "priority" else None)) and lines:
            sheet.data_validation(header + 1, position, header + len(lines), position, rule)
    sheet.freeze_panes(header + 1, 2)


def write_evidence(path: Path, title: str, notes: Sequence[str], evidence: Sequence[Evidence]) -> Path:
    """Write a workbook of figures to read: notes first, then a sheet for each piece of evidence."""
    import xlsxwriter

    book = xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "in_memory": True})
    book.set_properties({"title": title, "created": dt.datetime(2000, 1, 1, tzinfo=dt.UTC)})
    bold, wrap = book.add_format({"bold": True, "text_wrap": True}), book.add_format({"text_wrap": True})
    head = book.add_format({"bold": True, "bg_color": MEASURE, "border": 1, "text_wrap": True, "valign": "top"})
    sheet = book.add_worksheet("Om")
    sheet.set_column(0, 0, 110)
    for at, text in enumerate((title, *notes)):
        sheet.write_string(at, 0, text, bold if text.isupper() or at == 0 else wrap)
    for extra in evidence:
        _write_evidence(book, extra, head)
    book.close()
    return path


def _write(sheet: Any, row: int, column: int, value: Any, style: Any) -> None:
    if value is None:
        sheet.write_blank(row, column, None, style)
    elif isinstance(value, dt.date):
        sheet.write_datetime(row, column, dt.datetime.combine(value, dt.time()), style)
    elif isinstance(value, str):
        sheet.write_string(row, column, value, style)
    else:
        sheet.write_number(row, column, float(value), style)


def _write_evidence(book: Any, evidence: Evidence, head: Any) -> None:
    percent, plain = book.add_format({"num_format": "0.0 %"}), book.add_format()
    sheet = book.add_worksheet(evidence.title[:31])
    sheet.protect("", {"autofilter": True, "format_columns": True, "sort": True})
    for position, title in enumerate(evidence.norsk):
        sheet.set_column(position, position, max(12, min(len(title) + 3, 30)))
        sheet.write_string(0, position, title, head)
    for at, row in enumerate(evidence.rows, start=1):
        for position, value in enumerate(row):
            style = percent if position in evidence.percent else plain
            if value is not None:
                _write(sheet, at, position, value if isinstance(value, str | dt.date) else float(value), style)
    sheet.freeze_panes(1, 1)
    if evidence.rows:
        sheet.autofilter(0, 0, len(evidence.rows), len(evidence.norsk) - 1)
