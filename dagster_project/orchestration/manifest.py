"""The dbt manifest, made when the definitions are loaded and it is missing or older than the dbt files.

So that any Dagster command works in a fresh clone, and a changed model shows after "Reload definitions". Where nothing
changed this reads the dbt files once (0.05 s) and starts nothing. ``make manifest`` makes the same manifest.
"""

from __future__ import annotations

import fcntl
import subprocess
import sys

from dagster_project.diagnostics import PipelineProblem
from dagster_project.settings import REPOSITORY, Settings, load_settings
from dagster_project.transform import dbt_step


def make_ready(settings: Settings | None = None) -> bool:
    """Make the manifest if need be, and tell whether there was need to. Other processes wait until it is made.

    In a process of its own: dbt takes a hundred megabytes that whoever only loads the definitions never gives back.

    Raises:
        PipelineProblem: dbt cannot compile the project (the message holds the findings), or dbt/ cannot be written.
    """
    settings = settings or load_settings()
    if dbt_step.is_prepared(settings):
        return False
    lock = settings.dbt_project / ".manifest-lock"
    try:
        handle = lock.open("w")
    except OSError as error:
        raise PipelineProblem(
            f"The dbt manifest has to be made and {lock.parent} cannot be written ({error.strerror}): "
            "run `make manifest` as the user who owns the checkout."
        ) from None
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if dbt_step.is_prepared(settings):
            return False
        print("making the dbt manifest, once (about 20 s)", file=sys.stderr, flush=True)
        made = subprocess.run(
            [sys.executable, "-m", "dagster_project.transform.dbt_step"],
            cwd=REPOSITORY, capture_output=True, text=True,
        )  # fmt: skip
    if made.returncode != 0:
        raise PipelineProblem(made.stderr.strip() or made.stdout.strip())
    dbt_step.load_manifest.cache_clear()
    return True
