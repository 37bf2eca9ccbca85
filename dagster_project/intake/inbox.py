"""Which files can be ingested: the filter of inbox, sensor and command line, and how a file is claimed.

A file is taken when it stands still: nobody has it open for writing (where the operating system can tell), and
neither its size nor its time changed for a moment. A file of the inbox is then claimed by renaming it into a private
folder, so that no other process takes it too; it lies there until the archive and the ledger have it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterable
from pathlib import Path

from dagster_project.printable import printable
from dagster_project.settings import Settings

UNFINISHED = {".tmp", ".part", ".partial", ".crdownload", ".download", ".filepart"}
CLAIMED = ".claimed"
STILL_SECONDS = 1.0
LEFT_LYING = "Put the files themselves into the inbox, readable, without a folder or a link."


def is_finished(path: Path) -> bool:
    """Whether a name is one that people give to whole files: not hidden, not a download or an open workbook."""
    return not path.name.startswith((".", "~$")) and path.suffix.lower() not in UNFINISHED


def waiting(inbox: Path) -> list[Path]:
    """The files of the inbox that may be taken in, by name."""
    if not inbox.is_dir():
        return []
    return sorted(p for p in inbox.iterdir() if is_finished(p) and no_file(p) is None)


def left_lying(inbox: Path) -> dict[Path, str]:
    """What lies in the inbox and is never taken in, each with what it is. Only files of its own can be archived."""
    if not inbox.is_dir():
        return {}
    return {p: what for p in sorted(inbox.iterdir()) if is_finished(p) and (what := no_file(p)) is not None}


def no_file(path: Path) -> str | None:
    """What something in the inbox is, when it is no file that can be read. Nothing is opened: a pipe would wait."""
    if path.is_symlink():
        return "a link" if path.exists() else "a link that leads nowhere"
    if path.is_dir():
        return "a folder"
    if not path.is_file():
        return "a pipe, socket or device"
    return None if os.access(path, os.R_OK) else "a file that may not be read"


def name_of(path: Path) -> str:
    """A file's name as text, on one line. A name that is not UTF-8 is taken for Windows' or Latin-1's."""
    name = os.fsencode(path.name)
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        text = name.decode("cp1252", "replace")
    return printable(text, one_line=True)


def claimed(inbox: Path) -> list[Path]:
    """Files that were claimed by a run that ended before the ledger had them."""
    return sorted(p for p in (inbox / CLAIMED).rglob("*") if p.is_file())


def state_of(path: Path) -> tuple[int, int]:
    """Size and time of change of a file."""
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def is_being_written(path: Path) -> bool:
    """Whether some process has the file open for writing. False where the operating system cannot tell.

    A lease for reading is given only on a file that nobody writes to.
    """
    if (lease := getattr(fcntl, "F_SETLEASE", None)) is None:
        return False
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.fcntl(handle, lease, fcntl.F_RDLCK)
        fcntl.fcntl(handle, lease, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False


def still(paths: Iterable[Path], seconds: float = STILL_SECONDS) -> tuple[list[Path], list[Path]]:
    """The files that stand still, and those that are still being written or went away. Waits up to ``seconds``."""
    before: dict[Path, tuple[int, int]] = {}
    moving: list[Path] = []
    for path in paths:
        try:
            before[path] = state_of(path)
        except OSError:
            moving.append(path)
    newest = max((changed for _, changed in before.values()), default=0) / 1e9
    # a file that was last changed long ago needs no second look
    if time.time() - newest < seconds:
        time.sleep(seconds)
    standing: list[Path] = []
    for path, state in before.items():
        try:
            fine = state_of(path) == state and not is_being_written(path)
        except OSError:
            fine = False
        (standing if fine else moving).append(path)
    return standing, moving


def new_batch(settings: Settings) -> Path:
    """The folder for the files that one call claims. Folders sort in the order in which they were asked for, also when
    the clock was set back meanwhile."""
    before = (int(p.name) for p in (settings.inbox / CLAIMED).glob("*/") if p.name.isdigit())
    return settings.inbox / CLAIMED / f"{max(time.time_ns(), max(before, default=0) + 1):020d}"


def batches(inbox: Path) -> list[list[Path]]:
    """The claimed files of each call, the oldest call first: of one that was killed they are still here."""
    found: dict[Path, list[Path]] = {}
    for path in claimed(inbox):
        found.setdefault(path.parent, []).append(path)
    return [found[folder] for folder in sorted(found)]


def claim(path: Path, batch: Path) -> Path | None:
    """Rename a file of the inbox into a private folder; None when another process was faster, or it moves again.

    Each call has a folder of its own: a file of the same name may have been left by one that was killed.
    """
    batch.mkdir(parents=True, exist_ok=True)
    target = batch / path.name
    try:
        state = state_of(path)
        path.rename(target)
    except OSError:
        return None
    if is_being_written(target) or state_of(target) != state:
        give_back(target, path.parent)
        return None
    return target


def give_back(claimed: Path, inbox: Path) -> None:
    """Put a claimed file back where people see it, beside another of its name when one came meanwhile."""
    target, number = inbox / claimed.name, 1
    while target.exists():
        number += 1
        target = inbox / f"{claimed.stem[:80]} ({number}){claimed.suffix[:20]}"
    claimed.rename(target)


def tidy(inbox: Path) -> None:
    """Remove the private folder and those in it, as far as they are empty."""
    root = inbox / CLAIMED
    for folder in (*root.glob("*/"), root):
        with contextlib.suppress(OSError):
            folder.rmdir()
