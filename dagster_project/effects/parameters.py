"""The choices of the estimation, read from data/effects.yaml and checked like any rule file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from dagster_project.rules.fields import Mistake
from dagster_project.rules.loader import read_checked
from dagster_project.rules.model import Choice, Sources, Strict, unknown_sources
from dagster_project.settings import Settings

# raised when a method changes what it computes
METHODS = "effects-2"


class Matching(Strict):
    """How many neighbours stand in for a followed municipality."""

    neighbours: Choice[Annotated[int, Field(ge=1, le=50)]]


class Discontinuity(Strict):
    """How many ranks on either side of the cut are looked at."""

    bandwidth_ranks: Choice[Annotated[int, Field(ge=5, le=500)]]


class EventStudy(Strict):
    """First and last event time; 0, the last year of the window, is the reference."""

    first: Choice[Annotated[int, Field(ge=-20, le=-1)]]
    last: Choice[Annotated[int, Field(ge=1, le=20)]]


class EffectParameters(Strict):
    """Everything that may be chosen about the estimation, as data/effects.yaml holds it."""

    sources: Sources
    confidence: Choice[Annotated[float, Field(gt=0.5, lt=1)]]
    first_followed_year: Choice[Annotated[int, Field(ge=1, le=3)]]
    followup_years: Choice[Annotated[int, Field(ge=1, le=10)]]
    min_treated: Choice[Annotated[int, Field(ge=2, le=100)]]
    matching: Matching
    discontinuity: Discontinuity
    event_study: EventStudy

    def mistakes(self) -> Iterator[Mistake]:
        """Event time reaches the first followed year, and sources are known."""
        first = self.first_followed_year.value
        if self.event_study.last.value < first:
            message = "the event study ends before the first followed year"
            yield Mistake(("event_study", "last", "value"), message, f"at least {first}")
        yield from unknown_sources(self, self.sources)

    @property
    def method_version(self) -> str:
        """Version of the methods, and a digest of the choices, so that two results can be told apart."""
        return f"{METHODS}+{hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:8]}"


def load_effect_parameters(settings: Settings) -> EffectParameters:
    """The choices in force. Raises RuleProblem with file, line and column of every mistake."""
    return read_checked(settings.effects, EffectParameters, settings)[0]
