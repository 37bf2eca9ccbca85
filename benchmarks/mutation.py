"""Does the oracle notice? Change one operator of one model at a time and compare on random nations.

Usage: python benchmarks/mutation.py [MUTANTS] [SEED]   (default 20 1)

A mutant that no nation tells from the original is printed: either the cases are too few, or the change has no
effect (a tie-break between equal rows, a guard against what another rule excludes).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random

REPOSITORY = Path(__file__).resolve().parent.parent
SWAPS = {
    "<=": "<", ">=": ">", "<": "<=", ">": ">=", "=": "<>", "+": "-", "-": "+", "*": "+",
    "and": "or", "or": "and", "min": "max", "max": "min", "asc": "desc", "desc": "asc", "left": "inner",
}  # fmt: skip
TOKEN = re.compile(r"(?<= )(<=|>=|<|>|=|\+|-|\*|and|or|asc|desc|left)(?=[ ,\n)])|\b(min|max)(?=\()")
CHECK = """
import sys, tempfile
from random import Random
from dagster_project.transform import dbt_step
from dagster_project.settings import load_settings
from tests.homes import files_below
from tests.oracle.compare import compare_home
from tests.oracle.nation import write_home
dbt_step.prepare(load_settings())
for seed in (11, 12):
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(folder)
        write_home(settings.home, Random(seed), 30)
        if not dbt_step.build(settings, files_below(settings)).success:
            sys.exit("a dbt test or model failed")
        if any(c.differences for c in compare_home(settings.home).values()):
            sys.exit("the oracle differs")
"""


def places(folder: Path) -> list[tuple[Path, re.Match[str]]]:
    """Every operator in the models that decide something."""
    models = folder / "dbt" / "models"
    files = [*sorted((models / "intermediate").rglob("*.sql")), *sorted((models / "marts").glob("*.sql"))]
    files += [folder / "dbt" / "macros" / name for name in ("worse.sql", "ordering.sql")]
    return [(f, m) for f in files for m in TOKEN.finditer(f.read_text(encoding="utf-8"))]


def main() -> None:
    wanted, seed = ([int(a) for a in sys.argv[1:]] + [20, 1][len(sys.argv) - 1 :])[:2]
    caught = 0
    with tempfile.TemporaryDirectory() as root:
        copy = Path(root) / "copy"
        shutil.copytree(REPOSITORY, copy, ignore=shutil.ignore_patterns(".venv", ".git", "target", "data", ".*_cache"))
        shutil.copytree(REPOSITORY / "data" / "rules", copy / "data" / "rules")
        chosen = Random(seed).sample(places(copy), wanted)
        for file, match in chosen:
            original = file.read_text(encoding="utf-8")
            file.write_text(original[: match.start()] + SWAPS[match[0]] + original[match.end() :], encoding="utf-8")
            done = subprocess.run([sys.executable, "-c", CHECK], cwd=copy, capture_output=True, text=True)
            file.write_text(original, encoding="utf-8")
            line = original[: match.start()].count("\n") + 1
            verdict = done.stderr.strip().splitlines()[-1][:90] if done.returncode else "NOT NOTICED"
            caught += bool(done.returncode)
            print(f"{file.name}:{line}: {match[0]} -> {SWAPS[match[0]]}: {verdict}", flush=True)
    print(f"{caught} of {wanted} mutants noticed")


if __name__ == "__main__":
    main()
