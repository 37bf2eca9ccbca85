"""The smallest change in one published figure that would have changed the outcome of the rule.

Nothing of the rule is worked out here. The models say what each value a figure can have would give, and then judge the
round anew for every sum that one changed figure can lead to.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dagster_project.archive.published import INTERNAL
from dagster_project.audit.revisions import Published, Row
from dagster_project.diagnostics import NotFound, PipelineProblem
from dagster_project.schema import INDICATORS
from dagster_project.simulation.judge import judge_of, weighted_points
from dagster_project.simulation.scenario import Base

if TYPE_CHECKING:
    from dagster_project.settings import Settings
    from dagster_project.simulation.judge import Judge, Verdict

AS_PUBLISHED = ("published", "carried")
AVERAGE, SPREAD, WORST = "average", "spread", "worst_quartile"


@dataclass(frozen=True)
class Margin:
    """How far a municipality is from the cut of the average group.

    ``rival`` is the municipality on the other side of the cut: the last that is taken for one outside, the first that
    is not for one inside. ``share`` is the difference of their shares (0..1, never negative); ``points`` the same in
    weighted points of this municipality's own possible points, before any tie-break.
    """

    taken: bool
    quota: int
    place: int
    rival: str
    rival_name: str
    rival_share: float
    share: float
    points: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class FigureChange:
    """One figure, as it is and as it would have to be for ``outcome`` to become ``after``.

    ``outcome``: taken by the ``average`` or the ``spread`` group, or (of a school) ``worst_quartile``. The figure is
    the municipality's own or one of its schools'; ``share_after`` is the share of that unit, ``spread_after`` the
    spread between the municipality's schools. ``steps`` counts units of the last published decimal. ``pupils`` is for
    shares: so many of ``n_pupils`` would have had to stand on the other side, at least. ``sum_change`` is for means: so
    much the pupils' values together.
    """

    outcome: str
    after: bool
    unit_level: str
    unit_code: str
    unit_name: str | None
    indicator: str
    grade: int | None
    school_year: str | None
    published: Decimal
    needed: Decimal
    steps: int
    points_before: int
    points_after: int
    share_after: float
    spread_after: float | None
    n_pupils: int | None
    pupils: int | None
    sum_change: Decimal | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def margin_of(published: Published, ranking: list[Row], code: str) -> Margin | None:
    """The distance of a municipality to the cut of the average group; None when it has no place in that order."""
    group = published.rows("selection", selection_group=AVERAGE)
    out = {r["municipality_code"] for r in group if r["arithmetic_status"] == "excluded"}
    order = sorted((m for m in ranking if m["rated"] and m["municipality_code"] not in out), key=lambda m: m["rank"])
    taken = sum(bool(r["within_quota"]) for r in group)
    place = next((i for i, m in enumerate(order) if m["municipality_code"] == code), None)
    if place is None or not 0 < taken < len(order):
        return None
    inside = place < taken
    own, rival = order[place], order[taken] if inside else order[taken - 1]
    distance = abs(own["risk_share"] - rival["risk_share"])
    return Margin(
        inside, published.rules.groups.average.quota.value, place + 1, rival["municipality_code"],
        rival["municipality_name"], rival["risk_share"], distance, distance * float(own["possible_points"]),
    )  # fmt: skip


@contextmanager
def judge_of_revision(settings: Settings, published: Published) -> Iterator[Judge | None]:
    """The models, ready to judge changed figures of a revision; None when they no longer give what it has."""
    (round_,) = published.rulebook.rounds
    base = Base(round_, published.rulebook, published.folder / INTERNAL, published.folder)
    with ExitStack() as stack:
        try:
            judge = stack.enter_context(judge_of(settings, base))
        except (NotFound, PipelineProblem):
            judge = None
        yield judge


def what_would_differ(judge: Judge, published: Published, level: str, code: str) -> tuple[FigureChange, ...]:
    """For each figure that can do it alone, the smallest change; by outcome, fewest steps first.

    Of a municipality its own figures and its schools' are tried, of a school its own. Figures that are hidden or worked
    out from others are left alone: there is no published figure to change. Empty when the unit is not rated.
    """
    units = [judge.unit_at(place) for place in range(judge.units)]
    places = [i for i, (at, row) in enumerate(units) if at == level and row[f"{level}_code"] == code]
    if not places:
        return ()
    (subject,) = places
    if level == "municipality":
        places += [i for i, (at, row) in enumerate(units) if at == "school" and row["municipality_code"] == code]
    changes = [change for place in places for change in _changes(judge, published, place)]
    verdicts = _judged(judge, sorted({(c.place, c.added) for c in changes}))
    found = []
    for outcome in (AVERAGE, SPREAD) if level == "municipality" else (WORST,):
        before = _taken(judge, judge.exact, outcome, subject)[0]
        smallest: dict[tuple[int, str], FigureChange] = {}
        for change in changes:
            verdict, row = verdicts[change.place, change.added]
            if _taken(judge, verdict, outcome, subject)[row] == before:
                continue
            figure = (change.place, str(change.key))
            if figure not in smallest or change.steps < smallest[figure].steps:
                smallest[figure] = _difference(judge, change, outcome, not before, verdict, row, subject)
        found += sorted(smallest.values(), key=lambda d: (d.steps, d.unit_level, d.unit_code, d.indicator,
                                                          d.grade or 0, d.school_year or ""))  # fmt: skip
    return tuple(found)


@dataclass(frozen=True)
class _Change:
    """A figure and the nearest value that gives other points. ``place`` is its unit's among the sums.

    ``steps`` is how many last decimals away ``needed`` lies; ``added`` is what that adds to the packed sum of the unit.
    """

    place: int
    key: tuple[Any, ...]
    cell: Row
    needed: Decimal
    steps: int
    points_after: int
    added: int


def _changes(judge: Judge, published: Published, place: int) -> Iterator[_Change]:
    """For each published figure of a unit and each number of points it does not have: the nearest value that has it."""
    import numpy as np

    level, unit = judge.unit_at(place)
    rows = published.rows("indicator_points", unit_level=level, unit_code=unit[f"{level}_code"])
    by_key = {(r["indicator"], r["grade"] or 0, r["school_year"] or "window"): r for r in rows}
    cells = judge.cells
    for at in np.flatnonzero(cells.unit == place):
        group = int(cells.group[at])
        cell = by_key[cells.groups[group]]
        if cell["value_basis"] not in AS_PUBLISHED or cell["source_sha256"] is None:
            continue
        parts, stands = judge.parts(int(at)), int(cells.value[at]) - int(cells.lowest[group])
        distance = np.abs(np.arange(len(parts)) - stands)
        for part in np.unique(parts[parts != parts[stands]]):
            nearest = int(np.where(parts == part, distance, len(parts)).argmin())
            value = Decimal(nearest + int(cells.lowest[group])) / Decimal(int(cells.steps[group]))
            points = weighted_points(int(part)) / cell["weight"]
            added = int(part) - int(parts[stands])
            yield _Change(place, cells.groups[group], cell, value, int(distance[nearest]), int(points), added)


def _judged(judge: Judge, sums: list[tuple[int, int]]) -> dict[tuple[int, int], tuple[Verdict, int]]:
    """What the rule says when the packed sum of one unit is another: the verdict, and which of its sets it is."""
    import numpy as np

    found = {}
    for begin in range(0, len(sums), judge.batch):
        batch = sums[begin : begin + judge.batch]
        packed = np.repeat(judge.as_published, len(batch), axis=0)
        for i, (place, added) in enumerate(batch):
            packed[i, place] += added
        verdict = judge.judge(packed)
        found.update({key: (verdict, i) for i, key in enumerate(batch)})
    return found


def _taken(judge: Judge, verdict: Verdict, outcome: str, place: int) -> list[bool]:
    """Whether the unit at a place is taken, or among the worst, in each set of a verdict."""
    first = len(judge.municipalities)
    column = verdict.school["worst"][:, place - first] if outcome == WORST else verdict.municipality[outcome][:, place]
    return [bool(v) for v in column]


def _difference(
    judge: Judge, change: _Change, outcome: str, after: bool, verdict: Verdict, row: int, subject: int
) -> FigureChange:
    level, unit = judge.unit_at(change.place)
    cell, first = change.cell, len(judge.municipalities)
    shares = verdict.municipality["share"] if level == "municipality" else verdict.school["share"]
    spread = verdict.municipality["school_spread"][row, subject] if outcome == SPREAD else math.nan
    distance, n = abs(change.needed - cell["value"]), cell["n_pupils"]
    of_pupils = INDICATORS[cell["indicator"]].share_of_pupils
    return FigureChange(
        outcome, after, level, unit[f"{level}_code"], unit[f"{level}_name"], cell["indicator"], cell["grade"],
        cell["school_year"], cell["value"], change.needed, change.steps, cell["points"], change.points_after,
        float(shares[row, change.place - (0 if level == "municipality" else first)]),
        None if math.isnan(spread) else float(spread), n,
        math.ceil(distance * n / 100) if n and of_pupils else None,
        distance * n if n and not of_pupils else None,
    )  # fmt: skip
