"""How often the intervals of each method hold the truth, in several kinds of nations. Everything is fictional.

Usage: python benchmarks/effects.py [NATIONS] [SEED]   (default 500 1)
       python benchmarks/effects.py rule [NATIONS] [SEED]   (default 200 1) nations whose figures pass through the rule
"""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dagster_project.effects.before_after import before_after
from dagster_project.effects.differences import did, event_study, mirrored_did
from dagster_project.effects.discontinuity import rank_discontinuity
from dagster_project.effects.matched import matched_did
from dagster_project.effects.panel import CohortPanel
from tests.effects.coverage import Found, Score, expected_truth, fast, library, others, plain, scores
from tests.effects.nation import nation, one_cohort, staggered
from tests.effects.through_rule import LAST, LIMITS, Kind
from tests.effects.through_rule import nations as judged_nations

EFFECT = -0.06
KINDS: dict[str, tuple[int, dict[str, float | bool]]] = {
    "levels that last, 30 of 340 followed": (30, {}),
    "levels that drift by a tenth a year": (30, {"persistence": 0.9}),
    "8 followed": (8, {}),
    "heavy tails, shares within 0..1": (30, {"tails": 4, "bounded": True}),
    "less lasting (year to year 0.3)": (30, {"between": 0.07}),
}


def show(title: str, scored: dict[str, Score]) -> None:
    """One table."""
    print(f"\n{title}\n{'method':30}{'bias':>9}{'MC error':>10}{'spread':>9}{'std err':>9}{'covers %':>10}")
    for name, s in scored.items():
        print(f"{name:30}{s.bias:9.4f}{s.bias_error:10.4f}{s.spread:9.4f}{s.std_error:9.4f}{100 * s.coverage:10.1f}")


def one(nations: int, seed: int, quota: int, kind: dict[str, float | bool]) -> dict[str, Score]:
    """A single cohort, with a ramp to EFFECT in three years."""
    rng = np.random.default_rng(seed)
    lands = [nation(rng, **kind) for _ in range(nations)]  # type: ignore[arg-type]
    panels = [one_cohort(land, quota, EFFECT) for land in lands]
    found = [a | others(p) | b for a, b, p in zip(fast(panels), plain(panels), panels, strict=True)]
    between = float(kind.get("between", 0.10))
    truths = []
    for panel, land in zip(panels, lands, strict=True):
        mean = {name: EFFECT * 2 / 3 for name in found[0] if not name.startswith("event_study")}
        ramp = {f"event_study {e:+d}": EFFECT * e / 3 for e in (1, 2, 3)}
        truths.append(mean | ramp | {"expected_regression": expected_truth(panel, land, between)})
    return scores(found, truths)


def several(nations: int, seed: int) -> dict[str, Score]:
    """Three cohorts two years apart, whose windows overlap; the last one by itself, and all of them stacked."""
    rng = np.random.default_rng(seed)
    found: list[Found] = []
    for _ in range(nations):
        panels = staggered(nation(rng, years=13), (5, 7, 9))
        difference, study = did(panels, 3, 2), event_study(panels, -3, 3, 2)
        matched = matched_did(panels[-1], 3, 5)
        assert difference and study and matched
        row = {f"last: {k}": v for k, v in library(panels[-1]).items() if "event" not in k} | {
            "last: matched_did": matched
        }
        blind = did([replace(p, earlier=p.earlier[:, :0]) for p in panels], 3, 2)
        later = np.isin(panels[0].codes, np.concatenate([p.codes[p.treated] for p in panels[1:]]))
        first, ahead = did([panels[0]], 3, 2), did([panels[0].keep(~later)], 3, 2)
        assert blind and first and ahead
        row |= {"first: did": first.effect, "(first: did, looking ahead)": ahead.effect}
        row |= {"(all: did, blind to the past)": blind.effect}
        row |= {"all: did": difference.effect} | {f"all: event_study {e:+d}": c for e, c in study.coefficients.items()}
        found.append(row)
    return scores(found, [{}] * nations)


TAILS = {"a weak tenth": Kind(), "a very weak tenth": Kind(tail=3.0)}


def through_the_rule(count: int, seed: int) -> None:
    """Frozen limits and those of the year, two weak tails, a falling nation; 8 to 40 followed, one cohort and three."""
    for limits, (tail, kind) in product(LIMITS, TAILS.items()):
        found: dict[str, list[Found]] = {}
        for land in judged_nations(count, seed, limits, kind):
            for quota in (8, 30, 40):
                panel = one_cohort(land, quota)
                row = {f"{n}": e for n, e in _of_one(panel).items()}
                found.setdefault(f"{limits} limits, {tail}, {quota} followed", []).append(row)
            panels = staggered(land, (LAST, LAST + 2, LAST + 4))
            stacked = did(panels, 3, 2)
            assert stacked
            row = {"all: lagged_outcome_regression": stacked.effect}
            row |= {f"first: {n}": e for n, e in _of_one(panels[0]).items() if "mirrored" in n}
            found.setdefault(f"{limits} limits, {tail}, three cohorts of 30", []).append(row)
        for heading, rows in found.items():
            show(f"{heading} ({count} nations)", scores(rows, [{}] * len(rows)))


def _of_one(panel: CohortPanel) -> Found:
    """Every method of one cohort, through the product."""
    gap = panel.of_gap()
    assert gap is not None
    lagged, matched, both = did([panel], 3, 2), matched_did(panel, 3, 5), before_after(panel, 3)
    mirrored, of_gap = mirrored_did(panel, 3, 2), mirrored_did(gap, 3, 2)
    cut, study = rank_discontinuity(panel, 3, 30, 3), event_study([panel], -3, 3, 2)
    assert lagged and matched and both.net and mirrored and of_gap and cut and study
    return {
        "before_after_naive": both.naive, "before_after_net": both.net, "matched_did": matched,
        "rank_discontinuity": cut.jump, "lagged_outcome_regression": lagged.effect, "did_mirrored": mirrored.effect,
        "mean_gap did_mirrored": of_gap.effect, "event_study +3": study.coefficients[3],
    }  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["rule"]:
        through_the_rule(*(int(given) for given in [*sys.argv[2:], *("200", "1")[len(sys.argv) - 2 :]]))
        sys.exit()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    start = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    for heading, (followed, options) in KINDS.items():
        show(heading, one(count, start, followed, options))
    show(f"three cohorts, windows overlapping ({count // 5} nations)", several(count // 5, start))
