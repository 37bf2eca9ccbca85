"""An attacker who counts. A share of n pupils is a whole number of cases, and he has every public edition there ever was.

He knows how the figures hang together: a municipality's figure is that of its schools, the nation's that of the
municipalities. That is a tree, and each hidden cell is a part of one rest at each level, so the bounds of a rest are
exact. He is given more than the editions say: which school lay where, who owned it, the nation's figures, and how
many pupils each hidden cell has. Nothing of the models that hide is used here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from dagster_project.schema import INDICATORS, SCHOOL_REGISTER, YEARLY_DATASETS

Row = dict[str, Any]
Cell = tuple[str, str, str, str, int, str]
"""Level, code, ownership, indicator, grade, school year."""
FEWEST, FEW_PUPILS = 3, 10
WIDTH = Fraction(1, 10)
UNKNOWN = 10**6
"""More pupils than any municipality has: where nobody counted those that are left."""
BOUNDS = {"hidden_small": (1, 9), "hidden_complementary": (10, 10**6)}


@dataclass
class Seen:
    """What all editions together show, and which cells they hide."""

    shown: dict[Cell, tuple[Fraction, int | None]] = field(default_factory=dict)
    hidden: dict[Cell, set[str]] = field(default_factory=lambda: defaultdict(set))
    rows: set[Cell] = field(default_factory=set)

    def add(self, point_sources: Iterable[Row]) -> None:
        """One edition's table of source cells."""
        for row in point_sources:
            cell = (
                row["cell_unit_level"], row["cell_unit_code"], row["cell_ownership"], row["indicator"],
                row["cell_grade"], row["cell_school_year"],
            )  # fmt: skip
            self.rows.add(cell)
            if row["cell_value"] is not None:
                self.shown[cell] = (Fraction(row["cell_value"]), row["cell_n_pupils"])
            elif row["publication"] != "no_figure":
                self.hidden[cell].add(row["publication"])

    @property
    def both(self) -> list[Cell]:
        """Cells that one edition hides and another shows."""
        return sorted(self.shown.keys() & self.hidden.keys())


@dataclass(frozen=True)
class Places:
    """What the attacker knows from elsewhere: true sizes too, so that no hiding of sizes is what protects a count.

    ``at`` gives the municipality of a school in a year, ``owner`` who owns it, ``pupils`` the pupils of any cell that has
    a figure, ``nation`` the nation's figures with their pupils.
    """

    at: Mapping[tuple[str, str], str]
    owner: Mapping[str, str]
    pupils: Mapping[Cell, int]
    nation: Mapping[Cell, tuple[Fraction, int]]


@dataclass(frozen=True)
class Rest:
    """What is left of a figure: its hidden parts, their pupils together, and how much they must add up to."""

    whole: Cell
    parts: tuple[Cell, ...]
    sizes: tuple[int | None, ...]
    pupils: int
    least: Fraction
    most: Fraction


class Attacker:
    """He takes visible figures from those they are parts of, and counts what may be behind the rest."""

    def __init__(self, seen: Seen, places: Places) -> None:
        self.seen, self.places = seen, places
        self.schools: dict[tuple[str, str, int, str], list[Cell]] = defaultdict(list)
        self.municipalities: dict[tuple[str, str, int, str], list[Cell]] = defaultdict(list)
        for cell in sorted(seen.shown.keys() | seen.hidden.keys()):
            level, code, ownership, indicator, grade, year = cell
            if level == "municipality":
                self.municipalities[ownership, indicator, grade, year].append(cell)
            elif (code, year) in places.at:
                self.schools[places.at[code, year], indicator, grade, year].append(cell)

    def of(self, municipality: Cell) -> list[Cell]:
        """The schools that a municipality's figure is made of."""
        _, code, ownership, indicator, grade, year = municipality
        return [
            c for c in self.schools[code, indicator, grade, year]
            if ownership == "all" or self.places.owner.get(c[1]) == ownership
        ]  # fmt: skip

    def _taken(self, whole: Cell, start: tuple[Fraction, int], parts: Iterable[Cell]) -> tuple[int, Fraction, Fraction]:
        """Pupils and sum left of a figure when its visible parts are taken from it."""
        indicator = whole[3]
        pupils = start[1]
        least, most = _sum(start[0], pupils, indicator)
        for cell in parts:
            if cell in self.seen.shown and cell in self.places.pupils:
                n = self.places.pupils[cell]
                low, high = _sum(self.seen.shown[cell][0], n, indicator)
                least, most, pupils = least - high, most - low, pupils - n
        return pupils, least, most

    def rests(self) -> Iterator[Rest]:
        """What is left of every municipality and of the nation, where something hidden is left.

        Of the nation two rests are tried: its hidden municipalities after their visible schools are taken from them
        too, and their hidden schools.
        """
        for whole, (value, _) in self.seen.shown.items():
            if whole[0] != "municipality" or whole not in self.places.pupils:
                continue
            parts = self.of(whole)
            hidden = [c for c in parts if c not in self.seen.shown]
            if hidden:
                yield Rest(whole, tuple(hidden), tuple(map(self.places.pupils.get, hidden)),
                           *self._taken(whole, (value, self.places.pupils[whole]), parts))  # fmt: skip
        for (ownership, indicator, grade, year), municipalities in self.municipalities.items():
            whole = ("national", "I", ownership, indicator, grade, year)
            hidden = [c for c in municipalities if c not in self.seen.shown]
            rowless = {place for place, *slice_ in self.schools if tuple(slice_) == (indicator, grade, year)}
            if whole not in self.places.nation or not hidden or rowless - {m[1] for m in municipalities}:
                continue  # pupils of a municipality without a row are in the nation's figure as well
            visible = [c for c in municipalities if c in self.seen.shown]
            schools = [s for m in hidden for s in self.of(m)]
            left = self._taken(whole, self.places.nation[whole], [*visible, *schools])
            yield Rest(whole, tuple(hidden), tuple(map(self._left_pupils, hidden)), *left)
            if all(self.of(m) for m in hidden):
                closed = [s for s in schools if s not in self.seen.shown]
                yield Rest(whole, tuple(closed), tuple(map(self.places.pupils.get, closed)), *left)

    def _left_pupils(self, municipality: Cell) -> int | None:
        if municipality not in self.places.pupils:
            return None
        visible = (self.places.pupils.get(c, 0) for c in self.of(municipality) if c in self.seen.shown)
        return self.places.pupils[municipality] - sum(visible)

    def found(self) -> dict[Cell, str]:
        """Hidden cells of which he knows too much, with what he knows."""
        known = {}
        for rest in self.rests():
            known |= self.worked_out(rest)
        for cells in self.municipalities.values():
            for cell in cells:
                # of two figures that of public schools is shown, and that of all is hidden without being a secret
                is_twin = cell[2] == "all" and (*cell[:2], "public", *cell[3:]) in self.seen.rows
                if (
                    cell not in self.seen.shown
                    and not is_twin
                    and (what := self.too_narrow(cell, *self.from_below(cell)))
                ):
                    known[cell] = what
        return known

    def from_below(self, municipality: Cell) -> tuple[Fraction, Fraction]:
        """The least and the most that a hidden municipality's figure adds up to over its pupils, from its visible schools.

        Where nobody counted its pupils they are those of its schools, if each of these is visible.
        """
        about = INDICATORS[municipality[3]]
        scale = 1 if about.share_of_pupils else int(about.scale_max - about.scale_min)
        parts = self.of(municipality)
        visible = [c for c in parts if c in self.seen.shown and c in self.places.pupils]
        sums = [_sum(self.seen.shown[c][0], self.places.pupils[c], c[3]) for c in visible]
        least, most = sum(low for low, _ in sums), sum(high for _, high in sums)
        left = self._left_pupils(municipality)
        if left is None:
            left = 0 if parts and len(visible) == len(parts) else UNKNOWN
        return Fraction(least), Fraction(most + scale * left)

    def too_narrow(self, municipality: Cell, least: Fraction, most: Fraction) -> str | None:
        """Whether too few counts, or too little of a mean's scale, lie between what a figure adds up to at least and at most."""
        about = INDICATORS[municipality[3]]
        pupils = self.places.pupils.get(municipality)
        if pupils is None:
            return "all its schools are shown" if most - least < UNKNOWN else None
        if about.share_of_pupils:
            counts = floor(most) - ceil(least) + 1
            return f"{ceil(least)} to {floor(most)} of {pupils}" if counts < min(FEWEST, pupils + 1) else None
        width = (most - least) / pupils
        narrow = width < WIDTH * int(about.scale_max - about.scale_min)
        return f"within {float(width):.3f}" if narrow else None

    def worked_out(self, rest: Rest) -> dict[Cell, str]:
        """Hidden cells of a rest of which too little stays open. Of one hidden at its source nobody knows the pupils."""
        about = INDICATORS[rest.whole[3]]
        share = about.share_of_pupils
        scale = 1 if share else int(about.scale_max - about.scale_min)
        free = rest.pupils - sum(n for n in rest.sizes if n)
        unknown = sum(n is None for n in rest.sizes)
        found = {}
        if len(rest.parts) == 1 or rest.pupils < FEW_PUPILS:
            found = dict.fromkeys(rest.parts, f"{len(rest.parts)} left with {rest.pupils} pupils")
        for cell, size in zip(rest.parts, rest.sizes, strict=True):
            # sizes between these leave what lies between
            fewest, most_pupils = (
                (size, size) if size is not None else (free if unknown == 1 else 1, free - unknown + 1)
            )
            least: list[Fraction] = []
            most: list[Fraction] = []
            for n in {fewest, most_pupils}:
                bottom = max(Fraction(0), rest.least - scale * (rest.pupils - n))
                top = min(Fraction(scale * n), rest.most)
                if n > 0 and bottom <= top:
                    least.append(bottom if share else bottom / n)
                    most.append(top if share else top / n)
            if not least:
                continue  # the figures do not add up: nothing can be told
            if share and floor(max(most)) - ceil(min(least)) + 1 < min(FEWEST, most_pupils + 1):
                found[cell] = f"{ceil(min(least))} to {floor(max(most))} of {most_pupils}"
            elif not share and max(most) - min(least) < WIDTH * scale:
                found[cell] = f"within {float(max(most) - min(least)):.2f}"
        return found

    def by_the_rule(self, asked: int = FEWEST) -> dict[Cell, str]:
        """Hidden cells of which he knows too much, since he knows the rule: of bullying, which hides by itself.

        The smallest schools are hidden, until at least ``asked`` cases are left and as many pupils who are none. Where
        schools and pupils were enough without the last one, the cases were not.
        """
        found = {}
        for rest in self.rests():
            if rest.whole[0] != "municipality" or rest.whole[3] != "bullying" or rest.least != rest.most:
                continue
            sizes = {c: n for c, n in zip(rest.parts, rest.sizes, strict=True) if n is not None}
            chosen = [c for c in sizes if self.seen.hidden[c] == {"hidden_complementary"}]
            if not chosen or len(rest.parts) <= 2:
                continue
            last = max(chosen, key=lambda c: (sizes[c], c[1]))
            left = rest.pupils - sizes[last]
            if left < FEW_PUPILS:
                continue
            before = [
                e for e in range(left + 1)
                if min(e, left - e) < asked and 0 <= rest.least - e <= sizes[last]
                # and with the last school it was enough
                and (e >= asked or rest.least <= sizes[last])
                and (left - e >= asked or rest.pupils - rest.least <= sizes[last])
            ]  # fmt: skip
            counts = {last: {int(rest.least) - e for e in before}}
            for cell in sizes.keys() - {last}:
                counts[cell] = {
                    x for e in before for x in range(max(0, e - left + sizes[cell]), min(e, sizes[cell]) + 1)
                }
            for cell, possible in counts.items():
                if before and len(possible) < min(FEWEST, sizes[cell] + 1):
                    found[cell] = f"{sorted(possible)} of {sizes[cell]}"
        return found

    def sizes(self) -> dict[Cell, int]:
        """Numbers of pupils of hidden cells that he finds without being given them, and that are right.

        From a figure of the same unit, dataset, grade and year whose number is shown, or as the only ones that fit: a
        cell hidden as small has one to nine pupils, one hidden to keep others at least ten.
        """
        shown: dict[tuple[Any, ...], set[int]] = defaultdict(set)
        for (level, code, ownership, indicator, grade, year), (_, pupils) in self.seen.shown.items():
            if pupils is not None:
                shown[level, code, ownership, grade, year, INDICATORS[indicator].dataset].add(pupils)
        found = {}
        for cell in self.seen.hidden:
            level, code, ownership, indicator, grade, year = cell
            guesses = shown[level, code, ownership, grade, year, INDICATORS[indicator].dataset]
            if len(guesses) == 1 and self.places.pupils.get(cell) in guesses:
                found[cell] = min(guesses)
        for rest in self.rests():
            bounds = [BOUNDS.get(max(self.seen.hidden[c]), (1, rest.pupils)) for c in rest.parts]
            for cell, (low, high) in zip(rest.parts, bounds, strict=True):
                others = [b for c, b in zip(rest.parts, bounds, strict=True) if c != cell]
                least = max(low, rest.pupils - sum(h for _, h in others))
                most = min(high, rest.pupils - sum(n for n, _ in others))
                if least == most == self.places.pupils.get(cell):
                    found[cell] = least
        return found


def _sum(value: Fraction, pupils: int, indicator: str) -> tuple[Fraction, Fraction]:
    """Cases behind a share, or the sum over pupils above the lower end of a mean's scale: at least and at most."""
    about = INDICATORS[indicator]
    half = Fraction(1, 2 * 10**about.decimals)
    if about.share_of_pupils:
        low, high = (value - half) * pupils / 100, (value + half) * pupils / 100
        return Fraction(max(0, ceil(low))), Fraction(min(pupils, floor(high)))
    return (value - half - int(about.scale_min)) * pupils, (value + half - int(about.scale_min)) * pupils


def places_of(home: Path, origin: str = "fictional") -> Places:
    """What the extracts of a home tell the attacker."""
    at, pupils, nation = {}, {}, {}
    columns = ["unit_level", "unit_code", "ownership", "indicator", "grade", "school_year", "municipality_code", "value",
               "n_pupils", "state", "sex", "abroad", "fictional"]  # fmt: skip
    for dataset in YEARLY_DATASETS:
        for path in sorted((home / "extracts" / dataset).rglob("*.parquet")):
            for r in pq.read_table(path, columns=columns, partitioning=None).to_pylist():
                if r["sex"] != "all" or r["abroad"] or r["fictional"] != (origin == "fictional"):
                    continue
                cell = tuple(r[c] for c in columns[:6])
                if r["unit_level"] == "school":
                    at[r["unit_code"], r["school_year"]] = r["municipality_code"]
                if r["state"] == "observed" and r["n_pupils"]:
                    pupils[cell] = r["n_pupils"]
                    if r["unit_level"] == "national":
                        nation[cell] = (Fraction(r["value"]), r["n_pupils"])
    owner = {
        r["school_code"]: r["ownership"]
        for path in (home / "extracts" / SCHOOL_REGISTER).rglob("*.parquet")
        for r in pq.read_table(path, columns=["school_code", "ownership"], partitioning=None).to_pylist()
    }
    return Places(at, owner, pupils, nation)
