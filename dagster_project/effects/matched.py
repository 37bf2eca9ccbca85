"""Matching: compare with the municipalities that were not selected and are nearest in baseline share and size."""

from __future__ import annotations

import numpy as np

from dagster_project.effects.panel import CohortPanel
from dagster_project.effects.regression import Estimate, independent_columns


def matched_did(panel: CohortPanel, years: int, neighbours: int) -> Estimate | None:
    """Change from window to follow-up of the followed, less that of their ``neighbours`` nearest, with replacement.

    None when there are too few to compare with.

    Notes:
        Selection takes everybody above the cut, so the nearest neighbour of the worst always has a better share, and
        expects to fall back less. That rest is taken out by the comparison's own regression of change on baseline
        share and size (bias-corrected matching). The estimate is a weighted sum of changes; its variance is the same
        sum of squared residuals, which stays right with replacement, where a bootstrap does not.
    """
    change = panel.level(panel.followed(years)) - panel.baseline
    panel, change = panel.keep(~np.isnan(change)), change[~np.isnan(change)]
    features, treated = panel.features(), panel.treated
    others = features[~treated]
    if len(others) <= neighbours or not independent_columns(others):
        return None
    place = features[:, 1:3]
    distance = ((place[treated][:, None] - place[~treated][None]) ** 2).sum(2)
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :neighbours]
    n = int(treated.sum())
    used = np.bincount(nearest.ravel(), minlength=len(others)) / (neighbours * n)

    project = np.linalg.pinv(others)
    rest = change - features @ (project @ change[~treated])
    own, theirs = rest[treated], rest[~treated]
    # each comparison municipality counts as a neighbour, and through the regression that bridges the gap
    gap = features[treated].mean(0) - used @ others
    weight = used + gap @ project
    leverage = np.einsum("ij,ji->i", others, project)
    variance = own.var(ddof=1) / n + (weight**2 * (theirs / (1 - leverage)) ** 2).sum()
    return Estimate(float(own.mean() - used @ theirs), float(variance) ** 0.5, n - 1)
