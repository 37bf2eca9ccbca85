"""Quarantine: store the findings on a file and its failing rows. The original stays in the archive."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from dagster_project.intake.screen import Screening
from dagster_project.settings import Settings


def keep(settings: Settings, screening: Screening) -> Path:
    """Write ``quarantine/<sha256>/findings.json`` and ``rows.csv``; return the folder.

    ``rows.csv`` has one line per failing cell: code, file, source row, source column, raw value.
    """
    folder = settings.quarantine / screening.sha256
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(screening.summary(), ensure_ascii=False, indent=2, sort_keys=True)
    (folder / "findings.json").write_text(text + "\n", encoding="utf-8")
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["code", "file", "source_row", "source_column", "raw_value", "unit_code"])
        written = set()
        for result in screening.results:
            for row in result.rows if not result.passed else ():
                written.add(result.code)
                writer.writerow(
                    [
                        result.code,
                        screening.file,
                        *(row.get(n) for n in ("source_row", "source_column", "raw_value", "unit_code")),
                    ]
                )
        for finding in screening.findings:
            if finding.code not in written:
                writer.writerow([finding.code, screening.file, finding.row, finding.column, finding.found, ""])
    return folder


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
