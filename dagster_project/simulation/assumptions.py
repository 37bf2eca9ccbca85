"""What is assumed about the uncertainty of a cell, as typed data (``data/uncertainty.yaml``)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field, model_validator

from dagster_project.rules.loader import read_checked
from dagster_project.rules.model import Choice, Exact, Sourced, SourceEntry, Strict
from dagster_project.schema import INDICATORS
from dagster_project.settings import Settings

Positive = Annotated[Exact, Field(gt=0)]


class Assumptions(Strict):
    """Standard errors where the files do not state them; every number with basis and source."""

    sources: dict[str, SourceEntry]
    published_multiple: Choice[Positive]
    prior_pupils: Choice[Annotated[Exact, Field(ge=0)]]
    level: Choice[Annotated[Exact, Field(gt=0, lt=1)]]
    draws: Choice[Annotated[int, Field(ge=20, le=100_000)]]
    seed: Choice[Annotated[int, Field(ge=0)]]
    pupil_deviation: dict[str, Choice[Positive]]

    @model_validator(mode="after")
    def _consistent(self) -> Assumptions:
        means = [name for name, known in INDICATORS.items() if not known.share_of_pupils]
        if unknown := sorted(set(self.pupil_deviation) - set(means)):
            raise ValueError(f"{unknown[0]} is no mean over pupils; those are {', '.join(means)}")
        entries: list[Sourced] = [
            self.published_multiple,
            self.prior_pupils,
            self.level,
            self.draws,
            self.seed,
            *self.pupil_deviation.values(),
        ]
        for entry in entries:
            if entry.source not in self.sources:
                raise ValueError(f"source {entry.source} is not among the sources of the file")
        return self

    def deviation(self, indicator: str) -> Decimal | None:
        """Standard deviation between pupils, None for a share and for an indicator nothing is assumed about."""
        entry = self.pupil_deviation.get(indicator)
        return None if entry is None else entry.value


def load_assumptions(settings: Settings) -> Assumptions:
    """Read the home's own ``uncertainty.yaml``, else the repository's.

    Raises:
        RuleProblem: the file is wrong; file and line are named.
    """
    return read_checked(settings.uncertainty, Assumptions, settings)[0]
