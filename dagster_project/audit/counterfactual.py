"""What would have had to differ? The smallest change of one published cell that changes who is taken.

The search only reads what is published: the steps of the points, the municipality's own sum, and the municipalities
around the cut. What it finds is a proposal. The rule lives in the models and only there: ``verify`` puts the changed
cell into a scratch home and runs the very same models.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.audit.revisions import Published, Row
from dagster_project.diagnostics import PipelineProblem
from dagster_project.schema import INDICATORS
from dagster_project.settings import Settings

if TYPE_CHECKING:
    from dagster_project.rules.model import Indicator, RuleSet

OWN_CELLS = "municipality_values"
AS_PUBLISHED = ("published", "carried")
PERCENT = {"bullying", "reading_level_1", "numeracy_level_1"}


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
class Difference:
    """One cell, as it is and as it would have to be for the outcome to change.

    ``steps`` counts units of the last published decimal. ``pupils`` is for shares: so many of ``n_pupils`` would have
    had to stand on the other side, at least. ``sum_change`` is for means: so much the pupils' values together.
    ``verified`` is True or False after the models were run with the change, None before.
    """

    indicator: str
    grade: int
    school_year: str
    published: Decimal
    needed: Decimal
    steps: int
    points_before: int
    points_after: int
    share_after: float
    taken_after: bool
    n_pupils: int | None
    pupils: int | None
    sum_change: Decimal | None
    sources: tuple[tuple[str, int, str], ...]
    one_step: Decimal
    verified: bool | None = None

    def as_dict(self) -> dict[str, Any]:
        return {k: v for k, v in asdict(self).items() if k not in ("sources", "one_step")}


def eligible(published: Published, ranking: list[Row]) -> list[Row]:
    """Rated municipalities that no exception keeps out of the average group, worst first."""
    out = {
        r["municipality_code"]
        for r in published.rows("selection", selection_group="average")
        if r["status"] == "excluded" and r["rank_in_group"] is None
    }
    return sorted((m for m in ranking if m["rated"] and m["municipality_code"] not in out), key=lambda m: m["rank"])


def _taken(order: list[Row], rules: RuleSet) -> int:
    """How many of an ordered list the average group takes."""
    group = rules.groups.average
    quota = group.quota.value
    if group.ties.value == "include_ties" and 0 < quota <= len(order):
        last = order[quota - 1]["risk_share"]
        return max(quota, sum(1 for m in order if m["risk_share"] >= last))
    return min(quota, len(order))


def margin_of(published: Published, ranking: list[Row], code: str) -> Margin | None:
    """The distance of a municipality to the cut of the average group; None when it has no place in that order."""
    order = eligible(published, ranking)
    place = next((i for i, m in enumerate(order) if m["municipality_code"] == code), None)
    taken = _taken(order, published.rules)
    if place is None or not 0 < taken < len(order):
        return None
    inside = place < taken
    own, rival = order[place], order[taken] if inside else order[taken - 1]
    distance = abs(own["risk_share"] - rival["risk_share"])
    return Margin(
        inside, published.rules.groups.average.quota.value, place + 1, rival["municipality_code"],
        rival["municipality_name"], rival["risk_share"], distance, distance * float(own["possible_points"]),
    )  # fmt: skip


def _key(rules: RuleSet) -> Callable[[Row], tuple[Any, ...]]:
    """The order of the ranking as the rule set names it, to propose; the models have the last word."""
    ties = [t for t in rules.tie_breaks.value if t != "none"]
    return lambda m: (-m["risk_share"], *(-(m[t] or 0) for t in ties), m["municipality_code"])


def _turning_values(cell: Row, indicator: Indicator, rules: RuleSet) -> Iterator[tuple[Decimal, int]]:
    """The nearest value on either side of each limit with the points it gives, on the grid of published decimals."""
    step = Decimal(1).scaleb(-indicator.decimals.value)
    sign = 1 if indicator.direction.value == "higher_is_worse" else -1
    equal_counts = rules.points.comparison.value == "worse_or_equal"

    def first_worse(limit: Decimal) -> Decimal:
        position = sign * limit / step
        whole = math.ceil(position) if equal_counts else math.floor(position) + 1
        return sign * whole * step

    national, absolute = first_worse(cell["national_limit"]), first_worse(cell["absolute_limit"])
    known = INDICATORS[cell["indicator"]]
    for value in (national, absolute, national - sign * step, absolute - sign * step):
        if known.scale_min <= value <= known.scale_max:
            if sign * value >= sign * absolute:
                yield value, rules.points.absolute.value
            else:
                yield value, rules.points.national.value if sign * value >= sign * national else 0


def what_would_differ(published: Published, ranking: list[Row], code: str, cells: list[Row]) -> tuple[Difference, ...]:
    """For each indicator, grade and year that can do it, the smallest change; fewest steps first.

    Empty when the rule adds up schools, when no single cell is enough, or when the municipality has no place in the
    order. Cells that are hidden, or worked out from others, are left alone: there is no published cell to change.
    """
    rules = published.rules
    if rules.scope.municipality_share_from.value != OWN_CELLS:
        return ()
    order = eligible(published, ranking)
    own = next(m for m in order if m["municipality_code"] == code)
    others = [m for m in order if m is not own]
    taken_before = order.index(own) < _taken(order, rules)
    key = _key(rules)
    by_name = {i.name: i for i in rules.indicators}
    judged = [c for c in cells if c["points"] is not None]
    worst = rules.points.absolute.value
    weight_all = sum((c["weight"] for c in judged), Decimal(0))
    weight_worst = sum((c["weight"] for c in judged if c["points"] == worst), Decimal(0))
    found = []
    for cell in judged:
        if cell["value_basis"] not in AS_PUBLISHED or len(cell["sources"]) != 1:
            continue
        indicator = by_name[cell["indicator"]]
        step = Decimal(1).scaleb(-indicator.decimals.value)
        for value, points in sorted(
            _turning_values(cell, indicator, rules), key=lambda t: (abs(t[0] - cell["value"]), t[0])
        ):
            if points == cell["points"]:
                continue
            total = own["points"] + (points - cell["points"]) * cell["weight"]
            hits = weight_worst + cell["weight"] * ((points == worst) - (cell["points"] == worst))
            changed = {
                **own,
                "risk_share": float(total) / float(own["possible_points"]),
                "absolute_hit_share": float(hits) / float(weight_all),
            }
            after = sorted([*others, changed], key=key)
            taken_after = after.index(changed) < _taken(after, rules)
            if taken_after == taken_before:
                continue
            distance = abs(value - cell["value"])
            n = cell["n_pupils"]
            source = cell["sources"][0]
            found.append(
                Difference(
                    indicator.name, cell["grade"], cell["school_year"], cell["value"], value, int(distance / step),
                    cell["points"], points, changed["risk_share"], taken_after, n,
                    math.ceil(distance * n / 100) if n and indicator.name in PERCENT else None,
                    distance * n if n and indicator.name not in PERCENT else None,
                    ((source["sha256"], source["line"], source["column"]),),
                    step if value > cell["value"] else -step,
                )
            )  # fmt: skip
            break
    return tuple(sorted(found, key=lambda d: (d.steps, d.indicator, d.grade, d.school_year)))


def rerun(settings: Settings, published: Published, source: tuple[str, int, str], value: Decimal, home: Path) -> None:
    """Lay the extracts and the revision's own rules in ``home``, with one cell changed, and run the models there.

    Raises:
        PipelineProblem: the cell is no longer in the extracts (a later export has replaced it), or a model failed.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from dagster_project import dbt_step
    from dagster_project.rules import compile_parameters

    sha256, line, column = source
    scratch = Settings(home=home)
    changed = 0
    for path in sorted(settings.extracts.rglob("*.parquet")):
        table = pq.read_table(path, partitioning=None)
        target = scratch.extracts / path.relative_to(settings.extracts)
        target.parent.mkdir(parents=True, exist_ok=True)
        if "value" in table.column_names:
            here = pc.and_(
                pc.and_(pc.equal(table["source_sha256"], sha256), pc.equal(table["source_row"], line)),
                pc.and_(pc.equal(table["source_column"], column), pc.equal(table["state"], "observed")),
            )
            if count := pc.sum(here).as_py() or 0:
                at = table.schema.get_field_index("value")
                new = pa.scalar(value.quantize(Decimal("0.0001")), table.schema.field("value").type)
                table = table.set_column(at, table.schema.field("value"), pc.if_else(here, new, table["value"]))
                changed += count
        pq.write_table(table, target)
    if changed != 1:
        raise PipelineProblem(
            f"The change cannot be verified: the cell on line {line}, {column}, of the file {sha256[:12]} stands "
            f"{changed} times in the extracts as they are now. Later exports may have replaced it."
        )
    compile_parameters(published.rulebook, scratch.parameters)
    outcome = dbt_step.build(scratch, select=["+selection", "+municipality_ranking"], tests=False)
    if not outcome.success:
        raise PipelineProblem("The models did not run on the changed cell.", outcome.findings)


def is_taken(marts: Path, published: Published, code: str) -> bool:
    """Whether the average group takes a municipality, as the models just said.

    Raises:
        PipelineProblem: the models do not give the other municipalities the sums this revision has. Data or models
            have moved on since, so nothing can be said of the revision.
    """
    import pyarrow.parquet as pq

    def sums(rows: list[Row]) -> dict[str, tuple[Any, ...]]:
        return {r["municipality_code"]: (r["points"], r["possible_points"], r["risk_share"])
                for r in rows if r["municipality_code"] != code}  # fmt: skip

    here = pq.read_table(marts / "municipality_ranking.parquet").to_pylist()
    if sums(here) != sums(published.rows("municipality_ranking")):
        raise PipelineProblem(
            f"The change cannot be verified for revision {published.revision}: the models give other municipalities "
            "other sums than it has. Data or rules have changed since it was published; explain the newest revision."
        )
    quota = published.rules.groups.average.quota.value
    rows = pq.read_table(marts / "selection.parquet").to_pylist()
    return any(
        r["municipality_code"] == code
        and r["selection_group"] == "average"
        and r["rank_in_group"] is not None
        and (r["rank_in_group"] <= quota or r["status"] == "selected")
        for r in rows
    )


def verify(settings: Settings, published: Published, code: str, difference: Difference) -> bool:
    """Whether the models say so too: the change turns the outcome, and one published step less does not.

    Raises:
        PipelineProblem: the models could not be run on the data of this revision.
    """
    import tempfile

    answers = []
    for value in (difference.needed, difference.needed - difference.one_step):
        with tempfile.TemporaryDirectory(prefix="oppfolging-verify-") as folder:
            rerun(settings, published, difference.sources[0], value, Path(folder))
            answers.append(is_taken(Settings(home=Path(folder)).marts, published, code))
    return answers == [difference.taken_after, not difference.taken_after]
