"""A document as one HTML page: everything inline, no script, nothing fetched."""

from __future__ import annotations

from pathlib import Path

from dagster_project.pages.document import Document
from dagster_project.pages.words import FICTIONAL, LANGUAGES, LOCALES, texts

TEMPLATES = Path(__file__).parent / "templates"


def as_html(document: Document) -> str:
    """The page. Text is escaped; the bytes depend on the document alone."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    mark = [texts(lang)._(FICTIONAL) for lang in LANGUAGES] if document.fictional else []
    page = environment.get_template("page.html.j2")
    return page.render(document=document, locale=LOCALES[document.lang], mark=mark)
