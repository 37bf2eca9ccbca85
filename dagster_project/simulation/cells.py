"""The figures of a round's rated units, and the points that the rule gives for every value a figure can have."""

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


def load_cells(kernel: Kernel, base: Base) -> Cells:
    """Read the cells of the rated units; the kernel holds ``rated_units`` and the type ``unit`` already."""
    import numpy as np

    kernel.sql.register("indicator_points", base.table("indicator_points"))
    kernel.table("published_cells")
    kernel.table("judged_cells")
    table = kernel.query("cells")
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
    kernel.stand_in("int_observations", "observations_of_steps")
    kernel.build(["int_indicator_points"])
    return kernel.query("points_of_steps")
