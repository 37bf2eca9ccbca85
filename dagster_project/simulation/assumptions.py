"""What is assumed about the uncertainty of a cell, as typed data (``data/uncertainty.yaml``)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from dagster_project.rules.fields import Exact, Mistake
from dagster_project.rules.loader import read_checked
from dagster_project.rules.model import Choice, Sources, Strict, unknown_sources
from dagster_project.schema import INDICATORS
from dagster_project.settings import Settings

Positive = Annotated[Exact, Field(gt=0)]
LARGEST_SEED = 2**31 - 1


class Assumptions(Strict):
    """Standard errors where the files do not state them; every number with basis and source."""

    sources: Sources
    published_multiple: Choice[Annotated[Exact, Field(gt=0, le=10)]]
    prior_pupils: Choice[Annotated[Exact, Field(ge=0, le=1000)]]
    level: Choice[Annotated[Exact, Field(gt=0.5, lt=1)]]
    draws: Choice[Annotated[int, Field(ge=20, le=100_000)]]
    seed: Choice[Annotated[int, Field(ge=0, le=LARGEST_SEED)]]
    pupil_deviation: dict[str, Choice[Positive]]

    def mistakes(self) -> Iterator[Mistake]:
        """A deviation belongs to a mean over pupils and fits on half of its scale; sources are known."""
        means = {name: known for name, known in INDICATORS.items() if not known.share_of_pupils}
        for name, entry in self.pupil_deviation.items():
            if name not in means:
                message = f"{name} is no mean over pupils; those are {', '.join(means)}"
                yield Mistake(("pupil_deviation", name), message, f"one of {', '.join(means)}")
            elif float(entry.value) > (most := (means[name].scale_max - means[name].scale_min) / 2):
                message = f"no values on the scale of {name} deviate by {entry.value} from their mean"
                yield Mistake(("pupil_deviation", name, "value"), message, f"at most {most:g}")
        yield from unknown_sources(self, self.sources)

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
