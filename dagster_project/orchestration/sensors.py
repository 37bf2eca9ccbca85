"""What follows from something that happened: files in the inbox, a run that ended."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg

from dagster_project.orchestration.schedules import TIME_ZONE
from dagster_project.orchestration.ticks import in_own_words
from dagster_project.settings import load_settings

INBOX_SECONDS = 30
INBOX_TAG = "oppfolging/inbox"
FIRST_WAIT = dt.timedelta(minutes=10)
MOST_RETRIES = 5


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


def next_key(key: str, runs: Sequence[dg.RunRecord], now: dt.datetime) -> tuple[str | None, str]:
    """The run key to ask with for content whose runs so far are ``runs``, newest first; None means: do not ask.

    Beside it stands why. A run that failed is asked for again after ten minutes, then after twenty, and so on, five
    times at most: a full disk or a locked file passes, a mistake in a file does not.
    """
    if not runs:
        return key, ""
    last = runs[0].dagster_run
    status = dg.DagsterRunStatus
    if last.status is status.SUCCESS:
        return None, f"run {last.run_id} took in this content; the same content never starts a second run"
    if last.status is status.CANCELED:
        return None, f"run {last.run_id} for this content was cancelled; launch the job everything to take it in"
    if last.status is not status.FAILURE:
        return None, f"run {last.run_id} for this content is {last.status.value.lower()}"
    if len(runs) > MOST_RETRIES:
        return None, (
            f"{len(runs)} runs for this content failed, the last is {last.run_id}; it is not asked for again. "
            "Correct what that run names, then launch the job everything"
        )
    failed_at = dt.datetime.fromtimestamp(runs[0].end_time or runs[0].update_timestamp.timestamp(), dt.UTC)
    due = failed_at + FIRST_WAIT * 2 ** (len(runs) - 1)
    if now < due:
        return None, (
            f"run {last.run_id} for this content failed (attempt {len(runs)} of {MOST_RETRIES + 1}); "
            f"asks again at {due.astimezone(ZoneInfo(TIME_ZONE)):%Y-%m-%d %H:%M}"
        )
    return f"{key}-{len(runs)}", ""


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def inbox_sensor(job: dg.JobDefinition) -> dg.SensorDefinition:
    """The sensor that runs ``job`` when the inbox holds content not seen before, or whose last run failed."""

    @dg.sensor(
        name="inbox_sensor",
        job=job,
        minimum_interval_seconds=INBOX_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Runs everything when the inbox holds new content. The same content starts a second run only when the "
            "first one failed: after ten minutes, then with doubled waits, five times at most."
        ),
    )
    @in_own_words()
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
            return dg.SensorResult(skip_reason="new files; waiting until they stop changing", cursor=cursor)
        content = run_key([str(state[2]) for state in states.values()])
        runs = context.instance.get_run_records(dg.RunsFilter(tags={INBOX_TAG: content}), limit=MOST_RETRIES + 1)
        key, reason = next_key(content, runs, _now())
        if key is None:
            return dg.SensorResult(skip_reason=reason, cursor=cursor)
        tags = {INBOX_TAG: content, "oppfolging/files": str(len(files))}
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
