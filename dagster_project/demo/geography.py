"""Counties, municipalities and schools of Fabelland, before and after the reform of 1 January 2024."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NATION = "Fabelland (oppdiktet)"
REFORM = "2024-01-01"
FIRST_REFORMED_YEAR = 2024
MUNICIPALITIES = 357
SCHOOLS = 2700
PSEUDO_COUNTY, PSEUDO_MUNICIPALITY = ("79", "Fjernfabel"), ("7900", "Fjernfabelholmen")

# Counties that went on unchanged, and the two that were divided in three each.
KEPT = {
    "61": "Ytterfabel", "62": "Innerfabel", "63": "Blåvoll", "64": "Krokmark", "65": "Tåkeli", "66": "Sølvdal",
    "67": "Vindnes", "69": "Mørkhei", "70": "Lysvik",
}  # fmt: skip
DIVIDED = {
    "68": ("Storfabel", {"72": "Øvrefabel", "73": "Midtfabel", "76": "Nedrefabel"}),
    "71": ("Nordskugge", {"74": "Langskugge", "75": "Kvitskugge", "77": "Småskugge"}),
}
_FIRST = ("Brum", "Drel", "Fjomp", "Glim", "Hokk", "Jyll", "Kvisl", "Lurv", "Mjarv", "Nulv", "Pløs", "Rask", "Skrim",
          "Trumf", "Ulk", "Vimp", "Øks", "Åbl", "Snurr", "Tjof")  # fmt: skip
_MIDDLE = ("e", "a", "er", "el", "ing", "o")
_LAST = ("blom", "dunk", "fabel", "gliss", "hylle", "krakk", "lykt", "myrk", "pott", "rems", "skru", "tufs", "vipp")
_SCHOOL = ("Øvre", "Nedre", "Ytre", "Indre", "Store", "Vesle", "Gamle", "Nye", "Nordre", "Søndre", "Austre", "Vestre")


@dataclass(frozen=True)
class Municipalities:
    """Municipality codes and names; ``county`` is the first two digits. One list before the reform, one after."""

    code: tuple[str, ...]
    name: tuple[str, ...]


@dataclass(frozen=True)
class Schools:
    """One entry per school that ever was. Arrays have length S.

    ``old`` and ``new`` are positions in the municipality lists before and after the reform. ``kind`` is 0 for grades
    1-7, 1 for 1-10, 2 for 8-10. ``opens`` and ``closes`` are the start years of the first school year with and
    without the school. ``size`` is pupils per grade.
    """

    code: tuple[str, ...]
    name: tuple[str, ...]
    old: NDArray[np.int64]
    new: NDArray[np.int64]
    kind: NDArray[np.int64]
    private: NDArray[np.bool_]
    special: NDArray[np.bool_]
    size: NDArray[np.float64]
    opens: NDArray[np.int64]
    closes: NDArray[np.int64]


@dataclass(frozen=True)
class Country:
    """Fabelland: both lists of municipalities, the code changes between them, and the schools."""

    before: Municipalities
    after: Municipalities
    changes: tuple[tuple[str, str, str, str], ...]
    schools: Schools


def county_name(code: str, *, after: bool) -> str:
    """The name of a county as the files of that time have it."""
    if code == PSEUDO_COUNTY[0]:
        return PSEUDO_COUNTY[1]
    if code in KEPT:
        return KEPT[code]
    if code in DIVIDED:
        return DIVIDED[code][0]
    return next(new[code] for _, new in DIVIDED.values() if code in new)


def organisation_number(serial: int) -> str | None:
    """Nine digits that begin with 1 and carry their check digit (modulus 11); None where no digit fits."""
    digits = f"1{serial:07d}"
    control = 11 - sum(int(d) * w for d, w in zip(digits, (3, 2, 7, 6, 5, 4, 3, 2), strict=True)) % 11
    return None if control == 10 else digits + str(control % 11)


def _names(count: int) -> list[str]:
    """Invented names, each different."""
    every = [f + m + last for m in _MIDDLE for last in _LAST for f in _FIRST]
    step = 607  # coprime to the number of names, so that neighbours do not sound alike
    return [every[(i * step) % len(every)] for i in range(count)]


def _municipalities(rng: np.random.Generator) -> tuple[Municipalities, Municipalities, list[tuple[int, int]], tuple]:
    """Both lists, the pairs (old, new) that schools follow, and the changes of code."""
    old_counties = sorted([*KEPT, *DIVIDED])
    weights = np.array([1.5 if c in DIVIDED else 0.95 for c in old_counties])
    home = np.sort(rng.choice(len(old_counties), MUNICIPALITIES, p=weights / weights.sum()))
    names = _names(MUNICIPALITIES + 2)
    old_codes: list[str] = []
    serial: dict[str, int] = {}
    for position in home:
        county = old_counties[position]
        serial[county] = serial.get(county, 0) + 1
        old_codes.append(f"{county}{serial[county]:02d}")
    new_codes: list[str] = []
    new_names: list[str] = []
    pairs: list[tuple[int, int]] = []
    changes: list[tuple[str, str, str, str]] = []
    used: dict[str, int] = {}
    divided = [i for i, code in enumerate(old_codes) if code[:2] in DIVIDED]
    split, first_merged, second_merged = divided[4], divided[9], divided[10]

    def new_code(old: str, turn: int) -> str:
        if old[:2] in KEPT:
            return old
        targets = sorted(DIVIDED[old[:2]][1])
        county = targets[turn % len(targets)]
        used[county] = used.get(county, 0) + 1
        return f"{county}{used[county]:02d}"

    for i, old in enumerate(old_codes):
        if i == second_merged:
            target = next(new for o, new in pairs if o == first_merged)
        else:
            target = len(new_codes)
            new_codes.append(new_code(old, int(rng.integers(3))))
            new_names.append(names[MUNICIPALITIES] if i == first_merged else names[i])
        pairs.append((i, target))
        if new_codes[target] != old:
            changes.append((old, names[i], new_codes[target], new_names[target]))
        if i == split:
            new_codes.append(new_code(old, int(new_codes[target][1]) % 3))
            new_names.append(names[MUNICIPALITIES + 1])
            pairs.append((i, len(new_codes) - 1))
            changes.append((old, names[i], new_codes[-1], new_names[-1]))
    kept = next(i for i, code in enumerate(old_codes) if code[:2] in KEPT)
    # A new name under the same code, and a moved boundary: both look like changes and are none.
    changes.append((old_codes[kept], names[kept], old_codes[kept], names[kept]))
    changes.append((old_codes[kept + 1], names[kept + 1], old_codes[kept + 1], names[kept + 1]))
    changes.append((old_codes[kept + 1], names[kept + 1], old_codes[kept + 2], names[kept + 2]))
    before = Municipalities((*old_codes, PSEUDO_MUNICIPALITY[0]), (*names[:MUNICIPALITIES], PSEUDO_MUNICIPALITY[1]))
    after = Municipalities((*new_codes, PSEUDO_MUNICIPALITY[0]), (*new_names, PSEUDO_MUNICIPALITY[1]))
    return before, after, pairs, tuple(changes)


def build(rng: np.random.Generator, scale: int) -> Country:
    """Draw the country. ``scale`` multiplies the schools of each municipality; there are never more municipalities."""
    before, after, pairs, changes = _municipalities(rng)
    pulls = np.exp(rng.normal(1.05, 1.15, len(pairs)))
    counts = np.maximum(1, np.minimum(np.round(pulls * SCHOOLS / pulls.sum()), 125)).astype(int)
    counts[np.argsort(counts)[: max(0, 75 - int((counts == 1).sum()))]] = 1
    counts = counts * scale
    pair_of = np.repeat(np.arange(len(pairs)), counts)
    total = len(pair_of) + 1
    position = np.concatenate([np.arange(c) for c in counts])
    alone = np.repeat(counts, counts) <= 2
    kind = np.where(alone & (position == 0), 1, rng.choice(3, total - 1, p=[0.60, 0.20, 0.20]))
    kind[alone & (position == 1)] = 0
    large = np.repeat(np.minimum(counts / scale, 20.0), counts)
    base = np.log(np.where(kind == 2, 62, np.where(kind == 1, 22, 30))) + 0.11 * np.log(large)
    size = np.exp(base + rng.normal(0, 0.62, total - 1))
    private = (rng.random(total - 1) < 0.10) & ~(position == 0)
    size[private] *= 0.55
    special = rng.random(total - 1) < 0.012
    size[special] = rng.uniform(2, 9, int(special.sum()))
    opens, closes = np.full(total, 0), np.full(total, 9999)
    opens[:-1] = np.where(rng.random(total - 1) < 0.052, rng.integers(2021, 2026, total - 1), 0)
    leaving = (rng.random(total - 1) < 0.092) & (opens[:-1] == 0) & ~(position == 0)
    closes[:-1] = np.where(leaving, rng.integers(2022, 2026, total - 1), 9999)
    codes: list[str] = []
    serial = 1000
    while len(codes) < total:
        serial += 7
        if code := organisation_number(serial):
            codes.append(code)
    old = np.array([pairs[p][0] for p in pair_of] + [MUNICIPALITIES])
    new = np.array([pairs[p][1] for p in pair_of] + [len(after.code) - 1])
    words = ("skole", "skule", "ungdomsskole")
    names = [
        f"{after.name[new[i]]} {_SCHOOL[position[i] % 12]}"
        f"{'' if position[i] < 12 else ' ' + str(position[i] // 12 + 1)}"
        f" {words[2] if kind[i] == 2 else words[i % 7 == 0]}"
        for i in range(total - 1)
    ]
    schools = Schools(
        tuple(codes), (*names, "Fjernfabel skole"), old, new, np.append(kind, 1), np.append(private, False),
        np.append(special, False), np.append(size, 24.0), opens, closes,
    )  # fmt: skip
    return Country(before, after, changes, schools)
