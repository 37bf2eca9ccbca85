"""What hiding one or two bullied pupils does to a limit that is taken over the schools one can see. Fictional.

Usage: python benchmarks/hidden_bullying.py [NATIONS] [SEED]   (default 60 5)
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.effects.through_rule import LAST, MUNICIPALITIES, SMALLEST, Kind, draw, rule_set

WORST = 0.1
YEAR = 2


def limit(values: np.ndarray) -> float:
    """The value of the school that closes the worst tenth."""
    return float(np.sort(values)[::-1][int(np.ceil(WORST * len(values))) - 1])


def main(nations: str = "60", seed: str = "5") -> None:
    rng, rules = np.random.default_rng(int(seed)), rule_set("frozen")
    rows = []
    for _ in range(int(nations)):
        cells = draw(rng, Kind(), rules)
        for grade in (7, 10):
            c = cells["bullying", grade]
            school = slice(MUNICIPALITIES, None)
            large = c.pupils[school, YEAR] >= SMALLEST["pupil_survey"]
            shown = ~c.hidden[school, YEAR]
            everyone, seen = c.value[school, YEAR][large], c.value[school, YEAR][shown]
            own = c.value[:MUNICIPALITIES, LAST][~c.hidden[:MUNICIPALITIES, LAST]]
            limits = limit(everyone), limit(seen)
            beyond = [(own > at).mean() for at in limits]
            rows.append((1 - shown.sum() / large.sum(), everyone.mean(), seen.mean(), *limits, *beyond))
    found, error = np.mean(rows, axis=0), np.std(rows, axis=0) / len(rows) ** 0.5
    names = ("schools hidden for 1 or 2 pupils", "mean of all schools, %", "mean of those one can see, %",
             "limit over all schools, %", "limit over those one can see, %", "municipalities beyond the first",
             "municipalities beyond the second")  # fmt: skip
    for name, value, wrong in zip(names, found, error, strict=True):
        print(f"{name:36}{value:8.3f}  (Monte-Carlo error {wrong:.3f})")


if __name__ == "__main__":
    main(*sys.argv[1:])
