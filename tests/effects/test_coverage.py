"""Over 500 nations without any effect: the naive difference is an illusion, and the intervals of the others hold.

A planted effect moves each estimate by itself and leaves its error as it is (test_effects.py), so that these figures
are those of any effect. benchmarks/effects.py has more kinds of nations.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.effects.coverage import Score, expected_truth, fast, library, others, scores
from tests.effects.nation import nation, one_cohort

NATIONS = 500
# 500 draws at 95 % have a Monte-Carlo error of 1.0 %; three of them below
AT_LEAST = 0.92


@pytest.fixture(scope="module")
def scored() -> dict[str, Score]:
    rng = np.random.default_rng(20261124)
    lands = [nation(rng) for _ in range(NATIONS)]
    panels = [one_cohort(land) for land in lands]
    quick = fast(panels)
    for panel, own in zip(panels[:3], quick, strict=False):
        through = library(panel)
        assert set(through) == set(own)
        for name, e in through.items():
            assert (own[name].value, own[name].std_error, own[name].df) == pytest.approx(
                (e.value, e.std_error, e.df), abs=1e-9
            ), name
    found = [a | others(p) for a, p in zip(quick, panels, strict=True)]
    return scores(found, [{"expected_regression": expected_truth(p, x)} for p, x in zip(panels, lands, strict=True)])


def test_intervals_hold_the_truth(scored: dict[str, Score]) -> None:
    assert len(scored) == 13
    low = {
        name: s.coverage
        for name, s in scored.items()
        if name != "before_after_naive" and not AT_LEAST <= s.coverage <= 0.99
    }
    assert not low


def test_estimates_are_unbiased_without_any_effect(scored: dict[str, Score]) -> None:
    # a twentieth of the naive illusion, and Monte-Carlo error
    far = {n: s.bias for n, s in scored.items() if n != "before_after_naive" and abs(s.bias) > 0.003 + 3 * s.bias_error}
    assert not far


def test_the_naive_difference_shows_an_improvement_that_is_none(scored: dict[str, Score]) -> None:
    naive = scored["before_after_naive"]
    assert naive.bias < -0.05 and naive.coverage < 0.25
