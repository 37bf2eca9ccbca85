"""What the commands and runs of a home did, as lines of JSON in ``logs/oppfolging.jsonl``.

Each line has a time and an event, and the ids of what it belongs to: ``invocation`` of a command, ``run`` of Dagster.
They are written with the standard ``logging``, to the logger ``oppfolging``. The file is read by its user alone and is
set aside when it has grown. A log that cannot be written stops nothing. Values of cells are never logged: of a finding
only its code and place, since its other texts may quote the file. Dagster's own log of a run is apart from this one.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dagster_project.diagnostics import Finding, Severity

FOLDER, FILE = "logs", "oppfolging.jsonl"
MOST_BYTES, KEPT = 10_000_000, 5
"""When a file is set aside, and how many are kept beside it."""
LEVELS = {Severity.PASS: logging.INFO, Severity.WARN: logging.WARNING, Severity.FAIL: logging.ERROR}

_following: ContextVar[dict[str, Any] | None] = ContextVar("following", default=None)


class JsonLine(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {k: v for k, v in getattr(record, "fields", {}).items() if v is not None}
        line = {"time": time, "level": record.levelname.lower(), "event": record.getMessage(), **fields}
        return json.dumps(line, ensure_ascii=False, default=str)


class HomeHandler(logging.Handler):
    """Writes each record into the home it belongs to. What comes before a home is made waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonLine())
        self.waiting: list[tuple[Path, bytes]] = []

    def emit(self, record: logging.LogRecord) -> None:
        home: Path | None = getattr(record, "home", None)
        if home is None:
            return
        with suppress(OSError, ValueError):  # a full disk, a folder that may not be written: the work goes on
            line = f"{self.format(record)}\n".encode("utf-8", "backslashreplace")
            if not home.is_dir():
                self.waiting = [*self.waiting, (home, line)][-100:]
                return
            lines = [*(text for h, text in self.waiting if h == home), line]
            self.waiting = [(h, text) for h, text in self.waiting if h != home]
            _append(home / FOLDER / FILE, b"".join(lines))


def _append(path: Path, lines: bytes) -> None:
    """Add whole lines at once, so that processes can write beside each other. Never waits for anybody.

    Raises:
        OSError: they cannot be written.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o600)
    try:
        os.write(handle, lines)
        if os.fstat(handle).st_size > MOST_BYTES:
            _set_aside(path, handle)
    finally:
        os.close(handle)


def _set_aside(path: Path, handle: int) -> None:
    """Number the files anew, unless another process does it or has done it."""
    with suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(handle).st_ino == path.stat().st_ino:
            for number in range(KEPT - 1, 0, -1):
                with suppress(FileNotFoundError):
                    path.with_suffix(f".{number}.jsonl").replace(path.with_suffix(f".{number + 1}.jsonl"))
            path.replace(path.with_suffix(".1.jsonl"))


LOGGER = logging.getLogger("oppfolging")
LOGGER.setLevel(logging.INFO)
LOGGER.propagate = False
LOGGER.addHandler(HomeHandler())


@contextmanager
def following(home: Path, **ids: str) -> Iterator[None]:
    """Write what is logged inside into this home, with these ids beside those of around."""
    before = _following.get()
    _following.set({**(before or {}), **ids, "home": home})
    try:
        yield
    finally:
        _following.set(before)


@contextmanager
def timed(what: str, **fields: Any) -> Iterator[dict[str, Any]]:
    """Log that something started and finished: after how long, and with what is put into the dictionary.

    An error is logged by its kind alone, its text may quote a file.
    """
    event(f"{what} started", **fields)
    start, told = time.monotonic(), dict(fields)
    try:
        yield told
    except BaseException as error:
        told["error"] = type(error).__name__
        raise
    finally:
        level = logging.ERROR if "error" in told else logging.INFO
        event(f"{what} finished", level, seconds=round(time.monotonic() - start, 3), **told)


def event(name: str, level: int = logging.INFO, **fields: Any) -> None:
    """Log that something happened. Nothing is written outside of ``following``."""
    ids = dict(_following.get() or {})
    home = ids.pop("home", None)
    LOGGER.log(level, name, extra={"home": home, "fields": {**ids, **fields}})


def findings(found: Iterable[Finding]) -> None:
    """Log findings by code and place."""
    for f in found:
        event("finding", LEVELS[f.severity], code=f.code, severity=f.severity.value, stage=f.stage or None, file=f.file,
              row=f.row, column=f.column, count=f.count)  # fmt: skip
