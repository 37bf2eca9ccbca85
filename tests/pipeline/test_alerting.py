"""What the sensors tell when a run fails or something is overdue, and what `oppfolging run` tells at its end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_project import alerts
from dagster_project.archive.journal import read_lines
from dagster_project.diagnostics import RuleProblem
from dagster_project.orchestration import alerting, pipeline
from dagster_project.settings import HOME_VARIABLE, Settings
from tests import samples
from tests.conftest import oppfolging, part_of

pytestmark = pytest.mark.pipeline


@dg.op
def _break() -> None:
    raise OSError("disk full")


@dg.job
def breaks() -> None:
    _break()


@pytest.fixture
def home(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An empty home that the sensors look at."""
    monkeypatch.setenv(HOME_VARIABLE, str(settings.home))
    return settings


@pytest.fixture
def instance(home: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("DAGSTER_HOME", str(pipeline.dagster_home(home)))
    with dg.DagsterInstance.get() as opened:
        yield opened


def told(settings: Settings) -> list[dict[str, Any]]:
    return [line for line in read_lines(settings.home / alerts.FILE) if line["event"] == "problem"]


def _failure(instance: dg.DagsterInstance) -> Any:
    result = breaks.execute_in_process(instance=instance, raise_on_error=False)
    return dg.build_run_status_sensor_context(
        sensor_name="alert_of_failure", dagster_event=result.get_run_failure_event(), dagster_instance=instance,
        dagster_run=result.dagster_run,
    ).for_run_failure()  # fmt: skip


def test_a_failed_run_is_told_once_with_its_cause(home: Settings, instance: dg.DagsterInstance) -> None:
    context = _failure(instance)
    for _ in range(2):
        alerting.alert_of_failure(context)
    (line,) = told(home)
    assert line["what"].startswith(f"Run {context.dagster_run.run_id[:8]} of the job breaks failed: ")
    assert "OSError: disk full" in line["what"] and str(home.home) not in line["what"]
    assert line["where"] == f"run {context.dagster_run.run_id} in the Dagster UI" and "run again" in line["todo"]


def _check_names_the_quarantine(home: Settings, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(home.home / ".dagster"))
    with dg.DagsterInstance.get() as opened:
        (record,) = opened.get_run_records(limit=1)
        events = [e.dagster_event for e in opened.all_logs(record.dagster_run.run_id) if e.dagster_event]
    checks = [e.asset_check_evaluation_data for e in events if e.event_type_value == "ASSET_CHECK_EVALUATION"]
    named = {c.check_name: c for c in checks if "quarantine" in c.metadata}
    assert set(named) == {"value_is_between_0_and_100"}
    table = named["value_is_between_0_and_100"].metadata["quarantine"]
    assert isinstance(table, dg.TableMetadataValue)
    assert [r.data for r in table.records] == [{"file": "wrong.csv", "status": "rejected", "folder": folder}]
    (standing,) = (c for c in checks if c.check_name == "open_problems")
    assert not standing.passed and standing.metadata["files"].value == 1


def test_a_file_that_was_refused_is_told_once_however_often_the_sensor_looks(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.inbox.mkdir(parents=True)
    samples.national_tests(home.inbox / "wrong.csv", samples.rows("480"))
    done = oppfolging(home.home, "run", "--quiet")
    assert done.returncode == 3, done.stdout + done.stderr
    before = told(home)
    _check_names_the_quarantine(home, monkeypatch, before[0]["where"])
    assert [line["what"].split(" (")[0] for line in before] == ["wrong.csv is rejected"]
    with dg.DagsterInstance.ephemeral() as opened:
        for _ in range(2):
            tick = alerting.alert_of_problems.evaluate_tick(dg.build_sensor_context(instance=opened))
            assert tick.skip_message == "open problems: 1, new among them: 0" and not tick.run_requests
    assert told(home) == before
    oppfolging(home.home, "run", "--quiet")
    assert told(home) == before


def test_a_run_that_fails_is_told_by_the_command_line(rules_home: Settings) -> None:
    rules_home.rounds.write_text("rounds: nonsense", encoding="utf-8")
    done = oppfolging(rules_home.home, "run", "--quiet")
    assert done.returncode == RuleProblem.exit_code
    (line,) = told(rules_home)
    assert "failed: The rules cannot be used until these mistakes are corrected." in line["what"]
    assert str(rules_home.home) not in line["what"]


@pytest.mark.parametrize("name", ["alert_of_failure", "alert_of_problems"])
def test_the_sensors_of_alerts_tell_the_projects_own_errors(
    name: str, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken() -> None:
        raise RuleProblem("The register cannot be read.")

    monkeypatch.setattr(alerting, "load_settings", broken)
    if name == "alert_of_problems":
        said = alerting.alert_of_problems.evaluate_tick(dg.build_sensor_context(instance=instance)).skip_message
    else:
        answer = alerting.alert_of_failure(_failure(instance))
        assert isinstance(answer, dg.SkipReason)
        said = answer.skip_message
    assert said is not None and said.startswith("The register cannot be read.")


def test_a_lost_ledger_solves_nothing_and_is_told_once_a_day(
    country_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = part_of(country_home, tmp_path, "published", "marts")
    monkeypatch.setenv(HOME_VARIABLE, str(copy.home))
    with dg.DagsterInstance.ephemeral() as opened:
        alerting.alert_of_problems.evaluate_tick(dg.build_sensor_context(instance=opened))
        open_before = len(told(copy))
        assert open_before > 0
        copy.ledger.unlink()
        for _ in range(2):
            alerting.alert_of_problems.evaluate_tick(dg.build_sensor_context(instance=opened))
    lines = read_lines(copy.home / alerts.FILE)
    assert [line["event"] for line in lines] == ["problem"] * (open_before + 1)
    assert lines[-1]["what"].startswith("It cannot be listed what is open: ") and not lines[-1]["standing"]
