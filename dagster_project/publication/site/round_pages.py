"""The pages of a round."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from dagster_project.pages.names import slug
from dagster_project.pages.words import N_
from dagster_project.publication.site import figures, municipality, readings
from dagster_project.publication.site.build import Page
from dagster_project.publication.site.content import AVERAGE, SPREAD, Round, counts_of, is_inside
from dagster_project.publication.site.geography import Geography
from dagster_project.publication.site.speech import Speech

MENU = [
    ("index.html", N_("The round")),
    ("rangering.html", N_("Ranking")),
    ("spredning.html", N_("Spread")),
    ("statsforvaltere.html", N_("County governors")),
    ("usikkerhet.html", N_("Uncertainty")),
    ("grenser.html", N_("Limits")),
    ("endringer.html", N_("Changes")),
    ("kontroll.html", N_("Control")),
    ("metode.html", N_("Method")),
    ("ordliste.html", N_("Glossary")),
]
BIN = 0.05
CLASSES: tuple[tuple[str, float | None, float | None], ...] = (
    ("m0", None, 0.15), ("m1", 0.15, 0.3), ("m2", 0.3, 0.45), ("m3", 0.45, None),
)  # fmt: skip


class _Each(dict[str, dict[str, Any]]):
    """What each municipality's page tells, worked out when it is first asked for."""

    def __init__(self, make: Callable[[str], dict[str, Any]]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, code: str) -> dict[str, Any]:
        self[code] = self._make(code)
        return self[code]


@dataclass(frozen=True)
class RoundSite:
    """The pages of one edition of a round, with what is the same in all languages worked out once."""

    round: Round
    geography: Geography | None = None

    def pages(self, s: Speech) -> Iterator[Page]:
        """All pages in one language."""
        yield self._index(s)
        yield self._ranking(s)
        yield from readings.pages(self.round, s)
        for code in self.round.units:
            yield self._municipality(code, s)

    # the front page

    def _index(self, s: Speech) -> Page:
        r = self.round
        lists = r.selection
        inside = [m for m in lists[AVERAGE] if is_inside(m.row) or m.row["status"] == "selected"]
        behind = [m for m in lists[AVERAGE] if m not in inside]
        return Page("index.html", "index.html.j2", s.title(r.facts), {
            "round": r, "tables": r.tables, "state": s.code(f"round_{r.facts.status}"), "lead": _lead(r, s),
            "next": _next(r, s), "since": _since(r, s), "scale": self.scale, "certain": bool(r.doubt),
            "average": [{"rows": inside}, {"rows": behind}], "spread": lists[SPREAD],
            "placed": {group: r.has_places(group) for group in (AVERAGE, SPREAD)},
            "average_title": _title(r, AVERAGE, s), "spread_title": _title(r, SPREAD, s),
            "average_note": _average_note(r, s), "spread_note": _spread_note(r, s), "kept_out": r.kept_out,
            "not_rated": r.not_rated, "exceptions": r.exceptions, "map": self._map(s),
        })  # fmt: skip

    @cached_property
    def scale(self) -> figures.Scale:
        """One scale for all shares with their intervals, so that pages can be compared."""
        shares = [r["risk_share"] for r in self.round.rated]
        ends = [d[side] for d in self.round.doubt.values() for side in ("share_low", "share_high")]
        return figures.scale_of([*shares, *ends])

    def _map(self, s: Speech) -> Mapping[str, Any] | None:
        r, geography = self.round, self.geography
        if geography is None:
            return None
        chosen = {m.code for group in (AVERAGE, SPREAD) for m in r.chosen(group)}
        places, missing = [], []
        for unit in r.ranking:
            code, name = unit["municipality_code"], unit["municipality_name"] or unit["municipality_code"]
            if code not in geography.outlines:
                missing.append((code, name))
                continue
            share = unit["risk_share"]
            kind = next((k for k, low, high in CLASSES if share is not None and (low is None or share >= low)
                         and (high is None or share < high)), "hid")  # fmt: skip
            framed = f"{kind} on" if code in chosen else kind
            places.append(figures.Place(geography.outlines[code], framed, f"kommune/{code}.html",
                                        f"{name}: {s.percent(share)}"))  # fmt: skip
        places.sort(key=lambda p: p.kind.endswith(" on"))
        label = s._("Map of the municipalities, coloured by share of possible risk points")
        svg = figures.choropleth(geography.width, geography.height, places, label)
        return {"svg": svg, "classes": CLASSES, "missing": sorted(missing), "invented": geography.invented}

    def _ranking(self, s: Speech) -> Page:
        r = self.round
        shares = [u["risk_share"] for u in r.rated if u["risk_share"] is not None]
        top = max(shares, default=0.0)
        edges = [round(BIN * i, 4) for i in range(int(top / BIN) + 2)]
        counts = counts_of(shares, edges)
        last, _ = r.cut
        marks = [] if last is None else [(last / edges[-1], "a")]
        label = s._("Number of municipalities by share of possible risk points")
        lead = s._(
            "{rated} of {all} municipalities are rated. The weakest stand first: a high share is many risk points of "
            "those that were possible.", rated=len(r.rated), all=len(r.ranking),
        )  # fmt: skip
        if r.public and any(u["rank"] is None for u in r.rated):
            lead += " " + s._("Official ranks are not shown; places are those among the municipalities whose share is.")
        return Page("rangering.html", "ranking.html.j2", s._("Ranking"), {
            "lead": lead, "chart": figures.histogram(counts, marks, label), "bin_width": s.whole(round(100 * BIN)),
            "ticks": edges[:: max(1, len(edges) // 6)], "bins": list(zip(edges, edges[1:], counts, strict=False)),
            "rows": r.ranking, "scale": self.scale, "certain": bool(r.doubt), "doubt": r.doubt, "lists": r.on_lists,
            "tables": r.tables,
        })  # fmt: skip

    # the pages of municipalities

    @cached_property
    def _contents(self) -> _Each:
        return _Each(self._content)

    def _content(self, code: str) -> dict[str, Any]:
        content = municipality.content_of(self.round, code)
        doubts = {
            n["municipality_code"]: self.round.doubt[n["municipality_code"]]
            for n in content["neighbours"]
            if n["municipality_code"] in self.round.doubt
        }
        return {**content, "doubts": doubts, "near_scale": self.scale}

    def _shade(self, points: int) -> str:
        rules = self.round.facts.rules.points
        return "p0" if points == 0 else "p3" if points == rules.absolute.value else "p1"

    @cached_property
    def _numbers(self) -> Mapping[str, int]:
        """The number of each file on the page of files."""
        return {sha256: i for i, sha256 in enumerate(self.round.file_names, start=1)}

    def _municipality(self, code: str, s: Speech) -> Page:
        page = self.municipality(code, s, lambda sha256: str(self._numbers.get(sha256, "")))
        content = page.content
        governor = content["unit"]["county_governor"]
        crumb = [(f"statsforvalter/{slug(governor)}.html", governor)] if governor else []
        return replace(page, content={**content, "crumb": crumb, "numbered": True})

    def municipality(self, code: str, s: Speech, file: Callable[[str], str]) -> Page:
        """The page of a municipality, without what ties it to the site. ``file`` names a file by its hash."""
        content = self._contents[code]
        lines, sources = municipality.decision(self.round, code, s)
        return Page(f"kommune/{code}.html", "municipality.html.j2", content["name"], {
            **content, "verdict": municipality.verdict(self.round, code, s), "numbered": False,
            "distance": municipality.distance(self.round, code, s),
            "differences": municipality.changes(self.round, code, s) or None,
            "certainty": municipality.certainty(self.round, code, s), "decision": lines, "sources_of_decision": sources,
            "grid": municipality.grid(content, self._shade, s), "sources": municipality.sources(content, file, s),
            "years": municipality.usual_years(content),
        })  # fmt: skip


def _title(r: Round, group: str, s: Speech) -> str:
    """The heading of a list: its name and how many are on it."""
    chosen, name = len(r.chosen(group)), s.code(group)
    if r.facts.decided:
        return s.ngettext("{group}: {count} selected", "{group}: {count} selected", chosen, group=name)
    if chosen:
        return s.ngettext("{group}: {count} proposed", "{group}: {count} proposed", chosen, group=name)
    candidates = len(r.of_status(group, "candidate"))
    return s.ngettext("{group}: {count} candidate", "{group}: {count} candidates", candidates, group=name)


def _lead(r: Round, s: Speech) -> str:
    """The state of the round in a sentence or two."""
    average, spread = len(r.chosen(AVERAGE)), len(r.chosen(SPREAD))
    candidates, quota = len(r.of_status(SPREAD, "candidate")), r.facts.rules.groups.spread.quota.value
    if r.facts.decided:
        declined = len(r.of_status(AVERAGE, "declined")) + len(r.of_status(SPREAD, "declined"))
        said = s._("{average} municipalities are selected because they have the highest shares of possible risk "
                   "points, and {spread} because of large differences between their schools.",
                   average=average, spread=spread)  # fmt: skip
        more = s.ngettext("{count} municipality declined.", "{count} municipalities declined.", declined)
        return f"{said} {more}" if declined else said
    said = s.ngettext(
        "{count} municipality is proposed because it has the highest share of possible risk points.",
        "{count} municipalities are proposed because they have the highest shares of possible risk points.", average,
    )  # fmt: skip
    if spread:
        more = s.ngettext(
            "{count} more is proposed because of large differences between its schools.",
            "{count} more are proposed because of large differences between their schools.", spread,
        )  # fmt: skip
        return f"{said} {more}"
    if candidates:
        more = s.ngettext(
            "{count} municipality with large differences between its schools has been put to its county governor.",
            "{count} municipalities with large differences between their schools have been put to the county "
            "governors, who prioritise. Up to {quota} of them are selected.", candidates, quota=quota,
        )  # fmt: skip
        return f"{said} {more}"
    return said


def _next(r: Round, s: Speech) -> Mapping[str, Any] | None:
    """What happens next, who is awaited, and until when."""
    f = r.facts
    if f.withdrawn:
        return None
    forms = r.control.forms if r.control else ()
    if f.status == "candidates":
        said = [_awaited(r, s)] if r.awaited else [s._("The county governors prioritise among the candidates.")]
        if f.priorities_due:
            said.append(s._("The deadline was {day}.", day=f.priorities_due) if f.is_overdue
                        else s._("The deadline is {day}.", day=f.priorities_due))  # fmt: skip
        links = [
            (f"../../forms/{name}", s._("The form of {governor}", governor=governor))
            for governor in r.awaited
            if (name := f"prioritering-{slug(governor)}.xlsx") in forms
        ]
        return {
            "said": " ".join(said),
            "links": _from(s, links),
            "then": s._("Then Udir decides on every municipality."),
        }
    if f.status == "prioritised":
        open_ = sum(m.outcome == "proposed" for group in (AVERAGE, SPREAD) for m in r.selection[group])
        said = [s.ngettext("Udir decides on {count} proposed municipality.", "Udir decides on {count} proposed "
                           "municipalities.", open_)] if open_ else [s._("Every proposed municipality is decided "
                           "upon. Udir releases the round.")]  # fmt: skip
        name = f"beslutninger-{f.round}.xlsx"
        links = [(f"../../forms/{name}", s._("The form for decisions"))] if name in forms else []
        due = f.queries_due and s._("Questions about the figures can be sent until {day}.", day=f.queries_due)
        return {"said": " ".join(said), "links": _from(s, links), "then": due}
    if f.status == "final":
        after = f.rules.followup
        years = after.preparatory_years.value + after.implementation_years.value
        begins = dt.date(f.year, after.starts_in_month.value, 1)
        said = [
            s._("The municipalities are followed up for {years} school years, from {day}.", years=years, day=begins)
        ]
        return {"said": " ".join(said), "links": [], "then": None}
    return {"said": s._("The follow-up of this round has ended."), "links": [], "then": None}


def _from(s: Speech, links: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Links from the front page of a language."""
    up = "../" if s.folder else ""
    return [(up + file, name) for file, name in links]


def _awaited(r: Round, s: Speech) -> str:
    return s.ngettext(
        "{names} has not replied.", "{names} have not replied.", len(r.awaited),
        names=s.joined(r.awaited),
    )  # fmt: skip


def _since(r: Round, s: Speech) -> list[str]:
    """What changed since the round before, counted."""
    lines = []
    if r.before is None:
        lines.append(s._("There is no earlier round to compare with."))
    else:
        chosen = [m for group in (AVERAGE, SPREAD) for m in r.chosen(group)]
        new = sum(m.entered for m in r.moves)
        lines.append(s._("Compared with {title}: {new} of {all} municipalities on the list were not on it then.",
                         title=s.title(r.before.facts), new=new, all=len(chosen)))  # fmt: skip
    if r.kept_out:
        lines.append(s.ngettext(
            "{count} municipality is not considered, because it is in the scheme already or by an exception.",
            "{count} municipalities are not considered, because they are in the scheme already or by an exception.",
            len(r.kept_out),
        ))  # fmt: skip
    if r.not_rated:
        lines.append(s.ngettext("{count} municipality is not rated.", "{count} municipalities are not rated.",
                                len(r.not_rated)))  # fmt: skip
    return lines


def _average_note(r: Round, s: Speech) -> str:
    said = s._("The dot is the share of possible risk points.")
    if r.doubt:
        said += " " + s._("The line is what the share could have been with the same pupils on another day.")
        if _uncertain_cut(r):
            said += " " + s._("Around the cut the differences are smaller than the uncertainty.")
    if r.public:
        said += " " + s._("Where no share stands, it would tell a figure on few pupils; official ranks are not shown "
                          "for the same reason.")  # fmt: skip
    return said


def _uncertain_cut(r: Round) -> bool:
    """Whether the last within the cut and the first behind it could have changed places."""
    inside = [m for m in r.selection[AVERAGE] if is_inside(m.row) and m.doubt]
    behind = [m for m in r.selection[AVERAGE] if not is_inside(m.row) and m.doubt]
    return bool(inside and behind) and inside[-1].doubt["share_low"] <= behind[0].doubt["share_high"]


def _spread_note(r: Round, s: Speech) -> str:
    spread, worst = r.facts.rules.groups.spread, r.facts.rules.worst_schools.percent.value
    return s._("Municipalities with a spread between their schools above {level} and at least one school among the "
               "weakest {percent} % of the country.",
               level=s.percent(float(spread.level.value)), percent=s.texts.number(worst))  # fmt: skip
