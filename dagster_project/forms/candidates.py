"""The candidates of the spread group as they were published, and the code that names exactly that list."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagster_project.archive.commits import current_revision
from dagster_project.archive.published import published_rows
from dagster_project.settings import Settings

LISTED = ("selected", "reserve")


@dataclass(frozen=True)
class CandidateList:
    """Candidates of a round, as published: rows of ``selection`` in order of rank. ``code`` names this very list.

    ``average`` are the municipalities of the other group that are taken or in reserve. The county governors see these
    too and may assess them in words; nothing waits for that.
    """

    round: str
    revision: str
    rows: tuple[dict[str, Any], ...]
    average: tuple[dict[str, Any], ...] = ()

    @property
    def code(self) -> str:
        """SHA-256 over the round and its candidates with their county governors; another list has another code."""
        content = [self.round, sorted([r["county_governor"] or "", r["municipality_code"]] for r in self.rows)]
        return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode("utf-8")).hexdigest()

    @property
    def governors(self) -> dict[str, tuple[dict[str, Any], ...]]:
        """Candidates by county governor, in order of the governors' names; those without one cannot be asked."""
        return _by_governor(self.rows)

    @property
    def workbooks(self) -> dict[str, tuple[dict[str, Any], ...]]:
        """What each governor's workbook lists: its candidates, then its municipalities of the average group."""
        return _by_governor((*self.rows, *self.average))


def _by_governor(rows: tuple[dict[str, Any], ...]) -> dict[str, tuple[dict[str, Any], ...]]:
    names = sorted({r["county_governor"] for r in rows if r["county_governor"]})
    return {name: tuple(r for r in rows if r["county_governor"] == name) for name in names}


def unanswered(selection: Iterable[Mapping[str, Any]]) -> list[str]:
    """County governors with a candidate that no reply has come for; who has no governor waits for nobody."""
    waiting = (r for r in selection if r["proposed_status"] == "candidate" and not answered(r))
    return sorted({r["county_governor"] for r in waiting if r["county_governor"]})


def answered(row: Mapping[str, Any]) -> bool:
    """Whether the county governor has given a candidate a priority, or advised against it."""
    return row["governor_priority"] is not None or row.get("governor_advice") is not None


def decided(selection: Iterable[Mapping[str, Any]]) -> set[str]:
    """Municipalities decided upon. A decision stands on one row of a municipality and holds for all of them."""
    return {r["municipality_code"] for r in selection if r["decision"] is not None}


def undecided(selection: Sequence[Mapping[str, Any]]) -> list[str]:
    """Municipalities that are proposed and that nobody has decided upon."""
    proposed = {r["municipality_code"] for r in selection if r["proposed_status"] == "selected"}
    return sorted(proposed - decided(selection))


def of_rows(round_id: str, revision: str, selection: list[dict[str, Any]]) -> CandidateList:
    """The candidates among the rows of a ``selection`` table."""
    chosen = [r for r in selection if r["arithmetic_status"] == "candidate"]
    average = [r for r in selection if r["selection_group"] == "average" and r["arithmetic_status"] in LISTED]
    in_order = (tuple(sorted(rows, key=lambda r: r["rank_in_group"])) for rows in (chosen, average))
    return CandidateList(round_id, revision, *in_order)


def candidate_list(settings: Settings, round_id: str) -> CandidateList:
    """The candidates of the revision in force; an empty list when there are none or nothing is published."""
    folder = current_revision(settings, round_id)
    return of_rows(round_id, folder.name if folder else "", published_rows(settings, round_id, "selection"))
