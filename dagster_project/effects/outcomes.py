"""The outcome without steps: how much worse than the nation a municipality is, in the indicators' own units.

The share of risk points has steps at the limits: when a limit is frozen and the nation's level moves, the shares of the
weak move more than the others', without anybody having done anything. A difference from the nation of the same year has
no limit in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dagster_project.effects.regression import Floats

if TYPE_CHECKING:
    import pandas as pd

MEAN_GAP = "mean_gap"


def mean_gap(gaps: Floats, weights: Floats, window: NDArray[np.bool_]) -> Floats:
    """(N, T) the weighted mean over C indicators of the gap to the nation, in deviations between municipalities.

    ``gaps`` (C, N, T) are positive where a municipality is worse, NaN where nothing is shown; ``weights`` (C,);
    ``window`` (T,) says in which years the deviations are taken. NaN where a municipality has no figure at all.
    """
    spread = np.nanstd(gaps[:, :, window], axis=(1, 2))
    usable = spread > 0
    scaled = gaps[usable] / spread[usable, None, None]
    seen = ~np.isnan(scaled)
    weight = np.where(seen, weights[usable, None, None], 0.0).sum(0)
    with np.errstate(invalid="ignore"):
        return np.where(seen, scaled * weights[usable, None, None], 0.0).sum(0) / np.where(weight > 0, weight, np.nan)


def of_progress(rows: pd.DataFrame, weights: Mapping[str, float], window_years: int) -> pd.Series:
    """The same of the indicators of one cohort in ``cohort_progress``, by ``municipality_code`` and ``event_time``.

    ``rows`` has ``municipality_code, event_time, indicator, grade, gap``; ``weights`` are the rule's, by indicator.
    """
    import pandas as pd

    cells = rows.assign(cell=rows["indicator"] + " " + rows["grade"].astype("string").fillna(""))
    wide = cells.pivot_table(index=["cell", "municipality_code"], columns="event_time", values="gap", dropna=False)
    times, codes = wide.columns.to_numpy(), wide.index.get_level_values(1).unique()
    names = wide.index.get_level_values(0).unique()
    cube = wide.reindex(pd.MultiIndex.from_product([names, codes])).to_numpy(float).reshape(len(names), len(codes), -1)
    of = np.array([weights[name.partition(" ")[0]] for name in names])
    found = mean_gap(cube, of, (times <= 0) & (times > -window_years))
    index = pd.MultiIndex.from_product([codes, times], names=["municipality_code", "event_time"])
    return pd.Series(found.ravel(), index=index, name=MEAN_GAP).dropna()
