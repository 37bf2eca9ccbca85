"""The tables the expectations on filled forms look at: the lines of a form with one yes-or-no column per rule.

Each rule asks what only this home can answer: is this the list that was sent out, is the municipality in the cohort,
did the reply come in time.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dagster_project import schema
from dagster_project.rounds.candidates import CandidateList, candidate_list, published_rows
from dagster_project.rules import RuleBook, load_rules
from dagster_project.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Row = dict[str, Any]


class Known:
    """What the home knows about rounds and cohorts, read once for a form."""

    def __init__(self, settings: Settings, now: dt.datetime) -> None:
        self.settings, self.today = settings, now.date()
        self._lists: dict[str, CandidateList] = {}
        self._codes: dict[str, set[str]] = {}

    @cached_property
    def rulebook(self) -> RuleBook:
        return load_rules(self.settings)

    def rounds(self) -> dict[str, Any]:
        return {r.id: r for r in self.rulebook.rounds}

    def cohorts(self) -> dict[str, Any]:
        return {r.cohort_id: r for r in self.rulebook.rounds}

    def candidates(self, round_id: str) -> CandidateList:
        if round_id not in self._lists:
            self._lists[round_id] = candidate_list(self.settings, round_id)
        return self._lists[round_id]

    def ranked(self, round_id: str) -> set[str]:
        """Codes of every municipality the round's published ranking knows."""
        return self._published_codes(round_id, "municipality_ranking")

    def members(self, cohort: str) -> set[str]:
        """Codes of the municipalities that take part, as the cohort's published follow-up knows them."""
        return self._published_codes(cohort, "followup_report_status")

    def _published_codes(self, name: str, table: str) -> set[str]:
        if name not in self._codes:
            self._codes[name] = {r["municipality_code"] for r in published_rows(self.settings, name, table)}
        return self._codes[name]

    def duties(self, cohort: str) -> set[tuple[int, str]]:
        """Pairs of report and sender that the cohort's rule set asks for."""
        round_ = self.cohorts()[cohort]
        return {
            (r.report, s) for r in self.rulebook.rule_sets[round_.rule_set].followup.reports.value for s in r.senders
        }


def _priorities(known: Known, rows: list[Row]) -> list[Row]:
    times = Counter((r["round"], r["priority"]) for r in rows if r["priority"] is not None)
    wanted = {
        (round_id, c["municipality_code"])
        for round_id, governor in {(r["round"], r["county_governor"]) for r in rows}
        for c in known.candidates(round_id).governors.get(governor, ())
    }
    given = {(r["round"], r["municipality_code"]) for r in rows if r["selection_group"] == "spread"}

    def judge(row: Row) -> Row:
        round_ = known.rounds().get(row["round"])
        sent = known.candidates(row["round"]) if round_ else None
        spread = row["selection_group"] == "spread"
        own = sent.governors.get(row["county_governor"], ()) if sent else ()
        seen = sent.workbooks.get(row["county_governor"], ()) if sent else ()
        places = {(c["municipality_code"], c["selection_group"]) for c in seen}
        advised, held = row["advice"] is not None, row["conversation_on"]
        due = getattr(round_, "priorities_due", None)
        return {
            "round_known": round_ is not None,
            "list_in_force": sent is not None and row["candidate_list_hash"] == sent.code,
            "municipality_known": sent is None or row["municipality_code"] in known.ranked(row["round"]),
            "own_candidate": (row["municipality_code"], row["selection_group"]) in places,
            "all_candidates_there": wanted <= given,
            "priority_or_advice": (row["priority"] is not None) != advised if spread else True,
            "average_not_ordered": spread or (row["priority"] is None and not advised),
            "assessed": bool(row["reason"]) and (held is not None or not spread),
            "priority_once": row["priority"] is None or times[row["round"], row["priority"]] == 1,
            "priority_in_range": row["priority"] is None or 1 <= row["priority"] <= max(len(own), 1),
            "dates_possible": (held is None or held <= row["replied_on"]) and row["replied_on"] <= known.today,
            "in_time": due is None or row["replied_on"] <= due,
        }

    return [judge(r) for r in rows]


def _decisions(known: Known, rows: list[Row]) -> list[Row]:
    def judge(row: Row) -> Row:
        round_ = known.rounds().get(row["round"])
        return {
            "round_known": round_ is not None,
            "municipality_known": round_ is None or row["municipality_code"] in known.ranked(row["round"]),
            "reason_given": row["decision"] == "accept" or bool(row["reason"]),
            "dates_possible": row["decided_on"] <= known.today
            and (round_ is None or row["decided_on"] >= round_.selection_date),
        }

    return [judge(r) for r in rows]


def _reports(known: Known, rows: list[Row]) -> list[Row]:
    def judge(row: Row) -> Row:
        exists = row["cohort"] in known.cohorts()
        return {
            "cohort_known": exists,
            "in_cohort": exists and row["municipality_code"] in known.members(row["cohort"]),
            "report_owed": not exists or (row["report"], row["sender"]) in known.duties(row["cohort"]),
            "dates_possible": row["received_on"] <= known.today
            and (not exists or row["received_on"] >= known.cohorts()[row["cohort"]].selection_date),
        }

    return [judge(r) for r in rows]


def _measures(known: Known, rows: list[Row]) -> list[Row]:
    def judge(row: Row) -> Row:
        exists = row["cohort"] in known.cohorts()
        return {
            "cohort_known": exists,
            "in_cohort": exists and row["municipality_code"] in known.members(row["cohort"]),
            "year_possible": row["year"] <= known.today.year
            and (not exists or row["year"] >= known.cohorts()[row["cohort"]].selection_date.year),
            "granted_within_applied": row["granted"] <= row["applied"],
            "spent_within_granted": row["spent"] is None or row["spent"] <= row["granted"],
        }

    return [judge(r) for r in rows]


def _queries(known: Known, rows: list[Row]) -> list[Row]:
    def judge(row: Row) -> Row:
        round_ = known.rounds().get(row["round"])
        return {
            "round_known": round_ is not None,
            "municipality_known": round_ is None or row["municipality_code"] in known.ranked(row["round"]),
            "outcome_dated": row["outcome"] == "pending" or (row["outcome_on"] is not None and bool(row["handled_by"])),
            "effect_given": row["outcome"] != "accepted" or bool(row["effect"]),
            "dates_possible": row["received_on"] <= known.today
            and (row["outcome_on"] is None or row["received_on"] <= row["outcome_on"] <= known.today),
        }

    return [judge(r) for r in rows]


JUDGES: dict[str, Callable[[Known, list[Row]], list[Row]]] = {
    schema.GOVERNOR_PRIORITIES: _priorities,
    schema.DECISIONS: _decisions,
    schema.FOLLOWUP_REPORTS: _reports,
    schema.SUPPORT_MEASURES: _measures,
    schema.ROUND_QUERIES: _queries,
}


def form(settings: Settings, dataset: str, rows: pa.Table, now: dt.datetime) -> pd.DataFrame:
    """Lines of a form with its yes-or-no columns; ``now`` is the time of arrival."""
    import pandas as pd

    lines = rows.to_pylist()
    judged = JUDGES[dataset](Known(settings, now), lines)
    frame = pd.DataFrame([{**line, **verdict} for line, verdict in zip(lines, judged, strict=True)])
    frame["unit_code"] = frame["municipality_code"]
    frame["one_origin"] = frame["fictional"].nunique() <= 1
    return frame
