"""What the project writes is read by its user alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from dagster_project.cli import main
from dagster_project.private import open_to_others
from dagster_project.settings import REPOSITORY
from tests import samples

OPEN = ("-c", "import os, sys; os.umask(0); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])")


def test_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    good, bad = samples.national_tests(tmp_path / "good.csv"), tmp_path / "bad.csv"
    samples.write(bad, samples.text(samples.rows()).replace("\t48\t1,8", "\t4B\t1,8"))
    home = tmp_path / "home"
    command = ("-m", "dagster_project.cli", "--home", str(home), "ingest", str(good), str(bad))
    done = subprocess.run([sys.executable, *OPEN, *command], cwd=REPOSITORY, capture_output=True, timeout=120)
    assert done.returncode == 3, done.stderr
    written = [home, *home.rglob("*")]
    assert any(path.parent.name == "quarantine" for path in written) and len(written) > 15
    assert [path for path in written if path.stat().st_mode & 0o077] == []


def test_a_process_that_loads_the_definitions_writes_private_files() -> None:
    code = "import os; import dagster_project.definitions; print(oct(os.umask(0)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=120,
                          env={**os.environ, "PYTHONWARNINGS": "ignore"})  # fmt: skip
    assert done.stdout.strip().endswith("0o77"), done.stderr


def test_doctor_finds_a_home_that_others_can_enter_and_closes_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    call = CliRunner().invoke
    assert (
        call(main, ["--home", str(home), "ingest", str(samples.national_tests(tmp_path / "good.csv"))]).exit_code == 0
    )
    (home / "archive").chmod(0o755)
    assert [folder.name for folder in open_to_others(home)] == ["archive"]
    told = call(main, ["--home", str(home), "doctor"])
    assert "readable-by-others" in told.output and "archive/" in told.output and "0755" in told.output
    fixed = call(main, ["--home", str(home), "doctor", "--fix"])
    assert "rebuilt: archive/" in fixed.output and list(open_to_others(home)) == []


@pytest.mark.pipeline
def test_nobody_else_can_read_what_whole_runs_wrote(country_home: Path) -> None:
    top = [path for path in country_home.iterdir() if path.is_dir()]
    assert {"archive", "published", ".dagster", "marts"} <= {path.name for path in top}
    below = (path for folder in top for path in (folder, *folder.rglob("*")))
    assert [path for path in below if not path.is_symlink() and path.stat().st_mode & 0o077] == []
