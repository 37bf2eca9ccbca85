"""The cells of a published round and how uncertain each is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dagster_project.diagnostics import Finding, RuleProblem, Severity
from dagster_project.publication.edition import INTERNAL
from dagster_project.rules import RuleSet
from dagster_project.schema import INDICATORS
from dagster_project.settings import Settings
from dagster_project.simulation.assumptions import Assumptions

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from dagster_project.simulation.kernel import Kernel

SHARE_SCALE = 100


@dataclass(frozen=True)
class Cells:
    """The judged cells of the rated units, sorted by unit.

    Shapes (cells,): ``unit`` (index among the codes), ``group`` (index among ``groups``), ``value`` and ``error`` (one
    standard error) in units of the last published decimal. ``groups``: (indicator, grade_key, year_key) of each group;
    ``lowest`` and ``highest`` (groups,): the ends of the scale, in the same units.
    """

    unit: np.ndarray
    group: np.ndarray
    value: np.ndarray
    error: np.ndarray
    groups: tuple[tuple[str, int, str], ...]
    lowest: np.ndarray
    highest: np.ndarray
    published_errors: int
    without_count: int


CELLS = """
create or replace table published_cells as
select p.unit_level, cast(p.unit_code as unit) as unit_code, coalesce(p.school_year, 'window') as year_key,
    p.indicator, coalesce(p.grade, 0) as grade_key, p.value, p.n_pupils, p.state, p.value_basis,
    p.national_limit, p.absolute_limit, p.points, p.source_sha256, p.source_row, p.source_column
from read_parquet(?) as p
inner join rated_units as u on p.unit_level = u.unit_level and p.unit_code = u.unit_code
"""

UNCERTAINTIES = """
create or replace table stated_uncertainties as
select distinct source_sha256, source_row, source_column, cast(uncertainty as double) as uncertainty
from read_parquet(?, union_by_name=true, hive_partitioning=false)
where uncertainty is not null and unit_level in ('school', 'municipality') and indicator in (select unnest(?))
"""

JUDGED = """
select c.unit_level, enum_code(c.unit_code) as unit, c.indicator, c.grade_key,
    c.year_key, cast(c.value as double) as value, cast(c.n_pupils as double) as n_pupils, s.uncertainty
from published_cells as c
left join stated_uncertainties as s
    on c.source_sha256 = s.source_sha256 and c.source_row = s.source_row and c.source_column = s.source_column
where c.points is not null
order by unit, c.indicator, c.grade_key, c.year_key
"""


def load_cells(kernel: Kernel, settings: Settings, revision: Path, rules: RuleSet, assumed: Assumptions) -> Cells:
    """Read the cells of the rated units; the kernel holds ``rated_units`` and the type ``unit`` already.

    Raises:
        RuleProblem: nothing is assumed about an indicator of the rule.
    """
    import numpy as np

    sql = kernel.sql
    sql.execute(CELLS, [str(revision / INTERNAL / "indicator_points.parquet")])
    names = [i.name for i in rules.indicators]
    # what the files state is used as it stands; shares have no stated uncertainty
    stated = [n for n in names if assumed.deviation(n) is not None]
    datasets = sorted({INDICATORS[n].dataset for n in names})
    files = [str(p) for d in datasets for p in sorted((settings.extracts / d).rglob("*.parquet"))]
    sql.execute(UNCERTAINTIES, [files, stated])
    table = kernel.arrow(JUDGED)
    unit = table["unit"].to_numpy().astype(np.int64)
    keys = list(
        zip(table["indicator"].to_pylist(), table["grade_key"].to_pylist(), table["year_key"].to_pylist(), strict=True)
    )
    groups = tuple(sorted(set(keys)))
    position = {g: i for i, g in enumerate(groups)}
    group = np.array([position[k] for k in keys], dtype=np.int64)
    value, pupils, given = (table[c].to_numpy().astype(float) for c in ("value", "n_pupils", "uncertainty"))
    level = np.array(table["unit_level"].to_pylist()) == "school"
    without = np.isnan(pupils) & np.isnan(given)
    for g in range(len(groups)):
        for at_level in (level, ~level):
            here = (group == g) & at_level & ~np.isnan(pupils)
            if here.any():
                # a visible cell without a count is taken to be as large as the middle one of its kind
                pupils[(group == g) & at_level & np.isnan(pupils)] = np.median(pupils[here])
    error = _standard_errors(value, pupils, given, group, groups, assumed)
    decimals = {i.name: i.decimals.value for i in rules.indicators}
    steps = np.array([10.0 ** decimals[name] for name, _, _ in groups])
    lowest = np.rint(np.array([INDICATORS[n].scale_min for n, _, _ in groups]) * steps).astype(np.int64)
    highest = np.rint(np.array([INDICATORS[n].scale_max for n, _, _ in groups]) * steps).astype(np.int64)
    return Cells(
        unit, group, np.rint(value * steps[group]), error * steps[group], groups, lowest, highest,
        int((~np.isnan(given)).sum()), int(without.sum()),
    )  # fmt: skip


def _standard_errors(
    value: np.ndarray, pupils: np.ndarray, given: np.ndarray, group: np.ndarray,
    groups: tuple[tuple[str, int, str], ...], assumed: Assumptions,
) -> np.ndarray:  # fmt: skip
    """One standard error a cell, in the indicator's own units. Shapes (cells,)."""
    import numpy as np

    error = np.empty(len(value))
    prior = float(assumed.prior_pupils.value)
    for g, (name, _, _) in enumerate(groups):
        here = group == g
        n = np.maximum(pupils[here], 1.0)
        deviation = assumed.deviation(name)
        if deviation is not None:
            assumed_error = float(deviation) / np.sqrt(n)
            published = given[here] / float(assumed.published_multiple.value)
            error[here] = np.where(np.isnan(published), assumed_error, published)
        elif name in assumed.shares.value:
            share = value[here] / SHARE_SCALE
            country = float((share * n).sum() / n.sum())
            drawn_in = (share * n + country * prior) / (n + prior)
            error[here] = SHARE_SCALE * np.sqrt(drawn_in * (1 - drawn_in) / n)
        else:
            finding = Finding(
                "no-uncertainty", Severity.FAIL, f"nothing is assumed about the uncertainty of {name}",
                stage="uncertainty", file="uncertainty.yaml", found=name, expected="a share or a pupil deviation",
                fix=f"Add {name} with basis and source.",
            )  # fmt: skip
            raise RuleProblem("The uncertainty cannot be computed.", [finding])
    return error


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
