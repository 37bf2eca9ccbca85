"""The suites of ``expectations/``: one JSON per dataset in the form Great Expectations reads.

``shares`` in a suite's ``meta`` names files of ``expectations/shared/`` whose expectations the dataset has too. Beside
what Great Expectations asks of an entry, ``meta`` says what people are told when it fails (see the folder's README).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dagster_project.diagnostics import Severity

SEPARATOR = " | "
SEVERITY = {"critical": Severity.FAIL, "warning": Severity.WARN}


@dataclass(frozen=True)
class Expectation:
    """One entry of a suite. Entries that share a ``code`` are one check in Dagster and are accepted together.

    ``batch`` names the table it looks at, ``shows`` the column whose content is named as found where that is not the
    one it looks at, and ``expects`` what should stand there; ``{name}`` in it is a column of the row or a parameter.
    ``holds`` names a check in Dagster where the arguments of its expectations make no readable name.
    """

    type: str
    kwargs: Mapping[str, Any]
    severity: Severity
    code: str
    batch: str
    stage: str
    why: str
    fix: str
    expects: str | None = None
    shows: str | None = None
    holds: str | None = None
    language: str = "en"
    dataset: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it looks at, the one that is held to the others first."""
        kwargs = self.kwargs
        pair = [kwargs[name] for name in ("column", "column_A", "column_B") if name in kwargs]
        return (*pair, *kwargs.get("column_list", ()))

    @property
    def looked_at(self) -> str:
        """The column whose content is named as found."""
        return self.shows or self.columns[0]

    @property
    def of_unit(self) -> bool:
        """Whether it asks for a code of the unit, which stands once in a row of figures."""
        return self.batch == "cells" and set(self.columns) <= {"unit_code", "municipality_code", "school_year"}

    @property
    def parameters(self) -> set[str]:
        """The parameters it needs at run time."""
        return {v["$PARAMETER"] for v in self.kwargs.values() if isinstance(v, dict) and "$PARAMETER" in v}

    def configuration(self) -> dict[str, Any]:
        """The entry as Great Expectations takes it."""
        severity = next(name for name, own in SEVERITY.items() if own is self.severity)
        return {"type": self.type, "kwargs": dict(self.kwargs), "severity": severity, "notes": self.why}

    @property
    def meta(self) -> dict[str, str]:
        """What Great Expectations keeps of it beside that."""
        return {"code": self.code, "stage": self.stage, "fix": self.fix}


@cache
def load_suite(folder: Path, dataset: str) -> tuple[Expectation, ...]:
    """Every expectation of a dataset: those it shares with others first, then its own."""
    content = json.loads((folder / f"{dataset}.json").read_text(encoding="utf-8"))
    shared = [
        json.loads((folder / "shared" / f"{n}.json").read_text("utf-8")) for n in content["meta"].get("shares", ())
    ]
    return tuple(
        Expectation(
            entry["type"], entry["kwargs"], SEVERITY[entry["severity"]], **entry["meta"],
            language=suite["meta"].get("language", "en"), dataset=dataset,
        )
        for suite in (*shared, content)
        for entry in suite["expectations"]
    )  # fmt: skip


def checks_of(folder: Path, dataset: str) -> list[Expectation]:
    """One expectation of every check of a dataset, in order; those that share a code say the same of it."""
    return [entries[0] for entries in by_check(folder, dataset).values()]


def by_check(folder: Path, dataset: str) -> dict[str, list[Expectation]]:
    """Every expectation of a dataset by its code: those that share one are one check."""
    found: dict[str, list[Expectation]] = {}
    for entry in load_suite(folder, dataset):
        found.setdefault(entry.code, []).append(entry)
    return found


def combination(*values: object) -> str:
    """The values of a row as ``expect_select_column_values_to_be_in_set`` compares them."""
    return SEPARATOR.join(map(str, values))
