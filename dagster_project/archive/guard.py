"""The write lock of a data folder. Before writing, the ledger is checked and the work of a killed run is finished.

The file of the lock says who holds it, and where the ledger ended when somebody last let go of it. So an older copy of
the ledger is known even when nothing but the ledger tells what it lacks, such as that a file was withdrawn.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagster_project import clock
from dagster_project.archive import commits
from dagster_project.archive.commits import LOCK
from dagster_project.archive.store import Archive
from dagster_project.atomic import TEMPORARY
from dagster_project.diagnostics import Finding, IntegrityProblem, Severity
from dagster_project.settings import Settings

CLOCKS_DIFFER = dt.timedelta(minutes=5)


def holder(settings: Settings) -> str:
    """Who holds the write lock, in words; empty when it is free or nobody knows."""
    try:
        said: dict[str, Any] = json.loads((settings.home / LOCK).read_text(encoding="utf-8"))
        return f"{said['what']} (process {said['pid']}, since {said['since'][:19].replace('T', ' ')} UTC)"
    except (OSError, ValueError, KeyError):
        return ""


@contextmanager
def writing(settings: Settings, what: str, waiting: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Hold the home's write lock as ``what``. Who comes second is told who holds it, and waits.

    The operating system lets go of the lock when the process ends, however it ends.

    Raises:
        IntegrityProblem: the ledger has lost lines; nothing is written until it is put back.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    with (settings.home / LOCK).open("a+", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting(holder(settings))
            fcntl.flock(handle, fcntl.LOCK_EX)
        head = commits.head_in(settings.home / LOCK)
        if holder(settings):  # whoever had the lock did not let go of it: it was killed
            _sweep(settings)

        def say(**said: Any) -> None:
            handle.truncate(0)
            handle.write(json.dumps({**said, **({"head": head.as_dict()} if head else {})}))
            handle.flush()

        say(what=what, pid=os.getpid(), since=clock.now().isoformat())
        try:
            refuse_lost_ledger(settings)
            try:
                Archive(settings).finish()
                commits.finish(settings)
                yield
            finally:
                head = Archive(settings).head()
        finally:
            say()


def _sweep(settings: Settings) -> None:
    """Remove what processes that are gone were writing when they were killed. What is committed holds none of it."""
    for folder, below, names in os.walk(settings.home):
        below[:] = [] if Path(folder).parent.parent == settings.published else [b for b in below if b != ".dagster"]
        for name in names:
            if (found := TEMPORARY.fullmatch(name)) and not _is_alive(int(found["pid"])):
                Path(folder, name).unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def clock_set_back(settings: Settings, now: dt.datetime) -> Finding | None:
    """Whether the clock of this machine is behind what the ledger knows. Nothing is ordered by it: lines are."""
    times = [(dt.datetime.fromisoformat(e["time"]), e["line"]) for e in Archive(settings).events() if "time" in e]
    newest, line = max(times, default=(now, 0))
    if newest - now <= CLOCKS_DIFFER:
        return None
    return Finding(
        "clock-set-back", Severity.WARN, "the clock is behind the ledger: new lines would tell an earlier time than "
        "older ones. Their order stays right, and nothing is lost", stage="archive", file="ledger.jsonl", row=line,
        found=f"the clock says {now:%Y-%m-%d %H:%M} UTC", expected=f"{newest:%Y-%m-%d %H:%M} UTC or later",
        fix="Set the clock of this machine right.",
    )  # fmt: skip


def refuse_lost_ledger(settings: Settings) -> None:
    """Raise when the ledger lacks what it once held.

    Raises:
        IntegrityProblem: with what shows it.
    """
    if findings := commits.lost_lines(settings):
        raise IntegrityProblem(
            "The ledger is not the one that this data folder was made with. Nothing was changed.", findings
        )
