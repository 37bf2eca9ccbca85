"""Draw the figures anew within their uncertainty, and let the rule judge each draw as a round of its own.

The points of a cell are a step function of its published decimal. dbt's own model judges every value there can be once;
drawn values are looked up, added up by unit, and each draw's sums go through the compiled models of ratings, ranks,
spread and groups. The first draw has no noise and must give the published figures again, else nothing is handed out.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.diagnostics import Finding, NotFound, PipelineProblem, Severity
from dagster_project.publication.edition import INTERNAL
from dagster_project.rules import compile_parameters
from dagster_project.settings import Settings
from dagster_project.simulation.assumptions import Assumptions
from dagster_project.simulation.cells import Cells, load_cells, step_table
from dagster_project.simulation.kernel import Kernel, kernel
from dagster_project.simulation.scenario import Base

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

BATCH = 100
CHUNK = 10
MODELS = (
    "int_school_ratings", "int_school_ranks", "int_school_spread", "int_municipality_ratings", "int_eligibility",
    "int_average_group", "int_spread_group",
)  # fmt: skip


@dataclass(frozen=True)
class Draws:
    """What the rule gave in every draw. ``schools`` and ``municipalities`` are the published rows of the rated units.

    Shapes (draws, units): ``*_share`` and ``*_rank``; (units,): how often each was among the worst schools, and taken
    by each group.
    """

    schools: list[dict[str, Any]]
    municipalities: list[dict[str, Any]]
    school_share: np.ndarray
    school_rank: np.ndarray
    municipality_share: np.ndarray
    municipality_rank: np.ndarray
    worst_quartile: np.ndarray
    average: np.ndarray
    spread: np.ndarray
    either: np.ndarray
    published_errors: int
    without_count: int
    cells: int


@dataclass(frozen=True)
class _Results:
    school: dict[str, np.ndarray]
    municipality: dict[str, np.ndarray]


def simulate(settings: Settings, base: Base, assumed: Assumptions, *, draws: int, seed: int) -> Draws:
    """Draw ``draws`` times. The same seed gives the same numbers, whatever the number of threads.

    Raises:
        NotFound: the round is not published.
        PipelineProblem: without noise the models do not give the published figures again.
    """
    import numpy as np

    if base.revision is None:
        raise NotFound(f"Round {base.round.id} is not published here: there is nothing to be uncertain about.")
    with kernel(settings) as k:
        schools, municipalities = _prepare(k, base)
        cells = load_cells(k, settings, base.revision, base.rules, assumed)
        units = len(municipalities) + len(schools)
        caster = Caster(cells, step_table(k, cells, base.rules), units)
        _official_sums(k)
        exact = _judge(k, caster, caster.sums(np.zeros((1, caster.cells), dtype=np.float32)), len(municipalities))
        _refuse_unless_published(k, base, exact, schools, municipalities)
        collected: list[_Results] = []
        for sums in _batches(caster, np.random.Generator(np.random.PCG64(seed)), draws):
            collected.append(_judge(k, caster, sums, len(municipalities)))
    school = {name: np.concatenate([c.school[name] for c in collected]) for name in exact.school}
    municipality = {name: np.concatenate([c.municipality[name] for c in collected]) for name in exact.municipality}
    average, spread = municipality["average"], municipality["spread"]
    return Draws(
        schools, municipalities, school["share"], school["rank"], municipality["share"], municipality["rank"],
        school["worst"].mean(axis=0), average.mean(axis=0), spread.mean(axis=0), (average | spread).mean(axis=0),
        cells.published_errors, cells.without_count, len(cells.value),
    )  # fmt: skip


def _prepare(k: Kernel, base: Base) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rated units as published, sorted by code, and the relations that no draw changes.

    Which units are rated hangs on what is visible, never on its value: so it is the same in every draw.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    assert base.revision is not None
    folder = base.revision / INTERNAL
    schools, municipalities = (
        pq.read_table(folder / f"{name}_ranking.parquet", filters=pc.field("rated")).sort_by(f"{name}_code")
        for name in ("school", "municipality")
    )
    school_rows, municipality_rows = schools.to_pylist(), municipalities.to_pylist()
    units = [*(r["municipality_code"] for r in municipality_rows), *(r["school_code"] for r in school_rows)]
    # places of schools whose municipality is not rated are needed as keys too; they come last and hold no sums
    others = sorted({r["municipality_code"] for r in school_rows} - set(units))
    sql = k.sql
    names = ", ".join("'" + code.replace("'", "''") + "'" for code in [*units, *others])
    # ordered by code within each level, so that a tie settled by code is settled as in text
    sql.execute(f"create type unit as enum ({names})")
    levels = ["municipality"] * len(municipality_rows) + ["school"] * len(school_rows)
    sql.register("rated_units_arrow", pa.table({"unit_level": levels, "unit_code": units}))
    sql.execute("create table rated_units as select * from rated_units_arrow")
    with tempfile.TemporaryDirectory() as folder_name:
        home = Path(folder_name)
        book = replace(base.rulebook, rounds=(base.round,))
        compile_parameters(book, home / "parameters")
        k.build_parameters(home)
    for name in ("stg_rounds", "int_exceptions_in_force"):
        sql.execute(f"create table base_{name} as select * from {name}")
    sql.execute("create or replace table stg_rounds as select * from base_stg_rounds")
    sql.register("school_places", schools.select(["school_code", "municipality_code", "ownership"]))
    limits = folder / "limits.parquet"
    sql.execute(
        "create table int_limits as select round, indicator, coalesce(grade, 0) as grade_key, "
        "coalesce(school_year, 'window') as year_key, national_limit, absolute_limit from read_parquet(?)",
        [str(limits)],
    )
    return school_rows, municipality_rows


class Caster:
    """Turns noise into the sums of every unit, by the rule's own step functions."""

    def __init__(self, cells: Cells, steps: pa.Table, units: int) -> None:
        import numpy as np

        # points and weight beyond the absolute limit share one integer, so that one look-up and one sum do for both
        self._table = steps["weighted_points"].to_numpy() << 32 | steps["beyond"].to_numpy()
        counts = cells.highest - cells.lowest + 1
        begins = np.concatenate([[0], np.cumsum(counts)[:-1]]) - cells.lowest
        self._at = begins[cells.group].astype(np.int32)
        self._error, self._value = cells.error.astype(np.float32), cells.value.astype(np.float32)
        self._low, self._high = (a[cells.group].astype(np.float32) for a in (cells.lowest, cells.highest))
        self._starts = np.flatnonzero(np.r_[True, np.diff(cells.unit) != 0])
        self._unit = cells.unit[self._starts]
        self._units = units
        self.cells = len(cells.unit)
        self.batch = 0  # for how many draws the kernel's relations stand

    def sums(self, noise: np.ndarray) -> np.ndarray:
        """Packed sums, shape (draws, units), of standard normal ``noise``, shape (draws, cells), which is used up."""
        import numpy as np

        noise *= self._error
        noise += self._value
        np.rint(noise, out=noise)
        np.clip(noise, self._low, self._high, out=noise)
        index = noise.astype(np.int32)
        index += self._at
        packed = np.zeros((len(noise), self._units), dtype=np.int64)
        packed[:, self._unit] = np.add.reduceat(self._table[index], self._starts, axis=1)
        return packed


def _batches(caster: Caster, noise: np.random.Generator, draws: int) -> Iterator[np.ndarray]:
    """Packed sums of a batch of draws at a time.

    Small chunks stay in the processor's cache; the generator runs through them in order, so their size changes nothing.
    """
    import numpy as np

    for begin in range(0, draws, BATCH):
        end = min(begin + BATCH, draws)
        yield np.concatenate(
            [
                caster.sums(noise.standard_normal((min(CHUNK, end - first), caster.cells), dtype=np.float32))
                for first in range(begin, end, CHUNK)
            ]
        )


def _official_sums(k: Kernel) -> None:
    """The sums of the published cells by the models themselves; a draw changes only points and weight beyond."""
    k.sql.execute("""
        create or replace table int_observations as
        select (select any_value(round) from stg_rounds) as round, 'window' as cell_use, unit_level, unit_code,
            indicator, grade_key, year_key, value, n_pupils, state, value_basis, source_sha256, source_row,
            source_column
        from published_cells
    """)
    k.build(["int_indicator_points", "int_unit_sums"])
    k.sql.execute("""
        create table official_sums as
        select enum_code(unit_code) as unit, unit_level, unit_code, possible_points, applicable_points, weight_judged,
            pupils, areas
        from int_unit_sums
    """)
    k.sql.execute("""
        create table judged_areas as
        select distinct unit_level, unit_code, area, judged from int_indicator_points
        where judged and unit_level = 'school' and (select municipality_share_from from stg_rounds) = 'school_points'
    """)
    k.sql.execute("drop table int_indicator_points")
    labels = ", ".join(f"'R#{i:04d}'" for i in range(BATCH))
    k.sql.execute(f"create type draw as enum ({labels})")
    for name in ("int_round_cells", "int_code_targets", "int_pseudo_municipalities", "int_followed_in_scheme"):
        k.sql.execute(f"create table {name} ({EMPTY[name]})")


EMPTY = {
    "int_round_cells": "round draw, unit_level varchar, unit_code unit, unit_name varchar, start_year int",
    "int_code_targets": "round draw, start_year int, code unit, target unit",
    "int_pseudo_municipalities": "round draw, municipality_code unit",
    "int_followed_in_scheme": "round draw, municipality_code unit, cohort varchar",
}
"""Relations that only name units or rule them out: names are not needed here, the unrated are left out already, and
earlier cohorts stand among the exceptions of the rule book."""

PER_DRAW = {
    "stg_rounds": "select b.* replace (d.round as round) from base_stg_rounds as b cross join draws as d",
    "int_exceptions_in_force": """
        select b.* replace (d.round as round) from base_int_exceptions_in_force as b cross join draws as d""",
    "int_school_population": """
        select d.round, cast(s.school_code as unit) as school_code, cast(null as varchar) as school_name,
            cast(s.municipality_code as unit) as municipality_code, cast(null as varchar) as ownership,
            cast(null as varchar) as out_of_scope, true as in_window, true as operating
        from school_places as s cross join draws as d""",
    "int_municipality_history": """
        select d.round, cast(u.unit_code as unit) as municipality_code
        from rated_units as u cross join draws as d where u.unit_level = 'municipality'""",
    "int_indicator_points": "select d.round, j.* from judged_areas as j cross join draws as d",
}
"""Relations that are the same in every draw, once for each."""


def _judge(k: Kernel, caster: Caster, packed: np.ndarray, municipalities: int) -> _Results:
    """Let the models judge a batch of draws. ``packed`` has shape (draws, units), municipalities first."""
    import numpy as np
    import pyarrow as pa

    sql, (draws, units) = k.sql, packed.shape
    if caster.batch != draws:
        caster.batch = draws
        sql.execute("create or replace table draws as select i as draw, cast(printf('R#%04d', i) as draw) as round "
                    "from range(?) as t(i)", [draws])  # fmt: skip
        for name, select in PER_DRAW.items():
            sql.execute(f"create or replace table {name} as {select}")
    sums = pa.table(
        {
            "draw": np.repeat(np.arange(draws, dtype=np.int32), units),
            "unit": np.tile(np.arange(units, dtype=np.int32), draws),
            "points": _decimals(packed >> 32),
            "beyond": _decimals(packed & 0xFFFFFFFF),
        }
    )
    sql.register("drawn_sums", sums)
    sql.execute("""
        create or replace table int_unit_sums as
        select d.round, o.unit_level, o.unit_code, s.points, o.possible_points, o.applicable_points,
            s.beyond as weight_beyond_absolute, o.weight_judged, o.pupils, o.areas
        from drawn_sums as s
        inner join official_sums as o on s.unit = o.unit
        inner join draws as d on s.draw = d.draw
    """)
    k.build(MODELS)
    sql.unregister("drawn_sums")
    school = _spread_out(
        k.arrow("select enum_code(round) as draw, enum_code(school_code) as unit, risk_share as share, rank, "
                    "worst_quartile as worst from int_school_ranks"),
        (draws, units - municipalities), municipalities,
    )  # fmt: skip
    municipality = _spread_out(
        k.arrow("select enum_code(round) as draw, enum_code(municipality_code) as unit, risk_share as share, rank, "
                    "school_spread as school_spread, schools_in_worst_quartile as worst_schools "
                    "from int_municipality_ratings where not_rated_reason is null"),
        (draws, municipalities), 0,
    )  # fmt: skip
    for group in ("average", "spread"):
        rows = k.arrow(f"select enum_code(round) as draw, enum_code(municipality_code) as unit "
                           f"from int_{group}_group where within_quota")  # fmt: skip
        mask = np.zeros((draws, municipalities), dtype=bool)
        mask[rows["draw"].to_numpy(), rows["unit"].to_numpy()] = True
        municipality[group] = mask
    return _Results(school, municipality)


def _decimals(ten_thousandths: np.ndarray) -> pa.Array:
    """Whole ten-thousandths as decimal(18, 4), without a detour over floats. The values are not negative."""
    import numpy as np
    import pyarrow as pa

    words = np.zeros((ten_thousandths.size, 2), dtype=np.int64)
    words[:, 0] = ten_thousandths.ravel()
    return pa.Array.from_buffers(pa.decimal128(18, 4), len(words), [None, pa.py_buffer(words)])


def _spread_out(rows: pa.Table, shape: tuple[int, int], first: int) -> dict[str, np.ndarray]:
    """Rows in any order as arrays of shape (draws, units)."""
    import numpy as np

    at = (rows["draw"].to_numpy().astype(np.int64), rows["unit"].to_numpy().astype(np.int64) - first)
    found = {}
    for name in rows.column_names[2:]:
        values = rows[name].to_numpy()
        # a rank is below a million and a share is a double: each keeps the smallest type that holds it
        kind = np.int32 if np.issubdtype(values.dtype, np.integer) else values.dtype
        found[name] = np.zeros(shape, dtype=kind)
        found[name][at] = values
    return found


def _refuse_unless_published(
    k: Kernel, base: Base, exact: _Results, schools: list[dict[str, Any]], municipalities: list[dict[str, Any]]
) -> None:
    """Draw zero against the published rankings and groups, figure by figure."""
    import numpy as np
    import pyarrow.parquet as pq

    pairs = {
        "school_ranking": (exact.school, schools, {"share": "risk_share", "rank": "rank", "worst": "worst_quartile"}),
        "municipality_ranking": (
            exact.municipality,
            municipalities,
            {"share": "risk_share", "rank": "rank", "school_spread": "school_spread",
             "worst_schools": "schools_in_worst_quartile"},
        ),
    }  # fmt: skip
    findings = []
    for table, (found, rows, columns) in pairs.items():
        for mine, published in columns.items():
            expected = np.array([np.nan if r[published] is None else r[published] for r in rows])
            same = (found[mine][0] == expected) | (np.isnan(found[mine][0] * 1.0) & np.isnan(expected * 1.0))
            if not same.all():
                at = int(np.flatnonzero(~same)[0])
                unit = rows[at].get("school_code") or rows[at]["municipality_code"]
                findings.append(_differs(table, published, unit, found[mine][0][at], expected[at], int((~same).sum())))
    assert base.revision is not None
    selection = pq.read_table(base.revision / INTERNAL / "selection.parquet").to_pylist()
    for group in ("average", "spread"):
        ranked = k.arrow(f"select cast(municipality_code as varchar) as code, rank_in_group from int_{group}_group")
        places = dict(zip(ranked["code"].to_pylist(), ranked["rank_in_group"].to_pylist(), strict=True))
        for r in selection:
            stands = r["rank_in_group"]
            if r["selection_group"] == group and stands is not None and places.get(r["municipality_code"]) != stands:
                code = r["municipality_code"]
                findings.append(_differs("selection", "rank_in_group", code, places.get(code), stands, 1))
    if findings:
        raise PipelineProblem(
            "Without noise the models do not give the published figures again: no uncertainty is handed out.", findings
        )


def _differs(table: str, column: str, unit: str, found: Any, expected: Any, count: int) -> Finding:
    return Finding(
        "not-as-published", Severity.FAIL, f"{table}: {unit} differs from what is published", stage="uncertainty",
        file=f"{table}.parquet", column=column, found=str(found), expected=str(expected), count=count,
        fix="Run and publish the round again with the models as they stand.",
    )  # fmt: skip
