"""Start the web UI and the daemon together, and stop both together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from dagster_project.orchestration import manifest
from dagster_project.orchestration.pipeline import set_environment
from dagster_project.orchestration.processes import end_runs_of_gone_processes
from dagster_project.printable import printable
from dagster_project.settings import REPOSITORY, Settings

HOST, WEB_SERVER = "127.0.0.1", "dagster_project.orchestration.web_server"
PATIENCE_SECONDS = 20


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """Ask our own children to end; end those that do not."""
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE_SECONDS
    for process in processes:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()


def _end_killed_runs() -> None:
    """Mark runs that were killed as failed, before a queue would wait for them."""
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        for finding in end_runs_of_gone_processes(instance):
            print(printable(finding.as_text()), flush=True)


def serve(settings: Settings, port: int) -> int:
    """Serve until Ctrl-C or until one of the two ends. Returns the exit code.

    Raises:
        PipelineProblem: dbt cannot compile the project.
    """
    manifest.make_ready(settings)
    environment = {**os.environ, **set_environment(settings)}
    _end_killed_runs()
    workspace = str(REPOSITORY / "workspace.yaml")
    programs = Path(sys.executable).parent
    commands: list[list[str | Path]] = [
        [sys.executable, "-m", WEB_SERVER, "-w", workspace, "-h", HOST, "-p", str(port)],
        [programs / "dagster-daemon", "run", "-w", workspace],
    ]

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    # Their own process groups: Ctrl-C reaches this process alone, which then stops both in order.
    processes = [subprocess.Popen(c, cwd=REPOSITORY, env=environment, start_new_session=True) for c in commands]
    at = f"http://{HOST}:{port}"
    print(
        f"Dagster UI: {at}  (Ctrl-C stops it)\nRuns: {at}/runs\nOpen problems: {at}/assets/inbox?view=checks",
        flush=True,
    )
    try:
        while all(process.poll() is None for process in processes):
            time.sleep(0.5)
    except KeyboardInterrupt:
        return 0
    finally:
        _stop(processes)
    return 1
