"""What the pages of a cohort tell, from its tables."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from dagster_project.publication.site.facts import Facts
from dagster_project.publication.site.tables import Row, Tables

SHARE = "risk_share"
OVERDUE, NOT_DUE = "overdue", "not_due"
ORDER = (OVERDUE, "received_late", "received", NOT_DUE)
ARRIVED = ("received", "received_late")


@dataclass(frozen=True)
class Member:
    """A municipality that is followed: its shares by year around the selection, its reports and its money."""

    code: str
    name: str
    governor: str | None
    baseline: float | None
    baseline_rank: int | None
    shares: Mapping[int, float | None]
    reports: tuple[Row, ...]
    money: Row | None

    @property
    def newest(self) -> float | None:
        """The newest share that is known."""
        return next((self.shares[at] for at in sorted(self.shares, reverse=True) if self.shares[at] is not None), None)

    @property
    def arrived(self) -> int:
        return sum(r["status"] in ARRIVED for r in self.reports)

    @property
    def overdue(self) -> int:
        return sum(r["status"] == OVERDUE for r in self.reports)


@dataclass(frozen=True)
class Cohort:
    """A cohort as its tables have it."""

    facts: Facts
    tables: Tables

    @cached_property
    def _shares(self) -> list[Row]:
        columns = ["municipality_code", "municipality_name", "county_governor", "in_cohort", "eligible_comparison",
                   "baseline_share", "baseline_rank", "event_time", "data_year", "value"]  # fmt: skip
        return self.tables.rows("cohort_progress", columns, indicator=SHARE)

    @cached_property
    def times(self) -> list[int]:
        """The years around the selection: 0 is the last of the window."""
        return sorted({r["event_time"] for r in self._shares})

    @cached_property
    def years(self) -> Mapping[int, str]:
        """What each of these years is called."""
        return {r["event_time"]: str(r["data_year"]) for r in self._shares}

    def mean_shares(self, column: str) -> list[float | None]:
        """The mean share by year of those that a column marks."""
        found: dict[int, list[float]] = defaultdict(list)
        for r in self._shares:
            if r[column] and r["value"] is not None:
                found[r["event_time"]].append(float(r["value"]))
        return [sum(found[t]) / len(found[t]) if found[t] else None for t in self.times]

    def count(self, column: str) -> int:
        return len({r["municipality_code"] for r in self._shares if r[column]})

    @cached_property
    def reports(self) -> list[Row]:
        """Every report that is owed: those overdue first, then by the day they are due."""
        return sorted(
            self.tables.rows("followup_report_status"),
            key=lambda r: (ORDER.index(r["status"]), r["due_on"], r["municipality_code"], r["report"], r["sender"]),
        )

    @cached_property
    def members(self) -> list[Member]:
        """Those that are followed, by number."""
        shares: dict[str, dict[int, float | None]] = defaultdict(dict)
        rows: dict[str, Row] = {}
        for r in self._shares:
            if r["in_cohort"]:
                shares[r["municipality_code"]][r["event_time"]] = None if r["value"] is None else float(r["value"])
                rows[r["municipality_code"]] = r
        owed: dict[str, list[Row]] = defaultdict(list)
        for r in self.reports:
            owed[r["municipality_code"]].append(r)
            rows.setdefault(r["municipality_code"], r)
        money = {r["unit_key"]: r for r in self.measures("municipality") if r["year"] is None}
        return [
            Member(code, rows[code]["municipality_name"] or code, rows[code]["county_governor"],
                   rows[code].get("baseline_share"), rows[code].get("baseline_rank"), shares[code],
                   tuple(sorted(owed[code], key=lambda r: (r["report"], r["sender"]))), money.get(code))
            for code in sorted(rows)
        ]  # fmt: skip

    def measures(self, level: str) -> list[Row]:
        """Money by unit of a level and by year; the rows of all years have none."""
        rows = self.tables.rows("support_measures_summary", summary_level=level)
        return sorted(rows, key=lambda r: (r["unit_name"] or "", r["unit_key"], r["year"] or 0))

    @cached_property
    def effects(self) -> list[Row]:
        return self.tables.rows("cohort_effect")

    @cached_property
    def details(self) -> Mapping[str, dict[tuple[str, int | None], dict[int, Row]]]:
        """The figures of each member by indicator and grade, and by year."""
        columns = [
            "municipality_code",
            "indicator",
            "grade",
            "event_time",
            "value",
            "state",
            "national_value",
            "points",
        ]
        found: dict[str, dict[tuple[str, int | None], dict[int, Row]]] = defaultdict(lambda: defaultdict(dict))
        wanted = {m.code for m in self.members}
        for r in _only(self.tables.arrow("cohort_progress", [*columns, "in_cohort"]).to_pylist(), wanted):
            found[r["municipality_code"]][r["indicator"], r["grade"]][r["event_time"]] = r
        return found

    @property
    def next_due(self) -> dt.date | None:
        """The next day on which a report is due."""
        return min((r["due_on"] for r in self.reports if r["status"] == NOT_DUE), default=None)


def _only(rows: Iterable[Row], codes: set[str]) -> Iterable[Row]:
    return (r for r in rows if r["in_cohort"] and r["municipality_code"] in codes and r["indicator"] != SHARE)
