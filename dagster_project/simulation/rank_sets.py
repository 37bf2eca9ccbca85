"""Confidence sets for ranks, from estimates and draws of their errors.

After Mogstad, Romano, Shaikh and Wilhelm (2024). The rank of unit j is one plus the number of units with a higher value
(rank 1 is the worst, as in the scheme). A unit that is surely higher than j pushes j's best possible rank down; a unit
surely lower than j lifts its worst. What is sure is settled by testing all ordered pairs, H(j, k): value_j <= value_k,
with a critical value from the largest studentised error over the pairs still in doubt, in steps (Romano and Wolf 2005):
pairs that are settled leave, and the rest face a smaller critical value. docs/what-if-and-uncertainty.md has the
references.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

BLOCK = 1 << 22
"""Elements of the largest array held at once."""
FEW_STEPS = 10


@dataclass(frozen=True)
class RankSets:
    """Lowest and highest rank of each unit's set; arrays of shape (units,), ranks from 1 (the highest value)."""

    low: np.ndarray
    high: np.ndarray

    def could_be_among(self, worst: int) -> np.ndarray:
        """Which units may belong to the ``worst`` highest (the set called tau-best in the paper). Shape (units,)."""
        among: np.ndarray = self.low <= worst
        return among


def _studentised(difference: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """difference / scale; where nothing varies a difference is certain, and no difference is none."""
    import numpy as np

    sure = np.where(difference == 0, 0.0, np.copysign(np.inf, difference))
    quotient: np.ndarray = np.divide(difference, scale, out=sure, where=scale > 0)
    return quotient


def _critical(largest: np.ndarray, level: float) -> np.ndarray:
    """The ``level`` quantile over draws, along the first axis: an order statistic, never an interpolation."""
    import numpy as np

    n = len(largest)
    at = min(int(np.ceil(level * (n + 1))), n) - 1
    value: np.ndarray = np.partition(largest, at, axis=0)[at]
    return value


def _sets(higher: np.ndarray) -> RankSets:
    """From ``higher[j, k]``, k is surely higher than j."""
    return RankSets(1 + higher.sum(axis=1), higher.shape[0] - higher.sum(axis=0))


def simultaneous(estimates: np.ndarray, errors: np.ndarray, level: float) -> RankSets:
    """Sets that hold all units' ranks at once with probability ``level``.

    Shapes: estimates (p,), errors (draws, p), centred at zero. All p (p - 1) ordered pairs are tested in steps.
    """
    import numpy as np

    p = len(estimates)
    deviation = errors.std(axis=0)
    upper = np.triu_indices(p, 1)
    scale = np.hypot(deviation[upper[0]], deviation[upper[1]])
    statistic = _studentised(estimates[upper[0]] - estimates[upper[1]], scale)
    # one entry an unordered pair; its two directions are settled separately: +1 first higher, -1 second higher
    settled = np.zeros(len(statistic), dtype=np.int8)
    for _ in range(FEW_STEPS):
        largest = _largest(errors, upper, scale, settled)
        critical = float(_critical(largest, level))
        found = np.where(statistic > critical, 1, np.where(statistic < -critical, -1, 0)).astype(np.int8)
        if np.array_equal(found | settled, settled):
            break
        settled = np.where(settled == 0, found, settled)
    higher = np.zeros((p, p), dtype=bool)
    higher[upper[1][settled > 0], upper[0][settled > 0]] = True
    higher[upper[0][settled < 0], upper[1][settled < 0]] = True
    return _sets(higher)


def _largest(
    errors: np.ndarray, upper: tuple[np.ndarray, np.ndarray], scale: np.ndarray, settled: np.ndarray
) -> np.ndarray:
    """Per draw, the largest studentised error over the hypotheses not yet rejected. Shape (draws,)."""
    import numpy as np

    # a settled pair has one direction left: that the lower of the two is the higher after all
    live = scale > 0
    first, second, sign = upper[0][live], upper[1][live], settled[live]
    inverse = (1.0 / scale[live]).astype(np.float32)
    values = errors.astype(np.float32)
    result = np.zeros(len(values), dtype=np.float32)
    step = max(1, BLOCK // max(1, len(first)))
    open_, left = sign == 0, sign != 0
    for start in range(0, len(values), step):
        part = values[start : start + step]
        z = part[:, first]
        z -= part[:, second]
        z *= inverse
        if left.any():
            z[:, left] *= -sign[left]
        if open_.any():
            z[:, open_] = np.abs(z[:, open_])
        result[start : start + step] = np.maximum(z.max(axis=1, initial=0.0), 0.0)
    return result


def marginal(estimates: np.ndarray, errors: np.ndarray, level: float) -> RankSets:
    """Sets that hold each unit's rank, taken alone, with probability ``level``. Shapes as in ``simultaneous``.

    For unit j only the p - 1 pairs with j are tested, each in both directions, so the critical value is j's own.
    """
    import numpy as np

    p = len(estimates)
    deviation = errors.std(axis=0)
    values = errors.astype(np.float32)
    low, high = np.empty(p, dtype=np.int64), np.empty(p, dtype=np.int64)
    for j in range(p):
        scale = np.hypot(deviation[j], deviation)
        scale[j] = 0.0
        statistic = _studentised(estimates - estimates[j], scale)
        statistic[j] = 0.0
        inverse = np.divide(1.0, scale, out=np.zeros(p), where=scale > 0).astype(np.float32)
        z = values - values[:, j : j + 1]
        z *= inverse
        critical = float(_critical(np.maximum(z.max(axis=1), -z.min(axis=1)), level))
        above, below = statistic > critical, statistic < -critical
        for _ in range(FEW_STEPS):
            if not (above.any() or below.any()):
                break
            # a settled pair keeps only the direction that was not rejected
            worst_up = np.where(above, -np.inf, z).max(axis=1)
            worst_down = np.where(below, -np.inf, -z).max(axis=1)
            critical = float(_critical(np.maximum(worst_up, worst_down), level))
            more_above, more_below = statistic > critical, statistic < -critical
            if (more_above <= above).all() and (more_below <= below).all():
                break
            above, below = above | more_above, below | more_below
        low[j], high[j] = 1 + above.sum(), p - below.sum()
    return RankSets(low, high)


def by_bands(estimates: np.ndarray, errors: np.ndarray, level: float) -> RankSets:
    """Simultaneous sets for many units: from one band around every estimate, in p log p steps instead of p squared.

    The bands hold all values at once with probability ``level``; k is surely higher than j when its band lies wholly
    above. Usually wider than ``simultaneous``. Shapes as there.
    """
    import numpy as np

    deviation = errors.std(axis=0)
    live = deviation > 0
    z = np.abs(errors[:, live]) / deviation[live]
    critical = float(_critical(z.max(axis=1, initial=0.0), level))
    lower, upper = estimates - critical * deviation, estimates + critical * deviation
    p = len(estimates)
    return RankSets(
        1 + p - np.searchsorted(np.sort(lower), upper, side="right"), p - np.searchsorted(np.sort(upper), lower)
    )
