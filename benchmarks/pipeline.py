"""Wall time and peak memory of whole runs at several sizes, each in a fresh home and process.

Usage: python benchmarks/pipeline.py [SCALE...]   (default 1 10)
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time


def command(home: str, *arguments: str) -> tuple[float, str]:
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "dagster_project.cli", "--home", home, *arguments], capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return time.perf_counter() - start, done.stdout


def main() -> None:
    for scale in [int(a) for a in sys.argv[1:]] or [1, 10]:
        with tempfile.TemporaryDirectory() as home:
            wrote, _ = command(home, "demo", "--scale", str(scale))
            first, text = command(home, "run", "--timings")
            again, _ = command(home, "run")
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            print(f"scale {scale}: demo {wrote:.1f} s, run {first:.1f} s, again {again:.1f} s, peak {peak:.0f} MB")
            print("\n".join("  " + line for line in text.splitlines()[:5]))


if __name__ == "__main__":
    main()
