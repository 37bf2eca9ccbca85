"""A document as text for a terminal."""

from __future__ import annotations

import io

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dagster_project.pages.document import Document

WIDTH = 200
# the terminal shows the answer; the whole rule stands on the page, in the PDF and in the JSON
LEFT_OUT = {"rule"}


def as_text(document: Document) -> str:
    """Title, warnings, then every section with its paragraphs and table."""
    stream = io.StringIO()
    out = Console(file=stream, width=WIDTH, highlight=False, color_system=None)
    out.print(escape(f"{document.title}. {document.subtitle}"))
    for warning in document.warnings:
        out.print(escape(warning))
    for section in document.sections:
        if section.name in LEFT_OUT:
            continue
        out.print()
        out.print(escape(section.title.upper()))
        for paragraph in section.paragraphs:
            out.print(escape(paragraph))
        if section.table is None:
            continue
        table = Table()
        for position, title in enumerate(section.table.titles):
            table.add_column(escape(title), justify="right" if position in section.table.numeric else "left",
                             overflow="fold")  # fmt: skip
        for row in section.table.rows:
            table.add_row(*(escape(cell) for cell in row))
        if section.table.total:
            table.add_section()
            table.add_row(*(escape(cell) for cell in section.table.total))
        out.print(table)
    return stream.getvalue()
