"""An attacker who reads the lists. Who is selected has a share no lower than those who are not, and shares add up from points.

From a round's public tables he knows the points of each visible cell and the shares of those whose cells are all visible.
So he tries every sum of the hidden points that keeps a municipality on its side of them, and takes its visible schools along.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pyarrow.parquet as pq

from dagster_project.schema import INDICATORS
from tests.disclosure.counts import Attacker, Cell, Row
from tests.oracle.compare import read

PLACES = {"selected": 2, "reserve": 1}
Points = tuple[Fraction, ...]


@dataclass(frozen=True)
class Round:
    """The public tables of a round, and of its rules what everybody may read: the points there are, and which end is worse."""

    name: str
    points: Points
    ownership: str
    worse_is_higher: dict[str, bool]
    cells: dict[str, list[Row]]
    shares: dict[str, tuple[int, Fraction | None]]
    """Place on the list and share, if that is shown, of each municipality that can be selected."""


def rounds_of(home: Path, tables: dict[str, Path]) -> Iterator[Round]:
    """The rounds that add a municipality's points up from its own figures, from the public tables in a folder of each."""
    rules = {r["round"]: r for r in pq.read_table(home / "parameters" / "rounds.parquet").to_pylist()}
    worse = defaultdict(dict)
    for r in pq.read_table(home / "parameters" / "rule_indicators.parquet").to_pylist():
        worse[r["round"]][r["indicator"]] = r["direction"] == "higher_is_worse"
    for name, folder in tables.items():
        rule = rules[name]
        if rule["municipality_share_from"] != "municipality_values" or rule["purpose"] != "selection":
            continue
        mine: dict[str, list[Row]] = {}
        for table in ("indicator_points", "municipality_ranking", "selection"):
            path = next(p for p in (folder / f"public_{table}.parquet", folder / f"{table}.parquet") if p.exists())
            mine[table] = [r for r in read(path) if r["round"] == name]
        cells = defaultdict(list)
        for r in mine["indicator_points"]:
            if r["unit_level"] == "municipality" and r["possible_points"]:
                cells[r["unit_code"]].append(r)
        statuses = {r["municipality_code"]: r["status"] for r in mine["selection"] if r["selection_group"] == "average"}
        shares = {
            r["municipality_code"]: (
                PLACES.get(statuses.get(r["municipality_code"], ""), 0),
                None if r["points"] is None else Fraction(r["points"]) / Fraction(r["possible_points"]),
            )
            for r in mine["municipality_ranking"]
            if r["rated"] and statuses.get(r["municipality_code"]) not in ("excluded", "declined")
        }
        points = tuple({Fraction(0), Fraction(rule["points_national"]), Fraction(rule["points_absolute"])})
        yield Round(name, points, rule["municipality_ownership"], worse[name], cells, shares)


def told(round_: Round, attacker: Attacker) -> dict[tuple[str, str, str, int | None, str | None], str]:
    """Hidden cells of municipalities of which a list tells too much, and what it tells."""
    found = {}
    for code, (place, share) in round_.shares.items():
        hidden = [r for r in round_.cells[code] if r["points"] is None]
        if share is not None or not hidden or len(hidden) == len(round_.cells[code]):
            continue  # where everything is hidden, what is left is the decision itself
        possible = sum(Fraction(r["possible_points"]) for r in round_.cells[code])
        seen = sum(Fraction(r["weighted_points"]) for r in round_.cells[code] if r["points"] is not None)
        others = [(p, s) for p, s in round_.shares.values() if s is not None]
        least = max((s for p, s in others if p < place), default=Fraction(0)) * possible - seen
        most = min((s for p, s in others if p > place), default=Fraction(1)) * possible - seen
        for row in hidden:
            weight = Fraction(row["weight"])
            sums = _sums([Fraction(r["weight"]) for r in hidden if r is not row], round_.points)
            fits = {x for x in round_.points if any(least <= x * weight + y <= most for y in sums)}
            if what := _too_much(row, fits, round_, attacker):
                found[round_.name, code, row["indicator"], row["grade"], row["school_year"]] = what
    return found


def _sums(weights: list[Fraction], points: Points) -> set[Fraction]:
    sums = {Fraction(0)}
    for weight in weights:
        sums = {s + p * weight for s in sums for p in points}
    return sums


def _too_much(row: Row, fits: set[Fraction], round_: Round, attacker: Attacker) -> str | None:
    every = set(round_.points)
    if not fits or fits == every:
        return None
    if len(fits) == 1:
        return f"has {float(min(fits))} points"
    about = INDICATORS[row["indicator"]]
    # of the values between the best and the worst that fit: from no point to beyond the absolute limit
    best = about.scale_min if round_.worse_is_higher[row["indicator"]] else about.scale_max
    worst = about.scale_max if round_.worse_is_higher[row["indicator"]] else about.scale_min
    if min(fits) > 0:
        best = row["national_limit"] if row["national_limit"] is not None else best
    if max(fits) < max(every):
        worst = row["absolute_limit"] if row["absolute_limit"] is not None else worst
    limits = sorted((Fraction(best), Fraction(worst)))
    cell: Cell = (
        "municipality",
        row["unit_code"],
        round_.ownership,
        row["indicator"],
        row["grade"],
        row["school_year"],
    )
    pupils = attacker.places.pupils.get(cell)
    if pupils is None:
        return None
    if about.share_of_pupils:
        low, high = (limit * pupils / 100 for limit in limits)
    else:
        low, high = ((limit - int(about.scale_min)) * pupils for limit in limits)
    least, most = attacker.from_below(cell)
    return attacker.too_narrow(cell, max(least, low), min(most, high))
