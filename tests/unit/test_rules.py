"""Rules as data: the shipped files load, an edit changes what is compiled, each mistake gives one clear message."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from dagster_project.diagnostics import RuleProblem
from dagster_project.rules import describe, load_rules
from dagster_project.rules.compile import parameter_rows
from dagster_project.settings import REPOSITORY, Settings, load_settings


@pytest.fixture
def rules_home(tmp_path: Path) -> Settings:
    """A home with its own copy of rules, rounds and registers."""
    for name in ("rules", "registers"):
        shutil.copytree(REPOSITORY / "data" / name, tmp_path / name)
    shutil.copyfile(REPOSITORY / "data" / "rounds.yaml", tmp_path / "rounds.yaml")
    return load_settings(tmp_path)


def edit(path: Path, old: str, new: str) -> int:
    """Replace the first occurrence; return its line."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


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
    assert changed == {("fictional-2026", "spread_level"), ("fictional-2026", "rule_sha256")}
    assert after["rounds"][0]["spread_level"] == Decimal("0.4")
    assert before["rule_indicators"] == after["rule_indicators"]


def in_rule(old: str, new: str) -> Callable[[Settings], tuple[Path, int]]:
    return lambda s: (s.rules / "udir-2020.yaml", edit(s.rules / "udir-2020.yaml", old, new))


def in_rounds(old: str, new: str) -> Callable[[Settings], tuple[Path, int]]:
    return lambda s: (s.rounds, edit(s.rounds, old, new))


def in_publication(old: str, new: str) -> Callable[[Settings], tuple[Path, int]]:
    return lambda s: (s.registers / "publication.yaml", edit(s.registers / "publication.yaml", old, new))


MISTAKES = {
    "public_cell_alone": (in_publication("min_hidden: {value: 2", "min_hidden: {value: 1"), "invalid-value", "greater than or equal to 2"),
    "public_threshold_without_source": (in_publication(", source: exports", ""), "missing-source", "source"),
    "public_source_unknown": (in_publication("source: method", "source: hearsay"), "invalid-value", "hearsay"),
    "unknown_key": (in_rule("min_areas:", "min_aeras:"), "unknown-key", "min_areas"),
    "repeated_key": (in_rule("  years: {value: 3", "  years: {value: 2, basis: stated, source: udir}\n  years: {value: 3"), "repeated-key", "years"),
    "missing_source": (in_rule("ties: {value: strict_order, basis: inferred, source: method,", "ties: {value: strict_order, basis: inferred,"), "missing-source", "source"),
    "unknown_source": (in_rule("percent: {value: 25, basis: stated, source: udir}", "percent: {value: 25, basis: stated, source: hearsay}"), "invalid-value", "hearsay"),
    "unknown_indicator": (in_rule("- name: motivation", "- name: motivaton"), "invalid-value", "did you mean motivation"),
    "wrong_grade": (in_rule("grades: {value: [7, 10]", "grades: {value: [7, 11]"), "invalid-value", "grade 11"),
    "wrong_type": (in_rule("quota: {value: 30", "quota: {value: thirty"), "invalid-value", "integer"),
    "unknown_choice": (in_rule("value: separate", "value: apart"), "invalid-value", "pooled"),
    "share_above_one": (in_rule("min_coverage: {value: 0.5", "min_coverage: {value: 50"), "invalid-value", "less than or equal to 1"),
    "limit_without_its_value": (in_rule("method: percentile, percentile: 10,", "method: percentile,"), "invalid-value", "needs percentile"),
    "limit_with_a_stray_value": (in_rule("method: published,", "method: published, k: 2,"), "invalid-value", "no use for k"),
    "impossible_base_year": (in_rule("base_year: 2021-22", "base_year: 2021-23"), "invalid-value", "such as 2024-25"),
    "broken_yaml": (in_rule("points:\n", "points: [\n"), "invalid-yaml", "YAML"),
    "unknown_rule_set": (in_rounds("rule_set: udir-2020", "rule_set: udir-2021"), "unknown-rule-set", "udir-2020"),
    "impossible_date": (in_rounds("selection_date: 2026-02-15", "selection_date: 2026-02-31"), "invalid-yaml", "day"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_file_and_line(name: str, rules_home: Settings) -> None:
    make, code, word = MISTAKES[name]
    path, line = make(rules_home)
    with pytest.raises(RuleProblem) as caught:
        load_rules(rules_home)
    finding = next(f for f in caught.value.findings if f.code == code)
    assert word in finding.as_text()
    assert finding.fix and finding.file is not None and finding.file.endswith(path.name)
    if code not in ("invalid-yaml",) and name not in ("unknown_source", "public_source_unknown", "repeated_key"):
        assert finding.row is not None and abs(finding.row - line) <= 4, finding


def test_every_placeholder_is_flagged_in_the_description() -> None:
    rules = load_rules(load_settings()).rule_sets["udir-2020"]
    lines = describe(rules)
    assert sum("PLACEHOLDER" in line for line in lines) == len(rules.placeholders) == 7
    assert all(any(path in line for line in lines) for path, _ in rules.sourced())
