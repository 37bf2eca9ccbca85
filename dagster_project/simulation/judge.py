"""Compute the rule on other figures than the published ones: each set of figures is a round of its own.

The points of a cell are a step function of its published decimal: dbt's own model judges every value there can be once,
values are looked up and added up by unit, and the sums go through the compiled models of ratings, ranks and groups.
The published figures go first and must give the published ranks and groups again, else nothing is handed out.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.diagnostics import Finding, NotFound, PipelineProblem, Severity
from dagster_project.rules import compile_parameters
from dagster_project.settings import Settings
from dagster_project.simulation.cells import load_cells, step_table
from dagster_project.simulation.kernel import Kernel, kernel
from dagster_project.simulation.scenario import Base

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

MOST_SETS = 200
MOST_ROWS = 600_000
"""How much the models judge at once: sets of figures, and units in all of them."""
LOW_HALF = 0xFFFFFFFF
POINT_DECIMALS = 4
SUMS = ("int_indicator_points", "int_unit_sums")
MODELS = (
    "int_school_ratings", "int_school_ranks", "int_school_spread", "int_municipality_ratings", "int_eligibility",
    "int_average_group", "int_spread_group",
)  # fmt: skip


EMPTY = ("int_round_cells", "int_code_targets", "int_pseudo_municipalities", "int_followed_in_scheme")
"""Models that are not needed here: their tables are empty."""
PER_SET = (
    "stg_rounds", "int_exceptions_in_force", "int_school_population", "int_municipality_history",
    "int_indicator_points",
)  # fmt: skip
"""Models that are the same for every set, once for each."""


@dataclass(frozen=True)
class Verdict:
    """What the rule says of some sets of figures; ``school`` and ``municipality`` map columns to (sets, units) arrays.

    Columns: ``share``, ``rank``; of schools ``worst`` (among the nation's worst); of municipalities ``school_spread``,
    ``worst_schools``, and ``average`` and ``spread``: whether the group takes it, before any decision.
    """

    school: dict[str, np.ndarray]
    municipality: dict[str, np.ndarray]


class Judge:
    """The rule of a round, ready to judge.

    ``schools`` and ``municipalities`` are the published rows of the rated units, by code. ``cells`` are their judged
    cells. A unit's place among the sums is its municipality's, then, after all municipalities, its school's.
    """

    def __init__(self, rule: Kernel, base: Base) -> None:
        import numpy as np

        self.base, self.kernel = base, rule
        self.schools, self.municipalities = _prepare(rule, base)
        self.cells = load_cells(rule, base)
        steps = step_table(rule, self.cells, base.rules)
        # points and weight beyond the absolute limit share one integer, so that one look-up and one sum do for both
        self._steps = steps["weighted_points"].to_numpy() << 32 | steps["beyond"].to_numpy()
        counts = self.cells.highest - self.cells.lowest + 1
        begins = np.concatenate([[0], np.cumsum(counts)[:-1]]) - self.cells.lowest
        self._at = begins[self.cells.group].astype(np.int32)
        self._starts = np.flatnonzero(np.r_[True, np.diff(self.cells.unit) != 0])
        self._unit = self.cells.unit[self._starts]
        self._standing = 0  # for how many sets the relations stand that are the same in each
        _official_sums(rule)
        self.as_published = self.sums(self.cells.value[np.newaxis].astype(np.int32))
        self.exact = self.judge(self.as_published)
        _refuse_unless_published(self)

    @property
    def batch(self) -> int:
        """How many sets ``judge`` takes at most."""
        return max(1, min(MOST_SETS, MOST_ROWS // self.units))

    @property
    def units(self) -> int:
        """How many units have sums: the municipalities, then the schools."""
        return len(self.municipalities) + len(self.schools)

    def unit_at(self, place: int) -> tuple[str, dict[str, Any]]:
        """Level and published row of the unit at a place among the sums."""
        first = len(self.municipalities)
        return (
            ("municipality", self.municipalities[place]) if place < first else ("school", self.schools[place - first])
        )

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Packed sums, shape (sets, units), of whole ``values`` in last decimals, shape (sets, cells)."""
        import numpy as np

        packed = np.zeros((len(values), self.units), dtype=np.int64)
        packed[:, self._unit] = np.add.reduceat(self._steps[values + self._at], self._starts, axis=1)
        return packed

    def parts(self, cell: int) -> np.ndarray:
        """What each value of a cell's scale, from the lowest to the highest, adds to the packed sum of its unit."""
        group = self.cells.group[cell]
        first = int(self._at[cell] + self.cells.lowest[group])
        found: np.ndarray = self._steps[first : first + int(self.cells.highest[group] - self.cells.lowest[group]) + 1]
        return found

    def judge(self, packed: np.ndarray) -> Verdict:
        """Let the models judge up to ``batch`` sets. ``packed`` has shape (sets, units)."""
        import numpy as np
        import pyarrow as pa

        sql, (sets, units), municipalities = self.kernel.sql, packed.shape, len(self.municipalities)
        if self._standing != sets:
            self._standing = sets
            self.kernel.table("sets", [sets])
            for name in PER_SET:
                self.kernel.stand_in(name)
        sums = pa.table(
            {
                "set": np.repeat(np.arange(sets, dtype=np.int32), units),
                "unit": np.tile(np.arange(units, dtype=np.int32), sets),
                "points": _decimals(packed >> 32),
                "beyond": _decimals(packed & LOW_HALF),
            }
        )
        sql.register("given_sums", sums)
        self.kernel.stand_in("int_unit_sums")
        self.kernel.build(MODELS)
        sql.unregister("given_sums")
        school = _spread_out(self.kernel.query("schools_of_sets"), (sets, units - municipalities), municipalities)
        municipality = _spread_out(self.kernel.query("municipalities_of_sets"), (sets, municipalities), 0)
        for group in ("average", "spread"):
            rows = self.kernel.query(f"{group}_group_of_sets")
            mask = np.zeros((sets, municipalities), dtype=bool)
            mask[rows["set"].to_numpy(), rows["unit"].to_numpy()] = True
            municipality[group] = mask
        return Verdict(school, municipality)


def weighted_points(packed: int) -> Decimal:
    """The weighted points in a packed sum, or part of one."""
    return Decimal(packed >> 32).scaleb(-POINT_DECIMALS)


@contextmanager
def judge_of(settings: Settings, base: Base) -> Iterator[Judge]:
    """The rule of a round for the time of a computation.

    Raises:
        NotFound: the round has no tables here, or rates nobody.
        PipelineProblem: the models do not give the published figures, or the dbt manifest is missing or stale.
    """
    with kernel(settings) as rule:
        yield Judge(rule, base)


def _prepare(k: Kernel, base: Base) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rated units as published, sorted by code, and the relations that no figure changes.

    Which units are rated hangs on what is visible, never on its value: so it is the same in every set.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    schools, municipalities = (
        base.table(f"{name}_ranking").filter(pc.field("rated")).sort_by(f"{name}_code")
        for name in ("school", "municipality")
    )
    school_rows, municipality_rows = schools.to_pylist(), municipalities.to_pylist()
    units = [*(r["municipality_code"] for r in municipality_rows), *(r["school_code"] for r in school_rows)]
    if not units:
        raise NotFound(f"Round {base.round.id} has no rated units, so there is nothing to compute.")
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
    sql.register("limits", base.table("limits"))
    k.stand_in("int_limits")
    return school_rows, municipality_rows


def _official_sums(k: Kernel) -> None:
    """The sums of the published cells by the models themselves; other values change points and weight beyond alone."""
    k.stand_in("int_observations", "observations_as_published")
    k.build(SUMS)
    k.table("official_sums")
    k.table("judged_areas")
    k.sql.execute("drop table int_indicator_points")
    labels = ", ".join(f"'R#{i:04d}'" for i in range(MOST_SETS))
    k.sql.execute(f"create type set_name as enum ({labels})")
    for name in EMPTY:
        k.stand_in(name)


def _decimals(ten_thousandths: np.ndarray) -> pa.Array:
    """Whole ten-thousandths as decimal(18, 4), without a detour over floats. The values are not negative."""
    import numpy as np
    import pyarrow as pa

    words = np.zeros((ten_thousandths.size, 2), dtype=np.int64)
    words[:, 0] = ten_thousandths.ravel()
    return pa.Array.from_buffers(pa.decimal128(18, 4), len(words), [None, pa.py_buffer(words)])


def _spread_out(rows: pa.Table, shape: tuple[int, int], first: int) -> dict[str, np.ndarray]:
    """Rows in any order as arrays of shape (sets, units)."""
    import numpy as np

    at = (rows["set"].to_numpy().astype(np.int64), rows["unit"].to_numpy().astype(np.int64) - first)
    found = {}
    for name in rows.column_names[2:]:
        values = rows[name].to_numpy()
        # a rank is below a million and a share is a double: each keeps the smallest type that holds it
        kind = np.int32 if np.issubdtype(values.dtype, np.integer) else values.dtype
        found[name] = np.zeros(shape, dtype=kind)
        found[name][at] = values
    return found


def _refuse_unless_published(judge: Judge) -> None:
    """The published figures against the published rankings and groups, one by one."""
    import numpy as np

    pairs = {
        "school_ranking": (
            judge.exact.school, judge.schools, {"share": "risk_share", "rank": "rank", "worst": "worst_quartile"},
        ),
        "municipality_ranking": (
            judge.exact.municipality,
            judge.municipalities,
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
    selection = judge.base.table("selection").to_pylist()
    codes = [r["municipality_code"] for r in judge.municipalities]
    for group in ("average", "spread"):
        published_as = {
            r["municipality_code"] for r in selection if r["selection_group"] == group and r["within_quota"]
        }
        taken = {code for code, is_taken in zip(codes, judge.exact.municipality[group][0], strict=True) if is_taken}
        for code in sorted(taken ^ published_as):
            findings.append(_differs("selection", "within_quota", code, code in taken, code in published_as, 1))
    if findings:
        raise PipelineProblem(
            f"The current models do not reproduce the published figures of {judge.base.round.id}: nothing is computed "
            "from them.",
            findings,
        )


def _differs(table: str, column: str, unit: str, found: Any, expected: Any, count: int) -> Finding:
    return Finding(
        "not-as-published", Severity.FAIL, f"{table}: {unit} differs from what is published", stage="simulation",
        file=f"{table}.parquet", column=column, found=str(found), expected=str(expected), count=count,
        fix="Run and publish the round again with the current models.",
    )  # fmt: skip
