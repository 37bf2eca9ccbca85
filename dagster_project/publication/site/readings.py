"""The pages of a round beside its front page, its ranking and its municipalities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dagster_project.pages.names import slug
from dagster_project.pages.words import N_, plain_name
from dagster_project.publication.site import figures
from dagster_project.publication.site.build import Page
from dagster_project.publication.site.content import AVERAGE, SPREAD, Listed, Move, Round, counts_of
from dagster_project.publication.site.glossary import TERMS
from dagster_project.publication.site.speech import Speech
from dagster_project.rules.describe import choice_text
from dagster_project.rules.model import Limit, RuleSet

BINS, EVEN, MOST_MOVED = 24, 0.5, 10
WHY = {
    "spread": N_("large differences between its schools"),
    "was_in_scheme": N_("was in the scheme then"),
    "had_declined": N_("declined then"),
    "share_rose": N_("its share has risen"),
    "cut_fell": N_("others are out, so that a lower share is enough"),
    "in_scheme": N_("is in the scheme already"),
    "declined": N_("has declined"),
    "share_fell": N_("its share has fallen"),
    "cut_rose": N_("others have passed it"),
    "not_rated": N_("is not rated"),
    "no_such_number": N_("has another number now"),
    "not_comparable": N_("its shares cannot be compared here"),
}
CAUSES = {
    "data": N_("new or corrected figures"),
    "rule": N_("the rule, the round or a register"),
    "decision": N_("replies, decisions or reports"),
    "code": N_("the program"),
}


def pages(r: Round, s: Speech) -> Iterator[Page]:
    """These pages in one language."""
    yield _spread(r, s)
    yield _governors(r, s)
    for name, listed in r.governors.items():
        yield _governor(r, name, listed, s)
    yield _uncertainty(r, s)
    yield _limits(r, s)
    yield _changes(r, s)
    yield _control(r, s)
    yield _method(r, s)
    yield Page("ordliste.html", "glossary.html.j2", s._("Glossary"), {
        "terms": sorted(((s._(term), s._(meaning)) for term, meaning in TERMS.items()), key=lambda t: t[0].casefold()),
    })  # fmt: skip


def _spread(r: Round, s: Speech) -> Page:
    strips = []
    for m in r.selection[SPREAD]:
        schools = [x for x in r.schools.get(m.code, ()) if x["rated"] and x["risk_share"] is not None]
        dots = [(x["risk_share"], bool(x["worst_quartile"])) for x in schools]
        strips.append((m, figures.strip(figures.Scale(0, 1), dots), len(schools)))
    return Page("spredning.html", "spread.html.j2", s._("Spread between schools"), {
        "strips": strips, "placed": r.has_places(SPREAD),
        "axis_scale": figures.Scale(0, 1), "level": r.facts.rules.groups.spread.level,
        "worst": r.facts.rules.worst_schools.percent.value, "certain": bool(r.doubt), "tables": r.tables,
    })  # fmt: skip


def _reply(r: Round, name: str, listed: Sequence[Listed]) -> str:
    """How far a county governor has come: a code of the page. The public edition does not tell who was a candidate."""
    spread = [m for m in listed if m.row["selection_group"] == SPREAD]
    if not any(r.public or "candidate" in (m.row["arithmetic_status"], m.outcome) for m in spread):
        return "none"
    if r.facts.status != "candidates":
        return "replied"
    if r.public:
        return "asked"
    return "awaited" if name in r.awaited else "replied"


REPLIES = {
    "none": N_("has no candidate"),
    "replied": N_("has replied"),
    "asked": N_("has been asked"),
    "awaited": N_("has not replied"),
}


def _governors(r: Round, s: Speech) -> Page:
    rows = [
        (name, len([m for m in listed if m.row["selection_group"] == SPREAD]),
         len([m for m in listed if m.row["selection_group"] == AVERAGE]), _reply(r, name, listed))
        for name, listed in r.governors.items()
    ]  # fmt: skip
    return Page("statsforvaltere.html", "governors.html.j2", s._("County governors"), {
        "rows": rows, "replies": REPLIES, "due": r.facts.priorities_due, "tables": r.tables,
        "overdue": r.facts.is_overdue,
    })  # fmt: skip


def _governor(r: Round, name: str, listed: list[Listed], s: Speech) -> Page:
    form = f"prioritering-{slug(name)}.xlsx"
    replied = sorted({m.row["replied_by"] for m in listed if m.row.get("replied_by")})
    reply = _reply(r, name, listed)
    return Page(f"statsforvalter/{slug(name)}.html", "governor.html.j2", name, {
        "name": name, "reply": REPLIES[reply], "awaited": reply in ("awaited", "asked"), "replied_by": replied,
        "due": r.facts.priorities_due, "overdue": r.facts.is_overdue,
        "candidates": [m for m in listed if m.row["selection_group"] == SPREAD],
        "average": [m for m in listed if m.row["selection_group"] == AVERAGE],
        "form": form if r.control and form in r.control.forms else None, "certain": bool(r.doubt),
        "crumb": [("statsforvaltere.html", s._("County governors"))],
    })  # fmt: skip


def _uncertainty(r: Round, s: Speech) -> Page:
    listed = {m.code: m for group in (SPREAD, AVERAGE) for m in r.selection[group]}
    rows = sorted(
        (d for d in r.doubt.values() if d["could_be_selected"] or d["unit_code"] in listed),
        key=lambda d: (-d["probability_selected"], d["unit_code"]),
    )
    chosen = {m.code for group in (AVERAGE, SPREAD) for m in r.chosen(group)}
    settled = bool(r.chosen(SPREAD))
    unsure = [
        (d["unit_code"], d["unit_name"], d["probability_average" if not settled else "probability_selected"], inside)
        for d in rows
        for inside in (d["unit_code"] in chosen,)
        if inside != (d["probability_average" if not settled else "probability_selected"] >= EVEN)
    ]
    return Page("usikkerhet.html", "uncertainty.html.j2", s._("How certain the list is"), {
        "rows": rows, "listed": listed, "draws": max((d["draws"] for d in rows), default=0), "unsure": unsure,
        "tables": r.tables,
    })  # fmt: skip


def _limits(r: Round, s: Speech) -> Page:
    shown = []
    for indicator, grade, years in r.lines:
        rule = r.facts.indicators[indicator]
        rows = [r.limits[indicator, grade, year] for year in years]
        values = r.school_values(indicator, grade, years[-1])
        newest = rows[-1]
        limits = [(float(newest[f"{side}_limit"]), kind) for side, kind in (("national", "n"), ("absolute", "a"))
                  if newest[f"{side}_limit"] is not None]  # fmt: skip
        chart, edges, counts = None, [], []
        if values:
            scale = figures.scale_of([*values, *(v for v, _ in limits)])
            edges = [scale.low + (scale.high - scale.low) * i / BINS for i in range(BINS + 1)]
            counts = counts_of(values, edges)
            label = s._("Distribution of {name} between schools in {year}, with both limits",
                        name=s.grade(indicator, grade), year=years[-1] or "")  # fmt: skip
            chart = figures.histogram(counts, [(scale.at(v) / 100, kind) for v, kind in limits], label)
        shown.append({
            "name": s.grade(indicator, grade), "rule": rule, "rows": rows, "chart": chart, "edges": edges,
            "bins": list(zip(edges, edges[1:], counts, strict=False)), "digits": rule.decimals.value,
            "schools": len(values), "year": years[-1],
            "found": {side: choice_text(getattr(rule, side), s.texts) for side in ("national", "absolute")},
        })  # fmt: skip
    return Page("grenser.html", "limits.html.j2", s._("Limits"), {"shown": shown, "tables": r.tables})


def why(move: Move, s: Speech) -> str:
    """The reason of a move in words."""
    said = s._(WHY[move.why])
    return f"{said} ({plain_name(move.ground)})" if move.ground else said


def _changes(r: Round, s: Speech) -> Page:
    causes = [s._(CAUSES[c]) for c in (r.control.causes if r.control else ())]
    moved: list[tuple[str, str, float, float]] = []
    if r.before is not None:
        then = {u["municipality_code"]: u for u in r.before.tables.rows("municipality_ranking")}
        moved = sorted(
            (
                (u["municipality_code"], u["municipality_name"] or "", then[u["municipality_code"]]["risk_share"],
                 u["risk_share"])
                for u in r.rated
                if u["risk_share"] is not None
                and then.get(u["municipality_code"], {}).get("risk_share") is not None
            ),
            key=lambda row: (row[3] - row[2], row[0]),
        )  # fmt: skip
    return Page("endringer.html", "changes.html.j2", s._("Changes"), {
        "entered": [(m, why(m, s)) for m in r.moves if m.entered],
        "left": [(m, why(m, s)) for m in r.moves if not m.entered],
        "before": r.before, "causes": s.joined(causes), "better": moved[:MOST_MOVED],
        "worse": moved[:-MOST_MOVED - 1 : -1], "moved": len(moved),
    })  # fmt: skip


def _control(r: Round, s: Speech) -> Page:
    needed = [i for i in r.tables.rows("round_inputs") if i["needed"]]
    control = r.control
    failed = [c for c in control.checks if not c["passed"]] if control else []
    files: Sequence[Mapping[str, Any]] = control.files if control else [
        {"file": f.file, "sha256": f.sha256, "datasets": f.datasets, "school_years": f.school_years}
        for f in r.facts.sources
    ]  # fmt: skip
    return Page("kontroll.html", "control.html.j2", s._("Control"), {
        "needed": needed, "missing": [i for i in needed if not i["in_force"]], "control": control, "failed": failed,
        "files": files, "tables": r.tables,
    })  # fmt: skip


def assumed(rules: RuleSet, s: Speech) -> list[str]:
    """The choices of a rule that nobody has published, in words."""
    named = []
    for path, entry in rules.sourced():
        if entry.basis != "placeholder":
            continue
        owner = next((i.name for i in rules.indicators if path.startswith(f"indicators.{i.name}.")), None)
        if owner is None or not isinstance(entry, Limit):
            named.append(s._("the spread that a candidate must have: above {level}",
                             level=s.percent(float(rules.groups.spread.level.value))))  # fmt: skip
        elif path.endswith(".national"):
            named.append(s._("the national limit of {indicator}: {how}", indicator=s.code(owner),
                             how=choice_text(entry, s.texts)))  # fmt: skip
        else:
            named.append(s._("the absolute limit of {indicator}: {how}", indicator=s.code(owner),
                             how=choice_text(entry, s.texts)))  # fmt: skip
    return named


def assumed_in_short(rules: RuleSet, s: Speech) -> str:
    """What is assumed, in one line: the limits by indicator, and the spread."""
    paths = rules.placeholders
    parts = []
    for side, name in (("national", N_("national limit")), ("absolute", N_("absolute limit"))):
        of = [s.code(i.name) for i in rules.indicators if f"indicators.{i.name}.{side}" in paths]
        parts += [s._("{limit} of {indicators}", limit=s._(name), indicators=s.joined(of))] if of else []
    if any(not path.startswith("indicators.") for path in paths):
        parts.append(s._("the spread that a candidate must have"))
    return "; ".join(parts)


def _method(r: Round, s: Speech) -> Page:
    rules = r.facts.rules
    choices = [
        (path, choice_text(entry, s.texts), s.code(entry.basis), rules.sources[entry.source].text, entry.note or "")
        for path, entry in rules.sourced()
    ]
    return Page(
        "metode.html",
        "method.html.j2",
        s._("Method"),
        {"rules": rules, "assumed": assumed(rules, s), "choices": choices},
    )
