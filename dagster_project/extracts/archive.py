"""Originals are kept for good: each file once under its SHA-256, read-only, and a ledger that is only ever added to.

Each line of the ledger is one JSON object with ``previous``, the SHA-256 of the line before, so that a line that was
changed, removed or moved shows. A run that is killed while it writes leaves a torn last line: the next writer moves
it aside (``ledger.torn``) before it goes on. Verification never repairs anything.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster_project.diagnostics import Finding, IntegrityProblem, Severity
from dagster_project.settings import Settings

RESTORE = "Bring archive/ back from the last backup, and find out who wrote there."
FIRST = "0" * 64


@dataclass(frozen=True)
class Arrival:
    """A file that has come to lie in the archive. ``is_new`` is False when the same bytes were there before."""

    sha256: str
    is_new: bool
    path: Path
    original_name: str
    size: int


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


class Archive:
    """The originals and the ledger of a home."""

    def __init__(self, settings: Settings) -> None:
        self.root = settings.archive
        self.ledger = settings.ledger

    def path(self, sha256: str) -> Path:
        """Where the file with this hash lies."""
        return self.root / "objects" / sha256[:2] / sha256

    def store(self, path: Path) -> Arrival:
        """Copy a file into the archive under its hash. The same bytes are stored once.

        Raises:
            OSError: the disk is full or cannot be written; nothing half-written stays under a hash.
        """
        sha256 = sha256_of(path)
        target = self.path(sha256)
        if target.exists():
            return Arrival(sha256, False, target, path.name, path.stat().st_size)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{sha256[:12]}.{os.getpid()}.tmp")
        try:
            shutil.copyfile(path, temporary)
            with temporary.open("rb+") as handle:
                os.fsync(handle.fileno())
            temporary.chmod(0o444)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        return Arrival(sha256, True, target, path.name, path.stat().st_size)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _last_hash(self) -> str:
        if not self.ledger.exists():
            return FIRST
        content = self.ledger.read_bytes()
        if content and not content.endswith(b"\n"):
            whole, torn = content[: content.rfind(b"\n") + 1], content[content.rfind(b"\n") + 1 :]
            with (self.root / "ledger.torn").open("ab") as aside:
                aside.write(torn + b"\n")
            temporary = self.ledger.with_name(f".ledger.{os.getpid()}.tmp")
            temporary.write_bytes(whole)
            temporary.replace(self.ledger)
            content = whole
        lines = content.splitlines()
        return hashlib.sha256(lines[-1]).hexdigest() if lines else FIRST

    def append(self, event: dict[str, Any]) -> None:
        """Add one event to the ledger. ``event`` holds plain JSON values; ``previous`` is set here."""
        with self._locked():
            line = json.dumps({**event, "previous": self._last_hash()}, ensure_ascii=False, sort_keys=True)
            with self.ledger.open("ab") as handle:
                handle.write(line.encode("utf-8") + b"\n")
                handle.flush()
                os.fsync(handle.fileno())

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """All events in order, or those of one kind. A torn last line is no event."""
        if not self.ledger.exists():
            return []
        content = self.ledger.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        try:
            events = [json.loads(line) for line in whole.splitlines()]
        except ValueError as error:
            raise IntegrityProblem("The ledger holds a line that is not JSON.", self.verify()) from error
        return [e for e in events if kind is None or e["event"] == kind]

    def verify(self) -> list[Finding]:
        """Every object whose bytes are not those of its name, every missing one, every broken link of the ledger."""
        findings: list[Finding] = []

        def add(code: str, message: str, file: str, row: int | None = None, **more: Any) -> None:
            findings.append(Finding(code, Severity.FAIL, message, stage="archive", file=file, row=row, **more))

        named: set[str] = set()
        previous = FIRST
        lines = self.ledger.read_bytes().splitlines() if self.ledger.exists() else []
        for number, line in enumerate(lines, start=1):
            try:
                event = json.loads(line)
                link, sha256 = event["previous"], event.get("sha256")
            except (ValueError, KeyError, TypeError):
                add(
                    "ledger-line-damaged",
                    "a line of the ledger is not as it was written",
                    "ledger.jsonl",
                    number,
                    found=line[:60].decode("utf-8", "replace"),
                    expected="an event in JSON with its link",
                    fix=RESTORE,
                )
                link, sha256 = None, None
            if link is not None and link != previous:
                add(
                    "ledger-chain-broken",
                    "a line before this one was changed, removed or moved",
                    "ledger.jsonl",
                    number,
                    found=str(link),
                    expected=previous,
                    fix=RESTORE,
                )
            if sha256:
                named.add(sha256)
            previous = hashlib.sha256(line).hexdigest()
        stored = {p.name: p for p in (self.root / "objects").glob("??/*") if not p.name.startswith(".")}
        for sha256, path in sorted(stored.items()):
            if (found := sha256_of(path)) != sha256:
                add(
                    "object-changed",
                    "an archived file is not what it was",
                    sha256,
                    found=found,
                    expected=sha256,
                    fix=RESTORE,
                )
        for sha256 in sorted(named - set(stored)):
            add(
                "object-missing",
                "the ledger names a file that is not in the archive",
                sha256,
                found="no file",
                expected=sha256,
                fix=RESTORE,
            )
        return findings
