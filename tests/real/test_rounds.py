"""The rounds of the real country on the public exports at hand: one is published, the others say what they wait for."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dagster_project.archive.commits import current_revision
from dagster_project.settings import REPOSITORY, load_settings
from tests.conftest import oppfolging, real_data

DATA = real_data()
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason="the real extracts are not here; see OPPFOLGING_REAL_DATA"),
]
SCORES = [
    f"{name}, grades 5 and 8, 2025-26 (national_tests)" for name in ("numeracy_scale_score", "reading_scale_score")
]
YEARS = "2021-22, 2023-24, 2024-25, 2025-26"
LEVELS = [
    "grade_points, grade 10, 2021-22, 2022-23, 2023-24, 2024-25 (grade_points)",
    *(
        f"{name}, grades 5 and 8, {YEARS} (national_tests); the files in force of 2023-24, 2024-25 do not hold it"
        for name in ("numeracy_level_1", "reading_level_1")
    ),
    *(f"{name}, grades 7 and 10, {YEARS} (pupil_survey)" for name in ("bullying", "motivation", "teacher_support")),
]
WAITING = {"np-2026": SCORES, "udir-2026": LEVELS}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home with the exports of 2022-23 to 2024-25 after a run, and what the run said."""
    home = tmp_path_factory.mktemp("country")
    assumed = (REPOSITORY / "data" / "uncertainty.yaml").read_text(encoding="utf-8")
    (home / "uncertainty.yaml").write_text(assumed.replace("value: 1000,", "value: 20,"), encoding="utf-8")
    (home / "inbox").mkdir()
    for path in [*(DATA / "udir_national_tests").glob("*.csv"), *(DATA / "ssb_klass_131").glob("*.json")]:
        shutil.copy2(path, home / "inbox")
    done = oppfolging(home, "run", COLUMNS="200")
    assert done.returncode == 0, done.stdout + done.stderr
    return home, done.stdout


def missing(text: str) -> dict[str, list[str]]:
    """What each round waits for, as a run and the status say it."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if named := re.search(r"\(([\w-]+)\): waiting for data", line):
            found[named[1]] = []
        elif line.startswith("  missing: "):
            found[list(found)[-1]].append(line.removeprefix("  missing: "))
    return found


def test_the_round_whose_figures_are_at_hand_is_published_and_the_others_name_what_they_lack(
    ran: tuple[Path, str],
) -> None:
    home, said = ran
    settings = load_settings(home)
    assert missing(said) == missing(oppfolging(home, "status", COLUMNS="200").stdout) == WAITING
    assert current_revision(settings, "np-2025") is not None
    for round_id, lacks in WAITING.items():
        assert current_revision(settings, round_id) is None
        shown = oppfolging(home, "round", "show", round_id, "--json")
        assert json.loads(shown.stdout) == {"round": round_id, "state": "draft", "revision": None, "waits_for": lacks}
        assert all(f"  {line}\n" in oppfolging(home, "round", "show", round_id).stdout for line in lacks)
    why = oppfolging(home, "status", "--why", COLUMNS="200").stdout
    for year in ("2022-23", "2023-24", "2025-26"):
        name = f"fictional-{year[:2]}{year[-2:]}"
        assert name in next(line for line in said.splitlines() if line.startswith("Waiting for figures: "))
        assert f"{name}: waits for all its figures, fictional, up to {year}" in why


def test_every_slice_that_a_round_needs_is_listed(ran: tuple[Path, str]) -> None:
    """By scale score: the window of three years and the year its limits are frozen in, which is 2022-23 to 2025-26."""
    rows = pq.read_table(ran[0] / "marts" / "round_inputs.parquet").to_pylist()
    years = {r["school_year"]: r["in_force"] for r in rows if r["round"] == "np-2026"}
    assert years == {"2022-23": True, "2023-24": True, "2024-25": True, "2025-26": False}
    of_udir = [r for r in rows if r["round"] == "udir-2026"]
    assert len(of_udir) == 44 and not any(r["in_force"] for r in of_udir)
