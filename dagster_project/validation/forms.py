"""The pandas tables the expectations on filled forms look at, and what they are held to.

``form``     the lines of the form, each with what this home knows of its round or cohort
``replies``  per county governor who replied: how many candidates were sent out, and how many came back

What only this home can answer (which lists were sent out, who is in a cohort) is read from what is published.
"""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dagster_project import schema
from dagster_project.archive.published import published_rows
from dagster_project.forms.candidates import CandidateList, candidate_list
from dagster_project.rules import RuleBook, load_rules
from dagster_project.settings import Settings
from dagster_project.validation.suites import combination

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class Known:
    """What the home knows about rounds and cohorts, read once for a form."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lists: dict[str, CandidateList] = {}

    @cached_property
    def rulebook(self) -> RuleBook:
        return load_rules(self.settings)

    @cached_property
    def rounds(self) -> dict[str, Any]:
        return {r.id: r for r in self.rulebook.rounds}

    @cached_property
    def cohorts(self) -> dict[str, Any]:
        return {r.cohort_id: r for r in self.rulebook.rounds}

    def candidates(self, round_id: str) -> CandidateList:
        if round_id not in self._lists:
            self._lists[round_id] = candidate_list(self.settings, round_id)
        return self._lists[round_id]

    def published(self, names: set[str], table: str) -> list[str]:
        """Combinations of a round or cohort and a municipality that its published table has a row for."""
        rows = ((name, row) for name in sorted(names) for row in published_rows(self.settings, name, table))
        return sorted({combination(name, row["municipality_code"]) for name, row in rows})

    def reports_owed(self, names: set[str]) -> list[str]:
        """Combinations of cohort, report and sender that the cohort's rule set asks for."""
        sets = {name: self.rulebook.rule_sets[self.cohorts[name].rule_set] for name in sorted(names)}
        return [
            combination(name, report.report, sender)
            for name, rules in sets.items()
            for report in rules.followup.reports.value
            for sender in report.senders
        ]

    def places_sent_out(self, names: set[str]) -> list[str]:
        """Combinations of round, county governor, municipality and group that stand in the workbooks sent out."""
        return [
            combination(name, governor, row["municipality_code"], row["selection_group"])
            for name in sorted(names)
            for governor, rows in self.candidates(name).workbooks.items()
            for row in rows
        ]


def parameters(known: Known, dataset: str, rows: pa.Table, now: dt.datetime) -> dict[str, Any]:
    """What the expectations on a form are held to; ``now`` is the time of arrival."""
    today = dt.datetime.combine(now.date(), dt.time())
    given: dict[str, Any] = {
        "today": today,
        "this_year": now.year,
        "origin": rows["fictional"].drop_null()[:1].to_pylist(),
    }
    if "round" in rows.column_names:
        rounds = set(rows["round"].to_pylist()) & set(known.rounds)
        given["rounds"] = list(known.rounds)
        if dataset == schema.GOVERNOR_PRIORITIES:
            return {**given, "places_sent_out": known.places_sent_out(rounds)}
        return {**given, "municipalities_of_rounds": known.published(rounds, "municipality_ranking")}
    cohorts = set(rows["cohort"].to_pylist()) & set(known.cohorts)
    return {
        **given,
        "cohorts": list(known.cohorts),
        "members_of_cohorts": known.published(cohorts, "followup_report_status"),
        "reports_owed": known.reports_owed(cohorts),
    }


def form(known: Known, dataset: str, rows: pa.Table) -> pd.DataFrame:
    """The lines of a form, each with the dates of its round or cohort; of a round nobody knows these are missing.

    Priorities also have the code of the candidate list in force, the revision they answer (none when they were written
    for another list) and the number of candidates of the governor.
    """
    import pandas as pd

    frame: pd.DataFrame = rows.to_pandas()
    dates = [f.name for f in rows.schema if str(f.type).startswith("date")]
    for name in (f.name for f in rows.schema if str(f.type).startswith("decimal")):
        frame[name] = frame[name].astype("float64")
    of: dict[str, Any] = known.rounds if "round" in frame else known.cohorts
    rounds = [of.get(name) for name in frame["round" if "round" in frame else "cohort"]]
    frame["selection_date"] = [getattr(r, "selection_date", None) for r in rounds]
    frame["selection_year"] = [r.selection_date.year if r else None for r in rounds]
    if dataset == schema.GOVERNOR_PRIORITIES:
        lists = [known.candidates(r.id) if r else None for r in rounds]
        frame["priorities_due"] = [getattr(r, "priorities_due", None) for r in rounds]
        frame["list_in_force"] = [c.code if c else None for c in lists]
        frame["answered_revision"] = [
            c.revision if c and c.code == code else None
            for c, code in zip(lists, frame["candidate_list_hash"], strict=True)
        ]
        frame["candidates_sent"] = [
            len(c.governors.get(name, ())) if c else None
            for c, name in zip(lists, frame["county_governor"], strict=True)
        ]
        dates.append("priorities_due")
    for name in (*dates, "selection_date"):
        frame[name] = pd.to_datetime(frame[name])
    if "priorities_due" in frame:
        frame["days_late"] = (frame["replied_on"] - frame["priorities_due"]).dt.days
    return frame


def replies(known: Known, frame: pd.DataFrame) -> pd.DataFrame:
    """Per round and county governor of a reply to the list in force: candidates sent out and come back."""
    import pandas as pd

    answered = frame[frame["answered_revision"].notna()]
    found = []
    for (round_id, governor), lines in answered.groupby(["round", "county_governor"]):
        sent = known.candidates(str(round_id)).governors.get(str(governor), ())
        back = set(lines["municipality_code"][lines["selection_group"] == "spread"])
        missing = [c for c in sent if c["municipality_code"] not in back]
        found.append(
            {
                "source_sha256": lines["source_sha256"].iloc[0],
                "round": round_id, "county_governor": governor,
                "candidates_sent": len(sent), "candidates_returned": len(sent) - len(missing),
                "missing_candidates": ", ".join(f"{c['municipality_code']} {c['municipality_name']}" for c in missing),
            }
        )  # fmt: skip
    return pd.DataFrame(found)
