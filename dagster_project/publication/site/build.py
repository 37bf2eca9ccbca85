"""Write the site of an edition: every page in every language, with one style sheet and one script for all of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.pages.words import LANGUAGES, plain_name
from dagster_project.publication.site import figures
from dagster_project.publication.site.content import rank_of
from dagster_project.publication.site.facts import Facts
from dagster_project.publication.site.speech import Speech, speech

if TYPE_CHECKING:
    from jinja2 import Environment

SITE = "site"
HERE = Path(__file__).parent
TEMPLATES, ASSETS = HERE / "templates", HERE / "assets"
LIMITS, PAPER = "grenser.html", "paper.css"
KINDS = {"xlsx": "Excel", "csv": "CSV", "parquet": "Parquet"}


@dataclass(frozen=True)
class Page:
    """A page in one language: where it lies within that language, its template, its heading and what it tells."""

    path: str
    template: str
    heading: str
    content: dict[str, Any] = field(default_factory=dict)


Pages = Callable[[Speech], Iterator[Page]]


@cache
def environment(lang: str) -> Environment:
    """The templates in one language. Everything is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from dagster_project.pages.names import slug

    s = speech(lang)
    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True, auto_reload=False,
    )  # fmt: skip
    made.globals.update(
        s=s, _=s._, ngettext=s.ngettext, kinds=KINDS, rank_of=rank_of, interval=figures.interval, bar=figures.bar,
        strip=figures.strip, slug=slug, plain_name=plain_name,
    )  # fmt: skip
    return made


def render(page: Page, s: Speech, facts: Facts, menu: list[tuple[str, str]], *, public: bool) -> str:
    """The text of a page that is one of a site."""
    deep = page.path.count("/")
    values = {
        "facts": facts, "public": public, "menu": menu, "here": page.path, "heading": page.heading,
        "limits_page": any(file == LIMITS for file, _ in menu), "home": "../" * deep,
        "root": "../" * (deep + bool(s.folder)), **page.content,
    }  # fmt: skip
    return environment(s.lang).get_template(page.template).render(values)


def write_site(folder: Path, facts: Facts, menu: list[tuple[str, str]], pages: Pages, *, public: bool) -> None:
    """Write a site into the folder of an edition."""
    site, made = folder / SITE, set[Path]()
    for lang in LANGUAGES:
        s = speech(lang)
        (site / s.folder).mkdir(parents=True, exist_ok=True)
        (site / s.folder / PAPER).write_text(s.on_paper(facts, public), encoding="utf-8")
        for page in pages(s):
            path = site / s.folder / page.path
            if path.parent not in made:
                path.parent.mkdir(parents=True, exist_ok=True)
                made.add(path.parent)
            path.write_bytes(render(page, s, facts, menu, public=public).encode("utf-8"))
    (site / "assets").mkdir()
    for asset in ASSETS.iterdir():
        shutil.copyfile(asset, site / "assets" / asset.name)
