"""How far a whole run is from the least it could cost: importing the stack, and one bare `dbt build`.

Usage: python benchmarks/floor.py [SCALE]   (default 1)

Each is a process of its own on the same fictional home. The floor imports Dagster, dbt and Great Expectations and
builds every model and test of the extracts that the run left behind; the run does that, and takes in the files,
screens them, records what happened and publishes. Seconds are those of the clock and those of the processor: on a
machine that others use too, the second are the ones to compare.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.pipeline import Cost, cli, measure, table

FLOOR = """
import sys
import dagster, dagster_dbt, great_expectations
from dagster_project.intake.partitions import Extracts
from dagster_project.transform import dbt_step
from dagster_project.settings import load_settings
settings = load_settings(sys.argv[1])
if not dbt_step.build(settings, Extracts(settings).paths()).success:
    sys.exit("a dbt model or test failed")
"""


def main() -> None:
    scale = sys.argv[1] if len(sys.argv) > 1 else "1"
    with tempfile.TemporaryDirectory() as home:
        measure(cli(home, "demo", "--scale", scale))
        whole = measure(cli(home, "run"))
        again = measure(cli(home, "run"))
        floor = measure([sys.executable, "-c", FLOOR, home])
    rows: list[tuple[str, Cost]] = [("floor", floor), ("whole run", whole), ("again, nothing new", again)]
    print(table(rows))
    print(f"run / floor: {whole.wall / floor.wall:.2f} by the clock, {whole.cpu / floor.cpu:.2f} by the processor")


if __name__ == "__main__":
    main()
