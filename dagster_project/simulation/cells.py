"""The judged cells of a round's rated units, and what the rule gives for every value a cell can have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dagster_project.rules import RuleSet
from dagster_project.schema import INDICATORS

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from dagster_project.simulation.kernel import Kernel
    from dagster_project.simulation.scenario import Base


@dataclass(frozen=True)
class Cells:
    """The judged cells, sorted by unit.

    Shapes (cells,): ``unit`` (index among the codes), ``of_school``, ``group`` (index among ``groups``), ``value`` in
    units of the last published decimal, ``pupils`` (nan when not stated). ``groups`` are (indicator, grade_key,
    year_key); ``steps`` (groups,) says how many last decimals make one, ``lowest`` and ``highest`` (groups,) are the
    ends of the scale in last decimals.
    """

    unit: np.ndarray
    of_school: np.ndarray
    group: np.ndarray
    value: np.ndarray
    pupils: np.ndarray
    groups: tuple[tuple[str, int, str], ...]
    steps: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray


PUBLISHED = """
create or replace table published_cells as
select p.unit_level, cast(p.unit_code as unit) as unit_code, coalesce(p.school_year, 'window') as year_key,
    p.indicator, coalesce(p.grade, 0) as grade_key, p.value, p.n_pupils, p.state, p.value_basis,
    p.national_limit, p.absolute_limit, p.points, p.source_sha256, p.source_row, p.source_column
from indicator_points as p
inner join rated_units as u on p.unit_level = u.unit_level and p.unit_code = u.unit_code
"""

JUDGED = """
create or replace table judged_cells as
select unit_level, enum_code(unit_code) as unit, indicator, grade_key, year_key, cast(value as double) as value,
    cast(n_pupils as double) as n_pupils, source_sha256, source_row, source_column
from published_cells
where points is not null
"""


def load_cells(kernel: Kernel, base: Base) -> Cells:
    """Read the cells of the rated units; the kernel holds ``rated_units`` and the type ``unit`` already."""
    import numpy as np

    kernel.sql.register("indicator_points", base.table("indicator_points"))
    kernel.sql.execute(PUBLISHED)
    kernel.sql.execute(JUDGED)
    table = kernel.arrow("select * from judged_cells order by unit, indicator, grade_key, year_key")
    keys = list(zip(*(table[c].to_pylist() for c in ("indicator", "grade_key", "year_key")), strict=True))
    groups = tuple(sorted(set(keys)))
    position = {g: i for i, g in enumerate(groups)}
    group = np.array([position[k] for k in keys], dtype=np.int64)
    decimals = {i.name: i.decimals.value for i in base.rules.indicators}
    steps = np.array([10.0 ** decimals[name] for name, _, _ in groups])
    lowest, highest = (
        np.rint(np.array(ends) * steps).astype(np.int64)
        for ends in zip(*((INDICATORS[n].scale_min, INDICATORS[n].scale_max) for n, _, _ in groups), strict=True)
    )
    return Cells(
        table["unit"].to_numpy().astype(np.int64), np.array(table["unit_level"].to_pylist()) == "school", group,
        np.rint(table["value"].to_numpy() * steps[group]), table["n_pupils"].to_numpy().astype(float), groups, steps,
        lowest, highest,
    )  # fmt: skip


def step_table(kernel: Kernel, cells: Cells, rules: RuleSet) -> pa.Table:
    """Every value a group can have, judged by the rule's own model.

    Columns: group, step (value in last decimals), weighted_points and beyond (weight when beyond the absolute limit),
    both in ten-thousandths; sorted by group and step.
    """
    import numpy as np
    import pyarrow as pa

    decimals = {i.name: i.decimals.value for i in rules.indicators}
    counts = cells.highest - cells.lowest + 1
    group = np.repeat(np.arange(len(cells.groups)), counts)
    step = np.concatenate([np.arange(low, high + 1) for low, high in zip(cells.lowest, cells.highest, strict=True)])
    keys = pa.table(
        {
            "group_id": list(range(len(cells.groups))),
            "indicator": [g[0] for g in cells.groups],
            "grade_key": pa.array([g[1] for g in cells.groups], pa.int32()),
            "year_key": [g[2] for g in cells.groups],
            "decimals": pa.array([decimals[g[0]] for g in cells.groups], pa.int32()),
        }
    )
    kernel.sql.register("group_keys", keys)
    kernel.sql.register("group_steps", pa.table({"group_id": group, "step": step}))
    kernel.sql.execute("""
        create or replace table int_observations as
        select (select any_value(round) from stg_rounds) as round, 'window' as cell_use, 'school' as unit_level,
            concat(k.group_id, ':', s.step) as unit_code, k.indicator, k.grade_key, k.year_key,
            cast(s.step / power(10, k.decimals) as decimal(18, 4)) as value, cast(1 as bigint) as n_pupils,
            'observed' as state, 'simulated' as value_basis, cast(null as varchar) as source_sha256,
            cast(null as bigint) as source_row, cast(null as varchar) as source_column
        from group_steps as s inner join group_keys as k on s.group_id = k.group_id
    """)
    kernel.build(["int_indicator_points"])
    return kernel.arrow("""
        select cast(split_part(unit_code, ':', 1) as bigint) as group_id, cast(split_part(unit_code, ':', 2) as bigint)
            as step, cast(weighted_points * 10000 as bigint) as weighted_points,
            cast(case when beyond_absolute then weight * 10000 else 0 end as bigint) as beyond
        from int_indicator_points order by group_id, step
    """)
