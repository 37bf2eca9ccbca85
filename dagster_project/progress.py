"""What a run is doing, for whoever watches, and how long each part took, for whoever tunes it.

Assets announce their stages here. Under the Dagster web UI nobody listens and only the timings are kept; the command
line listens and shows them. Knows neither Dagster nor the terminal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Listener = Callable[[str, str], None]

_listener: Listener | None = None
_timings: dict[str, float] = {}


def listen(listener: Listener | None) -> None:
    """Call ``listener(stage, detail)`` from now on; None ends it."""
    global _listener
    _listener = listener


def report(stage: str, detail: str = "") -> None:
    """Tell the listener, if there is one."""
    if _listener is not None:
        _listener(stage, detail)


@contextmanager
def stage(name: str, detail: str = "") -> Iterator[None]:
    """Announce a stage and add its seconds to the timings."""
    report(name, detail)
    start = time.perf_counter()
    try:
        yield
    finally:
        add(name, time.perf_counter() - start)


def add(name: str, seconds: float) -> None:
    """Add seconds to a stage."""
    _timings[name] = _timings.get(name, 0.0) + seconds


def timings() -> dict[str, float]:
    """Seconds of each stage so far, in the order the stages began."""
    return dict(_timings)


def reset() -> None:
    """Forget the timings: a new run begins."""
    _timings.clear()
