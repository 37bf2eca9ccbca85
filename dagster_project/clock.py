"""The one place that asks what time it is. Whatever computes is given the time."""

from __future__ import annotations

import datetime as dt


def now() -> dt.datetime:
    """The time in UTC, in whole seconds."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)
