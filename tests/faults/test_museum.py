"""The museum is whole: every code that a reader, a suite, the archive or the rule loader can give has a specimen."""

from __future__ import annotations

import ast
import json
import re

from dagster_project.settings import REPOSITORY
from tests.faults.museum import FILES
from tests.faults.test_rule_files import RULES
from tests.faults.test_tampering import TAMPERINGS

PACKAGE = REPOSITORY / "dagster_project"
ROOMS = ("extracts", "validation", "rules", "publication")
KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")
# constants of that shape that are no codes
NO_CODES = {
    "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "dbt-core", "dbt-duckdb", "great-expectations",
}  # fmt: skip
# codes that are put together where they are given, and one of a single word
COMPOSED = {"unknown-ownership": "OWNERSHIP", "unknown-sex": "SEX", "truncated": "an odd number of bytes"}
# codes no file can bring about, each with the reason it is kept
NO_SPECIMEN = {
    "not-text": "recognising a file already refuses binary ones; the reader asks again because it may be called alone",
    "not-a-table": "the library gives up only where a block of 16 MB ends inside a quotation; a file for it takes seconds",
    "no-indicator-cells": "no fault: a note that the participation table is only archived",
    "school-not-unique": "the reader keeps the newest record of a school; the suite guards the reader",
    "change-not-unique": "the reader keeps one of equal changes; the suite guards the reader",
}


def codes() -> set[str]:
    """Every code in the text of the rooms and in the suites."""
    found = set(COMPOSED)
    for room in ROOMS:
        for path in sorted((PACKAGE / room).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found |= {
                node.value for node in ast.walk(tree)
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and KEBAB.fullmatch(node.value)
            }  # fmt: skip
    for path in sorted((REPOSITORY / "expectations").glob("*.json")):
        found |= {e["meta"]["code"] for e in json.loads(path.read_text(encoding="utf-8"))["expectations"]}
    return found - NO_CODES


def test_every_code_has_a_specimen() -> None:
    shown = (
        {s.code for s in FILES.values()}
        | {code for _, code, _ in RULES.values()}
        | {c for _, c, _ in TAMPERINGS.values()}
    )
    assert codes() - shown - set(NO_SPECIMEN) == set()


def test_no_specimen_and_no_excuse_outlives_its_code() -> None:
    known = codes()
    assert {s.code for s in FILES.values()} <= known
    assert set(NO_SPECIMEN) <= known and NO_CODES.isdisjoint(known)
