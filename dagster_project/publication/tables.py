"""The published tables as files: Parquet and CSV with bytes that depend on the content alone, XLSX for people."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from dagster_project.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 20_000
EXCEL_ROWS = 1_048_575
FIRST_SHEET = "xl/worksheets/sheet1.xml"
COLUMN_STYLE = re.compile(r'<col min="(\d+)"[^>]* style="(\d+)"')
DIMENSION = re.compile(r'<dimension ref="[^"]*"/>')
# characters XML cannot hold; a spreadsheet program reads _x0001_ as the character itself
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
FORMULA_SIGNS = ("=", "+", "-", "@", "\t")
FRACTIONS = {"risk_share", "coverage", "share_if_hidden_best", "share_if_hidden_worst", "absolute_hit_share"}


@dataclass(frozen=True)
class ColumnNote:
    """What people read about a column."""

    description: str
    norsk: str


@cache
def model_note(settings: Settings, model: str) -> dict[str, Any]:
    """What the file that documents a mart says of it; nothing when there is no such file."""
    import yaml

    for path in (settings.dbt_project / "models" / "marts").rglob(f"{model}.yml"):
        noted: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["models"][0]
        return noted
    return {}


@cache
def column_notes(settings: Settings, model: str) -> dict[str, ColumnNote]:
    """Descriptions of a mart's columns, in English and Norwegian, from the file that documents the model."""
    return {
        column["name"]: ColumnNote(
            column.get("description", ""), column.get("config", {}).get("meta", {}).get("norsk", "")
        )
        for column in model_note(settings, model).get("columns", ())
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


def _xml_cell(value: Any) -> str | None:
    """What follows the address of a cell in a sheet; None for an empty one."""
    plain = _plain(value)
    if plain is None:
        return None
    if isinstance(plain, bool):
        return f' t="b"><v>{int(plain)}</v></c>'
    if isinstance(plain, str):
        text = CONTROL.sub(lambda m: f"_x{ord(m[0]):04X}_", escape(plain))
        return f' t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
    return f"><v>{plain!r}</v></c>"


def _xml_rows(table: pa.Table, sheet: str) -> Iterator[str]:
    """The rows of a table as a sheet holds them, below its header, each column in the style the sheet gives it."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from xlsxwriter.utility import xl_col_to_name

    styles = {int(m[1]) - 1: f' s="{m[2]}"' for m in COLUMN_STYLE.finditer(sheet)}
    for start in range(0, table.num_rows, BATCH):
        part = table.slice(start, BATCH)
        lines = pa.array([str(n) for n in range(start + 2, start + 2 + part.num_rows)])
        row: list[Any] = [pc.binary_join_element_wise('<row r="', lines, '">', "")]
        for position, content in enumerate(_translated(part, _xml_cell, pa.string())):
            address = f'<c r="{xl_col_to_name(position)}'
            cell = pc.binary_join_element_wise(address, lines, f'"{styles.get(position, "")}', content, "")
            row.append(pc.fill_null(cell, ""))
        yield from pc.binary_join_element_wise(*row, "</row>", "").to_pylist()


def write_xlsx(
    path: Path, name: str, table: pa.Table, notes: list[str], settings: Settings, *, model: str | None = None
) -> None:
    """One sheet with the table (frozen header, filter, formats), one about its columns, one about the rule.

    The book is laid out with its header alone; the rows are set in afterwards, a column at a time, which takes a
    tenth of the time that writing them cell by cell would.
    """
    import datetime as dt
    import io
    import zipfile

    import xlsxwriter
    from xlsxwriter.utility import xl_rowcol_to_cell

    described = column_notes(settings, model or name)
    layout = io.BytesIO()
    book = xlsxwriter.Workbook(layout, {"in_memory": True, "strings_to_formulas": False})
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
        sheet.write_string(0, position, column, head)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, shown.num_rows, len(table.column_names) - 1)
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
    last = xl_rowcol_to_cell(shown.num_rows, len(table.column_names) - 1)
    with zipfile.ZipFile(layout) as laid_out, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        for entry in laid_out.infolist():
            if entry.filename != FIRST_SHEET:
                out.writestr(entry, laid_out.read(entry))
                continue
            text = laid_out.read(entry).decode()
            before, after = DIMENSION.sub(f'<dimension ref="A1:{last}"/>', text, count=1).split("</sheetData>")
            with out.open(entry, "w") as handle:
                handle.write(before.encode())
                for row in _xml_rows(shown, text):
                    handle.write(row.encode())
                handle.write(b"</sheetData>" + after.encode())
