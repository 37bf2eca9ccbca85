"""What follows from something that happened: files in the inbox, a run that ended."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import dagster as dg

from dagster_project.settings import load_settings

INBOX_SECONDS = 30


def inbox_files(inbox: Path) -> list[Path]:
    """Files that wait in the inbox. Hidden files and half-written downloads do not count."""
    if not inbox.is_dir():
        return []
    return sorted(
        path
        for path in inbox.iterdir()
        if path.is_file() and not path.name.startswith(".") and path.suffix not in {".tmp", ".part", ".crdownload"}
    )


def content_hashes(files: list[Path], known: dict[str, list[object]]) -> dict[str, list[object]]:
    """``name -> [size, mtime_ns, sha256]``; a file whose size and time did not change is not read again."""
    found: dict[str, list[object]] = {}
    for path in files:
        state = path.stat()
        before = known.get(path.name)
        if before is not None and before[:2] == [state.st_size, state.st_mtime_ns]:
            found[path.name] = before
        else:
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            found[path.name] = [state.st_size, state.st_mtime_ns, digest]
    return found


def run_key(hashes: list[str]) -> str:
    """One key for one set of contents, whatever the files are called and in whatever order they came."""
    return "inbox-" + hashlib.sha256("\n".join(sorted(set(hashes))).encode()).hexdigest()[:32]


def inbox_sensor(job: dg.JobDefinition) -> dg.SensorDefinition:
    """The sensor that runs ``job`` when the inbox holds content not seen before."""

    @dg.sensor(
        name="inbox_sensor",
        job=job,
        minimum_interval_seconds=INBOX_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Runs everything when the inbox holds new content. The same content never starts a second run.",
    )
    def sense(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        settings = load_settings()
        files = inbox_files(settings.inbox)
        if not files:
            return dg.SkipReason("the inbox is empty")
        known = json.loads(context.cursor) if context.cursor else {}
        states = content_hashes(files, known)
        cursor = json.dumps(states, sort_keys=True)
        if states != known:
            # A file that is still being copied changes between two looks, so new content waits for the second look.
            return dg.SensorResult(skip_reason="new files; waiting until they stand still", cursor=cursor)
        hashes = [str(state[2]) for state in states.values()]
        return dg.SensorResult(
            run_requests=[dg.RunRequest(run_key=run_key(hashes), tags={"oppfolging/files": str(len(files))})],
            cursor=cursor,
        )

    return sense


def lineage_sensor(status: dg.DagsterRunStatus) -> dg.SensorDefinition:
    """The sensor that delivers the lineage of runs that ended so. `oppfolging run` delivers its own."""

    @dg.run_status_sensor(
        name=f"lineage_of_{status.value.lower()}",
        run_status=status,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="OpenLineage events of every run started here or by the daemon, whatever job it was, once.",
    )
    def deliver_lineage(context: dg.RunStatusSensorContext) -> None:
        from dagster_project.assets.outcomes import record_of
        from dagster_project.lineage import openlineage

        settings, run_id = load_settings(), context.dagster_run.run_id
        if openlineage.file_of(settings, run_id).exists():
            return
        assert context.repository_def is not None, "the daemon always says which repository a sensor belongs to"
        record = record_of(context.instance, run_id, context.repository_def, settings)
        for warning in openlineage.deliver(settings, record):
            context.log.warning(warning.as_text())

    return deliver_lineage


LINEAGE = [
    lineage_sensor(status)
    for status in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
]
