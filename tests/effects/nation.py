"""Small nations in which the truth is known: municipalities with a lasting level, noise by year and size, a selection
of the worst, and a planted effect. Calibrated to real test results of municipalities: one year's figure correlates
about 0.45 with another's, over one year as over two; sizes are skewed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dagster_project.effects.panel import CohortPanel
from dagster_project.effects.regression import Floats

WINDOW = 3
DEVIATION = 0.1
"""Between municipalities, of the lasting part; the outcome without steps of a nation without limits is in these."""


@dataclass(frozen=True)
class Nation:
    """``share`` (N, Y) for calendar years 0..Y-1 without any effect; ``level`` (N, Y) its lasting part; ``pupils`` (N,)."""

    share: Floats
    level: Floats
    pupils: Floats

    def baseline(self, last: int) -> Floats:
        """(N,) the share over the window that ends in year ``last``."""
        return self.share[:, last - WINDOW + 1 : last + 1].mean(1)


def nation(
    rng: np.random.Generator, years: int = 9, n: int = 340, persistence: float = 1.0, between: float = 0.10,
    tails: float | None = None, bounded: bool = False,
) -> Nation:  # fmt: skip
    """Draw one. ``persistence`` below 1 lets levels drift; ``tails``: degrees of freedom of the noise instead of normal."""
    pupils = np.exp(rng.normal(np.log(650), 1.05, n)).clip(40)
    level = np.empty((n, years))
    level[:, 0] = rng.normal(0, between, n)
    for year in range(1, years):
        level[:, year] = persistence * level[:, year - 1] + rng.normal(0, between * (1 - persistence**2) ** 0.5, n)
    spread = np.minimum(np.sqrt(0.085**2 + 1.6 / pupils), 0.22)
    noise = (
        rng.normal(size=(n, years))
        if tails is None
        else rng.standard_t(tails, (n, years)) * ((tails - 2) / tails) ** 0.5
    )
    share = 0.30 + rng.normal(0, 0.02, years) + level + noise * spread[:, None]
    return Nation(share.clip(0, 1) if bounded else share, level, pupils)


def select(
    rng_free: Nation, last: int, quota: int, barred: np.ndarray | None = None
) -> tuple[Floats, Floats, np.ndarray]:
    """Baseline share of the window that ends in year ``last``, rank (1 is worst) and who is selected."""
    baseline = rng_free.baseline(last)
    order = np.argsort(-np.nan_to_num(baseline, nan=-1.0), kind="stable")
    rank = np.empty(len(order))
    rank[order] = np.arange(1, len(order) + 1)
    free = np.ones(len(order), bool) if barred is None else ~barred
    treated = np.zeros(len(order), bool)
    treated[order[free[order]][:quota]] = True
    return baseline, rank, treated


def one_cohort(land: Nation, quota: int = 30, effect: float = 0.0, last: int = 5) -> CohortPanel:
    """The panel of one selection, with an effect that reaches ``effect`` in three equal steps."""
    baseline, rank, treated = select(land, last, quota)
    event = np.arange(land.share.shape[1]) - last
    ramp = effect * np.clip(event, 0, 3) / 3
    share = land.share + treated[:, None] * ramp
    codes = np.array([f"{i:04d}" for i in range(len(rank))])
    nobody = np.empty((len(rank), 0))
    gap = getattr(land, "gap", None)
    whole = CohortPanel(
        "uttrekk_x", codes, event, share, treated, baseline, np.log(land.pupils), rank, nobody, 1, WINDOW, gap
    )
    return whole.keep(~np.isnan(baseline))


def table(panel: CohortPanel) -> pd.DataFrame:
    """The panel as ``cohort_progress`` would hold it."""
    n, t = panel.share.shape
    row = np.repeat(np.arange(n), t)
    event = np.tile(panel.event_times, n)
    return pd.DataFrame(
        {
            "cohort": panel.cohort, "municipality_code": panel.codes[row], "school_year": [f"{2020 + e}-{21 + e}" for e in event],
            "in_cohort": panel.treated[row], "eligible_comparison": ~panel.treated[row], "event_time": event,
            "risk_share": panel.share.ravel(), "mean_gap": panel.share.ravel() / DEVIATION, "pupils": np.exp(panel.log_pupils)[row], "baseline_share": panel.baseline[row],
            "rank": panel.rank[row], "treated_from": panel.treated_from,
        }
    )  # fmt: skip


def staggered(land: Nation, lasts: tuple[int, ...], quota: int = 30, effect: float = 0.0) -> list[CohortPanel]:
    """Several selections; who was ever followed is not selected again, nor compared with from its follow-up on."""
    n, years = land.share.shape
    share, onset = land.share.copy(), np.full(n, np.inf)
    picks = []
    for last in lasts:
        seen = land if not effect else Nation(share, land.level, land.pupils)
        baseline, rank, treated = select(seen, last, quota, barred=np.isfinite(onset))
        onset[treated] = last + 1
        share = share + treated[:, None] * effect * np.clip(np.arange(years) - last, 0, 3) / 3
        picks.append((last, baseline, rank, treated))
    panels = []
    codes = np.array([f"{i:04d}" for i in range(n)])
    for last, baseline, rank, treated in picks:
        event = np.arange(years) - last
        near = (event >= -5) & (event <= 3)
        own = np.where(treated[:, None] | (np.arange(years) < onset[:, None]), share, np.nan)[:, near]
        keep = treated | ~(onset <= last)
        earlier = np.column_stack([np.empty((n, 0)), *(b for at, b, _, _ in picks if at < last)])
        untouched = treated[:, None] | (np.arange(years) < onset[:, None])
        found = getattr(land, "gap", None)
        gap = None if found is None else np.where(untouched, found, np.nan)
        panel = CohortPanel(
            f"uttrekk_{last:02d}", codes, event[near], own, treated, baseline, np.log(land.pupils), rank, earlier, 1, WINDOW,
            None if gap is None else gap[:, near],
        )  # fmt: skip
        panels.append(panel.keep(keep & ~np.isnan(baseline)))
    return panels
