"""Random nations under random rules: dbt and the oracle must agree on every row and column."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from dagster_project.settings import load_settings
from dagster_project.transform import dbt_step
from tests.disclosure.attack import all_attacks
from tests.homes import files_below
from tests.oracle.compare import compare_home, forms, load, read
from tests.oracle.nation import MEANS, write_home
from tests.oracle.oracle import Oracle

ROUNDS_PER_NATION = 30
SEEDS = (1393,)
"""`benchmarks/thorough.py nations` holds as many as one likes."""


def pinned_down(home: Path) -> dict[str, dict[str, list[str]]]:
    """What an attacker finds out from the public tables of each round."""
    names = ("indicator_points", "point_sources", "school_ranking", "municipality_ranking", "selection", "limits")
    whole = {name: read(home / "marts" / f"{name}.parquet") for name in names}
    public = {name: read(home / "marts" / f"public_{name}.parquet") for name in names}
    hits = {}
    for rule in read(home / "parameters" / "rounds.parquet"):
        mine, open_ = (
            {n: [r for r in rows if r["round"] == rule["round"]] for n, rows in t.items()} for t in (whole, public)
        )
        found = all_attacks(
            open_, mine, points=(0, rule["points_national"], rule["points_absolute"]),
            adds_schools=rule["municipality_share_from"] == "school_points",
        )  # fmt: skip
        if any(found.values()):
            hits[rule["round"]] = {name: f[:3] for name, f in found.items() if f}
    return hits


@pytest.mark.parametrize("seed", SEEDS)
def test_dbt_and_the_oracle_agree_on_random_nations_and_nobody_pins_a_small_figure_down(
    seed: int, tmp_path: Path
) -> None:
    hold_nation(seed, tmp_path)


def build(home: Path) -> None:
    settings = load_settings(home)
    outcome = dbt_step.build(settings, files_below(settings))
    assert outcome.success, [f.as_text() for f in outcome.findings]


def hold_nation(seed: int, home: Path) -> None:
    """Draw a nation into an empty home, and hold dbt to the oracle and the public tables to the attacker."""
    write_home(home, Random(seed), ROUNDS_PER_NATION, stars=0.1)
    build(home)
    results = compare_home(home)
    assert len(results) == ROUNDS_PER_NATION
    differences = [f"{name}: {d}" for name, c in results.items() for d in c.differences]
    assert not differences, "\n".join(differences[:40])
    assert sum(c.units for c in results.values()) > 500
    assert pinned_down(home) == {}


def without_limits_of_schools(indicator: dict[str, Any]) -> dict[str, Any]:
    """The same indicator of a rule, with fixed limits where it had limits taken from schools."""
    fixed = {}
    for side in ("national", "absolute"):
        if indicator[f"{side}_method"] in ("percentile", "mean_sd"):
            nothing = dict.fromkeys((f"{side}_percentile", f"{side}_k", f"{side}_base_year"))
            fixed |= {**nothing, f"{side}_method": "fixed", f"{side}_value": Decimal(MEANS[indicator["indicator"]])}
    return {**indicator, **fixed}


def test_public_tables_are_the_same_whatever_the_figures_with_a_star_say(tmp_path: Path) -> None:
    """Two nations that differ in what only those with access see, and in nothing else.

    The lists are left out: who is selected is a decision that everybody may see. So are limits taken from schools, since
    the points of shown figures follow from them; `limits` of such rounds are held by the unit test of int_public_limits.
    """
    homes = tmp_path / "a", tmp_path / "b"
    for home in homes:
        write_home(home, Random(SEEDS[0]), ROUNDS_PER_NATION, stars=0.3)
        rules = home / "parameters" / "rule_indicators.parquet"
        drawn = [without_limits_of_schools(row) for row in pq.read_table(rules).to_pylist()]
        pq.write_table(pa.Table.from_pylist(drawn, schema=pq.read_schema(rules)), rules)
    for path in (homes[1] / "extracts").rglob("*.parquet"):
        table = pq.read_table(path, partitioning=None)
        if "restricted" in table.column_names:
            other = pc.if_else(table["restricted"], pc.add(table["value"], Decimal(1)), table["value"])
            at = table.column_names.index("value")
            pq.write_table(table.set_column(at, "value", other.cast(table["value"].type)), path)
    for home in homes:
        build(home)
    differ, compared, restricted = [], 0, 0
    for path in sorted((homes[0] / "marts").glob("public_*.parquet")):
        if path.stem == "public_selection":
            continue
        old, new = ([{**r, "cell_raw_value": None} for r in read(home / "marts" / path.name)] for home in homes)
        assert len(old) == len(new)
        for a, b in zip(old, new, strict=True):
            compared += 1
            restricted += a.get("publication") == "hidden_restricted"
            differ += [(path.stem, a, c, a[c], b[c]) for c in a if a[c] != b[c]]
    assert differ == [] and compared > 10_000 and restricted > 1_000


def test_the_nations_hold_what_decisions_on_two_lists_can_go_wrong_on(tmp_path: Path) -> None:
    """Municipalities decided upon on one of two lists, and reserves called up behind them: else nothing compares them."""
    decided_on_one, called_behind = 0, 0
    for seed in range(5):
        home = tmp_path / str(seed)
        write_home(home, Random(seed), ROUNDS_PER_NATION)
        cells, register, changes, parameters = load(home)
        oracles = {r["round"]: Oracle(cells, register, changes, parameters, r["round"]) for r in parameters["rounds"]}
        for oracle in oracles.values():
            oracle.choose(oracles, forms(home, "governor_priorities"), forms(home, "decisions"))
            rows = oracle.selection
            decided = {m for (_, m), r in rows.items() if r["decision"]}
            other = [k for k, r in rows.items() if k[1] in decided and not r["decision"]]
            decided_on_one += len(other)
            called_behind += sum(
                r["called"] and r["proposed_status"] == "reserve" and rows[k]["proposed_status"] == "reserve"
                and k[0] == group and rows[k]["proposed_place"] < r["proposed_place"]
                for k in other for (group, _), r in rows.items()
            )  # fmt: skip
    assert decided_on_one > 20 and called_behind > 5


def test_the_nations_hold_inputs_that_are_there_missing_and_accepted_as_missing(tmp_path: Path) -> None:
    write_home(tmp_path, Random(1), ROUNDS_PER_NATION)
    cells, register, changes, parameters = load(tmp_path)
    rows = [
        row
        for r in parameters["rounds"]
        for row in Oracle(cells, register, changes, parameters, r["round"]).inputs.values()
    ]
    there = [r for r in rows if r["in_force"]]
    missing = [r for r in rows if not r["in_force"] and not r["accepted_by"]]
    accepted = [r for r in rows if r["accepted_by"]]
    assert min(len(there), len(missing), len(accepted)) > 10
    assert all(r["file"] for r in there) and any(r["suppressed"] for r in there)
    assert len({r["source_sha256"] for r in there}) > 10
