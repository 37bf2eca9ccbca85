"""Compare what dbt wrote with what the oracle says, every row and column, exactly."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.oracle.oracle import Oracle

Row = dict[str, Any]
POINTS = ("value", "n_pupils", "state", "value_basis", "national_limit", "absolute_limit", "points", "weight",
          "weighted_points", "possible_points", "applicable_points")  # fmt: skip
INPUTS = ("needed", "in_force", "source_sha256", "file", "cells", "observed", "suppressed", "accepted_by",
          "accepted_reason")  # fmt: skip
SUMS = ("points", "possible_points", "applicable_points", "risk_share", "coverage", "absolute_hit_share", "pupils",
        "share_if_hidden_best", "share_if_hidden_worst", "rated", "rank", "tied", "not_rated_reason")  # fmt: skip
SCHOOL = (*SUMS, "school_name", "municipality_code", "worst_quartile")
SELECTION = ("status", "rank_in_group", "arithmetic_status", "proposed_status", "proposed_place", "governor_priority",
             "governor_advice", "governor_reason", "decision", "is_override")  # fmt: skip
MUNICIPALITY = (*SUMS, "county_code", "county_governor", "rated_schools", "schools_in_worst_quartile", "school_spread",
                "spread_standard_deviation", "spread_max_minus_rest_mean", "spread_range", "spread_iqr")  # fmt: skip


@dataclass
class Comparison:
    """How many units and cells were compared, and what differed."""

    units: int = 0
    cells: int = 0
    differences: list[str] = field(default_factory=list)

    def table(self, name: str, found: dict[Any, Row], expected: dict[Any, Row], columns: tuple[str, ...]) -> None:
        for key in sorted(found.keys() ^ expected.keys(), key=str):
            self.differences.append(f"{name} {key}: only {'dbt' if key in found else 'the oracle'} has it")
        for key in found.keys() & expected.keys():
            self.units += 1
            for column in columns:
                self.cells += 1
                a, b = plain(found[key][column]), plain(expected[key][column])
                if a != b:
                    self.differences.append(f"{name} {key} {column}: dbt {a!r}, oracle {b!r}")


def plain(value: Any) -> Any:
    """Exact numbers as fractions, so that 3 and 3.0000 are the same; doubles and the rest as they are."""
    if isinstance(value, bool) or value is None or isinstance(value, float):
        return value
    return Fraction(value) if isinstance(value, Decimal | int) else value


def read(path: Path) -> list[Row]:
    rows: list[Row] = pq.read_table(path, partitioning=None).to_pylist()
    return rows


def load(home: Path) -> tuple[list[Row], list[Row], list[Row], dict[str, list[Row]]]:
    """Cells, register, changes and parameters of a home."""
    cells = [row for d in ("national_tests", "pupil_survey", "grade_points")
             for p in sorted((home / "extracts" / d).glob("*/part-0.parquet")) for row in read(p)]  # fmt: skip
    reference = []
    for name in ("school_register", "municipality_changes"):
        path = home / "extracts" / name / "part-0.parquet"
        reference.append(read(path) if path.exists() else [])
    tables = ("rounds", "rule_indicators", "exceptions", "county_governors", "input_files", "accepted_gaps")
    return cells, reference[0], reference[1], {t: read(home / "parameters" / f"{t}.parquet") for t in tables}


def compare_round(marts: dict[str, list[Row]], oracle: Oracle, round_id: str) -> Comparison:
    """Compare the five contract tables of one round."""
    mine = {name: [r for r in rows if r["round"] == round_id] for name, rows in marts.items()}
    result = Comparison()
    result.table(
        "round_inputs",
        {(r["dataset"], r["school_year"], r["indicator"], r["grade"]): r for r in mine["round_inputs"]},
        oracle.inputs, INPUTS,
    )  # fmt: skip
    result.table(
        "indicator_points",
        {(r["unit_level"], r["unit_code"], r["indicator"], r["grade"], r["school_year"]): r
         for r in mine["indicator_points"]},
        oracle.points, POINTS,
    )  # fmt: skip
    result.table("school_ranking", {r["school_code"]: r for r in mine["school_ranking"]}, oracle.schools, SCHOOL)
    ranking = {r["municipality_code"]: r for r in mine["municipality_ranking"]}
    result.table("municipality_ranking", ranking, oracle.municipalities, MUNICIPALITY)
    chosen = {(r["selection_group"], r["municipality_code"]): r for r in mine["selection"]}
    result.table("selection", chosen, oracle.selection, SELECTION)
    return result


def compare_home(home: Path) -> dict[str, Comparison]:
    """Compare every round of a home whose marts dbt has built."""
    cells, register, changes, parameters = load(home)
    names = ("round_inputs", "indicator_points", "school_ranking", "municipality_ranking", "selection")
    marts = {name: read(home / "marts" / f"{name}.parquet") for name in names}
    rounds = [r["round"] for r in parameters["rounds"] if r["purpose"] == "selection"]
    oracles = {r: Oracle(cells, register, changes, parameters, r) for r in rounds}
    replies, decisions = forms(home, "governor_priorities"), forms(home, "decisions")
    for oracle in oracles.values():
        oracle.choose(oracles, replies, decisions)
    return {r: compare_round(marts, oracle, r) for r, oracle in oracles.items()}


def forms(home: Path, dataset: str) -> list[Row]:
    """Rows people entered; none when nobody has."""
    path = home / "extracts" / dataset / "part-0.parquet"
    return read(path) if path.exists() else []
