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
from tests.disclosure import means
from tests.disclosure.counts import Attacker, Places, Row, Seen, places_of
from tests.disclosure.lists import Round, rounds_of, told
from tests.oracle.compare import read
from tests.oracle.nation import write_home
from tests.oracle.test_small_nations import build

pytestmark = pytest.mark.pipeline
SEEDS = (1, 2, 4)


def editions(home: Path) -> list[Path]:
    """The public tables of source cells of every revision ever published, of rounds and of cohorts."""
    return sorted((home / "published").glob("*/r*/public/*_sources.parquet"))


@pytest.fixture(scope="module")
def places(country_home: Path) -> Places:
    return places_of(country_home)


def lists_in(home: Path) -> dict[str, Path]:
    """The latest public tables of each round that are published."""
    latest = {folder.parent.parent.name: folder for folder in sorted((home / "published").glob("*/r*/public"))}
    return {name: folder for name, folder in latest.items() if (folder / "selection.parquet").exists()}


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
        assert means.by_the_rule(attacker) == {}
        assert {
            key: what
            for r in rounds_of(country_home, lists_in(country_home))
            for key, what in told(r, attacker).items()
        } == {}
    assert len(seen.shown) > 90_000 and len(list(attacker.rests())) > 3_000
    assert (
        sum(share is None for r in rounds_of(country_home, lists_in(country_home)) for _, share in r.shares.values())
        > 100
    )


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


@pytest.mark.parametrize(("backwards", "known"), [(False, {"c": "4.138 to 4.350"}), (True, {})])
def test_he_works_the_rule_backwards_for_means(backwards: bool, known: dict[str, str]) -> None:
    """Schools of 5 and 20 had pupils enough, and the one of 44 is hidden: so those two lay near the upper end.

    By the rule of now the one of 44 is hidden for that or because of what it would tell, so it may have any figure.
    """
    pupils = {"a": 5, "b": 20, "c": 44, "m": 69}
    cells = {code: ("municipality" if code == "m" else "school", code, "public" if code == "m" else "all", "teacher_support", 7, "y")
             for code in pupils}  # fmt: skip
    seen = Seen({cells["m"]: (Fraction(45, 10), 69)})
    for code, status in (("a", "hidden_small"), ("b", "hidden_at_source"), ("c", "hidden_complementary")):
        seen.hidden[cells[code]] = {status}
    places = Places(
        {(s, "y"): "m" for s in "abc"}, dict.fromkeys("abc", "public"), {cells[c]: n for c, n in pupils.items()}, {}
    )
    attacker = Attacker(seen, places)
    assert attacker.found() == {}
    assert {cell[1]: what for cell, what in means.by_the_rule(attacker, backwards=backwards).items()} == known


YEAR = "2024-25"


def _cell(code: str, grade: int = 10, indicator: str = "grade_points") -> tuple[str, str, str, str, int, str]:
    return ("municipality", code, "public", indicator, grade, YEAR) if code.isupper() else ("school", code, "all", indicator, grade, YEAR)  # fmt: skip


def test_a_hidden_municipality_is_read_off_its_visible_schools() -> None:
    """`A` is hidden and both its schools are shown; of `B` one with 4 of 100 pupils is not, of `C` one with 20."""
    pupils = {"A": 60, "a1": 20, "a2": 40, "B": 100, "b1": 96, "b2": 4, "C": 100, "c1": 80, "c2": 20}
    at = {(school, YEAR): school[0].upper() for school in pupils if school.islower()}
    seen = Seen({_cell(c): (Fraction(40), pupils[c]) for c in ("a1", "a2", "b1", "c1")})
    for code in ("A", "B", "b2", "C", "c2"):
        seen.hidden[_cell(code)] = {"hidden_complementary"}
    places = Places(at, {s: "public" for s, _ in at}, {_cell(c): n for c, n in pupils.items()}, {})
    assert {cell[1]: what for cell, what in Attacker(seen, places).found().items()} == {
        "A": "within 0.100",
        "B": "within 2.496",
    }


@pytest.mark.parametrize(
    ("points", "place", "says"),
    [
        ((3, 1, 1), 2, {"has 3.0 points"}),  # who is not selected has 4 of 9: with 2 seen, at least 2 are hidden
        ((3, 3, 0), 2, {"within 5.037"}),  # with 3 seen at least 1: from what the visible school leaves to the limit
        ((3, 3, 3), 2, set()),  # with 6 seen the hidden cell may have any
        ((0, 1, 3), 0, {"has 0.0 points"}),  # who is selected has 4 of 9, and 4 are seen
        ((0, 0, 3), 0, set()),  # 0 or 1 points: down to the absolute limit, which is far
        ((0, 0, 1), 0, set()),
    ],
)  # fmt: skip
def test_a_list_tells_what_it_leaves_possible_of_a_hidden_figure(
    points: tuple[int, int, int], place: int, says: set[str]
) -> None:
    """Three figures count, the first is hidden. Somebody else has 4 of 9 points, and is on the other side of the cut."""

    def row(code: str, grade: int, shown: int | None) -> Row:
        return {
            "unit_code": code, "indicator": "grade_points", "grade": grade, "school_year": YEAR, "points": shown,
            "weighted_points": shown, "possible_points": 3, "weight": 1, "national_limit": 35, "absolute_limit": 30,
        }  # fmt: skip

    shown = points[1:]
    cells: dict[str, list[Row]] = {"B": [], "A": [row("A", 10, None), *(row("A", i, p) for i, p in enumerate(shown))]}
    shares = {"A": (place, None), "B": (2 - place, Fraction(4, 9))}
    round_ = Round("r", (Fraction(0), Fraction(1), Fraction(3)), "public", {"grade_points": False}, cells, shares)
    seen = Seen({_cell("a1"): (Fraction(40), 75)})
    seen.hidden[_cell("A")] = seen.hidden[_cell("a2")] = {"hidden_complementary"}
    at = {("a1", YEAR): "A", ("a2", YEAR): "A"}
    places = Places(at, {"a1": "public", "a2": "public"}, {_cell("A"): 100, _cell("a1"): 75, _cell("a2"): 25}, {})
    assert set(told(round_, Attacker(seen, places)).values()) == says


def nation(home: Path, seed: int) -> Path:
    """A random nation whose figures add up, with many rounds of random rules that share its cells."""
    write_home(home, Random(seed), 8, adds_up=True)
    build(home)
    return home


def counted_out(home: Path) -> tuple[Seen, Attacker]:
    seen = seen_in([home / "marts" / "public_point_sources.parquet"])
    return seen, Attacker(seen, places_of(home))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_hidden_figure_of_a_random_nation_can_be_counted_out(seed: int, tmp_path: Path) -> None:
    """Of the second one a list told; what was hidden for that told a school of another round, or of a figure of all owners."""
    seen, attacker = counted_out(nation(tmp_path, seed))
    names = {r["round"] for r in read(tmp_path / "marts" / "public_selection.parquet")}
    lists = rounds_of(tmp_path, dict.fromkeys(sorted(names), tmp_path / "marts"))
    assert {key: what for r in lists for key, what in told(r, attacker).items()} == {}
    assert attacker.found() == {} and attacker.sizes() == {} and attacker.by_the_rule() == {} and seen.both == []
    assert means.by_the_rule(attacker) == {}
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
    # what both show is shown by the second, and what a correction changed does not add up with it
    assert Attacker(after, places_of(home)).found().keys() <= before.shown.keys()

    register(settings, second, {**event, "revision": "r0002"})
    lines = Archive(settings).events(REGISTERED)
    assert [e["revision"] for e in lines] == ["r0001", "r0002"] and lines[0]["hidden"] > 100
    grown = registered(settings)
    assert grown.slice(0, kept.num_rows) == kept and grown.num_rows > kept.num_rows
    register(settings, second, {**event, "revision": "r0003"})
    assert len(Archive(settings).events(REGISTERED)) == 2  # nothing new, no line
