"""Screen a file at the door: recognised, readable, schema, values, against last year. Stops at the first failure.

The same screening runs for ``oppfolging check`` and for everything that enters through the inbox.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dagster_project import schema
from dagster_project.archive import Archive
from dagster_project.archive.store import sha256_of
from dagster_project.diagnostics import FileProblem, Finding, Severity, UnreadableFile, UnrecognisedFile
from dagster_project.intake.cells import ExtractTable
from dagster_project.intake.read import read_file
from dagster_project.intake.recognise import Recognised, recognise
from dagster_project.intake.text import refuse_oversize
from dagster_project.settings import Settings
from dagster_project.validation import form_frames, frames, suites

STAGES = ("recognised", "readable", "schema", "values", "against_last_year")
RENAMED = {"Indikator": "Spoersmaalgruppe"}
API_VALUES = {"Score", "AndelMobbet", "AndelDeltatt"}
HEADER_DETAIL = re.compile(r"\d{4}[-–]\d{2}|\d{1,2}\. (?:års)?trinn")


@dataclass(frozen=True)
class Screening:
    """What screening a file gave. ``stages`` maps each stage that was reached to PASS, WARN or FAIL."""

    file: str
    sha256: str
    recognised: Recognised | None
    stages: dict[str, Severity]
    findings: tuple[Finding, ...]
    tables: tuple[ExtractTable, ...] = ()
    results: tuple[suites.CheckResult, ...] = field(default=())
    signature: tuple[str, ...] = ()

    @property
    def verdict(self) -> Severity:
        """FAIL if any stage failed; WARN if a warning blocks until it is accepted; else PASS."""
        if Severity.FAIL in self.stages.values():
            return Severity.FAIL
        return Severity.WARN if self.blocking_codes else Severity.PASS

    @property
    def blocking_codes(self) -> tuple[str, ...]:
        """Codes of the warnings of the last two stages, which somebody must accept by name."""
        codes = {f.code for f in self.findings if f.severity is Severity.WARN and f.stage in STAGES[-2:]}
        return tuple(sorted(codes))

    @property
    def datasets(self) -> tuple[str, ...]:
        return tuple(sorted({t.dataset for t in self.tables}))

    @property
    def school_years(self) -> tuple[str, ...]:
        return tuple(sorted({y for t in self.tables for y in t.school_years}))

    def summary(self) -> dict[str, Any]:
        """Plain values for the history."""
        return {
            "file": self.file,
            "sha256": self.sha256,
            "format": self.recognised.format if self.recognised else None,
            "datasets": list(self.datasets),
            "school_years": list(self.school_years),
            "verdict": self.verdict.value,
            "stages": {name: severity.value for name, severity in self.stages.items()},
            "findings": [f.as_dict() for f in self.findings],
            "checks": [
                {"code": r.code, "passed": r.passed, "severity": r.severity.value, "count": r.count}
                for r in self.results
            ],
        }


def signature_of(columns: Sequence[str]) -> tuple[str, ...]:
    """The columns of a file without year and grade, with renamed columns under their first name."""
    return tuple(sorted({HEADER_DETAIL.sub("#", RENAMED.get(c, c)) for c in columns}))


def _drift(
    settings: Settings, known: Recognised, datasets: list[str], signature: tuple[str, ...], file: str
) -> list[Finding]:
    """Compare the columns with the most similar file of the same format that was accepted before."""
    kind = API_VALUES & set(signature)
    earlier = [
        columns
        for event in Archive(settings).events("accepted")
        if event.get("format") == known.format
        and event["datasets"] == datasets
        and (columns := set(event.get("signature") or ()))
        and columns & API_VALUES == kind
    ]
    if not earlier or not signature:
        return []
    nearest = max(earlier, key=lambda s: len(s & set(signature)))
    changes = (("new-column", sorted(set(signature) - nearest)), ("column-gone", sorted(nearest - set(signature))))
    return [
        Finding(
            code, Severity.WARN, "columns differ from the most similar file before", stage="schema", file=file,
            column=names[0], found=", ".join(names[:6]), count=len(names),
            fix="Nothing to do if the change is known; otherwise compare the two exports.",
        )
        for code, names in changes
        if names
    ]  # fmt: skip


def _run_suites(settings: Settings, table: ExtractTable, file: str, now: dt.datetime) -> list[suites.CheckResult]:
    import pyarrow as pa

    rows: pa.Table = table.table
    if rows.num_rows == 0:
        return []
    entries = suites.load_suite(settings.expectations, table.dataset)
    if table.dataset in schema.FORM_DATASETS:
        return suites.run(list(entries), form_frames.form(settings, table.dataset, rows, now), file)
    if table.dataset not in schema.YEARLY_DATASETS:
        return suites.run(list(entries), frames.reference(rows), file)
    results: list[suites.CheckResult] = []
    with frames.opened(rows) as connection:
        for batch in dict.fromkeys(e.batch for e in entries):
            if batch == "cells":
                frame = frames.cells(connection, settings, rows, now)
            elif batch == "units":
                frame = frames.units(connection)
            else:
                frame = frames.slices(connection, settings, rows)
            results += suites.run([e for e in entries if e.batch == batch], frame, file)
    return results


def too_large(path: Path, name: str | None = None) -> Screening | None:
    """The refusal of a file that is larger than any real one, told without reading it; None for all others."""
    file = name or path.name
    try:
        refuse_oversize(path, file, lines=False)
    except UnreadableFile as problem:
        return Screening(file, "", None, {"readable": Severity.FAIL}, problem.findings)
    return None


def screen(path: Path, settings: Settings, *, now: dt.datetime, name: str | None = None) -> Screening:
    """Screen one file. Nothing is written.

    ``now`` is the time of arrival; a school year that begins after it is a wrong year.
    """
    file = name or path.name
    if (refused := too_large(path, file)) is not None:
        return refused
    sha256 = sha256_of(path)
    stages: dict[str, Severity] = {}
    known: Recognised | None = None
    tables: list[ExtractTable] = []
    try:
        known = recognise(path, file)
        stages["recognised"] = Severity.PASS
        tables = read_file(path, sha256, file, known)
    except FileProblem as problem:
        if isinstance(problem, UnrecognisedFile):
            failed = "recognised"
        else:
            failed = "readable" if isinstance(problem, UnreadableFile) else "schema"
        for stage in STAGES[: STAGES.index(failed)]:
            stages[stage] = Severity.PASS
        stages[failed] = Severity.FAIL
        return Screening(file, sha256, known, stages, problem.findings)
    stages["readable"] = Severity.PASS
    signature = signature_of([c for t in tables for c in t.columns_seen])
    findings = [f for t in tables for f in t.findings] + _drift(
        settings, known, sorted({t.dataset for t in tables}), signature, file
    )
    stages["schema"] = Severity.WARN if any(f.severity is Severity.WARN for f in findings) else Severity.PASS
    results = [r for t in tables for r in _run_suites(settings, t, file, now)]
    for stage in STAGES[-2:]:
        here = [r for r in results if r.stage == stage and not r.passed]
        findings += [f for r in here for f in r.findings]
        worst = {r.severity for r in here}
        stages[stage] = next((s for s in (Severity.FAIL, Severity.WARN) if s in worst), Severity.PASS)
        if stages[stage] is Severity.FAIL:
            break
    return Screening(file, sha256, known, stages, tuple(findings), tuple(tables), tuple(results), signature)
