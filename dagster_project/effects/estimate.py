"""From the table of the cohorts to the rows of ``cohort_effect``: every method, and in words what each one says."""

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
from dagster_project.effects.results import NOTHING, CohortEffects, EffectEstimate, Words

NAIVE = Words(
    "Not an effect: the worst of a noisy list improve by themselves.",
    "Ikke en effekt: de svakeste på en usikker liste blir bedre av seg selv.",
)
EXPECTED = Words(
    "What the share would change by chance alone, with no effect and no national change.",
    "Det andelen ville endret seg ved tilfeldighet alene, uten effekt og uten nasjonal endring.",
)
NET = Words(
    "Before and after, less the expected regression and the comparison's change; assumes lasting levels do not drift.",
    "Før og etter, fratrukket ventet regresjon og sammenligningens endring; forutsetter at varige nivåer ligger fast.",
)
PRECISION = Words(
    "An effect smaller than about {detectable:.3f} would probably go unseen.",
    "En effekt mindre enn omtrent {detectable:.3f} ville trolig ikke blitt oppdaget.",
)
FEW_TREATED = Words(
    "Fewer than {minimum} followed municipalities with figures before and after: no estimate.",
    "Færre enn {minimum} fulgte kommuner med tall før og etter: ikke noe anslag.",
)
FEW_OTHERS = Words(
    "Too few municipalities to compare with: no estimate.",
    "For få kommuner å sammenligne med: ikke noe anslag.",
)
FEW_YEARS = Words(
    "The window has too few years or municipalities to tell how reliable the share is: no estimate.",
    "Vinduet har for få år eller kommuner til å si hvor pålitelig andelen er: ikke noe anslag.",
)
NOT_BEFORE = Words(
    "No school year before the window, or an earlier selection had taken its share of it: no estimate.",
    "Ikke noe skoleår før vinduet, eller et tidligere uttrekk hadde tatt sitt av det: ikke noe anslag.",
)
GIVEN = Words("Given baseline share and size.", "Gitt andel og størrelse ved uttrekket.")
AGAINST_BEFORE = Words(
    "Against the years before the window, each as far from its middle as the year of follow-up.",
    "Mot årene før vinduet, hvert like langt fra midten som oppfølgingsåret.",
)
IN_DEVIATIONS = Words(
    "Mean of the indicators' gaps to the nation, in deviations between municipalities; it has no limits.",
    "Snitt av indikatorenes avstand til landet, i standardavvik mellom kommuner; uten grenser.",
)
NO_YEARS = Words("Too few figures by year: no estimate.", "For få tall per år: ikke noe anslag.")
REFERENCE = Words("The reference: last year of the window.", "Referansen: siste år i vinduet.")
WITHOUT_INTERVAL = Words(
    "Without an interval: through points and limits only the mirrored comparison of mean_gap kept its coverage.",
    "Uten intervall: gjennom poeng og grenser holdt bare den speilede sammenligningen av mean_gap dekningen.",
)


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
        self, method: str, estimate: Estimate | None, n_treated: int, n_comparison: int, words: Words,
        event_time: int | None = None, outcome: str = names.SHARE,
    ) -> EffectEstimate:  # fmt: skip
        confidence = self.parameters.confidence.value
        value = error = low = high = None
        if estimate is not None:
            value = _rounded(estimate.value)
            if (outcome, method) in names.WITH_INTERVAL:
                error, low, high = (_rounded(v) for v in (estimate.std_error, *estimate.interval(confidence)))
                words += _fill(PRECISION, detectable=estimate.detectable(confidence))
            elif method != names.BEFORE_AFTER:
                words += WITHOUT_INTERVAL
        return EffectEstimate(
            self.cohort, outcome, method, event_time, value, error, low, high, confidence, n_treated, n_comparison,
            words.english, words.norsk, self.parameters.method_version,
        )  # fmt: skip

    def few_treated(self) -> Words:
        """Why there is no estimate when nobody, or one, was followed."""
        return _fill(FEW_TREATED, minimum=self.parameters.min_treated.value)


def _rounded(value: float) -> float:
    """To the published decimals, and never minus nothing."""
    return round(value, names.DECIMALS) + 0.0


def _fill(words: Words, **values: float | int) -> Words:
    return Words(words.english.format(**values), _with_comma(words.norsk, values))


def _with_comma(text: str, values: dict[str, float | int]) -> str:
    """Norwegian writes decimals with a comma."""
    import re

    return re.sub(r"(?<=\d)\.(?=\d)", ",", text.format(**values))


def _single(panel: CohortPanel, parameters: EffectParameters, write: _Writer) -> Iterator[EffectEstimate]:
    """The methods that look at one cohort by itself."""
    import numpy as np

    years = parameters.followup_years.value
    minimum = parameters.min_treated.value
    aside = NOTHING
    if panel.set_aside:
        aside = Words(
            f"{panel.set_aside} without share or size at the selection are left out.",
            f"{panel.set_aside} uten andel eller størrelse ved uttrekket er holdt utenfor.",
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
        correlation = _fill(
            Words(
                "One year's share correlates {r:.2f} with another's.", "Ett års andel korrelerer {r:.2f} med et annets."
            ),
            r=result.correlation,
        )
        yield write(names.EXPECTED_REGRESSION, result.expected, treated, others, EXPECTED + correlation)
        yield write(names.BEFORE_AFTER_NET, result.net, treated, others, NET)

    neighbours = parameters.matching.neighbours.value
    matched = matched_did(panel, years, neighbours)
    beyond = int((panel.baseline[seen & panel.treated] > panel.baseline[seen & ~panel.treated].max(initial=0)).sum())
    how = Words(
        f"{neighbours} nearest neighbours on baseline share and size, corrected for what still tells them apart. "
        f"{beyond} of {treated} have a worse share than everybody they are compared with; there the line is drawn on.",
        f"{neighbours} nærmeste naboer på andel og størrelse, korrigert for det som fortsatt skiller dem. "
        f"{beyond} av {treated} har verre andel enn alle de sammenlignes med; der er linjen forlenget.",
    )
    yield write(names.MATCHED, matched, treated, others, FEW_OTHERS if matched is None else how)

    bandwidth = parameters.discontinuity.bandwidth_ranks.value
    # a line needs two points, and its spread one more
    cut = rank_discontinuity(panel, years, bandwidth, max(minimum, 3))
    if cut is None:
        yield write(names.DISCONTINUITY, None, treated, others, FEW_OTHERS)
        return
    how = Words(
        f"Holds at the cut; {bandwidth} ranks on either side, {cut.wrong_side} on the wrong side left out.",
        f"Gjelder ved grensen; {bandwidth} plasser på hver side, {cut.wrong_side} på feil side er holdt utenfor.",
    )
    yield write(names.DISCONTINUITY, cut.jump, cut.inside, cut.outside, how)


def _differences(
    members: Sequence[CohortPanel], parameters: EffectParameters, write: _Writer
) -> Iterator[EffectEstimate]:
    years, minimum = parameters.followup_years.value, parameters.min_treated.value

    def row(
        method: str, result: GroupDifference | None, words: Words, otherwise: Words, outcome: str = names.SHARE
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
