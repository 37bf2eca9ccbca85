"""Draw figures at random within their uncertainty, and compute the rule for each draw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dagster_project.intake.partitions import Extracts
from dagster_project.settings import Settings
from dagster_project.simulation.assumptions import Assumptions
from dagster_project.simulation.errors import standard_errors
from dagster_project.simulation.judge import Judge, judge_of
from dagster_project.simulation.scenario import Base

if TYPE_CHECKING:
    import numpy as np

CHUNK = 10


@dataclass(frozen=True)
class Draws:
    """What the rule gave in every draw. ``schools`` and ``municipalities`` are the published rows of the rated units.

    Shapes (draws, units): ``*_share`` and ``*_rank``; (units,): how often each was among the worst schools, and taken
    by each group. ``cells`` were drawn; of ``published_errors`` the file states the uncertainty, ``without_count`` have
    neither that nor a count of pupils.
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


def simulate(
    settings: Settings, base: Base, assumed: Assumptions, *, draws: int, seed: int, extracts: Extracts
) -> Draws:  # fmt: skip
    """Draw ``draws`` times. The same seed gives the same numbers, whatever the number of threads.

    ``extracts`` holds the figures with the uncertainty that their files state.

    Raises:
        NotFound: the round has no tables here.
        PipelineProblem: the models do not give the published figures again.
    """
    import numpy as np

    with judge_of(settings, base) as judge:
        errors = standard_errors(judge.kernel, extracts, judge.cells, base.rules, assumed)
        noise = np.random.Generator(np.random.PCG64(seed))
        drawn = batches(judge, judge.cells.value, errors.steps, noise, draws)
        verdicts = [judge.judge(packed) for packed in drawn]
    school = {name: np.concatenate([v.school[name] for v in verdicts]) for name in verdicts[0].school}
    municipality = {name: np.concatenate([v.municipality[name] for v in verdicts]) for name in verdicts[0].municipality}
    average, spread = municipality["average"], municipality["spread"]
    return Draws(
        judge.schools, judge.municipalities, school["share"], school["rank"], municipality["share"],
        municipality["rank"], school["worst"].mean(axis=0), average.mean(axis=0), spread.mean(axis=0),
        (average | spread).mean(axis=0), errors.published, errors.without_count, len(judge.cells.value),
    )  # fmt: skip


def batches(
    judge: Judge, values: np.ndarray, errors: np.ndarray, noise: np.random.Generator, draws: int
) -> Iterator[np.ndarray]:
    """Packed sums of a batch of draws at a time, around ``values``; ``errors`` are standard errors.

    Both have shape (cells,) and are in last decimals.

    Small chunks stay in the processor's cache; the generator runs through them in order, so their size changes nothing.
    """
    import numpy as np

    cells = judge.cells
    error, value = errors.astype(np.float32), values.astype(np.float32)
    low, high = (ends[cells.group].astype(np.float32) for ends in (cells.lowest, cells.highest))

    def chunk(count: int) -> np.ndarray:
        drawn = noise.standard_normal((count, len(value)), dtype=np.float32)
        drawn *= error
        drawn += value
        np.rint(drawn, out=drawn)
        np.clip(drawn, low, high, out=drawn)
        return judge.sums(drawn.astype(np.int32))

    for begin in range(0, draws, judge.batch):
        end = min(begin + judge.batch, draws)
        yield np.concatenate([chunk(min(CHUNK, end - first)) for first in range(begin, end, CHUNK)])
