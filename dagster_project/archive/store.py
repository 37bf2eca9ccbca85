"""The original files, each stored once under its SHA-256 and read-only, and the append-only ledger.

Each line of the ledger is one JSON object with ``line_sha256``, the SHA-256 of the line without it, and ``previous``,
that of the line before. So a line that was changed shows by itself, the last one too, and one that was removed, added
or moved shows by its neighbours. A run that is killed while it writes leaves a torn last line: the next writer
moves it aside (``ledger.torn``) before it begins. Verification never repairs anything.

Whoever rewrites the whole ledger can make new digests; only a seal with a key from outside (``audit/seals.py``) shows
that.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dagster_project import log
from dagster_project.diagnostics import Finding, IntegrityProblem, Severity
from dagster_project.private import READ_ONLY
from dagster_project.settings import Settings

FIRST = "0" * 64
DIGEST = "line_sha256"
COMMITS = ("published", "round_released", "round_withdrawn")
"""Events that put a revision in force. Each names its subject (``round``), ``revision`` and ``manifest_sha256``."""
LINE_LOST = "ledger-line-lost"
CHUNK = 1 << 20
LOGGED = ("sha256", "file", "round", "revision")
"""What the log says of an event of the ledger; the rest may name people."""
ARRIVING = ".arriving-"
TORN = "If a run was killed just now, the next run sets this line aside, and so does `oppfolging doctor --fix`."


@dataclass(frozen=True)
class Head:
    """A place in the ledger: how many lines it had, and the hash of the last of them."""

    lines: int
    sha256: str

    def as_dict(self) -> dict[str, Any]:
        return {"lines": self.lines, "sha256": self.sha256}


@dataclass(frozen=True)
class Stored:
    """A file that lies in the archive. ``is_new`` is False when the same bytes were there before."""

    sha256: str
    is_new: bool
    path: Path
    size: int


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _encoded(event: dict[str, Any]) -> bytes:
    return json.dumps(event, ensure_ascii=False, sort_keys=True).encode("utf-8")


def _digest(event: dict[str, Any]) -> str:
    return hashlib.sha256(_encoded({k: v for k, v in event.items() if k != DIGEST})).hexdigest()


def whole_line(line: bytes) -> dict[str, Any] | None:
    """The event of a ledger line, None when the line is not byte for byte as it was written."""
    try:
        event = json.loads(line)
        whole = isinstance(event, dict) and event.get(DIGEST) == _digest(event) and _encoded(event) == line
    except (ValueError, RecursionError):
        return None
    return event if whole and isinstance(event.get("previous"), str) else None


def ledger_lines(content: bytes) -> list[bytes]:
    """The lines of a ledger, a torn last one among them. Only a line feed ends a line."""
    return content.split(b"\n")[:-1] if content.endswith(b"\n") or not content else content.split(b"\n")


@dataclass(frozen=True)
class _Whole:
    """What a ledger was found to hold: its bytes, its lines, and the event of each with its ``line``."""

    content: bytes = b""
    lines: tuple[bytes, ...] = ()
    events: tuple[dict[str, Any], ...] = ()


_found_whole: dict[Path, _Whole] = {}
"""Each ledger as far as this process has found it whole and linked, so that only new lines are parsed."""


class Archive:
    """The originals and the ledger of a home."""

    def __init__(self, settings: Settings) -> None:
        self.root = settings.archive
        self.ledger = settings.ledger

    def path(self, sha256: str) -> Path:
        """Where the file with this hash lies."""
        return self.root / "objects" / sha256[:2] / sha256

    def arriving(self, sha256: str) -> Path:
        """Where a file lies hidden until the ledger has its arrival."""
        return self.root / "objects" / f"{ARRIVING}{sha256}"

    def store(self, path: Path) -> Stored:
        """Copy a file into the archive; its hash is taken while it is copied. The same bytes lie once.

        New bytes lie hidden until ``keep`` gives them their name, once the ledger has their arrival: a file of the
        archive that the ledger does not name is the sign of a ledger that lost lines.

        Raises:
            OSError: the disk is full or cannot be written; nothing half-written stays under a hash.
        """
        objects = self.root / "objects"
        objects.mkdir(parents=True, exist_ok=True)
        temporary = objects / f".{os.getpid()}.tmp"
        digest, size = hashlib.sha256(), 0
        try:
            with path.open("rb") as source, temporary.open("wb") as out:
                while chunk := source.read(CHUNK):
                    digest.update(chunk)
                    size += out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
            sha256 = digest.hexdigest()
            target = self.path(sha256)
            is_new = not target.exists()
            if is_new:
                target = self.arriving(sha256)
                temporary.chmod(READ_ONLY)
                temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        return Stored(sha256, is_new, target, size)

    def keep(self, sha256: str) -> Path:
        """Give a file its name under its hash, once the ledger has its arrival; return where it lies."""
        target, hidden = self.path(sha256), self.arriving(sha256)
        if hidden.exists():
            target.parent.mkdir(exist_ok=True)
            hidden.replace(target)
        return target

    def finish(self) -> None:
        """Finish what a killed call left: a torn line is set aside, and files whose arrival is in the ledger get their
        name. Others are gone; nothing of them is lost: who sent them has them, or they lie claimed.
        """
        with self._locked():
            self._set_torn_aside()
        named = {e["sha256"] for e in self.events() if "sha256" in e}
        for hidden in (self.root / "objects").glob(f"{ARRIVING}*"):
            sha256 = hidden.name.removeprefix(ARRIVING)
            if sha256 in named:
                self.keep(sha256)
            else:
                hidden.unlink()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def unchanged(self) -> Iterator[bytes]:
        """The whole lines of the ledger as bytes. Until the block ends, no line is added."""
        with contextlib.ExitStack() as held:
            if (lock := self.root / ".lock").exists():  # opened to read: the home may not be writable
                fcntl.flock(held.enter_context(lock.open("rb")), fcntl.LOCK_SH)
            yield b"".join(line + b"\n" for line in self._lines())

    def _set_torn_aside(self) -> None:
        """Move what a killed writer left of a line from the end of the ledger into ``ledger.torn``. Under the lock."""
        content = self.ledger.read_bytes() if self.ledger.exists() else b""
        if content and not content.endswith(b"\n"):
            whole, torn = content[: content.rfind(b"\n") + 1], content[content.rfind(b"\n") + 1 :]
            with (self.root / "ledger.torn").open("ab") as aside:
                aside.write(torn + b"\n")
            temporary = self.ledger.with_name(f".ledger.{os.getpid()}.tmp")
            temporary.write_bytes(whole)
            temporary.replace(self.ledger)

    def append(self, event: dict[str, Any]) -> Head:
        """Add one event, of plain JSON values, to the ledger; ``previous`` and ``line_sha256`` are set here.

        Raises:
            OSError: the disk is full or cannot be written; the event did not happen, and the ledger is as it was.
        """
        with self._locked():
            self._set_torn_aside()
            last = self.head()
            linked = {**event, "previous": last.sha256}
            written = _encoded({**linked, DIGEST: _digest(linked)})
            line = memoryview(written + b"\n")
            with self.ledger.open("ab", buffering=0) as handle:
                before = handle.tell()
                try:
                    while line:
                        line = line[handle.write(line) :]
                    os.fsync(handle.fileno())
                except BaseException:
                    handle.truncate(before)
                    raise
        head = Head(last.lines + 1, hashlib.sha256(written).hexdigest())
        log.event(str(event.get("event")), line=head.lines, **{k: v for k, v in event.items() if k in LOGGED})
        return head

    def _lines(self) -> list[bytes]:
        """The whole lines of the ledger; what a killed writer left of a line is none."""
        if not self.ledger.exists():
            return []
        content, known = self.ledger.read_bytes(), _found_whole.get(self.ledger, _Whole())
        if not content.startswith(known.content):
            known = _Whole()
        return [*known.lines, *content[len(known.content) :].split(b"\n")[:-1]]

    def head(self) -> Head:
        """Where the ledger ends."""
        lines = self._lines()
        return Head(len(lines), hashlib.sha256(lines[-1]).hexdigest() if lines else FIRST)

    def holds(self, head: Head) -> bool:
        """Whether the ledger still has the line that was its last one then."""
        return self._among(self._lines(), head)

    @staticmethod
    def _among(lines: Sequence[bytes], head: Head) -> bool:
        if head.lines == 0:
            return True
        return len(lines) >= head.lines and hashlib.sha256(lines[head.lines - 1]).hexdigest() == head.sha256

    def events(self, kind: str | None = None, until: Head | None = None) -> list[dict[str, Any]]:
        """All events in order, or those of one kind, as the ledger stood at ``until``. A torn last line is no event.

        Each event has its line as ``line``, counted from 1; its own hash is left out. Who asks again gets the same
        events: nobody changes them.

        Raises:
            IntegrityProblem: a line is not as it was written, or does not follow the one before; or the ledger no
                longer has the line that ``until`` names.
        """
        if broken := self.broken_lines():
            raise IntegrityProblem("The ledger has been changed and cannot be relied on.", broken)
        whole = _found_whole[self.ledger]
        if until is not None and not self._among(whole.lines, until):
            raise IntegrityProblem(f"The ledger has lost line {until.lines}.", [lost_line(until.lines, until.sha256)])
        events = whole.events[: until.lines if until else None]
        return list(events) if kind is None else [e for e in events if e["event"] == kind]

    def broken_lines(self) -> list[Finding]:
        """What is wrong with the lines of the ledger and their links. Lines found whole before are not parsed again."""
        lines, whole = self._lines(), _found_whole.setdefault(self.ledger, _Whole())
        if tuple(lines[: len(whole.lines)]) != whole.lines:
            whole = _Whole()
        new, events = lines[len(whole.lines) :], list(whole.events)
        last = hashlib.sha256(whole.lines[-1]).hexdigest() if whole.lines else FIRST
        for line in new:
            event = whole_line(line)
            if event is None or event["previous"] != last:
                return list(_chain_findings(lines, [whole_line(each) for each in lines]))
            last = hashlib.sha256(line).hexdigest()
            events.append({**event, "line": len(events) + 1})
            del events[-1][DIGEST]
        if new or len(lines) != len(_found_whole[self.ledger].lines):
            content = whole.content + b"".join(line + b"\n" for line in new)
            _found_whole[self.ledger] = _Whole(content, tuple(lines), tuple(events))
        return []

    def damage(self, sha256: str) -> Finding | None:
        """What is wrong with an archived file: it is gone, or its bytes are not those that were archived."""
        path = self.path(sha256)
        found = sha256_of(path) if path.exists() else None
        if found == sha256:
            return None
        code, message = ("archived-file-changed", "an archived file has changed") if found else (
            "archived-file-missing", "the ledger names a file that is not in the archive")  # fmt: skip
        return Finding(code, Severity.FAIL, message, stage="archive", file=sha256, found=found or "no file",
                       expected=sha256, fix="Restore the original from a copy of the archive.")  # fmt: skip

    def verify(self, *, shortened: bool = False) -> list[Finding]:
        """Everything in the archive that is not as it was recorded.

        ``shortened`` says that the ledger is known to lack lines: files that it does not name follow from that.

        Codes: ``ledger-line-changed``, ``-missing``, ``-unexpected`` and ``-reordered``; ``archived-file-changed``,
        ``-missing`` and ``-unexpected``.
        """
        content = self.ledger.read_bytes() if self.ledger.exists() else b""
        lines = ledger_lines(content)
        events = [whole_line(line) for line in lines]
        findings = list(_chain_findings(lines, events))
        if findings and findings[-1].row == len(lines) and not content.endswith(b"\n"):
            findings[-1] = replace(findings[-1], fix=f"{TORN} Otherwise: {findings[-1].fix}")
        ledger_is_whole = not findings and not shortened

        def add(code: str, message: str, sha256: str, **more: Any) -> None:
            findings.append(Finding(code, Severity.FAIL, message, stage="archive", file=sha256, **more))

        stored = {p.name: p for p in (self.root / "objects").glob("??/*") if not p.name.startswith(".")}
        named = {e["sha256"] for e in events if e and e.get("sha256")}
        changed = {sha256: found for sha256, p in sorted(stored.items()) if (found := sha256_of(p)) != sha256}
        for sha256, found in changed.items():
            add("archived-file-changed", "an archived file has changed", sha256, found=found, expected=sha256,
                fix="Restore the original from a copy of the archive.")  # fmt: skip
        for sha256 in sorted(named - set(stored)):
            add("archived-file-missing", "the ledger names a file that is not in the archive", sha256,
                fix="Restore the original from a copy of the archive.")  # fmt: skip
        # A damaged ledger may have lost the very line that names a file: that is the ledger's finding, not the file's.
        for sha256 in sorted(set(stored) - named - set(changed)) if ledger_is_whole else ():
            add("archived-file-unexpected", "the ledger does not name this file", sha256,
                fix="If a run was just killed, put the file into the inbox again.")  # fmt: skip
        return findings


def lost_line(line: int, sha256: str | None = None, **more: Any) -> Finding:
    """The finding that the ledger lacks a line it had: it was shortened, replaced, or an old copy was put back."""
    return Finding(
        LINE_LOST, Severity.FAIL, "a line of the ledger is missing", stage="archive",
        file="ledger.jsonl", row=line, expected=sha256, fix="Restore the newest copy of the ledger.", **more,
    )  # fmt: skip


def _chain_findings(lines: list[bytes], events: list[dict[str, Any] | None]) -> Iterator[Finding]:
    """What is wrong with the lines of the ledger and their links, each cause once."""

    def finding(code: str, message: str, row: int, **more: Any) -> Finding:
        return Finding(code, Severity.FAIL, message, stage="archive", file="ledger.jsonl", row=row,
                       fix="Restore the ledger from a copy of the archive.", **more)  # fmt: skip

    if lines and DIGEST.encode() not in b"".join(lines):
        yield replace(
            finding("ledger-line-changed", "no line has a hash of its own: it is of version 0.1, or was changed", 1),
            count=len(lines), fix="Of version 0.1: ingest the originals into a new home (docs/operations.md, Upgrade).",
        )  # fmt: skip
        return
    hashes = [hashlib.sha256(line).hexdigest() for line in lines]
    first_at = {h: i for i, h in reversed(list(enumerate(hashes)))}
    moved: list[int] = []
    last, last_at = FIRST, -1
    for at, event in enumerate(events):
        if event is None:
            yield finding("ledger-line-changed", "a line of the ledger has been changed", at + 1)
        elif first_at[hashes[at]] < at:
            yield finding("ledger-line-unexpected", f"the line is a copy of line {first_at[hashes[at]] + 1}", at + 1)
            continue
        elif event["previous"] != last and (at == 0 or events[at - 1] is not None):
            # after a changed line the link cannot be judged, and the change is named already
            link = event["previous"]
            after = -1 if link == FIRST else first_at.get(link)
            block = events[after + 1 : last_at + 1] if after is not None else []
            if after is None:
                yield finding("ledger-line-missing", "the line before this one was removed", at + 1, expected=link)
            elif after < last_at and block and block[0] is not None and block[0]["previous"] == link:
                yield finding("ledger-line-unexpected", "a line was inserted", after + 2)
            else:
                moved.append(at + 1)
        last, last_at = hashes[at], at
    if moved:
        yield Finding(
            "ledger-line-reordered", Severity.FAIL, "lines of the ledger were put in another order", stage="archive",
            file="ledger.jsonl", row=moved[0], count=len(moved), fix="Restore the ledger from a copy of the archive.",
        )  # fmt: skip
