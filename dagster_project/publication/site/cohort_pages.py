"""The pages of a cohort."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from dagster_project.pages.words import N_, plain_name
from dagster_project.publication.site import figures
from dagster_project.publication.site.build import Page
from dagster_project.publication.site.cohort import OVERDUE, Cohort, Member
from dagster_project.publication.site.glossary import TERMS
from dagster_project.publication.site.speech import Speech
from dagster_project.publication.site.tables import Row

MENU = [
    ("index.html", N_("The cohort")),
    ("virkninger.html", N_("Effects")),
    ("rapporter.html", N_("Reports")),
    ("tiltak.html", N_("Measures and money")),
    ("kontroll.html", N_("Control")),
    ("ordliste.html", N_("Glossary")),
]
METHODS = {
    "did_mirrored": N_("compared with the years before, as far from the middle of the window"),
    "before_after_naive": N_("before and after, without a comparison"),
    "expected_regression_to_the_mean": N_("what would have happened by chance alone"),
    "before_after_net": N_("before and after, less chance and the change of the comparison"),
    "matched_did": N_("compared with the nearest municipalities in share and size"),
    "rank_discontinuity": N_("those just within the cut against those just outside it"),
    "lagged_outcome_regression": N_("given share and size at the selection"),
}
OUTCOMES = {
    "mean_gap": N_("the indicators' distance to the nation, in standard deviations"),
    "risk_share": N_("share of possible risk points"),
}
NOTES = {"no": "norsk", "en": "note"}
"""The column of ``cohort_effect`` that has a remark in each language."""


def pages(c: Cohort, s: Speech) -> Iterator[Page]:
    """All pages in one language."""
    yield _index(c, s)
    yield _effects(c, s)
    yield Page("rapporter.html", "reports.html.j2", s._("Reports"), {
        "reports": c.reports, "overdue": sum(r["status"] == OVERDUE for r in c.reports), "tables": c.tables,
        "next_due": c.next_due,
    })  # fmt: skip
    yield _money(c, s)
    yield Page("kontroll.html", "cohort_control.html.j2", s._("Control"), {"tables": c.tables})
    yield Page("ordliste.html", "glossary.html.j2", s._("Glossary"), {
        "terms": sorted(((s._(term), s._(meaning)) for term, meaning in TERMS.items()), key=lambda t: t[0].casefold()),
    })  # fmt: skip
    for member in c.members:
        yield _municipality(c, member, s)


def heading(c: Cohort, s: Speech) -> str:
    """What a cohort is called."""
    return s._("Cohort: {name}", name=plain_name(c.facts.subject))


def _chart(c: Cohort, drawn: Sequence[figures.Line], label: str, s: Speech) -> Markup:
    """Shares over the years around the selection."""
    top = max((v for line in drawn for v in line.values if v is not None), default=1.0)
    step = figures.nice_step(top / 4)
    ticks = [(step * i, s.percent(step * i, 0)) for i in range(-int(-top // step) + 1)]
    at = c.times.index(0) if 0 in c.times else None
    return figures.lines([c.years[t] for t in c.times], drawn, ticks, label, at)


def _index(c: Cohort, s: Speech) -> Page:
    followed, compared = c.mean_shares("in_cohort"), c.mean_shares("eligible_comparison")
    label = s._("Mean share of the followed municipalities and of the others, by year")
    drawn = [figures.Line(compared, "c"), figures.Line(followed, "f")]
    overdue = [r for r in c.reports if r["status"] == OVERDUE]
    return Page("index.html", "cohort.html.j2", heading(c, s), {
        "cohort": c, "lead": _lead(c, len(overdue), s), "overdue": overdue, "state": s.code(f"round_{c.facts.status}"),
        "chart": _chart(c, drawn, label, s) if c.times else None, "members": c.members, "tables": c.tables,
        "means": [(c.years[t], f, o) for t, f, o in zip(c.times, followed, compared, strict=True)],
        "n": c.count("in_cohort"), "others": c.count("eligible_comparison"), "next_due": c.next_due,
        "best": _best(c), "best_note": _note(_best(c), s), "outcomes": OUTCOMES,
    })  # fmt: skip


def _lead(c: Cohort, overdue: int, s: Speech) -> str:
    members = len(c.members)
    if c.facts.status == "closed":
        said = s.ngettext(
            "The follow-up of {count} municipality has ended: every report has come.",
            "The follow-up of {count} municipalities has ended: every report has come.", members,
        )  # fmt: skip
    else:
        said = s.ngettext("{count} municipality is followed up.", "{count} municipalities are followed up.", members)
    if overdue:
        said += " " + s.ngettext("{count} report is overdue.", "{count} reports are overdue.", overdue)
    return said


def _best(c: Cohort) -> Row | None:
    """The estimate with an interval: the only one whose interval was shown to hold."""
    return next((e for e in c.effects if e["ci_low"] is not None and not e["pooled"]), None)


def _note(row: Row | None, s: Speech) -> str:
    """The remark on an estimate, with words for the outcomes it names."""
    said = "" if row is None else str(row[NOTES[s.lang]] or "")
    for name, words in OUTCOMES.items():
        said = said.replace(name, s._(words))
    return said


def _in_words(words: Mapping[str, str], code: str, s: Speech) -> str:
    text = words.get(code, code)
    return s._(text)


def _effects(c: Cohort, s: Speech) -> Page:
    plain = [e for e in c.effects if e["event_time"] is None]
    told = [
        {"method": _in_words(METHODS, e["method"], s), "row": e, "outcome": _in_words(OUTCOMES, e["outcome"], s),
         "note": _note(e, s)}
        for e in sorted(plain, key=lambda e: (e["ci_low"] is None, e["pooled"]))
    ]  # fmt: skip
    by_year = [e for e in c.effects if e["event_time"] is not None and not e["pooled"]]
    years = sorted(by_year, key=lambda e: e["event_time"])
    chart = None
    if years:
        values = [e["estimate"] for e in years]
        known = [v for v in values if v is not None] + [0.0]
        step = figures.nice_step((max(known) - min(known)) / 4 or 0.01)
        steps = range(int(min(known) // step), -int(-max(known) // step) + 1)
        ticks = [(step * i, s.rounded(100 * step * i, 0)) for i in steps]
        label = s._("Difference in share between those followed and those like them, by year from the selection")
        zero = next((i for i, e in enumerate(years) if e["event_time"] == 0), None)
        names = [f"{e['event_time']:+d}" if e["event_time"] else "0" for e in years]
        drawn = [figures.Line([0.0] * len(years), "c"), figures.Line(values, "f")]
        chart = figures.lines(names, drawn, ticks, label, zero)
    return Page("virkninger.html", "effects.html.j2", s._("Effects"), {
        "told": told, "chart": chart, "by_year": years, "best": _best(c), "best_note": _note(_best(c), s),
        "tables": c.tables, "naive": next((e for e in plain if e["method"] == "before_after_naive"), None),
        "chance": next((e for e in plain if e["method"] == "expected_regression_to_the_mean"), None),
    })  # fmt: skip


def _money(c: Cohort, s: Speech) -> Page:
    def grouped(level: str) -> list[tuple[str, Row | None, list[Row]]]:
        found: dict[str, list[Row]] = {}
        for r in c.measures(level):
            found.setdefault(r["unit_key"], []).append(r)
        return [(rows[0]["unit_name"] or key, next((r for r in rows if r["year"] is None), None),
                 [r for r in rows if r["year"] is not None]) for key, rows in found.items()]  # fmt: skip

    return Page("tiltak.html", "measures.html.j2", s._("Measures and money"), {
        "years": [r for r in c.measures("all") if r["year"] is not None],
        "total": next((r for r in c.measures("all") if r["year"] is None), None),
        "groups": [(s._(N_("By county governor")), grouped("county_governor")),
                   (s._(N_("By competence environment")), grouped("competence_environment"))],
        "members": c.members, "tables": c.tables,
    })  # fmt: skip


def _municipality(c: Cohort, member: Member, s: Speech) -> Page:
    own = [member.shares.get(t) for t in c.times]
    others = c.mean_shares("eligible_comparison")
    label = s._("Share of {name} by year, and the mean of the others", name=member.name)
    chart = _chart(c, [figures.Line(others, "c"), figures.Line(own, "f")], label, s) if c.times else None
    values: list[tuple[str, list[Any]]] = []
    place = {name: i for i, name in enumerate(c.facts.indicators)}
    for (indicator, grade), by_year in sorted(
        c.details.get(member.code, {}).items(), key=lambda item: (place.get(item[0][0], 99), item[0][1] or 0)
    ):
        digits = c.facts.indicators[indicator].decimals.value if indicator in c.facts.indicators else 1
        row: list[Any] = []
        for t in c.times:
            cell: Mapping[str, Any] = by_year.get(t, {})
            value = cell.get("value")
            points = cell.get("points")
            kind = "hid" if cell.get("state") == "suppressed" else "none" if value is None else (
                "p0" if not points else "p3" if points == c.facts.rules.points.absolute.value else "p1")  # fmt: skip
            row.append((kind, s._("hidden") if kind == "hid" else s.rounded(value, digits)))
        values.append((s.grade(indicator, grade), row))
    money = [r for r in c.measures("municipality") if r["unit_key"] == member.code and r["year"] is not None]
    said = []
    if member.baseline is not None:
        begun = {"name": member.name, "share": s.percent(member.baseline), "rank": s.whole(member.baseline_rank)}
        said.append(s._("{name} had {share} of possible risk points when it was selected, number {rank} in the "
                        "country.", **begun))  # fmt: skip
    if member.newest is not None:
        said.append(s._("In the newest year the share is {share}.", share=s.percent(member.newest)))
    said.append(s.ngettext("{count} of {all} reports has come.", "{count} of {all} reports have come.", member.arrived,
                           all=len(member.reports)))  # fmt: skip
    if member.overdue:
        said.append(s.ngettext("{count} report is overdue.", "{count} reports are overdue.", member.overdue))
    return Page(f"kommune/{member.code}.html", "cohort_municipality.html.j2", member.name, {
        "member": member, "said": said, "chart": chart, "years": [c.years[t] for t in c.times], "values": values,
        "money": money, "crumb": [], "own": list(zip([c.years[t] for t in c.times], own, others, strict=True)),
    })  # fmt: skip
