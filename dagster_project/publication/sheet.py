"""A sheet of XlsxWriter that writes a whole table at once.

The library takes one cell at a time, and nothing public takes a column. This module overrides ``_write_rows`` and uses
five more private methods. Measured on 26 November 2026, on the tables of one round in both editions: 2.2 instead of
13.7 seconds of processor time, 1.0 instead of 6.1 for the largest. rustpy-xlsxwriter 0.8 is as fast with public calls,
but leaves out decimals and writes the time of day into the file, so that no two are the same.
``tests/unit/test_workbook.py`` reads every kind of cell back and fails when the methods change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from dagster_project.publication.tables import BATCH, safe_text

if TYPE_CHECKING:
    import pyarrow as pa


class TableSheet(Worksheet):
    """A sheet that takes its rows from a table, column by column. Header, widths and all else are the library's."""

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
