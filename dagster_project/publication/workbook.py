"""A published table as a workbook for people: the table, what its columns mean, and the rule behind it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dagster_project.publication.notes import FRACTIONS, ColumnNote, column_notes
from dagster_project.publication.sheet import TableSheet
from dagster_project.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

EXCEL_ROWS = 1_048_575
UNCERTAINTY = "selection_uncertainty"
BESIDE_RANK = {
    "municipality": ("rank_low", "rank_high", "probability_selected"),
    "school": ("rank_low", "rank_high", "probability_worst_quartile"),
}
"""Columns of ``selection_uncertainty`` that stand beside a rank."""


def beside_rank(path: Path) -> pa.Table:
    """A table as its workbook shows it: a ranking has how sure each rank is beside it, the others are as published."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    level, doubt = path.stem.removesuffix("_ranking"), path.with_name(f"{UNCERTAINTY}.parquet")
    if level not in BESIDE_RANK or not doubt.exists():
        return table
    rows = pq.read_table(doubt, filters=pc.field("unit_level") == level)
    at = pc.index_in(table[f"{level}_code"], rows["unit_code"].combine_chunks())
    for name in reversed(BESIDE_RANK[level]):
        table = table.add_column(table.column_names.index("rank") + 1, name, rows[name].combine_chunks().take(at))
    return table


def write_xlsx(
    path: Path, name: str, table: pa.Table, notes: list[str], settings: Settings, *, model: str | None = None
) -> None:
    """One sheet with the table (frozen header, filter, formats), one about its columns, one about the rule."""
    import datetime as dt

    import xlsxwriter

    described = column_notes(settings, UNCERTAINTY) | column_notes(settings, model or name)
    book = xlsxwriter.Workbook(str(path), {"strings_to_formulas": False})
    book.set_properties({"title": name, "created": dt.datetime(2000, 1, 1, tzinfo=dt.UTC)})
    head = book.add_format({"bold": True, "bg_color": "#DCE6F1", "text_wrap": True, "valign": "top", "border": 1})
    percent, wrap, bold = (
        book.add_format({"num_format": "0.0 %"}),
        book.add_format({"text_wrap": True}),
        book.add_format({"bold": True}),
    )
    sheet = book.add_worksheet(name[:31], worksheet_class=TableSheet)
    shown = table.slice(0, EXCEL_ROWS - 1)
    for position, column in enumerate(table.column_names):
        width = min(max(len(column), 10) + 2, 40 if column.endswith(("name", "reason", "governor")) else 22)
        sheet.set_column(position, position, width, percent if column in FRACTIONS else None)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, shown.num_rows, len(table.column_names) - 1)
    for position, column in enumerate(table.column_names):
        sheet.write_string(0, position, column, head)
    sheet.show(shown)
    columns = book.add_worksheet("Kolonner - Columns")
    columns.set_column(0, 1, 32)
    columns.set_column(2, 2, 90, wrap)
    for position, title in enumerate(("column", "norsk", "description")):
        columns.write_string(0, position, title, head)
    for line, column in enumerate(table.column_names, start=1):
        note = described.get(column, ColumnNote("", ""))
        columns.write_row(line, 0, (column, note.norsk, note.description))
    about = book.add_worksheet("Om - About")
    about.set_column(0, 0, 140, wrap)
    for line, text in enumerate(notes):
        about.write_string(line, 0, text, bold if text.isupper() or line == 0 else wrap)
    if shown.num_rows < table.num_rows:
        about.write_string(len(notes), 0, f"The sheet holds the first {shown.num_rows:,} of {table.num_rows:,} rows.")
    book.close()
