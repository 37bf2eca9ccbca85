"""What a renderer gets: headings, paragraphs and tables, all of them text."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Table:
    """Rows of text under titles.

    ``numeric`` holds the positions to align right, ``total`` is a last row that sums, and the first ``about`` columns
    say what a row is about.
    """

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int] = frozenset()
    total: tuple[str, ...] = ()
    about: int = 1


@dataclass(frozen=True)
class Section:
    """A heading with paragraphs and perhaps a table. ``name`` is stable and the same in every language."""

    name: str
    title: str
    paragraphs: tuple[str, ...] = ()
    table: Table | None = None


@dataclass(frozen=True)
class Document:
    """What a renderer gets. ``warnings`` must be shown where nobody can miss them."""

    lang: str
    title: str
    subtitle: str
    created: dt.datetime
    fictional: bool
    warnings: tuple[str, ...]
    sections: tuple[Section, ...] = field(default=())
