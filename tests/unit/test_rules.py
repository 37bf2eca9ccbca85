"""Rules as data: the shipped files load, an edit changes what is compiled, each mistake gives one clear message."""

from __future__ import annotations

import json
from decimal import Decimal

from dagster_project.rules import Round, describe, fields, load_rules
from dagster_project.rules.compile import parameter_rows
from dagster_project.settings import REPOSITORY, Settings, load_settings
from dagster_project.validation.suites import load_suite
from tests.samples import edit


def test_the_shipped_rules_hold_what_the_sources_state() -> None:
    rows = parameter_rows(load_rules(load_settings()))
    rule = next(r for r in rows["rounds"] if r["rule_set"] == "udir-2020")
    assert (rule["points_national"], rule["points_absolute"], rule["window_years"]) == (1, 3, 3)
    assert (rule["average_quota"], rule["spread_quota"], rule["worst_schools_percent"]) == (30, 10, 25)
    weights = {r["indicator"]: r["weight"] for r in rows["rule_indicators"] if r["round"] == rule["round"]}
    assert weights["grade_points"] == 3 and set(weights.values()) == {1, 3} and len(weights) == 6
    assert rule["illustrative"]


def test_an_edited_value_changes_what_is_compiled_and_nothing_else(rules_home: Settings) -> None:
    before = parameter_rows(load_rules(rules_home))
    edit(rules_home.rules / "udir-2020.yaml", "level: {value: 0.15", "level: {value: 0.4")
    after = parameter_rows(load_rules(rules_home))
    changed = {
        (r["round"], k) for r, s in zip(before["rounds"], after["rounds"], strict=True) for k in r if r[k] != s[k]
    }
    its = [r["round"] for r in before["rounds"] if r["rule_set"] == "udir-2020"]
    assert changed == {(round_id, k) for round_id in its for k in ("spread_level", "rule_sha256")}
    assert after["rounds"][0]["spread_level"] == Decimal("0.4")
    assert before["rule_indicators"] == after["rule_indicators"]


def test_a_round_kept_in_a_manifest_is_the_round() -> None:
    for round_ in load_rules(load_settings()).rounds:
        assert Round.model_validate(json.loads(round_.model_dump_json())) == round_


def test_the_first_school_year_of_rules_is_that_of_the_suites() -> None:
    (asked,) = [e for e in load_suite(REPOSITORY / "expectations", "national_tests") if e.code == "wrong-year"]
    assert asked.kwargs["min_value"] == fields.FIRST_SCHOOL_YEAR


def test_every_placeholder_is_flagged_in_the_description() -> None:
    rules = load_rules(load_settings()).rule_sets["udir-2020"]
    lines = describe(rules)
    assert sum("ANTATT" in line for line in lines) == len(rules.placeholders) == 7
    assert all(any(path in line for line in lines) for path, _ in rules.sourced())
