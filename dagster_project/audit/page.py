"""An explanation as one HTML page: that of the report site, with the changes that would have turned the outcome."""

from __future__ import annotations

from functools import lru_cache

from dagster_project.archive.published import INTERNAL
from dagster_project.audit.counterfactual import FigureChange
from dagster_project.audit.document import SHOWN_DIFFERENCES, document_of
from dagster_project.audit.explain import Explanation
from dagster_project.audit.revisions import Published
from dagster_project.pages.words import Texts
from dagster_project.publication.site.content import Control, Round
from dagster_project.publication.site.facts import facts_of
from dagster_project.publication.site.round_pages import RoundSite
from dagster_project.publication.site.speech import Speech, speech
from dagster_project.publication.site.standalone import document_page, municipality_page
from dagster_project.publication.site.tables import Tables


def page_of(e: Explanation, lang: str) -> str:
    """The page of a municipality or school. The bytes depend on the explanation alone."""
    document, site = document_of(e, lang), _site(e.published)
    if e.level != "municipality":
        return document_page(document, site.round.facts)
    s = speech(lang)
    told = None if e.differences is None else [difference_text(d, s) for d in e.differences[:SHOWN_DIFFERENCES]]
    return municipality_page(document, site, e.code, told)


@lru_cache(maxsize=1)
def _site(published: Published) -> RoundSite:
    """The pages of a revision, once for all units that are explained; the tables were checked when they were read."""
    files = Control(tuple(published.manifest["inputs"]), (), ())
    facts = facts_of(published.manifest, published.rules)
    return RoundSite(Round(facts, Tables(published.folder / INTERNAL), False, control=files))


def difference_text(d: FigureChange, s: Speech) -> str:
    """One figure as it would have had to be, in a sentence."""
    t: Texts = s.texts
    values = {
        "unit": d.unit_name or d.unit_code,
        "figure": " ".join(filter(None, (s.grade(d.indicator, d.grade), d.school_year))),
        "needed": t.number(d.needed), "published": t.number(d.published), "group": s.code(d.outcome),
    }  # fmt: skip
    said = (
        t._("{unit}, {figure}: {needed} instead of {published}, and it would be on the list ({group})", **values)
        if d.after
        else t._(
            "{unit}, {figure}: {needed} instead of {published}, and it would not be on the list ({group})", **values
        )
    )
    if d.pupils is not None and d.n_pupils is not None:
        pupils = t.ngettext("{count} pupil of {all}", "{count} pupils of {all}", d.pupils, all=d.n_pupils)
        return f"{said}; {pupils}."
    return f"{said}."
