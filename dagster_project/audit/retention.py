"""What of a home may be removed after some time, and its removal. The ages are in ``data/retention.yaml``.

Originals, ledger and journal, releases and what is in force are never among it. A revision that is removed stays in the
ledger, with who removed it: it is known to be gone, and its number is not given again. Of all other records the journal
``history/removed.jsonl`` says how many were removed. Runs in Dagster's history are in ``orchestration/retention.py``.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from dagster_project import alerts
from dagster_project.archive import Archive, commits, journal
from dagster_project.archive.files import files_of, open_files
from dagster_project.diagnostics import OppfolgingError
from dagster_project.rules.fields import Mistake
from dagster_project.rules.loader import read_checked
from dagster_project.rules.model import Choice, Sources, Strict, unknown_sources
from dagster_project.settings import Settings
from dagster_project.validation.checkpoints import PAGES, RESULTS

Days = Choice[Annotated[int, Field(ge=1, le=36500)]]
SUPERSEDED, DAGSTER_RUNS = "superseded_revisions", "dagster_runs"


class Retention(Strict):
    """How many days each kind of record is kept; every number with basis and source."""

    sources: Sources
    superseded_revisions: Days
    quarantine: Days
    validations: Days
    lineage: Days
    alerts: Days
    dagster_runs: Days

    def mistakes(self) -> Iterator[Mistake]:
        """Sources are known."""
        return unknown_sources(self, self.sources)

    def before(self, kind: str, now: dt.datetime) -> dt.datetime:
        """What is older than this may be removed."""
        return now - dt.timedelta(days=getattr(self, kind).value)


def load_retention(settings: Settings) -> Retention:
    """The ages in force: the home's own ``retention.yaml``, else the repository's.

    Raises:
        RuleProblem: the file is wrong; file and line are named.
    """
    return read_checked(settings.retention, Retention, settings)[0]


@dataclass(frozen=True)
class Old:
    """Something that may be removed. ``since`` is from when its age counts; ``commit`` that of a revision."""

    kind: str
    path: Path
    since: dt.datetime
    commit: commits.Event | None = None

    @property
    def bytes(self) -> int:
        """The room that its removal frees at least: what a revision shares with another one stays."""
        files = self.path.rglob("*") if self.path.is_dir() else [self.path]
        return sum(p.stat().st_size for p in files if p.is_file() and p.stat().st_nlink == 1)


def old(settings: Settings, now: dt.datetime) -> list[Old]:
    """Everything that may be removed now, but alerts, which are lines of one file.

    Raises:
        RuleProblem: the ages cannot be read.
        IntegrityProblem: the ledger, or a release, is damaged: then nothing is certain to be superseded.
    """
    ages = load_retention(settings)
    found = [*_superseded(settings), *_quarantine(settings), *_records(settings)]
    return [o for o in found if o.since < ages.before(o.kind, now)]


def _superseded(settings: Settings) -> Iterator[Old]:
    """Revisions that were never released and that a later one replaced."""
    events = Archive(settings).events()
    for subject in sorted(commits.committed(events)):
        made, in_force = commits.commits_of(events, subject), commits.pointer_of(settings, subject, events)
        for commit, later in pairwise(made):
            folder = settings.published / subject / commit["revision"]
            stays = commit["event"] != "published" or (in_force and in_force["revision"] == folder.name)
            if folder.is_dir() and not stays:
                yield Old(SUPERSEDED, folder, dt.datetime.fromisoformat(later["time"]), commit)


def _quarantine(settings: Settings) -> Iterator[Old]:
    """Folders of files that wait for nobody, and whose original is in the archive."""
    archive = Archive(settings)
    files = files_of(archive.events())
    waiting = {f.sha256 for f in open_files(files)}
    for file in {f.sha256: f for f in files}.values():
        folder = settings.quarantine / file.sha256
        if folder.is_dir() and file.sha256 not in waiting and archive.damage(file.sha256) is None:
            decided = (file.decision or {}).get("time", file.arrived)
            yield Old("quarantine", folder, dt.datetime.fromisoformat(decided))


def _records(settings: Settings) -> Iterator[Old]:
    for kind, name in (("validations", RESULTS), ("validations", PAGES), ("lineage", settings.lineage.name)):
        for path in sorted((settings.home / name).rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                yield Old(kind, path, dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC))


def remove(settings: Settings, found: list[Old], *, by: str, now: dt.datetime) -> None:
    """Remove what ``old`` found. The caller holds the write lock.

    Raises:
        OppfolgingError: nobody signs for it.
    """
    if not by.strip():
        raise OppfolgingError("What is removed needs a name: --by NAME.")
    for each in found:
        if each.commit is None:
            shutil.rmtree(each.path) if each.path.is_dir() else each.path.unlink()
            with contextlib.suppress(OSError):  # not empty
                each.path.parent.rmdir()
            continue
        record = {k: each.commit[k] for k in ("round", "revision")}
        Archive(settings).append({"event": commits.REMOVED, "time": now.isoformat(), "by": by.strip(), **record,
                                  "manifest_sha256": commits.manifest_hash(each.commit)})  # fmt: skip
        # hidden first: whoever reads finds the whole revision or none
        hidden = each.path.with_name(f"{commits.REMOVING}{each.path.name}")
        each.path.rename(hidden)
        shutil.rmtree(hidden)


def prune(settings: Settings, *, by: str, now: dt.datetime) -> dict[str, int]:
    """Remove everything old but Dagster's runs; return how many of each kind. The caller holds the write lock."""
    found = old(settings, now)
    remove(settings, found, by=by, now=now)
    counts = count(settings, found, now, forget=True)
    note(settings, {kind: n for kind, n in counts.items() if kind != SUPERSEDED}, by=by, now=now)
    return counts


def count(settings: Settings, found: list[Old], now: dt.datetime, *, forget: bool = False) -> dict[str, int]:
    """How many of each kind are old; lines of alerts too, which are removed with ``forget``."""
    kinds = [name for name in Retention.model_fields if name not in ("sources", "alerts", DAGSTER_RUNS)]
    counts = {kind: sum(o.kind == kind for o in found) for kind in kinds}
    before = load_retention(settings).before("alerts", now)
    return {**counts, "alerts": alerts.forget(settings, before, remove=forget)}


def note(settings: Settings, counts: dict[str, int], *, by: str, now: dt.datetime) -> None:
    """Write into the journal what was removed that the ledger does not name."""
    removed: dict[str, Any] = {kind: n for kind, n in counts.items() if n}
    if removed:
        record = {"time": now.isoformat(), "by": by.strip(), "removed": removed}
        journal.append_line(settings.history / "removed.jsonl", record)
