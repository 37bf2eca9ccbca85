"""An explanation in words and tables for whoever checks it, once for all renderers: terminal, page and PDF."""

from __future__ import annotations

import datetime as dt
from typing import Any

from dagster_project.audit.counterfactual import FigureChange
from dagster_project.audit.explain import Explanation
from dagster_project.pages.document import Document, Section, Table
from dagster_project.pages.words import Texts, texts
from dagster_project.publication.sentences import outcome_sentences, outcome_sources
from dagster_project.publication.site.readings import assumed_in_short
from dagster_project.publication.site.speech import speech
from dagster_project.rules.describe import choice_text

SHORT = 12
SHOWN_DIFFERENCES = 8
QUARTILE = "worst_quartile"


def document_of(e: Explanation, lang: str) -> Document:
    """Decision first, then the arithmetic down to the cells, then the rule and how it was computed."""
    t, m = texts(lang), e.manifest
    warnings = []
    if m.get("withdrawn"):
        warnings.append(t._("WITHDRAWN: {reason}", reason=m["withdrawn"]["reason"]))
    if m["data_origin"] == "fictional":
        warnings.append(t._("FICTIONAL DATA: no school or municipality here exists."))
    warnings += [t._("INCOMPLETE, computed without: {gap}", gap=gap) for gap in m.get("accepted_gaps", ())]
    if m["illustrative"]:
        warnings.append(t.ngettext(
            "ILLUSTRATIVE: {count} limit is assumed, not Udir's: {names}.",
            "ILLUSTRATIVE: {count} limits are assumed, not Udir's: {names}.",
            len(m["placeholders"]), names=assumed_in_short(e.published.rules, speech(lang)),
        ))  # fmt: skip
    name = f"{e.code} {e.unit[f'{e.level}_name'] or ''}".strip()
    subtitle = t._("{title} ({round}), revision {revision}", title=m["title"], round=m["round"], revision=m["revision"])
    makers = (_decision, _share, _doubt, _differ, _neighbours, _points, _limits, _schools, _sources, _rule, _provenance)
    sections = [section for make in makers if (section := make(e, t)) is not None]
    return Document(
        lang, name, subtitle, dt.datetime.fromisoformat(m["created_at"]), m["data_origin"] == "fictional",
        tuple(warnings), tuple(sections),
    )  # fmt: skip


def _decision(e: Explanation, t: Texts) -> Section:
    unit = e.unit
    lines = [
        line
        for row in e.decisions
        for line in (*outcome_sentences(row, e.exceptions, t), *outcome_sources(row, e.published.file_names, t))
    ]
    if not e.decisions:
        lines.append(t._("Not selected in either group."))
    if not unit["rated"]:
        lines.append(t._("Not rated: {reason}.", reason=t.code(unit["not_rated_reason"])))
    if e.level == "school":
        lines.append(t._("Among the country's weakest schools: {answer}.", answer=t.yes_or_no(unit[QUARTILE])))
        name = f"{unit['municipality_code']} {unit['municipality_name'] or ''}".strip()
        lines.append(t._("Municipality: {name}", name=name))
    else:
        lines.append(t._(
            "Spread between the schools: {spread} (must be above {level}). Rated schools: {schools}. Of these among "
            "the country's weakest: {weakest}.",
            spread=unit["school_spread"], schools=unit["rated_schools"], weakest=unit["schools_in_worst_quartile"],
            level=e.published.rules.groups.spread.level.value,
        ))  # fmt: skip
    if unit["county_governor"]:
        lines.append(t._("County governor: {name}.", name=unit["county_governor"]))
    return Section("decision", t._("The outcome"), tuple(lines))


def _share(e: Explanation, t: Texts) -> Section:
    u = e.unit
    lines = [
        t._("{points} of {possible} possible risk points = {share}; rank {rank}.", points=u["points"],
            possible=u["possible_points"], share=t.percent(u["risk_share"], 4), rank=u["rank"]),
        t._("Coverage {coverage}: figures worth {possible} of {applicable} possible points are visible. The share "
            "would be {best} if every hidden figure were the best possible, and {worst} if every one were the worst.",
            coverage=t.percent(u["coverage"]), possible=u["possible_points"], applicable=u["applicable_points"],
            best=t.percent(u["share_if_hidden_best"]), worst=t.percent(u["share_if_hidden_worst"])),
        t._("Hidden figures: {hidden}. Figures where nobody took part: {empty}.",
            hidden=sum(c["state"] == "suppressed" for c in e.cells),
            empty=sum(c["state"] == "no_participants" for c in e.cells)),
    ]  # fmt: skip
    if margin := e.margin:
        lines.append(t._("Number {place} of the municipalities that can be selected; the quota is {quota}.",
                         place=margin.place, quota=margin.quota))  # fmt: skip
        values = {
            "rival": f"{margin.rival} {margin.rival_name}", "share": t.percent(margin.rival_share, 4),
            "distance": round(100 * margin.share, 4), "points": round(margin.points, 2),
        }  # fmt: skip
        if margin.taken:
            lines.append(t._("Distance to the first municipality outside the quota, {rival} ({share}): {distance} "
                             "percentage points, or {points} risk points.", **values))  # fmt: skip
        else:
            lines.append(t._("Distance to the last municipality within the quota, {rival} ({share}): {distance} "
                             "percentage points, or {points} risk points.", **values))  # fmt: skip
        if margin.share == 0:
            order = ", ".join(t.code(name) for name in e.published.rules.tie_breaks.value)
            lines.append(t._("The shares are equal. The order is then decided by: {order}.", order=order))
    return Section("share", t._("Share of possible risk points"), tuple(lines))


def _cell_names(cell: Any, t: Texts) -> tuple[str, str, str]:
    indicator, grade, year = (
        (cell["indicator"], cell["grade"], cell["school_year"]) if isinstance(cell, dict)
        else (cell.indicator, cell.grade, cell.school_year)
    )  # fmt: skip
    return t.code(indicator), t.number(grade), year or ""


def _cell_titles(t: Texts) -> tuple[str, str, str]:
    return t._("indicator"), t._("grade"), t._("school year")


def _doubt(e: Explanation, t: Texts) -> Section | None:
    own = e.doubt.get(e.code)
    if own is None:
        return None
    level = t.percent(own["level"], 0)
    within = t._(
        "The figures are means over few pupils. If the same pupils had answered on another day, the rank would be "
        "between {low} and {high} in {level} of cases, and the share between {low_share} and {high_share}.",
        low=own["rank_low"], high=own["rank_high"], level=level, low_share=t.percent(own["share_low"]),
        high_share=t.percent(own["share_high"]),
    )  # fmt: skip
    together = {"low": own["rank_set_simultaneous_low"], "high": own["rank_set_simultaneous_high"], "level": level}
    if e.level == "municipality":
        taken = t._(
            "Recalculated {draws} times with random variation, the municipality is selected in {selected} of the "
            "recalculations: in {average} by the average-based selection, and in {spread} by the spread-based one.",
            draws=own["draws"],
            **{name: t.percent(own[f"probability_{name}"]) for name in ("selected", "average", "spread")},
        )  # fmt: skip
        if own["rank_set_low"] is None:
            sets = t._("The rank can be from {low} to {high} if this is to hold for all municipalities at once "
                       "({level} confidence).", **together)  # fmt: skip
        else:
            sets = t._(
                "The rank can be from {own_low} to {own_high} for this municipality alone, and from {low} to {high} if "
                "this is to hold for all municipalities at once ({level} confidence).",
                own_low=own["rank_set_low"], own_high=own["rank_set_high"], **together,
            )  # fmt: skip
    else:
        taken = t._("The school is among the country's weakest in {weakest} of {draws} recalculations with random "
                    "variation.", weakest=t.percent(own["probability_worst_quartile"]), draws=own["draws"])  # fmt: skip
        sets = t._("The rank can be from {low} to {high} if this is to hold for all schools at once "
                   "({level} confidence).", **together)  # fmt: skip
    lines = (within, taken, sets, t._("This never changes the list."))
    return Section("doubt", t._("How certain the rank is"), lines)


def _differ(e: Explanation, t: Texts) -> Section:
    title = t._("What would have changed the outcome")
    if e.differences is None:
        text = t._("This cannot be computed: today's models do not give the figures of this revision.")
        if e.whole_round and not e.decisions:
            text = t._("The municipality is on neither list. Run `oppfolging explain` to see which changes would have "
                       "put it on one.")  # fmt: skip
        return Section("differ", title, (text,))
    if not e.differences:
        return Section("differ", title, (t._("No change in a single published figure would change the outcome."),))
    text = t._(
        "Each line is the smallest change in one figure that is enough to change the outcome of the rule when all "
        "other figures stay as they are. A step is one unit in the last decimal; one step less would not be enough."
    )
    shown = [
        d
        for outcome in dict.fromkeys(d.outcome for d in e.differences)
        for d in [d for d in e.differences if d.outcome == outcome][:SHOWN_DIFFERENCES]
    ]
    left = len(e.differences) - len(shown)
    more = t.ngettext("{count} larger change is not shown.", "{count} larger changes are not shown.", left)
    titles = (
        t._("outcome"), t._("unit"), *_cell_titles(t), t._("value"), t._("would have to be"), t._("steps"),
        t._("in pupils"), t._("points before and after"), t._("share after"), t._("spread after"),
    )  # fmt: skip
    table = Table(titles, tuple(_difference(d, t) for d in shown), frozenset({3, 5, 6, 7, 10, 11}), about=5)
    return Section("differ", title, (text, more) if left else (text,), table)


def _difference(d: FigureChange, t: Texts) -> tuple[str, ...]:
    if d.pupils is not None:
        people = t._("{changed} of {pupils} pupils", changed=d.pupils, pupils=d.n_pupils)
    elif d.sum_change is not None:
        people = t._("{total} in total for {pupils} pupils", total=d.sum_change, pupils=d.n_pupils)
    else:
        people = ""
    if d.outcome == QUARTILE:
        outcome = t._("among the country's weakest") if d.after else t._("not among the country's weakest")
    else:
        outcome = f"{t.code(d.outcome)}: {t.code('selected') if d.after else t._('not selected')}"
    return (
        outcome, f"{d.unit_code} {d.unit_name or ''}".strip(), *_cell_names(d, t), t.number(d.published),
        t.number(d.needed), str(d.steps), people, f"{d.points_before} → {d.points_after}",
        t.percent(d.share_after), t.number(None if d.spread_after is None else round(d.spread_after, 4)),
    )  # fmt: skip


def _neighbours(e: Explanation, t: Texts) -> Section | None:
    if not e.neighbours:
        return None
    rows = tuple(
        (
            str(r["rank"]), f"{r[f'{e.level}_code']} {r[f'{e.level}_name']}", t.percent(r["risk_share"], 4),
            t.number(r["points"]), t.number(r["possible_points"]),
            *_certainty(e.doubt.get(r[f"{e.level}_code"]), e.level, t),
        )
        for r in e.neighbours
    )  # fmt: skip
    probability = {
        "municipality": t._("selected, part of recalculations"),
        "school": t._("among the weakest, part of recalculations"),
    }[e.level]
    titles = (
        t._("rank"), t.code(e.level), t._("share"), t._("weighted points"), t._("possible points"),
        t._("rank from and to"), probability,
    )  # fmt: skip
    shown = 7 if e.doubt else 5
    table = Table(titles[:shown], rows, frozenset(range(shown)) - {1}, about=2)
    return Section("neighbours", t._("Neighbours in the ranking"), (), table)


def _certainty(doubt: dict[str, Any] | None, level: str, t: Texts) -> tuple[str, ...]:
    """How certain a rank is, shown next to it."""
    if doubt is None:
        return ()
    chance = doubt["probability_selected" if level == "municipality" else "probability_worst_quartile"]
    return f"{doubt['rank_low']}–{doubt['rank_high']}", t.percent(chance, 0)


def _points(e: Explanation, t: Texts) -> Section:
    numbers = ("value", "n_pupils", "national_limit", "absolute_limit", "points", "weight", "weighted_points",
               "possible_points")  # fmt: skip
    rows = tuple((*_cell_names(c, t), t.code(c["state"]), *(t.number(c[name]) for name in numbers)) for c in e.cells)
    titles = (
        *_cell_titles(t), t._("state"), t._("value"), t._("pupils"), t._("national limit"), t._("absolute limit"),
        t._("points"), t._("weight"), t._("weighted points"), t._("possible points"),
    )  # fmt: skip
    total = (t._("sum"), *[""] * 9, t.number(e.unit["points"]), t.number(e.unit["possible_points"]))
    table = Table(titles, rows, frozenset({1, *range(4, 12)}), total, about=3)
    return Section("points", t._("The points, figure by figure"), (), table)


def _limits(e: Explanation, t: Texts) -> Section:
    sides = {"national": t._("national limit"), "absolute": t._("absolute limit")}
    rows = tuple(
        (
            *_cell_names(cell, t), name, t.number(cell[f"{side}_limit"]), *_how(e, cell, side, t),
            *_where(cell[f"{side}_source"]),
        )
        for cell in e.cells
        for side, name in sides.items()
    )  # fmt: skip
    titles = (*_cell_titles(t), t._("limit"), t._("value"), t._("how"), t._("basis"), *_where_titles(t))
    return Section("limits", t._("The limits and where they come from"), (),
                   Table(titles, rows, frozenset({1, 4, 9, 11}), about=4))  # fmt: skip


def _how(e: Explanation, cell: dict[str, Any], side: str, t: Texts) -> tuple[str, str]:
    """How a limit was found, and what that rests on."""
    rule = getattr(next(i for i in e.published.rules.indicators if i.name == cell["indicator"]), side)
    values = {
        "schools": cell[f"{side}_schools"], "year": cell[f"{side}_base_year"] or cell["school_year"] or "",
        "worse": cell[f"{side}_schools_worse"], "equal": cell[f"{side}_schools_on_limit"],
        "percentile": rule.percentile, "k": rule.k,
    }  # fmt: skip
    # many schools share a figure of one decimal, so the weakest tenth is rarely a tenth
    percentile = (
        t._("the weakest {percentile} % of {schools} schools in {year}", **values) if values["worse"] is None
        else t._("the weakest {percentile} % of {schools} schools in {year}: {worse} are worse than the limit, {equal} "
                 "are equal to it", **values)
    )  # fmt: skip
    how = {
        "published": t._("published national figure"),
        "fixed": t._("set by the rule"),
        "percentile": percentile,
        "mean_sd": t._("mean and {k} standard deviations, {schools} schools in {year}", **values),
    }
    return how[cell[f"{side}_method"] or rule.method], t.code(rule.basis)


def _where(source: dict[str, Any] | None) -> tuple[str, str, str, str, str]:
    if source is None:
        return ("", "", "", "", "")
    raw = "" if source["raw"] is None else f"«{source['raw']}»"
    return str(source["file"]), source["sha256"][:SHORT], str(source["line"]), source["column"], raw


def _where_titles(t: Texts) -> tuple[str, str, str, str, str]:
    return t._("file"), "SHA-256", t._("line"), t._("column"), t._("cell")


def _schools(e: Explanation, t: Texts) -> Section | None:
    if not e.schools:
        return None
    rows = tuple(
        (
            s["school_code"], s["school_name"] or "", str(s["rank"] or "-"), t.percent(s["risk_share"]),
            t.number(s["points"]), t.number(s["possible_points"]), t.percent(s["coverage"]),
            t._("yes") if s[QUARTILE] else t.code(s["not_rated_reason"]) if not s["rated"] else "",
        )
        for s in e.schools
    )  # fmt: skip
    titles = (
        t._("unit"), t.code("school"), t._("rank"), t._("share"), t._("weighted points"), t._("possible points"),
        t._("coverage"), t._("among the country's weakest"),
    )  # fmt: skip
    return Section("schools", t._("The municipality's schools"), (),
                   Table(titles, rows, frozenset({2, 3, 4, 5, 6}), about=2))  # fmt: skip


def _sources(e: Explanation, t: Texts) -> Section:
    text = t._("Lines of a text file are counted from 1, objects of a JSON list from 0.")
    rows = tuple((*_cell_names(c, t), s["unit"], *_where(s)) for c in e.cells for s in c["sources"])
    table = Table((*_cell_titles(t), t._("unit"), *_where_titles(t)), rows, frozenset({1, 6, 8}), about=4)
    return Section("sources", t._("The sources"), (text,), table)


def _rule(e: Explanation, t: Texts) -> Section:
    rules = e.published.rules
    rows = []
    for path, entry in sorted(rules.sourced(), key=lambda item: item[1].basis != "placeholder"):
        source = rules.sources[entry.source]
        value = choice_text(entry, t) + (f" ({entry.note})" if entry.note else "")
        rows.append((path, value, t.code(entry.basis), ", ".join(s for s in (source.text, source.url) if s)))
    titles = (t._("choice"), t._("value"), t._("basis"), t._("source"))
    return Section("rule", t._("The rule"), (f"{rules.title} ({rules.rule_set})",), Table(titles, tuple(rows)))


def _provenance(e: Explanation, t: Texts) -> Section:
    m = e.manifest
    used = {s["sha256"] for c in e.cells for s in [*c["sources"], c["national_source"], c["absolute_source"]] if s}
    packages = ", ".join(f"{name} {version}" for name, version in sorted(m["packages"].items()))
    lines = (
        t._("Published: {time}. Status: {status}. Replaces: {replaces}.", time=m["created_at"], replaces=m["replaces"],
            status=t.code(f"round_{m['status']}")),
        t._("Rule set: {name}, SHA-256 {sha256}.", name=m["rule_set"]["name"], sha256=m["rule_set"]["sha256"]),
        t._("Program code: {version}, Python {python}, {packages}.", version=m["code_version"], python=m["python"],
            packages=packages),
    )  # fmt: skip
    rows = tuple((e.published.file_names.get(sha256, ""), sha256) for sha256 in sorted(used))
    table = Table((t._("file"), "SHA-256"), tuple(sorted(rows)))
    return Section("provenance", t._("How this was computed"), lines, table)
