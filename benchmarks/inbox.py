"""How the time of intake grows with the number of files in the inbox. Twice the files should take about twice as long.

The seconds are those of the processor: the clock also counts what else the machine does, and its disk.

Usage: python benchmarks/inbox.py [MOST]   (default 2000) half as many, a quarter and an eighth are measured before

Two kinds of tiny files: texts that are no file of the product; and, a fifth as many, registers of one line, which are
validated and come into force, all in one partition.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dagster_project.intake.flow import take_in_inbox
from dagster_project.settings import load_settings

KINDS = {"unrecognised": 1, "in force": 5}
"""The kinds, and by how much fewer there are of each."""


def text_of(kind: str, number: int) -> str:
    """One tiny file."""
    if kind == "unrecognised":
        return f"this is note {number}\n"
    return f"oldCode;oldName;newCode;newName;changeOccurred\n{6101 + number};a;{7101 + number % 2};b;2024-01-01\n"


def seconds(kind: str, files: int) -> tuple[float, dict[str, int]]:
    """How long the inbox takes, and how its files ended."""
    with tempfile.TemporaryDirectory() as home:
        settings = load_settings(home)
        settings.inbox.mkdir(parents=True)
        for number in range(files):
            (settings.inbox / f"{number:05d}.csv").write_text(text_of(kind, number), encoding="utf-8")
        start = time.process_time()
        results = take_in_inbox(settings)
        took = time.process_time() - start
    ended: dict[str, int] = {}
    for result in results:
        ended[result.status] = ended.get(result.status, 0) + 1
    return took, ended


def main() -> None:
    most = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    for kind, fewer in KINDS.items():
        before = None
        for files in (most // fewer // part for part in (8, 4, 2, 1)):
            took, ended = seconds(kind, files)
            ratio = f"{took / before:6.2f} times as long as half of it" if before else ""
            print(
                f"{kind:14}{files:6} files {took:8.1f} s {took / files * 1000:7.1f} ms a file  {ended}  {ratio}",
                flush=True,
            )
            before = took


if __name__ == "__main__":
    main()
