"""How often the intervals hold the truth, over many nations.

`fast` is a second way to the same numbers: in a whole panel, two-way fixed effects with the jackknife over clusters
are a regression of changes with HC3, which is done for all nations at once. `library` goes through the product.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from dagster_project.effects.before_after import before_after
from dagster_project.effects.differences import did, event_study, mirrored_did
from dagster_project.effects.discontinuity import rank_discontinuity
from dagster_project.effects.matched import matched_did
from dagster_project.effects.panel import CohortPanel
from dagster_project.effects.regression import Estimate, Floats
from tests.effects.nation import Nation

EVENTS = (-3, -2, -1, 1, 2, 3)
YEARS, NEIGHBOURS, BANDWIDTH, MIN_TREATED = 3, 5, 30, 2
Found = dict[str, Estimate]


def library(panel: CohortPanel) -> Found:
    """Every regression through the product."""
    difference, mirror = did([panel], YEARS, MIN_TREATED), mirrored_did(panel, YEARS, MIN_TREATED)
    cut = rank_discontinuity(panel, YEARS, BANDWIDTH, 3)
    study = event_study([panel], -3, 3, MIN_TREATED)
    assert difference and cut and study
    found = {"did": difference.effect, "rank_discontinuity": cut.jump}
    if mirror is not None:
        found["did_mirrored"] = mirror.effect
    return found | {f"event_study {e:+d}": c for e, c in study.coefficients.items()}


def others(panel: CohortPanel) -> Found:
    """What has no faster way: through the product too."""
    matched, both = matched_did(panel, YEARS, NEIGHBOURS), before_after(panel, YEARS)
    assert matched and both.expected and both.net
    return {
        "before_after_naive": both.naive,
        "expected_regression": both.expected,
        "before_after_net": both.net,
        "matched_did": matched,
    }


def expected_truth(panel: CohortPanel, land: Nation, between: float = 0.10) -> float:
    """The regression of the selected that the nation's own reliability implies."""
    noise = np.minimum(np.sqrt(0.085**2 + 1.6 / land.pupils), 0.22) ** 2 / 3
    back = -noise / (noise + between**2) * (panel.baseline - panel.baseline.mean())
    return float(back[panel.treated].mean())


def fast(panels: list[CohortPanel]) -> list[Found]:
    """Whole panels of one shape, event times -5 to 3, 30 or so followed each."""
    share = np.stack([p.share for p in panels])
    event = panels[0].event_times
    treated = np.stack([p.treated for p in panels]).astype(float)
    features = np.stack([p.features() for p in panels])
    after = share[:, :, event > 0].mean(2)
    x = np.concatenate([treated[:, :, None], features], axis=2)
    window = share[:, :, (event > -3) & (event <= 0)].mean(2)
    df = int(treated[0].sum()) - 1
    columns = {
        "did": _first(after - window, x, df),
        "did_mirrored": _first(after - share[:, :, event < -2].mean(2), x[:, :, :2], df),
    }
    zero = share[:, :, event == 0]
    for e in EVENTS:
        columns[f"event_study {e:+d}"] = _first((share[:, :, event == e] - zero)[:, :, 0], x, df)
    quota = df + 1
    ranks = np.stack([p.rank for p in panels])
    near = np.argsort(ranks, axis=1)[:, max(0, quota - BANDWIDTH) : quota + BANDWIDTH]
    base, inside, level = (
        np.take_along_axis(a, near, 1) for a in (np.stack([p.baseline for p in panels]), treated, after)
    )
    here = int(inside[0].sum())
    line = base - (base[:, here - 1] + base[:, here])[:, None] / 2
    local = np.stack([inside, np.ones_like(line), line, line * inside], axis=2)
    columns["rank_discontinuity"] = _first(level, local, min(here, local.shape[1] - here) - 1)
    return [{name: column[i] for name, column in columns.items()} for i in range(len(panels))]


def plain(panels: list[CohortPanel]) -> list[Found]:
    """What the product does not use: two-way fixed effects of everybody, from window to follow-up."""
    share, event = np.stack([p.share for p in panels]), panels[0].event_times
    treated = np.stack([p.treated for p in panels]).astype(float)
    change = share[:, :, event > 0].mean(2) - share[:, :, (event > -3) & (event <= 0)].mean(2)
    x = np.stack([treated, np.ones_like(treated)], axis=2)
    return [{"(plain did)": e} for e in _first(change, x, int(treated[0].sum()) - 1)]


def _first(y: Floats, x: Floats, df: int) -> list[Estimate]:
    """First coefficient of each of S regressions, y (S, N) on x (S, N, P), with HC3."""
    inverse = np.linalg.inv(np.einsum("snp,snq->spq", x, x))
    reach = np.einsum("spq,snq->snp", inverse, x)
    coefficients = np.einsum("snp,sn->sp", reach, y)
    residual = y - np.einsum("snp,sp->sn", x, coefficients)
    scaled = residual / (1 - np.einsum("snp,snp->sn", x, reach))
    errors = np.sqrt(np.einsum("sn,sn->s", reach[:, :, 0] ** 2, scaled**2))
    return [Estimate(float(v), float(e), df) for v, e in zip(coefficients[:, 0], errors, strict=True)]


@dataclass(frozen=True)
class Score:
    """Over many nations: mean error and its Monte-Carlo error, spread, mean standard error, and coverage (0..1)."""

    bias: float
    bias_error: float
    spread: float
    std_error: float
    coverage: float


def scores(found: Iterable[Found], truths: Iterable[dict[str, float]], confidence: float = 0.95) -> dict[str, Score]:
    """Score every method; ``truths`` may name a method, else 0."""
    rows: dict[str, list[tuple[float, float, bool]]] = {}
    for estimates, truth in zip(found, truths, strict=True):
        for name, e in estimates.items():
            error = e.value - truth.get(name, 0.0)
            rows.setdefault(name, []).append(
                (error, e.std_error, abs(error) < student.ppf((1 + confidence) / 2, e.df) * e.std_error)
            )
    result = {}
    for name, values in rows.items():
        error, std_error, covered = np.array(values).T
        result[name] = Score(
            error.mean(), error.std(ddof=1) / len(error) ** 0.5, error.std(ddof=1), std_error.mean(), covered.mean()
        )
    return result
