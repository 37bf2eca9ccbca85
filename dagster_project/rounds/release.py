"""What people do with a round: finalise it, amend, withdraw or keep its release, or reopen it.

Check, then write, then announce: a refused command leaves everything as it was. What was done, by whom and why
stands in the ledger, and a release can always be read under its own revision.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project import schema
from dagster_project.archive import Archive
from dagster_project.archive.commits import current_revision, pointer_of, read_manifest
from dagster_project.diagnostics import NotFound, RoundProblem
from dagster_project.forms.candidates import unanswered, undecided
from dagster_project.intake.partitions import Extracts, read_partition
from dagster_project.pages.words import N_, both
from dagster_project.publication import changes, edition
from dagster_project.publication.edition import Revision
from dagster_project.publication.manifest import inputs_of, verify_revision
from dagster_project.publication.subjects import Subject, round_subject
from dagster_project.rounds import state as states
from dagster_project.rounds.publishing import behind, missing_inputs_of, state_of_tables, tables_digest, watched
from dagster_project.rounds.state import MOVES, Lock, State
from dagster_project.rules import RuleBook, load_rules
from dagster_project.settings import Settings
from dagster_project.transform.snapshot import Snapshot, take

if TYPE_CHECKING:
    import pyarrow as pa

FIRST_RELEASE = "1.0"
BEHIND = "New files or rules are in force that have not been computed. Run `oppfolging run` first."


@dataclass(frozen=True)
class Item:
    """One condition of a release. ``name`` is a text of the catalogue. What people see is what `finalise` checks."""

    name: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True)
class Standing:
    """A round as it stands: its folder in force, its state, its lock, and everything the ledger says of it."""

    subject: Subject
    rulebook: RuleBook
    folder: Path
    state: State
    lock: Lock | None
    events: list[dict[str, Any]]
    tables: Mapping[str, pa.Table]
    snapshot: Snapshot

    @property
    def illustrative(self) -> bool:
        """Whether the rule rests on a placeholder."""
        return self.rulebook.is_illustrative(self.subject.round)


def standing(settings: Settings, round_id: str) -> Standing:
    """Read where a round stands.

    Raises:
        NotFound: it has never been published.
        RuleProblem: no such round.
    """
    rulebook = load_rules(settings)
    subject = round_subject(rulebook, round_id)
    folder = current_revision(settings, round_id)
    if folder is None:
        raise NotFound(
            f"Round {round_id} has not been published yet: `oppfolging run` publishes it when its figures have arrived."
        )
    events = states.round_events(settings, round_id)
    lock = states.lock_of(events)
    tables = dict(edition.released_tables(folder))
    if lock is None:
        state = state_of_tables(tables)
    else:
        pointer = pointer_of(settings, round_id) or {}
        state = State(pointer.get("status", State.FINAL.value))
    return Standing(subject, rulebook, folder, state, lock, events, tables, take(settings))


def queries_of(settings: Settings, round_id: str) -> list[dict[str, Any]]:
    """The queries of a round, oldest first, each with ``late``: after the window, recorded and not applied."""
    table = read_partition(settings, schema.ROUND_QUERIES, None)
    due = load_rules(settings).round(round_id).queries_due
    rows = [r for r in (table.to_pylist() if table is not None else []) if r["round"] == round_id]
    return [
        {**r, "late": due is not None and r["received_on"] > due}
        for r in sorted(rows, key=lambda r: (r["received_on"], r["query_id"]))
    ]


def _not_computed(settings: Settings, stand: Standing) -> list[str]:
    """What is in force and not in the revision: differences of the marts, and files its manifest does not name."""
    if found := behind(settings, stand.snapshot):
        return [f"{f.file} {f.found}" for f in found]
    with Extracts(settings, stand.snapshot.head) as extracts:
        now = inputs_of(extracts, stand.subject.round.origin == "fictional")
    named = {i["sha256"] for i in read_manifest(stand.folder)["inputs"]}
    return [f"{i['file']} came into force since" for i in now if i["sha256"] not in named]


def checklist(settings: Settings, stand: Standing, override: str | None = None) -> list[Item]:
    """Everything that must hold before a round can be final."""
    selection = stand.tables["selection"].to_pylist()
    open_ = undecided(selection)
    lacking = missing_inputs_of(settings, stand.subject.round.id)
    silent = unanswered(selection)
    candidates = any(r["arithmetic_status"] == "candidate" for r in selection)
    pending = [
        q["query_id"]
        for q in queries_of(settings, stand.subject.round.id)
        if q["outcome"] == "pending" and not q["late"]
    ]
    marts = dict(edition.subject_tables(settings, stand.subject))
    moved = changes.count_cells(changes.all_changes(settings, stand.tables, marts))
    damaged = verify_revision(stand.folder)
    waiting = _not_computed(settings, stand)
    assumed = len(stand.rulebook.rule_sets[stand.subject.round.rule_set].placeholders)
    unconfirmed = f"{assumed} limits; --override-placeholders REASON" if stand.illustrative else ""
    return [
        Item(N_("the round is not final already"), stand.lock is None, stand.lock.as_text() if stand.lock else ""),
        Item(N_("all figures have arrived"), stand.state is not State.DRAFT and not lacking, "; ".join(lacking)),
        Item(N_("all county governors have replied") if candidates else N_("no county governor is asked"), not silent,
             ", ".join(silent)),
        Item(N_("all proposed municipalities are decided on"), not open_, ", ".join(open_)),
        Item(N_("no query is unanswered"), not pending, ", ".join(pending)),
        Item(N_("the revision agrees with its manifest"), not damaged, ", ".join(str(f.file) for f in damaged[:3])),
        Item(N_("all files and rules in force have been computed"), not waiting,
             f"{'; '.join(waiting[:3])}. Run: oppfolging run" if waiting else ""),
        Item(N_("the latest results are published"), not moved, f"{moved} cells differ; run again" if moved else ""),
        Item(N_("no limit is assumed, or somebody accepts that"), not stand.illustrative or bool(override),
             override or unconfirmed),
    ]  # fmt: skip


def _taken_up(settings: Settings, round_id: str, command: str, by: str, reason: str) -> Standing:
    """The round as it stands, when somebody named puts it through a command for a reason and its state allows that."""
    if not by.strip() or not reason.strip():
        raise RoundProblem("This needs a name (--by) and a reason (--reason).")
    stand = standing(settings, round_id)
    if stand.state in MOVES[command]:
        return stand
    now = f"is {stand.state.value}" + (f" ({stand.lock.as_text()})" if stand.lock else "")
    possible = ", ".join(sorted(c for c, states_ in MOVES.items() if stand.state in states_)) or "none"
    raise RoundProblem(f"Round {stand.subject.name} {now}, so `{command}` is not allowed. Allowed now: {possible}.")


def _released(
    settings: Settings, stand: Standing, source: Iterator[tuple[str, pa.Table]], *, release: str, status: State,
    now: dt.datetime, event: str, life: dict[str, Any], record: dict[str, Any], republished: Path | None = None,
) -> Revision:  # fmt: skip
    """Make a revision that carries a release number, and commit it as ``event``.

    ``republished`` is the revision whose tables are released as they are.
    """
    return edition.make_revision(
        settings, stand.snapshot, stand.rulebook, stand.subject, source, now=now, unless_same=False,
        republished=republished, life={"status": status.value, "release": release, **life},
        commit={"event": event, "release": release, "time": now.isoformat(), **record},
    )  # fmt: skip


def finalise(
    settings: Settings, round_id: str, *, by: str, reason: str, now: dt.datetime, override: str | None = None
) -> Revision:
    """Release a round and lock it. After a reopening the release gets the next number and the changes to the last.

    Raises:
        RoundProblem: something on the checklist does not hold; nothing has changed.
    """
    stand = _taken_up(settings, round_id, "finalise", by, reason)
    failed = [i for i in checklist(settings, stand, override) if not i.ok]
    if failed:
        lines = [f"- {both(i.name)}{': ' + i.detail if i.detail else ''}" for i in failed]
        raise RoundProblem("\n".join([f"Round {round_id} cannot be final yet. Not fulfilled:", *lines]))
    before = [e for e in stand.events if e["event"] == states.RELEASED]
    release = _next(before[-1]["release"]) if before else FIRST_RELEASE
    record: dict[str, Any] = {"by": by.strip(), "reason": reason.strip(), "override_placeholders": override}
    life: dict[str, Any] = {"released": {**record, "at": now.isoformat()}}
    if before:
        last = settings.published / round_id / before[-1]["revision"]
        life["changes"] = record["changes"] = change_list(
            settings, dict(edition.released_tables(last)), stand.tables,
            changes.causes(read_manifest(last), read_manifest(stand.folder)),
        )  # fmt: skip
    revision = _released(
        settings, stand, iter(stand.tables.items()), release=release, status=State.FINAL, now=now,
        event=states.RELEASED, life=life, record=record, republished=stand.folder,
    )  # fmt: skip
    states.record_move(
        settings, round_id, State.FINAL, now=now, by=by, revision=revision.revision, origin=stand.subject.round.origin
    )
    return revision


def _next(release: str) -> str:
    major, minor = release.split(".")
    return f"{major}.{int(minor) + 1}"


def change_list(
    settings: Settings, before: Mapping[str, pa.Table], after: Mapping[str, pa.Table], causes: Iterable[str]
) -> dict[str, Any]:
    """What a release changes in the last one: municipalities in, out and moved, units whose points changed, causes."""

    def chosen(tables: Mapping[str, pa.Table]) -> set[str]:
        return {r["municipality_code"] for r in tables["selection"].to_pylist() if r["status"] == "selected"}

    found = changes.all_changes(settings, before, after)
    points = {
        (c.key["unit_level"], c.key["unit_code"])
        for c in found
        if c.table == "indicator_points" and (c.only_in or c.columns.keys() & {"points", "value"})
    }
    return {
        "in": sorted(chosen(after) - chosen(before)),
        "out": sorted(chosen(before) - chosen(after)),
        "moved": [
            c.key["municipality_code"] for c in found if c.table == "municipality_ranking" and "rank" in c.columns
        ],
        "points_changed": [{"unit_level": level, "unit_code": code} for level, code in sorted(points)],
        "cells": changes.count_cells(found),
        "causes": list(causes),
    }


def amend(
    settings: Settings, round_id: str, *, by: str, reason: str, now: dt.datetime, query: str | None = None,
    note: str | None = None,
) -> Revision:  # fmt: skip
    """Release what is computed now as the next version of a final round. The version before stays readable.

    ``by`` requests it, ``reason`` is public, ``note`` internal. ``query`` names the accepted query it answers.

    Raises:
        RoundProblem: not final, an input is missing that nobody accepted as missing, nothing differs, or the query is
            not accepted, or came too late.
    """
    stand = _taken_up(settings, round_id, "amend", by, reason)
    assert stand.lock is not None, "only rounds with a lock may be amended"
    if query is not None:
        known = {q["query_id"]: q for q in queries_of(settings, round_id)}
        if query not in known or known[query]["outcome"] != "accepted" or known[query]["late"]:
            raise RoundProblem(f"Query {query} is not among the accepted queries of {round_id} that came in time.")
    released = settings.published / round_id / stand.lock.revision
    marts = dict(edition.subject_tables(settings, stand.subject))
    if found := behind(settings, stand.snapshot):
        raise RoundProblem(f"{BEHIND} Nothing was released.", found)
    if missing := states.missing_inputs(marts["round_inputs"].to_pylist()):
        listing = "; ".join(f"{r['indicator']}, grade {r['grade']}, {r['school_year']}" for r in missing)
        raise RoundProblem(
            f"{round_id} lacks inputs, so it was not released: {listing}. Ingest them, or accept that they are "
            "missing: "
            "oppfolging round accept-missing"
        )
    probe = edition.manifest_of(settings, stand.snapshot, stand.rulebook, stand.subject, now)
    causes = [*changes.causes(read_manifest(released), probe), *([f"query {query}"] if query else [])]
    listed = change_list(settings, dict(edition.released_tables(released)), marts, causes)
    if not listed["cells"]:
        raise RoundProblem(
            f"Nothing of {round_id} has changed since release {stand.lock.release}: there is nothing to amend."
        )
    record = {"by": by.strip(), "reason": reason.strip(), "note": note, "query": query, "changes": listed,
              "amends": stand.lock.release}  # fmt: skip
    public = {k: v for k, v in record.items() if k != "note"}
    return _released(
        settings, stand, iter(marts.items()), release=_next(stand.lock.release), status=stand.state, now=now,
        event=states.RELEASED, life={"released": {**public, "at": now.isoformat()}, "changes": listed}, record=record,
    )  # fmt: skip


def withdraw(settings: Settings, round_id: str, *, by: str, reason: str, now: dt.datetime) -> Revision:
    """Keep the release, and show on every table of it that it is withdrawn and why.

    Raises:
        RoundProblem: not final.
    """
    stand = _taken_up(settings, round_id, "withdraw", by, reason)
    assert stand.lock is not None, "only rounds with a lock may be withdrawn"
    if edition.WITHDRAWN_COLUMN in stand.tables["selection"].column_names:
        raise RoundProblem(f"Release {stand.lock.release} of {round_id} is already withdrawn.")
    record = {"by": by.strip(), "reason": reason.strip()}
    marked = edition.marked_withdrawn(iter(stand.tables.items()), reason.strip())
    return _released(
        settings, stand, marked, release=stand.lock.release, status=stand.state, now=now,
        event=states.WITHDRAWN, life={"withdrawn": {**record, "at": now.isoformat()}}, record=record,
        republished=stand.folder,
    )  # fmt: skip


def reopen(settings: Settings, round_id: str, *, by: str, reason: str, now: dt.datetime) -> None:
    """Take the lock off, so that runs publish the round again. Its releases stay readable.

    Raises:
        RoundProblem: not final.
    """
    stand = _taken_up(settings, round_id, "reopen", by, reason)
    Archive(settings).append(
        {"event": states.REOPENED, "round": round_id, "time": now.isoformat(), "by": by.strip(),
         "reason": reason.strip(), "release": stand.lock.release if stand.lock else None}
    )  # fmt: skip


def keep(settings: Settings, round_id: str, *, by: str, reason: str, now: dt.datetime) -> None:
    """Let a release stand although exactly what is computed now differs from it.

    Raises:
        RoundProblem: not final, not all that is in force was computed, or nothing differs.
    """
    stand = _taken_up(settings, round_id, "keep", by, reason)
    assert stand.lock is not None, "only rounds with a lock may be kept"
    if found := behind(settings, stand.snapshot):
        raise RoundProblem(f"{BEHIND} Nothing was kept.", found)
    marts = watched(settings, dict(edition.subject_tables(settings, stand.subject)))
    released = dict(edition.released_tables(settings.published / round_id / stand.lock.revision))
    if not changes.all_changes(settings, released, marts):
        raise RoundProblem(f"Nothing differs from release {stand.lock.release} of {round_id}.")
    Archive(settings).append(
        {"event": states.KEPT, "round": round_id, "time": now.isoformat(), "by": by.strip(), "reason": reason.strip(),
         "release": stand.lock.release, "digest": tables_digest(marts)}
    )  # fmt: skip
