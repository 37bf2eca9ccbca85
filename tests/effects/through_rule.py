"""Nations whose figures pass through the rule itself: published decimals, hidden figures, limits, points, shares.

The compiled models judge; nothing of the rule is written here. Nothing is planted, so that the truth is 0. A tenth of
the municipalities is truly weak, further out than the rest, and the nation's level moves from year to year.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dagster_project.effects.outcomes import mean_gap
from dagster_project.effects.regression import Floats
from dagster_project.rules import RuleSet, compile_parameters, load_rules
from dagster_project.settings import load_settings
from dagster_project.simulation.kernel import Kernel, kernel
from dagster_project.simulation.paths import with_settings
from tests.effects.nation import WINDOW, Nation

FIRST, YEARS, LAST = 2014, 13, 5
"""The first year, how many there are, and the year in which the first selection's window ends, counted from 0."""
MUNICIPALITIES, SCHOOLS = 340, 500
ROUND = "fictional-2026"
LIMITS = ("frozen", "same year")
JUDGING = ("int_limit_rules", "int_limit_populations", "int_limits", "int_indicator_points")
PUPILS_OF_A_GRADE = (4.0, 1.0)
"""Mean and deviation of the logarithm of a municipality's grade: half have fewer than 55 pupils."""
SMALLEST = {"pupil_survey": 5, "national_tests": 10, "grade_points": 6}


@dataclass(frozen=True)
class Kind:
    """A nation: how much weaker a tenth of it is than the rest (mean, in deviations of its kind), and how far the level
    falls a year, in deviations between schools."""

    tail: float = 1.2
    trend: float = -0.06


@dataclass(frozen=True)
class JudgedNation(Nation):
    """A nation whose shares the rule gave; ``windows`` (N, Y) are those of the windows that end in each year.

    ``gap`` (N, Y) is the outcome without steps.
    """

    windows: Floats
    gap: Floats

    def baseline(self, last: int) -> Floats:
        return self.windows[:, last]


def rule_set(limits: str) -> RuleSet:
    """The rule of 2020 with its absolute limits frozen in the first window's last year, or of the year that is judged."""
    rules = load_rules(load_settings()).rule_sets["udir-2020"]
    year = label(WINDOW - 1) if limits == "frozen" else "same_year"
    return with_settings(rules, {"limits.absolute.base_year": year})


def label(year: int) -> str:
    """The school year of a data year of the nation, counted from 0."""
    return f"{FIRST + year}-{(FIRST + year + 1) % 100:02d}"


@dataclass(frozen=True)
class Cells:
    """Figures of one indicator and grade: ``value`` and ``hidden`` (U, Y), ``pupils`` (U, Y)."""

    value: Floats
    hidden: np.ndarray
    pupils: np.ndarray


def draw(rng: np.random.Generator, kind: Kind, rules: RuleSet) -> dict[tuple[str, int], Cells]:
    """Municipalities first, then schools; the schools are drawn by themselves and serve the limits only."""
    units = MUNICIPALITIES + SCHOOLS
    is_school = np.arange(units) >= MUNICIPALITIES
    between = np.where(is_school, 1.0, 0.5)
    quality = rng.normal(0, between)
    quality -= (rng.random(units) < 0.1) * rng.exponential(kind.tail * between)
    mean, spread = PUPILS_OF_A_GRADE
    size = np.exp(np.where(is_school, rng.normal(3.5, 0.6, units), rng.normal(mean, spread, units))).clip(4, 3000)
    trend = kind.trend * np.arange(YEARS)
    cells = {}
    for indicator in rules.indicators:
        own = 0.6 * between * rng.normal(size=units)
        for grade in indicator.grades.value:
            pupils = rng.poisson(0.9 * size[:, None], (units, YEARS))
            yearly = 0.3 * rng.normal(size=(units, YEARS))
            good = 0.8 * quality[:, None] + own[:, None] + yearly + trend
            cells[indicator.name, grade] = _published(rng, indicator.name, indicator.dataset, good, pupils)
    return cells


def _published(rng: np.random.Generator, name: str, dataset: str, good: Floats, pupils: np.ndarray) -> Cells:
    """A figure as it is published: a share of pupils or a mean over them, with one decimal, or hidden."""
    n = np.maximum(pupils, 1)
    hidden = pupils < SMALLEST[dataset]
    if name in ("bullying", "reading_level_1", "numeracy_level_1"):
        middle, step = {"bullying": (0.085, 0.4)}.get(name, (0.24, 0.33))
        count = rng.binomial(n, 1 / (1 + np.exp(-(np.log(middle / (1 - middle)) - step * good))))
        value = 100.0 * count / n
        if name == "bullying":
            hidden = hidden | ((count >= 1) & (count <= 2) & (n < 1000))
    else:
        middle, step, deviation, low, high = {
            "teacher_support": (4.0, 0.15, 0.85, 1, 5), "motivation": (3.7, 0.17, 0.85, 1, 5),
            "grade_points": (41.5, 1.7, 8.5, 1, 60),
        }[name]  # fmt: skip
        value = (middle + step * good + deviation * rng.normal(size=n.shape) / np.sqrt(n)).clip(low, high)
    return Cells(np.floor(value * 10 + 0.5) / 10, hidden, pupils)


def nations(count: int, seed: int, limits: str, kind: Kind = Kind(), batch: int = 5) -> Iterator[JudgedNation]:
    """``count`` nations judged by the rule, with these limits."""
    rules = rule_set(limits)
    streams = np.random.default_rng(seed).spawn(count)
    with kernel(load_settings()) as rule:
        for first in range(0, count, batch):
            drawn = [draw(rng, kind, rules) for rng in streams[first : first + batch]]
            yield from _judge(rule, rules, drawn)


def _judge(rule: Kernel, rules: RuleSet, drawn: list[dict[tuple[str, int], Cells]]) -> Iterator[JudgedNation]:
    """Each nation is a round of the rule; the windows, and the single years, are rounds made of its points."""
    book = load_rules(load_settings())
    one = replace(book, rounds=(book.round(ROUND),), rule_sets={**book.rule_sets, rules.rule_set: rules})
    with tempfile.TemporaryDirectory() as folder:
        compile_parameters(one, Path(folder) / "parameters")
        rule.build_parameters(Path(folder))
    sql = rule.sql
    sql.execute(
        "create or replace table nations as select i as nation, 'n' || i as round from range(?) as t(i)", [len(drawn)]
    )
    for name in ("stg_rounds", "stg_rule_indicators"):
        sql.execute(
            f"create or replace table {name} as select b.* replace (n.round as round) from {name} as b, nations as n"
        )
    sql.register("given", pa.concat_tables([_table(i, cells) for i, cells in enumerate(drawn)]))
    sql.execute("""
        create or replace table int_observations as
        select 'n' || nation as round, u.cell_use, g.unit_level, g.unit_code, g.indicator, g.grade_key, g.year_key,
            cast(g.value as decimal(18, 4)) as value, g.n_pupils, g.state, false as restricted,
            'published' as value_basis,
            cast(null as varchar) as source_sha256, cast(null as bigint) as source_row,
            cast(null as varchar) as source_column
        from given as g
        inner join (values ('window'), ('base')) as u(cell_use)
            on u.cell_use = 'window' or (g.unit_level = 'school' and g.year_key in (
                select absolute_base_year from stg_rule_indicators))
    """)
    sql.execute("""
        create or replace table int_school_population as
        select distinct round, unit_code as school_code, cast(null as varchar) as out_of_scope
        from int_observations where unit_level = 'school'
    """)
    rule.build(JUDGING)
    sql.execute("create or replace table points_of_nations as select * from int_indicator_points "
                "where unit_level = 'municipality'")  # fmt: skip
    shares = {}
    for years in (1, WINDOW):
        sql.execute(f"""
            create or replace table int_indicator_points as
            select p.* replace (p.round || ':' || w.last as round)
            from points_of_nations as p
            inner join (select unnest(range({years - 1}, {YEARS})) as last) as w
                on cast(substr(p.year_key, 1, 4) as int) - {FIRST} between w.last - {years - 1} and w.last
        """)
        rule.build(["int_unit_sums"])
        rows = rule.arrow("""
            select cast(substr(split_part(round, ':', 1), 2) as int) as nation, cast(unit_code as int) as unit,
                cast(split_part(round, ':', 2) as int) as year,
                case when possible_points > 0 then cast(points as double) / cast(possible_points as double) end as share,
                pupils
            from int_unit_sums
        """)
        found = np.full((len(drawn), MUNICIPALITIES, YEARS), np.nan)
        at = tuple(rows[c].to_numpy() for c in ("nation", "unit", "year"))
        found[at] = rows["share"].to_numpy(zero_copy_only=False)
        shares[years] = found
        pupils = np.zeros_like(found)
        pupils[at] = rows["pupils"].to_numpy()
    for i, cells in enumerate(drawn):
        size = np.maximum(pupils[i].mean(1) / WINDOW, 1.0)
        yield JudgedNation(shares[1][i], np.empty((0, 0)), size, shares[WINDOW][i], _gap(cells, rules))


def _gap(cells: dict[tuple[str, int], Cells], rules: RuleSet) -> Floats:
    """The product's outcome without steps, of the municipalities; deviations are taken in the first selection's window."""
    cube, weights = [], []
    for indicator in rules.indicators:
        worse = 1.0 if indicator.direction.value == "higher_is_worse" else -1.0
        for grade in indicator.grades.value:
            c = cells[indicator.name, grade]
            cube.append(worse * (np.where(c.hidden, np.nan, c.value)[:MUNICIPALITIES] - _national(c)))
            weights.append(float(indicator.weight.value))
    years = np.arange(YEARS)
    return mean_gap(np.array(cube), np.array(weights), (years > LAST - WINDOW) & (years <= LAST))


def _national(cells: Cells) -> Floats:
    """The nation's figure of each year, as it is published: the mean over the pupils of what is shown."""
    shown = np.where(cells.hidden, 0, cells.pupils)[:MUNICIPALITIES]
    mean: Floats = (cells.value[:MUNICIPALITIES] * shown).sum(0) / shown.sum(0)
    return np.floor(mean * 10 + 0.5) / 10


def _table(nation: int, cells: dict[tuple[str, int], Cells]) -> pa.Table:
    """The figures of a nation as rows, the national one of each year among them."""
    parts: list[dict[str, Any]] = []
    units = MUNICIPALITIES + SCHOOLS
    for (name, grade), c in cells.items():
        value = np.vstack([c.value, _national(c)])
        hidden = np.vstack([c.hidden, np.zeros(YEARS, bool)])
        count = np.vstack([c.pupils, c.pupils[:MUNICIPALITIES].sum(0)])
        level = np.array(["municipality"] * MUNICIPALITIES + ["school"] * SCHOOLS + ["national"])
        parts.append(
            {
                "nation": np.full(value.size, nation), "unit_level": np.repeat(level, YEARS),
                "unit_code": np.repeat(np.array([*map(str, range(units)), "I"]), YEARS), "indicator": np.full(value.size, name),
                "grade_key": np.full(value.size, grade, np.int32),
                "year_key": np.tile([label(y) for y in range(YEARS)], units + 1),
                "value": np.where(hidden, np.nan, value).ravel(), "n_pupils": count.ravel().astype(np.int64),
                "state": np.where(hidden, "suppressed", "observed").ravel(),
            }
        )  # fmt: skip
    table = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
    arrays = {k: pa.array(v, from_pandas=k == "value") for k, v in table.items()}
    return pa.table(arrays)
