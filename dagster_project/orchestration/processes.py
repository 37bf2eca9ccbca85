"""Which process a run lives in, and the end of runs whose process is gone.

A run that is killed stays "started" in Dagster's history, and the queue starts no other while it does. Each run carries
its process as tags. Whoever starts the pipeline or the web UI ends the runs whose process no longer exists. What cannot
be proved, such as a run of another machine, is left to run monitoring (``dagster.yaml``).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dagster_project.diagnostics import Finding, Severity

if TYPE_CHECKING:
    import dagster as dg

HOST_TAG = "oppfolging/host"
PID_TAG = "oppfolging/pid"
PROCESS_TAG = "oppfolging/process"
_PROC = Path("/proc")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _boot() -> str:
    """Which start of the machine this is; empty where the system does not say."""
    return _read(_PROC / "sys/kernel/random/boot_id")


def _namespace() -> str:
    """Within which numbering of processes a pid holds: containers on one machine each have their own."""
    try:
        return str((_PROC / "self/ns/pid").readlink())
    except OSError:
        return ""


def _started(pid: int) -> str | None:
    """When a process began, in clock ticks since the start of the machine; None when there is no such process.

    A process that has ended and waits for its parent to notice counts as gone. Empty where the system does not say.
    """
    if not _PROC.is_dir():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass
        return ""
    stat = _read(_PROC / str(pid) / "stat")
    # the name of the program, in parentheses, may hold spaces: the fields are counted from behind it
    fields = stat.rpartition(")")[2].split()
    return fields[19] if fields and fields[0] not in ("Z", "X") else None


def tags_of_this_process(run_id: str) -> dict[str, str]:
    """The tags that say which process a run lives in. They name the run: Dagster copies tags to a re-execution."""
    pid = os.getpid()
    return {
        HOST_TAG: socket.gethostname(),
        PID_TAG: str(pid),
        PROCESS_TAG: f"{run_id} {_boot()} {_namespace()} {_started(pid) or ''}".strip(),
    }


def is_gone(run_id: str, tags: Mapping[str, str]) -> bool:
    """Whether the process of a run is proved to be gone. False when that cannot be told from here."""
    process = tags.get(PROCESS_TAG, "").split(" ")
    if process[0] != run_id or tags.get(HOST_TAG) != socket.gethostname():
        return False
    if len(process) != 4:
        return _started(int(tags[PID_TAG])) is None
    _, boot, namespace, started = process
    if boot != _boot():
        return True
    return namespace == _namespace() and _started(int(tags[PID_TAG])) != started


def end_runs_of_gone_processes(instance: dg.DagsterInstance) -> list[Finding]:
    """Mark as failed what this instance believes to be running though its process is gone; a finding for each."""
    import dagster as dg

    status = dg.DagsterRunStatus
    unfinished = dg.RunsFilter(statuses=[status.NOT_STARTED, status.STARTING, status.STARTED, status.CANCELING])
    ended = []
    for record in instance.get_run_records(unfinished):
        run = record.dagster_run
        if not is_gone(run.run_id, run.tags):
            continue
        instance.report_run_failed(
            run, f"The process of this run (pid {run.tags[PID_TAG]} on {run.tags[HOST_TAG]}) ended without a result."
        )
        ended.append(
            Finding(
                "run-process-gone",
                Severity.WARN,
                f"Run {run.run_id} of {run.job_name} was killed: its process is gone. It is marked as failed.",
                stage="run",
                found=f"{run.status.value}, pid {run.tags[PID_TAG]}",
                expected="a process that reports the end of its run",
                fix="Nothing to repair: this run, or the next, computes what that one left undone.",
            )
        )
    return ended
