"""Validation results of a partition. If the partition is not made again, the stored results are returned.

A partition of figures or of a register is validated as a whole. A form is judged by what stood when it arrived (which
list was sent out, which day it was), so for forms the answers are those of their files' screening.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from dagster_project import schema
from dagster_project.archive import journal
from dagster_project.archive.files import Key
from dagster_project.atomic import replacing
from dagster_project.diagnostics import Severity
from dagster_project.intake.partitions import Extracts, name_of, partition_folder
from dagster_project.intake.screen import program_version
from dagster_project.settings import Settings
from dagster_project.validation.findings import CheckResult
from dagster_project.validation.suites import checks_of
from dagster_project.validation.validate import validate

RECORD = "_checks.json"
SHOWN = 10


@dataclass(frozen=True)
class Checked:
    """What one expectation of a suite says of a partition. ``run_id`` is the run that validated it.

    A warning that somebody accepted for the files it stands in counts as passed, and is named in ``accepted``.
    """

    code: str
    severity: Severity
    passed: bool
    count: int
    findings: tuple[dict[str, Any], ...]
    accepted: int
    run_id: str


def check_partition(extracts: Extracts, key: Key, *, run_id: str, now: dt.datetime, anew: bool) -> list[Checked]:
    """One result per entry of the suite of a partition. With ``anew`` it is validated whatever was kept.

    Raises:
        PipelineProblem: a file can no longer be read.
        RuleProblem: the registers cannot be used.
    """
    settings = extracts.settings
    if key[0] in schema.FORM_DATASETS:
        return _of_files(extracts, key, run_id)
    accepted = {(a["sha256"], a["code"]) for a in journal.acceptances(settings)}
    rests_on = json.dumps([extracts.identity(key), program_version(), sorted(accepted)])
    basis = hashlib.sha256(rests_on.encode()).hexdigest()
    path = partition_folder(extracts.out, key) / RECORD
    if not anew and (kept := _kept(path, basis)) is not None:
        return kept
    table = extracts.table(key)
    assert table is not None, "only partitions in force are checked"
    names = {f.sha256: f.name for f in extracts.in_force[key]}
    results = validate(settings, key[0], table, name_of(key), now, extracts.table, keep=True)
    found = [_checked(r, names, accepted, run_id) for r in results]
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        text = json.dumps({"basis": basis, "checks": [asdict(c) for c in found]}, ensure_ascii=False, default=str)
        temporary.write_text(text + "\n", encoding="utf-8")
    return found


def _kept(path: Any, basis: str) -> list[Checked] | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["basis"] != basis:
            return None
        return [
            Checked(**{**c, "severity": Severity(c["severity"]), "findings": tuple(c["findings"])})
            for c in record["checks"]
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _checked(result: CheckResult, names: dict[str, str], accepted: set[tuple[str, str]], run_id: str) -> Checked:
    """The result without the rows of files for which the warning was accepted."""
    of_files = [r.get("source_sha256") for r in result.rows]
    taken = [s for s in of_files if s is None and any((n, result.code) in accepted for n in names)]
    taken += [s for s in of_files if s is not None and (s, result.code) in accepted]
    failing = result.count - len(taken)
    findings = tuple(f.as_dict() for f in result.findings[:SHOWN]) if failing > 0 else ()
    return Checked(result.code, result.severity, result.passed or failing <= 0, max(failing, 0), findings,
                   len(taken), run_id)  # fmt: skip


def _of_files(extracts: Extracts, key: Key, run_id: str) -> list[Checked]:
    """The results of the newest screening of each file in force."""
    settings = extracts.settings
    wanted = {f.sha256 for f in extracts.in_force[key]}
    accepted = {(a["sha256"], a["code"]) for a in journal.acceptances(settings)}
    newest = {line["sha256"]: line for line in journal.screenings(settings) if line["sha256"] in wanted}
    found = []
    for entry in checks_of(settings.expectations, key[0]):
        failed = [
            (sha256, c)
            for sha256, line in newest.items()
            for c in line["checks"]
            if c["code"] == entry.code and not c["passed"]
        ]
        open_ = [(sha256, c) for sha256, c in failed if (sha256, entry.code) not in accepted]
        shown = [f for sha256, _ in open_ for f in newest[sha256]["findings"] if f["code"] == entry.code]
        found.append(
            Checked(entry.code, entry.severity, not open_, sum(c["count"] for _, c in open_), tuple(shown[:SHOWN]),
                    len(failed) - len(open_), run_id)
        )  # fmt: skip
    return found


def without_rows(settings: Settings, dataset: str, run_id: str) -> Iterable[Checked]:
    """The results of a dataset of which no file is in force: nothing failed."""
    for entry in checks_of(settings.expectations, dataset):
        yield Checked(entry.code, entry.severity, True, 0, (), 0, run_id)
