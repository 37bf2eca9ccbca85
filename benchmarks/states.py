"""Does every state of a home lead back to what archive and rules give? The machine of tests/faults, for many steps.

Usage: python benchmarks/states.py [HOMES] [STEPS] [SEED] [--dbt]   (default 40 homes of 30 steps, seed 0)

With --dbt every build is one by dbt, and every revision has its workbooks and pages: twenty times as slow.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dagster_project.settings import load_settings
from dagster_project.transform import dbt_step
from tests.faults.test_states import ready, take_steps


def main() -> None:
    given = [int(a) for a in sys.argv[1:] if a.isdigit()]
    homes, steps, seed = given + [40, 30, 0][len(given) :]
    dbt_step.prepare(load_settings())
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, ready(Path(folder), quick="--dbt" not in sys.argv) as machine:
        try:
            take_steps(machine, homes, steps, seed)
        finally:
            counted = machine.count
            worlds = len([*(Path(folder) / "worlds").glob("*")])
            for name, times in sorted(counted.items()):
                print(f"{name:36}{times:6}")
            print(f"{'worlds built from nothing':36}{worlds:6}")
            print(f"{'seconds':36}{time.perf_counter() - start:6.0f}")


if __name__ == "__main__":
    main()
