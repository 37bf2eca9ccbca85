"""Confidence sets for ranks: by hand, against each other, and against nations whose ranks are known."""

from __future__ import annotations

import numpy as np
import pytest

from dagster_project.simulation.rank_sets import RankSets, by_bands, marginal, simultaneous

LEVEL = 0.95


def nation(
    seed: int, units: int = 10, draws: int = 300, apart: float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True values, estimates and draws of the errors. ``apart`` 0 makes all units equal, the hardest case."""
    rng = np.random.Generator(np.random.PCG64(seed))
    deviation = rng.uniform(0.05, 0.3, units)
    truth = apart * rng.uniform(0, 1, units)
    return truth, truth + deviation * rng.standard_normal(units), deviation * rng.standard_normal((draws, units))


def covered(truth: np.ndarray, sets: RankSets) -> np.ndarray:
    """Which units' sets hold every rank that could be called the unit's own. Shape (units,)."""
    best = 1 + (truth[None, :] > truth[:, None]).sum(axis=1)
    last = len(truth) - (truth[None, :] < truth[:, None]).sum(axis=1)
    return (sets.low <= best) & (last <= sets.high)


@pytest.mark.parametrize("function", [simultaneous, marginal, by_bands])
def test_two_units_by_hand(function) -> None:  # type: ignore[no-untyped-def]
    """One unit errs by 0.1 up or down, the other not at all: every studentised error is 1, so 1 is the critical value."""
    errors = np.array([[0.1, 0.0], [-0.1, 0.0]] * 20)
    apart = function(np.array([0.7, 0.5]), errors, LEVEL)  # 0.2 / 0.1 = 2 is above 1
    assert apart.low.tolist() == apart.high.tolist() == [1, 2]
    assert apart.could_be_among(1).tolist() == [True, False]
    near = function(np.array([0.55, 0.5]), errors, LEVEL)  # 0.05 / 0.1 = 0.5 is not
    assert near.low.tolist() == [1, 1] and near.high.tolist() == [2, 2]


def test_units_that_cannot_err_have_one_rank_each_and_equal_ones_share_theirs() -> None:
    for function in (simultaneous, marginal, by_bands):
        sets = function(np.array([0.2, 0.9, 0.9, 0.1]), np.zeros((40, 4)), LEVEL)
        assert (sets.low.tolist(), sets.high.tolist()) == ([3, 1, 1, 4], [3, 2, 2, 4])


def test_marginal_sets_lie_inside_simultaneous_ones_and_those_inside_the_bands() -> None:
    for seed in range(20):
        _, estimates, errors = nation(seed, units=25)
        own, together, bands = (f(estimates, errors, LEVEL) for f in (marginal, simultaneous, by_bands))
        assert (own.low >= together.low).all() and (own.high <= together.high).all()
        assert (together.high - together.low).sum() <= (bands.high - bands.low).sum()
        again = simultaneous(estimates, errors, LEVEL)
        assert again.low.tobytes() == together.low.tobytes() and again.high.tobytes() == together.high.tobytes()


@pytest.mark.parametrize("apart", [0.0, 1.0, 3.0])
def test_coverage_is_at_least_nominal_less_one_point(apart: float) -> None:
    """Also when all units are equal, where every rejection is false and a set that is too narrow shows at once."""
    nations = [nation(seed, apart=apart) for seed in range(1000)]
    together = [covered(t, simultaneous(e, d, LEVEL)).all() for t, e, d in nations]
    bands = [covered(t, by_bands(e, d, LEVEL)).all() for t, e, d in nations]
    own = np.mean([covered(t, marginal(e, d, LEVEL)) for t, e, d in nations[:300]], axis=0)
    assert np.mean(together) >= LEVEL - 0.01 and np.mean(bands) >= LEVEL - 0.01
    assert own.mean() >= LEVEL - 0.01


def test_steps_find_more_than_one_step_and_never_less() -> None:
    """A unit far from the rest leaves the comparison, after which the others face a smaller critical value."""
    estimates = np.array([9.0, 0.31, 0.0])
    errors = np.random.Generator(np.random.PCG64(3)).standard_normal((4000, 3)) * np.array([1.0, 0.1, 0.1])
    sets = simultaneous(estimates, errors, LEVEL)
    scale = np.hypot(*errors[:, 1:].std(axis=0))
    statistic = 0.31 / scale
    pairs = [(0, 1), (0, 2), (1, 2)]
    every = np.max(
        [np.abs(errors[:, a] - errors[:, b]) / np.hypot(errors[:, a].std(), errors[:, b].std()) for a, b in pairs],
        axis=0,
    )
    assert statistic < np.quantile(every, LEVEL)
    assert (sets.low.tolist(), sets.high.tolist()) == ([1, 2, 3], [1, 2, 3])
