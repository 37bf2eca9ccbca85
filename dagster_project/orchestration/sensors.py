"""What follows from something that happened: files in the inbox, a run that ended."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg

from dagster_project import clock, log
from dagster_project.intake.inbox import is_being_written, name_of, waiting
from dagster_project.orchestration import openlineage
from dagster_project.orchestration.outcomes import record_of
from dagster_project.orchestration.schedules import TIME_ZONE
from dagster_project.orchestration.ticks import in_own_words
from dagster_project.settings import load_settings

INBOX_SECONDS = 30
INBOX_SENSOR = "inbox_sensor"
INBOX_TAG = "oppfolging/inbox"
FIRST_WAIT = dt.timedelta(minutes=10)
MOST_RETRIES = 5


def look(inbox: Path) -> dict[str, list[int]]:
    """``name -> [size, changed, put there, inode]`` of the files that may be taken in; times in nanoseconds.

    A file that is put there anew differs from the one before it, also when its bytes and its own time are the same.
    """
    found: dict[str, list[int]] = {}
    for path in waiting(inbox):
        with contextlib.suppress(FileNotFoundError):
            stat = path.stat()
            found[name_of(path)] = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
    return found


def delivery_of(files: dict[str, list[int]]) -> str:
    """The name of one delivery: these files, as they were put there."""
    return "inbox-" + hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:32]


def next_key(delivery: str, runs: Sequence[dg.RunRecord], now: dt.datetime) -> tuple[str | None, str]:
    """The run key to ask with for a delivery whose runs so far are ``runs``, newest first; None means: do not ask.

    Beside it stands why. A run that failed, or ended and left files behind, is asked for again after ten minutes, then
    after twenty, and so on, five times at most: a full disk or a locked file passes, a mistake in a file does not.
    """
    if not runs:
        return delivery, ""
    last = runs[0].dagster_run
    status = dg.DagsterRunStatus
    if last.status is status.CANCELED:
        return None, f"run {last.run_id} for these files was cancelled; launch the job everything to take them in"
    if last.status not in (status.FAILURE, status.SUCCESS):
        return None, f"run {last.run_id} for these files is {last.status.value.lower()}"
    ended = "failed" if last.status is status.FAILURE else "left them in the inbox"
    if len(runs) > MOST_RETRIES:
        return None, (
            f"{len(runs)} runs for these files did not take them all the way; run {last.run_id} {ended}. It is not "
            "asked for again. Correct what that run names, then launch the job everything"
        )
    ended_at = dt.datetime.fromtimestamp(runs[0].end_time or runs[0].update_timestamp.timestamp(), dt.UTC)
    due = ended_at + FIRST_WAIT * 2 ** (len(runs) - 1)
    if now < due:
        return None, (
            f"run {last.run_id} for these files {ended} (attempt {len(runs)} of {MOST_RETRIES + 1}); "
            f"asks again at {due.astimezone(ZoneInfo(TIME_ZONE)):%Y-%m-%d %H:%M}"
        )
    return f"{delivery}-{len(runs)}", ""


def unfinished(instance: dg.DagsterInstance, job: str) -> str | None:
    """The delivery whose last run failed after it had emptied the inbox, when no whole run succeeded since."""
    last = instance.get_run_records(dg.RunsFilter(tags={"dagster/sensor_name": INBOX_SENSOR}), limit=1)
    if not last or last[0].dagster_run.status is not dg.DagsterRunStatus.FAILURE:
        return None
    done = dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS], created_after=last[0].create_timestamp)
    return None if instance.get_run_records(done, limit=1) else last[0].dagster_run.tags[INBOX_TAG]


def inbox_sensor(job: dg.JobDefinition) -> dg.SensorDefinition:
    """The sensor that runs ``job`` when files were put into the inbox, and again when such a run failed."""

    @dg.sensor(
        name=INBOX_SENSOR,
        job=job,
        minimum_interval_seconds=INBOX_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Runs everything when files were put into the inbox. A run that failed or left files there is asked for "
            "again: after ten minutes, then with doubled waits, five times at most."
        ),
    )
    @in_own_words()
    def sense(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        inbox = load_settings().inbox
        files = look(inbox)
        cursor = json.dumps(files, sort_keys=True)
        if files and cursor != context.cursor:
            # A file that is still being copied changes between two looks, so new files wait for the second look.
            return dg.SensorResult(skip_reason="new files; waiting until they stop changing", cursor=cursor)
        # a name as text may be another than the one that the file system knows
        if open_files := [name_of(path) for path in waiting(inbox) if is_being_written(path)]:
            reason = f"some program still has a file open for writing: {', '.join(open_files)}"
            return dg.SensorResult(skip_reason=reason, cursor=cursor)
        delivery = delivery_of(files) if files else unfinished(context.instance, job.name)
        if delivery is None:
            return dg.SensorResult(skip_reason="the inbox is empty", cursor=cursor)
        runs = context.instance.get_run_records(dg.RunsFilter(tags={INBOX_TAG: delivery}), limit=MOST_RETRIES + 1)
        key, reason = next_key(delivery, runs, clock.now())
        if key is None:
            return dg.SensorResult(skip_reason=reason, cursor=cursor)
        tags = {INBOX_TAG: delivery, "oppfolging/files": str(len(files))}
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=key, tags=tags)], cursor=cursor)

    return sense


def lineage_sensor(status: dg.DagsterRunStatus) -> dg.SensorDefinition:
    """The sensor that delivers the lineage of runs that ended so. `oppfolging run` delivers its own."""

    @dg.run_status_sensor(
        name=f"lineage_of_{status.value.lower()}",
        run_status=status,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="OpenLineage events of every run started here or by the daemon, whatever job it was, once.",
    )
    @in_own_words("Its lineage is not sent: a run is looked at once.")
    def deliver_lineage(context: dg.RunStatusSensorContext) -> None:
        settings, run_id = load_settings(), context.dagster_run.run_id
        if openlineage.file_of(settings, run_id).exists():
            return
        assert context.repository_def is not None, "the daemon always says which repository a sensor belongs to"
        record = record_of(context.instance, run_id, context.repository_def, settings)
        for warning in openlineage.deliver(settings, record):
            context.log.warning(warning.as_text())
        with log.following(settings.home, run=run_id):
            log.event("run finished", job=context.dagster_run.job_name, success=status is dg.DagsterRunStatus.SUCCESS)

    return deliver_lineage


LINEAGE = [
    lineage_sensor(status)
    for status in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
]
