"""The history of every screening and acceptance: lines are added, never changed. And what it says of a partition."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from dagster_project.settings import REPOSITORY, Settings
from dagster_project.validation import suites

WORST_SHOWN = 10


def append_line(path: Path, record: dict[str, Any]) -> None:
    """Add one JSON line and see it to the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as handle:
        handle.write(json.dumps(record, ensure_ascii=False, sort_keys=True).encode("utf-8") + b"\n")
        handle.flush()
        os.fsync(handle.fileno())


def read_lines(path: Path) -> list[dict[str, Any]]:
    """All whole lines; a line torn by a killed run is left out."""
    if not path.exists():
        return []
    content = path.read_bytes()
    return [json.loads(line) for line in content[: content.rfind(b"\n") + 1].splitlines()]


def record_screening(settings: Settings, record: dict[str, Any]) -> None:
    append_line(settings.history / "checks.jsonl", record)


def screenings(settings: Settings) -> list[dict[str, Any]]:
    """Every screening so far, oldest first."""
    return read_lines(settings.history / "checks.jsonl")


def record_acceptance(settings: Settings, record: dict[str, Any]) -> None:
    append_line(settings.history / "acceptances.jsonl", record)


def acceptances(settings: Settings) -> list[dict[str, Any]]:
    """Every acceptance so far, oldest first."""
    return read_lines(settings.history / "acceptances.jsonl")


def check_names(dataset: str) -> dict[str, str]:
    """Codes of the suite of a dataset with why each is there, without loading Great Expectations."""
    entries = suites.load_suite(REPOSITORY / "expectations", dataset)
    return {entry.code: entry.why for entry in entries}


def check_results(
    settings: Settings, dataset: str, school_year: str | None, *, only: set[str] | None = None
) -> list[dict[str, Any]]:
    """One result per suite entry for the newest screening of each file of a partition.

    Returns dictionaries with ``name``, ``passed``, ``severity`` (FAIL or WARN), ``count`` and ``findings``. A warning
    that somebody has accepted counts as passed. ``only`` names the files to answer for: a file that was rejected long
    ago stays in quarantine and need not fail every later run.
    """
    accepted = {(a["sha256"], a["code"]) for a in acceptances(settings)}
    newest: dict[str, dict[str, Any]] = {}
    for line in screenings(settings):
        if only is not None and line["sha256"] not in only:
            continue
        if dataset in line["datasets"] and (school_year is None or school_year in line["school_years"]):
            newest[line["sha256"]] = line
    results = []
    for entry in suites.load_suite(settings.expectations, dataset):
        count, findings = 0, []
        for sha256, line in newest.items():
            failed = [c for c in line["checks"] if c["code"] == entry.code and not c["passed"]]
            if failed and (sha256, entry.code) not in accepted:
                count += failed[0]["count"]
                findings += [f for f in line["findings"] if f["code"] == entry.code]
        results.append(
            {
                "name": entry.code,
                "passed": not findings,
                "severity": entry.severity.value,
                "count": count,
                "findings": findings[:WORST_SHOWN],
            }
        )
    return results
