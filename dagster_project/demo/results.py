"""Results of the schools: drawn pupil by pupil where the files count pupils, then summed to every level.

Calibrated to what has been published: school effects with a lasting and a yearly part, pupils' spread of 9.1 scale
points, national trends of bullying and grade points, a weak participation in grade 8 in 2022-23, small numbers
hidden and, where one hidden school could be worked out, a second one hidden with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dagster_project.demo.geography import FIRST_REFORMED_YEAR, Country

Floats = NDArray[np.float64]
PUPIL_SD = 9.1
LEVELS_BELOW = {5: (43.7, 56.7), 8: (37.9, 45.0, 54.9, 62.7)}
"""Scale scores that part the mastery levels: three in grade 5, five in grade 8."""
NATIONAL_SCORE = {
    2017: (50.1, 50.0), 2018: (50.2, 50.2), 2019: (50.4, 50.3), 2020: (50.5, 50.4), 2021: (50.4, 50.3),
    2022: (50, 50), 2023: (49.2, 49.8), 2024: (49.0, 49.2), 2025: (48.9, 49.1),
}  # fmt: skip
BULLIED = {7: (7.4, 7.5, 7.7, 7.8, 7.9, 9.9, 12.8, 12.0, 11.6), 10: (5.3, 5.4, 5.5, 5.6, 5.7, 7.4, 11.0, 11.0, 10.4)}
MOTIVATION = {
    7: (3.74, 3.73, 3.71, 3.70, 3.68, 3.63, 3.58, 3.57, 3.56),
    10: (3.41, 3.40, 3.39, 3.38, 3.36, 3.32, 3.28, 3.28, 3.29),
}
SUPPORT = {
    7: (4.35, 4.34, 4.34, 4.33, 4.32, 4.30, 4.26, 4.26, 4.27),
    10: (4.06, 4.05, 4.05, 4.04, 4.03, 4.00, 3.97, 3.98, 3.99),
}
GRADE_POINTS = {
    2016: 41.6, 2017: 41.9, 2018: 42.4, 2019: 43.2, 2020: 43.3, 2021: 43.4, 2022: 42.4, 2023: 42.2, 2024: 42.2,
}  # fmt: skip
WEAK, SPREAD_WEAK = 24, 8


@dataclass(frozen=True)
class Figures:
    """One measure of one grade and year at every level.

    ``value`` and ``n`` have one entry per school (S), old or new municipality (M), county, and the nation last, by
    ``levels``. NaN is no figure; ``hidden`` says which existing figures are starred.
    """

    value: Floats
    n: NDArray[np.int64]
    hidden: NDArray[np.bool_]


@dataclass(frozen=True)
class Effects:
    """How good each school is, in standard deviations between schools; and which municipalities were made weak."""

    lasting: Floats
    weak: tuple[str, ...]
    spread_weak: tuple[str, ...]


def effects(country: Country, rng: np.random.Generator) -> Effects:
    """Draw lasting effects, then make some municipalities weak throughout and others in one or two of their schools."""
    schools = country.schools
    municipality = rng.normal(0, 0.40, len(country.after.code))
    lasting = municipality[schools.new] + rng.normal(0, 0.70, len(schools.code))
    pupils = np.bincount(schools.new, schools.size * ~schools.private, len(country.after.code))
    public = np.bincount(schools.new, (~schools.private & ~schools.special & (schools.closes > 3000)))
    fit = [m for m in range(len(country.after.code) - 1) if pupils[m] > 60]
    weak = rng.choice(fit, WEAK, replace=False)
    for m in weak:
        here = schools.new == m
        # weak whatever they had drawn before: a strong school less a little is not weak
        lasting[here] = np.minimum(lasting[here] - 1.8, -1.8)
    many = [m for m in fit if public[m] >= 4 and m not in set(weak)]
    spread_weak = rng.choice(many, SPREAD_WEAK, replace=False)
    for m in spread_weak:
        here = np.flatnonzero((schools.new == m) & ~schools.private & ~schools.special)
        here = here[np.argsort(-schools.size[here])]
        lasting[here] = 1.2
        lasting[here[::3]] = -2.6
    code = country.after.code
    return Effects(lasting, tuple(sorted(code[m] for m in weak)), tuple(sorted(code[m] for m in spread_weak)))


class Year:
    """One school year of a country: which schools are open, and sums to municipality, county and nation."""

    def __init__(self, country: Country, start: int) -> None:
        self.country, self.start = country, start
        self.after = start >= FIRST_REFORMED_YEAR
        self.municipalities = country.after if self.after else country.before
        schools = country.schools
        self.of = schools.new if self.after else schools.old
        self.open = (schools.opens <= start) & (schools.closes > start)
        self.counties = tuple(sorted({c[:2] for c in self.municipalities.code}))
        index = {c: i for i, c in enumerate(self.counties)}
        self.county_of = np.array([index[c[:2]] for c in self.municipalities.code])

    def has_grade(self, grade: int) -> NDArray[np.bool_]:
        """Open schools with the grade."""
        kind = self.country.schools.kind
        return self.open & ((kind != 2) if grade <= 7 else (kind != 0))

    def cohort(self, grade: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Pupils in the grade of each school."""
        size = rng.poisson(self.country.schools.size).astype(np.int64)
        return np.where(self.has_grade(grade), np.maximum(size, 1), 0)

    def levels(self, total: Floats, n: NDArray[np.int64], *, public: bool) -> tuple[Floats, NDArray[np.int64]]:
        """Means and counts of schools, municipalities, counties and the nation from sums per school."""
        keep = ~self.country.schools.private if public else np.ones(len(n), bool)
        total, n = np.where(keep, total, 0.0), np.where(keep, n, 0)
        m = len(self.municipalities.code)
        tm, nm = np.bincount(self.of, total, m), np.bincount(self.of, n, m)
        tc, nc = np.bincount(self.county_of, tm), np.bincount(self.county_of, nm)
        totals = np.concatenate([total, tm, tc, [total.sum()]])
        counts = np.concatenate([n, nm, nc, [n.sum()]]).astype(np.int64)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(counts > 0, totals / counts, np.nan), counts

    def hide(self, n: NDArray[np.int64], smallest: int, rare: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
        """Which figures are starred: few pupils, rare answers, and the school that would give another one away."""
        schools = len(self.country.schools.code)
        hidden = (n > 0) & (n < smallest)
        if rare is not None:
            hidden |= rare
        own = n[:schools]
        starred, shown = hidden[:schools] & (own > 0), ~hidden[:schools] & (own > 0)
        alone = np.bincount(self.of, starred, len(self.municipalities.code)) == 1
        weight = np.where(shown, own, np.iinfo(np.int64).max)
        order = np.lexsort((weight, self.of))
        first = np.unique(self.of[order], return_index=True)
        for municipality, at in zip(*first, strict=True):
            school = order[at]
            if alone[municipality] and shown[school]:
                hidden[school] = True
        return hidden


def test_scores(
    year: Year, grade: int, shared: Floats, offset: float, national: float, n: NDArray[np.int64],
    rng: np.random.Generator,
) -> tuple[Floats, list[Floats]]:  # fmt: skip
    """Sums of scale scores and numbers of pupils on each mastery level, per school, from pupils drawn one by one."""
    schools = len(n)
    own = national + offset + 2.5 * shared
    pupils = rng.normal(0, PUPIL_SD, int(n.sum())) + np.repeat(own, n)
    of = np.repeat(np.arange(schools), n)
    level = np.digitize(pupils, LEVELS_BELOW[grade])
    on_level = [np.bincount(of, level == at, schools).astype(float) for at in range(len(LEVELS_BELOW[grade]) + 1)]
    return np.bincount(of, pupils, schools).astype(float), on_level
