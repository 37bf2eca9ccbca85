"""Kill runs and commands at their writes, and see what is left: the test of tests/faults, for many more kills and acts.

Usage: python benchmarks/kills.py [KILLS]   (default 300)

A tenth of them is ended while dbt itself builds.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dagster_project.settings import load_settings
from dagster_project.transform import dbt_step
from tests.faults.test_kills import BY_DBT, ready


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    dbt_step.prepare(load_settings())
    start, done, wrong = time.perf_counter(), Counter[str](), list[str]()
    with tempfile.TemporaryDirectory() as folder, ready(Path(folder)) as kills:
        quick = [name for name, act in kills.acts.items() if act.quick]
        points = kills.points(quick, count - count // 10) + kills.points([BY_DBT], count // 10)
        for act, at in points:
            try:
                kills.kill(act, at)
            except AssertionError as error:
                wrong.append(str(error).strip().splitlines()[0][:300])
            done[act.name] += 1
        print(f"{'act':28}{'writes':>8}{'kills':>8}")
        for name, times in done.items():
            print(f"{name:28}{len(kills.whole[name][0]):8}{times:8}")
    print(f"{len(points)} kills in {time.perf_counter() - start:.0f} s, {len(wrong)} left something wrong")
    for line in wrong:
        print(f"- {line}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
