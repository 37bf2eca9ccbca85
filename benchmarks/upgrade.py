"""What today's code does with a home of an earlier version: that version makes it, from its own commit.

Usage: python benchmarks/upgrade.py COMMIT   (b59d8bf is version 0.2, 37b77a1 version 0.1; minutes each)

The code of then runs with the libraries of now. Prints the exit codes of today's `doctor`, `run` and `verify`.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAST_LINES = 12


def call(code: Path, home: Path, *words: str) -> int:
    """Run Python on the code of a checkout; say how it ended."""
    environment = {**os.environ, "PYTHONPATH": str(code), "OPPFOLGING_HOME": str(home)}
    done = subprocess.run([sys.executable, *words], cwd=code, env=environment, capture_output=True, text=True)
    print(f"{' '.join(words[1:])}: exit {done.returncode}")
    if done.returncode:
        print("  " + "\n  ".join((done.stdout + done.stderr).splitlines()[:LAST_LINES]))
    return done.returncode


def main() -> None:
    commit, cli = sys.argv[1], ("-m", "dagster_project.cli")
    with tempfile.TemporaryDirectory() as scratch:
        then, home = Path(scratch) / "then", Path(scratch) / "home"
        packed = subprocess.run(["git", "-C", ROOT, "archive", commit], capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(then, filter="data")
        call(then, home, "-m", "dagster_project.dbt_step")
        if call(then, home, *cli, "demo", "--story"):  # version 0.1 has no story
            call(then, home, *cli, "demo")
        call(then, home, *cli, "run")
        print("today:")
        for words in (("doctor",), ("run",), ("status",)):
            call(ROOT, home, *cli, *words)
        for folder in sorted((home / "published").iterdir()):
            for quick in ((), ("--quick",)):
                call(ROOT, home, *cli, "verify", "--round", folder.name, *quick)


if __name__ == "__main__":
    main()
