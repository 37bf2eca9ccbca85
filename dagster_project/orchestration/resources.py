"""What assets are given: the home they work in, and the lock that keeps two runs from writing to it at once."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from dagster_project.settings import Settings, load_settings


class Home(dg.ConfigurableResource):
    """The data folder. Empty means: what ``OPPFOLGING_HOME`` says, else the repository's ``data/``."""

    path: str = ""

    def settings(self) -> Settings:
        return load_settings(self.path or None)


@contextmanager
def exclusive(settings: Settings) -> Iterator[None]:
    """Hold the home's write lock. A second run, started by hand or by the daemon, waits for its turn here.

    The operating system lets go of the lock when the process ends, however it ends.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    with (settings.home / ".write-lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
