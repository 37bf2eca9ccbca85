"""The services' own list of units (``filterVerdier``): which code belongs to an internal id, and which to a name.

A pivot of the report API may name a unit by an internal id or by its name alone. The list is flat, objects of
``{indeks, id, kode, navn, nivaa, forelder, barn}``; ``barn`` holds positions (``indeks``) of the units below. What a
unit is follows from its code: I and U are nations, two digits a county, four a municipality, nine (or U and eight) a
school. A unit of another code (a group of units) is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dagster_project import schema
from dagster_project.intake.cells import ABROAD, ABROAD_COUNTY, HOME, problem, refuse
from dagster_project.intake.labels import folded
from dagster_project.intake.readers.registers import Odd, as_code, as_text, collect

FORMAT = "unit_list"
MISSING = "unit-list-missing"
FROM_LIST = {MISSING, "unit-list-differs", "unit-not-in-list"}
"""Codes of a file that another list of units may mend."""
LIST, UNITS = "filterVerdier", "EnhetID"
FILTERS = {LIST, UNITS, "TidID", "TrinnID", "KjoennID", "EierformID"}
NODE = {"id", "kode", "navn", "barn"}
_CODES = {
    "national": re.compile(f"[{HOME}{ABROAD}]"),
    "county": re.compile("[0-9]{2}"),
    "municipality": re.compile("[0-9]{4}"),
    "school": re.compile("(?:[0-9]|U)[0-9]{8}"),
}
DEEPEST = 12
RETIRED = re.compile(r" \(\d{4} - \d{4}\)$")


@dataclass(frozen=True)
class Unit:
    """A unit: its level, and the codes and names of nation, county, municipality and school down to itself.

    What lies below its level is blank, and so is what the list does not tell of the units above.
    """

    level: str
    codes: tuple[str, str, str, str]
    names: tuple[str, str, str, str]

    @property
    def code(self) -> str:
        return self.codes[schema.UNIT_LEVELS.index(self.level)]

    @property
    def name(self) -> str:
        return self.names[schema.UNIT_LEVELS.index(self.level)]


@dataclass(frozen=True)
class UnitList:
    """Units by internal id and by the names down to them. Where two answer, none of them is taken."""

    by_id: Mapping[str, frozenset[Unit]] = field(default_factory=dict)
    by_names: Mapping[tuple[str, ...], frozenset[Unit]] = field(default_factory=dict)

    def of_id(self, identity: str) -> Unit | None:
        """The unit with an internal id; None when there is none, or the lists do not agree on it."""
        found = self.by_id.get(identity, frozenset())
        return next(iter(found)) if len(found) == 1 else None

    def named(self, nation: str, names: Iterable[str]) -> Unit | None:
        """The unit below a nation (``I`` or ``U``) with these names of county, municipality and school."""
        found = self.by_names.get((nation, *(plain(name) for name in names)), frozenset())
        return next(iter(found)) if len(found) == 1 else None


def plain(name: str) -> str:
    """A name as names are compared: without outer blanks, capitals and the years of a retired unit."""
    return folded(RETIRED.sub("", name.strip()))


def level_of(code: str) -> str | None:
    """The level of unit that a code is of; None when it is no code of a unit."""
    return next((level for level, shape in _CODES.items() if shape.fullmatch(code)), None)


def looks_like(keys: Collection[str], opening: str) -> bool:
    """Whether the first keys of a document, which opens with a brace or a bracket, are those of a list of units."""
    return set(keys) >= NODE if opening == "[" else bool(FILTERS & set(keys))


def read(document: Any, name: str) -> UnitList:
    """Read a list: the list itself, or an object that holds it under ``EnhetID``.

    Raises:
        SchemaProblem: ``damaged-register`` when it holds no such list, ``damaged-record`` for each damaged unit,
            ``no-units`` when no unit of it has a code.
    """
    holder = document if isinstance(document, dict) else {UNITS: document}
    if isinstance(inner := holder.get(LIST), dict | list):
        holder = inner if isinstance(inner, dict) else {UNITS: inner}
    above: dict[int, int] = {}

    def make(position: int, node: Mapping[str, Any]) -> dict[str, Any]:
        index = node.get("indeks", position)
        below = node.get("barn")
        for key, value in (("indeks", [index]), ("barn", [] if below is None else below)):
            if not isinstance(value, list) or any(isinstance(n, bool) or not isinstance(n, int) for n in value):
                raise Odd(key, value, "a position in the list")
        above.update(dict.fromkeys(below or (), index))
        return {
            "index": index, "id": as_code(node, "id", signed=True), "code": as_text(node, "kode") or "",
            "name": as_text(node, "navn") or "",
        }  # fmt: skip

    nodes, _ = collect(holder, UNITS, name, make)
    at = {node["index"]: node for node in nodes}
    by_id: dict[str, set[Unit]] = {}
    by_names: dict[tuple[str, ...], set[Unit]] = {}
    for node in nodes:
        if (unit := _unit(node, at, above)) is not None:
            by_id.setdefault(node["id"], set()).add(unit)
            depth = schema.UNIT_LEVELS.index(unit.level)
            key = (unit.codes[0], *(plain(part) for part in unit.names[1 : depth + 1]))
            by_names.setdefault(key, set()).add(unit)
    if not by_id:
        refuse(name, [problem("no-units", "the list holds no unit with a code", name, column="kode",
                              found=f"{len(nodes)} objects", expected="units with municipality or organisation numbers",
                              fix="Get the list of units again: filterVerdier, under EnhetID.")])  # fmt: skip
    return UnitList({k: frozenset(v) for k, v in by_id.items()}, {k: frozenset(v) for k, v in by_names.items()})


def _unit(node: Mapping[str, Any], at: Mapping[int, Mapping[str, Any]], above: Mapping[int, int]) -> Unit | None:
    """The unit that a node is, with what the nodes above it tell."""
    own = level_of(node["code"])
    if own is None:
        return None
    codes, names = dict.fromkeys(schema.UNIT_LEVELS, ""), dict.fromkeys(schema.UNIT_LEVELS, "")
    here: Mapping[str, Any] | None = node
    for _ in range(DEEPEST):  # a damaged list may go round in a circle
        if here is None:
            break
        level = level_of(here["code"])
        if level is not None and not codes[level]:
            codes[level], names[level] = here["code"], here["name"]
        here = at.get(above.get(here["index"], -1))
    codes["county"] = codes["county"] or codes["municipality"][:2]
    codes["national"] = codes["national"] or (ABROAD if codes["county"] == ABROAD_COUNTY else HOME)
    a, b, c, d = schema.UNIT_LEVELS
    depth = schema.UNIT_LEVELS.index(own)
    if any(codes[level] for level in schema.UNIT_LEVELS[depth + 1 :]):
        return None
    return Unit(own, (codes[a], codes[b], codes[c], codes[d]), (names[a], names[b], names[c], names[d]))


def together(lists: Iterable[UnitList]) -> UnitList | None:
    """Several lists as one; None when there is none."""
    by_id: dict[str, frozenset[Unit]] = {}
    by_names: dict[tuple[str, ...], frozenset[Unit]] = {}
    found = list(lists)
    for one in found:
        for key, units in one.by_id.items():
            by_id[key] = by_id.get(key, frozenset()) | units
        for names, units in one.by_names.items():
            by_names[names] = by_names.get(names, frozenset()) | units
    return UnitList(by_id, by_names) if found else None
