"""What everybody may read gives no small figure away: an attacker tries, on the whole fictional country."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from dagster_project.publication import current_revision, public
from dagster_project.publication.edition import SOURCES
from dagster_project.publication.notes import model_note
from dagster_project.settings import load_settings
from tests.disclosure.attack import FEW, OUTSIDE, Tables, all_attacks, limits
from tests.oracle.compare import read

ROUND = "fictional-2026"
NAMES = ("indicator_points", "point_sources", "school_ranking", "municipality_ranking", "selection", "limits")
POINTS = (0, 1, 3)
pytestmark = pytest.mark.pipeline


def tables(folder: Path) -> Tables:
    return {name: read(folder / f"{name}.parquet") for name in NAMES}


@pytest.fixture(scope="module")
def revision(country_home: Path) -> Path:
    folder = current_revision(load_settings(country_home), ROUND)
    assert folder is not None
    return folder


@pytest.fixture(scope="module")
def whole(revision: Path) -> Tables:
    return tables(revision / "internal")


def test_no_attack_on_the_public_tables_pins_a_small_figure_down(revision: Path, whole: Tables) -> None:
    found = tables(revision / "public")
    assert {name: hits[:5] for name, hits in all_attacks(found, whole, points=POINTS).items() if hits} == {}
    shown = Counter(r["publication"] for r in found["indicator_points"])
    assert shown["hidden_small"] > 1_000 and shown["shown"] > 0.8 * len(found["indicator_points"])


def test_the_attacker_succeeds_where_only_small_cells_are_hidden(whole: Tables) -> None:
    """Every attack must be able to win, or the test above proves nothing."""

    def naive(row: dict[str, object]) -> dict[str, object]:
        small = row["state"] == "observed" and (row["n_pupils"] or 0) < FEW  # type: ignore[operator]
        status = "hidden_small" if small else "hidden_at_source" if row["state"] == "suppressed" else "shown"
        blank = dict.fromkeys(("value", "n_pupils", "points", "weighted_points")) if small else {}
        return {**row, **blank, "publication": status}

    half = {
        **whole,
        "indicator_points": [naive(r) for r in whole["indicator_points"]],
        **{
            n: [{**r, "rank_among_shown": r["rank"]} for r in whole[n]]
            for n in ("school_ranking", "municipality_ranking")
        },
    }
    half["school_ranking"][0]["risk_share"] = half["municipality_ranking"][0]["risk_share"] = None
    hits = all_attacks(half, whole, points=POINTS)
    assert len(hits["totals"]) > 50 and hits["ranks"] and hits["visible"]
    # every limit names a school of a year nobody sees
    assert len(hits["limits"]) == len(half["limits"])


def test_a_limit_over_too_few_hidden_schools_is_found_wherever_it_stands(revision: Path, whole: Tables) -> None:
    found = tables(revision / "public")
    key = ("reading_level_1", 5, "2024-25")
    (limit,) = [r for r in found["limits"] if (r["indicator"], r["grade"], r["school_year"]) == key]
    mine = [r for r in found["indicator_points"] if (r["indicator"], r["grade"], r["school_year"]) == key]
    outside = {r["school_code"] for r in found["school_ranking"] if r["not_rated_reason"] in OUTSIDE}
    schools = [r for r in mine if r["unit_level"] == "school" and r["unit_code"] not in outside]
    shown = sum(r["publication"] == "shown" for r in schools)
    hidden = [r for r in schools if r["publication"] in ("hidden_small", "hidden_complementary")]
    assert len(hidden) > 3

    def attacked(left: int, value: float | None, beside: float | None) -> list[str]:
        row = {**limit, "absolute_base_year": None, "absolute_limit": value, "absolute_schools": shown + left}
        points = [{**r, "absolute_limit": beside} for r in mine]
        return limits({**found, "limits": [row], "indicator_points": points}, whole)

    assert limit["absolute_source_row"] is None and limit["absolute_limit"] is not None
    assert attacked(len(hidden), 40.0, 40.0) == [] and attacked(0, 40.0, 40.0) == []
    assert attacked(1, 40.0, None) and attacked(2, None, 40.0) and attacked(1, None, None) == []


def test_what_is_shown_is_the_very_figure_and_what_is_not_is_empty(revision: Path, whole: Tables) -> None:
    for name in NAMES:
        found = read(revision / "public" / f"{name}.parquet")
        keys = [c for c in ("unit_level", "unit_code", "school_year", "indicator", "grade", "school_code",
                            "municipality_code", "selection_group", "cell_unit_code", "cell_grade", "cell_school_year")
                if c in found[0] and not (name == "school_ranking" and c == "municipality_code")]  # fmt: skip
        true = {tuple(r[k] for k in keys): r for r in whole[name]}
        assert len(found) == len(whole[name])
        for row in found:
            internal = true[tuple(row[k] for k in keys)]
            assert all(row[c] is None or row[c] == internal[c] for c in internal if c in row), (name, row)
            if row.get("publication") == "shown":
                assert all(
                    row[c] == internal[c] for c in ("value", "points", "risk_share", "cell_value") if c in internal
                )


def test_every_mart_is_public_or_was_decided_about_and_stands_in_three_formats(
    country_home: Path, revision: Path
) -> None:
    settings = load_settings(country_home)
    found = public.public_tables(settings)
    marts = {p.stem for p in settings.marts.glob("*.parquet") if not public.is_public_model(p.stem)}
    withheld = {
        m for m in marts if model_note(settings, m).get("config", {}).get("meta", {}).get("public") == "withheld"
    }
    assert set(found) == marts - withheld and len(withheld) == 7
    cohort = current_revision(settings, "uttrekk_2024")
    assert cohort is not None
    files = {
        folder: set(json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"])
        for folder in (revision, cohort)
    }
    for name in (n for n in found if not public.is_comparison(settings, n)):
        formats = ("parquet", "csv") if name in SOURCES else ("parquet", "csv", "xlsx")
        folder = cohort if name.startswith("cohort") else revision
        assert {f"public/{name}.{suffix}" for suffix in formats} <= files[folder]
    assert not any(f.startswith("internal/public_") for of in files.values() for f in of)


def test_a_cohort_shows_the_share_of_a_year_when_each_of_its_figures_is_shown(country_home: Path) -> None:
    """Otherwise the points of the hidden one would follow from the share."""
    folder = current_revision(load_settings(country_home), "uttrekk_2024")
    assert folder is not None
    shown, whole = (read(folder / edition / "cohort_progress.parquet") for edition in ("public", "internal"))
    keys = ("municipality_code", "data_year", "indicator", "grade", "school_year")
    true = {tuple(r[k] for k in keys): r for r in whole}
    assert len(true) == len(shown) == len(whole)
    hiding = {
        (r["municipality_code"], r["data_year"])
        for r in shown
        if r["value"] is None and true[tuple(r[k] for k in keys)]["points"] is not None
    }
    shares = [r for r in shown if r["indicator"] == "risk_share"]
    assert len(hiding) > 20 and sum(r["value"] is not None for r in shares) > 2_000
    for row in shares:
        assert row["value"] is None or (row["municipality_code"], row["data_year"]) not in hiding
    for row in shown:
        internal = true[tuple(row[k] for k in keys)]
        assert all(row[c] is None or row[c] == internal[c] for c in internal if c in row)
        few = row["indicator"] != "risk_share" and internal["state"] == "observed" and (internal["n_pupils"] or 0) < FEW
        assert not few or all(row[c] is None for c in ("value", "gap", "points", "n_pupils"))


def test_a_mart_nobody_decided_about_is_not_public(country_home: Path, tmp_path: Path) -> None:
    shutil.copytree(country_home / "marts", tmp_path / "marts")
    shutil.copyfile(tmp_path / "marts" / "limits.parquet", tmp_path / "marts" / "cohort_secrets.parquet")
    assert "cohort_secrets" not in public.public_tables(load_settings(tmp_path))


def test_the_public_workbook_says_what_it_is_and_how_much_it_hides(revision: Path) -> None:
    from openpyxl import load_workbook

    book = load_workbook(revision / "public" / "indicator_points.xlsx", read_only=True)
    notes = [str(c.value) for (c,) in book["Om - About"].iter_rows()]
    rows = read(revision / "public" / "indicator_points.parquet")
    hidden = sum(r["publication"] in public.HIDDEN_HERE for r in rows)
    assert notes[0].startswith("OFFENTLIG UTGAVE") and "PUBLIC EDITION" in notes[0]
    assert f": {hidden} of {len(rows)} (" in notes[1] and hidden > 1_000
    assert any("OPPDIKTEDE DATA" in n for n in notes)
    columns = {r[0].value: r[2].value for r in book["Kolonner - Columns"].iter_rows(min_row=2)}
    assert columns["publication"].startswith("Whether everybody may see")
