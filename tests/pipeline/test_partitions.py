"""What the web UI shows of years and rounds after a run of many of them. Asked over GraphQL, as the web UI does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_project.intake.partitions import Extracts
from dagster_project.orchestration.pipeline import dagster_home
from dagster_project.settings import REPOSITORY, load_settings

pytestmark = pytest.mark.pipeline

BIN = Path(sys.executable).parent
ASKED = """{assetNodes {id partitionKeys assetKey {path} assetChecksOrError {... on AssetChecks {checks {
  name blocking executionForLatestMaterialization {status evaluation {partition}}
  partitionStatuses {... on AssetCheckDefaultPartitionStatuses {succeededPartitions failedPartitions skippedPartitions}}
}}}}}"""


def asked(home: Path) -> dict[str, dict[str, Any]]:
    """``asset -> {"years": its partitions, "checks": {name: {"shown": .., "missing": [..], "succeeded": [..], ..}}}``."""
    settings = load_settings(home)
    done = subprocess.run(
        [BIN / "dagster-graphql", "-w", "workspace.yaml", "-t", ASKED], cwd=REPOSITORY, capture_output=True, text=True,
        env={**os.environ, "DAGSTER_HOME": str(dagster_home(settings)), "OPPFOLGING_HOME": str(home)}, timeout=300,
    )  # fmt: skip
    line = next(x for x in done.stdout.splitlines() if x.startswith('{"data"'))
    return {
        node["assetKey"]["path"][-1]: {
            "partitions": node["partitionKeys"],
            "checks": {c["name"]: c for c in node["assetChecksOrError"].get("checks", ())},
        }
        for node in json.loads(line)["data"]["assetNodes"]
    }


@pytest.fixture(scope="module")
def home(country_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the country's home with what Dagster knows of it, after its whole run."""
    copy = tmp_path_factory.mktemp("partitions") / "home"
    copy.mkdir()
    for name in (".dagster", "archive", "extracts", "history", "published"):
        if (country_home / name).exists():
            shutil.copytree(country_home / name, copy / name)
    yield copy
    shutil.rmtree(copy)


def _holds(told: dict[str, Any], partitions: set[str], name: str) -> None:
    """That a check has a result for each of these partitions, that none failed, and that the list shows it as done."""
    statuses = told["checks"][name]["partitionStatuses"]
    assert set(statuses["succeededPartitions"]) == partitions and not statuses["failedPartitions"], (name, statuses)
    assert not statuses["skippedPartitions"], name
    assert told["checks"][name]["executionForLatestMaterialization"]["status"] == "SUCCEEDED", name


def test_after_a_whole_run_every_year_and_every_round_shows_its_checks(home: Path) -> None:
    told = asked(home)
    for dataset in ("national_tests", "pupil_survey", "grade_points"):
        years = told[dataset]["partitions"]
        assert len(years) == len(set(years)) > 3 and told[dataset]["checks"]
        for name in told[dataset]["checks"]:
            _holds(told[dataset], set(years), name)
    rounds = told["published_round"]
    _holds(rounds, set(rounds["partitions"]), "follows_from_what_is_in_force")
    # one governor of the open round has not answered: that round fails, and so does the whole
    waiting = rounds["checks"]["county_governors_have_replied"]
    assert waiting["partitionStatuses"]["failedPartitions"] == ["fictional-2026"]
    assert set(waiting["partitionStatuses"]["succeededPartitions"]) == set(rounds["partitions"]) - {"fictional-2026"}
    assert waiting["executionForLatestMaterialization"]["status"] == "FAILED"


@pytest.fixture
def newest_run(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dg.DagsterEvent]]:
    """The events of the newest run of the country."""
    monkeypatch.setenv("DAGSTER_HOME", str(home / ".dagster"))
    with dg.DagsterInstance.get() as instance:
        (record,) = instance.get_run_records(dg.RunsFilter(job_name="everything"), limit=1)
        logs = instance.all_logs(record.dagster_run.run_id)
        yield [entry.dagster_event for entry in logs if entry.dagster_event is not None]


def test_no_metadata_names_a_folder_of_this_machine(newest_run: list[dg.DagsterEvent], country_home: Path) -> None:
    made = [e.step_materialization_data.materialization for e in newest_run if e.is_step_materialization]
    checked = [e.asset_check_evaluation_data for e in newest_run if e.event_type_value == "ASSET_CHECK_EVALUATION"]
    assert len(made) > 100 and len(checked) > 200
    for record in (*made, *checked):
        for name, value in record.metadata.items():
            for folder in (country_home, REPOSITORY):
                assert f"{folder}/" not in str(value), (record, name)


def test_every_year_has_numbers_to_plot_and_every_round_its_report_site(
    newest_run: list[dg.DagsterEvent], home: Path
) -> None:
    made = [e.step_materialization_data.materialization for e in newest_run if e.is_step_materialization]
    years = [m for m in made if m.asset_key == dg.AssetKey("national_tests") and m.partition]
    assert len(years) > 3
    for year in years:
        number = {name: value.value for name, value in year.metadata.items() if isinstance(value.value, int)}
        assert number["cells"] == sum(n for name, n in number.items() if name.startswith("cells_"))
        assert number["schools"] > 100 and number["cells_suppressed"] > 0
        assert number["quarantined_rows"] == number["quarantined_files"] == 0
    rounds = {m.partition: m.metadata for m in made if m.asset_key == dg.AssetKey("published_round") and m.partition}
    assert "fictional-2026" in rounds
    for name, metadata in rounds.items():
        for edition in ("internal", "public"):
            site = str(metadata[f"site_{edition}"].value)
            assert site.startswith(f"published/{name}/r") and (home / site).is_file()
            assert site in str(metadata["open_the_site"].value)


def test_a_range_of_years_has_a_result_per_year_and_keeps_those_of_the_others(home: Path) -> None:
    years = sorted(y for name, y in Extracts(load_settings(home)).in_force if name == "national_tests" and y)
    done = subprocess.run(
        [BIN / "dagster", "asset", "materialize", "-m", "dagster_project.definitions", "--select", "national_tests",
         "--partition-range", f"{years[1]}...{years[2]}"],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=300,
        env={**os.environ, "DAGSTER_HOME": str(home / ".dagster"), "OPPFOLGING_HOME": str(home)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    after = asked(home)["national_tests"]
    for name in after["checks"]:
        _holds(after, set(years), name)
