"""Readings of the open choices: every question has one, all are checked at load, and the counts add up."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dagster_project.diagnostics import RuleProblem
from dagster_project.rules import RuleSet, load_rules
from dagster_project.settings import REPOSITORY, Settings, load_settings
from dagster_project.simulation import variants
from dagster_project.simulation.variants import QUESTIONS, compute_variants, load_variants, sensitivity_tables
from tests.conftest import part_of

ROUND = "fictional-2026"


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    return load_rules(load_settings()).rule_sets["udir-2020"]


def test_every_open_choice_has_a_reading_that_changes_the_rule(rules: RuleSet) -> None:
    made = load_variants(load_settings(), rules)
    assert {v.question for v, _ in made} == set(QUESTIONS)
    assert all(scenario.rules != rules or variant.years_back for variant, scenario in made)
    assert all(v.en and v.no and v.en != v.no for v, _ in made)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("{window.aggregation: window_mean}", "{window.agregation: window_mean}", "unknown-path"),
        ("{groups.spread.min_schools: 3}", "{groups.spread.min_schools: 1}", "invalid-setting"),
        ("question: A15", "question: A17", "invalid-value"),
        ("question: A6,", "queston: A6,", "unknown-key"),
    ],
)
def test_a_mistake_in_a_reading_is_named_with_its_line(
    rules: RuleSet, tmp_path: Path, old: str, new: str, code: str
) -> None:
    shutil.copytree(REPOSITORY / "data" / "variants", tmp_path / "variants")
    path = tmp_path / "variants" / "udir-2020.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(RuleProblem) as caught:
        load_variants(Settings(home=tmp_path), rules)
    finding = next(f for f in caught.value.findings if f.code == code)
    assert finding.file == "variants/udir-2020.yaml" and finding.row == text[: text.index(old)].count("\n") + 1


def test_the_tables_count_what_the_readings_take(
    country_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = part_of(country_home, tmp_path / "home", "published", "archive", "read")
    few = ("a1-window-mean", "a10-both-groups", "a14-a-year-earlier")
    every = load_variants
    monkeypatch.setattr(variants, "load_variants", lambda s, r: [(v, c) for v, c in every(s, r) if v.id in few])
    found = compute_variants(settings, ROUND)
    tables = {name: table.to_pylist() for name, table in sensitivity_tables(found).items()}
    assert found.outcome.matches_published
    choices = {r["variant"]: r for r in tables["choice_sensitivity"]}
    assert choices["a10-both-groups"]["kendall"] == 1 and choices["a10-both-groups"]["enters"] == 0
    assert not choices["a14-a-year-earlier"]["is_reading"]
    for row in choices.values():
        assert row["taken"] - row["enters"] == 40 - row["leaves"]
    stable = tables["selection_stability"]
    assert {r["readings"] for r in stable} == {3}
    assert sum(r["taken_in"] for r in stable) == 40 + sum(r["taken"] for r in choices.values() if r["is_reading"])
    published = pq.read_table(
        max((settings.published / ROUND).glob("r*")) / "internal" / "selection.parquet"
    ).to_pylist()
    taken = {r["municipality_code"] for r in published if r["within_quota"]}
    assert {r["municipality_code"] for r in stable if r["taken_in_rule"]} == taken
    weights = tables["indicator_weights"]
    assert len(weights) == 6
    assert sum(r["nominal_weight"] for r in weights) == pytest.approx(1)
    assert sum(r["effective_weight"] for r in weights) == pytest.approx(1)
