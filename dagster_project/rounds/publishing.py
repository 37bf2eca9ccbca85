"""Publish rounds and cohorts as they stand, and watch over those that are final."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project import schema
from dagster_project.diagnostics import Finding
from dagster_project.publication import edition
from dagster_project.publication.changes import all_changes, as_findings, figures
from dagster_project.publication.edition import Revision
from dagster_project.publication.subjects import Subject, cohort_subject, round_subject
from dagster_project.rounds import state as states
from dagster_project.rounds.candidates import of_rows
from dagster_project.rounds.state import State
from dagster_project.rounds.workbooks import write_decision_form, write_governor_forms
from dagster_project.rules import RuleBook, compiled_day, load_rules
from dagster_project.rules.model import Round
from dagster_project.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN_DIFFERENCES = 50


def newest_years(rulebook: RuleBook, round_: Round) -> dict[str, str]:
    """The newest school year of each indicator in the round's window."""
    rules = rulebook.rule_sets[round_.rule_set]
    last = schema.start_year(round_.last_school_year)
    return {i.name: schema.school_year_label(last - rules.window.lag[i.dataset].value) for i in rules.indicators}


def state_of_tables(rulebook: RuleBook, round_: Round, tables: Mapping[str, pa.Table]) -> State:
    """The state that the figures and replies in these tables give, before any release."""
    complete = states.is_complete(tables["limits"].to_pylist(), newest_years(rulebook, round_))
    return states.of_figures(complete, tables["selection"].to_pylist())


def computed_rounds(settings: Settings, rulebook: RuleBook) -> list[str]:
    """The rounds all of whose figures are in, so that the marts hold what would be published."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    tables = {name: pq.read_table(settings.marts / f"{name}.parquet") for name in ("limits", "selection")}

    def state(round_: Round) -> State:
        own = {name: table.filter(pc.field("round") == round_.id) for name, table in tables.items()}
        return state_of_tables(rulebook, round_, own)

    return [r.id for r in rulebook.rounds if state(r) is not State.DRAFT]


def tables_digest(tables: Mapping[str, pa.Table]) -> str:
    """One hash over the figures of tables, for `keep` to name exactly what was looked at."""
    digest = hashlib.sha256()
    for name in sorted(tables):
        digest.update(name.encode())
        for batch in figures(tables[name]).to_batches():
            digest.update(json.dumps(batch.to_pylist(), default=str, ensure_ascii=False).encode())
    return digest.hexdigest()


def _fill_forms(round_: Round, tables: Mapping[str, pa.Table], folder: Path) -> None:
    fictional = round_.origin == "fictional"
    selection = tables["selection"].to_pylist()
    write_governor_forms(folder, of_rows(round_.id, "", selection), tables, fictional=fictional)
    write_decision_form(folder, round_.id, selection, fictional=fictional)


def publish_round(settings: Settings, round_id: str, *, now: dt.datetime, by: str = "") -> Revision | None:
    """Publish what the marts hold of a round. Returns None when they hold nothing of it, or it is still a draft.

    A final round is not published anew: the answer names the cells in which its release would change.

    Raises:
        RuleProblem: no such round.
        PipelineProblem: the disk is full; the revision in force stays.
    """
    rulebook = load_rules(settings)
    subject = round_subject(rulebook, round_id)
    tables = dict(edition.subject_tables(settings, subject))
    if subject.decisive not in tables or tables[subject.decisive].num_rows == 0:
        return None
    events = states.round_events(settings, round_id)
    lock = states.lock_of(events)
    if lock is not None:
        return _watch(settings, subject, lock, events, tables, now=now, by=by)
    state = state_of_tables(rulebook, subject.round, tables)
    if state is State.DRAFT:
        states.record_move(settings, round_id, state, now=now, by=by, revision="", origin=subject.round.origin)
        return None
    revision = edition.make_revision(
        settings, rulebook, subject, iter(tables.items()), now=now, life={"status": state.value, "release": None},
        forms=partial(_fill_forms, subject.round, tables),
    )  # fmt: skip
    states.record_move(
        settings, round_id, state, now=now, by=by, revision=revision.revision, origin=subject.round.origin
    )
    return revision


def _watch(
    settings: Settings,
    subject: Subject,
    lock: states.Lock,
    events: list[dict[str, Any]],
    tables: Mapping[str, pa.Table],
    *,
    now: dt.datetime,
    by: str,
) -> Revision:
    """Compare a final round with its release; note when its follow-up has ended."""
    released = settings.published / subject.name / lock.revision
    found = all_changes(settings, dict(edition.released_tables(released)), tables)
    kept = {e["digest"] for e in events if e["event"] == states.KEPT}
    differences: tuple[Finding, ...] = ()
    if found and tables_digest(tables) not in kept:
        differences = tuple(as_findings(found, SHOWN_DIFFERENCES))
    current = edition.current_revision(settings, subject.name) or released
    state = states.of_release(report_rows(settings, subject.round.cohort_id))
    states.record_move(
        settings, subject.round.id, state, now=now, by=by, revision=current.name, origin=subject.round.origin
    )
    edition.point_to(settings, subject.name, current.name, {"status": state.value, "release": lock.release})
    return Revision(subject.name, current.name, current, False, {n: t.num_rows for n, t in tables.items()}, differences)


def report_rows(settings: Settings, cohort: str) -> list[dict[str, Any]]:
    """Rows of ``followup_report_status`` of a cohort, as the marts have them now."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    path = settings.marts / "followup_report_status.parquet"
    if not path.exists():
        return []
    rows: list[dict[str, Any]] = pq.read_table(path, filters=pc.field("cohort") == cohort).to_pylist()
    return rows


def publish_cohort(settings: Settings, round_id: str, *, now: dt.datetime) -> Revision | None:
    """Publish the follow-up of a round's cohort. Returns None when nobody takes part.

    The manifest says on which day (``as_of``) reports were judged late: without it nobody could build the tables again.
    """
    rulebook = load_rules(settings)
    subject = cohort_subject(rulebook, round_id)
    tables = dict(edition.subject_tables(settings, subject))
    if subject.decisive not in tables or tables[subject.decisive].num_rows == 0:
        return None
    state = states.of_release(tables["followup_report_status"].to_pylist())
    status = "closed" if state is State.CLOSED else "followed"
    day = compiled_day(settings.parameters)
    life = {"status": status, "release": None, "as_of": day and day.isoformat()}
    return edition.make_revision(settings, rulebook, subject, iter(tables.items()), now=now, life=life)
