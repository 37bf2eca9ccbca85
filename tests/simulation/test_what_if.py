"""Other readings of the rule: the models compute them, and nothing of it passes for official."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dagster_project.diagnostics import PipelineProblem, RuleProblem
from dagster_project.rounds.publishing import publish_round
from dagster_project.rules import RuleSet, compile_parameters, load_rules
from dagster_project.settings import REPOSITORY, Settings, load_settings
from dagster_project.simulation.compare import rank_correlations
from dagster_project.simulation.paths import expand, parse, settable, with_settings, without
from dagster_project.simulation.scenario import AS_IT_STANDS, WATERMARK, base_of
from dagster_project.simulation.sweep import sweep, values_of
from dagster_project.simulation.whatif import WhatIf, what_if, write
from dagster_project.transform.snapshot import take
from tests.conftest import NOW, part_of

ROUND = "fictional-2026"


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    return load_rules(load_settings()).rule_sets["udir-2020"]


@pytest.fixture(scope="module")
def home(country_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A copy of the country that may be written to."""
    copy = tmp_path_factory.mktemp("what-if") / "home"
    return part_of(country_home, copy, "published", "marts", "archive", "read")


@pytest.fixture(scope="module")
def answer(home: Settings) -> WhatIf:
    """A sweep over the quota, from the rule's own value upwards, in one build."""
    return what_if(home, ROUND, values={}, series=["groups.average.quota=30,33"])


def test_a_scenario_equal_to_the_rule_changes_nothing_and_gives_the_published_figures(answer: WhatIf) -> None:
    same, more = answer.comparisons
    assert same.changes == [] and (same.kendall, same.spearman) == (1.0, 1.0)
    assert answer.outcome.matches_published
    # three more are taken, the next in the order of the ranks; nobody moves, since the quota touches no share
    ranked = {r["municipality_code"]: r for r in answer.outcome.table("selection", AS_IT_STANDS).to_pylist()
              if r["selection_group"] == "average"}  # fmt: skip
    entered = [r["municipality_code"] for r in more.changes if r["scenario_group"] == "average"]
    assert sorted(ranked[code]["rank_in_group"] for code in entered) == [31, 32, 33]
    assert more.counts["moves in rank"] == 0


def test_every_table_of_a_scenario_says_that_it_is_not_official(home: Settings, answer: WhatIf) -> None:
    folder = write(home, answer)
    assert folder == home.home / "scenarios" / ROUND / "groups.average.quota-30-33"
    tables = {p.stem: pq.read_table(p) for p in folder.glob("*.parquet")}
    assert set(tables) == {"changes", "municipality_ranking", "school_ranking", "selection"}
    for table in tables.values():
        assert set(table["watermark"].to_pylist()) == {WATERMARK} and table.num_rows
    assert set(tables["selection"]["scenario"].to_pylist()) == set(answer.outcome.scenarios)
    assert WATERMARK in (folder / "figure.vl.json").read_text()
    assert list((home.home / "scenarios").glob(".building-*")) == []


def test_a_scenario_table_cannot_be_published(home: Settings, answer: WhatIf) -> None:
    victim = home.marts / "selection.parquet"
    folders = sorted(p.name for p in (home.published / ROUND).iterdir() if p.is_dir())
    honest, pointer = victim.read_bytes(), (home.published / ROUND / "current.json").read_bytes()
    pq.write_table(answer.outcome.table("selection", AS_IT_STANDS), victim)
    with pytest.raises(PipelineProblem) as caught:
        publish_round(home, take(home), ROUND, now=NOW)
    victim.write_bytes(honest)
    assert [f.code for f in caught.value.findings] == ["scenario-table"]
    assert (home.published / ROUND / "current.json").read_bytes() == pointer
    assert sorted(p.name for p in (home.published / ROUND).iterdir() if p.is_dir()) == folders


def test_the_round_starts_from_the_rules_it_was_published_with(home: Settings) -> None:
    """The rules of the house may have changed since."""
    own = home.home / "rules"
    shutil.copytree(REPOSITORY / "data" / "rules", own)
    path = own / "udir-2020.yaml"
    path.write_text(path.read_text().replace("level: {value: 0.15", "level: {value: 0.4"))
    assert load_rules(home).rule_sets["udir-2020"].groups.spread.level.value == Decimal("0.4")
    assert base_of(home, ROUND).rules.groups.spread.level.value == Decimal("0.15")
    shutil.rmtree(own)


def test_a_path_reaches_the_values_it_names(rules: RuleSet) -> None:
    changed = with_settings(rules, {"limits.absolute.percentile": 15, "indicators.bullying.absolute.percentile": 5.5})
    assert [str(i.absolute.percentile) for i in changed.indicators] == ["5.5", "15", "15", "15", "15", "15"]
    assert with_settings(rules, {"window_years": 2, "weights.grade_points": 1}).window.years.value == 2
    assert with_settings(rules, dict([parse("groups.spread.level=0.15")])) == rules
    assert all(expand(rules, path) == [path] for path in settable(rules))
    assert [i.name for i in without(rules, ["bullying"]).indicators] == [i.name for i in rules.indicators[1:]]


@pytest.mark.parametrize(
    ("values", "code", "words"),
    [
        ({"groups.average.qouta": 3}, "unknown-path", "Did you mean groups.average.quota"),
        ({"limits.absolute.percentil": 3}, "unknown-path", "Did you mean limits.absolute.percentile"),
        ({"groups.spread.level": 7}, "invalid-setting", "less than or equal to 1"),
        ({"limits.absolute.method": "mean_sd"}, "invalid-setting", "needs k"),
        ({"window.grades": "apart"}, "invalid-setting", "pooled"),
    ],
)
def test_a_setting_the_rule_does_not_know_is_refused(
    rules: RuleSet, values: dict[str, object], code: str, words: str
) -> None:
    with pytest.raises(RuleProblem) as caught:
        with_settings(rules, values)
    assert [f.code for f in caught.value.findings] == [code] and words in caught.value.findings[0].as_text()


def test_a_sweep_is_exact_and_ends_where_it_says(rules: RuleSet) -> None:
    assert values_of("0.10..0.20:0.02") == [Decimal(x) for x in ("0.10", "0.12", "0.14", "0.16", "0.18", "0.20")]
    assert values_of("1..3") == [1, 2, 3] and values_of("strict_order,include_ties") == ["strict_order", "include_ties"]
    points = sweep(rules, {"groups.average.quota": 20}, ["groups.spread.level=0.1,0.2", "window.years=2..3"])
    assert len(points) == 4 and {p.rules.groups.average.quota.value for p in points} == {20}
    for text in ("groups.spread.level=0.2..0.1", "groups.spread.level=0..1:0.001", "groups.spread.level=a..b"):
        with pytest.raises(RuleProblem):
            sweep(rules, {}, [text])


def test_rank_correlations_of_cases_worked_by_hand() -> None:
    assert rank_correlations([(1, 1), (2, 2), (3, 3)]) == (1.0, 1.0)
    assert rank_correlations([(1, 3), (2, 2), (3, 1)]) == (-1.0, -1.0)
    kendall, spearman = rank_correlations([(1, 2), (2, 1), (3, 3)])
    assert kendall == pytest.approx(1 / 3) and spearman == pytest.approx(0.5)
    assert rank_correlations([(1, 1)]) == (None, None)


def test_exceptions_of_the_round_hold_in_its_scenarios(rules: RuleSet, tmp_path: Path) -> None:
    from dagster_project.simulation.scenario import Scenario, _book

    for name in ("rules", "registers"):
        shutil.copytree(REPOSITORY / "data" / name, tmp_path / name)
    shutil.copyfile(REPOSITORY / "data" / "rounds.yaml", tmp_path / "rounds.yaml")
    row = '  - {unit_level: municipality, unit_code: "6101", kind: excluded, rounds: [%s], ground: g, source: s}\n'
    with (tmp_path / "registers" / "exceptions.yaml").open("a") as handle:
        handle.write(row % ROUND + row.replace("6101", "6102") % "np-2025")
    book, names = _book(base_of(Settings(home=tmp_path), ROUND), [Scenario("a", rules), Scenario("b", rules, 1)])
    compile_parameters(book, tmp_path / "out")
    exceptions = pq.read_table(tmp_path / "out" / "exceptions.parquet").to_pylist()
    assert {r["round"] for r in exceptions if r["unit_code"] == "6101"} == set(names)
    assert not [r for r in exceptions if r["unit_code"] == "6102"]
    rounds = pq.read_table(tmp_path / "out" / "rounds.parquet").to_pylist()
    assert [r["last_school_year"] for r in rounds] == ["2025-26", "2024-25"]
