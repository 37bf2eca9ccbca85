"""Quarantine: store the findings on a file and its failing rows. The original stays in the archive."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dagster_project.diagnostics import Severity
from dagster_project.intake.screen import Screening
from dagster_project.pages.spreadsheet import safe_text
from dagster_project.pages.words import texts
from dagster_project.schema import FORM_DATASETS
from dagster_project.settings import Settings

TO_SENDER = "svar-til-avsender.txt"


def keep(settings: Settings, screening: Screening) -> Path:
    """Write ``quarantine/<sha256>/findings.json`` and ``rows.csv``; return the folder.

    ``rows.csv`` has one line per failing cell: code, file, source row, source column, raw value, unit. Of a form, whose
    faults are told cell by cell, it has what was told. No text in it is a formula to a spreadsheet program.
    A form that is rejected also has ``svar-til-avsender.txt``, to be sent back.
    """
    folder = settings.quarantine / screening.sha256
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(screening.summary(), ensure_ascii=False, indent=2, sort_keys=True)
    (folder / "findings.json").write_text(text + "\n", encoding="utf-8")
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["code", "file", "source_row", "source_column", "raw_value", "unit_code"])
        for line in _failing(screening):
            writer.writerow([safe_text(cell) if isinstance(cell, str) else cell for cell in line])
    if is_form(screening) and screening.verdict is Severity.FAIL:
        (folder / TO_SENDER).write_text(to_sender(screening), encoding="utf-8")
    return folder


def is_form(screening: Screening) -> bool:
    """Whether a person filled the file in."""
    return bool(set(screening.datasets) & set(FORM_DATASETS))


def to_sender(screening: Screening) -> str:
    """What must be corrected in a form, in the language of the form: a text to send to whoever filled it in."""
    t = texts("no")
    lines = [t._("{file} cannot be used yet. This must be corrected:", file=screening.file)]
    for finding in (f for f in screening.findings if f.severity is Severity.FAIL):
        place = [t._("row {row}", row=finding.row)] if finding.row else []
        place += [finding.column] if finding.column else []
        said = f"{finding.message.rstrip('.')}."
        if finding.found and finding.expected:
            said += " " + t._("Found: {found}. Expected: {expected}.", found=finding.found, expected=finding.expected)
        said += f" {finding.fix}" if finding.fix else ""
        lines.append(f"- {', '.join(place)}: {said}" if place else f"- {said}")
    return "\n".join(lines) + "\n"


def _failing(screening: Screening) -> Iterator[list[Any]]:
    """The lines of ``rows.csv``."""
    written = set()
    if not is_form(screening):
        for result in (r for r in screening.results if not r.passed):
            for row in result.rows:
                written.add(result.code)
                place = (row.get(n) for n in ("source_row", "source_column", "raw_value", "unit_code"))
                yield [result.code, screening.file, *place]
    for finding in screening.findings:
        if finding.code not in written:
            yield [finding.code, screening.file, finding.row, finding.column, finding.found, ""]


def place(settings: Settings, sha256: str) -> str | None:
    """The folder of a file in quarantine, from the home; None when it has none."""
    folder = settings.quarantine / sha256
    return folder.relative_to(settings.home).as_posix() if folder.is_dir() else None


def rows(settings: Settings, sha256: str) -> int:
    """How many failing rows of a file are in quarantine."""
    path = settings.quarantine / sha256 / "rows.csv"
    if not path.exists():
        return 0
    with path.open(encoding="utf-8", newline="") as handle:
        return max(sum(1 for _ in csv.reader(handle)) - 1, 0)
