"""Write tables of Fabelland as answers of the report API (pivots), and the services' own list of units.

A pivot has the units of the statistics bank in its rows and its dotted headers as levels. A school has no code there,
only an internal id: the list of units tells its organisation number.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

UNITS = 9
LEVEL, COUNTY, MUNICIPALITY, CODE, NAME = 0, 2, 3, 4, 8
ABROAD, NATION = "U", "I"
NAMES = {"1": 5, "2": 6, "3": 7, "4": NAME}
"""Level of a unit -> position of its name among the unit cells."""
ROW_HIERARCHY = ["Nasjonalt", "Fylke", "Kommune", "Enhet"]
GRADE = ". årstrinn"


def _path(unit: Sequence[str]) -> tuple[str, ...]:
    """The codes from the nation down to a unit."""
    return (NATION, *(unit[at] for at in (COUNTY, MUNICIPALITY, CODE)[: int(unit[LEVEL]) - 1]))


def _ids(units: Iterable[Sequence[str]]) -> dict[tuple[str, ...], int]:
    """An internal id for every unit, in the order of their codes, so that all files of a list agree."""
    return {path: number for number, path in enumerate(sorted({_path(u) for u in units}), start=1)}


def _levels(header: Sequence[str]) -> Iterator[list[dict[str, Any]]]:
    """The levels of a dotted header, each as names with the number of columns they stand over."""
    split = [name.replace(GRADE, "§ årstrinn").split(".") for name in header]
    for level in zip(*([part.replace("§", ".") for part in parts] for parts in split), strict=True):
        yield [{"name": name, "columnCount": len(list(same))} for name, same in groupby(level)]


def write_pivot(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]], ids: Iterable[Sequence[str]]) -> Path:
    """A table of the statistics bank (nine unit columns, then figures) as a pivot. ``ids``: all units of the list."""
    known = _ids(ids)
    found = [
        {
            "navn": row[NAMES[row[LEVEL]]].strip(),
            "kode": row[CODE] if row[LEVEL] in ("2", "3") else "",
            "id": ".".join(str(known[_path(row)[:depth]]) for depth in range(1, int(row[LEVEL]) + 1)),
            "data": list(row[UNITS:]),
        }
        for row in rows
        if row[1] != ABROAD
    ]
    document = {"metadata": {"rowHierarchy": ROW_HIERARCHY, "columns": list(_levels(header[UNITS:]))}, "rows": found}
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return path


def write_unit_list(path: Path, units: Iterable[Sequence[str]]) -> Path:
    """The list of units (``filterVerdier``): flat, with the positions of the units below each."""
    every = {_path(u): u for u in units if u[1] != ABROAD}
    ids = _ids(every.values())
    position = {unit: at for at, unit in enumerate(sorted(every))}
    below: dict[tuple[str, ...], list[int]] = {}
    for unit, at in position.items():
        below.setdefault(unit[:-1], []).append(at)
    nodes = [
        {"indeks": at, "id": ids[unit], "kode": unit[-1], "navn": every[unit][NAMES[every[unit][LEVEL]]].strip(),
         "nivaa": len(unit), "forelder": position.get(unit[:-1]), "barn": below.get(unit, [])}
        for unit, at in position.items()
    ]  # fmt: skip
    path.write_text(json.dumps({"EnhetID": nodes}, ensure_ascii=False), encoding="utf-8")
    return path
