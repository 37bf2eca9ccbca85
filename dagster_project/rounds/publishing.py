"""Publish the current results of rounds and cohorts, and check those that are final for changes."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.archive import Archive, journal
from dagster_project.archive.commits import committed, current_revision, finish
from dagster_project.archive.files import files_of, in_force, open_files
from dagster_project.diagnostics import Finding, PipelineProblem, Severity
from dagster_project.forms.candidates import of_rows
from dagster_project.publication import edition
from dagster_project.publication.changes import all_changes, as_findings, figures
from dagster_project.publication.edition import Revision
from dagster_project.publication.public import is_comparison
from dagster_project.publication.subjects import Subject, cohort_subject, round_subject
from dagster_project.rounds import state as states
from dagster_project.rounds.monitoring import effects_basis
from dagster_project.rounds.state import State
from dagster_project.rounds.uncertainty import uncertainty_bases
from dagster_project.rounds.workbooks import write_decision_form, write_governor_forms
from dagster_project.rules import RuleBook, compiled_day, load_rules
from dagster_project.rules.model import Round
from dagster_project.settings import Settings
from dagster_project.transform import built, derived
from dagster_project.transform.snapshot import Snapshot

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN_DIFFERENCES = 50
NEAR = 0.5
LABELS = {
    "bullying": ("Mobbing på skolen",),
    "teacher_support": ("Støtte fra lærerne", "Støtte fra lærer"),
    "motivation": ("Motivasjon",),
    "reading_level_1": ("Lesing Mestringsnivå 1", "Andel mestringsnivå 1"),
    "numeracy_level_1": ("Regning Mestringsnivå 1", "Andel mestringsnivå 1"),
    "grade_points": ("Grunnskolepoeng",),
    "reading_scale_score": ("Lesing Skalapoeng", "Skalapoeng"),
    "numeracy_scale_score": ("Regning Skalapoeng", "Skalapoeng"),
    "english_scale_score": ("Engelsk Skalapoeng", "Skalapoeng"),
}
"""What Udir's files call each indicator, to tell which unknown label may stand for a missing one."""


def state_of_tables(tables: Mapping[str, pa.Table]) -> State:
    """The state that the figures and replies in these tables give, before any release."""
    complete = not states.missing_inputs(tables["round_inputs"].to_pylist())
    return states.of_figures(complete, tables["selection"].to_pylist())


def missing_of(settings: Settings, round_id: str) -> list[Mapping[str, Any]]:
    """The inputs that a round needs and that are missing, as the marts have it now."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(settings.marts / "round_inputs.parquet", filters=pc.field("round") == round_id)
    return states.missing_inputs(table.to_pylist())


def missing_inputs_of(settings: Settings, round_id: str) -> list[str]:
    """What a round that has begun lacks, in words; empty when it lacks nothing, or nothing of it has come at all."""
    return open_rounds(settings).get(round_id, [])


def open_rounds(settings: Settings) -> dict[str, list[str]]:
    """Rounds that have begun, or are published, and lack inputs, with what each lacks in words.

    A round has begun when a file in force holds a dataset and school year that it needs, whatever else that file lacks.
    """
    rows = _round_inputs(settings)
    events = Archive(settings).events()
    arrived = {
        (*key, "fictional" if f.fictional else "official") for key, fs in in_force(files_of(events)).items() for f in fs
    }
    begun = {r["round"] for r in rows if (r["dataset"], r["school_year"], r["data_origin"]) in arrived}
    begun |= committed(events)
    lacking: dict[str, list[Mapping[str, Any]]] = {}
    for row in states.missing_inputs(rows):
        if row["round"] in begun:
            lacking.setdefault(row["round"], []).append(row)
    labels = unknown_labels(settings) if lacking else []
    return {
        name: [missing_in_words(group, labels, arrived) for group in _alike(missing)]
        for name, missing in lacking.items()
    }


def waits_for(settings: Settings, round_: Round) -> list[str]:
    """What a round that is not published waits for, in words."""
    if lacking := missing_inputs_of(settings, round_.id):
        return lacking
    rows = [r for r in _round_inputs(settings) if r["round"] == round_.id]
    if rows and not states.missing_inputs(rows):
        return ["a run that publishes it: oppfolging run"]
    return [f"all its figures, {round_.origin}, up to {round_.last_school_year}"]


def _round_inputs(settings: Settings) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    path = settings.marts / "round_inputs.parquet"
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist() if path.exists() else []
    return rows


def _alike(missing: Iterable[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Missing inputs put together: those of an indicator in all years in which the same grades are missing."""
    of_year: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in missing:
        of_year.setdefault((row["dataset"], row["indicator"], row["school_year"]), []).append(row)
    found: dict[tuple[str, str, tuple[int, ...]], list[Mapping[str, Any]]] = {}
    for (dataset, indicator, _), rows in of_year.items():
        found.setdefault((dataset, indicator, tuple(r["grade"] for r in rows)), []).extend(rows)
    return list(found.values())


def unknown_labels(settings: Settings) -> list[tuple[str, str]]:
    """Labels that no reader knew, with their file, of files that wait or are in force without that column."""
    files = files_of(Archive(settings).events())
    told = {f.sha256 for f in (*open_files(files), *files) if f.status not in ("dismissed", "withdrawn")}
    return [
        (str(f["found"]), str(f["file"]))
        for line in journal.screenings(settings)
        if line["sha256"] in told
        for f in line["findings"]
        if f["code"].startswith("unknown-") and f["found"]
    ]


def missing_in_words(
    rows: Sequence[Mapping[str, Any]],
    labels: Sequence[tuple[str, str]],
    arrived: Collection[tuple[str | None, ...]] = (),
) -> str:
    """Missing inputs of one indicator: its grades and years, and the nearest label that nobody knew.

    ``arrived`` are the datasets, years and origins of which files are in force, so that they lack this indicator.
    """
    row, grades = rows[0], sorted({r["grade"] for r in rows})
    years = ", ".join(sorted({r["school_year"] for r in rows}))
    named = f"grade{'s' * (len(grades) > 1)} {' and '.join(map(str, grades))}"
    text = f"{row['indicator']}, {named}, {years} ({row['dataset']})"
    known = {label.casefold(): (label, file) for label, file in labels}
    names = [n.casefold() for n in LABELS[row["indicator"]]]
    near = max(
        (
            (max(SequenceMatcher(None, low, n).ratio() for n in names), label, file)
            for low, (label, file) in known.items()
        ),
        default=None,
    )
    if near is not None and near[0] >= NEAR:
        text += f"; {near[2]} has the unknown label {near[1]!r}, which may be it"
    elif there := sorted(
        {r["school_year"] for r in rows if (r["dataset"], r["school_year"], r.get("data_origin")) in arrived}
    ):
        text += f"; the files in force of {', '.join(there)} do not hold it"
    return text


def computed_rounds(settings: Settings, rulebook: RuleBook) -> list[str]:
    """The rounds all of whose inputs are in force, so that the marts hold what would be published."""
    return [r.id for r in rulebook.rounds if not missing_of(settings, r.id)]


def watched(settings: Settings, tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """The tables that a release promises: those that compare it with something else may change after it."""
    return {name: table for name, table in tables.items() if not is_comparison(settings, name)}


def tables_digest(tables: Mapping[str, pa.Table]) -> str:
    """One hash over the figures of tables, for `keep` to name exactly what was looked at."""
    digest = hashlib.sha256()
    for name in sorted(tables):
        digest.update(name.encode())
        for batch in figures(tables[name]).to_batches():
            digest.update(json.dumps(batch.to_pylist(), default=str, ensure_ascii=False).encode())
    return digest.hexdigest()


def _fill_forms(round_: Round, questions_to: str, tables: Mapping[str, pa.Table], folder: Path) -> None:
    selection = tables["selection"].to_pylist()
    write_governor_forms(folder, of_rows(round_.id, "", selection), tables, round_, questions_to)
    write_decision_form(folder, selection, round_, questions_to)


def behind(settings: Settings, snapshot: Snapshot) -> list[Finding]:
    """Why what lies under ``marts/`` does not follow from a snapshot; empty when all of it does.

    The marts are compared with the snapshot, the estimates with the marts.
    """
    if found := built.differences(settings, snapshot):
        return found
    rulebook = load_rules(settings)
    wanted = {
        "cohort_effect": effects_basis(settings),
        "selection_uncertainty": uncertainty_bases(settings, rulebook, computed_rounds(settings, rulebook)),
    }
    return [
        Finding(
            "estimates-not-of-the-marts", Severity.FAIL, f"{name} was not made from the current marts",
            stage="publication", file=f"marts/{name}.parquet", found="made from other marts, or changed by hand",
            expected="made from the marts in force", fix=f"Materialise {name}, or: oppfolging run",
        )
        for name, bases in wanted.items()
        if derived.bases(settings.marts / f"{name}.parquet") != bases
    ]  # fmt: skip


def refuse_behind(settings: Settings, snapshot: Snapshot) -> None:
    """Raise when something that would be published does not follow from the snapshot.

    Raises:
        PipelineProblem: with what differs. Nothing is published.
    """
    if found := behind(settings, snapshot):
        raise PipelineProblem(
            "Nothing was published, because the marts were not made from the files and rules in force.", found
        )


def publish_round(
    settings: Settings, snapshot: Snapshot, round_id: str, *, now: dt.datetime, by: str = ""
) -> Revision | None:
    """Publish what the marts hold of a round. Returns None when they hold nothing of it, or it is still a draft.

    A final round is not published anew: the answer names the cells in which its release would change, all of them when
    none of its figures is in force any more.

    Raises:
        RuleProblem: no such round.
        PipelineProblem: the disk is full; the revision in force stays.
    """
    rulebook = load_rules(settings)
    subject = round_subject(rulebook, round_id)
    tables = dict(edition.subject_tables(settings, subject))
    events = states.round_events(settings, round_id)
    lock = states.lock_of(events)
    if lock is not None:
        return _watch(settings, subject, lock, events, tables, now=now, by=by)
    if subject.decisive not in tables or tables[subject.decisive].num_rows == 0:
        return None
    state = state_of_tables(tables)
    if state is State.DRAFT:
        states.record_move(settings, round_id, state, now=now, by=by, revision="", origin=subject.round.origin)
        return None
    revision = edition.make_revision(
        settings, snapshot, rulebook, subject, iter(tables.items()), now=now,
        life={"status": state.value, "release": None},
        forms=partial(_fill_forms, subject.round, rulebook.questions_to, tables),
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
    differences = _differences(settings, released, events, tables)
    current = current_revision(settings, subject.name) or released
    state = states.of_release(report_rows(settings, subject.round.cohort_id))
    states.record_move(
        settings, subject.round.id, state, now=now, by=by, revision=current.name, origin=subject.round.origin
    )
    finish(settings)
    return Revision(subject.name, current.name, current, False, {n: t.num_rows for n, t in tables.items()}, differences)


def _differences(
    settings: Settings, released: Path, events: list[dict[str, Any]], tables: Mapping[str, pa.Table]
) -> tuple[Finding, ...]:
    """In what a release would change, unless somebody looked at that and let the release stand."""
    tables = watched(settings, tables)
    found = all_changes(settings, dict(edition.released_tables(released)), tables)
    kept = {e["digest"] for e in events if e["event"] == states.KEPT}
    return tuple(as_findings(found, SHOWN_DIFFERENCES)) if found and tables_digest(tables) not in kept else ()


def changed_releases(settings: Settings) -> dict[str, tuple[Finding, ...]]:
    """The final rounds that would no longer come out as released, with the cells in which; the marts are current."""
    rulebook, found = load_rules(settings), {}
    for round_id in (r.id for r in rulebook.rounds):
        events = states.round_events(settings, round_id)
        if (lock := states.lock_of(events)) is not None:
            tables = dict(edition.subject_tables(settings, round_subject(rulebook, round_id)))
            released = settings.published / round_id / lock.revision
            if differs := _differences(settings, released, events, tables):
                found[round_id] = differs
    return found


def report_rows(settings: Settings, cohort: str) -> list[dict[str, Any]]:
    """Rows of ``followup_report_status`` of a cohort, as the marts have them now."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    path = settings.marts / "followup_report_status.parquet"
    if not path.exists():
        return []
    rows: list[dict[str, Any]] = pq.read_table(path, filters=pc.field("cohort") == cohort).to_pylist()
    return rows


def publish_cohort(settings: Settings, snapshot: Snapshot, round_id: str, *, now: dt.datetime) -> Revision | None:
    """Publish the follow-up of a round's cohort. Returns None when nobody takes part, or ever did.

    A cohort that was published and that nobody belongs to any more is published without rows: the list is not left
    standing.

    The manifest says on which day (``as_of``) reports were judged late: without it nobody could build the tables again.
    """
    rulebook = load_rules(settings)
    subject = cohort_subject(rulebook, round_id)
    tables = dict(edition.subject_tables(settings, subject))
    if subject.decisive not in tables:
        return None
    if tables[subject.decisive].num_rows == 0 and current_revision(settings, subject.name) is None:
        return None
    state = states.of_release(tables["followup_report_status"].to_pylist())
    status = "closed" if state is State.CLOSED else "followed"
    day = compiled_day(settings.parameters)
    life = {"status": status, "release": None, "as_of": day and day.isoformat()}
    return edition.make_revision(settings, snapshot, rulebook, subject, iter(tables.items()), now=now, life=life)
