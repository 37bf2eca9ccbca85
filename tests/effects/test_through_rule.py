"""Through points and frozen limits, in a nation whose level falls: which comparison stays true when nothing was done."""

from __future__ import annotations

import numpy as np

from dagster_project.effects.differences import mirrored_did
from dagster_project.effects.regression import Estimate
from tests.effects.nation import one_cohort
from tests.effects.through_rule import nations

NATIONS = 9


def test_the_outcome_without_steps_holds_the_truth_where_the_share_shows_harm_that_is_none() -> None:
    """Nine nations through the compiled rule; `benchmarks/effects.py rule` has hundreds, and every method."""
    share, gap = list[Estimate](), list[Estimate]()
    for land in nations(NATIONS, 3, "frozen"):
        panel = one_cohort(land, 30)
        of_gap = panel.of_gap()
        assert of_gap is not None and 0.05 < np.nanmean(land.share) < 0.5
        for found, of in ((share, panel), (gap, of_gap)):
            difference = mirrored_did(of, 3, 2)
            assert difference is not None
            found.append(difference.effect)
    low, high = zip(*(e.interval(0.95) for e in gap), strict=True)
    assert sum(a <= 0 <= b for a, b in zip(low, high, strict=True)) >= NATIONS - 2
    # in nine nations the mean is known to a third of one estimate's error
    assert abs(_in_errors(gap)) < 3
    assert _in_errors(share) > 3


def _in_errors(estimates: list[Estimate]) -> float:
    """Mean of the estimates in standard errors of that mean."""
    values = np.array([e.value for e in estimates])
    return float(values.mean() / (np.mean([e.std_error for e in estimates]) / len(values) ** 0.5))
