"""Write a form for people to fill in: prefilled cells are locked, the others are validated by Excel.

The validation (lists, whole numbers, dates) is of the kind both Excel and LibreOffice hold people to. Every sheet
prints on A4, as wide as the page, with its title, its status and page numbers.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dagster_project.forms.spec import Column, Form
from dagster_project.pages.words import FICTIONAL, texts

FILLED, MEASURE, WARNING, QUIET = "#FFF6CC", "#DCE6F1", "#B00020", "#808080"
A4 = 9
WRAPPED_LINE = 100
"""Characters of an instruction that fit on a line above the table."""
SPARE_ROWS = 40
FORM_SHEET, HELP_SHEET = "Skjema", "Veiledning"
EARLIEST = dt.date(2017, 1, 1)
Look = Callable[..., Any]


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
    instructions: Sequence[str] = (),
    evidence: Sequence[Evidence] = (),
    spare: bool = False,
) -> Path:
    """Write a workbook with the form on its first sheet, then help, then evidence.

    ``fields`` and ``rows`` hold what is filled in beforehand; a row may name further columns that are locked in it
    (``locked``). ``instructions`` stand under the title: the deadline, whom to ask, what to do. ``spare`` adds blank
    lines for forms whose number of lines is not known; without it the lines are exactly ``rows``. Locked cells cannot
    be changed, nor lines moved.
    """
    import xlsxwriter

    book = xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "in_memory": True})
    book.set_properties({"title": form.title, "created": dt.datetime(2000, 1, 1, tzinfo=dt.UTC)})
    bold = book.add_format({"bold": True})
    head = book.add_format({"bold": True, "bg_color": MEASURE, "border": 1, "text_wrap": True, "valign": "top"})
    look = _looks(book)
    sheet = book.add_worksheet(FORM_SHEET)
    sheet.protect("", {"select_locked_cells": True, "format_columns": True, "autofilter": True})
    status = texts("no")._(FICTIONAL) if fictional else ""
    sheet.write_string(0, 0, form.title, book.add_format({"bold": True, "font_size": 14}))
    line = 1
    if fictional:
        sheet.write_string(line, 0, status, book.add_format({"bold": True, "font_color": WARNING}))
        line += 1
    wrap, last = book.add_format({"text_wrap": True, "valign": "top"}), len(form.columns) - 1
    for text in instructions:
        sheet.merge_range(line, 0, line, last, text, wrap)
        sheet.set_row(line, 15 * (1 + len(text) // WRAPPED_LINE))
        line += 1
    for column in (c for c in form.fields if not c.technical):
        sheet.write_string(line, 0, column.norsk, bold)
        _write(sheet, line, 1, fields.get(column.name), look(column, column.locked, False))
        if rule := None if column.locked else _validation(column, None):
            sheet.data_validation(line, 1, line, 1, rule)
        line += 1
    header = line + 1
    line = _write_lines(sheet, header, form, rows, head, look, spare=spare) + 1
    quiet = book.add_format({"font_size": 7, "font_color": QUIET})
    for column in (c for c in form.fields if c.technical):
        sheet.write_string(line, 0, column.norsk, quiet)
        sheet.write_string(line, 1, str(fields.get(column.name) or ""), quiet)
        line += 1
    set_up_print(sheet, form.title, status, (header, header), (line - 1, last), whole=not spare)
    guide = book.add_worksheet(HELP_SHEET)
    guide.protect()
    guide.set_column(0, 0, 110)
    hints = (f"{c.norsk}: {c.hint}" for c in form.columns if c.hint)
    for at, text in enumerate((form.title, *instructions, *form.help, *hints)):
        guide.write_string(at, 0, text, bold if at == 0 else wrap)
    set_up_print(guide, form.title, status)
    for extra in evidence:
        _write_evidence(book, extra, head, form.title, status)
    book.close()
    return path


def set_up_print(
    sheet: Any, title: str, status: str, repeated: tuple[int, int] | None = None, end: tuple[int, int] | None = None,
    *, whole: bool = False,
) -> None:  # fmt: skip
    """A4 on its side, as wide as the page: the header row again on each, title, status and page numbers around it.

    ``end`` is the last row and column that print. ``whole`` puts everything on one page.
    """
    sheet.set_paper(A4)
    sheet.set_landscape()
    sheet.set_margins(0.4, 0.4, 0.7, 0.6)
    sheet.fit_to_pages(1, 1 if whole else 0)
    if repeated is not None:
        sheet.repeat_rows(*repeated)
    if end is not None:
        sheet.print_area(0, 0, *end)
    sheet.set_header("&L" + title.replace("&", "&&") + ("&R&B" + status if status else ""))
    sheet.set_footer("&L&A&RSide &P av &N")


def _looks(book: Any) -> Look:
    """The format of a cell: by the kind of its column, and yellow where somebody fills it in."""

    @cache
    def made(number: str, locked: bool, wrap: bool) -> Any:
        style = {"num_format": number, "border": 1, "locked": locked, "valign": "top", "text_wrap": wrap}
        return book.add_format(style if locked else {**style, "bg_color": FILLED})

    def look(column: Column, locked: bool, wrap: bool = True) -> Any:
        number = {"date": "dd.mm.yyyy", "whole": "0", "money": "# ##0"}.get(column.kind, "@")
        return made(number, locked, wrap and column.kind == "text")

    return look


def _write_lines(
    sheet: Any, header: int, form: Form, rows: Sequence[Mapping[str, Any]], head: Any, look: Look, *, spare: bool
) -> int:
    """The table of a form, from its header line on; the line after it."""
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
    return header + len(lines) + 1


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
    status = next((text for text in notes if text.isupper()), "")
    set_up_print(sheet, title, status)
    for extra in evidence:
        _write_evidence(book, extra, head, title, status)
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


def _write_evidence(book: Any, evidence: Evidence, head: Any, title: str, status: str) -> None:
    percent, plain = book.add_format({"num_format": "0.0 %"}), book.add_format({"text_wrap": True, "valign": "top"})
    sheet = book.add_worksheet(evidence.title[:31])
    sheet.protect("", {"autofilter": True, "format_columns": True, "sort": True})
    for position, column in enumerate(evidence.norsk):
        longest = max((len(str(row[position])) for row in evidence.rows if isinstance(row[position], str)), default=0)
        # numbers are never wider than their header's longest word
        words = max(len(word) for word in column.split())
        sheet.set_column(position, position, min(max(9, words + 2, longest + 1), 48))
        sheet.write_string(0, position, column, head)
    for at, row in enumerate(evidence.rows, start=1):
        for position, value in enumerate(row):
            style = percent if position in evidence.percent else plain
            if value is not None:
                _write(sheet, at, position, value if isinstance(value, str | dt.date) else float(value), style)
    sheet.freeze_panes(1, 1)
    if evidence.rows:
        sheet.autofilter(0, 0, len(evidence.rows), len(evidence.norsk) - 1)
    set_up_print(sheet, f"{title}: {evidence.title}", status, (0, 0))
