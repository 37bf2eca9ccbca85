"""All that is open and waits for somebody: files, missing figures, overdue figures, replies and reports.

The check ``open_problems`` in the Dagster UI lists them, and each is told as an alert once.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from dagster_project import clock
from dagster_project.alerts import Problem
from dagster_project.archive import Archive
from dagster_project.archive.commits import committed
from dagster_project.archive.files import File, files_of, in_force, open_files
from dagster_project.archive.guard import clock_set_back, refuse_lost_ledger
from dagster_project.forms.candidates import unanswered
from dagster_project.intake import quarantine
from dagster_project.intake.inbox import LEFT_LYING, left_lying, name_of
from dagster_project.rounds.figures_due import overdue_figures
from dagster_project.rounds.overview import why_open
from dagster_project.rounds.publishing import open_rounds
from dagster_project.rounds.state import lock_of, round_events
from dagster_project.rules import load_rules
from dagster_project.settings import Settings

KINDS = {
    "file": "files",
    "missing": "missing_inputs",
    "overdue figures": "overdue_figures",
    "overdue reply": "overdue_replies",
    "overdue report": "overdue_reports",
    "clock": "clock_set_back",
}
"""What a key begins with, and how many of its kind are called."""
NOTHING_TO_DO = "pending"
OVERDUE = "overdue"
MOST_LINES = 12
RUN_AGAIN = "Solve what the message names, then run again: oppfolging run, or launch the job everything."


def open_problems(settings: Settings, today: dt.date) -> list[Problem]:
    """Every problem that is open, whichever run found it; ``today`` tells what is overdue.

    Raises:
        RuleProblem: the rules cannot be used.
        IntegrityProblem: the ledger was changed, or is not the newest: what it does not know of would seem solved.
    """
    refuse_lost_ledger(settings)
    files = files_of(Archive(settings).events())
    return [*_files(settings, files), *_missing(settings), *_figures(files, today), *_replies(settings, today),
            *_reports(settings), *_clock(settings)]  # fmt: skip


def count_by_kind(problems: list[Problem]) -> dict[str, int]:
    """How many of each kind are open."""
    return {name: sum(p.key.startswith(f"{kind}: ") for p in problems) for kind, name in KINDS.items()}


def run_failed(run_id: str, job: str, message: str) -> Problem:
    """A run that failed: told once, by whoever notices first."""
    what = _with_message(f"Run {run_id[:8]} of the job {job} failed", message)
    return Problem(f"run: {run_id}", what, f"run {run_id} in the Dagster UI", RUN_AGAIN)


def not_started(now: dt.datetime, message: str) -> Problem:
    """A run of the command line that could not begin, so that Dagster knows nothing of it."""
    return Problem(f"run: {now}", _with_message("A run could not start", message), "oppfolging run", RUN_AGAIN)


def not_listed(today: dt.date, message: str) -> Problem:
    """What is open is not known, since the rules or the ledger cannot be read: told once a day until they can."""
    what = _with_message("It cannot be listed what is open", message)
    return Problem(f"not listed: {today}", what, "oppfolging doctor", "Solve what the message names.")


def _with_message(what: str, message: str) -> str:
    first, *rest = message.strip().splitlines() or ["no message"]
    return "\n".join([f"{what}: {first}", *(f"  {line}" for line in rest[:MOST_LINES])])


def _files(settings: Settings, files: Sequence[File]) -> Iterator[Problem]:
    why = why_open(settings)
    for file in open_files(files):
        if file.status == NOTHING_TO_DO:
            continue  # the next run validates it
        codes = f" ({', '.join(file.codes)})" if file.codes else ""
        because = f": {said}" if (said := why(file)) else ""
        yield Problem(
            f"file: {file.sha256} {file.line} {file.status}",
            f"{file.name} is {file.status}{codes}, arrived {file.arrived[:10]}{because}",
            quarantine.place(settings, file.sha256) or f"archive {file.sha256[:12]}",
            _todo(file),
        )
    for path, what in left_lying(settings.inbox).items():
        yield Problem(
            f"file: {name_of(path)} in the inbox", f"{name_of(path)} in the inbox is {what}. {LEFT_LYING}",
            f"inbox/{name_of(path)}", "Move it out of the inbox, or put its files there one by one.",
        )  # fmt: skip


def _todo(file: File) -> str:
    hash_ = file.sha256[:12]
    closed = f"or close the case: oppfolging dismiss {hash_} --by NAME --reason WHY"
    if file.status == "held":
        code = file.codes[0] if file.codes else "CODE"
        return f"Accept the warning: oppfolging accept {hash_} --code {code} --by NAME --reason WHY; {closed}"
    if file.status == "rejected":
        return f"Read findings.json and rows.csv there, and put the corrected file into the inbox; {closed}"
    return "Put the list of units that it was read with into the inbox again."


def _missing(settings: Settings) -> Iterator[Problem]:
    for round_id, missing in open_rounds(settings).items():
        for what in missing:
            yield Problem(
                f"missing: {round_id} {_short_hash(what)}", f"Round {round_id} lacks {what}", "mart round_inputs",
                "Put the file into the inbox, or accept that it is missing: oppfolging round accept-missing "
                f"{round_id} --dataset D --year Y --indicator I --grade G --by NAME --reason WHY",
            )  # fmt: skip


def _figures(files: Sequence[File], today: dt.date) -> Iterator[Problem]:
    for found in overdue_figures(in_force(files).items(), today):
        dataset, year = found.due.dataset, found.school_year
        yield Problem(
            f"overdue figures: {dataset} {year}",
            f"The {found.due.what} of {year} should have been in force by {found.deadline}",
            f"{dataset} {year}",
            f"Put the export into the inbox, or fetch it: oppfolging fetch --year {year}",
        )


def _replies(settings: Settings, today: dt.date) -> Iterator[Problem]:
    """County governors who have not replied to a round that was published and is not released yet."""
    rounds = [r for r in load_rules(settings).rounds if r.priorities_due is not None and r.priorities_due < today]
    published = committed(Archive(settings).events()) if rounds else ()
    for round_ in rounds:
        if round_.id not in published or lock_of(round_events(settings, round_.id)) is not None:
            continue
        for governor in unanswered(_rows(settings, "selection", "round", round_.id)):
            yield Problem(
                f"overdue reply: {round_.id} {governor}",
                f"{governor} has not replied to round {round_.id}; the reply was due {round_.priorities_due}",
                f"published/{round_.id}",
                f"Remind them; oppfolging round candidates {round_.id} writes the workbook again.",
            )


def _reports(settings: Settings) -> Iterator[Problem]:
    """One problem per report of a cohort: the site of the cohort names each municipality and sender."""
    late: dict[tuple[str, int, str], list[str]] = {}
    for row in _rows(settings, "followup_report_status", "status", OVERDUE):
        late.setdefault((row["cohort"], row["report"], str(row["due_on"])), []).append(row["municipality_code"])
    for (cohort, report, due), codes in sorted(late.items()):
        count, places = len(codes), len(set(codes))
        yield Problem(
            f"overdue report: {cohort} {report} {due}",
            f"Report {report} of cohort {cohort}, due {due}: {count} {'are' if count > 1 else 'is'} overdue, from "
            f"{places} municipalit{'ies' if places > 1 else 'y'}",
            f"published/{cohort}",
            "Remind the senders; put the list of reports received into the inbox.",
        )


def _clock(settings: Settings) -> Iterator[Problem]:
    if (found := clock_set_back(settings, clock.now())) is not None:
        yield Problem(f"clock: {found.row}", f"{found.message}: {found.found}", found.place, str(found.fix))


def _rows(settings: Settings, mart: str, column: str, value: str) -> list[dict[str, Any]]:
    """The rows of a mart with a value in a column, as the last run computed them; none before the first run."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    path = settings.marts / f"{mart}.parquet"
    if not path.exists():
        return []
    rows: list[dict[str, Any]] = pq.read_table(path, filters=pc.field(column) == value).to_pylist()
    return rows


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
