"""A file as a table of text: header, columns, and the line of each row. What every tabular reader starts from.

A cell always stands under its own header. So a header that is given twice, and a column that holds something under no
header, is refused, in a delimited file and in a workbook alike; a column with neither header nor content is left out.
"""

from __future__ import annotations

import datetime as dt
import io
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.diagnostics import SHOWN_PLACES, Finding, UnreadableFile, listed, with_the_rest
from dagster_project.intake.convert import column_of
from dagster_project.intake.text import (
    CONTROL,
    MAX_SLOW_CELLS,
    damaged,
    decode,
    fault,
    open_zip,
    refuse_cells,
    refuse_oversize,
    shown,
    unreadable,
    warning,
)

if TYPE_CHECKING:
    import pyarrow as pa

# a sheet of a workbook can hold no more
MAX_PART_BYTES = 50_000_000
"""Of a sheet, or of the texts of all sheets: the library reads some parts whole before the first cell is asked for."""
MAX_COLUMNS, MAX_ROWS, MAX_CELL_CHARACTERS = 16_384, 1_048_576, 32_767
FIRST_ROWS = 40
MACROS = "xl/vbaProject.bin"
ERRORS = {"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#SPILL!", "#CALC!", "#GETTING_DATA"}


@dataclass(frozen=True)
class TextTable:
    """A table as it stands in the file. Every cell is text; ``rows`` holds the 1-based line of each row.

    ``findings`` are warnings about the file around it.
    """

    name: str
    header: tuple[str, ...]
    columns: dict[str, pa.StringArray]
    rows: pa.Int64Array
    delimiter: str = ""
    header_row: int | None = None
    findings: tuple[Finding, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.rows)


def split_header(line: str, named: str | None = None) -> tuple[str, tuple[str, ...]]:
    """The delimiter of a header line, ``named`` or the one it has most of, and its cells."""
    line = line.lstrip("\ufeff")

    def cells(delimiter: str) -> list[str]:
        return _between(line, delimiter) if _quotes(line, delimiter) else line.split(delimiter)

    delimiter = named or max("\t;,", key=lambda delimiter: len(cells(delimiter)))
    return delimiter, tuple(cell.strip().strip('"') for cell in cells(delimiter))


def _quotes(line: str, delimiter: str) -> bool:
    """Whether quotation marks stand around cells: beside tabs only where they do so in the header."""
    return delimiter != "\t" or line.startswith('"')


def _between(line: str, delimiter: str) -> list[str]:
    """The cells of a line, where a delimiter between quotation marks parts nothing."""
    cells = [""]
    for number, piece in enumerate(line.split('"')):
        if number % 2:
            cells[-1] += piece
        else:
            first, *more = piece.split(delimiter)
            cells[-1] += first
            cells += more
    return cells


def first_lines(text: str) -> tuple[int, str | None, str]:
    """Number of the header's line, the delimiter a ``sep=`` line names, and the header line."""
    end = text.find("\n")
    first = (text if end < 0 else text[:end]).strip("\r").lstrip("\ufeff")
    if first.lower().startswith("sep="):
        second_end = text.find("\n", end + 1)
        header = text[end + 1 :] if second_end < 0 else text[end + 1 : second_end]
        return 2, first[4:5] or "\t", header.strip("\r")
    return 1, None, first


def _refuse(name: str, findings: Sequence[Finding]) -> None:
    if findings:
        noun = "place is" if len(findings) == 1 else "places are"
        raise UnreadableFile(f"{name} cannot be read as a table: {len(findings)} {noun} wrong", listed(findings))


def refuse_odd_cells(name: str, columns: Iterable[tuple[str, pa.StringArray]], rows: pa.Int64Array) -> None:
    """Stop at cells that nothing further on could write or show.

    Raises:
        UnreadableFile: ``cell-too-long``, ``control-character``.
    """
    import pyarrow.compute as pc

    findings = []
    for title, column in columns:
        texts = column.unique()
        long = texts.filter(pc.greater(pc.utf8_length(texts), MAX_CELL_CHARACTERS)).to_pylist()
        control = texts.filter(pc.match_substring_regex(texts, CONTROL)).to_pylist()
        findings += with_the_rest([
                fault("cell-too-long", "a cell is longer than any real one", name, stage="readable",
                      row=rows[pc.index(column, text).as_py()].as_py(), column=title, found=f"{len(text):,} characters",
                      expected=f"at most {MAX_CELL_CHARACTERS:,} characters", fix="Send the original download.")
            for text in long[:SHOWN_PLACES]
        ], len(long))  # fmt: skip
        findings += with_the_rest([
                fault("control-character", "a cell holds a character that is no text", name, stage="readable",
                      row=rows[pc.index(column, text).as_py()].as_py(), column=title, found=text,
                      expected="letters, digits and signs", fix="The file is damaged: download it again.")
            for text in control[:SHOWN_PLACES]
        ], len(control))  # fmt: skip
    _refuse(name, findings)


def _letters(position: int) -> str:
    """How a spreadsheet names the column: 0 is A, 26 is AA."""
    name, rest = "", position + 1
    while rest:
        rest, letter = divmod(rest - 1, 26)
        name = chr(ord("A") + letter) + name
    return name


def _as_table(
    name: str, header_row: int, header: Sequence[str], columns: Sequence[pa.StringArray], rows: pa.Int64Array,
    delimiter: str,
) -> TextTable:  # fmt: skip
    """The columns under their headers.

    Raises:
        UnreadableFile: ``repeated-column``, ``blank-column``, or what ``refuse_odd_cells`` raises.
    """
    import pyarrow.compute as pc

    findings = [
        fault("repeated-column", f"the column {shown(title)} stands more than once", name, stage="readable",
              row=header_row, column=title, found=f"{times} times", expected="each column once",
              fix="Send the original download.")
        for title, times in Counter(header).items()
        if title and times > 1
    ]  # fmt: skip
    for position, column in enumerate(columns):
        if header[position]:
            continue
        filled = pc.indices_nonzero(pc.not_equal(pc.utf8_trim_whitespace(column), ""))
        if len(filled):
            first = filled[0].as_py()
            findings.append(
                fault("blank-column", "a column has no header but holds something", name, stage="readable",
                      row=header_row, column=f"column {position + 1} ({_letters(position)})",
                      found=f"{len(filled)} filled cells, the first on line {rows[first]}: {column[first]}",
                      expected="a header above each column", fix="Send the original download, or give it its header.")
            )  # fmt: skip
    _refuse(name, findings)
    named = {title: column for title, column in zip(header, columns, strict=True) if title}
    refuse_odd_cells(name, named.items(), rows)
    return TextTable(name, tuple(named), named, rows, delimiter, header_row)


def read_csv(path: Path, name: str) -> TextTable:
    """Read a delimited file of any of the accepted encodings and delimiters.

    Raises:
        UnreadableFile: ``ragged-row`` when rows do not have as many cells as the header (a truncated file, mostly),
            ``repeated-column``, ``blank-column``, ``too-many-columns``, ``no-rows``, ``not-a-table``, or what
            ``decode`` and ``refuse_odd_cells`` raise.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv

    refuse_oversize(path, name, lines=True)
    text = decode(path, name)
    header_line, named, line = first_lines(text)
    delimiter, header = split_header(line, named)
    if len(header) > MAX_COLUMNS:
        raise unreadable("too-many-columns", "the file has more columns than any real export", name, row=header_line,
                         found=f"{len(header):,} columns", expected=f"at most {MAX_COLUMNS:,}",
                         fix="Send the original download.")  # fmt: skip
    refuse_cells(name, text.count("\n", 0, -1) * len(header))
    body = text.split("\n", header_line)[-1] if text.count("\n") >= header_line else ""
    nothing = unreadable("no-rows", "the file has a header but no rows", name, row=header_line,
                         expected="a row for each unit", fix="Download the file again.")  # fmt: skip
    if not body.strip():
        raise nothing
    ragged: list[Finding] = []
    skipped: list[int] = []
    count = 0

    def refuse(row: csv.InvalidRow) -> str:
        nonlocal count
        skipped.append(row.number or 0)
        if row.text.strip():
            count += 1
        if row.text.strip() and count <= SHOWN_PLACES:
            ragged.append(
                fault("ragged-row", "the row does not have as many cells as the header", name, stage="readable",
                      row=header_line + (row.number or 0), found=f"{row.actual_columns} cells",
                      expected=f"{row.expected_columns} cells",
                      fix="The file is truncated or damaged: download it again.")
            )  # fmt: skip
        return "skip"

    quote: str | bool = '"' if _quotes(line, delimiter) else False
    # by position, so that neither a blank nor a repeated header can move a column
    positions = [str(position) for position in range(len(header))]
    with damaged(
        "not-a-table", "the rows cannot be told apart, as when a quotation mark is never closed", name,
        expected=f"cells between {delimiter!r}", fix="Send the original download.",
    ):  # fmt: skip
        table = csv.read_csv(
            io.BytesIO(body.encode("utf-8")),
            read_options=csv.ReadOptions(column_names=positions, use_threads=False, block_size=1 << 24),
            parse_options=csv.ParseOptions(
                delimiter=delimiter, quote_char=quote, ignore_empty_lines=False, invalid_row_handler=refuse
            ),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(positions, pa.string()), strings_can_be_null=False
            ),
        )
    if ragged:
        raise UnreadableFile(f"{name} cannot be read: {count} rows are damaged", with_the_rest(ragged, count))
    # a blank line says nothing, nor does one of delimiters alone; the lines after it keep their numbers
    gone = set(skipped)
    lines = pa.array(
        [header_line + n for n in range(1, table.num_rows + len(gone) + 1) if n not in gone], pa.int64()
    )  # fmt: skip
    filled = pc.invert(pc.equal(pc.utf8_trim_whitespace(pc.binary_join_element_wise(*table.columns, "")), ""))
    table, rows = table.filter(filled), lines.filter(filled)
    if not table.num_rows:
        raise nothing
    columns = [table.column(position).combine_chunks() for position in positions]
    return _as_table(name, header_line, header, columns, rows, delimiter)


@contextmanager
def open_workbook(path: Path, name: str) -> Iterator[list[Any]]:
    """The sheets of a workbook that hold cells, read as they are asked for. What is damaged in them is told as such.

    Raises:
        UnreadableFile: ``damaged-workbook``, ``macros-in-workbook``, ``file-too-large``, or what ``open_zip`` raises.
    """
    from openpyxl import load_workbook

    refuse_oversize(path, name, lines=False)
    with open_zip(path, name) as package:
        if MACROS in package.namelist():
            raise unreadable(
                "macros-in-workbook", "arbeidsboken inneholder makroer, og slike tas ikke imot", name,
                found=MACROS, expected="en .xlsx uten makroer",
                fix="Lagre den som vanlig Excel-arbeidsbok (.xlsx) og send den på nytt.",
            )  # fmt: skip
        for part in (p for p in package.infolist() if p.file_size > MAX_PART_BYTES):
            raise unreadable(
                "file-too-large", "a part of the workbook is larger than any real one", name,
                found=f"{part.filename}, {part.file_size:,} bytes", expected=f"at most {MAX_PART_BYTES:,} bytes",
                fix="Delete blank rows and columns with formats, or send the original download.",
            )  # fmt: skip
    # by handle: the library judges a path by its ending, and the archive has none
    with path.open("rb") as handle, damaged(
        "damaged-workbook", "the workbook cannot be opened", name,
        expected="a whole workbook without a password", fix="Save it again as .xlsx.",
    ):  # fmt: skip
        book = load_workbook(handle, read_only=True, data_only=False, keep_links=False)
        yield book.worksheets
        book.close()


def filled_rows(sheet: Any, name: str, most: int | None = None) -> list[tuple[int, list[Any]]]:
    """The rows of a sheet that hold something, or those of its first ``most`` rows, each with its 1-based number.

    Raises:
        UnreadableFile: ``too-many-rows``: the sheet numbers its rows beyond the last one Excel has;
            ``too-many-cells``, before the rest of the sheet is read.
    """
    # what a file says of the size of its sheets may be wrong, and cells outside of it would not be read
    sheet.reset_dimensions()
    rows, cells = [], 0
    for number, row in enumerate(sheet.iter_rows(max_row=most, values_only=True), start=1):
        cells += len(row)
        refuse_cells(name, cells, MAX_SLOW_CELLS, number)
        if number > MAX_ROWS:
            raise unreadable("too-many-rows", "a sheet has more rows than Excel can hold", name, row=number,
                             expected=f"at most {MAX_ROWS:,} rows", fix="Save it again as .xlsx.")  # fmt: skip
        end = len(row)
        while end and is_blank(row[end - 1]):
            end -= 1
        if end:
            rows.append((number, list(row[:end])))
    return rows


def first_rows(path: Path, name: str) -> list[tuple[str, list[tuple[int, list[Any]]]]]:
    """Titles of the sheets of a workbook, each with the filled ones of its first rows, where a header can stand."""
    with open_workbook(path, name) as sheets:
        return [(sheet.title, filled_rows(sheet, name, FIRST_ROWS)) for sheet in sheets]


def header_of(rows: Sequence[tuple[int, list[Any]]]) -> tuple[str, ...]:
    """The first row of a sheet as a header, after a ``sep=`` line."""
    return _header_and_rows(rows)[0][1]


def _header_and_rows(
    rows: Sequence[tuple[int, list[Any]]],
) -> tuple[tuple[int, tuple[str, ...]], Sequence[tuple[int, list[Any]]]]:
    at = 1 if rows and cell_text(rows[0][1][0]).lower().startswith("sep=") else 0
    number, cells = rows[at] if len(rows) > at else (1, [])
    return (number, tuple(cell_text(value).strip() for value in cells)), rows[at + 1 :]


def read_xlsx(path: Path, name: str) -> TextTable:
    """Read the first sheet of a workbook as if it were the CSV it was made from; further sheets are told.

    Raises:
        UnreadableFile: ``formula-in-cell``, ``error-in-cell``, ``no-rows``, ``repeated-column``, ``blank-column``, or
            what ``open_workbook``, ``filled_rows`` and ``refuse_odd_cells`` raise.
    """
    import pyarrow as pa

    with open_workbook(path, name) as sheets:
        cells = filled_rows(sheets[0], name) if sheets else []
        beside = [sheet.title for sheet in sheets[1:] if filled_rows(sheet, name, FIRST_ROWS)]
    (header_row, titles), lines = _header_and_rows(cells)
    if not lines:
        raise unreadable("no-rows", "the first sheet has no rows", name, expected="a header and a row for each unit",
                         fix="Put the table on the first sheet.")  # fmt: skip
    width = max(len(titles), *(len(row) for _, row in lines))
    refuse_cells(name, width * len(lines), MAX_SLOW_CELLS)
    header = (*titles, *[""] * (width - len(titles)))
    columns: list[list[str]] = [[] for _ in header]
    odd: dict[tuple[str, str], list[tuple[int, int, object]]] = {}
    for number, row in [(header_row, titles), *lines]:
        for position, value in enumerate(row):
            if (wrong := _no_value(value)) is not None:
                odd.setdefault(wrong, []).append((number, position, value))
    findings: list[Finding] = []
    for wrong, places in odd.items():
        findings += with_the_rest([
            fault(*wrong, name, stage="readable", row=number, column=header[position] or _letters(position),
                  found=cell_text(value), expected="a figure or text",
                  fix="Paste the values, or send the original download.")
            for number, position, value in places[:SHOWN_PLACES]
        ], len(places))  # fmt: skip
    _refuse(name, findings)
    for _, row in lines:
        for position, column in enumerate(columns):
            column.append(cell_text(row[position]) if position < len(row) else "")
    numbers = [number for number, _ in lines]
    arrays = [column_of(c, pa.string(), name, _letters(at), numbers) for at, c in enumerate(columns)]
    notes = tuple(
        warning("extra-sheet", "only the first sheet of a workbook is read", name, found=f"the sheet {title}",
                expected="one sheet",
                fix="Nothing to do if it holds no figures. Otherwise send it as a file of its own.")
        for title in beside
    )  # fmt: skip
    table = _as_table(name, header_row, header, arrays, pa.array(numbers, pa.int64()), "xlsx")
    return replace(table, findings=notes)


def is_blank(value: object) -> bool:
    """Whether a cell holds nothing."""
    return value is None or (isinstance(value, str) and not value.strip())


def is_formula(value: object) -> bool:
    """Whether a cell holds a formula; the library has types of its own for those that fill several cells."""
    if isinstance(value, str):
        return value.strip().startswith("=")
    return value is not None and not isinstance(value, int | float | dt.date | dt.time | dt.timedelta)


def _no_value(value: object) -> tuple[str, str] | None:
    """Code and message of what a cell holds instead of a value, None when it does hold one."""
    if is_formula(value):
        return "formula-in-cell", "a cell holds a formula instead of a figure"
    if isinstance(value, str) and value.strip() in ERRORS:
        return "error-in-cell", "a cell holds an error of the spreadsheet instead of a figure"
    return None


def cell_text(value: object) -> str:
    """What a person sees in a cell: a number with decimal comma and the fifteen digits a spreadsheet shows."""
    if value is None:
        return ""
    if isinstance(value, float):
        plain = format(Decimal(f"{value:.15g}"), "f")
        return (plain.rstrip("0").rstrip(".") if "." in plain else plain).replace(".", ",")
    if is_formula(value) and not isinstance(value, str):
        return "=" + str(getattr(value, "text", None) or "").lstrip("=")
    return unicodedata.normalize("NFC", str(value))
