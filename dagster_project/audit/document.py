"""An explanation in words and tables, once for all renderers: terminal, page and PDF show the same content."""

from __future__ import annotations

import datetime as dt
from typing import Any

from dagster_project.audit.counterfactual import FigureChange
from dagster_project.audit.explain import Explanation
from dagster_project.pages.document import Document, Section, Table
from dagster_project.publication.sentences import outcome_sentences
from dagster_project.rules.describe import choice_text
from dagster_project.words import number, percent, word

SHORT = 12
SHOWN_DIFFERENCES = 8


def document_of(e: Explanation, lang: str) -> Document:
    """Decision first, then the arithmetic down to the cells, then the rule and how it was computed."""
    no = lang == "no"
    m = e.manifest
    warnings = []
    if m["data_origin"] == "fictional":
        warnings.append(
            "OPPDIKTEDE DATA: ingen skole eller kommune her finnes."
            if no
            else "FICTIONAL DATA: no school or municipality here exists."
        )
    without = "UFULLSTENDIG, beregnet uten" if no else "INCOMPLETE, computed without"
    warnings += [f"{without}: {gap}" for gap in m.get("accepted_gaps", ())]
    if m["illustrative"]:
        names = ", ".join(m["placeholders"])
        warnings.append(
            f"ILLUSTRASJON: {len(m['placeholders'])} valg i regelen er plassholdere: {names}." if no
            else f"ILLUSTRATIVE: {len(m['placeholders'])} choices of the rule are placeholders: {names}."
        )  # fmt: skip
    revision = "revisjon" if no else "revision"
    name = f"{e.code} {e.unit[f'{e.level}_name'] or ''}".strip()
    makers = (_decision, _share, _doubt, _differ, _neighbours, _points, _limits, _schools, _sources, _rule, _provenance)
    sections = [section for make in makers if (section := make(e, lang)) is not None]
    return Document(
        lang, name, f"{m['title']} ({m['round']}), {revision} {m['revision']}",
        dt.datetime.fromisoformat(m["created_at"]), m["data_origin"] == "fictional", tuple(warnings), tuple(sections),
    )  # fmt: skip


def _decision(e: Explanation, lang: str) -> Section:
    no = lang == "no"
    lines = [line for row in e.decisions for line in outcome_sentences(row, e.exceptions, e.published.file_names, lang)]
    if not e.decisions:
        lines.append("Ikke trukket ut i noen av gruppene." if no else "Not selected: neither group takes it.")
    unit = e.unit
    if not unit["rated"]:
        what = "Ikke vurdert" if no else "Not rated"
        lines.append(f"{what}: {word(unit['not_rated_reason'], lang)}.")
    if e.level == "school":
        among = "Blant landets svakeste skoler" if no else "Among the nation's worst schools"
        lines.append(f"{among}: {word('yes' if unit['worst_quartile'] else 'no', lang)}.")
        lines.append(f"{word('municipality', lang).capitalize()}: {unit['municipality_code']} "
                     f"{unit['municipality_name'] or ''}")  # fmt: skip
    else:
        spread = number(unit["school_spread"], lang) or "-"
        level = number(e.published.rules.groups.spread.level.value, lang)
        lines.append(
            f"Spredning mellom skolene ({unit['rated_schools']} vurderte): {spread} (må være over {level}); "
            f"{unit['schools_in_worst_quartile']} av dem er blant landets svakeste." if no
            else f"Spread between the schools ({unit['rated_schools']} rated): {spread} (must be above {level}); "
            f"{unit['schools_in_worst_quartile']} of them among the nation's worst."
        )  # fmt: skip
    if unit["county_governor"]:
        lines.append(f"{'Statsforvalter' if no else 'County governor'}: {unit['county_governor']}.")
    return Section("decision", word("decision", lang), tuple(lines))


def _share(e: Explanation, lang: str) -> Section:
    no, u = lang == "no", e.unit
    hidden = [c for c in e.cells if c["state"] == "suppressed"]
    gone = [c for c in e.cells if c["state"] == "no_participants"]
    lines = [
        f"{number(u['points'], lang)} av {number(u['possible_points'], lang)} mulige risikopoeng = "
        f"{percent(u['risk_share'], lang, 4)}; plass {u['rank'] or '-'}." if no
        else f"{number(u['points'], lang)} of {number(u['possible_points'], lang)} possible risk points = "
        f"{percent(u['risk_share'], lang, 4)}; rank {u['rank'] or '-'}.",
        f"Dekning {percent(u['coverage'], lang)}: {number(u['possible_points'], lang)} av "
        f"{number(u['applicable_points'], lang)} aktuelle poeng er synlige. Var alle skjulte tall best eller dårligst "
        f"mulig, ble andelen {percent(u['share_if_hidden_best'], lang)} eller "
        f"{percent(u['share_if_hidden_worst'], lang)}." if no
        else f"Coverage {percent(u['coverage'], lang)}: {number(u['possible_points'], lang)} of "
        f"{number(u['applicable_points'], lang)} applicable points are visible. Were every hidden figure the best or "
        f"the worst, the share would be {percent(u['share_if_hidden_best'], lang)} or "
        f"{percent(u['share_if_hidden_worst'], lang)}.",
        f"Skjulte tall: {len(hidden)}; uten deltakere: {len(gone)}." if no
        else f"Hidden figures: {len(hidden)}; with nobody taking part: {len(gone)}.",
    ]  # fmt: skip
    if margin := e.margin:
        rival = f"{margin.rival} {margin.rival_name} ({percent(margin.rival_share, lang, 4)})"
        distance = (
            f"{number(round(100 * margin.share, 4), lang)} {'prosentpoeng, eller' if no else 'percentage points, or'} "
            f"{number(round(margin.points, 2), lang)}"
        )
        if no:
            side = "den første utenfor" if margin.taken else "den siste innenfor"
            lines.append(f"Plass {margin.place} blant dem som kan trekkes ut; {margin.quota} tas. Avstand til {side}, "
                         f"{rival}: {distance} av egne poeng.")  # fmt: skip
        else:
            side = "first outside" if margin.taken else "last inside"
            lines.append(f"Place {margin.place} among those that may be taken; {margin.quota} are taken. Distance to "
                         f"the {side}, {rival}: {distance} of its own points.")  # fmt: skip
    if e.margin and e.margin.share == 0:
        order = ", ".join(word(name, lang) for name in e.published.rules.tie_breaks.value)
        lines.append(f"{'Andelene er like; da skiller' if no else 'The shares are equal; then these decide'}: {order}.")
    return Section("share", word("share", lang), tuple(lines))


def _cell_names(cell: Any, lang: str) -> tuple[str, str, str]:
    indicator, grade, year = (
        (cell["indicator"], cell["grade"], cell["school_year"]) if isinstance(cell, dict)
        else (cell.indicator, cell.grade, cell.school_year)
    )  # fmt: skip
    return word(indicator, lang), number(grade, lang), year or ""


def _doubt(e: Explanation, lang: str) -> Section | None:
    own = e.doubt.get(e.code)
    if own is None:
        return None
    no, level = lang == "no", percent(own["level"], lang, 0)
    ranks, shares = (own["rank_low"], own["rank_high"]), [percent(own[f"share_{end}"], lang) for end in ("low", "high")]
    within = (
        f"Tallene er gjennomsnitt over få elever. Hadde de samme elevene svart en annen dag, ville plassen i {level} "
        f"av tilfellene ligget fra {ranks[0]} til {ranks[1]} og andelen fra {shares[0]} til {shares[1]}."
        if no
        else f"The figures are means over few pupils. Had the same pupils answered on another day, the rank would in "
        f"{level} of cases lie from {ranks[0]} to {ranks[1]} and the share from {shares[0]} to {shares[1]}."
    )
    together = own["rank_set_simultaneous_low"], own["rank_set_simultaneous_high"]
    if e.level == "municipality":
        p = {name: percent(own[f"probability_{name}"], lang) for name in ("selected", "average", "spread")}
        taken = (
            f"Trukket på nytt {own['draws']} ganger tar regelen kommunen i {p['selected']} av trekningene: "
            f"gjennomsnittsuttrekket i {p['average']}, spredningsuttrekket i {p['spread']}." if no
            else f"Drawn anew {own['draws']} times, the rule takes the municipality in {p['selected']} of the draws: "
            f"the average group in {p['average']}, the spread group in {p['spread']}."
        )  # fmt: skip
        alone = own["rank_set_low"], own["rank_set_high"]
        sets = _set_for_all("kommuner" if no else "municipalities", together, level, no) if alone[0] is None else (
            f"Konfidensmengden ({level}) for plassen går fra {alone[0]} til {alone[1]} for kommunen alene, og fra "
            f"{together[0]} til {together[1]} når den skal holde for alle samtidig." if no
            else f"The {level} confidence set of the rank goes from {alone[0]} to {alone[1]} for the municipality "
            f"alone, and from {together[0]} to {together[1]} when it is to hold for all at once."
        )  # fmt: skip
    else:
        worst = percent(own["probability_worst_quartile"], lang)
        taken = (
            f"Skolen er blant landets svakeste i {worst} av trekningene." if no
            else f"The school is among the nation's worst in {worst} of the draws."
        )  # fmt: skip
        sets = _set_for_all("skoler" if no else "schools", together, level, no)
    official = "Listen endres aldri av dette." if no else "This never changes the list."
    return Section("doubt", word("doubt", lang), (within, taken, sets, official))


def _set_for_all(units: str, ranks: tuple[int, int], level: str, no: bool) -> str:
    reach = f"{ranks[0]} til {ranks[1]}" if no else f"{ranks[0]} to {ranks[1]}"
    if no:
        return f"Konfidensmengden ({level}) for plassen, som holder for alle {units} samtidig, går fra {reach}."
    return f"The {level} confidence set of the rank, which holds for all {units} at once, goes from {reach}."


def _differ(e: Explanation, lang: str) -> Section:
    no, title = lang == "no", word("differ", lang)
    if e.differences is None:
        text = (
            "Kan ikke regnes ut: modellene slik de er nå gir ikke tallene i denne revisjonen." if no
            else "It cannot be computed: the models as they are now do not give the figures of this revision."
        )  # fmt: skip
        if e.whole_round and not e.decisions:
            text = (
                "Kommunen står på ingen liste. `oppfolging explain` regner ut hvilke endringer som ville satt den der."
                if no
                else "It is on no list. `oppfolging explain` computes which changes would have put it there."
            )
        return Section("differ", title, (text,))
    if not e.differences:
        text = (
            "Ingen endring av ett enkelt publisert tall ville ha endret utfallet." if no
            else "No change of a single published figure would have changed the outcome."
        )  # fmt: skip
        return Section("differ", title, (text,))
    text = (
        "Hver linje er den minste endringen av ett tall som alene endrer utfallet etter regelen. Alt annet er uendret. "
        "Ett steg, på siste desimal, mindre endrer ingenting." if no
        else "Each line is the smallest change of one figure that alone changes the outcome by the rule. All else "
        "stays. One step, of the last decimal, less changes nothing."
    )  # fmt: skip
    shown = [
        d
        for outcome in dict.fromkeys(d.outcome for d in e.differences)
        for d in [d for d in e.differences if d.outcome == outcome][:SHOWN_DIFFERENCES]
    ]
    left = len(e.differences) - len(shown)
    more = f"{left} større endringer er utelatt." if no else f"{left} larger changes are left out."
    rows = [_difference(d, lang) for d in shown]
    titles = ("outcome", "unit", "indicator", "grade", "year", "value", "needed", "steps", "in_pupils", "points_change",
              "share_after", "spread_after")  # fmt: skip
    table = Table(tuple(word(t, lang) for t in titles), tuple(rows), frozenset({3, 5, 6, 7, 10, 11}))
    return Section("differ", title, (text, more) if left else (text,), table)


def _difference(d: FigureChange, lang: str) -> tuple[str, ...]:
    no = lang == "no"
    if d.pupils is not None:
        people = f"{d.pupils} av {d.n_pupils} elever" if no else f"{d.pupils} of {d.n_pupils} pupils"
    elif d.sum_change is not None:
        total = number(d.sum_change, lang)
        people = f"{total} til sammen over {d.n_pupils} elever" if no else f"{total} in all over {d.n_pupils} pupils"
    else:
        people = ""
    becomes = ("" if d.after else "not_") + ("among_worst" if d.outcome == "worst_quartile" else "taken")
    outcome = (
        word(becomes, lang) if d.outcome == "worst_quartile" else f"{word(d.outcome, lang)}: {word(becomes, lang)}"
    )
    return (
        outcome, f"{d.unit_code} {d.unit_name or ''}".strip(), *_cell_names(d, lang), number(d.published, lang),
        number(d.needed, lang), str(d.steps), people, f"{d.points_before} → {d.points_after}",
        percent(d.share_after, lang), number(None if d.spread_after is None else round(d.spread_after, 4), lang),
    )  # fmt: skip


def _neighbours(e: Explanation, lang: str) -> Section | None:
    if not e.neighbours:
        return None
    rows = tuple(
        (
            str(r["rank"]), f"{r[f'{e.level}_code']} {r[f'{e.level}_name']}", percent(r["risk_share"], lang, 4),
            number(r["points"], lang), number(r["possible_points"], lang),
            *_sure(e.doubt.get(r[f"{e.level}_code"]), e.level, lang),
        )
        for r in e.neighbours
    )  # fmt: skip
    probability = "probability" if e.level == "municipality" else "probability_worst"
    titles = ("rank", e.level, "share_column", "weighted", "possible", "rank_interval", probability)
    shown = 7 if e.doubt else 5
    table = Table(tuple(word(t, lang) for t in titles[:shown]), rows, frozenset(range(shown)) - {1})
    return Section("neighbours", word("neighbours", lang), (), table)


def _sure(doubt: dict[str, Any] | None, level: str, lang: str) -> tuple[str, ...]:
    """How sure a rank is, to stand beside it."""
    if doubt is None:
        return ()
    chance = doubt["probability_selected" if level == "municipality" else "probability_worst_quartile"]
    return f"{doubt['rank_low']}–{doubt['rank_high']}", percent(chance, lang, 0)


def _points(e: Explanation, lang: str) -> Section:
    rows = tuple(
        (
            *_cell_names(c, lang), word(c["state"], lang), number(c["value"], lang), number(c["n_pupils"], lang),
            number(c["national_limit"], lang), number(c["absolute_limit"], lang), number(c["points"], lang),
            number(c["weight"], lang), number(c["weighted_points"], lang), number(c["possible_points"], lang),
        )
        for c in e.cells
    )  # fmt: skip
    titles = ("indicator", "grade", "year", "state", "value", "pupils", "national", "absolute", "given", "weight",
              "weighted", "possible")  # fmt: skip
    total = (word("sum", lang), *[""] * 9, number(e.unit["points"], lang), number(e.unit["possible_points"], lang))
    table = Table(tuple(word(t, lang) for t in titles), rows, frozenset({1, *range(4, 12)}), total)
    return Section("points", word("points", lang), (), table)


def _limits(e: Explanation, lang: str) -> Section:
    no = lang == "no"
    by_name = {i.name: i for i in e.published.rules.indicators}
    rows = []
    for cell in e.cells:
        for side in ("national", "absolute"):
            rule = getattr(by_name[cell["indicator"]], side)
            base = cell[f"{side}_base_year"] or cell["school_year"] or ""
            schools, beyond, on = (cell[f"{side}_{n}"] for n in ("schools", "schools_worse", "schools_on_limit"))
            # many schools share a figure of one decimal, so the worst tenth is rarely a tenth
            counted = "" if beyond is None else (
                f": {beyond} er verre, {on} er lik grensen" if no else f": {beyond} are worse, {on} stand on the limit"
            )  # fmt: skip
            worst = number(rule.percentile, lang)
            how = {
                "published": "publisert nasjonal verdi" if no else "published national value",
                "fixed": "fastsatt i regelen" if no else "fixed by the rule",
                "percentile": f"de svakeste {worst} % av {schools} skoler i {base}{counted}" if no
                else f"the worst {worst} % of {schools} schools in {base}{counted}",
                "mean_sd": f"gjennomsnitt og {number(rule.k, lang)} standardavvik, {schools} skoler i {base}" if no
                else f"mean and {number(rule.k, lang)} standard deviations, {schools} schools in {base}",
            }[cell[f"{side}_method"] or rule.method]  # fmt: skip
            source = cell[f"{side}_source"]
            rows.append((
                *_cell_names(cell, lang), word(side, lang), number(cell[f"{side}_limit"], lang), how,
                word(rule.basis, lang), *_where(source),
            ))  # fmt: skip
    titles = ("indicator", "grade", "year", "limit", "value", "how", "basis", "file", "hash", "line", "column", "raw")
    table = Table(tuple(word(t, lang) for t in titles), tuple(rows), frozenset({1, 4, 9, 11}))
    return Section("limits", word("limits", lang), (), table)


def _where(source: dict[str, Any] | None) -> tuple[str, str, str, str, str]:
    if source is None:
        return ("", "", "", "", "")
    raw = "" if source["raw"] is None else f"«{source['raw']}»"
    return str(source["file"]), source["sha256"][:SHORT], str(source["line"]), source["column"], raw


def _schools(e: Explanation, lang: str) -> Section | None:
    if not e.schools:
        return None
    rows = tuple(
        (
            s["school_code"], s["school_name"] or "", str(s["rank"] or "-"), percent(s["risk_share"], lang),
            number(s["points"], lang), number(s["possible_points"], lang), percent(s["coverage"], lang),
            word("yes", lang) if s["worst_quartile"] else word(s["not_rated_reason"], lang) if not s["rated"] else "",
        )
        for s in e.schools
    )  # fmt: skip
    names = ("unit", "school", "rank", "share_column", "weighted", "possible", "coverage", "worst_quartile")
    return Section("schools", word("schools", lang), (),
                   Table(tuple(word(t, lang) for t in names), rows, frozenset({2, 3, 4, 5, 6})))  # fmt: skip


def _sources(e: Explanation, lang: str) -> Section:
    text = (
        "Linje i filen som tekst, talt fra 1, eller objektets plass i JSON-listen, talt fra 0." if lang == "no"
        else "Line of the file as text, counted from 1, or the place of the object in the JSON list, counted from 0."
    )  # fmt: skip
    rows = tuple((*_cell_names(c, lang), s["unit"], *_where(s)) for c in e.cells for s in c["sources"])
    titles = ("indicator", "grade", "year", "unit", "file", "hash", "line", "column", "raw")
    table = Table(tuple(word(t, lang) for t in titles), rows, frozenset({1, 6, 8}))
    return Section("sources", word("sources", lang), (text,), table)


def _rule(e: Explanation, lang: str) -> Section:
    rules = e.published.rules
    rows = []
    for path, entry in sorted(rules.sourced(), key=lambda item: item[1].basis != "placeholder"):
        source = rules.sources[entry.source]
        value = choice_text(entry, lang) + (f" ({entry.note})" if entry.note else "")
        rows.append((path, value, word(entry.basis, lang),
                     ", ".join(t for t in (source.text, source.url) if t)))  # fmt: skip
    titles = tuple(word(t, lang) for t in ("choice", "value", "basis", "source"))
    return Section("rule", word("rule", lang), (f"{rules.title} ({rules.rule_set})",), Table(titles, tuple(rows)))


def _provenance(e: Explanation, lang: str) -> Section:
    m = e.manifest
    used = {s["sha256"] for c in e.cells for s in [*c["sources"], c["national_source"], c["absolute_source"]] if s}
    packages = ", ".join(f"{name} {version}" for name, version in sorted(m["packages"].items()))
    lines = (
        f"{'Publisert' if lang == 'no' else 'Published'} {m['created_at']}, status {m['status']}, "
        f"{'erstatter' if lang == 'no' else 'replaces'} {m['replaces'] or '-'}.",
        f"{'Regelsett' if lang == 'no' else 'Rule set'} {m['rule_set']['name']}, SHA-256 {m['rule_set']['sha256']}.",
        f"{'Programkode' if lang == 'no' else 'Code'} {m['code_version']}, Python {m['python']}, {packages}.",
    )
    rows = tuple((e.published.file_names.get(sha256, ""), sha256) for sha256 in sorted(used))
    table = Table((word("file", lang), word("hash", lang)), tuple(sorted(rows)))
    return Section("provenance", word("provenance", lang), lines, table)
