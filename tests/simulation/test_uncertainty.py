"""Figures drawn anew: without noise the published list, with noise the same bytes from the same seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from openpyxl import load_workbook

from dagster_project.diagnostics import PipelineProblem, RuleProblem
from dagster_project.publication import current_revision
from dagster_project.rounds import uncertainty
from dagster_project.rounds.publishing import computed_rounds
from dagster_project.rules import load_rules
from dagster_project.settings import REPOSITORY, Settings, load_settings
from dagster_project.simulation import draws, errors, judge, kernel
from dagster_project.simulation.assumptions import load_assumptions
from dagster_project.simulation.scenario import base_of
from dagster_project.simulation.uncertainty import Uncertainty, compute_uncertainty, repeat_interval, uncertainty_table
from tests.conftest import part_of, vouch_for

ROUND = "fictional-2026"


def read(home: Path, table: str) -> list[dict[str, object]]:
    folder = current_revision(load_settings(home), ROUND)
    assert folder is not None
    rows: list[dict[str, object]] = pq.read_table(folder / "internal" / f"{table}.parquet").to_pylist()
    return rows


def table(home: Path, count: int, seed: int) -> pa.Table:
    settings = load_settings(home)
    base, assumed = base_of(settings, ROUND), load_assumptions(settings)
    return uncertainty_table(compute_uncertainty(settings, base, assumed, draws=count, seed=seed))


@pytest.fixture(scope="module")
def drawn(country_home: Path) -> pa.Table:
    return table(country_home, 60, 7)


def test_figures_without_error_give_the_published_list_in_every_draw(
    country_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "errors_of", lambda value, *others: np.zeros(len(value)))
    rows = {(r["unit_level"], r["unit_code"]): r for r in table(country_home, 20, 1).to_pylist()}
    taken = {r["municipality_code"]: r["selection_group"] for r in read(country_home, "selection") if r["within_quota"]}
    for level in ("municipality", "school"):
        published = [r for r in read(country_home, f"{level}_ranking") if r["rated"]]
        assert {r[f"{level}_code"] for r in published} == {code for at, code in rows if at == level}
        for r in published:
            found = rows[level, r[f"{level}_code"]]
            assert found["rank_low"] == found["rank_high"] == found["rank"] == r["rank"]
            assert found["share_low"] == found["share_high"] == round(r["risk_share"], 6)
            if level == "municipality":
                group = taken.get(r["municipality_code"])
                assert (found["probability_average"], found["probability_spread"]) == (
                    group == "average",
                    group == "spread",
                )
            else:
                assert found["probability_worst_quartile"] == r["worst_quartile"]


def test_published_figures_the_models_no_longer_give_are_refused(country_home: Path, tmp_path: Path) -> None:
    settings = part_of(country_home, tmp_path / "home", "published", "archive", "read")
    folder = current_revision(settings, ROUND)
    assert folder is not None
    path = folder / "internal" / "municipality_ranking.parquet"
    ranking = pq.read_table(path)
    shares = ranking["risk_share"].to_pylist()
    shares[5] = shares[5] + 1e-9
    path.chmod(0o644)
    pq.write_table(ranking.set_column(ranking.column_names.index("risk_share"), "risk_share", pa.array(shares)), path)
    vouch_for(path)
    with pytest.raises(PipelineProblem) as caught:
        table(settings.home, 20, 1)
    (finding,) = caught.value.findings
    assert finding.code == "not-as-published" and finding.column == "risk_share" and finding.count == 1


def test_a_table_in_place_of_a_model_is_held_to_the_columns_of_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "statement", lambda name: "select 'r' as round, 1 as national_mean")
    with kernel.kernel(load_settings(tmp_path)) as opened, pytest.raises(PipelineProblem) as caught:
        opened.stand_in("int_limits")
    (finding,) = caught.value.findings
    assert (finding.code, finding.column) == ("stand-in-differs", "national_mean")


def test_seed_alone_decides_the_bytes(country_home: Path, drawn: pa.Table, monkeypatch: pytest.MonkeyPatch) -> None:
    import duckdb

    connect = duckdb.connect
    monkeypatch.setattr(duckdb, "connect", lambda name: connect(name, config={"threads": 1}))
    monkeypatch.setattr(judge, "MOST_SETS", 13)
    monkeypatch.setattr(draws, "CHUNK", 4)
    assert table(country_home, 60, 7).equals(drawn)
    assert not table(country_home, 60, 8).drop_columns(["seed"]).equals(drawn.drop_columns(["seed"]))


@pytest.mark.parametrize("stepped", [False, True])
def test_the_interval_of_a_repeat_holds_a_repeat(stepped: bool) -> None:
    """With known truth, also where the share is made of steps; the middle of the draws holds it far less often."""
    noise = np.random.default_rng(3)
    units, draws_each = 400, 400

    def share(figures: np.ndarray) -> np.ndarray:
        """Twelve figures a unit; one point below the first limit, three below the second, of 36."""
        points: np.ndarray = np.where(figures < -1, 3.0, np.where(figures < 0, 1.0, 0.0)) if stepped else 1 - figures
        return points.sum(-1) / 36

    truth = noise.normal(0, 1, (units, 12))
    published, repeat = (truth + noise.normal(0, 0.5, truth.shape) for _ in range(2))
    around = np.array([share(published + noise.normal(0, 0.5, truth.shape)) for _ in range(draws_each)])
    low, high = repeat_interval(share(published), around, 0.95, -9, 9)
    held = ((low <= share(repeat)) & (share(repeat) <= high)).mean()
    assert 0.92 <= held <= 0.99
    middle = np.quantile(around, [0.025, 0.975], axis=0)
    assert ((middle[0] <= share(repeat)) & (share(repeat) <= middle[1])).mean() < held - 0.04


def test_probabilities_add_up_to_the_quotas_and_intervals_hold_what_they_should(drawn: pa.Table) -> None:
    rows = [r for r in drawn.to_pylist() if r["unit_level"] == "municipality"]
    assert sum(r["probability_average"] for r in rows) == pytest.approx(30)
    assert sum(r["probability_spread"] for r in rows) <= 10 + 1e-9
    for r in rows:
        assert r["share_low"] <= r["share_high"] and r["rank_low"] <= r["rank_high"]
        assert (
            r["rank_set_simultaneous_low"] <= r["rank_set_low"] <= r["rank_set_high"] <= r["rank_set_simultaneous_high"]
        )
        assert r["could_be_selected"] == (r["probability_selected"] >= 0.025)
    assert sum(0 < r["probability_selected"] < 1 for r in rows) > 0
    # of two rounds before, eighty are in the scheme: however weak, they are not taken
    assert sum(r["could_be_selected"] for r in rows) < sum(r["rank_set_simultaneous_low"] <= 30 for r in rows)


def test_the_published_table_is_the_one_the_assumptions_give_and_stands_beside_each_rank(country_home: Path) -> None:
    folder = current_revision(load_settings(country_home), ROUND)
    assert folder is not None
    published = pq.read_table(folder / "internal" / "selection_uncertainty.parquet")
    assumed = load_assumptions(load_settings(country_home))
    assert published.equals(table(country_home, assumed.draws.value, assumed.seed.value))
    of = {(r["unit_level"], r["unit_code"]): r for r in published.to_pylist()}
    for level, chance in (("municipality", "probability_selected"), ("school", "probability_worst_quartile")):
        sheet = load_workbook(folder / "internal" / f"{level}_ranking.xlsx")["Tabell"]
        header = [c.comment.text for c in sheet[5]]
        rows = [[c.value for c in row] for row in sheet.iter_rows(min_row=6, max_row=400)]
        at = header.index("rank")
        assert header[at + 1 : at + 4] == ["rank_low", "rank_high", chance]
        shown = 0
        for row in rows:
            found = of.get((level, row[header.index(f"{level}_code")]), {})
            assert row[at + 1 : at + 4] == [found.get(n) for n in header[at + 1 : at + 4]]
            shown += bool(found)
        assert shown > 100
    assert not (folder / "public" / "selection_uncertainty.parquet").exists()


def test_it_is_made_again_only_when_what_it_rests_on_has_changed_and_a_release_keeps_its_assumptions(
    country_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final = "fictional-2024"
    settings = part_of(country_home, tmp_path, "marts", "extracts", "published")
    rulebook = load_rules(settings)
    made: list[tuple[str, int]] = []
    compute = uncertainty.compute_uncertainty

    def counted(*given: Any, **named: Any) -> Uncertainty:
        found = compute(*given, **named)
        made.append((found.base.round.id, found.count))
        return found

    monkeypatch.setattr(uncertainty, "compute_uncertainty", counted)
    rounds = computed_rounds(settings, rulebook)
    assert {ROUND, final} <= set(rounds) and "np-2025" not in rounds
    before = uncertainty.current_uncertainty(settings, rulebook, rounds)
    assert made == []
    text = (REPOSITORY / "data" / "uncertainty.yaml").read_text(encoding="utf-8")
    (tmp_path / "uncertainty.yaml").write_text(text.replace("draws: {value: 1000", "draws: {value: 40"), "utf-8")
    after = uncertainty.current_uncertainty(settings, rulebook, rounds)
    assert made == [(ROUND, 40)]
    of = pc.field("round")
    assert after.filter(of == final).equals(before.filter(of == final))
    assert set(after.filter(of == ROUND)["draws"].to_pylist()) == {40}


def test_among_too_many_municipalities_for_all_pairs_the_sets_come_from_bands(
    country_home: Path, drawn: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dagster_project.simulation import uncertainty as room

    monkeypatch.setattr(room, "MOST_PAIRED", 10)
    banded = [r for r in table(country_home, 60, 7).to_pylist() if r["unit_level"] == "municipality"]
    paired = [r for r in drawn.to_pylist() if r["unit_level"] == "municipality"]
    assert {(r["rank_set_low"], r["rank_set_high"]) for r in banded} == {(None, None)}
    sets = ("rank_set_simultaneous_low", "rank_set_simultaneous_high")
    assert all(r[sets[0]] <= r["rank"] <= r[sets[1]] for r in banded)
    assert sum(r[sets[1]] - r[sets[0]] for r in banded) > sum(r[sets[1]] - r[sets[0]] for r in paired)
    rest = [{k: v for k, v in r.items() if "set_" not in k and "could" not in k} for r in (*banded, *paired)]
    assert rest[: len(banded)] == rest[len(banded) :]


def test_a_share_of_nothing_is_not_certain_and_few_pupils_mean_more_doubt() -> None:
    assumed = load_assumptions(load_settings())
    values, pupils = np.array([0.0, 0.0, 20.0]), np.array([10.0, 1000.0, 10.0])
    groups = (("bullying", 7, "2024-25"),)
    error = errors.errors_of(values, pupils, np.full(3, np.nan), np.zeros(3, dtype=int), groups, assumed)
    assert error[0] > 3 * error[1] > 0 and error[2] > error[0]
    groups = (("reading_scale_score", 5, "2024-25"),)
    given = np.array([1.96, np.nan, np.nan])
    error = errors.errors_of(values, pupils, given, np.zeros(3, dtype=int), groups, assumed)
    assert error.tolist() == pytest.approx([1.0, 9.1 / 1000**0.5, 9.1 / 10**0.5])


def test_an_assumption_without_its_source_is_named_with_its_line(tmp_path: Path) -> None:
    text = (REPOSITORY / "data" / "uncertainty.yaml").read_text(encoding="utf-8")
    broken = text.replace("basis: placeholder, source: grades", "basis: placeholder")
    (tmp_path / "uncertainty.yaml").write_text(broken, encoding="utf-8")
    with pytest.raises(RuleProblem) as caught:
        load_assumptions(Settings(home=tmp_path))
    (finding,) = caught.value.findings
    assert finding.code == "missing-source" and finding.file == "uncertainty.yaml"
    assert finding.row is not None and broken.splitlines()[finding.row - 1].lstrip().startswith("grade_points")
