"""A published table as a workbook for people: the table, what its columns mean, and the rule behind it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from dagster_project.publication.notes import FRACTIONS, ColumnNote, column_notes
from dagster_project.publication.tables import BATCH, safe_text
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


class TableSheet(Worksheet):
    """A sheet that takes its rows from a table, column by column.

    The library takes one cell at a time, which for the largest table costs as much as the whole computation. The
    header, the widths and all else are the library's; only the rows of the table are put together here.
    """

    shown: list[tuple[pa.Array, pa.Array]]
    """Of each column, for every row the position of its value, and for every value what ends its cell."""

    def show(self, rows: pa.Table) -> None:
        """Put the table under the header, from the second line on. Nulls stay blank."""
        import pyarrow as pa

        self.shown = []
        for column in rows.columns:
            encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
            ends = [self._cell_end(value) for value in encoded.dictionary.to_pylist()]
            self.shown.append((encoded.indices, pa.array(ends, pa.string())))
        self._check_dimensions(rows.num_rows, rows.num_columns - 1)

    def _write_rows(self) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        self._write_row(0, None)
        for position, cell in self.table[0].items():
            self._write_cell(0, position, cell)
        self._xml_end_tag("row")
        begins = [f'<c r="{xl_col_to_name(at)}' for at in range(len(self.shown))]
        styles = [f'"{self._style(at)}' for at in range(len(self.shown))]
        for start in range(0, self.dim_rowmax, BATCH):
            lines = pa.array(range(start + 2, min(start + BATCH, self.dim_rowmax) + 2)).cast(pa.string())
            cells = [
                pc.binary_join_element_wise(begin, lines, style, ends.take(indices.slice(start, BATCH)), "")
                for begin, style, (indices, ends) in zip(begins, styles, self.shown, strict=True)
            ]
            rows = pc.binary_join_element_wise(
                '<row r="', lines, '">', *cells, "</row>", "", null_handling="replace", null_replacement=""
            )
            self.fh.writelines(rows.to_pylist())

    def _style(self, position: int) -> str:
        info = self.col_info.get(position)
        return f' s="{info.column_format._get_xf_index()}"' if info and info.column_format else ""

    def _cell_end(self, value: Any) -> str | None:
        """What follows the reference and style of a cell: its type and content. None for a blank."""
        if value is None:
            return None
        if isinstance(value, bool):
            return f' t="b"><v>{value:d}</v></c>'
        if hasattr(value, "isoformat"):
            value = value.isoformat()
        if isinstance(value, str):
            return f' t="s"><v>{self.str_table._get_shared_string_index(safe_text(value))}</v></c>'
        return f"><v>{float(value):.16G}</v></c>"


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
