"""What exists in Dagster. A change of wiring shows here first."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from dagster_project.assets.acting import as_table
from dagster_project.assets.extracts import SHAPES
from dagster_project.assets.models import SOURCE_FILE
from dagster_project.orchestration import pipeline
from dagster_project.settings import REPOSITORY, load_settings
from dagster_project.transform import dbt_step


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    from dagster_project.definitions import build

    return build()


ASSETS = Path(__file__).parent / "assets.txt"
"""Every asset with its group: whoever adds, renames or moves one changes this list too."""


def test_assets_jobs_schedules_and_sensors(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    found = sorted(f"{graph.get(key).group_name} {key.to_user_string()}" for key in graph.materializable_asset_keys)
    assert found == ASSETS.read_text(encoding="utf-8").splitlines()
    assert {j.name for j in defs.resolve_all_job_defs()} - {"__ASSET_JOB"} == {"everything", "one_round", "simulate"}
    run = defs.resolve_job_def("everything").asset_layer.asset_graph.materializable_asset_keys
    assert {dg.AssetKey("published_round"), dg.AssetKey("selection_uncertainty")} <= run
    assert dg.AssetKey("choice_sensitivity") not in run
    assert {s.name for s in defs.schedules or ()} == {
        "national_tests_published", "pupil_survey_published", "grade_points_published", "round_run",
    }  # fmt: skip
    assert {s.name for s in defs.sensors or ()} == {
        "inbox_sensor", "lineage_of_success", "lineage_of_failure", "lineage_of_canceled", "alert_of_failure",
        "alert_of_problems",
    }  # fmt: skip


def test_only_the_modules_that_contributors_are_told_of_know_dagster() -> None:
    package = REPOSITORY / "dagster_project"
    imports = re.compile(r"^\s*(?:import|from) (?:dagster|dagster_dbt)\b", re.MULTILINE)
    found = {p.relative_to(package).parts[0] for p in package.rglob("*.py") if imports.search(p.read_text("utf-8"))}
    (line,) = [x for x in (REPOSITORY / "CONTRIBUTING.md").read_text("utf-8").splitlines() if "know no Dagster" in x]
    assert {name.rstrip("/") for name in re.findall(r"`([a-z_]+(?:/|\.py))`", line)} == found


def test_imports_run_downward_and_no_two_files_import_each_other() -> None:
    found = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stdout


def test_every_asset_says_what_it_is_and_whose(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    for key in graph.materializable_asset_keys:
        node = graph.get(key)
        assert node.description and len(node.description) > 20, key
        assert node.owners and node.kinds, key


def test_every_model_names_the_file_it_is_written_in_and_is_documented_beside_it(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    models = [graph.get(k) for k in graph.materializable_asset_keys if SOURCE_FILE in graph.get(k).metadata]
    files = {node.key.to_user_string(): REPOSITORY / str(node.metadata[SOURCE_FILE]) for node in models}
    assert sorted(files.values()) == sorted((REPOSITORY / "dbt" / "models").rglob("*.sql"))
    for name, file in files.items():
        (documented,) = yaml.safe_load(file.with_suffix(".yml").read_text("utf-8"))["models"]
        assert documented["name"] == name == file.stem


def test_marts_carry_column_schema_and_lineage_down_to_the_extracts(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    for name in ("indicator_points", "school_ranking", "municipality_ranking", "selection", "limits", "point_sources"):
        metadata = graph.get(dg.AssetKey(name)).metadata
        columns = metadata["dagster/column_schema"].columns
        assert all(c.description for c in columns)
        lineage = metadata["dagster/column_lineage"].deps_by_column
        assert {c.name for c in columns} == set(lineage)
        assert all(lineage[c] for c in lineage if c not in ("governor_priority", "decided_on", "selection_group"))


@pytest.mark.parametrize("dataset", SHAPES)
def test_every_column_of_an_extract_has_its_type_and_a_description_that_stands_once(
    defs: dg.Definitions, dataset: str
) -> None:
    columns = defs.resolve_asset_graph().get(dg.AssetKey(dataset)).metadata["dagster/column_schema"].columns
    assert [(c.name, c.type) for c in columns] == [(f.name, str(f.type)) for f in SHAPES[dataset]()]
    assert [c.name for c in columns if not c.description] == []
    manifest = dbt_step.load_manifest(load_settings())
    (source,) = (s for s in manifest["sources"].values() if (s["source_name"], s["name"]) == ("extracts", dataset))
    passed_on = {
        name
        for n in manifest["nodes"].values()
        if n["resource_type"] == "model" and source["unique_id"] in n["depends_on"]["nodes"]
        for name in n["columns"]
    }
    assert passed_on.isdisjoint(source["columns"]), "described in the staging model already"


def test_the_suites_are_blocking_checks_with_warnings_apart(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    checks = {
        k.name: graph.get_check_spec(k) for k in graph.asset_check_keys if k.asset_key == dg.AssetKey("national_tests")
    }
    by_code = {str(spec.metadata["code"]): spec for spec in checks.values()}
    assert by_code["value-off-scale"] is checks["value_is_between_0_and_100"]
    assert by_code["value-off-scale"].blocking and not by_code["number-of-schools-jumped"].blocking


def test_the_intermediate_models_are_shown_by_subject_as_they_lie_in_folders(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    groups: dict[str, set[str]] = {}
    for key in graph.materializable_asset_keys:
        groups.setdefault(str(graph.get(key).group_name), set()).add(key.to_user_string())
    folders = {p.name for p in (REPOSITORY / "dbt" / "models" / "intermediate").iterdir()}
    assert folders <= set(groups) and "intermediate" not in groups
    assert max(map(len, groups.values())) < 20
    one_round = defs.resolve_job_def("one_round").asset_layer.asset_graph.materializable_asset_keys
    for name in (*folders, "staging", "marts", "parameters", "published"):
        assert {dg.AssetKey(asset) for asset in groups[name]} <= one_round, name


def test_a_warned_test_of_the_models_is_a_finding_of_the_run_that_names_its_rows(defs: dg.Definitions) -> None:
    limits = dg.AssetKey("limits")
    graph = defs.resolve_asset_graph()
    names = {k.name for k in graph.asset_check_keys if k.asset_key == limits}
    assert {"absolute_limit_is_worse", "frozen_limits_agree"} <= names

    def evaluated(name: str, **metadata: Any) -> dg.AssetCheckEvaluation:
        return dg.AssetCheckEvaluation(
            asset_key=limits, check_name=name, passed=not metadata, severity=dg.AssetCheckSeverity.WARN,
            metadata=metadata,
        )  # fmt: skip

    rows = as_table(("row",), [("round a",), ("round b",)])
    crossed = evaluated("absolute_limit_is_worse", first_rows=rows, failing_rows=dg.MetadataValue.int(2))
    (found,) = pipeline._warned([crossed, evaluated("frozen_limits_agree")], defs)
    assert (found.code, found.count, found.found) == ("dbt-test-warned", 2, "round a; round b")
    assert "not better than the national one" in found.message


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("national_tests_published", dt.datetime(2026, 11, 19, 7)),
        ("pupil_survey_published", dt.datetime(2026, 1, 30, 7)),
        ("grade_points_published", dt.datetime(2025, 8, 16, 7)),
    ],
)
def test_a_schedule_runs_everything_once_after_figures_came_out(
    defs: dg.Definitions, name: str, day: dt.datetime
) -> None:
    schedule = defs.resolve_schedule_def(name)
    context = dg.build_schedule_context(scheduled_execution_time=day, repository_def=defs.get_repository_def())
    (request,) = schedule.evaluate_tick(context).run_requests or ()
    assert (request.run_key, request.partition_key) == (f"{name}-{day:%Y-%m-%d}", None)
    assert schedule.job_name == "everything" and schedule.execution_timezone == "Europe/Oslo"


def test_the_round_of_the_year_is_run_in_february(defs: dg.Definitions) -> None:
    schedule = next(s for s in defs.schedules or () if s.name == "round_run")
    context = dg.build_schedule_context(
        scheduled_execution_time=dt.datetime(2026, 2, 15, 7), repository_def=defs.get_repository_def()
    )
    (request,) = schedule.evaluate_tick(context).run_requests or ()
    assert (request.partition_key, request.tags["oppfolging/rounds"]) == (
        None, "fictional-2026, np-2026, udir-2026",
    )  # fmt: skip
    assert schedule.job_name == "everything"


@pytest.mark.parametrize(
    ("asset", "deadline", "days"),
    [
        ("national_tests", "0 7 3 12 *", 14), ("pupil_survey", "0 7 13 2 *", 14), ("grade_points", "0 7 14 9 *", 14),
        ("published_round", "0 7 1 3 *", 14),
    ],
)  # fmt: skip
def test_what_waits_for_figures_has_to_be_made_between_their_publication_and_the_deadline(
    defs: dg.Definitions, asset: str, deadline: str, days: int
) -> None:
    policy = defs.resolve_assets_def(asset).get_asset_spec(dg.AssetKey(asset)).freshness_policy
    assert policy == dg.FreshnessPolicy.cron(deadline, dt.timedelta(days=days), "Europe/Oslo")
    (day, month) = (int(x) for x in deadline.split()[2:4])
    begins = dt.date(2026, month, day) - dt.timedelta(days=days)
    crons = {(int(d), int(s.cron_schedule.split()[3])) for s in defs.schedules or ()
             for d in str(s.cron_schedule).split()[2].split(",")}  # fmt: skip
    assert (begins.day, begins.month) in crons, "the day on which a schedule runs after the publication"


def test_schedules_are_off_and_sensors_are_on_and_the_documentation_says_so(defs: dg.Definitions) -> None:
    page = (REPOSITORY / "docs" / "dagster.md").read_text(encoding="utf-8")
    for schedule in defs.schedules or ():
        assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
        assert f"| `{schedule.name}` | off |" in page
    for sensor in defs.sensors or ():
        assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
        assert f"| `{sensor.name}` | on |" in page


def test_the_documentation_names_every_group_and_what_is_in_it(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    groups = {str(graph.get(key).group_name) for key in graph.materializable_asset_keys}
    page = (REPOSITORY / "docs" / "dagster.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \| \d+ \|", page, re.MULTILINE)) == groups
    counts = {str(g): 0 for g in groups}
    for key in graph.materializable_asset_keys:
        counts[str(graph.get(key).group_name)] += 1
    for group, count in counts.items():
        assert f"| `{group}` | {count} |" in page
