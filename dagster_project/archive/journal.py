"""The journal of all validations and accepted warnings. Lines are added, never changed."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from dagster_project.archive.store import Archive
from dagster_project.settings import Settings

WARNING_ACCEPTED = "warning_accepted"
OF_A_SCREENING = {"sha256", "file", "verdict", "findings", "checks"}


def append_line(path: Path, record: dict[str, Any]) -> None:
    """Add one JSON line and see it to the disk. What a killed writer left of a line stays a line of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as handle:
        if handle.tell():
            handle.seek(-1, os.SEEK_END)
            handle.write(b"" if handle.read(1) == b"\n" else b"\n")
        handle.write(json.dumps(record, ensure_ascii=False, sort_keys=True).encode("utf-8") + b"\n")
        handle.flush()
        os.fsync(handle.fileno())


def read_lines(path: Path) -> list[dict[str, Any]]:
    """All whole lines; a line torn by a killed run is left out. Nothing is decided by them: they are shown."""
    found = []
    for line in path.read_bytes().split(b"\n") if path.is_file() else ():
        with contextlib.suppress(ValueError):
            found.append(json.loads(line))
    return [record for record in found if isinstance(record, dict)]


def record_screening(settings: Settings, record: dict[str, Any]) -> None:
    append_line(settings.history / "checks.jsonl", record)


def screenings(settings: Settings) -> list[dict[str, Any]]:
    """Every screening so far, oldest first; a line that lacks what each has is left out."""
    return [line for line in read_lines(settings.history / "checks.jsonl") if line.keys() >= OF_A_SCREENING]


def record_fetched(settings: Settings, record: dict[str, Any]) -> None:
    """Note of an answer of a public service: ``file``, ``sha256``, ``address`` and ``time``."""
    append_line(settings.history / "fetched.jsonl", record)


def fetched(settings: Settings, sha256: str) -> dict[str, str]:
    """Address and time of the newest answer with these bytes; empty when no service gave them."""
    found = [line for line in read_lines(settings.history / "fetched.jsonl") if line.get("sha256") == sha256]
    return {"address": found[-1]["address"], "fetched": found[-1]["time"]} if found else {}


def acceptances(settings: Settings) -> list[dict[str, Any]]:
    """Every accepted warning so far, oldest first. The ledger holds them."""
    return Archive(settings).events(WARNING_ACCEPTED)


def accepted_codes(settings: Settings, sha256: str, arrival: int) -> set[str]:
    """The warnings that somebody accepted for this arrival of a file; what was accepted of an earlier one was then.

    In the ledgers of version 0.2 no acceptance names an arrival: it holds for the bytes.
    """
    return {a["code"] for a in acceptances(settings) if a["sha256"] == sha256 and a.get("arrival", arrival) == arrival}
