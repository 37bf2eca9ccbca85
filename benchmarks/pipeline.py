"""What whole runs cost at several sizes: clock, processor, peak memory and stages, each in a fresh home and process.

Usage: python benchmarks/pipeline.py [SCALE...]   (default 1 10)

The seconds of the processor per million cells must not grow with the scale. Scale 100 wants 12 GB of memory.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

STAGE = re.compile(r"^(\w[\w ]*?) +(\d+\.\d) s$", re.MULTILINE)


@dataclass(frozen=True)
class Cost:
    """Seconds of the clock and of the processor, megabytes at the peak, and what the process printed."""

    wall: float
    cpu: float
    peak: float
    text: str


def cli(home: str, *arguments: str) -> list[str]:
    """The command line of `oppfolging` for a home."""
    return [sys.executable, "-m", "dagster_project.cli", "--home", home, *arguments]


def measure(command: Sequence[str]) -> Cost:
    """Run a command to its end. Ends the benchmark when the command fails."""
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        _, code, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(code)
        out.seek(0)
        text = out.read()
    if process.returncode:
        raise SystemExit(text)
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, text)


def table(rows: Iterable[tuple[str, Cost]]) -> str:
    """A line per measurement."""
    lines = [f"{'':22}{'clock':>9}{'processor':>11}{'peak':>9}"]
    lines += [f"{name:22}{c.wall:>7.1f} s{c.cpu:>9.1f} s{c.peak:>6.0f} MB" for name, c in rows]
    return "\n".join(lines)


def cells(home: str) -> int:
    """How many cells of the files are in force."""
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(p).num_rows for p in (Path(home) / "extracts").glob("*/school_year=*/*.parquet"))


def main() -> None:
    rows: list[tuple[str, Cost]] = []
    for scale in sys.argv[1:] or ["1", "10"]:
        with tempfile.TemporaryDirectory() as home:
            wrote = measure(cli(home, "demo", "--scale", scale))
            first = measure(cli(home, "run", "--timings"))
            again = measure(cli(home, "run"))
            held = cells(home)
        rows += [(f"{scale}: demo", wrote), (f"{scale}: run", first), (f"{scale}: again", again)]
        stages = ", ".join(f"{name} {seconds}" for name, seconds in STAGE.findall(first.text))
        per_million = 1e6 * first.cpu / held
        print(f"scale {scale}: {held:,} cells, {per_million:.0f} processor seconds per million; {stages}", flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
