"""How often the intervals of `selection_uncertainty` hold a repeat of the round. Everything is fictional.

Usage: python benchmarks/uncertainty.py HOME [ROUND] [TIMES] [DRAWS]   (default fictional-2026 60 200)

The published figures of the round are taken for the truth. From them the round is drawn as it might have been published
and once more as its repeat; the interval is made around the first and held to the second. The standard errors are those
of the truth; the product has only those of the published figures.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dagster_project.intake.partitions import Extracts
from dagster_project.settings import load_settings
from dagster_project.simulation.assumptions import load_assumptions
from dagster_project.simulation.draws import batches
from dagster_project.simulation.errors import standard_errors
from dagster_project.simulation.judge import Judge, Verdict, judge_of
from dagster_project.simulation.scenario import base_of
from dagster_project.simulation.uncertainty import repeat_interval

LEVEL = 0.95
SMALL = 60


def judged(judge: Judge, errors: np.ndarray, values: np.ndarray, count: int, noise: np.random.Generator) -> Verdict:
    """``count`` rounds drawn around ``values`` (cells,)."""
    found = [judge.judge(packed) for packed in batches(judge, values, errors, noise, count)]
    return Verdict(
        {n: np.concatenate([v.school[n] for v in found]) for n in ("share", "rank")},
        {n: np.concatenate([v.municipality[n] for v in found]) for n in ("share", "rank", "average", "spread")},
    )


def drawn(judge: Judge, errors: np.ndarray, noise: np.random.Generator) -> np.ndarray:
    """The figures as they might have been published."""
    cells = judge.cells
    values = np.rint(cells.value + noise.standard_normal(len(cells.value)) * errors)
    return np.clip(values, cells.lowest[cells.group], cells.highest[cells.group])


def ranks(share: np.ndarray) -> np.ndarray:
    """Rank (draws, units) of shares of the same shape; 1 is the highest."""
    return (-share).argsort(axis=1, kind="stable").argsort(axis=1, kind="stable") + 1


def main(home: str, round_id: str = "fictional-2026", times: str = "60", draws: str = "200") -> None:
    settings = load_settings(home)
    base = base_of(settings, round_id)
    noise = np.random.default_rng(1)
    held: dict[str, list[np.ndarray]] = {}
    chance, taken = [], []
    with judge_of(settings, base) as judge, Extracts(settings) as extracts:
        errors = standard_errors(judge.kernel, extracts, judge.cells, base.rules, load_assumptions(settings)).steps
        truth = judge.cells.value
        long_run = {k: v.mean(0) for k, v in judged(judge, errors, truth, 400, noise).municipality.items()}
        for _ in range(int(times)):
            published = drawn(judge, errors, noise)
            first = judge.judge(judge.sums(published[np.newaxis].astype(np.int32)))
            repeat = judge.judge(judge.sums(drawn(judge, errors, noise)[np.newaxis].astype(np.int32)))
            around = judged(judge, errors, published, int(draws), noise)
            for name in ("municipality", "school"):
                own, again, many = (getattr(v, name) for v in (first, repeat, around))
                low, high = repeat_interval(own["share"][0], many["share"], LEVEL, 0, 1)
                held.setdefault(f"{name}: share of a repeat", []).append(_inside(again["share"][0], low, high))
                if name == "municipality":
                    held.setdefault("municipality: long-run mean share", []).append(
                        _inside(long_run["share"], low, high)
                    )
                    middle = np.quantile(many["share"], [0.025, 0.975], axis=0, method="inverted_cdf")
                    held.setdefault("(middle of the draws: share of a repeat)", []).append(
                        _inside(again["share"][0], *middle)
                    )
                    few = slice(0, SMALL)
                    low, high = repeat_interval(
                        ranks(own["share"][:, few])[0], ranks(many["share"][:, few]), LEVEL, 1, SMALL
                    )
                    held.setdefault(f"rank among {SMALL} municipalities, of a repeat", []).append(
                        _inside(ranks(again["share"][:, few])[0], low, high)
                    )
                low, high = repeat_interval(own["rank"][0], many["rank"], LEVEL, 1, own["rank"].shape[1])
                held.setdefault(f"{name}: rank of a repeat", []).append(_inside(again["rank"][0], low, high))
            chance.append((around.municipality["average"] | around.municipality["spread"]).mean(0))
            taken.append((repeat.municipality["average"] | repeat.municipality["spread"])[0])
    units = f"{len(judge.municipalities)} municipalities, {len(judge.schools)} schools"
    print(f"{round_id}: {units}; {times} times, {draws} draws")
    for what, cases in held.items():
        share = np.array([c.mean() for c in cases])
        print(f"{what:50} {100 * share.mean():5.1f} %  (Monte-Carlo error {100 * share.std() / len(share) ** 0.5:.1f})")
    said, came = np.concatenate(chance), np.concatenate(taken)
    print("chance of being taken, said and come:")
    for low, high in ((0, 0.05), (0.05, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 0.95), (0.95, 1.01)):
        here = (said >= low) & (said < high)
        if here.any():
            means = f"said {said[here].mean():.2f}, came {came[here].mean():.2f} ({here.sum()})"
            print(f"  {low:4.2f} to {min(high, 1):4.2f}: {means}")


def _inside(value: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    inside: np.ndarray = (low <= value) & (value <= high)
    return inside


if __name__ == "__main__":
    main(*sys.argv[1:])
