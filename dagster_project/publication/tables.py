"""The published tables as files: Parquet and CSV with bytes that depend on the content alone, XLSX for people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 20_000
EXCEL_ROWS = 1_048_575
FORMULA_SIGNS = ("=", "+", "-", "@", "\t")
FRACTIONS = {"risk_share", "coverage", "share_if_hidden_best", "share_if_hidden_worst", "absolute_hit_share"}


@dataclass(frozen=True)
class ColumnNote:
    """What people read about a column."""

    description: str
    norsk: str


@cache
def column_notes(settings: Settings, table: str) -> dict[str, ColumnNote]:
    """Descriptions of a mart's columns, in English and Norwegian, from the file that documents the model."""
    import yaml

    path = settings.dbt_project / "models" / "marts" / f"{table}.yml"
    if not path.exists():
        return {}
    model = yaml.safe_load(path.read_text(encoding="utf-8"))["models"][0]
    return {
        column["name"]: ColumnNote(
            column.get("description", ""), column.get("config", {}).get("meta", {}).get("norsk", "")
        )
        for column in model["columns"]
    }


def safe_text(value: str) -> str:
    """Text that a spreadsheet program will not take for a formula: such a text gets an apostrophe in front."""
    return f"'{value}" if value.startswith(FORMULA_SIGNS) else value


def _plain(value: Any) -> Any:
    """A cell for people: whole decimals without zeros, text that is no formula."""
    if isinstance(value, str):
        return safe_text(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return float(value)


def _csv_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, int):
        return str(value)
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if not isinstance(value, str):
        plain = f"{value:f}"
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    text = safe_text(value)
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n\r') else text


def _translated(table: pa.Table, translate: Callable[[Any], Any], kind: pa.DataType | None) -> list[Any]:
    """Each column with its distinct values translated once; most columns of the marts hold few."""
    import pyarrow as pa

    columns = []
    for column in table.columns:
        encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
        values = [translate(value) for value in encoded.dictionary.to_pylist()]
        if kind is None:
            columns.append([values[i] for i in encoded.indices.to_pylist()])
        else:
            columns.append(pa.array(values, kind).take(encoded.indices))
    return columns


def write_parquet(path: Path, table: pa.Table) -> None:
    """Parquet without timestamps or engine notes beyond the library's name."""
    import pyarrow.parquet as pq

    pq.write_table(table.replace_schema_metadata(None), path, compression="zstd", row_group_size=262_144)


def write_csv(path: Path, table: pa.Table) -> None:
    """UTF-8, comma, line feed, decimal point, true and false, empty for null; formulas are made harmless."""
    import pyarrow as pa
    import pyarrow.compute as pc

    with path.open("w", encoding="utf-8", newline="") as handle:
        handle.write(",".join(table.column_names) + "\n")
        for start in range(0, table.num_rows, BATCH):
            cells = _translated(table.slice(start, BATCH), _csv_cell, pa.string())
            lines = pc.binary_join_element_wise(*cells, pa.scalar(","))
            handle.writelines(line + "\n" for line in lines.to_pylist())


def write_xlsx(path: Path, name: str, table: pa.Table, notes: list[str], settings: Settings) -> None:
    """One sheet with the table (frozen header, filter, formats), one about its columns, one about the rule."""
    import datetime as dt

    import xlsxwriter

    described = column_notes(settings, name)
    book = xlsxwriter.Workbook(str(path), {"constant_memory": True, "strings_to_formulas": False})
    book.set_properties({"title": name, "created": dt.datetime(2000, 1, 1, tzinfo=dt.UTC)})
    head = book.add_format({"bold": True, "bg_color": "#DCE6F1", "text_wrap": True, "valign": "top", "border": 1})
    percent, wrap, bold = (
        book.add_format({"num_format": "0.0 %"}),
        book.add_format({"text_wrap": True}),
        book.add_format({"bold": True}),
    )
    sheet = book.add_worksheet(name[:31])
    shown = table.slice(0, EXCEL_ROWS - 1)
    for position, column in enumerate(table.column_names):
        width = min(max(len(column), 10) + 2, 40 if column.endswith(("name", "reason", "governor")) else 22)
        sheet.set_column(position, position, width, percent if column in FRACTIONS else None)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, shown.num_rows, len(table.column_names) - 1)
    for position, column in enumerate(table.column_names):
        sheet.write_string(0, position, column, head)
    for start in range(0, shown.num_rows, BATCH):
        cells = _translated(shown.slice(start, BATCH), _plain, None)
        for line, row in enumerate(zip(*cells, strict=True), start=start + 1):
            for position, value in enumerate(row):
                if value is None:
                    continue
                if isinstance(value, str):
                    sheet.write_string(line, position, value)
                elif isinstance(value, bool):
                    sheet.write_boolean(line, position, value)
                else:
                    sheet.write_number(line, position, value)
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
