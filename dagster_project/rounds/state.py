"""The state of a round, derived from the archive, and what people may do in each state.

draft        an input that it needs is missing, and nobody has accepted that
candidates   the lists are published; county governors have not all replied
prioritised  every county governor has replied, or the rule asks none; Udir decides
final        released and locked
closed       the follow-up is over: every report its cohort owes has come

The first three follow from the data and may go back when new figures change the candidates. The last two follow from
a release. The table of moves names what people may do; everything else is refused.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dagster_project.archive import Archive
from dagster_project.archive.commits import MOVED
from dagster_project.settings import Settings
from dagster_project.transform.snapshot import GAP_ACCEPTED


class State(StrEnum):
    """The stages of a round's life."""

    DRAFT = "draft"
    CANDIDATES = "candidates"
    PRIORITISED = "prioritised"
    FINAL = "final"
    CLOSED = "closed"


MOVES: Mapping[str, frozenset[State]] = {
    "finalise": frozenset({State.CANDIDATES, State.PRIORITISED}),
    "reopen": frozenset({State.FINAL, State.CLOSED}),
    "amend": frozenset({State.FINAL, State.CLOSED}),
    "withdraw": frozenset({State.FINAL, State.CLOSED}),
    "keep": frozenset({State.FINAL, State.CLOSED}),
}
RELEASED, REOPENED, WITHDRAWN, KEPT = "round_released", "round_reopened", "round_withdrawn", "round_kept"
ROUND_EVENTS = {RELEASED, REOPENED, WITHDRAWN, KEPT, MOVED, GAP_ACCEPTED}
ARRIVED = {"received", "received_late"}


@dataclass(frozen=True)
class Lock:
    """The release in force of a final round: its number and revision, and who locked it when and why."""

    release: str
    revision: str
    by: str
    at: str
    reason: str

    def as_text(self) -> str:
        """Who locked it, for a refusal."""
        return f"release {self.release}, locked by {self.by} on {self.at[:10]} ({self.reason})"


def round_events(settings: Settings, round_id: str) -> list[dict[str, Any]]:
    """Everything the ledger says of a round, oldest first."""
    return [e for e in Archive(settings).events() if e["event"] in ROUND_EVENTS and e["round"] == round_id]


def lock_of(events: Iterable[Mapping[str, Any]]) -> Lock | None:
    """The lock that the events of a round leave in place; None when it was never final or was reopened since."""
    lock = None
    for event in events:
        if event["event"] == RELEASED:
            lock = Lock(event["release"], event["revision"], event["by"], event["time"], event["reason"])
        elif event["event"] == REOPENED:
            lock = None
    return lock


def missing_inputs(inputs: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows of ``round_inputs`` that are needed and neither in force nor accepted as missing."""
    return [r for r in inputs if r["needed"] and not r["in_force"] and r["accepted_by"] is None]


def of_figures(complete: bool, selection: Iterable[Mapping[str, Any]]) -> State:
    """The state that figures and replies give, before any release."""
    if not complete:
        return State.DRAFT
    waiting = any(r["proposed_status"] == "candidate" for r in selection)
    return State.CANDIDATES if waiting else State.PRIORITISED


def of_release(report_status: Iterable[Mapping[str, Any]]) -> State:
    """The state of a released round: closed when every report its cohort owes has come."""
    statuses = {r["status"] for r in report_status}
    return State.CLOSED if statuses and statuses <= ARRIVED else State.FINAL


def record_move(
    settings: Settings, round_id: str, to: State, *, now: dt.datetime, by: str, revision: str, origin: str
) -> bool:
    """Write a change of state to the ledger with the files that came since the last one; False when nothing moved."""
    archive = Archive(settings)
    events = archive.events()
    mine = [i for i, e in enumerate(events) if e["event"] == MOVED and e["round"] == round_id]
    before = events[mine[-1]]["to"] if mine else None
    if before == to.value:
        return False
    since = events[mine[-1] + 1 :] if mine else events
    fictional = origin == "fictional"
    files = [e["sha256"] for e in since if e["event"] == "accepted" and e.get("fictional") == fictional]
    archive.append(
        {"event": MOVED, "round": round_id, "from": before, "to": to.value, "time": now.isoformat(), "by": by,
         "revision": revision, "files": sorted(set(files))}
    )  # fmt: skip
    return True
