"""Run the whole pipeline in this process, with its history kept where the web UI finds it."""

from __future__ import annotations

import fcntl
import gc
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from dagster_project import TELEMETRY_OFF, diagnostics, log, progress
from dagster_project.archive import Archive, journal
from dagster_project.archive.store import COMMITS
from dagster_project.atomic import replacing
from dagster_project.diagnostics import Finding, PipelineProblem, Severity
from dagster_project.orchestration import manifest
from dagster_project.orchestration.processes import end_runs_of_gone_processes, tags_of_this_process
from dagster_project.settings import ENGINE_VARIABLE, HOME_VARIABLE, REPOSITORY, Settings
from dagster_project.validation import checkpoints

if TYPE_CHECKING:
    import dagster as dg

DAGSTER_FOLDER = ".dagster"
DEFINITIONS = "dagster_project.definitions"
CHECK_FAILED = "DagsterAssetCheckFailedError"
REPOSITORY_TAG = {".dagster/repository": f"__repository__@{DEFINITIONS}"}
"""What the Jobs page looks for. Dagster gives this tag to the runs it launches, not to ``execute_in_process``."""


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended. ``timings`` maps stages to seconds; ``published`` names the revisions it put in force."""

    run_id: str
    success: bool
    timings: dict[str, float]
    message: str = ""
    warnings: tuple[Finding, ...] = ()
    exit_code: int = 0
    published: tuple[str, ...] = ()


def dagster_home(settings: Settings) -> Path:
    """The folder of Dagster's own history, made ready: the repository's ``dagster.yaml`` and our event log.

    The event log is named here and not in that file, which Dagster also reads when somebody starts it in the
    repository: it has to work there with nothing of ours. The file names no folder, so a home can be copied or moved.
    """
    folder = settings.home / DAGSTER_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    event_log = {
        "module": "dagster_project.orchestration.event_log",
        "class": "OpenEventLog",
        "config": {"dagster_home": {"env": "DAGSTER_HOME"}},
    }
    plain = (REPOSITORY / "dagster.yaml").read_text(encoding="utf-8")
    with replacing(folder / "dagster.yaml") as file:
        file.write_text(f"{plain}{yaml.safe_dump({'event_log_storage': event_log}, sort_keys=False)}", encoding="utf-8")
    return folder


def set_environment(settings: Settings) -> dict[str, str]:
    """Point Dagster, and every process started from here, at the home. Telemetry of every library is off."""
    values = {
        HOME_VARIABLE: str(settings.home),
        ENGINE_VARIABLE: settings.engine,
        "DAGSTER_HOME": str(dagster_home(settings)),
        **TELEMETRY_OFF,
    }
    os.environ.update(values)
    _make_tables(Path(values["DAGSTER_HOME"]))
    return values


def _make_tables(folder: Path) -> None:
    """Let one process alone open Dagster's history for the first time.

    Dagster makes the tables of its databases then. Two processes that do so at once leave two version numbers in one
    database, and Dagster refuses to open it ever after.
    """
    import dagster as dg

    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made := folder / ".tables-made").exists():
            with dg.DagsterInstance.get():
                made.touch()


@contextmanager
def _without_collection() -> Iterator[None]:
    """Leave out the search for garbage while modules are imported: they make many objects and no garbage."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def run_everything(settings: Settings, load: Callable[[], dg.Definitions]) -> RunOutcome:
    """From the inbox to the published tables in one Dagster run.

    ``load`` imports the definitions. It is called once the environment is set and dbt's manifest is made: both decide
    what the definitions hold.

    Raises:
        PipelineProblem: dbt cannot compile the project, or Dagster could not start the run.
    """
    progress.reset()
    set_environment(settings)
    manifest.make_ready(settings)
    start = time.perf_counter()
    needs_suites = settings.inbox.is_dir() and any(settings.inbox.iterdir())
    progress.report("imports")
    # what the definitions tell of rounds.yaml, the first step of the run tells again
    logging.getLogger(DEFINITIONS).setLevel(logging.CRITICAL)
    with _without_collection():
        import dagster as dg

        defs = load()
        if needs_suites:
            checkpoints.warm()
    progress.add("imports", time.perf_counter() - start)
    logging.getLogger("dagster").setLevel(logging.ERROR)
    # Dagster raises the level again while it runs; a model that was not built anew has no check results to wait for
    logging.getLogger("dagster._core.execution.plan.active").setLevel(logging.ERROR)
    run_id, before = str(uuid.uuid4()), Archive(settings).head().lines
    with (
        log.following(settings.home, run=run_id),
        log.timed("run", job="everything") as logged,
        dg.DagsterInstance.get() as instance,
    ):
        killed = end_runs_of_gone_processes(instance)
        result = _execute(defs.resolve_job_def("everything"), instance, run_id)
        logged["success"] = result.success
        with progress.stage("lineage"):
            from dagster_project.orchestration import openlineage
            from dagster_project.orchestration.outcomes import record_of

            record = record_of(instance, result.run_id, defs.get_repository_def(), settings)
            warnings = openlineage.deliver(settings, record)
    warned = _warned(result.get_asset_check_evaluations(), defs)
    timings = progress.timings()
    timings["total"] = time.perf_counter() - start
    errors = [
        failure.error
        for event in result.all_events
        if event.event_type_value == "STEP_FAILURE"
        and (failure := event.step_failure_data)
        and failure.error is not None
    ]
    refused = list(_refused(result.get_asset_check_evaluations()))
    told = [words_of(e) for e in errors if not (refused and CHECK_FAILED in str(e.message))]
    made = [e for e in Archive(settings).events()[before:] if e["event"] in COMMITS]
    return RunOutcome(
        result.run_id, result.success, timings, "\n".join([*refused, *told]),
        (*killed, *_known_already(result), *_of_files(settings, before), *warned, *warnings),
        _exit_code(errors, result.success), tuple(f"{e['round']} {e['revision']}" for e in made),
    )  # fmt: skip


def _execute(job: dg.JobDefinition, instance: dg.DagsterInstance, run_id: str) -> dg.ExecuteInProcessResult:
    import dagster as dg
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return job.execute_in_process(
            instance=instance,
            run_id=run_id,
            tags={**REPOSITORY_TAG, **tags_of_this_process(run_id)},
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    except (dg.DagsterError, SQLAlchemyError) as error:
        raise PipelineProblem(f"Dagster could not do the run, or not write it down: {error}") from error


def _refused(evaluations: Iterable[dg.AssetCheckEvaluation]) -> Iterator[str]:
    """The blocking checks that stopped a step, with what they found. Of one that tells of rounds apart, the whole."""
    for check in evaluations:
        if check.passed or check.partition is not None or check.severity.value != "ERROR":
            continue
        yield (check.description or f"{check.asset_key.to_user_string()}, {check.check_name} failed")


def _known_already(result: dg.ExecuteInProcessResult) -> Iterator[Finding]:
    """The files that the inbox was emptied of because the same bytes came before."""
    for event in result.get_asset_materialization_events():
        known = event.materialization.metadata.get("known_already")
        for record in getattr(known, "records", ()):
            waits = record.data["stands as"] in ("held", "rejected")
            yield Finding(
                "file-known-already", Severity.PASS, "the same bytes came before; nothing has changed", stage="inbox",
                file=str(record.data["file"]), found=f"{record.data['hash']}, which is {record.data['stands as']}",
                expected="a file that has not come before",
                fix="It still waits: oppfolging status --why." if waits
                else "Nothing needs to be done. If another file was meant, send that one.",
            )  # fmt: skip


def _of_files(settings: Settings, since: int) -> Iterator[Finding]:
    """Warnings about files that came into force all the same, such as a column that was not read."""
    accepted = {e["sha256"] for e in Archive(settings).events("accepted") if e["line"] > since}
    if not accepted:
        return
    newest = {line["sha256"]: line for line in journal.screenings(settings) if line["sha256"] in accepted}
    for line in newest.values():
        found = (Finding.from_dict(raw) for raw in line["findings"])
        yield from (finding for finding in found if finding.severity is Severity.WARN)


def _own_kind(error: Any) -> type[diagnostics.OppfolgingError] | None:
    """Which of the project's own errors stopped a step; None when it was none of them."""
    kind = getattr(diagnostics, error.cause.cls_name or "", None) if error.cause is not None else None
    return kind if isinstance(kind, type) and issubclass(kind, diagnostics.OppfolgingError) else None


def words_of(error: Any) -> str:
    """What stopped a step: the message of the project's own error, else the one that Dagster gives, with its cause."""
    if _own_kind(error) is None:
        cause = f" {error.cause.message}" if error.cause is not None else ""
        return f"{error.message.strip()}{cause}".strip()
    # Dagster writes the class in front of the message
    return str(error.cause.message).partition(": ")[2].strip()


def _exit_code(errors: Sequence[Any], success: bool) -> int:
    """What the command line returns: the code of the project's own error, so that ``run`` and the others agree."""
    kinds = [kind for e in errors if (kind := _own_kind(e)) is not None]
    return 0 if success else kinds[0].exit_code if kinds else PipelineProblem.exit_code


def _warned(evaluations: Iterable[dg.AssetCheckEvaluation], defs: dg.Definitions) -> Iterator[Finding]:
    """Tests of the models that warned, with the rows they name."""
    from dagster_project.orchestration.outcomes import rows_named

    graph = defs.resolve_asset_graph()
    for check in evaluations:
        rows = rows_named(check)
        if check.passed or check.severity.value != Severity.WARN.value or not rows:
            continue
        description = graph.get_check_spec(check.asset_check_key).description
        yield Finding(
            "dbt-test-warned", Severity.WARN, description or check.check_name,
            stage="dbt", file=check.asset_key.to_user_string(), column=check.check_name,
            found="; ".join(rows),
            count=int(str(check.metadata["failing_rows"].value)),
        )  # fmt: skip
