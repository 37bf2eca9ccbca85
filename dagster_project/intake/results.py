"""What the journal says of the checks of a partition."""

from __future__ import annotations

from typing import Any

from dagster_project.archive.journal import acceptances, screenings
from dagster_project.settings import REPOSITORY, Settings
from dagster_project.validation import suites

WORST_SHOWN = 10


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
