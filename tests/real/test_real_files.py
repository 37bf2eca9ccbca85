"""Udir's real exports, where they are at hand: all units accounted for, codes carried, nothing reconstructed."""

from __future__ import annotations

import zipfile
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dagster_project.diagnostics import SchemaProblem
from dagster_project.intake import flow
from dagster_project.intake.read import read_file
from dagster_project.settings import Settings, load_settings
from dagster_project.transform import built, snapshot
from tests.conftest import NOW, real_data
from tests.oracle.compare import compare_home, read
from tests.pivots import as_bytes, node

DATA = real_data()
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason="the real extracts are not here; see OPPFOLGING_REAL_DATA"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = load_settings(tmp_path_factory.mktemp("real"))
    files = [*(DATA / "udir_national_tests").glob("*.csv"), *(DATA / "ssb_klass_131").glob("*.json")]
    results = flow.take_in_all(files, settings, now=NOW)
    assert {r.status for r in results} == {"accepted"}, [r for r in results if r.status != "accepted"]
    outcome = built.build_models(settings, snapshot.pin(settings, "a run"), "a run")
    assert outcome.success, [f.as_text() for f in outcome.findings]
    return settings


def of_round(home: Settings, mart: str) -> list[dict[str, Any]]:
    """Rows of the round whose figures are all at hand."""
    return [r for r in read(home.marts / f"{mart}.parquet") if r["round"] == "np-2025"]


def test_every_school_and_municipality_is_rated_or_says_why_not(home: Settings) -> None:
    cells = [r for p in (home.extracts / "national_tests").rglob("*.parquet") for r in read(p)]
    schools = {c["unit_code"] for c in cells if c["unit_level"] == "school"}
    ranked = {r["school_code"]: r for r in of_round(home, "school_ranking")}
    assert set(ranked) == schools
    municipalities = {r["municipality_code"]: r for r in of_round(home, "municipality_ranking")}
    newest = {c["unit_code"] for c in cells if c["unit_level"] == "municipality" and c["school_year"] == "2024-25"}
    assert set(municipalities) == newest and len(newest) == 358
    for row in [*ranked.values(), *municipalities.values()]:
        assert row["rated"] == (row["rank"] is not None) == (row["not_rated_reason"] is None)


def test_codes_of_2020_are_carried_and_the_split_goes_through_the_schools(home: Settings) -> None:
    points = [r for r in of_round(home, "indicator_points") if r["unit_level"] == "municipality"]
    basis = {(r["unit_code"], r["school_year"]): r["value_basis"] for r in points}
    assert basis["3218", "2022-23"] == "carried" and basis["3218", "2024-25"] == "published"
    for code in ("1508", "1580"):
        assert basis[code, "2022-23"] == basis[code, "2023-24"] == "recomputed"
    assert not any(code in ("1507", "3021") for code, _ in basis)
    ranking = {r["municipality_code"]: r for r in of_round(home, "municipality_ranking")}
    assert ranking["2100"]["not_rated_reason"] == "pseudo_unit"


def test_a_suppressed_cell_stays_suppressed(home: Settings) -> None:
    beside_hidden_pupils: Counter[str] = Counter()
    for path in (home.extracts / "national_tests").rglob("*.parquet"):
        for row in read(path):
            assert (row["value"] is None) == (row["state"] != "observed")
            assert row["state"] == "suppressed" or row["raw_value"] != "*"
            if row["state"] == "suppressed" and row["raw_value"] == "":
                beside_hidden_pupils[row["indicator"]] += 1
    # blank, blank, *: seven cells of the subjects of the scheme and three of English
    assert beside_hidden_pupils == {"reading_scale_score": 4, "numeracy_scale_score": 3, "english_scale_score": 3}


def test_the_oracle_agrees_on_the_real_round(home: Settings) -> None:
    result = compare_home(home.home)["np-2025"]
    assert result.differences[:20] == [] and result.units > 25_000


@pytest.mark.parametrize(
    ("pattern", "dataset", "rows"),
    [
        ("skoleporten_legacy/nedlasting.csv", "national_tests", 3731),
        ("nsr_v4/nsr_v4_enhet_974552124.json", "school_register", 1),
        ("nsr_v4/nsr_v4_enheter_side1.json", "school_register", 1),
        ("ssb_klass_131/changetables.json", "municipality_changes", 594),
        ("ssb_klass_131/Kommuneinndeling_2024.json", "municipality_versions", 358),
    ],
)
def test_other_real_files_are_read(pattern: str, dataset: str, rows: int) -> None:
    table = read_file(DATA / pattern, "0" * 64)[0]
    assert (table.dataset, table.table.num_rows) == (dataset, rows)


@pytest.mark.parametrize(
    ("name", "code", "state", "value"),
    [("arendal", "4203", "observed", Decimal("12.2")), ("bykle", "4222", "suppressed", None)],
)
def test_real_pivots_are_read_with_a_list_of_units_and_refused_without(
    tmp_path: Path, name: str, code: str, state: str, value: Decimal | None
) -> None:
    path = DATA / "udir_pivots" / f"eug_mobbing_pivot_{name}_10_2025-26.json"
    with pytest.raises(SchemaProblem) as caught:
        read_file(path, "0" * 64)
    assert [(f.code, f.count) for f in caught.value.findings] == [("unit-list-missing", 1)]
    units = [node(0, -12, "I", "Hele landet", 1), node(1, 49, "42", "Agder", 2), node(2, 1, code, name.capitalize())]
    with zipfile.ZipFile(tmp_path / "zip", "w") as package:
        package.write(path, "pivot.json")
        package.writestr("units.json", as_bytes({"EnhetID": units}))
    (found,) = read_file(tmp_path / "zip", "0" * 64)
    # four questions stand in the rows, of which one is the whole indicator
    (row,) = found.table.to_pylist()
    assert (row["unit_code"], row["indicator"], row["grade"], row["school_year"]) == (code, "bullying", 10, "2025-26")
    assert (row["state"], row["value"], row["source_row"], row["n_pupils"]) == (state, value, 0, None)


def test_counts_of_states_are_those_of_the_files(home: Settings) -> None:
    states = Counter(r["state"] for p in (home.extracts / "national_tests").rglob("*.parquet") for r in read(p))
    assert states == {"observed": 25772, "suppressed": 9703, "no_participants": 705}


def test_no_name_or_code_of_the_fictional_country_exists(home: Settings) -> None:
    from dagster_project.demo.country import Fabelland

    country = Fabelland().country
    cells = [r for p in (home.extracts / "national_tests").rglob("*.parquet") for r in read(p)]
    real = {c["unit_name"] for c in cells} | {c["unit_code"] for c in cells}
    invented = {
        *country.before.code,
        *country.before.name,
        *country.after.name,
        *country.schools.code,
        *country.schools.name,
    }
    assert not real & invented


def test_the_uncertainty_that_the_exports_state_is_the_one_that_is_drawn_from(home: Settings) -> None:
    from dagster_project.rounds.publishing import publish_round
    from dagster_project.simulation.assumptions import load_assumptions
    from dagster_project.simulation.scenario import base_of
    from dagster_project.simulation.uncertainty import compute_uncertainty

    assert publish_round(home, snapshot.pin(home, "a run"), "np-2025", now=NOW) is not None
    drawn = compute_uncertainty(home, base_of(home, "np-2025"), load_assumptions(home), draws=20, seed=1).draws
    points = [r for r in of_round(home, "indicator_points") if r["points"] is not None]
    rated = {r["school_code"] for r in of_round(home, "school_ranking") if r["rated"]}
    rated |= {r["municipality_code"] for r in of_round(home, "municipality_ranking") if r["rated"]}
    judged = [r for r in points if r["unit_code"] in rated]
    # cells worked out from schools have no uncertainty of their own
    assert drawn.cells == len(judged)
    assert drawn.published_errors == sum(r["value_basis"] != "recomputed" for r in judged)
