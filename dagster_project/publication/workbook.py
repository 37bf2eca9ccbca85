"""A published table as a workbook for people: the table in Norwegian, what its columns mean, and the rule behind it.

The CSV and Parquet beside it are for programs. Here headers are Norwegian with the column's name as a note, codes are
words, columns that only programs need are folded away, and every sheet prints on A4, as wide as the page.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap as wrap_text
from typing import TYPE_CHECKING, Any

from dagster_project.forms.write import set_up_print
from dagster_project.pages.words import CODES, texts
from dagster_project.publication.notes import FRACTIONS, TABLES, ColumnNote, column_notes
from dagster_project.publication.sentences import outcome_sentences
from dagster_project.publication.sheet import ONE_LINE, TableSheet
from dagster_project.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

EXCEL_ROWS = 1_048_575
WIDEST, LETTERS = 60, 1.15
"""Widest column, in digits; and how many letters of a text are as wide as a digit."""
SELECTION, UNCERTAINTY = "selection", "selection_uncertainty"
OUTCOME = ("decision", "decision_reason", "decided_by", "is_override", "reply_source_sha256")
BESIDE_RANK = {
    "municipality": ("rank_low", "rank_high", "probability_selected"),
    "school": ("rank_low", "rank_high", "probability_worst_quartile"),
}
"""Columns of ``selection_uncertainty`` that stand beside a rank."""
FOR_PROGRAMS = ("round", "cohort", "data_origin", "county_code")
SOURCE_OF = ("_sha256", "_row", "_column")
HEADER_COLOUR, WARNING, WEAKEST, MIDDLE = "#DCE6F1", "#B00020", "#E6A08F", "#FFFFFF"
SHARE = "risk_share"


def as_shown(path: Path) -> pa.Table:
    """A table as its workbook shows it.

    An internal ranking has how sure each rank is beside it, and the selection its reasons in Norwegian sentences; the
    others are as published.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    if path.stem == SELECTION:
        return _with_sentences(table, pq.read_table(path.with_name("exceptions_in_force.parquet")))
    level, doubt = path.stem.removesuffix("_ranking"), path.with_name(f"{UNCERTAINTY}.parquet")
    if level not in BESIDE_RANK or not doubt.exists():
        return table
    rows = pq.read_table(doubt, filters=pc.field("unit_level") == level)
    at = pc.index_in(table[f"{level}_code"], rows["unit_code"].combine_chunks())
    for name in reversed(BESIDE_RANK[level]):
        table = table.add_column(table.column_names.index("rank") + 1, name, rows[name].combine_chunks().take(at))
    return table


def _with_sentences(selection: pa.Table, exceptions: pa.Table) -> pa.Table:
    """The selection with the outcome of each municipality in sentences, as far as its columns tell it."""
    import pyarrow as pa

    grounds: dict[str, list[dict[str, Any]]] = {}
    for row in exceptions.to_pylist():
        if row["unit_level"] == "municipality":
            grounds.setdefault(row["unit_code"], []).append(row)
    whole = "within_quota" in selection.column_names
    said = []
    for row in selection.to_pylist():
        if not whole:  # the public table: no place, and nothing of replies and decisions but what its columns hold
            row = {**dict.fromkeys(OUTCOME), **row, "rank_in_group": None, "arithmetic_status": row["status"],
                   "proposed_status": row["status"]}  # fmt: skip
        row["reply_source_sha256"] = None  # what the county governor wrote stands in columns of its own
        _, *reasons = outcome_sentences(row, grounds.get(row["municipality_code"], ()), texts("no"))
        said.append(" ".join(reasons) or None)
    at = selection.column_names.index("reason")
    return selection.set_column(at, "reason", pa.array(said, pa.string()))


def title_of(name: str) -> str:
    """What a table is called in Norwegian."""
    title = texts("no")._(TABLES[name]) if name in TABLES else name
    return title[:1].upper() + title[1:]


def _in_words(column: pa.ChunkedArray) -> pa.Array:
    """Codes as Norwegian words and yes or no as ja or nei; other columns as they are."""
    import pyarrow as pa

    whole = column.combine_chunks()
    t = texts("no")
    if pa.types.is_boolean(whole.type):
        yes = whole.cast(pa.string()).dictionary_encode()
        said = {"true": t._("yes"), "false": t._("no")}
    elif pa.types.is_string(whole.type):
        yes = whole.dictionary_encode()
        said = {code: t.code(code) for code in yes.dictionary.to_pylist() if code in CODES}
        if len(said) < len(yes.dictionary):
            return whole
    else:
        return whole
    words = pa.array([said[code] for code in yes.dictionary.to_pylist()], pa.string())
    return words.take(yes.indices)


def _proposed(table: pa.Table, column: str) -> pa.Array:
    """A status of each municipality in words: who is selected by the rule and not decided upon is proposed."""
    import pyarrow.compute as pc

    selected = pc.equal(table[column], "selected")
    undecided = pc.and_(selected, pc.is_null(table["decided_on"])) if column == "status" else selected
    return _in_words(pc.if_else(undecided, "proposed", table[column]))


def _is_for_programs(name: str, column: pa.Array) -> bool:
    """Whether a column is folded away: it names a place in a file, says what the title says, or is blank throughout."""
    return name in FOR_PROGRAMS or name.endswith(SOURCE_OF) or column.null_count == len(column)


def _width(title: str, column: pa.Array) -> float:
    """Width of a column in characters: its longest word of the header, and most of its texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    words = max((len(word) for word in title.split()), default=0) + 3
    if not pa.types.is_string(column.type):
        return max(words, 9)
    longest = pc.max(pc.utf8_length(column)).as_py() or 0
    return min(max(words, longest + 1, 9), WIDEST)


def _heights(columns: Mapping[str, pa.Array], rows: int) -> pa.Array:
    """How many points high each row has to be, so that its longest text fits in the width of its column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    lines = pa.repeat(1, rows)
    for name, column in columns.items():
        if pa.types.is_string(column.type):
            wanted = pc.ceil(pc.divide(pc.utf8_length(column).cast(pa.float64()), LETTERS * _width(name, column)))
            lines = pc.max_element_wise(lines, wanted.cast(pa.int64()))
    return pc.multiply(lines, ONE_LINE)


def _number_format(name: str, column: pa.Array) -> dict[str, Any]:
    import pyarrow as pa

    if name in FRACTIONS or name.endswith(("_share", "_spread")) or name.startswith("spread_"):
        return {"num_format": "0.0 %"}
    if pa.types.is_date(column.type):
        return {"num_format": "dd.mm.yyyy", "align": "left"}
    if pa.types.is_string(column.type):
        return {"text_wrap": True}
    if pa.types.is_floating(column.type):
        return {"num_format": "0.000"}
    return {}


def write_xlsx(
    path: Path, name: str, table: pa.Table, notes: Sequence[str], settings: Settings, *, subject: str = "",
    status: str = "", model: str | None = None,
) -> None:  # fmt: skip
    """One sheet with the table, one about its columns, one about the rule.

    ``subject`` is the round or cohort and ``status`` what limits the use of the figures, both in words; they stand
    above the table and in the header of each printed page.
    """
    described = column_notes(settings, UNCERTAINTY) | column_notes(settings, model or name)
    noted = {c: described.get(c, ColumnNote("", "")) for c in table.column_names}
    book = _Book(path, ": ".join(filter(None, (subject, title_of(name)))), status)
    shown = book.add_table(name, table, noted)
    book.add_columns(noted)
    left_out = [f"The sheet holds the first {shown:,} of {table.num_rows:,} rows."] if shown < table.num_rows else []
    book.add_notes([*notes, *left_out])
    book.book.close()


class _Book:
    """A workbook while it is written, with its formats."""

    def __init__(self, path: Path, title: str, status: str) -> None:
        import xlsxwriter

        self.title, self.status = title, status
        self.book = xlsxwriter.Workbook(str(path), {"strings_to_formulas": False})
        self.book.set_properties({"title": title, "created": dt.datetime(2000, 1, 1, tzinfo=dt.UTC)})
        self.head = self.book.add_format(
            {"bold": True, "bg_color": HEADER_COLOUR, "text_wrap": True, "valign": "top", "border": 1}
        )
        self.wrap = self.book.add_format({"text_wrap": True, "valign": "top"})
        self.bold = self.book.add_format({"bold": True})

    def _above(self, table: pa.Table) -> list[tuple[str, Any]]:
        """What stands above the table, with its formats: the title, the status, the legend."""
        lines = [(self.title, self.book.add_format({"bold": True, "font_size": 14}))]
        if self.status:
            lines.append((self.status, self.book.add_format({"bold": True, "font_color": WARNING})))
        if SHARE in table.column_names:
            legend = texts("no")._("The redder the cell, the higher the share of risk points.")
            lines.append((legend, self.book.add_format({"italic": True})))
        return lines

    def add_table(self, name: str, table: pa.Table, noted: Mapping[str, ColumnNote]) -> int:
        """The sheet with the table; the number of its rows that fit."""
        import pyarrow as pa

        sheet, above = self.book.add_worksheet("Tabell", worksheet_class=TableSheet), self._above(table)
        header = len(above) + 1
        shown = table.slice(0, EXCEL_ROWS - header - 1)
        columns = {c: _in_words(shown[c]) for c in table.column_names}
        if name == SELECTION:
            columns |= {c: _proposed(shown, c) for c in ("status", "proposed_status") if c in columns}
        open_at = self._add_headers(sheet, header, columns, noted)
        for line, (text, style) in enumerate(above):
            sheet.write_string(line, open_at[0] if open_at else 0, text, style)
        last = header + max(shown.num_rows, 1), len(columns) - 1
        names = [at for at, c in enumerate(columns) if c.endswith("_name")]
        sheet.freeze_panes(header + 1, names[0] + 1 if names and names[0] < 4 else 0)
        sheet.autofilter(header, 0, *last)
        if SHARE in columns:
            at = list(columns).index(SHARE)
            scale = {"type": "2_color_scale", "min_color": MIDDLE, "max_color": WEAKEST}
            sheet.conditional_format(header + 1, at, last[0], at, scale)
        set_up_print(sheet, self.title, self.status, (header, header), last)
        sheet.show(
            pa.table(columns),
            header + 1,
            _heights({c: columns[c] for at, c in enumerate(columns) if at in open_at}, shown.num_rows),
        )
        return shown.num_rows

    def _add_headers(
        self, sheet: Any, header: int, columns: Mapping[str, pa.Array], noted: Mapping[str, ColumnNote]
    ) -> list[int]:
        """Headers, widths and formats; the positions of the columns that are not folded away."""
        folded = {c for c, values in columns.items() if _is_for_programs(c, values) or noted[c].detail}
        lines = 1
        for position, (column, values) in enumerate(columns.items()):
            said = noted[column].norsk or column
            said, width = said[:1].upper() + said[1:], _width(said, values)
            style = self.book.add_format({"valign": "top", **_number_format(column, values)})
            sheet.set_column(position, position, width, style, {"level": 1, "hidden": True} if column in folded else {})
            sheet.write_string(header, position, said, self.head)
            sheet.write_comment(header, position, column)
            if column not in folded:
                lines = max(lines, len(wrap_text(said, int(width) - 1)))
        sheet.set_row(header, ONE_LINE * lines)
        return [at for at, column in enumerate(columns) if column not in folded]

    def add_columns(self, noted: Mapping[str, ColumnNote]) -> None:
        """The sheet that says what each column means, by its name in the files for programs."""
        sheet = self.book.add_worksheet("Kolonner - Columns")
        sheet.set_column(0, 1, 32, self.wrap)
        sheet.set_column(2, 2, 90, self.wrap)
        for position, text in enumerate(("kolonne i CSV og Parquet", "norsk", "description")):
            sheet.write_string(0, position, text, self.head)
        for line, (column, note) in enumerate(noted.items(), start=1):
            sheet.write_row(line, 0, (column, note.norsk, note.description))
        set_up_print(sheet, self.title, self.status, (0, 0))

    def add_notes(self, notes: Sequence[str]) -> None:
        """The sheet that says what the figures are and how they were computed."""
        sheet = self.book.add_worksheet("Om - About")
        sheet.set_column(0, 0, 140, self.wrap)
        for line, text in enumerate(notes):
            sheet.write_string(line, 0, text, self.bold if text.isupper() or line == 0 else self.wrap)
        set_up_print(sheet, self.title, self.status)
