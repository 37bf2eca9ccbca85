"""The page of a municipality: the verdict in a sentence, then what it rests on, down to the cells of the files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from dagster_project.pages.words import N_, plain_name
from dagster_project.publication.sentences import outcome_sentences, outcome_sources
from dagster_project.publication.site import figures
from dagster_project.publication.site.content import AVERAGE, SPREAD, Listed, Round, is_inside, rank_of
from dagster_project.publication.site.facts import Facts
from dagster_project.publication.site.speech import Speech
from dagster_project.publication.site.tables import Row

NEAREST = 3
WHY_NOT_RATED = N_("{name} is not rated: {reason}.")
HIDDEN_SHARE = N_("The share of {name} is not shown, because it would tell a figure on few pupils.")


DISTANCE = {
    (True, False): N_("The highest share outside the list is {other}."),
    (False, False): N_("The lowest share on the list is {other}."),
    (True, True): N_("The highest share outside the list, of those that are shown, is {other}."),
    (False, True): N_("The lowest share on the list, of those that are shown, is {other}."),
}
"""Of the nearest share on the other side of the cut: whether the municipality is inside, and the edition public."""


@dataclass(frozen=True)
class Near:
    """A figure of a municipality close to a limit: how far, in units of its last decimal."""

    indicator: str
    grade: int | None
    school_year: str | None
    value: Any
    limit: Any
    side: str
    pupils: int | None
    decimals: int
    steps: int


@dataclass(frozen=True)
class Sourced:
    """A figure with its place on the page, and the row it stands in."""

    number: int
    row: Row | None
    year: str | None


def content_of(round_: Round, code: str) -> dict[str, Any]:
    """What the page tells in any language."""
    unit = round_.units[code]
    cells = round_.cells.get(code, {})
    number, lines = 0, []
    for indicator, grade, years in round_.lines:
        row = []
        for year in years:
            number += 1
            row.append(Sourced(number, cells.get((indicator, grade, year)), year))
        lines.append((indicator, grade, row))
    return {
        "round": round_, "facts": round_.facts, "unit": unit, "code": code,
        "name": unit["municipality_name"] or code, "doubt": round_.doubt.get(code),
        "listed": round_.on_lists.get(code, []), "lines": lines,
        "neighbours": round_.neighbours(code), "schools": round_.schools.get(code, []),
        "earlier": round_.earlier_codes.get(code, []),
        "recomputed": sorted({c["school_year"] or "" for c in cells.values() if c["value_basis"] == "recomputed"}),
        "near": nearest(round_.facts, cells.values()),
        "exceptions": round_.exceptions.get(code, []),
        "frozen": all(len({c.row["absolute_limit"] for c in row if c.row}) <= 1 for _, _, row in lines),
        "charts": [_lines_of(row) for _, _, row in lines],
        "hidden": sum(c["points"] is None and c["state"] != "no_participants" for c in cells.values()),
    }  # fmt: skip


def nearest(facts: Facts, cells: Any) -> list[Near]:
    """The shown figures that lie closest to one of their limits."""
    found = []
    for c in cells:
        decimals = facts.indicators[c["indicator"]].decimals.value
        for side in ("national", "absolute"):
            if c["value"] is not None and (limit := c[f"{side}_limit"]) is not None:
                steps = round(abs(c["value"] - limit) * 10**decimals)
                found.append(Near(c["indicator"], c["grade"], c["school_year"], c["value"], limit, side, c["n_pupils"],
                                  decimals, steps))  # fmt: skip
    found.sort(key=lambda n: (n.steps, n.indicator, n.grade or 0, n.school_year or "", n.side))
    return found[:NEAREST]


def verdict(round_: Round, code: str, s: Speech) -> list[str]:
    """The outcome in sentences that need no knowledge of the scheme."""
    unit, facts = round_.units[code], round_.facts
    name = unit["municipality_name"] or code
    if not unit["rated"]:
        return [s._(WHY_NOT_RATED, name=name, reason=s.code(unit["not_rated_reason"]))]
    lines = [_share(round_, unit, name, s)]
    listed = round_.on_lists.get(code, [])
    for m in listed:
        lines += _standing(round_, m, s)
    if not listed:
        lines.append(
            s._("The municipality is not selected.") if facts.decided else s._("The municipality is not proposed.")
        )
    doubt = round_.doubt.get(code)
    if doubt is not None and doubt["could_be_selected"]:
        lines.append(s._(
            "If the figures are recalculated with the uncertainty that lies in few pupils, the rule takes the "
            "municipality {n} of 100 times: {average} in the average-based selection, {spread} in the spread-based "
            "one.",
            n=s.of_hundred(doubt["probability_selected"]), average=s.of_hundred(doubt["probability_average"]),
            spread=s.of_hundred(doubt["probability_spread"]),
        ))  # fmt: skip
    return lines


def certainty(round_: Round, code: str, s: Speech) -> str | None:
    """Where rank and share would have been on another day; None where the edition does not tell."""
    doubt = round_.doubt.get(code)
    if doubt is None:
        return None
    return s._(
        "If the same pupils had answered on another day, the rank would be between {low} and {high} in {level} of "
        "cases, and the share between {low_share} and {high_share}.",
        low=s.whole(doubt["rank_low"]), high=s.whole(doubt["rank_high"]), level=s.percent(doubt["level"], 0),
        low_share=s.percent(doubt["share_low"]), high_share=s.percent(doubt["share_high"]),
    )  # fmt: skip


def _share(round_: Round, unit: Row, name: str, s: Speech) -> str:
    if unit["risk_share"] is None:
        return s._(HIDDEN_SHARE, name=name)
    values = {
        "name": name, "points": s.texts.number(unit["points"]), "possible": s.texts.number(unit["possible_points"]),
        "share": s.percent(unit["risk_share"]), "rank": s.whole(rank_of(unit)), "all": s.whole(len(round_.rated)),
    }  # fmt: skip
    if unit["rank"] is None:
        shown = sum(r["risk_share"] is not None for r in round_.rated)
        return s._("{name} has {points} of {possible} possible risk points, {share}. That is number {rank} of the "
                   "{all} municipalities whose share is shown, the weakest first.",
                   **{**values, "all": s.whole(shown)})  # fmt: skip
    return s._("{name} has {points} of {possible} possible risk points, {share}. That is number {rank} of {all} rated "
               "municipalities, the weakest first.", **values)  # fmt: skip


def _standing(round_: Round, m: Listed, s: Speech) -> list[str]:
    """What a municipality is on one list."""
    rules, group = round_.facts.rules.groups, m.row["selection_group"]
    if m.row["status"] == "excluded" and m.row["decided_on"] is None:
        return [_kept_out(round_, m, s)]
    quota = (rules.average if group == AVERAGE else rules.spread).quota.value
    said = {
        (AVERAGE, "proposed"): N_("It is proposed, as one of the {quota} with the highest shares that can be taken."),
        (AVERAGE, "placed"): N_(
            "It is proposed, as number {place} of the {quota} with the highest shares that can be taken."
        ),
        (AVERAGE, "selected"): N_("It is selected, as one of the {quota} with the highest shares that could be taken."),
        (AVERAGE, "reserve"): N_("It is on the reserve list of the {quota} with the highest shares."),
        (SPREAD, "proposed"): N_("It is proposed because of large differences between its schools."),
        (SPREAD, "selected"): N_("It is selected because of large differences between its schools."),
        (SPREAD, "reserve"): N_("It is in reserve among those with large differences between their schools."),
        (SPREAD, "candidate"): N_(
            "It is a candidate because of large differences between its schools: the county governor is to prioritise."
        ),
    }
    if (group, m.outcome) == (AVERAGE, "proposed") and m.place is not None:
        return [s._(said[AVERAGE, "placed"], quota=quota, place=m.place)]
    if (group, m.outcome) in said:
        return [s._(said[group, m.outcome], quota=quota)]
    if m.outcome == "declined":
        return [s._("It was offered follow-up and declined.")]
    return [s._("Udir has decided that it is kept out of this round.")]


def _kept_out(round_: Round, m: Listed, s: Speech) -> str:
    for ground in round_.exceptions.get(m.code, ()):
        if ground["basis"] == "cohort":
            return s._("It is not considered in this round, because it is in the scheme already ({cohort}).",
                       cohort=plain_name(ground["ground"]))  # fmt: skip
        return s._("It is not considered in this round: {ground}.", ground=ground["ground"].rstrip("."))
    return s._("It is not considered in this round.")


def distance(round_: Round, code: str, s: Speech) -> str | None:
    """How far the municipality is from the other side of the cut, in share and in points of its own."""
    unit = round_.units[code]
    share, (last, first) = unit["risk_share"], round_.cut
    listed = [m for m in round_.on_lists.get(code, ()) if m.row["selection_group"] == AVERAGE]
    if share is None or any(m.row["status"] == "excluded" for m in listed):
        return None
    inside = any(is_inside(m.row) for m in listed)
    other = first if inside else last
    if other is None:
        return None
    gap = abs(share - other)
    values = {
        "other": s.percent(other), "gap": s.rounded(100 * gap, 1),
        "points": s.rounded(gap * float(unit["possible_points"]), 1),
        "order": s.joined([s.code(name) for name in round_.facts.rules.tie_breaks.value]),
    }  # fmt: skip
    said = DISTANCE[inside, round_.public]
    rest = N_("It is {gap} percentage points away, which is {points} of the municipality's risk points.")
    if gap == 0:
        rest = N_("The shares are equal. The order is then decided by: {order}.")
    return f"{s._(said, **values)} {s._(rest, **values)}"


def change_text(unit: str, row: Mapping[str, Any], group: str, taken: bool, s: Speech) -> str:
    """One figure as it would have had to be for another outcome, in a sentence."""
    values = {
        "unit": unit, "figure": " ".join(filter(None, (s.grade(row["indicator"], row["grade"]), row["school_year"]))),
        "needed": s.texts.number(row["needed"]), "published": s.texts.number(row["published"]), "group": s.code(group),
    }  # fmt: skip
    if taken:
        return s._("{unit}, {figure}: {needed} instead of {published}, and it would be on the list ({group})", **values)
    return s._("{unit}, {figure}: {needed} instead of {published}, and it would not be on the list ({group})", **values)


def changes(round_: Round, code: str, s: Speech) -> list[str]:
    """The smallest changes of the municipality's own figures that would have moved it over the cut."""
    name = round_.units[code]["municipality_name"] or code
    return [
        change_text(name, {**r, "needed": r["needed_value"], "published": r["value"]}, AVERAGE, r["selected_after"], s)
        + "."
        for r in round_.changes.get(code, ())[:NEAREST]
    ]


def decision(round_: Round, code: str, s: Speech) -> tuple[list[str], list[str]]:
    """The steps to the outcome, and where reply and decision stand. The public edition has the day only."""
    lines, sources = [], []
    for m in round_.on_lists.get(code, ()):
        if round_.public:
            if m.row["decided_on"] is not None:
                lines.append(s._("Decided on: {day}.", day=m.row["decided_on"]))
            if m.row["governor_priority"] is not None:
                lines.append(s._("The county governor gives it priority {priority}.",
                                 priority=m.row["governor_priority"]))  # fmt: skip
            continue
        lines += outcome_sentences(m.row, round_.exceptions.get(code, ()), s.texts)
        sources += outcome_sources(m.row, round_.file_names, s.texts)
    return lines, sources


def _lines_of(row: Sequence[Sourced]) -> Markup:
    """The lines of the chart of one indicator and grade."""
    columns = ("value", "national_limit", "absolute_limit")
    return figures.spark(
        *([None if c.row is None or c.row[column] is None else float(c.row[column]) for c in row] for column in columns)
    )


Shaded = tuple[str, str, str, int]
GridLine = tuple[str, str, list[Shaded], Markup]


def grid(content: Mapping[str, Any], shade: Callable[[int], str], s: Speech) -> list[GridLine]:
    """The points as a grid: a line for each indicator and grade with what is particular about it, and its cells.

    A cell is a colour, the value, the points and the number of its source. The lines of a small chart stand at the end.
    """
    found, usual = [], usual_years(content)
    for (indicator, grade, row), chart in zip(content["lines"], content["charts"], strict=True):
        rule = content["facts"].indicators[indicator]
        cells: list[Shaded] = []
        for c in row:
            points = None if c.row is None else c.row["points"]
            if points is not None and c.row is not None:
                value = s.rounded(c.row["value"], rule.decimals.value)
                cells.append((shade(points), value, f"{points} {s._('p.')}", c.number))
            elif c.row is not None and c.row["state"] in ("observed", "suppressed"):
                cells.append(("hid", s._("hidden"), "", c.number))
            else:
                cells.append(("none", s._("none"), "", 0))
        notes = [s._("counts {n} times", n=s.texts.number(rule.weight.value))] if rule.weight.value != 1 else []
        years = [c.year or "" for c in row]
        if years != usual:
            notes.append(", ".join(years))
        name = s.grade(indicator, grade)
        found.append((name, "; ".join(notes), cells, chart))
    return found


def usual_years(content: Mapping[str, Any]) -> list[str]:
    """The school years that most lines have, in order."""
    counted = Counter(tuple(c.year or "" for c in row) for _, _, row in content["lines"])
    return list(counted.most_common(1)[0][0]) if counted else []


def sources(
    content: Mapping[str, Any], file: Callable[[str], str], s: Speech
) -> list[tuple[str, list[tuple[int, Markup]]]]:
    """Every figure with its limits and its place: for each indicator and grade the number and the cells of each line.

    What all lines of an indicator share stands beside its name: the column of the file, and a limit that is frozen.
    """
    public, found = content["round"].public, []
    between = Markup("</td><td>")
    for indicator, grade, row in content["lines"]:
        digits = content["facts"].indicators[indicator].decimals.value
        columns = {c.row["source_column"] for c in row if c.row is not None and c.row["source_column"]}
        lines = []
        for number, cell, year in ((c.number, c.row, c.year) for c in row):
            if cell is None:
                continue
            status = cell["publication"] if public and cell["publication"] != "shown" else cell["state"]
            place = file(cell["source_sha256"]) if cell["source_sha256"] else s.code(cell["value_basis"])
            lines.append((number, between.join((
                year or "", s.code(status) if cell["value"] is None else s.rounded(cell["value"], digits),
                s.whole(cell["n_pupils"]), s.rounded(cell["national_limit"], digits),
                *(() if content["frozen"] else [s.rounded(cell["absolute_limit"], digits)]), place,
                str(cell["source_row"] if cell["source_row"] is not None else ""),
                *([cell["source_column"] or ""] if len(columns) > 1 else ()),
            ))))  # fmt: skip
        name = s.grade(indicator, grade)
        if content["frozen"]:
            limit = next((c.row["absolute_limit"] for c in row if c.row is not None), None)
            name = s._("{name}, absolute limit {limit}", name=name, limit=s.rounded(limit, digits))
        if len(columns) == 1:
            name = s._("{name}, column {column}", name=name, column=next(iter(columns)))
        found.append((name, lines))
    return found
