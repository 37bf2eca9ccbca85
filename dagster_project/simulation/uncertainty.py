"""The uncertainty of the list: probabilities of selection, intervals of share and rank, confidence sets for ranks."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dagster_project.intake.partitions import Extracts
from dagster_project.settings import Settings
from dagster_project.simulation import rank_sets
from dagster_project.simulation.assumptions import Assumptions
from dagster_project.simulation.draws import Draws, simulate
from dagster_project.simulation.scenario import Base

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

# so that the last bits of another machine's arithmetic do not show
DECIMALS = 6
MOST_PAIRED = 1000
"""Among how many units every pair is compared; more than that get the sets from bands alone, as schools do."""


@dataclass(frozen=True)
class Uncertainty:
    """The draws of a round with the rule they were judged by, their level, seed and number."""

    base: Base
    draws: Draws
    level: float
    count: int
    seed: int


def compute_uncertainty(
    settings: Settings, base: Base, assumed: Assumptions, *, draws: int | None = None, seed: int | None = None,
    extracts: Extracts | None = None,
) -> Uncertainty:  # fmt: skip
    """Draw the round's figures anew, as often as is assumed where ``draws`` is None. The official list never changes.

    ``extracts`` holds the figures with the uncertainty that their files state; those of ``settings`` when None.

    Raises:
        NotFound: the round has no tables here.
        RuleProblem: nothing is assumed about an indicator.
        PipelineProblem: the models do not give the published figures again.
    """
    count = assumed.draws.value if draws is None else draws
    start = assumed.seed.value if seed is None else seed
    with nullcontext(extracts) if extracts is not None else Extracts(settings) as figures:
        found = simulate(settings, base, assumed, draws=count, seed=start, extracts=figures)
    return Uncertainty(base, found, float(assumed.level.value), count, start)


def uncertainty_schema() -> pa.Schema:
    """Columns of ``selection_uncertainty``, one row a rated municipality or school. A file under dbt/ explains them."""
    import pyarrow as pa

    text, whole, real, flag = pa.string(), pa.int64(), pa.float64(), pa.bool_()
    return pa.schema(
        [
            *((n, text) for n in ("round", "unit_level", "unit_code", "unit_name", "municipality_code")),
            ("rank", whole),
            ("risk_share", real),
            *((n, real) for n in ("mean_of_draws", "share_low", "share_high")),
            *((n, whole) for n in ("rank_low", "rank_high")),
            *((n, real) for n in ("probability_selected", "probability_average", "probability_spread")),
            ("probability_worst_quartile", real),
            *((n, whole) for n in ("rank_set_low", "rank_set_high")),
            *((n, whole) for n in ("rank_set_simultaneous_low", "rank_set_simultaneous_high")),
            ("worst_count", whole),
            ("could_be_selected", flag),
            ("could_be_worst_quartile", flag),
            ("level", real),
            ("draws", whole),
            ("seed", whole),
            ("data_origin", text),
        ]
    )


def repeat_interval(
    observed: np.ndarray, draws: np.ndarray, level: float, lowest: float, highest: float
) -> tuple[np.ndarray, np.ndarray]:
    """Where ``observed`` (units,) would lie in ``level`` of the repeats of the round.

    ``draws`` has shape (draws, units). The published round and a repeat of it are two draws of the same truth: what
    they differ by is spread as what two draws around the published figures differ by, whichever comes first. So neither
    the noise that the published figures carry already, nor that points are steps, shifts the interval.
    """
    import numpy as np

    apart = draws - np.roll(draws, 1, axis=0)
    reach = np.quantile(np.abs(apart), level, axis=0, method="inverted_cdf")
    return np.clip(observed - reach, lowest, highest), np.clip(observed + reach, lowest, highest)


def _rows(found: Uncertainty, unit_level: str) -> list[dict[str, Any]]:
    import numpy as np

    d, rules = found.draws, found.base.rules
    municipal = unit_level == "municipality"
    units = d.municipalities if municipal else d.schools
    if not units:
        return []
    shares, ranks = (d.municipality_share, d.municipality_rank) if municipal else (d.school_share, d.school_rank)
    observed = np.array([u["risk_share"] for u in units])
    errors = shares - shares.mean(axis=0)
    own = None
    if municipal and len(units) <= MOST_PAIRED:
        own, together = (f(observed, errors, found.level) for f in (rank_sets.marginal, rank_sets.simultaneous))
    else:
        together = rank_sets.by_bands(observed, errors, found.level)
    worst = rules.groups.average.quota.value if municipal else int(rules.worst_schools.percent.value * len(units) / 100)
    among = None if municipal else together.could_be_among(worst)
    share_low, share_high = repeat_interval(observed, shares, found.level, 0, 1)
    published_ranks = np.array([u["rank"] for u in units])
    rank_low, rank_high = repeat_interval(published_ranks, ranks, found.level, 1, len(units))
    expected = shares.mean(axis=0)
    rows = []
    for i, unit in enumerate(units):
        rows.append(
            {
                "round": found.base.round.id,
                "unit_level": unit_level,
                "unit_code": unit[f"{unit_level}_code"],
                "unit_name": unit[f"{unit_level}_name"],
                "municipality_code": unit["municipality_code"],
                "rank": unit["rank"],
                "risk_share": unit["risk_share"],
                "mean_of_draws": round(float(expected[i]), DECIMALS),
                "share_low": round(float(share_low[i]), DECIMALS),
                "share_high": round(float(share_high[i]), DECIMALS),
                "rank_low": int(rank_low[i]),
                "rank_high": int(rank_high[i]),
                "probability_selected": float(d.either[i]) if municipal else None,
                "probability_average": float(d.average[i]) if municipal else None,
                "probability_spread": float(d.spread[i]) if municipal else None,
                "probability_worst_quartile": None if municipal else float(d.worst_quartile[i]),
                "rank_set_low": int(own.low[i]) if own else None,
                "rank_set_high": int(own.high[i]) if own else None,
                "rank_set_simultaneous_low": int(together.low[i]),
                "rank_set_simultaneous_high": int(together.high[i]),
                "worst_count": worst,
                # the chance of the groups knows who is barred; a rank among the worst does not
                "could_be_selected": bool(d.either[i] >= (1 - found.level) / 2) if municipal else None,
                "could_be_worst_quartile": None if among is None else bool(among[i]),
                "level": found.level,
                "draws": found.count,
                "seed": found.seed,
                "data_origin": found.base.round.origin,
            }
        )
    return rows


def uncertainty_table(found: Uncertainty) -> pa.Table:
    """``selection_uncertainty``: municipalities, then schools, each by number. Units that are not rated have no row."""
    import pyarrow as pa

    rows = [*_rows(found, "municipality"), *_rows(found, "school")]
    return pa.Table.from_pylist(rows, schema=uncertainty_schema())
