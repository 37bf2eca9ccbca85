"""The effective weight of each indicator, compared with its weight in the rule.

A weight in a sum is not its influence: an indicator on which all are alike moves nobody. Two measures are given.
(1) The share of a municipality is the sum of its indicators' parts; the covariance of a part with the share, divided by
the variance of the share, is the part's effective weight, and these sum to 1 (Wang and Stanley 1970). (2) The rule is
computed again without the indicator (OECD and JRC 2008, on inclusion and exclusion of indicators). On why nominal
weights mislead: Paruolo, Saisana and Saltelli (2013). docs/what-if-and-uncertainty.md has the references.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dagster_project.simulation.compare import Comparison, spearman
from dagster_project.simulation.scenario import Base

if TYPE_CHECKING:
    import pyarrow as pa


def weights_schema() -> pa.Schema:
    """Columns of ``indicator_weights``: one row an indicator."""
    import pyarrow as pa

    text, whole, real = pa.string(), pa.int64(), pa.float64()
    return pa.schema(
        [
            ("round", text),
            ("indicator", text),
            *((n, real) for n in ("nominal_weight", "effective_weight", "rank_correlation")),
            ("mean_rank_change_without", real),
            ("enters_without", whole),
            ("leaves_without", whole),
            ("data_origin", text),
        ]
    )


def indicator_weights(base: Base, without: Mapping[str, Comparison]) -> pa.Table:
    """Nominal and effective weights over the rated municipalities as published, and what leaving one out changes.

    Raises:
        NotFound: the round is not published.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    rated = base.table("municipality_ranking").filter(pc.field("rated"))
    row_of = {code: i for i, code in enumerate(rated["municipality_code"].to_pylist())}
    columns = ["unit_code", "indicator", "weighted_points", "possible_points"]
    points = base.table("indicator_points").filter(pc.field("unit_level") == "municipality").select(columns)
    names = [i.name for i in base.rules.indicators]
    obtained, possible = np.zeros((len(row_of), len(names))), np.zeros((len(row_of), len(names)))
    for unit, name, got, of in zip(*(points[c].to_pylist() for c in columns), strict=True):
        if unit in row_of:
            obtained[row_of[unit], names.index(name)] += float(got or 0)
            possible[row_of[unit], names.index(name)] += float(of)
    sums = possible.sum(axis=1, keepdims=True)
    parts = np.divide(obtained, sums, out=np.zeros_like(obtained), where=sums > 0)
    share = parts.sum(axis=1)
    spread = share - share.mean()
    variance = float(spread @ spread)
    rows = []
    for position, name in enumerate(names):
        part = parts[:, position]
        drop = without.get(name)
        moved = [abs(r["rank_change"]) for r in drop.rows if r["rank_change"] is not None] if drop else []
        rows.append(
            {
                "round": base.round.id,
                "indicator": name,
                "nominal_weight": float(possible[:, position].sum() / possible.sum()),
                "effective_weight": float((part - part.mean()) @ spread) / variance if variance > 0 else None,
                "rank_correlation": spearman(part.tolist(), share.tolist()),
                "mean_rank_change_without": float(np.mean(moved)) if moved else None,
                "enters_without": drop.counts["enters"] if drop else None,
                "leaves_without": drop.counts["leaves"] if drop else None,
                "data_origin": base.round.origin,
            }
        )
    return pa.Table.from_pylist(rows, schema=weights_schema())
