"""One page by itself, for a reader who has no site: from the templates of the site, with the style in the page.

The page of a municipality is that of the site, with what an auditor asks for folded below it. A school has a page of
the same look, with all of its document open.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from markupsafe import Markup

from dagster_project.pages.document import Document
from dagster_project.pages.words import FICTIONAL, LANGUAGES, texts
from dagster_project.publication.site.build import ASSETS, environment
from dagster_project.publication.site.facts import Facts
from dagster_project.publication.site.round_pages import RoundSite
from dagster_project.publication.site.speech import speech

ON_THE_PAGE = {"decision", "neighbours", "schools"}
"""Sections of a document that the page of a municipality tells in its own way."""


@cache
def _style() -> Markup:
    return Markup((ASSETS / "site.css").read_text(encoding="utf-8"))


def municipality_page(document: Document, site: RoundSite, code: str, differences: Sequence[str] | None) -> str:
    """The page of a municipality. ``differences`` are the changes that would have turned the outcome, in sentences."""
    s = speech(document.lang)
    names = site.round.file_names
    content = site.municipality(code, s, lambda sha256: names.get(sha256, "")).content
    told = {**content, "differences": differences, "body": True}
    return _page(document, site.round.facts, told)


def document_page(document: Document, facts: Facts) -> str:
    """A document as a page, section after section."""
    return _page(document, facts, {"body": False})


def _page(document: Document, facts: Facts, content: dict[str, Any]) -> str:
    sections = [d for d in document.sections if not (content["body"] and d.name in ON_THE_PAGE)]
    return environment(document.lang).get_template("standalone.html.j2").render({
        "facts": facts, "public": False, "inline": _style(), "heading": document.title, "limits_page": False,
        "root": "", "home": "", "document": document, "sections": sections,
        "marks": [texts(lang)._(FICTIONAL) for lang in LANGUAGES], **content,
    })  # fmt: skip
