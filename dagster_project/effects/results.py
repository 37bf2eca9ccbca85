"""What the estimation returns: frozen rows of the mart ``cohort_effect``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from dagster_project.effects.outcomes import MEAN_GAP
from dagster_project.pages.words import texts

if TYPE_CHECKING:
    import pyarrow as pa

BEFORE_AFTER = "before_after_naive"
EXPECTED_REGRESSION = "expected_regression_to_the_mean"
BEFORE_AFTER_NET = "before_after_net"
MATCHED = "matched_did"
DISCONTINUITY = "rank_discontinuity"
LAGGED = "lagged_outcome_regression"
MIRRORED = "did_mirrored"
EVENT_STUDY = "event_study"
POOLED = "all"
SHARE = "risk_share"
WITH_INTERVAL = frozenset({(MEAN_GAP, MIRRORED)})
"""Outcomes and methods whose 95 % interval holds the truth in every kind of nation that was passed through points and
limits: in 91 to 97 % (docs/effects.md). The others are published without an interval."""
# a figure is published to a millionth, so that the last bits of another machine's arithmetic do not show
DECIMALS = 6


@dataclass(frozen=True)
class Remark:
    """What is said of an estimate: sentences of the catalogue with the numbers in them."""

    sentences: tuple[tuple[str, Mapping[str, object]], ...] = ()

    def __add__(self, other: Remark) -> Remark:
        return Remark((*self.sentences, *other.sentences))

    def as_text(self, lang: str) -> str:
        """The sentences in a language."""
        return " ".join(texts(lang)._(text, **values) for text, values in self.sentences)


def remark(text: str, **values: object) -> Remark:
    """One sentence, marked with ``N_``."""
    return Remark(((text, values),))


@dataclass(frozen=True)
class EffectEstimate:
    """One row of ``cohort_effect``.

    Of the outcome ``risk_share``, ``estimate`` is in share points (0.01 is one hundredth of the possible points); of
    ``mean_gap``, it is in deviations between municipalities, as are ``std_error`` and the interval. Negative is an
    improvement. An ``estimate`` that could not be made is None, and ``note`` says why. Only an outcome and method of
    ``WITH_INTERVAL`` have a standard error and an interval.
    """

    cohort: str
    outcome: str
    method: str
    event_time: int | None
    estimate: float | None
    std_error: float | None
    ci_low: float | None
    ci_high: float | None
    confidence: float
    n_treated: int
    n_comparison: int
    note: str
    norsk: str
    method_version: str


@dataclass(frozen=True)
class CohortEffects:
    """All rows, ordered by cohort, method and event time."""

    rows: tuple[EffectEstimate, ...]

    def to_table(self) -> pa.Table:
        """The rows under the published names and types, also when there are none."""
        import pyarrow as pa

        types = {"str": pa.string(), "int": pa.int32(), "float": pa.float64()}
        schema = pa.schema(
            [pa.field(f.name, types[str(f.type).split(" |")[0]], "None" in str(f.type)) for f in fields(EffectEstimate)]
        )
        return pa.Table.from_pylist([asdict(row) for row in self.rows], schema=schema)
