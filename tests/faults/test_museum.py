"""The museum is whole: every code that a reader, a suite, the archive or the rule loader can give has a specimen."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

from dagster_project.settings import REPOSITORY
from tests.faults.museum import FILES
from tests.faults.test_rule_files import RULES

PACKAGE = REPOSITORY / "dagster_project"
ROOMS = ("archive", "intake", "validation", "rules", "publication", "transform", "rounds")
KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")
# constants of that shape that are no codes
NO_CODES = {
    "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "dbt-core", "dbt-duckdb", "great-expectations", "python-stdnum",
}  # fmt: skip
# codes that are put together where they are given, and one of a single word
COMPOSED = {"unknown-ownership": "OWNERSHIP", "unknown-sex": "SEX", "truncated": "an odd number of bytes"}
# codes no file can bring about, each with the reason it is kept
NO_SPECIMEN = {
    "not-text": "recognising a file already refuses binary ones; the reader asks again because it may be called alone",
    "not-a-table": "the library gives up only where a block of 16 MB ends inside a quotation; a file for it takes seconds",
    "units-abroad": "no fault: a note; tests of the readers and of the intake feed them",
    "no-indicator-cells": "no fault: a note that the participation table is only archived",
    "unknown-indicator": "the readers name the indicators; the suite guards the readers",
    "school-not-unique": "the reader keeps the newest record of a school; the suite guards the reader",
    "change-not-unique": "the reader keeps one of equal changes; the suite guards the reader",
}


# specimens that need a home with a history stand in tests of their own
ELSEWHERE = (
    "faults/test_disturbances.py", "faults/test_hostile_archives.py", "faults/test_tampering.py", "rounds/test_forms.py",
    "rounds/test_inputs.py", "rounds/test_life.py",
    "pipeline/test_log.py", "pipeline/test_spark.py", "simulation/test_what_if.py", "unit/test_built.py", "unit/test_expectations.py", "unit/test_geography.py", "unit/test_intake.py",
)  # fmt: skip


def written_in(path: Path) -> set[str]:
    """Constants of the shape of a code in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = (n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str))
    return {c for c in constants if KEBAB.fullmatch(c)}


def codes() -> set[str]:
    """Every code in the text of the rooms and in the suites."""
    found = set(COMPOSED)
    for room in ROOMS:
        for path in sorted((PACKAGE / room).rglob("*.py")):
            found |= written_in(path)
    for path in sorted((REPOSITORY / "expectations").rglob("*.json")):
        found |= {e["meta"]["code"] for e in json.loads(path.read_text(encoding="utf-8"))["expectations"]}
    return found - NO_CODES


def test_every_code_has_a_specimen() -> None:
    shown = (
        {s.code for s in FILES.values()}
        | {code for _, code, _ in RULES.values()}
        | {code for name in ELSEWHERE for code in written_in(REPOSITORY / "tests" / name)}
    )
    assert codes() - shown - set(NO_SPECIMEN) == set()


def test_no_specimen_and_no_excuse_outlives_its_code() -> None:
    known = codes()
    assert {s.code for s in FILES.values()} <= known
    assert set(NO_SPECIMEN) <= known and NO_CODES.isdisjoint(known)
