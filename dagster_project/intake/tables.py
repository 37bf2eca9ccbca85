"""A file as a table of text: header, columns, and the line of each row. What every tabular reader starts from."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dagster_project.diagnostics import Finding, Severity, UnreadableFile
from dagster_project.intake.text import decode, refuse_oversize, unreadable

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN_PLACES = 20


@dataclass(frozen=True)
class TextTable:
    """A table as it stands in the file. Every cell is text; ``rows`` holds the 1-based line of each row."""

    name: str
    header: tuple[str, ...]
    columns: dict[str, pa.StringArray]
    rows: pa.Int64Array
    delimiter: str = ""
    findings: tuple[Finding, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.rows)


def split_header(line: str, named: str | None = None) -> tuple[str, tuple[str, ...]]:
    """The delimiter of a header line, ``named`` or the one it has most of, and its cells."""
    delimiter = named or max("\t;,", key=line.count)
    return delimiter, tuple(cell.strip().strip('"').lstrip("\ufeff") for cell in line.split(delimiter))


def first_lines(text: str) -> tuple[int, str | None, str]:
    """Number of the header's line, the delimiter a ``sep=`` line names, and the header line."""
    end = text.find("\n")
    first = (text if end < 0 else text[:end]).strip("\r").lstrip("\ufeff")
    if first.lower().startswith("sep="):
        second_end = text.find("\n", end + 1)
        header = text[end + 1 :] if second_end < 0 else text[end + 1 : second_end]
        return 2, first[4:5] or "\t", header.strip("\r")
    return 1, None, first


def read_csv(path: Path, name: str) -> TextTable:
    """Read a delimited file of any of the accepted encodings and delimiters.

    Raises:
        UnreadableFile: ``ragged-row`` when rows do not have as many cells as the header (a truncated file, mostly),
            ``repeated-column``, ``no-rows``, or what ``decode`` raises.
    """
    import pyarrow as pa
    from pyarrow import csv

    refuse_oversize(path, name, lines=True)
    text = decode(path, name)
    header_line, named, line = first_lines(text)
    delimiter, header = split_header(line, named)
    if twice := sorted({h for h in header if header.count(h) > 1}):
        raise unreadable(
            "repeated-column",
            f"the column {twice[0]} stands twice",
            name,
            row=header_line,
            column=twice[0],
            found=f"{header.count(twice[0])} times",
            expected="each column once",
            fix="Send the original download.",
        )
    body = text.split("\n", header_line)[-1] if text.count("\n") >= header_line else ""
    if not body.strip():
        raise unreadable("no-rows", "the file has a header but no rows", name, row=header_line,
                         expected="a row for each unit", fix="Download the file again.")  # fmt: skip
    ragged: list[Finding] = []

    def refuse(row: csv.InvalidRow) -> str:
        if row.text.strip():
            ragged.append(
                Finding(
                    "ragged-row",
                    Severity.FAIL,
                    "the row does not have as many cells as the header",
                    stage="readable",
                    file=name,
                    row=header_line + (row.number or 0),
                    found=f"{row.actual_columns} cells",
                    expected=f"{row.expected_columns} cells",
                    fix="The file is truncated or damaged: download it again.",
                )
            )
        return "skip"

    quote: str | bool = '"' if delimiter != "\t" else False
    try:
        table = csv.read_csv(
            io.BytesIO(body.encode("utf-8")),
            read_options=csv.ReadOptions(column_names=list(header), use_threads=False, block_size=1 << 24),
            parse_options=csv.ParseOptions(
                delimiter=delimiter, quote_char=quote, ignore_empty_lines=False, invalid_row_handler=refuse
            ),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise unreadable("not-a-table", "the rows cannot be told apart, as when a quotation mark is never closed", name,
                         found=str(error).partition(".")[0][:160], expected=f"cells between {delimiter!r}",
                         fix="Send the original download.") from error  # fmt: skip
    if ragged:
        shown = ragged[:SHOWN_PLACES]
        raise UnreadableFile(f"{name} cannot be read: {len(ragged)} rows are damaged", shown)
    columns = {h: table.column(h).combine_chunks() for h in header}
    rows = pa.array(range(header_line + 1, header_line + 1 + table.num_rows), pa.int64())
    return TextTable(name, header, columns, rows, delimiter)


def read_xlsx(path: Path, name: str) -> TextTable:
    """Read the first sheet of a workbook as if it were the CSV it was made from.

    Raises:
        UnreadableFile: ``damaged-workbook``, ``formula-in-cell``, ``no-rows``.
    """
    import pyarrow as pa
    from openpyxl import load_workbook

    refuse_oversize(path, name, lines=False)
    try:
        # by handle: the library judges a path by its ending, and the archive has none
        with path.open("rb") as handle:
            book = load_workbook(handle, read_only=True, data_only=False, keep_links=False)
            sheet = book.worksheets[0]
            cells = [
                (number, [_cell_text(value) for value in row])
                for number, row in enumerate(sheet.iter_rows(values_only=True), start=1)
            ]
            book.close()
    except Exception as error:
        raise unreadable(
            "damaged-workbook", "the workbook cannot be opened", name, found=str(error).splitlines()[0][:160] or None,
            expected="a whole workbook with the table on its first sheet", fix="Save it again as .xlsx.",
        ) from error  # fmt: skip
    cells = [(number, row) for number, row in cells if any(row)]
    if cells and cells[0][1][0].lower().startswith("sep="):
        cells = cells[1:]
    if len(cells) < 2:
        raise unreadable("no-rows", "the first sheet has no rows", name, expected="a header and a row for each unit",
                         fix="Put the table on the first sheet.")  # fmt: skip
    header = tuple(value.strip() for value in cells[0][1] if value.strip())
    for number, row in cells:
        for position, value in enumerate(row):
            if value.startswith("="):
                raise unreadable(
                    "formula-in-cell",
                    "a cell holds a formula instead of a figure",
                    name,
                    row=number,
                    column=header[position] if position < len(header) else None,
                    found=value[:60],
                    expected="a figure or text",
                    fix="Paste the values, or send the original download.",
                )
    width = len(header)
    rows = [(number, [*row, *([""] * width)][:width]) for number, row in cells[1:]]
    columns = {h: pa.array([row[i] for _, row in rows], pa.string()) for i, h in enumerate(header)}
    return TextTable(name, header, columns, pa.array([n for n, _ in rows], pa.int64()), "xlsx")


def _cell_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return (str(int(value)) if value.is_integer() else repr(value)).replace(".", ",")
    return str(value)
