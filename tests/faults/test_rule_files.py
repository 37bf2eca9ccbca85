"""Each mistake in a rule file is named with file, line and column, and what to do; nothing is compiled from it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dagster_project.diagnostics import RuleProblem
from dagster_project.rules import load_rules
from dagster_project.settings import Settings
from tests.samples import edit

Mistake = Callable[[Settings], tuple[Path, int]]


def in_rule(old: str, new: str) -> Callable[[Settings], tuple[Path, int]]:
    return lambda s: (s.rules / "udir-2020.yaml", edit(s.rules / "udir-2020.yaml", old, new))


def in_rounds(old: str, new: str) -> Callable[[Settings], tuple[Path, int]]:
    return lambda s: (s.rounds, edit(s.rounds, old, new))


def in_publication(old: str, new: str) -> Callable[[Settings], tuple[Path, int]]:
    return lambda s: (s.registers / "publication.yaml", edit(s.registers / "publication.yaml", old, new))


def without_file(name: str) -> Mistake:
    def make(settings: Settings) -> tuple[Path, int]:
        (settings.registers / name).unlink()
        return settings.registers / name, 1

    return make


def in_another_encoding(settings: Settings) -> tuple[Path, int]:
    path = settings.registers / "exceptions.yaml"
    path.write_bytes(path.read_text(encoding="utf-8").replace("# Units", "# Enheter på").encode("cp1252"))
    return path, 1


def renamed(settings: Settings) -> tuple[Path, int]:
    path = settings.rules / "udir-2020.yaml"
    shutil.copyfile(path, settings.rules / "udir-2030.yaml")
    line = path.read_text(encoding="utf-8").split("rule_set:")[0].count("\n") + 1
    return settings.rules / "udir-2030.yaml", line


def for_a_round_that_is_not(settings: Settings) -> tuple[Path, int]:
    path = settings.registers / "exceptions.yaml"
    return path, edit(
        path,
        'kind: pseudo_unit, rounds: all, ground: "Svalbard er ingen',
        'kind: excluded, rounds: [np-2035], ground: "Svalbard er ingen',
    )


RULES: dict[str, tuple[Mistake, str, str]] = {
    "register_gone": (without_file("county_governors.yaml"), "missing-file", "Put it back"),
    "saved_in_another_encoding": (in_another_encoding, "wrong-encoding", "UTF-8"),
    "file_and_rule_set_named_apart": (renamed, "wrong-name", "udir-2030"),
    "round_twice": (in_rounds("id: np-2025", "id: fictional-2026"), "repeated-round", "another id"),
    "two_rounds_for_one_cohort": (in_rounds("selection_date: 2025-02-15", "selection_date: 2024-02-15"), "repeated-cohort", "uttrekk_2024"),
    "exception_for_a_round_that_is_not": (for_a_round_that_is_not, "unknown-round", "np-2025"),
    "value_left_out": (in_rule("quota: {value: 30, basis: stated", "quota: {basis: stated"), "missing-key", "quota.value is missing"),
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


@pytest.mark.parametrize("name", RULES)
def test_a_mistake_is_named_with_file_and_line(name: str, rules_home: Settings) -> None:
    make, code, word = RULES[name]
    path, line = make(rules_home)
    with pytest.raises(RuleProblem) as caught:
        load_rules(rules_home)
    finding = next(f for f in caught.value.findings if f.code == code)
    assert word in finding.as_text()
    assert finding.fix and finding.file is not None and finding.file.endswith(path.name)
    if code not in ("invalid-yaml",) and name not in ("unknown_source", "public_source_unknown", "repeated_key"):
        assert finding.row is not None and abs(finding.row - line) <= 4, finding
