"""Validate a file in stages: recognised, readable, schema, values, against last year. Stops at the first failing stage.

The same screening runs for ``oppfolging check`` and for everything that enters through the inbox.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import re
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project import schema
from dagster_project.archive import Archive
from dagster_project.archive.files import Key
from dagster_project.archive.store import COMMITS, sha256_of
from dagster_project.diagnostics import (
    Finding,
    IntegrityProblem,
    OppfolgingError,
    PipelineProblem,
    RuleProblem,
    Severity,
    UnreadableFile,
)
from dagster_project.fingerprint import code_in, fingerprint
from dagster_project.intake import inbox, labels
from dagster_project.intake.cells import ExtractTable
from dagster_project.intake.order import order_findings
from dagster_project.intake.paging import note
from dagster_project.intake.partitions import Extracts, keys_of
from dagster_project.intake.reader import NO_READERS, Reader, ReadFile, readers_version
from dagster_project.intake.recognise import Recognised
from dagster_project.intake.text import refuse_oversize
from dagster_project.settings import REPOSITORY, Settings
from dagster_project.validation.findings import CheckResult
from dagster_project.validation.validate import validate

if TYPE_CHECKING:
    pass

STAGES = ("recognised", "readable", "schema", "values", "against_last_year")
PLACE = "Kommunenr"
"""What a line of a form is about: without it nobody can say which lines are missing."""
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
    results: tuple[CheckResult, ...] = field(default=())
    signature: tuple[str, ...] = ()
    datasets_seen: tuple[str, ...] = ()

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
        """Datasets of its rows; of a file that could not be read, those it was recognised as."""
        return tuple(sorted({t.dataset for t in self.tables})) or self.datasets_seen

    @property
    def partitions(self) -> tuple[Key, ...]:
        """The partitions it has rows for."""
        return keys_of(self.tables)

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
    """The columns of a file without year and grade, with renamed columns under their first name.

    Known measures that are not used are left out: the tests of grade 8 have more mastery levels than those of grade 5.
    """
    used = (c for c in columns if labels.meaning("measure", c.rpartition(".")[2]) != "other")
    return tuple(sorted({HEADER_DETAIL.sub("#", RENAMED.get(c, c)) for c in used}))


def _drift(
    extracts: Extracts, known: Recognised, datasets: list[str], signature: tuple[str, ...], file: str
) -> list[Finding]:
    """Compare the columns with the most similar file of the same format that was accepted before."""
    kind = API_VALUES & set(signature)
    earlier = [
        columns
        for f in extracts.files
        if f.status in ("accepted", "withdrawn")
        and f.format == known.format
        and sorted(f.datasets) == datasets
        and (columns := set((f.decision or {}).get("signature") or ()))
        and columns & API_VALUES == kind
    ]
    if not earlier or not signature:
        return []
    nearest = max(earlier, key=lambda s: len(s & set(signature)))
    changes = (
        ("new-column", sorted(set(signature) - nearest), "only columns that were there before"),
        ("column-gone", sorted(nearest - set(signature)), "every column that was there before"),
    )
    return [
        Finding(
            code, Severity.WARN, "the columns differ from those of the most similar earlier file", stage="schema",
            file=file, column=names[0], found=", ".join(names[:6]), count=len(names), expected=expected,
            fix="Nothing to do if the change is known. Otherwise compare the two exports.",
        )
        for code, names, expected in changes
        if names
    ]  # fmt: skip


def screen_path(path: Path, settings: Settings, *, now: dt.datetime) -> Screening:
    """Screen a file that is not in the archive. Nothing is written to the home.

    ``now`` is the time of arrival; a school year that begins after it is a wrong year.
    """
    name = inbox.name_of(path)
    try:
        refuse_oversize(path, name, lines=False)
    except UnreadableFile as problem:
        return Screening(name, "", None, {"readable": Severity.FAIL}, problem.findings)
    sha256 = sha256_of(path)
    with Extracts(settings) as extracts, tempfile.TemporaryDirectory() as folder, Reader(settings) as reader:
        found, _ = extracts.try_read(reader, sha256, name, path=path, out=Path(folder))
        return screen(extracts, found, sha256, name, now=now, keep=False)


def screen(
    extracts: Extracts,
    found: ReadFile,
    sha256: str,
    file: str,
    *,
    now: dt.datetime,
    line: float = math.inf,
    keep: bool = True,
    names: Mapping[str, str] | None = None,
) -> Screening:
    """Screen what reading a file gave. Whatever breaks is a finding.

    ``line`` is its arrival in the ledger; ``names`` are the files of its pages by their hash. With ``keep`` the results
    stay in the home, for Data Docs.
    """
    stages: dict[str, Severity] = {}
    if found.failed is not None:
        for stage in STAGES[: STAGES.index(found.failed)]:
            stages[stage] = Severity.PASS
        stages[found.failed] = Severity.FAIL
        return Screening(file, sha256, found.recognised, stages, found.findings, datasets_seen=found.datasets)
    known, tables = found.recognised, found.tables
    assert known is not None, "what could be read was recognised"
    stages |= {"recognised": Severity.PASS, "readable": Severity.PASS}
    signature = signature_of([c for t in tables for c in t.columns_seen])
    findings = [f for t in tables for f in t.findings]
    if waits := [note(t.page, file) for t in tables if t.page is not None]:
        # what a part lacks may stand on another page: nothing can be said of its values yet
        stages |= {"schema": Severity.PASS, "values": Severity.WARN}
        return Screening(file, sha256, known, stages, (*findings, *waits), tables, signature=signature)
    findings += _drift(extracts, known, sorted({t.dataset for t in tables}), signature, file)
    worst = {f.severity for f in findings}
    stages["schema"] = next((s for s in (Severity.FAIL, Severity.WARN) if s in worst), Severity.PASS)
    results: list[CheckResult] = []
    try:
        results = [
            result
            for t in tables
            if t.table.num_rows
            for result in validate(
                extracts.settings, t.dataset, t.table, file, now, extracts.table, keep=keep, names=names
            )
        ]
        order = order_findings(extracts, tables, file, sha256, line)
    except (RuleProblem, PipelineProblem, IntegrityProblem, OSError):
        raise  # no fault of the file: it waits until the rules, the files it is compared with and the disk allow it
    except OppfolgingError as problem:
        own = problem.findings or (_not_screened(file, problem),)
        stages["values"] = Severity.FAIL
        return Screening(file, sha256, known, stages, (*findings, *own), tables, signature=signature)
    except Exception as error:
        stages["values"] = Severity.FAIL
        findings.append(_not_screened(file, error))
        return Screening(file, sha256, known, stages, tuple(findings), tables, signature=signature)
    for stage in STAGES[-2:]:
        here = [r for r in results if r.stage == stage]
        more = [f for r in here for f in r.findings if not _follows_from(f, findings)]
        more += order if stage == STAGES[-1] else []
        findings += more
        worst = {f.severity for f in more}
        stages[stage] = next((s for s in (Severity.FAIL, Severity.WARN) if s in worst), Severity.PASS)
        if stages[stage] is Severity.FAIL:
            break
    return Screening(file, sha256, known, stages, tuple(findings), tables, tuple(results), signature)


def _follows_from(finding: Finding, told: Sequence[Finding]) -> bool:
    """Whether a form is found wanting only because a cell of it could not be read, which was told already."""
    unread = [f for f in told if f.stage == "schema" and f.severity is Severity.FAIL]
    same = any(f.column == finding.column and finding.row in (f.row, None) for f in unread)
    return same or (finding.row is None and any(f.column == PLACE for f in unread))


def _not_screened(file: str, error: Exception) -> Finding:
    return Finding(
        "screening-failed", Severity.FAIL, "the file could be read but not validated", stage="values", file=file,
        found=f"{type(error).__name__}: {str(error).strip()[:200]}", expected="a file that every expectation can check",
        fix="If the file is the original, report the error with the file's hash.",
    )  # fmt: skip


@cache
def program_version() -> str:
    """One hash over the code and the suites that decide on a file."""
    deciding = code_in(*(f"intake/{name}.py" for name in sorted(NO_READERS)), "validation")
    suites = sorted((REPOSITORY / "expectations").rglob("*.json"))
    libraries = ("great-expectations", "pandas", "python-stdnum")
    return fingerprint([*deciding, *suites], libraries=libraries, texts=(readers_version(),))


def circumstances(extracts: Extracts, datasets: Collection[str], codes: Collection[str], now: dt.datetime) -> str:
    """What a rejection of a file that could be read rested on beside its bytes and the program, as one hash.

    Rules and registers; the municipality lists in force; for forms what is published; where a date was judged, the day.
    """
    settings = extracts.settings
    parts = [extracts.identity((schema.MUNICIPALITY_VERSIONS, None))]
    parts += [
        sha256_of(p)
        for p in (settings.rounds, *sorted(settings.rules.glob("*.yaml")), *sorted(settings.registers.glob("*.yaml")))
        if p.exists()
    ]
    if set(datasets) & set(schema.FORM_DATASETS):
        events = Archive(settings).events(until=extracts.head)
        parts += [f"{e['round']} {e['revision']}" for e in events if e["event"] in COMMITS]
    if any("date" in code or "year" in code for code in codes):
        parts.append(now.date().isoformat())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
