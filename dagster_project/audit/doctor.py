"""Find the problems of a data folder, and how to solve each. ``fix`` rebuilds what can be rebuilt.

Originals and ledger are only looked at. Everything else is made again from them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from dagster_project import clock
from dagster_project.archive import Archive, commits
from dagster_project.archive.files import open_files
from dagster_project.archive.guard import clock_set_back
from dagster_project.diagnostics import Finding, OppfolgingError, RuleProblem, Severity
from dagster_project.intake import inbox
from dagster_project.intake.partitions import Extracts, name_of
from dagster_project.private import MINE, open_to_others
from dagster_project.publication import verify_revision
from dagster_project.rounds.publishing import behind, changed_releases, open_rounds
from dagster_project.rules import load_rules
from dagster_project.settings import Settings
from dagster_project.transform import dbt_step
from dagster_project.transform.parameters import ensure_parameters, is_compiled
from dagster_project.transform.snapshot import take
from dagster_project.transform.warehouse import is_damaged

RUN = "oppfolging run"
FIX = "oppfolging doctor --fix"
Repair = Callable[[], object]


@dataclass(frozen=True)
class State:
    """One problem. ``repair`` rebuilds what is wrong; None when somebody has to decide."""

    finding: Finding
    repair: Repair | None = None


def _state(code: str, message: str, fix: str, repair: Repair | None = None, **more: object) -> State:
    return State(Finding(code, Severity.WARN, message, stage="home", fix=fix, **more), repair)  # type: ignore[arg-type]


def examine(settings: Settings) -> Iterator[State]:
    """Every problem in the data folder, the most serious first, each once."""
    told = set()
    for state in _examined(settings):
        finding = state.finding
        if (key := (finding.code, finding.file, finding.row, finding.found)) not in told:
            told.add(key)
            yield state


def _examined(settings: Settings) -> Iterator[State]:
    folders = (settings.archive, settings.inbox, settings.read, settings.extracts, settings.parameters, settings.marts,
               settings.warehouse.parent, settings.published, settings.history)  # fmt: skip
    if wrong := [folder for folder in folders if folder.exists() and not folder.is_dir()]:
        for folder in wrong:
            yield _state(
                "not-a-folder", "there is a file where a folder should be", "Move the file away.", file=folder.name
            )
        return
    for folder in open_to_others(settings.home):
        yield _state(
            "readable-by-others", "other users of this machine can enter a folder with figures that are not public",
            FIX, partial(folder.chmod, MINE), file=f"{folder.name}/", expected="a folder of mode 0700",
            found=f"mode {folder.stat().st_mode & 0o7777:04o}",
        )  # fmt: skip
    lost = Archive(settings).broken_lines() or commits.lost_lines(settings)
    lost = [*lost, *Archive(settings).verify(shortened=bool(lost))]
    yield from (State(finding) for finding in lost)
    if lost:
        return
    if (behind_ledger := clock_set_back(settings, clock.now())) is not None:
        yield State(behind_ledger)
    yield from _publications(settings)
    yield from _derived(settings)
    yield from _waiting(settings)


def _publications(settings: Settings) -> Iterator[State]:
    for name, revision in commits.unfinished(settings):
        yield _state("commit-not-finished", "a revision was committed but its folder was not renamed", FIX,
                     partial(commits.finish, settings), file=f"published/{name}/{revision}")  # fmt: skip
    events = Archive(settings).events()
    for name in sorted(commits.committed(events)):
        lost = commits.damaged(settings, name, events)
        yield from (State(f) for f in lost)
        if not lost and (folder := commits.current_revision(settings, name)) is not None:
            yield from (
                State(replace(f, file=f"published/{name}/{folder.name}/{f.file}")) for f in verify_revision(folder)
            )
    for name in commits.wrong_pointers(settings):
        yield _state("pointer-not-derived", "current.json does not agree with the ledger", FIX,
                     partial(commits.finish, settings), file=f"published/{name}/{commits.POINTER}")  # fmt: skip
    unfinished = {commits.building_folder(settings, n, r) for n, r in commits.unfinished(settings)}
    begun = {commits.BUILDING: ("revision-not-committed", "a run was killed while building a revision"),
             commits.REMOVING: ("revision-half-removed", "`prune` was killed while removing a revision")}  # fmt: skip
    for prefix, (code, message) in begun.items():
        for folder in settings.published.glob(f"*/{prefix}*"):
            if folder not in unfinished:
                yield _state(code, message, FIX, partial(shutil.rmtree, folder),
                             file=folder.relative_to(settings.home).as_posix())  # fmt: skip


def _derived(settings: Settings) -> Iterator[State]:
    with Extracts(settings) as extracts:
        wrong = [name_of(key) for key in extracts.stale()]
        wrong += [folder.relative_to(settings.extracts).as_posix() for folder in extracts.unexpected()]
    if wrong:
        yield _state("partitions-not-of-the-archive", "partitions are missing, damaged, or not made from the files in "
                     "force", FIX, partial(_ensure, settings), file="extracts/", found=", ".join(wrong[:6]),
                     count=len(wrong))  # fmt: skip
    if is_damaged(settings):
        yield _state("warehouse-damaged", "DuckDB cannot open the warehouse; everything in it can be rebuilt", FIX,
                     settings.warehouse.unlink, file="warehouse/oppfolging.duckdb")  # fmt: skip
    if not dbt_step.is_prepared(settings):
        yield _state("dbt-manifest-not-ready", "dbt's manifest is missing or older than the files under dbt/",
                     "make manifest", file="dbt/target/manifest.json")  # fmt: skip
        return
    try:
        load_rules(settings)
        snapshot = take(settings)
        if settings.parameters.exists() and not is_compiled(settings, snapshot):
            yield _state("parameters-not-current", "the parameters were not made from the rules and files in "
                                                   "force", FIX,
                         partial(ensure_parameters, settings, snapshot), file="parameters/")  # fmt: skip
        if any(settings.marts.glob("*.parquet")):
            found = behind(settings, snapshot)
            # files came or rules changed since the last run: nothing is damaged
            yield from (State(replace(f, severity=Severity.WARN, fix=RUN)) for f in found)
            for differences in changed_releases(settings).values() if not found else ():
                yield State(replace(differences[0], severity=Severity.WARN))  # somebody decides: amend, or keep
    except RuleProblem as error:
        # somebody edits a rule: nothing that is stored is damaged
        yield from (State(replace(f, severity=Severity.WARN)) for f in error.findings)
    except OppfolgingError as error:
        yield from (State(f) for f in error.findings)


def _ensure(settings: Settings) -> None:
    with Extracts(settings) as extracts:
        extracts.ensure()


def _waiting(settings: Settings) -> Iterator[State]:
    for path in inbox.claimed(settings.inbox):
        yield _state("file-claimed", "a run was killed while ingesting this file", RUN, file=inbox.name_of(path))
    for path in inbox.waiting(settings.inbox):
        yield _state("file-in-the-inbox", "the file is not ingested: it arrived after the last run, is still being "
                     "written, or is too large", RUN, file=inbox.name_of(path))  # fmt: skip
    for path, what in inbox.left_lying(settings.inbox).items():
        yield _state("not-a-file", "only files of its own that can be read are ingested from the inbox",
                     inbox.LEFT_LYING, file=inbox.name_of(path), found=what)  # fmt: skip
    for file in open_files(Extracts(settings).files):
        fix = {
            "held": f"oppfolging accept {file.sha256[:12]} --code CODE --by NAME --reason WHY, or dismiss it",
            "rejected": "Send a corrected file. This one stays open until: oppfolging dismiss "
            f"{file.sha256[:12]} --by NAME --reason WHY",
        }.get(file.status, RUN)
        yield _state(f"file-{file.status}", f"the file is {file.status}", fix, file=file.name,
                     found=", ".join(file.codes) or None)  # fmt: skip
    for round_id, missing in open_rounds(settings).items():
        yield _state(
            "round-waits-for-inputs", f"{round_id} is not published", "Ingest the files, or: oppfolging round "
            f"accept-missing {round_id} --dataset D --year Y --indicator I --grade G --by NAME --reason WHY",
            file=round_id, found=missing[0], count=len(missing),
        )  # fmt: skip


def fix(settings: Settings) -> list[Finding]:
    """Rebuild what can be rebuilt; return the problems solved. The caller holds the write lock."""
    done = []
    for state in list(examine(settings)):
        if state.repair is not None:
            state.repair()
            done.append(state.finding)
    return done
