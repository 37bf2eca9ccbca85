"""One diagnostic type for readers, suites, rules, workbooks and the command line, and one family of errors.

A ``Finding`` names a stable code, how grave it is, the place (file, row, column), what was found, what was expected
and what to do. Producers collect all findings and show them once; an error carries the findings that caused it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

SHOWN_PLACES = 20
"""How many findings of one kind are listed."""


class Severity(StrEnum):
    """How grave a finding is. FAIL blocks for good.

    WARN of the stages ``values`` and ``against_last_year`` blocks until somebody accepts it by name; of ``schema`` it
    is told.
    """

    PASS = "PASS"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True)
class Finding:
    """One thing somebody should know about one place in one file.

    ``code`` is stable and kebab-case, named after the problem (``value-off-scale``). ``row`` is the 1-based line of
    the file as text or the index of the object in JSON; ``column`` the header or key. ``count`` is the number of
    places with the same problem when only the first is named.
    """

    code: str
    severity: Severity
    message: str
    stage: str = ""
    file: str | None = None
    row: int | None = None
    column: str | None = None
    found: str | None = None
    expected: str | None = None
    fix: str | None = None
    count: int = 1

    @property
    def place(self) -> str:
        """``file:row:column`` as far as it is known."""
        row = "object" if (self.file or "").lower().endswith(".json") else "line"
        parts = [self.file or "", "" if self.row is None else f"{row} {self.row}", self.column or ""]
        return ", ".join(p for p in parts if p)

    def as_text(self) -> str:
        """The finding as a person reads it in a terminal."""
        lines = [f"{self.severity.value} {self.code}: {self.message}"]
        if self.place:
            lines.append(f"  at: {self.place}")
        if self.found is not None:
            lines.append(f"  found: {self.found}")
        if self.expected is not None:
            lines.append(f"  expected: {self.expected}")
        if self.count > 1:
            lines.append(f"  and in {self.count - 1} more place{'s' * (self.count > 2)}")
        if self.fix is not None:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "severity": self.severity.value}

    @staticmethod
    def from_dict(raw: Mapping[str, Any]) -> Finding:
        """Raises KeyError, TypeError or ValueError when it is not as ``as_dict`` gives it."""
        return Finding(**{**raw, "severity": Severity(raw["severity"])})


def with_the_rest(first: Sequence[Finding], total: int) -> list[Finding]:
    """The first of ``total`` findings; the last of them says in how many more places it is so."""
    if len(first) >= total or not first:
        return list(first)
    *before, last = first
    return [*before, replace(last, count=last.count + total - len(first))]


def listed(findings: Sequence[Finding]) -> list[Finding]:
    """Of each code as many findings as somebody reads; the last of them says in how many more places it is so."""
    by_code: dict[str, list[Finding]] = {}
    for finding in findings:
        by_code.setdefault(finding.code, []).append(finding)
    found: list[Finding] = []
    for alike in by_code.values():
        first, more = alike[:SHOWN_PLACES], alike[SHOWN_PLACES:]
        found += with_the_rest(first, len(first) + sum(finding.count for finding in more))
    return found


class OppfolgingError(Exception):
    """Base of every error a person is meant to read. ``exit_code`` is what the command line returns."""

    exit_code = 1

    def __init__(self, message: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.findings = tuple(findings)

    def __str__(self) -> str:
        return self.as_text()

    def as_text(self) -> str:
        """The message followed by its findings: what people read wherever the error is met."""
        return "\n".join([self.message, *(f.as_text() for f in self.findings)])


class FileProblem(OppfolgingError):
    """Something is wrong with a file that somebody sent."""

    exit_code = 3


class UnrecognisedFile(FileProblem):
    """The content matches no known format."""


class UnreadableFile(FileProblem):
    """The format is known, but the bytes cannot be read (truncated, wrong encoding, too large)."""


class SchemaProblem(FileProblem):
    """The file can be read, but columns or cells are not as the format says."""


class FetchProblem(OppfolgingError):
    """A public service did not answer, or answered otherwise than it is known to."""

    exit_code = 9


class RuleProblem(OppfolgingError):
    """A rule set, a round or a register is wrong. The findings give file and line."""

    exit_code = 4


class NotFound(OppfolgingError):
    """Somebody asked for a round, municipality or file that is not there."""

    exit_code = 5


class IntegrityProblem(OppfolgingError):
    """Stored bytes differ from what was recorded."""

    exit_code = 6


class PipelineProblem(OppfolgingError):
    """A run stopped: a blocking check failed or a step broke."""

    exit_code = 7


class RoundProblem(OppfolgingError):
    """A round may not be put through what somebody asked for. Nothing has changed."""

    exit_code = 8
