"""The only place that reads the clock. Computations get the time as an argument."""

from __future__ import annotations

import datetime as dt


def now() -> dt.datetime:
    """The time in UTC, in whole seconds."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)
