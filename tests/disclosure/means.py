"""An attacker who works the rule backwards for means: each school that was hidden besides tells that it was not enough without.

He knows the rule, every number of pupils, and the figures with one decimal that it works with. For each municipality he
tries every figure of every school that was hidden to keep others, and keeps those with which the rule would have gone
exactly as far as it went.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property

from dagster_project.schema import INDICATORS
from tests.disclosure.counts import FEW_PUPILS, FEWEST, WIDTH, Attacker, Cell

PARTS = int(1 / WIDTH)


def leaves_open(all_of_it: int, excess: int, lack: int) -> bool:
    """Whether a school that may have so much has a tenth of its scale to lie in, given what is left of both kinds."""
    left = min(all_of_it, excess) + min(all_of_it, lack) - all_of_it
    return excess >= 0 and lack >= 0 and PARTS * left >= all_of_it


@dataclass(frozen=True)
class Step:
    """The rest of a municipality with so many schools hidden: their numbers of pupils, None where nobody counted."""

    counts: tuple[int | None, ...]
    pupils: int
    fewest: int
    most: int | None

    @cached_property
    def has_pupils(self) -> bool:
        return (
            len(self.counts) >= 2
            and self.pupils >= FEW_PUPILS
            and self.pupils - self.fewest >= FEWEST - 1
            and (self.most is None or self.most - self.pupils >= FEWEST - 1)
        )

    @cached_property
    def largest(self) -> int:
        known = [n for n in self.counts if n is not None]
        unknown = len(self.counts) - len(known)
        average = (self.pupils - sum(known)) // unknown if unknown else 0
        return max([*known, average], default=0)

    def told(self, scale: int) -> int:
        return scale * self.largest // PARTS

    def is_enough(self, scale: int, excess: int, before: Step | None, then: int) -> bool:
        """Whether the rule stops here: ``excess`` is left, and ``then`` was left at the step ``before``.

        ``scale`` and what is left are whole numbers of the last decimal.
        """
        if not self.counts:
            return self.pupils == 0 or self.pupils >= FEW_PUPILS
        if not self.has_pupils:
            return False
        lack = scale * self.pupils - excess
        if before is not None and before.has_pupils:
            other, last = scale * before.pupils - then, self.pupils - before.pupils
            told = before.told(scale)
            if then + other >= told + scale * before.largest and (
                min(then, other) < told or not leaves_open(scale * last, excess - told, lack - told)
            ):
                return False
        return leaves_open(scale * self.largest, excess, lack)


def by_the_rule(attacker: Attacker, *, backwards: bool = True) -> dict[Cell, str]:
    """Schools hidden to keep others whose mean lies within less than a tenth of its scale, and between which figures.

    Without ``backwards`` the rule is the one before it asked what a step that was not enough tells.
    """
    found = {}
    for rest in attacker.rests():
        about = INDICATORS[rest.whole[3]]
        if rest.whole[0] != "municipality" or about.share_of_pupils:
            continue
        sizes = dict(zip(rest.parts, rest.sizes, strict=True))
        seen = attacker.seen
        chosen = sorted(
            (c for c in rest.parts if seen.hidden[c] == {"hidden_complementary"}), key=lambda c: (sizes[c] or 0, c[1])
        )
        if not chosen or any(sizes[c] is None for c in chosen):
            continue
        first = [c for c in rest.parts if c not in chosen]
        for cell, (low, high) in _fitting(attacker, rest.whole, first, chosen, rest.pupils, backwards).items():
            half, n = Fraction(1, 2 * 10**about.decimals), sizes[cell] or 1
            scale, lower = int(about.scale_max - about.scale_min), int(about.scale_min)
            # the true sum of the rest, and that the other hidden schools have between nothing and all of it
            least = max(low - half, (rest.least - scale * (rest.pupils - n)) / n, Fraction(0))
            most = min(high + half, rest.most / n, Fraction(scale))
            if most - least < WIDTH * scale:
                found[cell] = f"{float(lower + least):.3f} to {float(lower + most):.3f}"
    return found


def _fitting(
    attacker: Attacker, whole: Cell, first: list[Cell], chosen: list[Cell], pupils: int, backwards: bool
) -> dict[Cell, tuple[Fraction, Fraction]]:
    """For each chosen school the least and greatest figure, above the end of the scale, with which these are hidden."""
    about, sizes, seen = INDICATORS[whole[3]], attacker.places.pupils, attacker.seen
    unit = 10**about.decimals
    scale = int(about.scale_max - about.scale_min) * unit
    numbers = [sizes[c] for c in chosen]
    steps = []
    for number in range(len(chosen) + 1):
        counts = (*(sizes.get(c) for c in first), *numbers[:number])
        small = not number and bool(first) and all(seen.hidden[c] == {"hidden_small"} for c in first)
        most = (FEW_PUPILS - 1) * len(first) if small else None
        steps.append(Step(counts, pupils - sum(numbers[number:]), len(first) + FEW_PUPILS * number, most))

    def nominal(cell: Cell) -> int:
        return int((seen.shown[cell][0] - int(about.scale_min)) * unit) * sizes[cell]

    left = nominal(whole) - sum(nominal(c) for c in attacker.of(whole) if c in seen.shown and c in sizes)
    figures = range(scale + 1)
    slack = (pupils + sizes[whole] + sum(numbers)) / 2  # half of a last decimal of each pupil

    def stops(number: int, excess: int, then: int) -> bool:
        return steps[number].is_enough(scale, excess, steps[number - 1] if backwards else None, then)

    @cache
    def goes_on(number: int, excess: int) -> bool:
        """Whether some figures of the schools before bring the rule past this step with this left."""
        if number == 0:
            within = -slack <= excess <= scale * steps[0].pupils + slack
            return within and not steps[0].is_enough(scale, excess, None, 0)
        thens = (excess - figure * numbers[number - 1] for figure in figures)
        return any(not stops(number, excess, then) and goes_on(number - 1, then) for then in thens)

    possible: dict[Cell, set[int]] = {cell: set() for cell in chosen}
    here = {left}
    for number in range(len(chosen), 0, -1):
        tried = [(e, e - figure * numbers[number - 1], figure) for e in here for figure in figures]
        fits = [
            (then, figure) for e, then, figure in tried
            if stops(number, e, then) == (number == len(chosen)) and goes_on(number - 1, then)
        ]  # fmt: skip
        here = {then for then, _ in fits}
        possible[chosen[number - 1]] = {figure for _, figure in fits}
    return {cell: (Fraction(min(of), unit), Fraction(max(of), unit)) for cell, of in possible.items() if of}
