"""Homes that tests fill: files taken in and settled, extracts written by hand, and one process that reads for all."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagster_project.intake import flow, reader
from dagster_project.intake.flow import IntakeResult
from dagster_project.intake.reader import Reader
from dagster_project.settings import REPOSITORY, Settings
from tests.conftest import NOW

EXIT = Reader.__exit__


def take_in(settings: Settings, *paths: Path, now: dt.datetime = NOW) -> list[IntakeResult]:
    """Take files in as they are given and settle what is pending; what became of each of them, in this order."""
    taken = [flow.take_in(path, settings, now=now) for path in paths]
    decided = {result.line: result for result in flow.settle(settings, now=now)}
    return [decided.get(r.line, r) if r.status == "pending" else r for r in taken]


def take_in_one(settings: Settings, path: Path, now: dt.datetime = NOW) -> IntakeResult:
    """The same of one file."""
    return take_in(settings, path, now=now)[0]


def files_below(settings: Settings) -> dict[str, list[Path]]:
    """The Parquet files of each dataset of a home, for models to read, when a test wrote them by hand."""
    found: dict[str, list[Path]] = {}
    for path in sorted(settings.extracts.rglob("*.parquet")):
        found.setdefault(path.relative_to(settings.extracts).parts[0], []).append(path)
    return found


@pytest.fixture(scope="module")
def shared_reader() -> Iterator[None]:
    """One reading process for a whole file of tests: to start one takes longer than to read a small file."""
    start, started = reader._start, list[subprocess.Popen[bytes]]()

    def shared() -> subprocess.Popen[bytes]:
        if not started or started[-1].poll() is not None:
            started.append(start())
        return started[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "_start", shared)
        patch.setattr(Reader, "__exit__", lambda self, *_: None)
        yield
    for process in started:
        process.kill()
        process.communicate()


def reading(patch: pytest.MonkeyPatch, name: str, what: str) -> None:
    """Let the reading process do something else with the file of this name; ``what`` is Python."""
    code = f"""
import errno, os, sys, time
from dagster_project.intake import read, reader
real = read.read_file
def read_file(path, sha256, name, known, units):
    if name == {name!r}:
        {what}
    return real(path, sha256, name, known, units)
read.read_file = read_file
reader.serve(sys.stdin.buffer)
"""
    command = [sys.executable, "-c", code]
    patch.setattr(Reader, "__exit__", EXIT)
    patch.setattr(
        reader, "_start",
        lambda: subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY),
    )  # fmt: skip
