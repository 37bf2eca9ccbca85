"""Limits that move or cross although nobody changed the rule: what stays as it is, and what a run warns of."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dagster_project import schema
from dagster_project.diagnostics import Severity
from dagster_project.intake.partitions import PART, merged, partition_folder
from dagster_project.settings import Settings, load_settings
from dagster_project.transform import dbt_step
from tests.homes import files_below
from tests.oracle.compare import read
from tests.oracle.nation import YEARS, write_home

pytestmark = pytest.mark.pipeline
Row = dict[str, Any]
BASE_YEAR = YEARS[0]


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """A small nation and two rounds under one rule: national limits set by hand, absolute ones frozen in a base year."""
    write_home(tmp_path, Random(3), 2)
    change(
        tmp_path, "rounds", last_school_year=YEARS[-1], school_ownership="public", special_schools="include",
        aggregation="per_year", grades="separate", origin="fictional", window_years=1,
    )  # fmt: skip
    rows = [r for r in parameters(tmp_path, "rule_indicators") if r["round"] == "round-00"]
    for r in rows:
        r |= {"national_method": "fixed", "national_base_year": None, "direction": "higher_is_worse",
              "national_percentile": None, "national_value": 0, "lag": 0, "absolute_method": "percentile",
              "absolute_percentile": 25, "absolute_value": None, "absolute_k": None,
              "absolute_base_year": BASE_YEAR}  # fmt: skip
    write(tmp_path, "rule_indicators", [r | {"round": name} for name in ("round-00", "round-01") for r in rows])
    write(tmp_path, "exceptions", [])
    settings = load_settings(tmp_path)
    path = register_path(settings)
    register = pq.read_table(path)
    rows = [r | {"ownership": "public", "special": False} for r in register.to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows, register.schema), path)
    return settings


def register_path(home: Settings) -> Path:
    return partition_folder(home, (schema.SCHOOL_REGISTER, None)) / PART


def parameters(home: Path, name: str) -> list[Row]:
    return read(home / "parameters" / f"{name}.parquet")


def write(home: Path, name: str, rows: list[Row]) -> None:
    path = home / "parameters" / f"{name}.parquet"
    pq.write_table(pa.Table.from_pylist(rows, pq.read_schema(path)), path)


def change(home: Path, name: str, **values: Any) -> None:
    write(home, name, [r | values for r in parameters(home, name)])


def closed_school(home: Settings) -> str:
    """A school with figures in the base year and none in the last."""
    judged = {r["indicator"] for r in parameters(home.home, "rule_indicators")}
    seen: dict[str, set[str]] = {year: set() for year in YEARS}
    for path in home.extracts.glob("*/school_year=*/part-0.parquet"):
        for r in read(path):
            school = r["unit_level"] == "school" and r["municipality_code"] != "7900"
            if school and r["state"] == "observed" and r["indicator"] in judged:
                seen[r["school_year"]].add(r["unit_code"])
    register = pq.read_table(register_path(home))
    return min((seen[BASE_YEAR] - seen[YEARS[-1]]) & set(register["school_code"].to_pylist()))


def limits(settings: Settings, *, alone: bool = False) -> tuple[dbt_step.DbtOutcome, list[Row]]:
    """The limits, after a whole build with its tests, or one of what they rest on alone."""
    select = ("+limits",) if alone else ()
    outcome = dbt_step.build(settings, files_below(settings), select=select, tests=not alone)
    assert outcome.success, [f.as_text() for f in outcome.findings]
    return outcome, read(settings.marts / "limits.parquet")


def test_a_closed_school_that_left_the_register_still_shapes_the_limit_frozen_in_its_time(home: Settings) -> None:
    """The extract keeps a school's last record. Without that the limit of the base year would move: the control."""
    register = pq.read_table(register_path(home))
    gone = closed_school(home)
    _, before = limits(home, alone=True)
    assert all(r["absolute_schools"] for r in before)
    shorter = register.filter(pa.compute.not_equal(register["school_code"], gone))
    assert shorter.num_rows == register.num_rows - 1
    pq.write_table(merged(schema.SCHOOL_REGISTER, [register, shorter]), register_path(home))
    outcome, after = limits(home)
    assert after == before and not outcome.findings
    pq.write_table(shorter, register_path(home))
    _, moved = limits(home, alone=True)
    assert sum(r["absolute_schools"] for r in moved) < sum(r["absolute_schools"] for r in before)


def test_an_absolute_limit_better_than_the_national_one_is_a_warning_that_names_the_cells(home: Settings) -> None:
    """Set by hand: worse as it should be, equal, and crossed, where more is worse and where less is."""
    shared = {"national_method": "fixed", "absolute_method": "fixed", "absolute_percentile": None,
              "absolute_base_year": None}  # fmt: skip
    cases = {
        "round-00": {"direction": "higher_is_worse", "national_value": 10, "absolute_value": 20},
        "round-01": {"direction": "lower_is_worse", "national_value": 10, "absolute_value": 20},
    }
    rows = parameters(home.home, "rule_indicators")
    first = rows[0]["indicator"]
    for r in rows:
        r |= shared | cases[r["round"]]
        if r["indicator"] != first:
            r["absolute_value"] = 10
    write(home.home, "rule_indicators", rows)
    outcome, found = limits(home)
    assert {r["indicator"] for r in found} > {first}
    crossed = [r for r in found if (r["round"], r["indicator"]) == ("round-01", first)]
    (warned,) = outcome.findings
    assert (warned.code, warned.severity, warned.count) == ("dbt-test-warned", Severity.WARN, len(crossed))
    for r in crossed:
        cell = f"round round-01, indicator {first}, grade {r['grade']}, school_year {r['school_year']}"
        assert f"{cell}, national_limit 10.0000, absolute_limit 20.0000" in str(warned.found)


def test_rounds_of_one_rule_with_different_frozen_limits_are_named(home: Settings) -> None:
    row = dict.fromkeys(pq.read_schema(home.parameters / "exceptions.parquet").names)
    one = {
        "unit_level": "school",
        "unit_code": closed_school(home),
        "kind": "pseudo_unit",
        "ground": "t",
        "source": "t",
    }
    write(home.home, "exceptions", [row | one | {"round": "round-01"}])
    outcome, found = limits(home)
    schools = {(r["indicator"], r["grade"], r["round"]): r["absolute_schools"] for r in found}
    (warned,) = [f for f in outcome.findings if "frozen" in f.message]
    differing = {k[:2] for k, n in schools.items() if n != schools[(*k[:2], "round-00")]}
    assert differing and warned.severity is Severity.WARN and warned.count == 2 * len(differing)
    indicator, grade = sorted(differing)[0]
    assert f"round round-01, indicator {indicator}, grade {grade}, side absolute" in str(warned.found)
