"""Draw Fabelland and write its files: nine school years of tests, survey and grade points, and the registers.

Each school year has random numbers of its own, so that a year is the same whether it is written alone or with others.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dagster_project.demo import files, geography, pivots
from dagster_project.demo.files import View
from dagster_project.demo.results import (
    BULLIED,
    GRADE_POINTS,
    MOTIVATION,
    NATIONAL_SCORE,
    SUPPORT,
    Figures,
    Floats,
    Year,
    effects,
    test_scores,
)
from dagster_project.schema import school_year_label

SEED = 20_260
YEARS = range(2017, 2026)
POINT_YEARS = range(2016, 2025)
OWNERSHIPS = {"Alle eierformer": False, "Offentlig skole": True}
GAIN_YEARS = 3
PAGE_ROWS = 4_000
SMALLEST_TEST, SMALLEST_SURVEY, SMALLEST_POINTS = 10, 5, 6


def _yearly(lasting: Floats, rng: np.random.Generator) -> Floats:
    """Lasting and yearly part of a school's effect, in standard deviations between schools."""
    return lasting + rng.normal(0, 0.55, len(lasting))


def _by_ownership(
    year: Year, total: np.ndarray, n: np.ndarray, smallest: int, rare: np.ndarray | None = None
) -> dict[str, Figures]:
    every: dict[str, Figures] = {}
    for ownership, public in OWNERSHIPS.items():
        value, counts = year.levels(total, n, public=public)
        few = None
        if rare is not None:
            answers = np.rint(np.where(counts > 0, value, 0) * counts / 100)
            few = (answers >= 1) & (answers <= 2) & (counts < 1000)
        hidden = year.hide(counts, smallest, few)
        if public:
            rest = every["Alle eierformer"].n - counts
            hidden |= every["Alle eierformer"].hidden | ((rest > 0) & (rest < smallest))
            hidden &= counts > 0
        every[ownership] = Figures(value, counts, hidden)
    return every


def _write_tests(folder: Path, year: Year, lasting: Floats, rng: np.random.Generator, view: View) -> list[Path]:
    paths = []
    reading, numeracy = NATIONAL_SCORE[year.start]
    for grade, report in ((5, "5._trinn"), (8, "ungdomstrinn")):
        takes_part = 0.87 if (year.start, grade) == (2022, 8) else 0.935
        invited = year.cohort(grade, rng)
        shared = _yearly(lasting, rng)
        results = {}
        for subject, national, weight in (
            ("Engelsk", 50.5, 0.6),
            ("Lesing", reading, 0.85),
            ("Regning", numeracy, 0.85),
        ):
            own = weight * shared + (1 - weight**2) ** 0.5 * 0.8 * rng.normal(0, 1, len(shared))
            n = rng.binomial(invited, takes_part)
            total, counts = test_scores(year, grade, own, 0.0, national, n, rng)
            scores = _by_ownership(year, total, n, SMALLEST_TEST)
            levels = [_by_ownership(year, count, n, SMALLEST_TEST) for count in counts if subject != "Engelsk"]
            for ownership in OWNERSHIPS:
                results[subject, ownership] = (scores[ownership], [level[ownership] for level in levels])
        name = f"fabelland_{school_year_label(year.start)}_Nasjonale_proever_{report}.csv"
        paths.append(files.write_tests(folder / name, year, grade, results, view))
    return paths


def _write_survey(folder: Path, year: Year, lasting: Floats, rng: np.random.Generator, view: View) -> list[Path]:
    at = YEARS.index(year.start)
    newest = year.start == YEARS[-1]
    group_key = "Indikator" if newest else "Spoersmaalgruppe"
    support_name = "Støtte fra lærer" if newest else "Støtte fra lærerne"
    indices, bullied, participation = {}, {}, []
    for grade in (7, 10):
        invited = year.cohort(grade, rng)
        answered = rng.binomial(invited, np.clip(rng.normal(0.88, 0.05, len(invited)), 0.4, 1))
        shared = _yearly(lasting, rng)
        for name, national in ((support_name, SUPPORT), ("Motivasjon", MOTIVATION)):
            spread = 0.22 if name == "Motivasjon" else 0.18
            mean = national[grade][at] + spread * (0.8 * shared + 0.5 * rng.normal(0, 1, len(shared)))
            noise = rng.normal(0, 0.85, len(shared)) / np.sqrt(np.maximum(answered, 1))
            total = np.clip(mean + noise, 1, 5) * answered
            for ownership, figures in _by_ownership(year, total, answered, SMALLEST_SURVEY).items():
                indices[name, grade, ownership] = (figures, 1)
        odds = np.log(BULLIED[grade][at] / (100 - BULLIED[grade][at])) - 0.08 - 0.42 * (0.8 * shared)
        count = rng.binomial(answered, 1 / (1 + np.exp(-odds)))
        for ownership, figures in _by_ownership(year, 100.0 * count, answered, SMALLEST_SURVEY, count).items():
            bullied["Mobbing på skolen", grade, ownership] = (figures, 1)
        participation += _participation(year, grade, invited, answered)
    absent = {(year.municipalities.code[i], 10) for i in (20, 121, 222) if year.start == 2023}
    label = school_year_label(year.start)
    index_rows = files.survey_rows(year, group_key, "Score", indices, absent, view)
    bullied_rows = files.survey_rows(year, group_key, "AndelMobbet", bullied, absent, view)
    stem = f"fabelland_{label}_Elevundersoekelsen_"
    if year.start == YEARS[0]:
        return [
            files.write_csv_rows(folder / f"{stem}148.csv", files.pages(index_rows)[0]),
            files.write_csv_rows(folder / f"{stem}150.csv", files.pages(bullied_rows)[0]),
        ]
    written = [files.write_json_rows(folder / f"{stem}151.json", participation)]
    for table, rows in ((148, index_rows), (150, bullied_rows)):
        for number, page in enumerate(files.pages(rows, PAGE_ROWS if newest else None), start=1):
            name = f"{stem}{table}_side{number}.json" if newest else f"{stem}{table}.json"
            written.append(files.write_json_rows(folder / name, page))
    return written


def _participation(year: Year, grade: int, invited: np.ndarray, answered: np.ndarray) -> list[dict[str, str | None]]:
    """Response by municipality and for the nation, table 151."""
    value, n = year.levels(100.0 * answered, invited, public=False)
    schools = len(year.country.schools.code)
    return [
        {
            **dict(zip(files.UNIT_COLUMNS, unit, strict=True)), "Skoleaarnavn": school_year_label(year.start),
            "TrinnKode": str(grade), "Trinnnavn": f"{grade}. trinn", "EierformNavn": "Alle eierformer",
            "AndelDeltatt": files.comma(float(value[at]), 1), "AntallInvitert": files.thousands(int(n[at])),
        }
        for at, unit in files.unit_rows(year)
        if at >= schools and n[at] >= SMALLEST_SURVEY
    ]  # fmt: skip


def _grade_points(year: Year, lasting: Floats, rng: np.random.Generator) -> dict[str, Figures]:
    n = rng.binomial(year.cohort(10, rng), 0.96)
    mean = GRADE_POINTS[year.start] + 1.9 * (0.85 * _yearly(lasting, rng))
    total = np.clip(mean + rng.normal(0, 8.5, len(n)) / np.sqrt(np.maximum(n, 1)), 1, 60) * n
    return _by_ownership(year, total, n, SMALLEST_POINTS)


@dataclass(frozen=True)
class Followed:
    """Municipalities that are followed up: the year in which they were selected and what each year after adds.

    ``yearly_gain`` is in standard deviations between schools, for up to ``GAIN_YEARS`` years.
    """

    codes: frozenset[str]
    selected_in: int
    yearly_gain: float


@dataclass
class Fabelland:
    """The country with all that is lasting about it; ``followed`` changes what later years look like.

    With ``starred`` its files are those of somebody with access to hidden figures, else the public ones. With
    ``pivots`` tests and grade points are answers of the report API, else downloads of the statistics bank.
    """

    scale: int = 1
    seed: int = SEED
    followed: list[Followed] = field(default_factory=list)
    starred: bool = False
    pivots: bool = False

    def __post_init__(self) -> None:
        rng = np.random.default_rng(np.random.PCG64(self.seed))
        self.country = geography.build(rng, self.scale)
        self.effect = effects(self.country, rng)
        units = (
            unit for start in sorted({*POINT_YEARS, *YEARS}) for _, unit in files.unit_rows(Year(self.country, start))
        )
        self.view = View(self.starred, tuple(dict.fromkeys(units)) if self.pivots else ())

    def _rng(self, start: int, what: int) -> np.random.Generator:
        return np.random.default_rng(np.random.PCG64(np.random.SeedSequence([self.seed, start, what])))

    def lasting(self, start: int) -> Floats:
        """How good each school is in a school year, in standard deviations between schools."""
        lasting = self.effect.lasting.copy()
        code = np.array(self.country.after.code)[self.country.schools.new]
        for group in self.followed:
            years = min(max(start - group.selected_in + 1, 0), GAIN_YEARS)
            lasting[np.isin(code, sorted(group.codes))] += years * group.yearly_gain
        return lasting

    def write_registers(self, folder: Path) -> list[Path]:
        """Codes and school register."""
        folder.mkdir(parents=True, exist_ok=True)
        register = files.write_register(folder / "fabelland_skoleregister_nsr_v4.json", self.country)
        paths = [*files.write_codes(folder, self.country), register]
        if self.pivots:
            paths.append(pivots.write_unit_list(folder / "fabelland_filterVerdier.json", self.view.units))
        return paths

    def write_autumn(self, folder: Path, start: int) -> list[Path]:
        """Tests and survey of the school year that begins in ``start``."""
        folder.mkdir(parents=True, exist_ok=True)
        year, lasting = Year(self.country, start), self.lasting(start)
        tests = _write_tests(folder, year, lasting, self._rng(start, 0), self.view)
        return [*tests, *_write_survey(folder, year, lasting, self._rng(start, 1), self.view)]

    def write_spring(self, folder: Path, through: int) -> Path:
        """Grade points of all school years up to the one that begins in ``through``, side by side in one file."""
        folder.mkdir(parents=True, exist_ok=True)
        starts = [start for start in POINT_YEARS if start <= through]
        years = [Year(self.country, start) for start in starts]
        results = [_grade_points(y, self.lasting(y.start), self._rng(y.start, 2)) for y in years]
        return files.write_grade_points(folder / "fabelland_Grunnskolepoeng.csv", years, results, self.view)

    def write_truth(self, path: Path) -> None:
        """What only the maker of the country can know: who was made weak, and what follow-up does to whom."""
        content = {
            "seed": self.seed, "scale": self.scale, "fictional": True, "weak": self.effect.weak,
            "spread_weak": self.effect.spread_weak,
            "followed": [
                {"municipalities": sorted(g.codes), "selected_in": g.selected_in, "yearly_gain": g.yearly_gain}
                for g in self.followed
            ],
        }  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_country(
    out_dir: Path,
    *,
    scale: int = 1,
    seed: int = SEED,
    truth: Path | None = None,
    starred: bool = False,
    pivots: bool = False,
) -> list[Path]:
    """Write all files of Fabelland into ``out_dir`` and return their paths.

    ``scale`` multiplies the schools of each municipality (codes of four digits leave no room for more
    municipalities). ``starred`` and ``pivots``: see ``Fabelland``. ``truth`` is a file that says which were made weak.
    """
    fabelland = Fabelland(scale, seed, starred=starred, pivots=pivots)
    paths = fabelland.write_registers(out_dir)
    for start in YEARS:
        paths += fabelland.write_autumn(out_dir, start)
    paths.append(fabelland.write_spring(out_dir, POINT_YEARS[-1]))
    if truth is not None:
        fabelland.write_truth(truth)
    return paths
