"""Discontinuity: municipalities just inside and just outside the selection differ mainly in the follow-up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dagster_project.effects.panel import CohortPanel
from dagster_project.effects.regression import Estimate, Floats, fit, independent_columns


@dataclass(frozen=True)
class Discontinuity:
    """The jump at the cut, how many were looked at on either side, and how many on the wrong side were left out."""

    jump: Estimate
    inside: int
    outside: int
    wrong_side: int


def cut_rank(rank: Floats, treated: NDArray[np.bool_]) -> float:
    """The rank of the last one inside: the first cut that puts fewest municipalities on the wrong side."""
    order = np.argsort(rank, kind="stable")
    inside = treated[order].astype(int)
    wrong = np.cumsum(1 - inside) + (inside.sum() - np.cumsum(inside))
    return float(rank[order][np.argmin(wrong)])


def rank_discontinuity(panel: CohortPanel, years: int, bandwidth: int, min_side: int) -> Discontinuity | None:
    """Level at follow-up just inside less just outside the cut: a line in baseline share on either side.

    Municipalities within ``bandwidth`` ranks are looked at. Those that were passed over (declined, excluded) or taken
    for another reason (the spread between their schools) stand on the wrong side and are left out. None with fewer
    than ``min_side`` on a side.
    """
    level = panel.level(panel.followed(years))
    there = ~np.isnan(level) & ~np.isnan(panel.rank)
    panel, level = panel.keep(there), level[there]
    if not panel.n_treated or not panel.n_comparison:
        return None
    cut = cut_rank(panel.rank, panel.treated)
    near = (panel.rank > cut - bandwidth) & (panel.rank <= cut + bandwidth)
    right = panel.treated == (panel.rank <= cut)
    used = near & right
    panel, level = panel.keep(used), level[used]
    inside, outside = panel.n_treated, panel.n_comparison
    if min(inside, outside) < min_side:
        return None
    middle = (panel.baseline[panel.treated].min() + panel.baseline[~panel.treated].max()) / 2
    beyond = panel.baseline - middle
    x = np.column_stack([panel.treated, np.ones(len(beyond)), beyond, beyond * panel.treated]).astype(float)
    if not independent_columns(x):
        return None
    result = fit(level, x, np.arange(len(level)), min(inside, outside) - 1)
    jump = result.pick(np.eye(x.shape[1])[0])
    return Discontinuity(jump, inside, outside, int((near & ~right).sum()))
