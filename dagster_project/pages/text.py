"""A document as text for a terminal: never wider than asked for, and no name is cut."""

from __future__ import annotations

import io
from collections.abc import Iterable
from textwrap import wrap

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table as Grid

from dagster_project.pages.document import Document, Section, Table

NARROWEST, WIDEST = 40, 120
BETWEEN = 2


def as_text(document: Document, width: int = WIDEST) -> str:
    """Title, warnings, then every section with its paragraphs and table, in lines of at most ``width`` letters.

    A width below 40 or above 120 is taken as that: narrower, names would be cut; wider, lines are hard to follow.
    """
    first = Section("title", "", (f"{document.title}. {document.subtitle}", *document.warnings))
    return sections_as_text((first, *document.sections), width)


def sections_as_text(sections: Iterable[Section], width: int = WIDEST) -> str:
    """Sections by themselves, with an empty line between."""
    stream = io.StringIO()
    width = min(max(width, NARROWEST), WIDEST)
    out = Console(file=stream, width=width, highlight=False, color_system=None)
    for number, section in enumerate(sections):
        if number:
            out.print()
        if section.title:
            out.print(escape(section.title.upper()))
        for paragraph in section.paragraphs:
            indent = "  " if paragraph.startswith("- ") else ""
            lines = wrap(paragraph, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
            out.print(escape("\n".join(lines)), soft_wrap=True)
        if section.table is not None and section.table.rows:
            _print_table(out, section.table, width)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def _print_table(out: Console, table: Table, width: int) -> None:
    rows = [*table.rows, *([table.total] if table.total else [])]
    columns = list(zip(table.titles, *rows, strict=True))
    least = [max(_longest_word(text) for text in column) for column in columns]
    room = width - BETWEEN * (len(least) - 1)
    if sum(least) > room:
        _print_records(out, table, rows)
        return
    widths = _shared(least, [max(map(len, column)) for column in columns], room)
    grid = Grid(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for position, title in enumerate(table.titles):
        grid.add_column(escape(title), width=widths[position], overflow="fold",
                        justify="right" if position in table.numeric else "left")  # fmt: skip
    for number, row in enumerate(rows):
        if table.total and number == len(rows) - 1:
            grid.add_section()
        grid.add_row(*(escape(cell) for cell in row))
    out.print(grid)


def _print_records(out: Console, table: Table, rows: list[tuple[str, ...]]) -> None:
    """A table that is too wide: each row as what it is about, and below that what is said of it."""
    for row in rows:
        out.print(escape(" ".join(filter(None, row[: table.about]))), soft_wrap=False)
        said = [f"{title}: {cell}" for title, cell in list(zip(table.titles, row, strict=True))[table.about :] if cell]
        if said:
            out.print(Padding(escape("; ".join(said)), (0, 0, 0, 4)))


def _shared(least: list[int], wanted: list[int], room: int) -> list[int]:
    """A width for each column: what its longest word needs, then what is left, from the first column on.

    The first columns say what a row is about, so they stay on one line where that is possible.
    """
    widths, left = [], room - sum(least)
    for narrow, wide in zip(least, wanted, strict=True):
        more = min(left, wide - narrow)
        widths.append(narrow + more)
        left -= more
    return widths


def _longest_word(text: str) -> int:
    return max((len(word) for word in text.split(" ")), default=0)
