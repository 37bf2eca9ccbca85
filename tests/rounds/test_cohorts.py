"""The years after: progress agrees with the round's own points, reports and money add up, effects tell luck from work."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dagster_project.archive.published import published_rows
from dagster_project.settings import Settings, load_settings

pytestmark = pytest.mark.pipeline
ROUND, COHORT = "fictional-2024", "uttrekk_2024"
PLANTED = -0.43
"""What follow-up did to the first cohort, in deviations between municipalities: the story told with it and without."""


def table(home: Path, cohort: str, name: str) -> list[dict[str, Any]]:
    folder = max((home / "published" / cohort).glob("r*"))
    rows: list[dict[str, Any]] = pq.read_table(folder / "internal" / f"{name}.parquet").to_pylist()
    return rows


def sums_by_year(settings: Settings, round_id: str) -> dict[tuple[str, int], tuple[Fraction, Fraction]]:
    """Points and possible points of each municipality and year, from a round's own table of points."""
    sums: dict[tuple[str, int], tuple[Fraction, Fraction]] = {}
    for r in published_rows(settings, round_id, "indicator_points"):
        if r["unit_level"] == "municipality" and r["points"] is not None:
            # grade points of the spring before belong to the tests and the survey of the autumn
            at = r["unit_code"], int(r["school_year"][:4]) + (r["indicator"] == "grade_points")
            top, bottom = sums.get(at, (Fraction(0), Fraction(0)))
            sums[at] = top + Fraction(r["weighted_points"]), bottom + Fraction(r["possible_points"])
    return sums


def test_the_share_of_each_year_is_that_of_the_rounds_own_points(country_home: Path) -> None:
    """The year before the window stands in the round before, which has the same rule."""
    settings = load_settings(country_home)
    own, earlier = sums_by_year(settings, ROUND), sums_by_year(settings, "fictional-2023")
    shares = [r for r in table(country_home, COHORT, "cohort_progress") if r["indicator"] == "risk_share"]
    assert {r["event_time"] for r in shares} == set(range(-6, 3))
    compared: Counter[int] = Counter()
    for r in shares:
        at = r["municipality_code"], r["data_year"]
        if r["event_time"] <= 0 and r["value"] is not None and r["how"] == "unchanged":
            # of the municipalities that were renumbered in between, the round before has only the old number
            if r["event_time"] < -2 and at not in earlier:
                continue
            top, bottom = (earlier if r["event_time"] < -2 else own)[at]
            assert r["value"] == pytest.approx(float(top / bottom), abs=1e-12), r
            compared[r["event_time"]] += 1
    assert min(compared[e] for e in (-2, -1, 0)) > 300 and compared[-3] > 250
    assert sum(r["in_cohort"] for r in shares if r["event_time"] == 0) == 40
    first = [r for r in table(country_home, "uttrekk_2023", "cohort_progress") if r["event_time"] == 0]
    assert {"unchanged", "renumbered"} <= {r["how"] for r in first}, "the reform of 2024 lies between"


def test_a_gap_is_positive_when_the_figure_is_worse(country_home: Path) -> None:
    rows = [r for r in table(country_home, COHORT, "cohort_progress") if r["gap"] is not None]
    for r in rows[::97]:
        worse = r["value"] - r["national_value"]
        assert r["gap"] == pytest.approx(
            worse if r["indicator"] in ("bullying", "reading_level_1", "numeracy_level_1") else -worse
        )


def test_reports_are_received_late_overdue_or_not_due_and_all_owed_ones_close_a_round(country_home: Path) -> None:
    closed = table(country_home, "uttrekk_2023", "followup_report_status")
    assert len(closed) == 40 * 7 and {r["status"] for r in closed} == {"received"}
    followed = table(country_home, COHORT, "followup_report_status")
    late = [r for r in followed if r["report"] == 1 and r["sender"] == "municipality"]
    assert sum(r["status"] == "overdue" for r in late) == 2
    assert {r["status"] for r in followed if r["report"] == 3} == {"not_due"}
    assert {r["phase"] for r in followed if r["report"] == 1} == {"forfase"}


def test_money_adds_up_at_every_level(country_home: Path) -> None:
    rows = table(country_home, "uttrekk_2023", "support_measures_summary")
    for year in (None, 2023, 2024, 2025, 2026):
        of = {level: [r for r in rows if r["summary_level"] == level and r["year"] == year]
              for level in ("all", "municipality", "county_governor", "competence_environment")}  # fmt: skip
        (whole,) = of.pop("all")
        for parts in of.values():
            for column in ("applied", "granted", "spent", "measures"):
                assert sum(r[column] for r in parts) == whole[column]


def test_no_method_claims_more_than_it_holds_of_the_storys_two_cohorts(country_home: Path) -> None:
    """The first cohort was made to get better, and has years before its window that no earlier selection has touched.

    The second was left alone, and the first selection has taken its share of the years before.
    """
    first, second = (
        {
            (r["outcome"], r["method"], r["event_time"]): r
            for r in table(country_home, c, "cohort_effect")
            if not r["pooled"]
        }
        for c in ("uttrekk_2023", COHORT)
    )
    mirrored = ("mean_gap", "did_mirrored", None)
    assert [key for key, r in first.items() if r["ci_low"] is not None] == [mirrored]
    assert first[mirrored]["ci_low"] < PLANTED < first[mirrored]["ci_high"] < 0
    assert {key[1] for key, r in second.items() if r["estimate"] is None} == {"did_mirrored"}
    assert all(r["ci_low"] is None and r["std_error"] is None for r in second.values())
    assert first["risk_share", "expected_regression_to_the_mean", None]["estimate"] < -0.01
