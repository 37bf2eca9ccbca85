"""What a finished Dagster run did with each asset, as the plain records that ``openlineage`` turns into events."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_project.archive import Archive
from dagster_project.diagnostics import PipelineProblem
from dagster_project.orchestration.openlineage import AssetOutcome, CheckOutcome, Column, End, RunRecord
from dagster_project.publication.manifest import code_version
from dagster_project.settings import REPOSITORY, Settings

INBOX = "inbox"
CODE = "dagster/code_references"
"""Metadata of an asset: the file and line that it is written in. Given by ``dg.with_source_code_references``."""
PYTHON_FILE = "written_in"
"""Metadata of an asset that is no model: the file it is written in, from the root of the repository."""
UNIQUE_ID = "dagster_dbt/unique_id"
"""Metadata of a model and of a test: which node of dbt it is. Written by dagster-dbt."""
SOURCE_FILE = "dbt/file"
"""Metadata of a model: the file it is written in, from the root of the repository."""
FIRST_ROWS = "first_rows"
"""Metadata of a test of the models: a table of the rows it names."""
ROW = "row"
"""The one column of that table: a row in words."""
READ = {
    dg.DagsterEventType.STEP_START,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
}
ENDS: dict[dg.DagsterRunStatus, End] = {
    dg.DagsterRunStatus.SUCCESS: "COMPLETE",
    dg.DagsterRunStatus.FAILURE: "FAIL",
    dg.DagsterRunStatus.CANCELED: "ABORT",
}


def rows_named(check: dg.AssetCheckEvaluation) -> list[str]:
    """The rows that a test of the models names, in words."""
    named = check.metadata.get(FIRST_ROWS)
    return [str(record.data[ROW]) for record in named.records] if isinstance(named, dg.TableMetadataValue) else []


def by_run(run_id: str) -> str:
    """How the ledger names a run."""
    return f"run {run_id}"


def with_file(spec: dg.AssetSpec) -> dg.AssetSpec:
    """Name the file of an asset from the root of the repository; Dagster's reference holds a path of this machine."""
    (written,) = spec.metadata[CODE].code_references
    file = Path(written.file_path).relative_to(REPOSITORY).as_posix()
    kept = {name: value for name, value in spec.metadata.items() if name != CODE}
    return spec.replace_attributes(metadata={**kept, PYTHON_FILE: file})


def record_of(
    instance: dg.DagsterInstance, run_id: str, repository: dg.RepositoryDefinition, settings: Settings
) -> RunRecord:
    """The record of a run that ended, wherever it ran: what its steps did with each asset, and the checks of those.

    Raises:
        PipelineProblem: the run has not ended.
    """
    run = instance.get_run_record_by_id(run_id)
    if run is None or run.end_time is None or run.dagster_run.status not in ENDS:
        raise PipelineProblem(f"Run {run_id} has not ended, so it has no lineage yet.")
    graph = repository.asset_graph
    log = _read(instance, run.dagster_run, graph, settings)
    arrived = [e for e in Archive(settings).events("arrived") if e.get("by") == by_run(run_id)]
    return RunRecord(
        run_id=run_id,
        job=run.dagster_run.job_name,
        # a run that could not be launched never started
        started=_moment(run.start_time or run.create_timestamp.timestamp()),
        ended=_moment(run.end_time),
        end=ENDS[run.dagster_run.status],
        code_version=code_version(),
        assets=tuple(log.outcome(key, graph.get(key)) for key in graph.toposorted_asset_keys if key in log.ended),
        inbox=INBOX,
        files={e["file"]: e["sha256"] for e in arrived},
    )


@dataclass
class _Log:
    """What the events of a run say: when steps began, how each asset ended, and the results of its checks.

    ``ended`` has of each asset its step, the time in seconds, metadata, and the error when it was not made.
    """

    started: dict[str, float] = field(default_factory=dict)
    ended: dict[dg.AssetKey, tuple[str, float, Mapping[str, Any], str | None]] = field(default_factory=dict)
    checks: dict[dg.AssetKey, list[CheckOutcome]] = field(default_factory=dict)

    def outcome(self, key: dg.AssetKey, node: Any) -> AssetOutcome:
        """What the run did with an asset."""
        step, at, metadata, error = self.ended[key]
        seconds, rows = metadata.get("dbt/seconds"), metadata.get("dagster/row_count")
        begun = at - float(seconds.value) if seconds is not None else self.started.get(step, at)
        return AssetOutcome(
            name=key.to_user_string(),
            description=node.description or "",
            source=_source(node),
            started=_moment(begun),
            ended=_moment(at),
            error=error,
            parents=tuple(sorted(p.to_user_string() for p in node.parent_keys)),
            columns=_columns(node.metadata),
            checks=tuple(self.checks.get(key, ())),
            rows=int(rows.value) if rows is not None else None,
        )


def _read(instance: dg.DagsterInstance, run: dg.DagsterRun, graph: Any, settings: Settings) -> _Log:
    log, failures, planned = _Log(), {}, {}
    for entry in instance.all_logs(run.run_id, of_type=READ):
        event, at = entry.dagster_event, entry.timestamp
        if event is None:
            continue
        step = event.step_key or ""
        if event.event_type_value == "STEP_START":
            log.started[step] = at
        elif event.event_type_value == "STEP_FAILURE":
            failures[step] = (at, _message(event.step_failure_data.error, settings))
        elif event.event_type_value == "ASSET_MATERIALIZATION_PLANNED" and event.asset_key is not None:
            planned[event.asset_key] = step
        # a run without partitions tells Dagster of each partition beside the asset; one with partitions of nothing else
        elif event.event_type_value == "ASSET_MATERIALIZATION" and (event.partition is None or run.is_partitioned):
            made = event.step_materialization_data.materialization
            log.ended[made.asset_key] = (step, at, made.metadata, None)
        elif event.event_type_value == "ASSET_CHECK_EVALUATION":
            found = event.asset_check_evaluation_data
            why = graph.get_check_spec(found.asset_check_key).description or ""
            outcome = CheckOutcome(found.check_name, found.passed, found.severity.value, why)
            log.checks.setdefault(found.asset_key, []).append(outcome)
    for key, step in planned.items():
        if key not in log.ended and step in failures:
            at, error = failures[step]
            log.ended[key] = (step, at, {}, error)
    return log


def _moment(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def _message(error: Any, settings: Settings) -> str:
    """What went wrong, without what Dagster wraps around it and without the folders of this machine."""
    if error is None:
        return "the step failed"
    return without_folders(str((error.cause or error).message).strip(), settings)


def without_folders(text: str, settings: Settings) -> str:
    """A text with paths from the home and from the repository, not from the root of this machine."""
    return text.replace(f"{settings.home}/", "").replace(f"{REPOSITORY}/", "")


def _source(node: Any) -> str:
    """The file an asset is written in, from the root of the repository."""
    return str(node.metadata.get(SOURCE_FILE) or node.metadata[PYTHON_FILE])


def _columns(metadata: Mapping[str, Any]) -> tuple[Column, ...]:
    shape, made_of = metadata.get("dagster/column_schema"), metadata.get("dagster/column_lineage")
    origins = made_of.deps_by_column if made_of is not None else {}
    return tuple(
        Column(
            c.name,
            c.type,
            c.description or "",
            tuple((o.asset_key.to_user_string(), o.column_name) for o in origins.get(c.name, ())),
        )
        for c in (shape.columns if shape is not None else ())
    )
