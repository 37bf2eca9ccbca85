"""Compute the rows of ``cohort_effect`` from the table of the cohorts: every method, with a remark on each estimate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dagster_project.effects import results as names
from dagster_project.effects.before_after import before_after
from dagster_project.effects.differences import EventStudy, GroupDifference, did, event_study, mirrored_did
from dagster_project.effects.discontinuity import rank_discontinuity
from dagster_project.effects.matched import matched_did
from dagster_project.effects.panel import CohortPanel, panels
from dagster_project.effects.parameters import EffectParameters
from dagster_project.effects.regression import Estimate
from dagster_project.effects.results import CohortEffects, EffectEstimate, Remark, remark
from dagster_project.pages.words import N_

NAIVE = remark(N_("Not an effect: the worst municipalities of an uncertain list improve by chance alone."))
EXPECTED = remark(N_("The change expected by chance alone, with no effect and no national change."))
NET = remark(N_(
    "The change from before to after, minus the expected regression to the mean and the change in the comparison "
    "group; assumes that lasting levels do not drift."
))  # fmt: skip
FEW_OTHERS = remark(N_("Too few municipalities to compare with: no estimate."))
FEW_YEARS = remark(N_("Too few years or municipalities in the window to tell how reliable the share is: no estimate."))
NOT_BEFORE = remark(N_("There is no school year before the window, or an earlier selection affects it: no estimate."))
GIVEN = remark(N_("Adjusted for share and size at the selection."))
AGAINST_BEFORE = remark(N_(
    "Compared with the years before the window, each as far from the middle of the window as the year of follow-up."
))  # fmt: skip
IN_DEVIATIONS = remark(N_(
    "The mean distance of the indicators from the national figure, in standard deviations between municipalities; "
    "limits play no part in it."
))  # fmt: skip
NO_YEARS = remark(N_("Too few figures by year: no estimate."))
REFERENCE = remark(N_("The reference: the last year of the window."))
WITHOUT_INTERVAL = remark(N_(
    "Without an interval: in tests with known effects, only the intervals of the mirrored comparison of mean_gap "
    "covered the true effect as often as they should."
))  # fmt: skip


def estimate_effects(table: Any, parameters: EffectParameters, window_years: int) -> CohortEffects:
    """Estimate what the follow-up did to the risk share of each cohort, and of all cohorts stacked.

    With a column ``mean_gap`` (see ``outcomes``) the mirrored comparison is made of that outcome too.

    ``table`` is the mart ``cohort_progress`` for the risk share, as pandas or pyarrow: one row per cohort,
    municipality and school year, with ``cohort, municipality_code, school_year, in_cohort, eligible_comparison,
    event_time, risk_share, pupils, baseline_share, rank, treated_from``. ``window_years`` is the rule set's.

    What cannot be estimated is a row without estimate whose note says why. Raises PipelineProblem when the table
    breaks its contract.
    """
    rows: list[EffectEstimate] = []
    cohorts = panels(table, window_years)
    groups: list[tuple[str, tuple[CohortPanel, ...]]] = [(p.cohort, (p,)) for p in cohorts]
    if len(cohorts) > 1:
        groups.append((names.POOLED, cohorts))
    for cohort, members in groups:
        write = _Writer(cohort, parameters)
        if len(members) == 1:
            rows.extend(_single(members[0], parameters, write))
        rows.extend(_differences(members, parameters, write))
        rows.extend(_study(members, parameters, write))
    return CohortEffects(tuple(rows))


class _Writer:
    """Makes rows of one cohort: rounds, adds the interval, fills in the remarks."""

    def __init__(self, cohort: str, parameters: EffectParameters) -> None:
        self.cohort, self.parameters = cohort, parameters

    def __call__(
        self, method: str, estimate: Estimate | None, n_treated: int, n_comparison: int, words: Remark,
        event_time: int | None = None, outcome: str = names.SHARE,
    ) -> EffectEstimate:  # fmt: skip
        confidence = self.parameters.confidence.value
        value = error = low = high = None
        if estimate is not None:
            value = _rounded(estimate.value)
            if (outcome, method) in names.WITH_INTERVAL:
                error, low, high = (_rounded(v) for v in (estimate.std_error, *estimate.interval(confidence)))
                words += remark(
                    N_("An effect smaller than about {detectable} would probably not be detected."),
                    detectable=round(estimate.detectable(confidence), 3),
                )
            elif method != names.BEFORE_AFTER:
                words += WITHOUT_INTERVAL
        return EffectEstimate(
            self.cohort, outcome, method, event_time, value, error, low, high, confidence, n_treated, n_comparison,
            words.as_text("en"), words.as_text("no"), self.parameters.method_version,
        )  # fmt: skip

    def few_treated(self) -> Remark:
        """Why there is no estimate when nobody, or one, was followed."""
        return remark(
            N_("Fewer than {minimum} followed municipalities have figures before and after: no estimate."),
            minimum=self.parameters.min_treated.value,
        )


def _rounded(value: float) -> float:
    """To the published decimals, and never minus nothing."""
    return round(value, names.DECIMALS) + 0.0


def _single(panel: CohortPanel, parameters: EffectParameters, write: _Writer) -> Iterator[EffectEstimate]:
    """The methods that look at one cohort by itself."""
    import numpy as np

    years = parameters.followup_years.value
    minimum = parameters.min_treated.value
    aside = Remark()
    if panel.set_aside:
        aside = remark(
            N_("Municipalities left out because their share or size at the selection is missing: {count}."),
            count=panel.set_aside,
        )
    seen = ~np.isnan(panel.level(panel.followed(years)))
    treated, others = int((seen & panel.treated).sum()), int((seen & ~panel.treated).sum())
    methods = (
        names.BEFORE_AFTER,
        names.EXPECTED_REGRESSION,
        names.BEFORE_AFTER_NET,
        names.MATCHED,
        names.DISCONTINUITY,
    )
    if treated < minimum:
        yield from (write(method, None, treated, others, write.few_treated() + aside) for method in methods)
        return
    result = before_after(panel, years)
    yield write(names.BEFORE_AFTER, result.naive, treated, others, NAIVE + aside)
    if result.correlation is None:
        yield write(names.EXPECTED_REGRESSION, None, treated, others, FEW_YEARS)
        yield write(names.BEFORE_AFTER_NET, None, treated, others, FEW_YEARS)
    else:
        correlation = remark(
            N_("The correlation between the shares of two years is {correlation}."),
            correlation=round(result.correlation, 2),
        )
        yield write(names.EXPECTED_REGRESSION, result.expected, treated, others, EXPECTED + correlation)
        yield write(names.BEFORE_AFTER_NET, result.net, treated, others, NET)

    neighbours = parameters.matching.neighbours.value
    matched = matched_did(panel, years, neighbours)
    beyond = int((panel.baseline[seen & panel.treated] > panel.baseline[seen & ~panel.treated].max(initial=0)).sum())
    how = remark(
        N_(
            "{neighbours} nearest neighbours in share and size at the selection, corrected for the differences that "
            "remain. {beyond} of {treated} have a worse share than all they are compared with; for these the line is "
            "extended."
        ),
        neighbours=neighbours, beyond=beyond, treated=treated,
    )  # fmt: skip
    yield write(names.MATCHED, matched, treated, others, FEW_OTHERS if matched is None else how)

    bandwidth = parameters.discontinuity.bandwidth_ranks.value
    # a line needs two points, and its spread one more
    cut = rank_discontinuity(panel, years, bandwidth, max(minimum, 3))
    if cut is None:
        yield write(names.DISCONTINUITY, None, treated, others, FEW_OTHERS)
        return
    how = remark(
        N_("Applies at the cut-off, with {bandwidth} ranks on either side. Left out on the wrong side of it: {wrong}."),
        bandwidth=bandwidth, wrong=cut.wrong_side,
    )  # fmt: skip
    yield write(names.DISCONTINUITY, cut.jump, cut.inside, cut.outside, how)


def _differences(
    members: Sequence[CohortPanel], parameters: EffectParameters, write: _Writer
) -> Iterator[EffectEstimate]:
    years, minimum = parameters.followup_years.value, parameters.min_treated.value

    def row(
        method: str, result: GroupDifference | None, words: Remark, otherwise: Remark, outcome: str = names.SHARE
    ) -> EffectEstimate:
        if result is not None:
            return write(method, result.effect, result.n_treated, result.n_comparison, words, outcome=outcome)
        treated, others = _sizes(members)
        why = write.few_treated() if treated < minimum else otherwise
        return write(method, None, treated, others, why, outcome=outcome)

    yield row(names.LAGGED, did(members, years, minimum), GIVEN, FEW_OTHERS)
    if len(members) == 1:
        yield row(names.MIRRORED, mirrored_did(members[0], years, minimum), AGAINST_BEFORE, NOT_BEFORE)
        if (panel := members[0].of_gap()) is not None:
            found = mirrored_did(panel, years, minimum)
            words = IN_DEVIATIONS + AGAINST_BEFORE
            yield row(names.MIRRORED, found, words, NOT_BEFORE, names.MEAN_GAP)


def _study(members: Sequence[CohortPanel], parameters: EffectParameters, write: _Writer) -> Iterator[EffectEstimate]:
    chosen, minimum = parameters.event_study, parameters.min_treated.value
    study: EventStudy | None = event_study(members, chosen.first.value, chosen.last.value, minimum)
    if study is None:
        treated, others = _sizes(members)
        yield write(names.EVENT_STUDY, None, treated, others, write.few_treated() if treated < minimum else NO_YEARS)
        return
    every = {**study.coefficients, 0: Estimate(0.0, 0.0, study.counts[0][0])}
    for e in sorted(every):
        words = GIVEN if e else REFERENCE
        yield write(names.EVENT_STUDY, every[e], *study.counts[e], words, event_time=e)


def _sizes(members: Sequence[CohortPanel]) -> tuple[int, int]:
    """Different municipalities followed, and to compare with."""
    treated = {c for p in members for c in p.codes[p.treated]}
    others = {c for p in members for c in p.codes[~p.treated]}
    return len(treated), len(others)
