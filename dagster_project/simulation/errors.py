"""The uncertainty of each figure: as stated in its file, otherwise from the number of pupils."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dagster_project.diagnostics import Finding, RuleProblem, Severity
from dagster_project.schema import INDICATORS
from dagster_project.simulation.cells import Cells

if TYPE_CHECKING:
    import numpy as np

    from dagster_project.intake.partitions import Extracts
    from dagster_project.rules import RuleSet
    from dagster_project.simulation.assumptions import Assumptions
    from dagster_project.simulation.kernel import Kernel

SHARE_SCALE = 100

COLUMNS = ("source_sha256", "source_row", "source_column", "uncertainty", "unit_level", "indicator")


@dataclass(frozen=True)
class Errors:
    """One standard error a cell, shape (cells,), in units of the last published decimal.

    ``published`` counts cells whose file states an uncertainty, ``without_count`` those with neither that nor a count
    of pupils, which are taken to be as large as the middle one of their kind.
    """

    steps: np.ndarray
    published: int
    without_count: int


def standard_errors(
    kernel: Kernel, extracts: Extracts, cells: Cells, rules: RuleSet, assumed: Assumptions
) -> Errors:  # fmt: skip
    """The errors of the cells the kernel holds, with the uncertainties that the files of ``extracts`` state.

    Raises:
        RuleProblem: nothing is assumed about an indicator of the rule.
    """
    import numpy as np
    import pyarrow as pa

    names = [i.name for i in rules.indicators]
    # what the files state is used as it stands; shares have no stated uncertainty
    stated = [n for n in names if assumed.deviation(n) is not None]
    datasets = sorted({INDICATORS[n].dataset for n in names})
    tables = [extracts.table(key, COLUMNS) for key in extracts.in_force if key[0] in datasets]
    kernel.sql.register("in_force", pa.concat_tables([t for t in tables if t is not None]))
    kernel.table("stated_uncertainties", [stated])
    kernel.sql.unregister("in_force")
    given = kernel.query("uncertainty_of_cells")["uncertainty"].to_numpy().astype(float)
    pupils = cells.pupils.copy()
    without = np.isnan(pupils) & np.isnan(given)
    for group in range(len(cells.groups)):
        for at_level in (cells.of_school, ~cells.of_school):
            here = (cells.group == group) & at_level
            counted = here & ~np.isnan(pupils)
            if counted.any():
                pupils[here & np.isnan(pupils)] = np.median(pupils[counted])
    value = cells.value / cells.steps[cells.group]
    error = errors_of(value, pupils, given, cells.group, cells.groups, assumed)
    return Errors(error * cells.steps[cells.group], int((~np.isnan(given)).sum()), int(without.sum()))


def errors_of(
    value: np.ndarray, pupils: np.ndarray, given: np.ndarray, group: np.ndarray,
    groups: tuple[tuple[str, int, str], ...], assumed: Assumptions,
) -> np.ndarray:  # fmt: skip
    """One standard error a cell, in the indicator's own units; ``given`` is nan where no file states one.

    Shapes (cells,); ``groups`` holds (indicator, grade_key, year_key).

    Raises:
        RuleProblem: nothing is assumed about an indicator.
    """
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
        elif INDICATORS[name].share_of_pupils:
            share = value[here] / SHARE_SCALE
            country = float((share * n).sum() / n.sum())
            drawn_in = (share * n + country * prior) / (n + prior)
            error[here] = SHARE_SCALE * np.sqrt(drawn_in * (1 - drawn_in) / n)
        else:
            finding = Finding(
                "no-uncertainty", Severity.FAIL, f"there is no assumption about the uncertainty of {name}",
                stage="uncertainty", file="uncertainty.yaml", found=name, expected="a pupil deviation",
                fix=f"Add {name} with basis and source.",
            )  # fmt: skip
            raise RuleProblem("The uncertainty cannot be computed.", [finding])
    return error
