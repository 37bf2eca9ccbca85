"""Difference-in-differences over one cohort or several stacked ones, each with its own comparison.

Effects of municipality (within cohort) and of year (within cohort) are taken out; errors are clustered by
municipality, which may stand in several stacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dagster_project.effects.panel import CohortPanel
from dagster_project.effects.regression import Estimate, Fit, Floats, Ints, fit, independent_columns, without_unit_means

Years = NDArray[np.bool_]


@dataclass(frozen=True)
class GroupDifference:
    """The estimate and the municipalities behind it."""

    effect: Estimate
    n_treated: int
    n_comparison: int


@dataclass(frozen=True)
class EventStudy:
    """``coefficients`` by event time, without the reference 0; ``counts`` says how many are followed and compared."""

    coefficients: dict[int, Estimate]
    counts: dict[int, tuple[int, int]]


@dataclass(frozen=True)
class _Stack:
    """Rows of stacked cohorts: R rows; ``unit`` counts cohort and municipality, ``cluster`` municipalities."""

    share: Floats
    unit: Ints
    cluster: Ints
    cell: Ints
    event: Ints
    treated: NDArray[np.bool_]
    features: Floats

    def clusters(self, treated: bool, event: int | None = None) -> int:
        """Different municipalities on one side, at one event time or at all of them."""
        here = (self.treated == treated) & (True if event is None else self.event == event)
        return len(np.unique(self.cluster[here]))


def _stack(panels: Sequence[CohortPanel], masks: Sequence[NDArray[np.bool_]]) -> _Stack:
    """Rows of the panels where ``masks`` (N, T) and a share is there; cells count cohort and event time."""
    widest = max(4 + panel.earlier.shape[1] for panel in panels)
    known = {c: i for i, c in enumerate(sorted({c for p in panels for c in p.codes}))}
    columns: list[list[NDArray[np.generic]]] = [[] for _ in range(7)]
    units = cells = 0
    for panel, mask in zip(panels, masks, strict=True):
        n, t = np.nonzero(mask & ~np.isnan(panel.share))
        codes = np.array([known[c] for c in panel.codes], dtype=np.int64)
        parts = (
            panel.share[n, t], n + units, codes[n], t + cells, panel.event_times[t], panel.treated[n],
            # a cohort with fewer cohorts before it has columns of nothing, which the regression drops
            np.pad(panel.features(), ((0, 0), (0, widest - 4 - panel.earlier.shape[1])))[n],
        )  # fmt: skip
        for column, part in zip(columns, parts, strict=True):
            column.append(part)
        units, cells = units + len(panel.codes), cells + len(panel.event_times)
    share, unit, cluster, cell, event, treated, features = (np.concatenate(c) for c in columns)
    return _Stack(
        share, np.unique(unit, return_inverse=True)[1], cluster, np.unique(cell, return_inverse=True)[1], event,
        treated.astype(bool), features,
    )  # fmt: skip


def _regress(stack: _Stack, of_interest: Floats, per_cell: Floats) -> Fit | None:
    """Share on ``of_interest`` (R, Q) and, within every cell, on ``per_cell`` (R, K); unit effects taken out.

    The coefficients of interest come first. None when they cannot be told apart.
    """
    cells = np.arange(stack.cell.max() + 1)
    # Frisch and Waugh: the cell dummies and their interactions, each cell's columns side by side
    dummies = ((stack.cell[:, None] == cells)[:, :, None] * per_cell[:, None, :]).reshape(len(stack.cell), -1)
    nuisance = without_unit_means(dummies, stack.unit)
    wanted = without_unit_means(of_interest, stack.unit)
    share = without_unit_means(stack.share, stack.unit)
    # one cell of each cohort is a combination of the others and the unit effects
    r = np.linalg.qr(nuisance, mode="r")
    free = np.abs(np.diag(r)) > 1e-8 * max(1.0, float(np.abs(np.diag(r)).max(initial=0.0)))
    x = np.column_stack([wanted, nuisance[:, free]])
    if not independent_columns(x):
        return None
    return fit(share, x, stack.cluster, stack.clusters(True) - 1)


def did(panels: Sequence[CohortPanel], years: int, min_treated: int) -> GroupDifference | None:
    """Change from the window to the first ``years`` of follow-up, followed less comparison, given baseline and size.

    None with fewer than ``min_treated`` on a side, or when effect and baseline share cannot be told apart.

    Notes:
        In every year of every cohort the share may depend on what `CohortPanel.features` holds, as the comparison
        shows; plain two-way fixed effects would take the return from the selection's bad luck for an effect.
    """
    periods = [(panel.window, panel.followed(years)) for panel in panels]
    return _difference(panels, periods, min_treated, given_features=True)


def mirrored_did(panel: CohortPanel, years: int, min_treated: int) -> GroupDifference | None:
    """Change from the years before the window to the first ``years`` of follow-up, with nothing else given.

    None without years before the window, with fewer than ``min_treated`` on a side, or when an earlier selection had
    taken its share out of those years.

    Notes:
        The window's own years are left out: a municipality was selected for what chance did in them. Each year of
        follow-up is held against the year as far before the middle of the window, because a share that wanders with
        no direction is as far from its selected peak before as after. Years without a counterpart are not used.
    """
    if panel.earlier.shape[1]:
        return None
    there = set(panel.event_times[(~np.isnan(panel.share)).any(0)].tolist())
    mirror = 1 - panel.window_years - panel.event_times
    paired = np.array([int(m) in there for m in mirror])
    period = (panel.mirrored(years) & paired, panel.followed(years) & paired)
    return _difference([panel], [period], min_treated, given_features=False)


def _difference(
    panels: Sequence[CohortPanel], periods: Sequence[tuple[Years, Years]], min_treated: int, *, given_features: bool
) -> GroupDifference | None:
    """Two-way fixed effects on the municipalities with figures both before and after."""
    masks = []
    for panel, (before, after) in zip(panels, periods, strict=True):
        seen = ~np.isnan(panel.share)
        both = seen[:, before].any(axis=1, keepdims=True) & seen[:, after].any(axis=1, keepdims=True)
        masks.append(both & (before | after))
    stack = _stack(panels, masks)
    if not len(stack.share) or min(stack.clusters(True), stack.clusters(False)) < min_treated:
        return None
    after_rows = (stack.event > 0) & stack.treated
    given = stack.features if given_features else stack.features[:, :1]
    result = _regress(stack, after_rows[:, None].astype(float), given)
    if result is None:
        return None
    effect = result.pick(np.eye(len(result.coefficients))[0])
    return GroupDifference(effect, stack.clusters(True), stack.clusters(False))


def event_study(panels: Sequence[CohortPanel], first: int, last: int, min_treated: int) -> EventStudy | None:
    """Followed less comparison in every year, against the last year of the window, given baseline share and size.

    Notes:
        In every year of every cohort the share may depend on baseline share, size, and both together, as the
        comparison shows. Without that the years around the window show a hump that is only the selection's.
        Event times with fewer than ``min_treated`` on either side are left out.
    """
    masks = []
    for panel in panels:
        seen = ~np.isnan(panel.share)
        enough = ((seen & panel.treated[:, None]).sum(0) >= min_treated) & (
            (seen & ~panel.treated[:, None]).sum(0) > panel.features().shape[1] + min_treated
        )
        inside = (panel.event_times >= first) & (panel.event_times <= last)
        has_reference = seen[:, panel.event_times == 0].any(axis=1, keepdims=True)
        masks.append(has_reference & (inside & enough))
    stack = _stack(panels, masks)
    times = sorted(int(e) for e in np.unique(stack.event) if e != 0)
    if not times or 0 not in stack.event or stack.clusters(True) < min_treated:
        return None
    wanted = (stack.treated[:, None] & (stack.event[:, None] == np.array(times))).astype(float)
    result = _regress(stack, wanted, stack.features)
    if result is None:
        return None
    picks = np.eye(len(result.coefficients))
    coefficients = {e: result.pick(picks[i]) for i, e in enumerate(times)}
    counts = {e: (stack.clusters(True, e), stack.clusters(False, e)) for e in (*times, 0)}
    return EventStudy(coefficients, counts)
