"""What the tests hold on a sample, held on more.

Usage: python benchmarks/thorough.py nations [COUNT] [SEED]    dbt against the oracle, and an attacker, on nations
       python benchmarks/thorough.py changes HOME [COUNT]      smallest changes of every kind, in a home with the story
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dagster_project.settings import load_settings
from dagster_project.transform import dbt_step
from tests.audit.test_audit import SEED, changes_named, hold_to
from tests.oracle.test_small_nations import hold_nation


def nations(count: int = 20, seed: int = 0) -> Iterator[str]:
    """Nations of thirty rounds each, with seeds from ``seed`` on."""
    for drawn in range(seed, seed + count):
        with tempfile.TemporaryDirectory() as folder:
            hold_nation(drawn, Path(folder))
        yield f"nation {drawn}"


def changes(home: str, count: int = 3) -> Iterator[str]:
    """``count`` changes of each kind."""
    chosen = random.Random(SEED)
    for kind, found in changes_named(settings := load_settings(Path(home))).items():
        for change in chosen.sample(found, min(count, len(found))):
            hold_to(settings, change)
            yield f"{kind}: {change[1]}"


def main() -> None:
    what, *given = sys.argv[1:] or ["nations"]
    dbt_step.prepare(load_settings())
    start, held = time.perf_counter(), 0
    for told in changes(given[0], *map(int, given[1:])) if what == "changes" else nations(*map(int, given)):
        held += 1
        print(f"holds: {told}", flush=True)
    print(f"{held} held in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
