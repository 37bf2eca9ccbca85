"""How sensors and schedules tell of a mistake: in the project's own words, as the reason why nothing was run."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

import dagster as dg

from dagster_project.diagnostics import OppfolgingError

Context = TypeVar("Context")
Answer = TypeVar("Answer")


def in_own_words(
    afterwards: str = "",
) -> Callable[[Callable[[Context], Answer]], Callable[[Context], Answer | dg.SkipReason]]:
    """Turn the project's errors into the reason of a skipped tick: message, file, line and fix, and no traceback.

    ``afterwards`` says what a person does once the mistake is corrected, for ticks that do not come again by
    themselves. Any other error stays a failed tick with its traceback: it is a fault of the program.
    """

    def decorate(evaluate: Callable[[Context], Answer]) -> Callable[[Context], Answer | dg.SkipReason]:
        @functools.wraps(evaluate)
        def told(context: Context) -> Answer | dg.SkipReason:
            try:
                return evaluate(context)
            except OppfolgingError as error:
                return dg.SkipReason("\n".join(filter(None, [error.as_text(), afterwards])))

        return told

    return decorate
