"""The estimates against a ladder: hand, brute force, deleted clusters, equivariance, permutation, and broken tables."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from dagster_project.diagnostics import PipelineProblem, RuleProblem
from dagster_project.effects import EffectParameters, estimate_effects, load_effect_parameters
from dagster_project.effects.differences import did, event_study, mirrored_did
from dagster_project.effects.discontinuity import rank_discontinuity
from dagster_project.effects.matched import matched_did
from dagster_project.effects.panel import CohortPanel, panels
from dagster_project.effects.regression import Estimate, fit
from dagster_project.settings import load_settings
from tests.effects.nation import DEVIATION, WINDOW, nation, one_cohort, select, staggered, table


@pytest.fixture(scope="module")
def parameters() -> EffectParameters:
    return load_effect_parameters(load_settings())


@pytest.fixture(scope="module")
def cohort() -> CohortPanel:
    return one_cohort(nation(np.random.default_rng(5), n=120, bounded=True), quota=20)


def by_hand() -> CohortPanel:
    """Two followed fall by 0.10 and 0.06, two others by 0.02 and 0.04: the difference is -0.05."""
    share = np.array([[0.50, 0.40], [0.46, 0.40], [0.30, 0.28], [0.30, 0.26]])
    treated = np.array([True, True, False, False])
    rank = np.arange(1.0, 5.0)
    codes = np.array(["a", "b", "c", "d"])
    return CohortPanel(
        "hand", codes, np.array([-3, 1]), share, treated, share[:, 0], np.log(rank), rank, np.empty((4, 0)), 1, WINDOW
    )


def test_two_by_two_by_hand() -> None:
    result = mirrored_did(by_hand(), years=3, min_treated=2)
    assert result is not None and result.effect.value == pytest.approx(-0.05, abs=1e-12)
    # changes -0.10, -0.06 and -0.02, -0.04: squares about the means 0.0008 and 0.0002, HC3 halves the leverage again
    assert result.effect.std_error == pytest.approx((2 * 0.02**2 / 4 * 4 + 2 * 0.01**2 / 4 * 4) ** 0.5, rel=1e-9)
    assert result.effect.df == 1


def test_effects_of_units_taken_out_are_those_of_a_dummy_each(cohort: CohortPanel) -> None:
    from statsmodels.regression.linear_model import OLS

    holes = np.random.default_rng(0).random(cohort.share.shape) < 0.08
    share = np.where(holes & (cohort.event_times != 0), np.nan, cohort.share)
    panel = CohortPanel(**{**vars(cohort), "share": share})
    study = event_study([panel], -3, 3, 2)
    assert study is not None
    n, t = np.nonzero(~np.isnan(share) & (abs(panel.event_times) <= 3))
    event = panel.event_times[t]
    times = [e for e in range(-3, 4) if e]
    wanted = (panel.treated[n][:, None] & (event[:, None] == times)).astype(float)
    own = [(event == e)[:, None] * panel.features()[n] for e in times]
    x = np.column_stack([wanted, *own, n[:, None] == np.unique(n)]).astype(float)
    brute = OLS(share[n, t], x).fit()
    assert list(study.coefficients) == times
    np.testing.assert_allclose([c.value for c in study.coefficients.values()], brute.params[:6], atol=1e-9)


def test_the_covariance_is_that_of_leaving_each_cluster_out() -> None:
    from statsmodels.regression.linear_model import OLS

    rng = np.random.default_rng(2)
    clusters = rng.integers(0, 12, 60)
    x = np.column_stack([np.ones(60), rng.normal(size=(60, 2))])
    y = rng.normal(size=60) + rng.normal(size=12)[clusters]
    result = fit(y, x, clusters, df=11)
    moves = np.array(
        [OLS(y[clusters != g], x[clusters != g]).fit().params - result.coefficients for g in np.unique(clusters)]
    )
    np.testing.assert_allclose(result.covariance, moves.T @ moves, rtol=1e-8)
    # statsmodels' own clustered errors are the same order, and smaller
    ordinary = OLS(y, x).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    assert (np.sqrt(np.diag(result.covariance)) > ordinary.bse).all()
    alone = fit(y, x, np.arange(60), df=11)
    np.testing.assert_allclose(alone.covariance, OLS(y, x).fit().cov_HC3)


def test_a_planted_effect_moves_every_estimate_by_itself() -> None:
    land = nation(np.random.default_rng(11))
    without, planted = (one_cohort(land, effect=e) for e in (0.0, -0.06))

    def everything(p: CohortPanel) -> list[float]:
        cut = rank_discontinuity(p, 3, 30, 3)
        found = [did([p], 3, 2), mirrored_did(p, 3, 2), matched_did(p, 3, 5), cut]
        values = [
            f.value if isinstance(f, Estimate) else getattr(f, "effect", getattr(f, "jump", None)).value for f in found
        ]
        study = event_study([p], -3, 3, 2)
        assert study is not None
        return values + [c.value for c in study.coefficients.values()]

    moved = np.array(everything(planted)) - everything(without)
    np.testing.assert_allclose(moved, [-0.04] * 4 + [0, 0, 0, -0.02, -0.04, -0.06], atol=1e-10)


def test_neighbours_counted_one_by_one_give_the_matched_estimate(cohort: CohortPanel) -> None:
    features = cohort.features()
    change = cohort.share[:, cohort.event_times > 0].mean(1) - cohort.baseline
    others = np.flatnonzero(~cohort.treated)
    line = np.linalg.lstsq(features[others], change[others], rcond=None)[0]
    gaps = []
    for i in np.flatnonzero(cohort.treated):
        near = sorted(others, key=lambda j: np.hypot(*(features[i, 1:3] - features[j, 1:3])))[:5]
        gaps.append(change[i] - np.mean([change[j] + (features[i] - features[j]) @ line for j in near]))
    found = matched_did(cohort, 3, 5)
    assert found is not None and found.value == pytest.approx(np.mean(gaps), abs=1e-12)


def test_followed_drawn_by_lot_among_equals_show_nothing() -> None:
    rng = np.random.default_rng(4)
    found = []
    for _ in range(60):
        panel = one_cohort(nation(rng, n=100), quota=15)
        lot = rng.permutation(panel.treated)
        estimate = did([CohortPanel(**{**vars(panel), "treated": lot})], 3, 2)
        assert estimate is not None
        found.append(abs(estimate.effect.value) > estimate.effect.interval(0.95)[1] - estimate.effect.value)
    # 60 draws at 5 %: more than 8 has a chance below one in a thousand
    assert sum(found) <= 8


def test_the_table_gives_one_row_per_method_and_missing_years_move_nobody(
    cohort: CohortPanel, parameters: EffectParameters
) -> None:
    frame = table(cohort)
    whole = estimate_effects(frame, parameters, WINDOW)
    methods = [
        "before_after_naive",
        "expected_regression_to_the_mean",
        "before_after_net",
        "matched_did",
        "rank_discontinuity",
        "lagged_outcome_regression",
        "did_mirrored",
    ]
    assert [(r.outcome, r.method, r.event_time) for r in whole.rows] == [
        *(("risk_share", m, None) for m in methods),
        ("mean_gap", "did_mirrored", None),
        *(("risk_share", "event_study", e) for e in range(-3, 4)),
    ]
    assert all(r.estimate is not None for r in whole.rows)
    # an interval stands only beside the outcome and method whose intervals hold
    (sure,) = [r for r in whole.rows if r.ci_low is not None]
    assert (sure.outcome, sure.method) == ("mean_gap", "did_mirrored") and sure.ci_low < sure.estimate < sure.ci_high
    (of_share,) = [r for r in whole.rows if (r.outcome, r.method) == ("risk_share", "did_mirrored")]
    assert sure.estimate == pytest.approx(of_share.estimate / DEVIATION, abs=1e-4)
    said = [r.method for r in whole.rows if "Without an interval" in r.note and "Uten intervall" in r.norsk]
    assert set(said) == {*methods[1:], "event_study"}
    assert whole.to_table().column_names[:4] == ["cohort", "outcome", "method", "event_time"]

    # a year that a tenth of the municipalities lack: the same estimates, about
    lacking = frame.assign(
        risk_share=frame["risk_share"].mask(
            (frame["municipality_code"].astype(int) % 10 == 3) & (frame["event_time"] == 2)
        )
    )
    fewer = estimate_effects(lacking, parameters, WINDOW)
    for a, b in zip(whole.rows, fewer.rows, strict=True):
        # the event study counts them year by year
        assert a.method == b.method and (a.n_treated == b.n_treated or a.event_time == 2)
        assert a.estimate == pytest.approx(b.estimate, abs=0.02 if a.outcome == "risk_share" else 0.02 / DEVIATION)
    # who has no figure at all afterwards is not counted
    gone = frame.assign(
        risk_share=frame["risk_share"].mask(
            (frame["municipality_code"] == frame.loc[frame["in_cohort"], "municipality_code"].iloc[0])
            & (frame["event_time"] > 0)
        )
    )
    assert estimate_effects(gone, parameters, WINDOW).rows[0].n_treated == 19
    # order of rows and pyarrow instead of pandas change nothing
    import pyarrow as pa

    shuffled = pa.Table.from_pandas(frame.sample(frac=1, random_state=1), preserve_index=False)
    assert estimate_effects(shuffled, parameters, WINDOW).to_table().equals(whole.to_table())


def test_decimals_of_the_warehouse_and_columns_of_nothing_are_read(
    cohort: CohortPanel, parameters: EffectParameters
) -> None:
    exact = table(cohort).assign(
        risk_share=lambda f: [Decimal(str(round(v, 6))) if v > 0.1 else None for v in f["risk_share"]], rank=None
    )
    rows = {r.method: r for r in estimate_effects(exact, parameters, WINDOW).rows}
    assert rows["rank_discontinuity"].estimate is None and "Too few" in rows["rank_discontinuity"].note
    assert rows["matched_did"].estimate is not None and rows["matched_did"].n_treated == 20


def test_what_cannot_be_estimated_says_why(cohort: CohortPanel, parameters: EffectParameters) -> None:
    frame = table(cohort)
    first = frame.loc[frame["in_cohort"], "municipality_code"].iloc[0]
    alone = estimate_effects(frame[~frame["in_cohort"] | (frame["municipality_code"] == first)], parameters, WINDOW)
    assert [r.estimate for r in alone.rows] == [None] * 9
    assert all("Fewer than 2" in r.note and "Færre enn 2" in r.norsk for r in alone.rows)
    no_past = estimate_effects(frame[frame["event_time"] > -WINDOW], parameters, WINDOW)
    assert [r.method for r in no_past.rows if r.estimate is None] == ["did_mirrored"] * 2
    no_future = estimate_effects(frame[frame["event_time"] <= 0], parameters, WINDOW)
    assert {r.method for r in no_future.rows if r.estimate is not None} == {"event_study"}
    nobody = estimate_effects(frame[frame["in_cohort"]], parameters, WINDOW)
    assert {r.method for r in nobody.rows if r.estimate is not None} == {
        "before_after_naive",
    }
    assert estimate_effects(frame[:0], parameters, WINDOW).to_table().num_rows == 0


def test_nobody_already_followed_is_compared_with() -> None:
    rng = np.random.default_rng(8)
    land = nation(rng, years=12, n=80, bounded=True)
    one, two = staggered(land, (4, 7), quota=8)
    frames = []
    for panel, last in ((one, 4), (two, 7)):
        baseline, rank, _ = select(land, last, 8)
        full = CohortPanel(panel.cohort, np.array([f"{i:04d}" for i in range(80)]), np.arange(12) - last, land.share,
                           np.isin([f"{i:04d}" for i in range(80)], panel.codes[panel.treated]), baseline, np.log(land.pupils), rank, np.empty((80, 0)), 1, WINDOW)  # fmt: skip
        frames.append(
            table(full).assign(
                school_year=lambda f, last=last: [f"{2020 + e + last}-{(21 + e + last) % 100}" for e in f["event_time"]]
            )
        )
    first, second = panels(pd.concat(frames), WINDOW)
    followed_first, followed_second = set(first.codes[first.treated]), set(second.codes[second.treated])
    assert len(followed_first) == len(followed_second) == 8
    assert not followed_first & set(second.codes)
    later = np.isin(first.codes, list(followed_second))
    # followed from year 8 on: event time 4 of the first cohort
    assert np.isnan(first.share[later][:, first.event_times >= 4]).all()
    assert not np.isnan(first.share[later][:, first.event_times < 4]).any()
    assert first.earlier.shape[1] == 0 and second.earlier.shape[1] == 1


BROKEN = {
    "missing-column": lambda f: f.drop(columns="rank"),
    "repeated-row": lambda f: pd.concat([f, f[:1]]),
    "value-off-scale": lambda f: f.assign(risk_share=f["risk_share"] * 100),
    "value-varies": lambda f: f.assign(in_cohort=f["in_cohort"] & (f["event_time"] > 0)),
}


@pytest.mark.parametrize("code", BROKEN)
def test_a_table_that_breaks_its_contract_is_refused(
    code: str, cohort: CohortPanel, parameters: EffectParameters
) -> None:
    with pytest.raises(PipelineProblem) as caught:
        estimate_effects(BROKEN[code](table(cohort)), parameters, WINDOW)
    assert [f.code for f in caught.value.findings] == [code]
    assert caught.value.findings[0].fix and (caught.value.findings[0].column or caught.value.findings[0].found)


def test_a_mistake_in_the_choices_is_named_with_its_line(tmp_path) -> None:
    shipped = load_settings().effects.read_text(encoding="utf-8")
    (tmp_path / "effects.yaml").write_text(
        shipped.replace("neighbours: {value: 5", "neighbours: {value: none"), encoding="utf-8"
    )
    with pytest.raises(RuleProblem) as caught:
        load_effect_parameters(load_settings(tmp_path))
    (finding,) = caught.value.findings
    assert (finding.code, finding.file, finding.row) == ("invalid-value", "effects.yaml", 14)


def test_what_would_go_unseen_is_what_t_finds_four_times_in_five() -> None:
    """With few followed the interval is wider, and a true effect must be larger to be found; drawn, not worked out."""
    rng = np.random.default_rng(12)
    for df in (2, 4, 30):
        # errors of one standard error in size, and a scatter of df degrees of freedom
        error = rng.normal(size=200_000)
        scale = np.sqrt(rng.chisquare(df, size=200_000) / df)
        smallest = Estimate(0.0, 1.0, df).detectable(0.95)
        reach = Estimate(0.0, 1.0, df).interval(0.95)[1]
        found = (np.abs(smallest + error) > reach * scale).mean()
        assert 0.75 < found < 0.86, (df, smallest, found)
        # what holds for many: with two degrees of freedom it would go unseen two times in three
        assert df > 2 or (np.abs(2.8 + error) > reach * scale).mean() < 0.4
    assert Estimate(0.0, 1.0, 10_000).detectable(0.95) == pytest.approx(2.8016, abs=1e-3)
    assert Estimate(0.0, 0.01, 1).detectable(0.95) == pytest.approx(0.01 * (12.7062 + 1.3764), abs=1e-5)


def test_the_note_of_few_followed_says_what_they_could_show(parameters: EffectParameters) -> None:
    few = one_cohort(nation(np.random.default_rng(6), n=60, bounded=True), quota=3)
    (row,) = [r for r in estimate_effects(table(few), parameters, WINDOW).rows if r.outcome == "mean_gap"]
    assert row.std_error is not None and row.ci_high is not None and row.estimate is not None
    said = float(row.note.split("smaller than about ")[1].split()[0])
    # two degrees of freedom: what could be found lies beyond half the interval, and well beyond 2.8 standard errors
    assert said == pytest.approx((4.3027 + 1.0607) * row.std_error, abs=6e-4) and said > row.ci_high - row.estimate


def test_the_first_year_of_follow_up_is_a_choice_with_its_source(
    cohort: CohortPanel, parameters: EffectParameters
) -> None:
    assert parameters.first_followed_year.value == 1 and parameters.first_followed_year.source in parameters.sources
    later = estimate_effects(table(CohortPanel(**{**vars(cohort), "treated_from": 2})), parameters, WINDOW)
    followed = [r for r in later.rows if r.method == "before_after_naive"]
    change = cohort.share[cohort.treated][:, cohort.event_times >= 2].mean() - cohort.baseline[cohort.treated].mean()
    assert followed[0].estimate == pytest.approx(change, abs=1e-6)
