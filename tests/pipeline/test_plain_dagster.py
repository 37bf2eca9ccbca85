"""What somebody who knows Dagster expects of this project, with Dagster's own commands and nothing of ours set up."""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import hashlib
import inspect
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import dagster as dg
import pytest
import yaml

from dagster_project import TELEMETRY_OFF
from dagster_project.diagnostics import RuleProblem
from dagster_project.orchestration import partitions, pipeline, processes, sensors, ui, years
from dagster_project.orchestration.ticks import in_own_words
from dagster_project.rules import load_rules
from dagster_project.settings import REPOSITORY, Settings, load_settings
from tests.ports import free_port

pytestmark = pytest.mark.pipeline

BIN = Path(sys.executable).parent
MODULE = "dagster_project.definitions"
PATIENCE = 120


def environment(checkout: Path, home: Path, **more: str) -> dict[str, str]:
    """The environment of somebody who has set nothing: where programs are, a home folder, and the checkout."""
    return {"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(home), "PYTHONPATH": str(checkout), **more}


def plain(
    checkout: Path, home: Path, *command: str, cwd: Path | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a command as that person would."""
    return subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=cwd or checkout, env=environment(checkout, home, **more), capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip


def left_behind(checkout: Path) -> str:
    return subprocess.run(["git", "status", "--short"], cwd=checkout, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def first_command(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A fresh clone, and what the first command in it said. No manifest was made before it."""
    folder = tmp_path_factory.mktemp("fresh") / "clone"
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(folder)], check=True)
    assert not (folder / "dbt" / "target").exists()
    return folder, plain(folder, folder.parent, "dagster", "definitions", "validate")


@pytest.fixture(scope="module")
def clone(first_command: tuple[Path, subprocess.CompletedProcess[str]]) -> Path:
    """The clone after its first command."""
    return first_command[0]


# ---- 1. a fresh clone, no environment --------------------------------------------------------------------------------


def test_definitions_validate_in_a_fresh_clone_and_the_dbt_manifest_is_made_for_them(
    first_command: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = first_command
    assert done.returncode == 0, done.stderr
    assert "All code locations passed validation" in done.stdout + done.stderr
    assert "making the dbt manifest" in done.stdout + done.stderr
    assert left_behind(folder) == ""


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (("dagster", "asset", "list", "-m", MODULE), "municipality_ranking\n"),
        (("dagster", "asset", "materialize", "-m", MODULE, "--select", "parameters"), "RUN_SUCCESS"),
    ],
    ids=["list", "materialize"],
)
def test_a_dagster_command_works_in_a_fresh_clone_and_leaves_nothing(
    clone: Path, tmp_path: Path, command: tuple[str, ...], answer: str
) -> None:
    done = plain(clone, tmp_path, *command)
    assert done.returncode == 0, done.stderr
    assert answer in done.stdout + done.stderr and "making the dbt manifest" not in done.stderr
    assert left_behind(clone) == ""


def test_dagster_dev_serves_a_fresh_clone_on_loopback_and_leaves_nothing(clone: Path, tmp_path: Path) -> None:
    port = free_port()
    log = tmp_path / "dev.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [str(BIN / "dagster"), "dev", "-w", "workspace.yaml", "-p", str(port)],
            cwd=clone, env=environment(clone, tmp_path), stdout=output, stderr=output, start_new_session=True,
            # in a job of the background a shell lets Ctrl-C be ignored, and children inherit that
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
    try:
        asked = json.dumps(
            {"query": "{workspaceOrError{... on Workspace{locationEntries{name locationOrLoadError{__typename}}}}}"}
        )
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/graphql", asked.encode(), {"Content-Type": "application/json"}
        )
        deadline = time.monotonic() + PATIENCE
        while True:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            try:
                answer = json.loads(urllib.request.urlopen(request, timeout=PATIENCE).read())
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.2)
        assert answer["data"]["workspaceOrError"]["locationEntries"] == [
            {"name": MODULE, "locationOrLoadError": {"__typename": "RepositoryLocation"}}
        ]
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    finally:
        # the group of processes that was started above; `dagster dev` leaves its code server to end by itself
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
    assert left_behind(clone) == ""


def test_pyproject_alone_leads_dagster_and_dg_to_the_definitions(clone: Path, tmp_path: Path) -> None:
    """`dg check defs` reads this section; the `dg` command itself is not in the lock file."""
    content = (clone / "pyproject.toml").read_text(encoding="utf-8")
    settings = tomllib.loads(content)["tool"]["dg"]
    assert settings["directory_type"] == "project"
    assert settings["project"] == {
        "root_module": "dagster_project", "code_location_target_module": MODULE, "code_location_name": MODULE,
    }  # fmt: skip
    (tmp_path / "pyproject.toml").write_text(content, encoding="utf-8")
    done = plain(clone, tmp_path, "dagster", "definitions", "validate", cwd=tmp_path)
    assert done.returncode == 0 and f"Validation successful for code location {MODULE}" in done.stdout + done.stderr


def test_the_dagster_yaml_of_the_repository_names_nothing_of_ours_and_our_start_adds_the_event_log(
    settings: Settings,
) -> None:
    plain_file = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text(encoding="utf-8"))
    assert "dagster_project" not in json.dumps(plain_file)
    ours = yaml.safe_load((pipeline.dagster_home(settings) / "dagster.yaml").read_text(encoding="utf-8"))
    added = ours.pop("event_log_storage")
    assert ours == plain_file
    assert str(settings.home) not in json.dumps(added), "a copied home would write its history into the first one"
    assert (added["module"], added["class"]) == ("dagster_project.orchestration.event_log", "OpenEventLog")


EVENT_LOG_OF_DAGSTER = {
    "__init__": "264c15baa761", "_initdb": "7a302d98eb61", "_connect": "b8435f266568", "dispose": "df16dafbfa84",
}  # fmt: skip


def test_the_methods_of_dagster_that_our_event_log_replaces_are_as_they_were() -> None:
    """It overrides private methods. When this fails: read what Dagster changed in them, then in event_log.py."""
    from dagster._core.storage.event_log import SqliteEventLogStorage

    found = {
        name: hashlib.sha256(inspect.getsource(getattr(SqliteEventLogStorage, name)).encode()).hexdigest()[:12]
        for name in ("__init__", "_initdb", "_connect", "dispose")
    }
    assert found == EVENT_LOG_OF_DAGSTER


def test_dagster_reads_what_our_event_log_wrote(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    home = pipeline.dagster_home(settings)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.get() as instance:
        assert type(instance.event_log_storage).__name__ == "OpenEventLog"
        run_id = works.execute_in_process(instance=instance).run_id
        ours = [entry.message for entry in instance.all_logs(run_id)]
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    with dg.DagsterInstance.get() as instance:
        assert type(instance.event_log_storage).__name__ == "SqliteEventLogStorage"
        assert [entry.message for entry in instance.all_logs(run_id)] == ours and len(ours) > 5


# ---- 2. telemetry ----------------------------------------------------------------------------------------------------

ASKED = "from dagster._core.telemetry_upload import is_running_in_test as off; print(off())"


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        (ASKED, "False"),
        (f"import dagster_project; {ASKED}", "True"),
        # what every command of Dagster opens before it does anything, the web server and the daemon too
        (
            "from dagster._cli.utils import get_possibly_temporary_instance_for_cli as opened\n"
            f"with opened() as instance: print(instance.telemetry_enabled); {ASKED}",
            "True\nTrue",
        ),
        (
            "import dagster_project\nfrom dbt.cli.main import cli\nfrom dbt.cli.flags import Flags\n"
            "context = cli.make_context('dbt', ['parse', '--project-dir', 'dbt'])\n"
            "print(Flags(context).SEND_ANONYMOUS_USAGE_STATS)",
            "False",
        ),
    ],
    ids=["Dagster sends by itself", "our code", "Dagster's parent process", "dbt"],
)
def test_telemetry_is_off_with_a_dagster_home_of_ones_own(clone: Path, tmp_path: Path, code: str, answer: str) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "dagster.yaml").touch()
    done = plain(clone, tmp_path, "python", "-c", code, DAGSTER_HOME=str(own))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == answer


def test_the_file_for_processes_without_our_code_switches_the_same_off() -> None:
    lines = (REPOSITORY / ".env").read_text(encoding="utf-8").splitlines()
    assert dict(x.split("=") for x in lines if not x.startswith("#")) == TELEMETRY_OFF


# ---- 3. runs that were killed ----------------------------------------------------------------------------------------


@pytest.fixture
def instance(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """The instance that `oppfolging run` and `oppfolging ui` use."""
    monkeypatch.setenv("DAGSTER_HOME", str(pipeline.dagster_home(settings)))
    with dg.DagsterInstance.get() as opened:
        yield opened


def test_commands_started_at_once_in_a_new_home_open_one_history(tmp_path: Path) -> None:
    code = (
        "import sys, dagster as dg, pathlib; from dagster_project.settings import load_settings;"
        "from dagster_project.orchestration.pipeline import set_environment;"
        "sys.stdin.read(); set_environment(load_settings(pathlib.Path(sys.argv[1]))); dg.DagsterInstance.get().dispose()"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=REPOSITORY, stdin=subprocess.PIPE)
        for _ in range(3)
    ]
    for process in started:  # each has imported what it needs, and waits for the end of its input
        assert process.stdin is not None
        process.stdin.close()
    assert [process.wait(PATIENCE) for process in started] == [0, 0, 0]
    databases = list((tmp_path / pipeline.DAGSTER_FOLDER).rglob("*.db"))
    assert len(databases) == 3
    for database in databases:
        with contextlib.closing(sqlite3.connect(database)) as opened:
            assert len(opened.execute("select * from alembic_version").fetchall()) == 1, database


def test_run_monitoring_is_on_in_a_fresh_clone_and_in_our_start(instance: dg.DagsterInstance) -> None:
    plain_file = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text(encoding="utf-8"))["run_monitoring"]
    assert instance.run_monitoring_enabled and plain_file["enabled"]
    assert instance.run_monitoring_max_runtime_seconds == plain_file["max_runtime_seconds"] == 7200
    assert instance.run_monitoring_start_timeout_seconds == plain_file["start_timeout_seconds"] == 300
    assert instance.run_monitoring_poll_interval_seconds == plain_file["poll_interval_seconds"] == 30


STARTS = {
    "oppfolging run": (sys.executable, "-m", "dagster_project.cli", "run"),
    "dagster asset materialize": (str(BIN / "dagster"), "asset", "materialize", "-m", MODULE, "--select", "parameters"),
}


@pytest.fixture(scope="module")
def killed_home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home whose only run was killed in the middle of its first step."""
    settings = load_settings(tmp_path_factory.mktemp("killed"))
    home = str(pipeline.dagster_home(settings))
    with pytest.MonkeyPatch.context() as patch, (settings.home / ".write-lock").open("a") as lock:
        patch.setenv("DAGSTER_HOME", home)
        fcntl.flock(lock, fcntl.LOCK_EX)  # its first step waits for the lock, so that the kill hits it there
        with dg.DagsterInstance.get() as opened:  # before the process starts: both would make the tables of the history
            process = subprocess.Popen(
                STARTS[request.param], cwd=REPOSITORY, env={**os.environ, "OPPFOLGING_HOME": str(settings.home)},
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            deadline = time.monotonic() + PATIENCE
            while not _step_has_begun(opened):
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.2)
            assert processes.end_runs_of_gone_processes(opened) == [], "its process lives"
            process.kill()
            process.wait()
            assert [r.dagster_run.status for r in opened.get_run_records()] == [dg.DagsterRunStatus.STARTED]
    return settings


def _step_has_begun(instance: dg.DagsterInstance) -> bool:
    return any(
        entry.dagster_event is not None and entry.dagster_event.event_type_value == "STEP_START"
        for record in instance.get_run_records()
        for entry in instance.all_logs(record.dagster_run.run_id)
    )


@pytest.mark.parametrize("killed_home", ["oppfolging run"], indirect=True)
def test_a_run_of_the_command_line_shows_with_its_job_in_the_web_ui(killed_home: Settings, tmp_path: Path) -> None:
    """The Jobs page and the page of a job ask this. The Timeline asks for an origin that only private calls can give."""
    place = f'repositoryName: "__repository__", repositoryLocationName: "{MODULE}"'
    asked = f'pipelineOrError(params: {{pipelineName: "everything", {place}}}) {{... on Pipeline {{runs(limit: 5) {{runId}}}}}}'
    done = plain(
        REPOSITORY, tmp_path, "dagster-graphql", "-w", "workspace.yaml", "-t", f"{{{asked}}}",
        DAGSTER_HOME=str(pipeline.dagster_home(killed_home)), OPPFOLGING_HOME=str(killed_home.home),
    )  # fmt: skip
    answer = json.loads(done.stdout[done.stdout.index('{"data"') :].splitlines()[0])
    assert len(answer["data"]["pipelineOrError"]["runs"]) == 1, done.stderr


@pytest.mark.parametrize("killed_home", STARTS, indirect=True)
def test_a_run_that_was_killed_is_ended_by_whoever_starts_next(
    killed_home: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(pipeline.dagster_home(killed_home)))
    ui._end_killed_runs()
    with dg.DagsterInstance.get() as opened:
        (record,) = opened.get_run_records()
        assert record.dagster_run.status is dg.DagsterRunStatus.FAILURE and record.end_time
        said = capsys.readouterr().out
        assert record.dagster_run.run_id in said and f"pid {record.dagster_run.tags[processes.PID_TAG]}" in said
        assert processes.end_runs_of_gone_processes(opened) == []


def test_a_run_is_not_ended_unless_its_process_is_proved_to_be_gone() -> None:
    run_id = str(uuid.uuid4())
    tags = processes.tags_of_this_process(run_id)
    assert not processes.is_gone(run_id, tags)
    assert not processes.is_gone(run_id, {}), "nothing is known of it"
    with subprocess.Popen(["sleep", "0"]) as ended:
        ended.wait()
    gone = {**tags, processes.PID_TAG: str(ended.pid)}
    assert processes.is_gone(run_id, gone)
    assert processes.is_gone(run_id, {**tags, processes.PROCESS_TAG: tags[processes.PROCESS_TAG] + "0"}), "pid reused"
    assert not processes.is_gone(run_id, {**gone, processes.HOST_TAG: "elsewhere"})
    assert not processes.is_gone(str(uuid.uuid4()), gone), "a re-execution has the tags of the run it repeats"
    container = tags[processes.PROCESS_TAG].replace("pid:[", "pid:[9")
    assert not processes.is_gone(run_id, {**gone, processes.PROCESS_TAG: container})
    _, _, rest = tags[processes.PROCESS_TAG].partition(" ")
    assert processes.is_gone(run_id, {**tags, processes.PROCESS_TAG: f"{run_id} another-boot {rest.split(' ', 1)[1]}"})


def test_every_job_runs_its_steps_in_the_process_that_notes_itself_on_the_run(defs: dg.Definitions) -> None:
    assert {job.executor_def.name for job in defs.resolve_all_job_defs()} == {"in_process"}


# ---- 4. and 5. the job of everything ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    from dagster_project.definitions import build

    return build()


def test_everything_is_dagsters_own_job_of_all_assets_under_a_name(defs: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(defs)
    graph = defs.resolve_job_def("everything").asset_layer.asset_graph
    assert defs.resolve_asset_graph().materializable_asset_keys - graph.materializable_asset_keys == {
        dg.AssetKey("choice_sensitivity")
    }
    partitionings = {graph.get(key).partitions_def for key in graph.materializable_asset_keys}
    assert {None, partitions.ROUNDS} < partitionings, "two partitionings at least, and assets without one"
    source = inspect.getsource(sys.modules["dagster_project.orchestration.jobs"])
    assert "dagster._" not in source


def test_two_modules_import_what_is_private_in_dagster() -> None:
    folder = REPOSITORY / "dagster_project"
    private = {p.name for p in folder.rglob("*.py") if "from dagster._" in p.read_text("utf-8")}
    assert private == {"event_log.py", "by_partition.py"}


# ---- 6. sensors and schedules ----------------------------------------------------------------------------------------


@dg.op
def _break() -> None:
    raise OSError("disk full")


@dg.op
def _work() -> None: ...


@dg.job
def breaks() -> None:
    _break()


@dg.job
def works() -> None:
    _work()


def _tick(sensor: dg.SensorDefinition, instance: dg.DagsterInstance, cursor: str | None) -> Any:
    return sensor.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=cursor))


@pytest.fixture
def inbox(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An inbox with one file, which the sensor looks at."""
    monkeypatch.setenv("OPPFOLGING_HOME", str(settings.home))
    settings.inbox.mkdir(parents=True)
    (settings.inbox / "file.csv").write_text("a;b\n", encoding="utf-8")
    return settings.inbox


def _launch(job: dg.JobDefinition, instance: dg.DagsterInstance, request: dg.RunRequest) -> None:
    """Run what a sensor asked for, with the tags that the daemon adds."""
    tags = {**request.tags, "dagster/sensor_name": "inbox_sensor"}
    job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)


@pytest.mark.parametrize("emptied", [False, True], ids=["the files stay", "the run had emptied the inbox"])
def test_the_inbox_is_asked_for_again_after_a_failed_run_with_growing_waits_and_not_for_ever(
    inbox: Path, monkeypatch: pytest.MonkeyPatch, emptied: bool
) -> None:
    sensor = sensors.inbox_sensor(breaks)
    clock = [dt.datetime.now(dt.UTC)]
    monkeypatch.setattr(sensors.clock, "now", lambda: clock[0])

    with dg.DagsterInstance.ephemeral() as instance:
        first = _tick(sensor, instance, None)
        assert "waiting until they stop changing" in first.skip_message
        keys, waits = [], []
        for _ in range(6):
            (request,) = _tick(sensor, instance, first.cursor).run_requests
            keys.append(request.run_key)
            _launch(breaks, instance, request)
            if emptied:
                (inbox / "file.csv").unlink(missing_ok=True)
            failed = clock[0] = dt.datetime.now(dt.UTC)
            skipped = _tick(sensor, instance, first.cursor)
            assert not skipped.run_requests
            if len(keys) <= 5:
                assert f"failed (attempt {len(keys)} of 6); asks again at" in skipped.skip_message
                while not _tick(sensor, instance, first.cursor).run_requests:
                    clock[0] += dt.timedelta(minutes=1)
                waits.append(round((clock[0] - failed).total_seconds() / 60))
        assert len(set(keys)) == 6 and waits == [10, 20, 40, 80, 160]
        clock[0] += dt.timedelta(days=30)
        assert "6 runs for these files did not take them" in _tick(sensor, instance, first.cursor).skip_message


def test_a_file_that_is_put_into_the_inbox_once_more_is_asked_for_once_more(inbox: Path) -> None:
    """As when an older export was accepted and the newer one is to come back: bytes, name and time are the same."""
    sensor, kept = sensors.inbox_sensor(works), inbox.parent / "kept.csv"
    with dg.DagsterInstance.ephemeral() as instance:
        asked = []
        for _ in range(2):
            cursor = _tick(sensor, instance, None).cursor
            (request,) = _tick(sensor, instance, cursor).run_requests
            _launch(works, instance, request)
            asked.append(request.run_key)
            (inbox / "file.csv").rename(kept)
            assert "the inbox is empty" in _tick(sensor, instance, cursor).skip_message
            kept.rename(inbox / "file.csv")
        assert len(set(asked)) == 2


def test_a_download_is_not_looked_at_before_it_has_its_name(inbox: Path) -> None:
    sensor = sensors.inbox_sensor(works)
    (inbox / "file.csv").rename(inbox / "file.csv.partial")
    with dg.DagsterInstance.ephemeral() as instance:
        assert "the inbox is empty" in _tick(sensor, instance, None).skip_message
        (inbox / "file.csv.partial").rename(inbox / "file.csv")
        cursor = _tick(sensor, instance, None).cursor
        with (inbox / "file.csv").open("a"):
            assert "open for writing: file.csv" in _tick(sensor, instance, cursor).skip_message
        assert _tick(sensor, instance, _tick(sensor, instance, cursor).cursor).run_requests


def test_a_failed_delivery_is_done_with_when_a_whole_run_succeeded_since(inbox: Path) -> None:
    """Somebody launched the job by hand after correcting what was wrong."""
    failing, good = sensors.inbox_sensor(breaks), dg.GraphDefinition("breaks", node_defs=[_work]).to_job()
    with dg.DagsterInstance.ephemeral() as instance:
        (request,) = _tick(failing, instance, _tick(failing, instance, None).cursor).run_requests
        _launch(breaks, instance, request)
        (inbox / "file.csv").unlink()
        assert "asks again at" in _tick(failing, instance, None).skip_message
        good.execute_in_process(instance=instance)
        assert "the inbox is empty" in _tick(failing, instance, None).skip_message


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (dg.DagsterRunStatus.CANCELED, "was cancelled; launch the job everything"),
        (dg.DagsterRunStatus.STARTED, "is started"),
    ],
)
def test_a_delivery_is_not_asked_for_while_its_run_goes_on_or_was_cancelled(
    status: dg.DagsterRunStatus, reason: str
) -> None:
    class Record:
        dagster_run = dg.DagsterRun(job_name="everything", status=status)

    key, said = sensors.next_key("inbox-1", [Record()], dt.datetime.now(dt.UTC))  # type: ignore[list-item]
    assert key is None and reason in said


@pytest.fixture
def broken_rounds(rules_home: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home in whose third round a key is misspelt."""
    monkeypatch.setenv("OPPFOLGING_HOME", str(rules_home.home))
    text = rules_home.rounds.read_text(encoding="utf-8")
    rules_home.rounds.write_text(text.replace("last_school_year: 2025-26", "last_shool_year: 2025-26"), "utf-8")
    return rules_home


def test_a_schedule_tells_a_mistake_in_the_rules_in_our_words(defs: dg.Definitions, broken_rounds: Settings) -> None:
    schedule = defs.resolve_schedule_def("round_run")
    context = dg.build_schedule_context(
        scheduled_execution_time=dt.datetime(2026, 2, 15, 7), repository_def=defs.get_repository_def()
    )
    _is_in_our_words(schedule.evaluate_tick(context).skip_message)


def test_a_sensor_tells_a_mistake_in_the_rules_in_our_words(broken_rounds: Settings) -> None:
    @dg.sensor(job=works)
    @in_own_words("Then launch the job everything.")
    def sense(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        return dg.SkipReason(f"{len(load_rules(broken_rounds).rounds)} rounds")

    with dg.DagsterInstance.ephemeral() as instance:
        _is_in_our_words(_tick(sense, instance, None).skip_message)


def test_a_fault_of_the_program_stays_a_failed_tick() -> None:
    @dg.sensor(job=works)
    @in_own_words()
    def sense(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        raise ZeroDivisionError

    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(ZeroDivisionError):
        _tick(sense, instance, None)


@pytest.mark.parametrize("name", ["inbox_sensor", "lineage_of_success", "lineage_of_failure", "lineage_of_canceled"])
def test_every_sensor_tells_the_projects_own_errors(
    defs: dg.Definitions, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuleProblem("The register cannot be read.")

    monkeypatch.setattr(sensors, "load_settings", broken)
    sensor = defs.resolve_sensor_def(name)
    with dg.DagsterInstance.ephemeral() as instance:
        if name == "inbox_sensor":
            said = _tick(sensor, instance, None).skip_message
        else:
            result = works.execute_in_process(instance=instance)
            context = dg.build_run_status_sensor_context(
                sensor_name=name, dagster_event=result.get_run_success_event(), dagster_instance=instance,
                dagster_run=result.dagster_run,
            )  # fmt: skip
            answer = sensor(context)
            assert isinstance(answer, dg.SkipReason)
            said = answer.skip_message
    assert said.startswith("The register cannot be read.")


def _is_in_our_words(said: str | None) -> None:
    assert said is not None and "Traceback" not in said and 'File "' not in said
    assert "unknown-key" in said and "at: rounds.yaml, line" in said and "fix: Did you mean last_school_year?" in said
    assert "Then launch the job everything" in said


# ---- 7. school years and rounds --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "year"),
    [(dt.date(2026, 7, 31), "2025-26"), (dt.date(2026, 8, 1), "2026-27"), (dt.date(2031, 1, 1), "2030-31")],
)
def test_a_school_year_begins_in_august(day: dt.date, year: str) -> None:
    assert years.current_school_year(day) == year


def test_a_school_year_is_a_partition_when_a_file_of_it_is_in_force_and_no_code_changes(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class InForce:
        in_force: ClassVar = {
            ("national_tests", "2031-32"): (),
            ("grade_points", "2030-31"): (),
            ("decisions", None): (),
        }

    def damaged(_: Settings) -> None:
        raise RuleProblem("The ledger is damaged.")

    now = [years.current_school_year(dt.date.today())]
    monkeypatch.setenv("OPPFOLGING_HOME", str(settings.home))
    assert years.school_years("national_tests").get_partition_keys() == now
    monkeypatch.setattr(years, "Extracts", lambda _: InForce())
    assert years.school_years("national_tests").get_partition_keys() == ["2031-32"]
    assert years.school_years("pupil_survey").get_partition_keys() == now
    monkeypatch.setattr(years, "Extracts", damaged)
    assert years.school_years("national_tests").get_partition_keys() == now


def _shift(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new, 1)


OFFICIAL = ["np-2025", "np-2026", "udir-2026"]
KNOWN = ["fictional-2023", "fictional-2024", "fictional-2026", *OFFICIAL]


@pytest.mark.parametrize(
    ("spoilt", "kept", "code"),
    [
        (_shift("2023-02-15", "[2023-02-15"), KNOWN, "invalid-yaml"),
        (_shift("- id: fictional-2024", "- idd: fictional-2024"), ["fictional-2023", "fictional-2026", *OFFICIAL], "unknown-key"),
        (_shift("fictional-2024", "fictional-2023"), ["fictional-2023", "fictional-2026", *OFFICIAL], "repeated-round"),
        (_shift("fictional-2024", "Fabel 2024"), ["fictional-2023", "fictional-2026", *OFFICIAL], "invalid-value"),
        (_shift("rounds:", "round:"), KNOWN, "unknown-key"),
        (lambda text: "", [], "empty-file"),
    ],
    ids=["not YAML", "an id misspelt", "an id twice", "an id that is none", "no list", "empty"],
)  # fmt: skip
def test_a_mistake_in_rounds_keeps_the_ids_that_can_be_read_and_says_what_is_wrong(
    rules_home: Settings, spoilt: Callable[[str], str], kept: list[str], code: str
) -> None:
    rules_home.rounds.write_text(spoilt(rules_home.rounds.read_text(encoding="utf-8")), encoding="utf-8")
    ids, problem = partitions.read_rounds(rules_home)
    assert list(ids) == kept
    assert f"FAIL {code}" in problem and "at: rounds.yaml, line" in problem and "Traceback" not in problem


def test_rounds_without_a_mistake_are_read_in_their_order() -> None:
    assert partitions.read_rounds(load_settings(REPOSITORY / "data")) == (tuple(KNOWN), "")


def test_a_mistake_in_rounds_does_not_take_the_definitions_away(clone: Path, tmp_path: Path) -> None:
    text = (REPOSITORY / "data" / "rounds.yaml").read_text(encoding="utf-8")
    (tmp_path / "rounds.yaml").write_text(text.replace("2023-02-15", "[2023-02-15", 1), encoding="utf-8")
    done = plain(clone, tmp_path, "dagster", "asset", "list", "-m", MODULE, OPPFOLGING_HOME=str(tmp_path))
    assert done.returncode == 0 and "published_round" in done.stdout
    said = done.stdout + done.stderr
    assert "at: rounds.yaml, line" in said and "fix: Correct the line" in said and "Traceback" not in said
