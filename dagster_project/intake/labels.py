"""The labels of Udir's files that are known: ``labels.csv`` says of each what it means and where it was seen.

A label is known whatever its capitals and blanks. One that is not in the table is told with the nearest that is.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("labels.csv")
NEAR = 0.72
"""How alike a label must be to be named: at 0.7 the share that took part is like the number that did."""
OF_HEADERS = ("subject", "survey", "measure", "ownership", "sex", "whole")
"""The kinds of a level of a header, apart from school year and grade; the other kinds name units, rows and codes."""


def folded(label: str) -> str:
    """A label as labels are compared."""
    return " ".join(label.split()).casefold()


@cache
def _rows() -> tuple[Mapping[str, str], ...]:
    with TABLE.open(encoding="utf-8", newline="") as handle:
        return tuple(csv.DictReader(handle))


@cache
def meanings(kind: str) -> Mapping[str, str]:
    """What each label of a kind means, by the label as it was seen."""
    return {row["label"]: row["meaning"] for row in _rows() if row["kind"] == kind}


@cache
def _folded(kind: str) -> Mapping[str, str]:
    return {folded(label): meaning for label, meaning in meanings(kind).items()}


def meaning(kind: str, label: str) -> str | None:
    """What a label means, None when nobody knows."""
    return _folded(kind).get(folded(label))


def nearest(label: str) -> str | None:
    """The known label that is most like an unknown level of a header; None when none is alike."""
    known = {folded(row["label"]): row["label"] for row in _rows() if row["kind"] in OF_HEADERS}
    found = get_close_matches(folded(label), known, n=1, cutoff=NEAR)
    return known[found[0]] if found else None
