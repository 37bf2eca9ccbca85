"""From the rows of ``cohort_progress`` to one block of arrays per cohort.

What must hold of the table is checked here, and only here. A municipality that has been followed is nobody's
comparison from its first year of follow-up on, and belongs to no later cohort: its years before are not untouched.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dagster_project.diagnostics import Finding, PipelineProblem, Severity
from dagster_project.effects.outcomes import MEAN_GAP
from dagster_project.effects.regression import Floats, Ints

if TYPE_CHECKING:
    import pandas as pd

CONSTANT = ("in_cohort", "baseline_share", "rank", "treated_from")
COLUMNS = ("cohort", "municipality_code", "school_year", "eligible_comparison", "event_time", "risk_share", "pupils")
SOURCE = "cohort_progress"


@dataclass(frozen=True)
class CohortPanel:
    """One cohort and its comparison.

    Shapes: N municipalities, ordered by code; T event times, ascending. ``share`` (N, T) is 0..1, NaN where there is
    no figure or the municipality may not be compared; ``baseline`` (N,) is the share over the window;
    ``log_pupils`` (N,) natural logarithm; ``rank`` (N,) 1 is worst, NaN unknown; ``earlier`` (N, E) baseline shares in
    the E cohorts before this one; ``gap`` (N, T) is the outcome without steps (see ``outcomes``).
    ``set_aside`` counts the municipalities without share or size at the selection.
    """

    cohort: str
    codes: NDArray[np.str_]
    event_times: Ints
    share: Floats
    treated: NDArray[np.bool_]
    baseline: Floats
    log_pupils: Floats
    rank: Floats
    earlier: Floats
    treated_from: int
    window_years: int
    gap: Floats | None = None
    set_aside: int = 0

    @property
    def n_treated(self) -> int:
        """Followed municipalities."""
        return int(self.treated.sum())

    @property
    def n_comparison(self) -> int:
        """Municipalities to compare with."""
        return int((~self.treated).sum())

    @property
    def window(self) -> NDArray[np.bool_]:
        """(T,) which event times are the window of the selection."""
        return (self.event_times > -self.window_years) & (self.event_times <= 0)

    def followed(self, years: int) -> NDArray[np.bool_]:
        """(T,) which event times are the first ``years`` of follow-up."""
        return (self.event_times >= self.treated_from) & (self.event_times < self.treated_from + years)

    def mirrored(self, years: int) -> NDArray[np.bool_]:
        """(T,) which event times lie as far before the middle of the window as the years of follow-up lie after it."""
        mirror = 1 - self.window_years - self.event_times
        return (mirror >= self.treated_from) & (mirror < self.treated_from + years)

    def level(self, years: NDArray[np.bool_]) -> Floats:
        """(N,) mean share over the chosen years; where some are missing, of the rest as if it had all of them.

        A year's difference from the other years is the comparison's, so that a missing year moves nobody.
        """
        chosen = self.share[:, years]
        seen = ~np.isnan(chosen)
        others = _mean(chosen[~self.treated], axis=0)
        shift = np.where(np.isnan(others), 0.0, others - (np.nanmean(others) if (~np.isnan(others)).any() else 0.0))
        return np.where(seen.all(1), _mean(chosen, axis=1), _mean(chosen - shift, axis=1))

    def keep(self, which: NDArray[np.bool_]) -> CohortPanel:
        """The same panel with only some municipalities."""
        names = ("codes", "share", "treated", "baseline", "log_pupils", "rank", "earlier")
        gap = None if self.gap is None else self.gap[which]
        return replace(self, gap=gap, **{name: getattr(self, name)[which] for name in names})

    def of_gap(self) -> CohortPanel | None:
        """The same panel with the outcome without steps in the place of the share; None when it has none."""
        return None if self.gap is None else replace(self, share=self.gap)

    def features(self) -> Floats:
        """(N, 4 + E): one, baseline share, size, both together, and baseline shares of the cohorts before.

        Given these, who was selected says nothing more of the untreated future: the selection looked at the baseline
        share alone, and among those whom the earlier selections had left. Small municipalities are noisier, hence the
        product.
        """
        share, size = _standard(self.baseline), _standard(self.log_pupils)
        earlier = [_standard(column) for column in self.earlier.T]
        return np.column_stack([np.ones(len(share)), share, size, share * size, *earlier])


def _standard(values: Floats) -> Floats:
    """Mean 0 and standard deviation 1; who has no value stands at the mean."""
    centred = np.nan_to_num(values - _mean(values, axis=0))
    return centred / (centred.std() or 1.0)


def _mean(values: Floats, axis: int) -> Floats:
    """Mean of what is there, NaN where nothing is."""
    seen = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(seen, values, 0.0).sum(axis) / np.where(seen.any(axis), seen.sum(axis), np.nan)


def panels(table: Any, window_years: int) -> tuple[CohortPanel, ...]:
    """The cohorts of ``cohort_progress`` (pandas or pyarrow), ordered by name.

    Raises:
        PipelineProblem: a column is missing, a row is given twice, a share lies outside 0..1, or a municipality changes
            what must be one thing per cohort.
    """
    import pandas as pd

    frame: pd.DataFrame = table if isinstance(table, pd.DataFrame) else table.to_pandas()
    _check(frame)
    # decimals of the warehouse, and what pandas makes of a column without any value, become plain numbers
    numbers = {name: frame[name].astype(float) for name in ("risk_share", "pupils", "baseline_share", "rank")}
    frame = frame.assign(in_cohort=frame["in_cohort"].astype(bool), **numbers)
    selected_in = frame[frame["event_time"] == 0].groupby("cohort")["school_year"].min()
    frame = frame[frame["cohort"].isin(selected_in.index)]
    baselines = frame.groupby(["municipality_code", "cohort"])["baseline_share"].first().unstack("cohort")
    clean = frame[~_followed_elsewhere(frame, selected_in)]
    return tuple(
        _panel(
            str(cohort), rows, baselines[selected_in.index[selected_in < selected_in[cohort]]], window_years
        )
        for cohort, rows in clean.groupby("cohort", sort=True)
    )  # fmt: skip


def _finding(code: str, message: str, **more: Any) -> Finding:
    return Finding(code, Severity.FAIL, message, stage="effects", file=SOURCE, **more)


def _check(frame: pd.DataFrame) -> None:
    findings = [
        _finding("missing-column", f"{SOURCE} has no column {name}", column=name, fix="Add it to the model.")
        for name in (*COLUMNS, *CONSTANT)
        if name not in frame
    ]
    if not findings:
        twice = frame.duplicated(["cohort", "municipality_code", "event_time"])
        if twice.any():
            found = " ".join(str(frame.loc[twice, c].iloc[0]) for c in ("cohort", "municipality_code", "event_time"))
            fix = "Give one row per cohort, municipality and school year."
            findings.append(_finding("repeated-row", "a row is repeated", found=found, count=int(twice.sum()), fix=fix))
        for name in ("risk_share", "baseline_share"):
            share = frame[name].astype(float)
            off = (share < 0) | (share > 1)
            if off.any():
                findings.append(
                    _finding(
                        "value-off-scale", f"{name} is not a share", column=name, found=str(share[off].iloc[0]),
                        expected="0 to 1, or null", count=int(off.sum()), fix="Correct the model.",
                    )
                )  # fmt: skip
        kinds = frame.groupby(["cohort", "municipality_code"])[list(CONSTANT)].nunique(dropna=False)
        for name in CONSTANT:
            varying = kinds.index[kinds[name] > 1]
            if len(varying):
                findings.append(
                    _finding(
                        "value-varies", f"{name} changes within a cohort and municipality", column=name,
                        found=" ".join(map(str, varying[0])), expected="one value", count=len(varying),
                        fix="Correct the model.",
                    )
                )  # fmt: skip
        if (frame.groupby("cohort")["treated_from"].nunique() > 1).any():
            findings.append(
                _finding(
                    "value-varies", "treated_from differs within a cohort", column="treated_from",
                    expected="one value per cohort", fix="Correct the model.",
                )
            )  # fmt: skip
    if findings:
        raise PipelineProblem("The effects cannot be estimated from this table.", findings)


def _followed_elsewhere(frame: pd.DataFrame, selected_in: pd.Series) -> pd.Series:
    """Rows that an earlier follow-up has touched, or, of a comparison municipality, a later one."""
    reached = frame[frame["in_cohort"] & (frame["event_time"] >= frame["treated_from"])]
    first = frame["municipality_code"].map(reached.groupby("municipality_code")["school_year"].min()).astype(object)
    before = first.notna() & (first.fillna("") <= frame["cohort"].map(selected_in))
    since = ~frame["in_cohort"] & first.notna() & (frame["school_year"] >= first.fillna(""))
    return before | since


def _panel(cohort: str, rows: pd.DataFrame, earlier: pd.DataFrame, window_years: int) -> CohortPanel:
    rows = rows[rows["in_cohort"] | rows["eligible_comparison"].astype(bool)]
    wide = rows.pivot(index="municipality_code", columns="event_time", values="risk_share").sort_index()
    times = wide.columns.to_numpy(np.int64)
    one = rows.drop_duplicates("municipality_code").set_index("municipality_code").loc[wide.index]
    # size as it was when the selection was made
    known = rows[(rows["event_time"] <= 0) & (rows["event_time"] > -window_years)]
    pupils = known.groupby("municipality_code")["pupils"].mean().reindex(wide.index).to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        log_pupils = np.where(pupils > 0, np.log(pupils), np.nan)
    gap = None
    if MEAN_GAP in rows:
        gaps = rows.pivot(index="municipality_code", columns="event_time", values=MEAN_GAP)
        gap = gaps.reindex(index=wide.index, columns=times).to_numpy(np.float64, na_value=np.nan)
    whole = CohortPanel(
        cohort=cohort,
        codes=wide.index.to_numpy().astype(str),
        event_times=times,
        share=wide.to_numpy(np.float64, na_value=np.nan),
        treated=one["in_cohort"].to_numpy(bool),
        baseline=one["baseline_share"].to_numpy(np.float64),
        log_pupils=log_pupils,
        rank=one["rank"].to_numpy(np.float64),
        earlier=earlier.reindex(wide.index).to_numpy(np.float64),
        treated_from=int(one["treated_from"].iloc[0]) if len(one) else 1,
        window_years=window_years,
        gap=gap,
    )
    usable = ~np.isnan(whole.baseline) & ~np.isnan(whole.log_pupils)
    return replace(whole.keep(usable), set_aside=int((~usable).sum()))
