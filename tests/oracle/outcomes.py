"""What people make of the lists, once more in plain Python: replies, proposals, decisions. From the method page."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

Row = dict[str, Any]
LAST = 10**9


def last_decisions(decisions: list[Row], round_id: str) -> dict[str, Row]:
    """The decision in force on each municipality of a round, with ``was_called_up``."""
    mine: dict[str, list[Row]] = defaultdict(list)
    for d in decisions:
        if d["round"] == round_id:
            mine[d["municipality_code"]].append(d)
    result = {}
    for code, rows in mine.items():
        newest = max(r["decided_on"] for r in rows)
        row = sorted((r for r in rows if r["decided_on"] == newest), key=lambda r: (-r["source_row"], r["decision"]))[0]
        result[code] = {**row, "was_called_up": any(r["decision"] == "called_up" for r in rows)}
    return result


def outcomes(
    rule: Row,
    listed: dict[tuple[str, str], Row],
    municipalities: dict[str, Row],
    replies: list[Row],
    decisions: list[Row],
) -> dict[tuple[str, str], Row]:
    """Every row of the selection with proposal, decision and status."""
    governor = {m: row["county_governor"] for m, row in municipalities.items()}
    candidates = {m for (_, m), r in listed.items() if r["status"] == "candidate"}
    asked: dict[str, set[str]] = defaultdict(set)
    for m in candidates:
        asked[governor[m]].add(m)
    answered: dict[str, set[str]] = defaultdict(set)
    priority: dict[str, int | None] = {}
    against: set[str] = set()
    words: dict[tuple[str, str], str] = {}
    for p in replies:
        if p["round"] == rule["round"] and p["selection_group"] == "average":
            words["average", p["municipality_code"]] = p["reason"]
    replies = [p for p in replies if p["selection_group"] != "average"]
    for p in replies:
        if p["round"] == rule["round"]:
            answered[p["county_governor"]].add(p["municipality_code"])
    for p in replies:
        if p["round"] == rule["round"] and answered[p["county_governor"]] == asked.get(p["county_governor"], set()):
            priority[p["municipality_code"]] = p["priority"]
            words["spread", p["municipality_code"]] = p["reason"]
            if p["advice"] == "do_not_take":
                against.add(p["municipality_code"])
    complete = all(m in priority for m in candidates if governor[m] is not None)

    rows: dict[tuple[str, str], Row] = {}
    for group in ("average", "spread"):
        for candidate in (False, True):
            here = [m for (g, m), r in listed.items() if g == group and (r["status"] == "candidate") == candidate]

            def order(m: str, group: str = group, candidate: bool = candidate) -> tuple[Any, ...]:
                by_priority = candidate and rule["spread_order"] == "priority_then_spread"
                rank = listed[group, m]["rank_in_group"]
                given = priority.get(m)
                last = by_priority and m in against
                return (
                    last,
                    (LAST if given is None else given) if by_priority else 0,
                    LAST if rank is None else rank,
                    m,
                )

            for place, m in enumerate(sorted(here, key=order), start=1):
                status = listed[group, m]["status"]
                if candidate and complete:
                    status = "selected" if place <= rule["spread_quota"] else "reserve"
                rows[group, m] = {
                    "rank_in_group": listed[group, m]["rank_in_group"], "arithmetic_status": listed[group, m]["status"],
                    "proposed_status": status, "proposed_place": place, "candidate": candidate,
                    "governor_priority": priority.get(m) if candidate else None,
                    "governor_advice": "do_not_take" if candidate and m in against else None,
                    "governor_reason": words.get((group, m)) if candidate or (group == "average" and status != "excluded")
                    else None,
                    "decision": None, "called": False,
                }  # fmt: skip
    decided = last_decisions(decisions, rule["round"])
    for key, row in rows.items():
        row["passed_over"] = sum(waits(other, key, rows, decided) for other in rows)
    for m, d in decided.items():
        answer = {"decision": d["decision"], "called": d["was_called_up"]}
        lists = [group for group, listed_code in rows if listed_code == m]
        if lists:
            rows[answered_list(m, lists, rows, d), m] |= answer
        elif m in municipalities:
            rows["average", m] = {
                "rank_in_group": None, "arithmetic_status": "not_listed", "proposed_status": "not_listed",
                "proposed_place": None, "candidate": False, "governor_priority": None, "governor_advice": None,
                "governor_reason": None, "passed_over": 0, **answer,
            }  # fmt: skip
    return {key: row | judged(row, decided.get(key[1])) for key, row in rows.items()}


def waits(
    other: tuple[str, str], key: tuple[str, str], rows: dict[tuple[str, str], Row], decided: dict[str, Row]
) -> bool:
    """Whether ``other`` stands in the same list's reserve before ``key`` and nothing at all is decided on it."""
    in_reserve = rows[other]["proposed_status"] == "reserve" and other[1] not in decided
    before = (rows[other]["proposed_place"], other[1]) < (rows[key]["proposed_place"], key[1])
    return other[0] == key[0] and in_reserve and before


def answered_list(m: str, lists: list[str], rows: dict[tuple[str, str], Row], decision: Row) -> str:
    """The list a decision answers: one that proposes the municipality, one whose turn it was, the governor's, the first."""
    turns = (
        lambda r: r["proposed_status"] == "selected",
        lambda r: r["proposed_status"] == "reserve" and decision["was_called_up"] and not r["passed_over"],
        lambda r: r["candidate"],
    )
    for turn in turns:
        if fitting := [group for group in sorted(lists) if turn(rows[group, m])]:
            return fitting[0]
    return min(lists)


def judged(row: Row, on_municipality: Row | None) -> Row:
    """Status, and whether the decision departs from the proposal. A decision closes every row of its municipality."""
    decision, proposed = row["decision"], row["proposed_status"]
    if on_municipality is None:
        status = proposed
    elif on_municipality["decision"] in ("decline", "withdrew"):
        status = "declined"
    elif on_municipality["decision"] == "exclude":
        status = "excluded"
    else:
        # taken once; on its other list it is out of question
        status = "selected" if decision is not None else "excluded"
    if decision in (None, "decline", "withdrew"):
        override = False
    elif decision == "exclude":
        override = proposed != "excluded"
    elif proposed == "reserve" and row["called"]:
        override = row["passed_over"] > 0
    else:
        override = proposed != "selected"
    return {"status": status, "is_override": override}
