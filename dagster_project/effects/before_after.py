"""The naive difference between before and after, the part expected without any effect, and the rest.

The expectation is known on the day of the selection: it needs only how reliable the share is, which the window's own
years tell. It takes for granted that the lasting part of a municipality's share does not drift.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dagster_project.effects.panel import CohortPanel
from dagster_project.effects.regression import Estimate, Floats


@dataclass(frozen=True)
class BeforeAfter:
    """``naive``: follow-up less window, of the followed. ``expected``: the same without any effect or national change.

    ``net``: naive less expected, less the same for the comparison. ``correlation``: of one year's share with
    another's within the window, over all municipalities. The last three are None with fewer than two window years.
    """

    naive: Estimate
    expected: Estimate | None
    net: Estimate | None
    correlation: float | None


def before_after(panel: CohortPanel, years: int) -> BeforeAfter:
    """Compare the first ``years`` of follow-up with the window.

    Notes:
        Share = lasting part + noise of the year, whose variance is a + b / pupils. a and b come from the spread of the
        window's years within municipalities, the variance of the lasting part from what the spread of baseline
        shares leaves. A share is then expected to move back by (1 - reliability) of its distance from what is
        usual for its size. Standard errors leave out one municipality at a time.
    """
    change = panel.level(panel.followed(years)) - panel.baseline
    panel, change = panel.keep(~np.isnan(change)), change[~np.isnan(change)]
    treated = panel.treated
    n = int(treated.sum())
    own = change[treated]
    naive = Estimate(float(own.mean()), float(own.std(ddof=1)) / n**0.5, n - 1)

    window = panel.share[:, panel.window]
    seen = (~np.isnan(window)).sum(1)
    if window.shape[1] < 2 or (seen >= 2).sum() <= 10 or (~treated).sum() < 2:
        return BeforeAfter(naive, None, None, None)
    centred = window - np.nanmean(window, axis=0)
    within = np.nanvar(np.where(seen[:, None] >= 2, centred, 0.0), axis=1, ddof=1)

    def moments(weights: Floats) -> tuple[Floats, Floats, Floats]:
        """Expected change (J, N), lasting variance (J,) and mean yearly noise variance (J,) for J weightings (J, N)."""
        several = weights * (seen >= 2)
        a, b = _line(several, 1 / np.exp(panel.log_pupils), within)
        noise = np.maximum(a[:, None] + b[:, None] / np.exp(panel.log_pupils), 0.1 * within.mean())
        level, slope = _line(weights, panel.log_pupils, panel.baseline)
        distance = panel.baseline - level[:, None] - slope[:, None] * panel.log_pupils
        of_mean = noise / np.maximum(seen, 1)
        total = weights.sum(1)
        lasting = (weights * (distance**2 - of_mean)).sum(1) / total
        lasting = np.maximum(lasting, 0.0)
        return (
            -of_mean / (lasting[:, None] + of_mean) * distance,
            lasting,
            (several * noise).sum(1) / several.sum(1),
        )

    def net(weights: Floats, moved: Floats) -> Floats:
        rest = change - moved
        inside, outside = weights * treated, weights * ~treated
        return (inside * rest).sum(1) / inside.sum(1) - (outside * rest).sum(1) / outside.sum(1)

    everyone = np.ones((1, len(change)))
    all_but_one = 1.0 - np.eye(len(change))
    moved, lasting, yearly = moments(everyone)
    moved_without, *_ = moments(all_but_one)
    expected = Estimate(float(moved[0, treated].mean()), _jackknife(moved_without[:, treated].mean(1)), len(change) - 1)
    remaining = Estimate(float(net(everyone, moved)[0]), _jackknife(net(all_but_one, moved_without)), naive.df)
    return BeforeAfter(naive, expected, remaining, float(lasting[0] / (lasting[0] + yearly[0])))


def _line(weights: Floats, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Intercept and slope (J,) of the weighted least squares line for each of J weightings."""
    total = weights.sum(1)
    mean_x, mean_y = weights @ x / total, weights @ y / total
    spread = weights @ x**2 / total - mean_x**2
    slope = np.where(spread > 1e-12 * (1 + mean_x**2), (weights @ (x * y) / total - mean_x * mean_y) / spread, 0.0)
    return mean_y - slope * mean_x, slope


def _jackknife(without: Floats) -> float:
    """Standard error from the estimates (N,) that each leave one municipality out."""
    n = len(without)
    return float(((n - 1) / n * ((without - without.mean()) ** 2).sum()) ** 0.5)
