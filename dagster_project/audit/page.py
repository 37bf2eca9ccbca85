"""An explanation as people read it: what the page of the report site tells, as HTML or as sections of text.

Beside what stands there it has the changes that would have turned the outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from dagster_project.archive.published import INTERNAL
from dagster_project.audit.counterfactual import FigureChange
from dagster_project.audit.document import SHOWN_DIFFERENCES, document_of
from dagster_project.audit.explain import Explanation
from dagster_project.audit.revisions import Published
from dagster_project.pages.document import Document, Section, Table
from dagster_project.pages.words import Texts
from dagster_project.publication.site import municipality
from dagster_project.publication.site.content import Control, Round, rank_of
from dagster_project.publication.site.facts import facts_of
from dagster_project.publication.site.round_pages import RoundSite
from dagster_project.publication.site.speech import Speech, speech
from dagster_project.publication.site.standalone import ON_THE_PAGE, document_page, municipality_page
from dagster_project.publication.site.tables import Tables


def page_of(e: Explanation, lang: str) -> str:
    """The page of a municipality or school. The bytes depend on the explanation alone."""
    document, site = document_of(e, lang), _site(e.published)
    if e.level != "municipality":
        return document_page(document, site.round.facts)
    return municipality_page(document, site, e.code, _differences(e, speech(lang)))


IN_SHORT = {"decision", "share", "doubt", "differ"}
"""The sections of a document that say what happened to a school and how certain that is."""


def summary_of(e: Explanation, lang: str, *, figures: bool) -> Document:
    """What the page tells, as text: the outcome, how certain it is, the points as a grid, the schools.

    With ``figures`` also what stands there for whoever checks it: each figure with its limits, files and lines.
    """
    document = document_of(e, lang)
    if e.level != "municipality":
        kept = (d for d in document.sections if figures or d.name in IN_SHORT)
        return replace(document, sections=tuple(kept))
    s = speech(lang)
    content = _site(e.published).municipality(e.code, s, lambda sha256: e.published.file_names.get(sha256, "")).content
    told = (_outcome(content, s), _other_outcome(e, content, s), _grid(content, s), _schools(content, s),
            _decision(content, s))  # fmt: skip
    short = [section for section in told if section is not None]
    rest = [d for d in document.sections if figures and d.name not in ON_THE_PAGE - {"neighbours"}]
    return replace(document, sections=(*short, *rest))


def _differences(e: Explanation, s: Speech) -> list[str] | None:
    return None if e.differences is None else [difference_text(d, s) for d in e.differences[:SHOWN_DIFFERENCES]]


def _outcome(content: Mapping[str, Any], s: Speech) -> Section:
    return Section("outcome", s._("The outcome"), tuple(filter(None, (*content["verdict"], content["certainty"]))))


def _other_outcome(e: Explanation, content: Mapping[str, Any], s: Speech) -> Section:
    changes = _differences(e, s)
    lines = [content["distance"]] if content["distance"] else []
    if changes is None:
        lines.append(s._("This cannot be computed: today's models do not give the figures of this revision."))
    elif changes:
        lines.append(s._("Each line is the smallest change of one figure that would have been enough, with all others "
                         "as they are."))  # fmt: skip
        lines += [f"- {change}" for change in changes]
    else:
        lines.append(s._("No change of one published figure would have been enough."))
    return Section("other", s._("What another outcome would have taken"), tuple(lines))


def _grid(content: Mapping[str, Any], s: Speech) -> Section:
    years = [year or s._("All years") for year in content["years"]]
    rows = tuple(
        (name, *(f"{value}: {points}" if points else value for _, value, points, _ in cells))
        for name, _, cells, _ in content["grid"]
    )  # fmt: skip
    table = Table((s._("figure"), *years), rows, frozenset(range(1, 1 + len(years))))
    notes = tuple(f"{name}: {note}." for name, note, _, _ in content["grid"] if note)
    return Section("grid", s._("The points, figure by figure"), notes, table)


def _schools(content: Mapping[str, Any], s: Speech) -> Section | None:
    t: Texts = s.texts
    rows = tuple(
        (
            r["school_name"] or r["school_code"],
            s.percent(r["risk_share"]) if r["rated"] else s.code(r["not_rated_reason"]),
            f"{t.number(r['points'])}/{t.number(r['possible_points'])}" if r["rated"] else "",
            s.whole(rank_of(r)), t.yes_or_no(r["worst_quartile"]) if r["rated"] else "",
        )
        for r in content["schools"]
    )  # fmt: skip
    titles = (s._("school"), s._("share"), s._("points"), s._("rank"), s._("among the country's weakest"))
    return Section("schools", s._("The schools"), (), Table(titles, rows, frozenset({1, 2, 3}))) if rows else None


def _decision(content: Mapping[str, Any], s: Speech) -> Section | None:
    lines = (*content["decision"], *content["sources_of_decision"])
    return Section("decision", s._("The decision and its grounds"), lines) if lines else None


@lru_cache(maxsize=1)
def _site(published: Published) -> RoundSite:
    """The pages of a revision, once for all units that are explained; the tables were checked when they were read."""
    files = Control(tuple(published.manifest["inputs"]), (), ())
    facts = facts_of(published.manifest, published.rules)
    return RoundSite(Round(facts, Tables(published.folder / INTERNAL), False, control=files))


def difference_text(d: FigureChange, s: Speech) -> str:
    """One figure as it would have had to be, in a sentence."""
    t: Texts = s.texts
    said = municipality.change_text(d.unit_name or d.unit_code, vars(d), d.outcome, d.after, s)
    if d.pupils is not None and d.n_pupils is not None:
        pupils = t.ngettext("{count} pupil of {all}", "{count} pupils of {all}", d.pupils, all=d.n_pupils)
        return f"{said}; {pupils}."
    return f"{said}."
