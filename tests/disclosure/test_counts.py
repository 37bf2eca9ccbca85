"""No hidden figure can be counted out of all public editions together; the attacker counts, and is given much."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dagster_project.archive.register import REGISTERED, register, registered
from dagster_project.archive.store import Archive
from dagster_project.settings import load_settings
from tests.disclosure.counts import Attacker, Places, Row, Seen, places_of
from tests.oracle.compare import read
from tests.oracle.nation import write_home
from tests.oracle.test_small_nations import build

pytestmark = pytest.mark.pipeline
SEEDS = (1, 2)


def editions(home: Path) -> list[Path]:
    """The public tables of source cells of every revision ever published, of rounds and of cohorts."""
    return sorted((home / "published").glob("*/r*/public/*_sources.parquet"))


@pytest.fixture(scope="module")
def places(country_home: Path) -> Places:
    return places_of(country_home)


def seen_in(tables: list[Path]) -> Seen:
    seen = Seen()
    for table in tables:
        seen.add(read(table))
    return seen


def test_no_hidden_figure_of_the_story_can_be_counted_out_of_all_its_editions(
    country_home: Path, places: Places
) -> None:
    """All rounds and revisions together, an amendment among them; whichever of a cell's figures he takes."""
    tables = editions(country_home)
    assert len(tables) > 8
    for order in (tables, tables[::-1]):
        seen = seen_in(order)
        attacker = Attacker(seen, places)
        assert seen.both == []
        assert attacker.found() == {} and attacker.sizes() == {} and attacker.by_the_rule() == {}
    assert len(seen.shown) > 90_000 and len(list(attacker.rests())) > 3_000


def test_of_an_edition_that_counts_schools_and_pupils_alone_he_counts_hundreds_out(
    country_home: Path, places: Places
) -> None:
    """What version 0.2 published: at least two hidden schools with ten pupils in each municipality, and no more."""
    seen = Seen()
    for path in sorted((country_home / "published").glob("*/r*/internal/point_sources.parquet")):
        seen.add(_hidden_by_size(read(path), places))
    attacker = Attacker(seen, places)
    found = attacker.found()
    assert len(found) > 300 and sum(what.startswith("0 to 0 of") for what in found.values()) > 50
    assert len(attacker.sizes()) > 300


def _hidden_by_size(rows: list[Row], places: Places) -> list[Row]:
    shown: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        state, pupils = row["cell_state"], row["cell_n_pupils"] or 0
        row["publication"] = (
            "hidden_at_source" if state == "suppressed" else "no_figure" if state != "observed"
            else "hidden_small" if pupils < 10 else "shown"
        )  # fmt: skip
        if row["cell_unit_level"] == "school":
            place = places.at.get((row["cell_unit_code"], row["cell_school_year"]))
            if places.owner.get(row["cell_unit_code"]) == "public":
                key = place, row["indicator"], row["cell_grade"], row["cell_school_year"]
                shown.setdefault(key, []).append(row)
    for of in shown.values():
        hidden = [r for r in of if r["publication"] in ("hidden_small", "hidden_at_source")]
        others = sorted((r for r in of if r["publication"] == "shown"), key=lambda r: r["cell_n_pupils"])
        while hidden and others and (len(hidden) < 2 or sum(r["cell_n_pupils"] or 0 for r in hidden) < 10):
            others[0]["publication"] = "hidden_complementary"
            hidden.append(others.pop(0))
    return [r if r["publication"] == "shown" else {**r, "cell_value": None, "cell_n_pupils": None} for r in rows]


@pytest.mark.parametrize(
    ("asked", "known"), [(2, {"c": "[7, 8] of 40", "a": "[0, 1] of 8", "b": "[0, 1] of 12"}), (3, {})]
)
def test_he_counts_backwards_from_a_rule_that_asks_for_no_more_cases_than_must_stay_possible(
    asked: int, known: dict[str, str]
) -> None:
    """Two hidden schools had pupils enough and a third is hidden: so with fewer cases than were asked for, and 8 in all."""
    pupils = {"a": 8, "b": 12, "c": 40, "d": 40, "m": 100}
    cells = {code: ("municipality" if code == "m" else "school", code, "public" if code == "m" else "all", "bullying", 7, "y")
             for code in pupils}  # fmt: skip
    seen = Seen({cells["m"]: (Fraction(10), 100), cells["d"]: (Fraction(5), 40)})
    for code, status in (("a", "hidden_small"), ("b", "hidden_at_source"), ("c", "hidden_complementary")):
        seen.hidden[cells[code]] = {status}
    schools = ("a", "b", "c", "d")
    places = Places(
        {(s, "y"): "m" for s in schools}, dict.fromkeys(schools, "public"), {cells[c]: n for c, n in pupils.items()}, {}
    )
    attacker = Attacker(seen, places)
    assert attacker.found() == {}
    assert {cell[1]: what for cell, what in attacker.by_the_rule(asked).items()} == known


def nation(home: Path, seed: int) -> Path:
    """A random nation whose figures add up, with many rounds of random rules that share its cells."""
    write_home(home, Random(seed), 30, adds_up=True)
    build(home)
    return home


def counted_out(home: Path) -> tuple[Seen, Attacker]:
    seen = seen_in([home / "marts" / "public_point_sources.parquet"])
    return seen, Attacker(seen, places_of(home))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_hidden_figure_of_a_random_nation_can_be_counted_out(seed: int, tmp_path: Path) -> None:
    """Of the second one a list told; what was hidden for that told a school of another round, or of a figure of all owners."""
    seen, attacker = counted_out(nation(tmp_path, seed))
    assert attacker.found() == {} and attacker.sizes() == {} and attacker.by_the_rule() == {} and seen.both == []
    assert len(seen.shown) > 500 and len(list(attacker.rests())) > 40


def corrected(home: Path, rng: Random) -> None:
    """Later exports in which one school of ten has other pupils, some of them few, and its municipality with it."""
    for path in sorted((home / "extracts").rglob("school_year=*/*.parquet")):
        table = pq.read_table(path, partitioning=None)
        rows = table.to_pylist()
        wholes: dict[tuple[Any, ...], list[Row]] = {}
        for row in rows:
            if row["unit_level"] == "municipality" and row["n_pupils"]:
                wholes.setdefault((row["unit_code"], row["indicator"], row["grade"]), []).append(row)
        for row in rows:
            if row["unit_level"] == "school" and row["state"] == "observed" and rng.random() < 0.1:
                row["n_pupils"] = 3 if row["n_pupils"] >= 10 else 15
                for whole in wholes.get((row["municipality_code"], row["indicator"], row["grade"]), ()):
                    whole["n_pupils"] += 1
                    whole["value"] += Decimal("0.1") if whole["value"] < 1 else Decimal("-0.1")
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)


def test_a_correction_opens_nothing_that_an_earlier_edition_hid(tmp_path: Path) -> None:
    """What the first edition showed and hid is registered; the second hides what the first did, and no cell differs."""
    home = nation(tmp_path, SEEDS[0])
    settings = load_settings(home)
    first = home / "first.parquet"
    first.write_bytes((home / "marts" / "public_point_sources.parquet").read_bytes())
    event = {"time": dt.datetime(2026, 1, 1, tzinfo=dt.UTC).isoformat(), "round": "round-00", "revision": "r0001"}
    corrected(home, Random(SEEDS[0]))
    build(home)
    without = seen_in([first, home / "marts" / "public_point_sources.parquet"])
    assert without.both

    register(settings, first, event)
    kept = registered(settings)
    pq.write_table(kept, home / "parameters" / "public_register.parquet")
    build(home)
    second = home / "marts" / "public_point_sources.parquet"
    before, after = seen_in([first]), seen_in([second])
    assert after.shown.keys() & before.hidden.keys() == set() and len(after.shown) > 300
    latest = Attacker(seen_in([first, second]), places_of(home))
    assert latest.found() == {}

    register(settings, second, {**event, "revision": "r0002"})
    lines = Archive(settings).events(REGISTERED)
    assert [e["revision"] for e in lines] == ["r0001", "r0002"] and lines[0]["hidden"] > 100
    grown = registered(settings)
    assert grown.slice(0, kept.num_rows) == kept and grown.num_rows > kept.num_rows
    register(settings, second, {**event, "revision": "r0003"})
    assert len(Archive(settings).events(REGISTERED)) == 2  # nothing new, no line
