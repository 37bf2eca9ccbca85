"""No model holds a limit, a weight, a quota or a unit code: those are data. This linter reads every model."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dagster_project.settings import REPOSITORY

MODELS = sorted((REPOSITORY / "dbt" / "models").rglob("*.sql")) + sorted((REPOSITORY / "dbt" / "macros").glob("*.sql"))
# the numbers of logic
HARMLESS = {"0", "1"}
# file: literals allowed there, each with its reason
ALLOWED = {
    "int_limits.sql": {"100": "percent", "10000": "ten-thousandths of a percentile"},
    "int_followed_municipalities.sql": {"2": "order of who stands for a merged municipality"},
    "int_outcomes.sql": dict.fromkeys("234", "order of the lists"),
    "cohort_progress.sql": {"4": "the year in a school year label"},
    "cohort_sources.sql": {"4": "the year in a school year label"},
    "public_cohort_progress.sql": {"4": "the year in a school year label"},
    "int_observations.sql": {"2": "order of states", "3": "order of states", "4": "order of states"},
    "int_needed_inputs.sql": {"4": "the year in a school year label", "3": "its last two digits", "2": "its last two digits"},
    "int_restructured_cells.sql": {"100": "percent"},
    "int_public_near_cut.sql": {"2": "order of the lists"},
    "above_scale.sql": {"100": "percent", "50": "half of it, to round"},
    "int_school_ranks.sql": {"100": "percent"},
    "int_school_spread.sql": {"1000000": "millionths", "0.5": "half up", "0.75": "upper quartile", "0.25": "lower quartile"},
    "int_municipality_ratings.sql": {"2": "a county is the first two digits of a municipality code"},
    "int_pseudo_municipalities.sql": {"2": "a county is the first two digits of a municipality code"},
    "stg_rounds.sql": {"4": "the year in a school year label"},
    "staged_extract.sql": {"4": "the year in a school year label"},
    "register_inputs.sql": {"2": "place of the path in a line of the list of inputs"},
    "exact.sql": {"10000": "ten-thousandths", "10": "power of ten", "2": "half up as integers", "0.5": "half up"},
}  # fmt: skip
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])")
CODE = re.compile(r"'(\d{2}|\d{4}|\d{9})'")
TYPES = re.compile(r"decimal\(\s*\d+\s*,\s*\d+\s*\)", re.IGNORECASE)


def literals(sql: str) -> set[str]:
    """Numbers and unit codes in SQL, without comments and types."""
    sql = re.sub(r"\{#.*?#\}", " ", sql, flags=re.DOTALL)
    sql = re.sub(r"--[^\n]*", " ", sql)
    sql = TYPES.sub(" ", sql)
    codes = set(CODE.findall(sql))
    return (set(NUMBER.findall(re.sub(r"'[^']*'", " ", sql))) | codes) - HARMLESS


@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.name)
def test_a_model_holds_no_policy_literal(path: Path) -> None:
    found = literals(path.read_text(encoding="utf-8"))
    assert not found - set(ALLOWED.get(path.name, {})), f"{path.name}: move {sorted(found)} to a rule file"


def test_every_allowance_is_still_needed() -> None:
    by_name = {p.name: literals(p.read_text(encoding="utf-8")) for p in MODELS}
    unused = {(name, value) for name, allowed in ALLOWED.items() for value in allowed if value not in by_name[name]}
    assert not unused


def test_the_linter_finds_a_planted_limit_and_a_planted_code() -> None:
    assert literals("select * from m where share > 0.25 and code <> '2100' -- 7\n") == {"0.25", "2100"}
