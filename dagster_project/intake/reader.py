"""Read a file in a process of its own, with limits of time and memory, and store the result.

A reader meets bytes that somebody sent. Whatever it does with them (an error of a library, an endless loop, all the
memory) ends as a finding on that file and never ends a run. What a file gave is kept as Parquet under ``read/``, with
the version of the readers that gave it; it is used only for the same version, and only when the bytes are as recorded.
"""

from __future__ import annotations

import json
import os
import resource
import select
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.archive import Archive
from dagster_project.archive.store import sha256_of
from dagster_project.arrow import write_parquet
from dagster_project.atomic import replacing
from dagster_project.diagnostics import (
    FileProblem,
    Finding,
    IntegrityProblem,
    Severity,
    UnreadableFile,
    UnrecognisedFile,
)
from dagster_project.fingerprint import code_in, fingerprint
from dagster_project.intake.cells import ExtractTable, Page
from dagster_project.intake.recognise import Recognised, recognise
from dagster_project.settings import REPOSITORY, Settings

if TYPE_CHECKING:
    pass

SECONDS = 60
# of address space: the libraries alone reserve 2.4 GiB of it and use 0.1
MEMORY_BYTES = 4 << 30
RESULT = "result.json"
READER_FAILED = "reader-failed"
STAGES = ("recognised", "readable", "schema")
NO_READERS = {"checks", "flow", "inbox", "order", "quarantine", "screen"}
"""Modules of this room that decide on a file and change no row of it."""


@dataclass(frozen=True)
class ReadFile:
    """What reading a file gave: its tables, or the stage at which it failed and why."""

    recognised: Recognised | None
    tables: tuple[ExtractTable, ...]
    failed: str | None
    findings: tuple[Finding, ...]

    @property
    def broke(self) -> bool:
        """Whether it was the reader that failed, or the machine: reading the file once more may give its rows."""
        return any(f.code == READER_FAILED for f in self.findings)

    @property
    def datasets(self) -> tuple[str, ...]:
        """What the file is about: the datasets of its tables, or those it was recognised as."""
        of_tables = tuple(sorted({t.dataset for t in self.tables}))
        return of_tables or (self.recognised.datasets if self.recognised else ())


@cache
def readers_version() -> str:
    """One hash over the code that turns bytes into rows, and the libraries it reads with."""
    code = [p for p in code_in("intake") if p.stem not in NO_READERS]
    code += code_in("forms/spec.py", "schema.py", "intake/labels.csv")
    return fingerprint(code, libraries=("duckdb", "openpyxl", "pyarrow"))


def _page(raw: dict[str, Any] | None) -> Page | None:
    return Page(**{**raw, "numbers": tuple(raw["numbers"]), "years": tuple(raw["years"])}) if raw else None


def read_into(path: Path, sha256: str, name: str, folder: Path, units: Path | None = None) -> None:
    """Read a file and leave its tables and ``result.json`` in ``folder``. What the file does wrong is in the result.

    ``units`` is a list of units for a pivot.
    """
    from dagster_project.intake.read import read_file, read_units_of

    folder.mkdir(parents=True, exist_ok=True)
    (folder / RESULT).unlink(missing_ok=True)
    known: Recognised | None = None
    result: dict[str, Any] = {"name": name, "readers": readers_version(), "failed": None, "findings": [], "tables": []}
    try:
        known = recognise(path, name)
        listed = None if units is None else read_units_of(units)
        for number, table in enumerate(read_file(path, sha256, name, known, listed)):
            target = folder / f"{number:03d}.parquet"
            write_parquet(target, table.table)
            result["tables"].append(
                {"dataset": table.dataset, "file": target.name, "sha256": sha256_of(target),
                 "columns_seen": list(table.columns_seen), "findings": [f.as_dict() for f in table.findings],
                 "page": table.page and asdict(table.page)}
            )  # fmt: skip
    except FileProblem as problem:
        failed = {UnrecognisedFile: "recognised", UnreadableFile: "readable"}.get(type(problem), "schema")
        result |= {"failed": failed, "findings": [f.as_dict() for f in problem.findings], "tables": []}
    except MemoryError:
        findings = _stopped(name, "reading-took-too-much-memory", "more memory than a file may take").findings
        result |= {"failed": "readable", "findings": [f.as_dict() for f in findings], "tables": []}
    except Exception as error:
        result |= {"failed": "readable", "findings": [_broke(name, error).as_dict()], "tables": []}
    result["recognised"] = known and asdict(known)
    with replacing(folder / RESULT) as temporary:
        temporary.write_text(json.dumps(result, ensure_ascii=False), encoding="utf-8")


def _broke(name: str, error: Exception) -> Finding:
    """A finding for what no reader foresaw: which error, and where in the code."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    return Finding(
        READER_FAILED, Severity.FAIL, "the program that reads the file failed", stage="readable", file=name,
        found=f"{type(error).__name__}: {str(error).strip()[:200]} ({Path(at.filename).name}, line {at.lineno})",
        expected="a file that can be read, or a message that says what is wrong with it",
        fix="Download the file again; if it is the original, report the error with the file's hash.",
    )  # fmt: skip


def _stopped(name: str, code: str, found: str) -> ReadFile:
    finding = Finding(
        code, Severity.FAIL, "reading the file was stopped", stage="readable", file=name, found=found,
        expected=f"read within {SECONDS} seconds and {MEMORY_BYTES >> 30} GiB", fix="Send the original download.",
    )  # fmt: skip
    return ReadFile(None, (), "readable", (finding,))


class Reader:
    """Reads archived files, each once per version of the readers. Use it as a context: it ends its process."""

    def __init__(self, settings: Settings, folder: Path | None = None, *, seconds: float = SECONDS) -> None:
        """``folder`` is where what files gave is kept: ``read/`` of the home, when not another."""
        self._archive, self._folder, self._seconds = Archive(settings), folder or settings.read, seconds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def read(
        self, sha256: str, name: str, *, path: Path | None = None, out: Path | None = None, units: str | None = None
    ) -> ReadFile:
        """What the archived file gives, or the file at ``path``. Never raises for what is in it.

        ``out`` is where its tables are kept, when not in the home. ``units`` is the hash of an archived list of units.

        Raises:
            IntegrityProblem: the archive no longer has the file or the list, or not with the bytes that were archived.
        """
        folder = out or self._folder / sha256[:2] / sha256
        folder = folder / units if units else folder
        if (known := _kept(folder, name)) is not None and not known.broke:
            return known
        if path is None:
            path = self._archive.path(sha256)
            if (damage := self._archive.damage(sha256)) is not None:
                raise IntegrityProblem(f"{name} cannot be read from the archive.", [damage])
        request = {"path": str(path.absolute()), "sha256": sha256, "name": name, "out": str(folder)}
        if units is not None:
            if (damage := self._archive.damage(units)) is not None:
                raise IntegrityProblem(f"The list of units of {name} cannot be read from the archive.", [damage])
            request["units"] = str(self._archive.path(units).absolute())
        answer = self._ask(request)
        if answer is not None:
            return _stopped(name, *answer)
        result = _kept(folder, name)
        return result if result is not None else _stopped(name, "reader-died", "it left no result")

    def _ask(self, request: dict[str, str]) -> tuple[str, str] | None:
        """Let the process read one file; None when it did, else a code and what happened."""
        process = self._process = self._process or _start()
        assert process.stdin is not None and process.stdout is not None
        deadline = time.monotonic() + self._seconds
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            ready = select.select([process.stdout], [], [], self._seconds)[0]
            said = process.stdout.readline() if ready else b""
        except BrokenPipeError:
            said = b""
        if said == b"done\n":
            return None
        late = time.monotonic() >= deadline
        self._end()
        if late:
            return "reading-took-too-long", f"more than {self._seconds:g} seconds"
        return "reader-died", f"the process ended with {process.returncode}; it may have needed more memory"

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "dagster_project.intake.reader"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        cwd=REPOSITORY,
    )  # fmt: skip


def _kept(folder: Path, name: str) -> ReadFile | None:
    """What was kept of a file, None when nothing was, or not by these readers, or not as it was recorded."""
    import pyarrow.parquet as pq

    try:
        result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        if (result["name"], result["readers"]) != (name, readers_version()):
            return None
        if any(sha256_of(folder / t["file"]) != t["sha256"] for t in result["tables"]):
            return None
        tables = tuple(
            ExtractTable(
                t["dataset"], pq.read_table(folder / t["file"]), tuple(t["columns_seen"]),
                tuple(Finding.from_dict(f) for f in t["findings"]), _page(t["page"]),
            )
            for t in result["tables"]
        )  # fmt: skip
        raw = result["recognised"]
        known = Recognised(**{**raw, "datasets": tuple(raw["datasets"])}) if raw else None
        return ReadFile(known, tables, result["failed"], tuple(Finding.from_dict(f) for f in result["findings"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def serve(requests: Iterable[bytes]) -> None:
    """The process itself: one request a line, one answer a line. Its memory is limited; its parent limits its time."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    for line in requests:
        request = json.loads(line)
        units = Path(request["units"]) if "units" in request else None
        read_into(Path(request["path"]), request["sha256"], request["name"], Path(request["out"]), units)
        answers.write(b"done\n")
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer)
