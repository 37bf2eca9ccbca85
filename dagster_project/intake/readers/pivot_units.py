"""The units of a pivot, in its rows or in its header, and the figures of each: what the statistics bank would give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dagster_project import schema
from dagster_project.diagnostics import Finding
from dagster_project.intake import labels
from dagster_project.intake.cells import ABROAD, FICTIONAL_SIGN, HOME, LEVELS, problem, refuse
from dagster_project.intake.readers.headers import meaning_of
from dagster_project.intake.readers.unit_list import MISSING, Unit, UnitList, level_of, plain

_LEVEL_NUMBER = {level: number for number, level in LEVELS.items()}
GET_LIST = (
    "Take in the list of units (filterVerdier of the export API, the units under EnhetID), by itself or in one zip "
    "with this file; oppfolging fetch brings it. The file is then read again."
)


@dataclass(frozen=True)
class Column:
    """A column of figures: its levels, and the title they make."""

    title: str
    levels: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """A row of a pivot: its place, name and code, the internal ids from the top down to it, and a cell a column."""

    at: int
    name: str
    code: str
    path: tuple[str, ...]
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """Where something stands in the pivot."""

    row: int | None
    column: str | None


@dataclass(frozen=True)
class Cell:
    """A figure as it stands, and where."""

    text: str
    place: Place


@dataclass(frozen=True)
class Line:
    """A unit: the unit columns of the statistics bank, and where it stands in the pivot."""

    cells: Mapping[str, str]
    place: Place


@dataclass(frozen=True)
class Wide:
    """Units by their number, and the cell of each unit under each title of a column."""

    units: dict[int, Line]
    cells: dict[tuple[int, str], Cell]


def _line(unit: Unit, place: Place) -> Line:
    nation, county, municipality, _ = unit.codes
    below = {"county": ("00", "0000"), "municipality": (county, "0000")}
    if unit.level == "national":
        county, municipality = below["county"]
    elif unit.level == "county":
        county, municipality = below["municipality"]
    return Line(
        {
            "EnhetNivaa": _LEVEL_NUMBER[unit.level],
            "Nasjonaltkode": nation,
            "Fylkekode": county,
            "Kommunekode": municipality,
            "Organisasjonsnummer": unit.code,
            "Nasjonalt": unit.names[0],
            "Fylke": unit.names[1],
            "Kommune": unit.names[2],
            "EnhetNavn": unit.name,
        },
        place,
    )


def _no_list(name: str, units: int, place: Place, found: str) -> Finding:
    return problem(
        MISSING, "units of the file have no code of their own, and the list that tells it is not here",
        name, row=place.row, column=place.column, found=found, count=units,
        expected="municipality and organisation numbers, or the list of units", fix=GET_LIST,
    )  # fmt: skip


def _not_in_list(name: str, place: Place, found: str) -> Finding:
    return problem(
        "unit-not-in-list", "the list of units does not hold one unit of this name or id", name, row=place.row,
        column=place.column, found=found, expected="a unit that stands once in the list of units",
        fix="Get file and list anew, on the same day, and take both in.",
    )  # fmt: skip


# --- units in the rows ---


def in_rows(rows: Sequence[Row], columns: Sequence[Column], name: str, units: UnitList | None) -> Wide:
    """A pivot whose rows are units. The depth of a row's path is its level.

    Raises:
        SchemaProblem: ``unknown-level``, ``unknown-nation``, ``unit-list-missing``, ``unit-not-in-list``,
            ``unit-list-differs``, ``codes-contradict``.
    """
    by_path = {row.path: row for row in rows}
    wrong: list[Finding] = []
    lacking: list[Row] = []
    found: dict[int, Line] = {}
    for row in rows:
        if len(row.path) > len(schema.UNIT_LEVELS):
            wrong.append(
                problem("unknown-level", "the level of the unit is unknown", name, row=row.at, column="id",
                        found=".".join(row.path), expected="nation, county, municipality and school",
                        fix="Export a report of compulsory school.")
            )  # fmt: skip
            continue
        unit = _of_path(row, by_path, name, units, wrong)
        if unit is None:
            lacking.append(row)
        else:
            found[row.at] = _line(unit, Place(row.at, "kode"))
    if units is None and lacking:
        first = lacking[0]
        wrong.append(_no_list(name, len(lacking), Place(first.at, "kode"), f"{first.name}, id {'.'.join(first.path)}"))
    elif not wrong:
        wrong += [_not_in_list(name, Place(row.at, "id"), f"{row.name}, id {row.path[-1]}") for row in lacking]
    refuse(name, wrong)
    cells = {
        (row.at, column.title): Cell(text, Place(row.at, column.title))
        for row in rows
        for column, text in zip(columns, row.cells, strict=True)
    }
    return Wide(found, cells)


def _of_path(
    row: Row, by_path: Mapping[tuple[str, ...], Row], name: str, units: UnitList | None, wrong: list[Finding]
) -> Unit | None:
    """The unit of a row; None when a code of it, or of a unit above it, is neither in the pivot nor in the list."""
    codes, names = [""] * 4, [""] * 4
    listed: Unit | None = None
    for depth, level in enumerate(schema.UNIT_LEVELS[: len(row.path)]):
        here = by_path.get(row.path[: depth + 1])
        listed = units.of_id(row.path[depth]) if units is not None and depth else None
        own = here.code if here is not None and level_of(here.code) == level else ""
        own = "" if own == row.path[depth] else own  # an internal id, it may be, in place of the code
        if depth == 0:
            codes[0] = own or _nation(row.path[0], here)
            if not codes[0]:
                wrong.append(
                    problem("unknown-nation", "the nation is not known", name, row=row.at, column="id",
                            found=row.path[0], expected=f"a row of the nation with code {HOME} or {ABROAD}",
                            fix="Export the report with codes and with the row of the nation.")
                )  # fmt: skip
                return None
        else:
            codes[depth] = own or (listed.code if listed is not None and listed.level == level else "")
        names[depth] = here.name if here is not None else listed.name if listed is not None else ""
        if here is row:
            wrong += _differences(row, level, own, listed, name)
    if not codes[len(row.path) - 1]:
        return None
    if not all(codes[: len(row.path)]) and listed is not None:
        codes = [own or told for own, told in zip(codes, listed.codes, strict=True)]
    codes[1] = codes[1] or codes[2][:2]
    if not all(codes[: len(row.path)]):
        return None
    if listed is not None and not wrong:
        told = [
            (level, own, code)
            for level, own, code in zip(schema.UNIT_LEVELS, codes[: len(row.path)], listed.codes, strict=False)
            if code and own != code
        ]
        if told:
            level, own, code = told[0]
            wrong.append(
                problem("unit-list-differs", "the list of units puts the unit in another place", name, row=row.at,
                        column="id", found=f"{level} {code} in the list", expected=f"{level} {own}",
                        fix="Get file and list anew, on the same day, and take both in.")
            )  # fmt: skip
    if codes[2] and codes[2][:2] != codes[1]:
        wrong.append(
            problem("codes-contradict", "the code of the municipality is not one of its county", name, row=row.at,
                    column="kode", found=codes[2], expected=f"a code that begins with {codes[1]}",
                    fix="Export the report with codes (inkluderKoder), and take in the list of units.")
        )  # fmt: skip
    return Unit(schema.UNIT_LEVELS[len(row.path) - 1], (codes[0], codes[1], codes[2], codes[3]),
                (names[0], names[1], names[2], names[3]))  # fmt: skip


def _nation(identity: str, row: Row | None) -> str:
    return labels.meaning("nation_id", identity) or (_nation_named(row.name) if row is not None else None) or ""


def _nation_named(name: str) -> str | None:
    """The code of a nation by its name; the tests' country says that it is invented."""
    told = name.replace(f"({FICTIONAL_SIGN})", "").strip()
    known = labels.meaning("nation", told)
    return known or (HOME if told != name.strip() else None)


def _differences(row: Row, level: str, own: str, listed: Unit | None, name: str) -> list[Finding]:
    """Whether the list says otherwise than the pivot: then its ids are others, and none of its codes may be used."""
    if listed is None:
        return []
    same_name = bool(own) or plain(listed.name) == plain(row.name)
    if listed.level == level and own in ("", listed.code) and same_name:
        return []
    return [
        problem("unit-list-differs", "the list of units says otherwise than the file", name, row=row.at, column="id",
                found=f"{listed.name} {listed.code} in the list", expected=f"{row.name} {own}".strip(),
                fix="Get file and list anew, on the same day, and take both in.")
    ]  # fmt: skip


# --- units in the header ---


def in_header(rows: Sequence[Row], columns: Sequence[Column], name: str, units: UnitList | None) -> Wide:
    """A pivot whose rows are indicators and whose header names the units, nation, county, municipality and school.

    Raises:
        SchemaProblem: ``no-unit-in-header``, ``unit-list-missing``, ``unit-not-in-list``, ``repeated-column``.
    """
    wrong: list[Finding] = []
    lacking: list[Column] = []
    numbers: dict[tuple[str, ...], int] = {}
    found: dict[int, Line] = {}
    cells: dict[tuple[int, str], Cell] = {}
    for position, column in enumerate(columns):
        names, rest = _units_in(column.levels)
        nation = _nation_named(names[0]) if names else None
        if nation is None:
            wrong.append(
                problem("no-unit-in-header", "the header names no unit", name, column=column.title, found=column.title,
                        expected="the nation, and the county, municipality and school below it",
                        fix="Export the report with its units in the rows or in the header.")
            )  # fmt: skip
            continue
        unit = _of_names(nation, names, units)
        if unit is None:
            lacking.append(column)
            continue
        number = numbers.setdefault(unit.codes, len(numbers))
        found.setdefault(number, _line(unit, Place(None, column.title)))
        for row in rows:
            title = ".".join((*rest[:1], row.name, *rest[1:]))
            if (number, title) in cells:
                wrong.append(
                    problem("repeated-column", "two figures are of one unit and measure", name, row=row.at,
                            column=column.title, found=f"also {cells[number, title].place.column}",
                            expected="each unit and measure once", fix="Download one of them.")
                )  # fmt: skip
            cells[number, title] = Cell(row.cells[position], Place(row.at, column.title))
    if lacking and units is None:
        wrong.append(_no_list(name, len(lacking), Place(None, lacking[0].title), lacking[0].title))
    elif lacking:
        wrong += [_not_in_list(name, Place(None, column.title), column.title) for column in lacking]
    refuse(name, wrong)
    return Wide(found, cells)


def _units_in(levels: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names of a header from the nation down to its unit, and the levels that are about something else."""
    at = next((i for i, text in enumerate(levels) if _nation_named(text)), None)
    if at is None:
        return [], list(levels)
    end = at + 1
    while end < len(levels) and end < at + 4 and meaning_of(levels[end])[0] is None:
        end += 1
    names = [text for text in levels[at:end] if labels.meaning("all_units", text) is None]
    return names, [*levels[:at], *levels[end:]]


def _of_names(nation: str, names: Sequence[str], units: UnitList | None) -> Unit | None:
    if len(names) == 1:
        return Unit("national", (nation, "", "", ""), (names[0], "", "", ""))
    listed = units.named(nation, names[1:]) if units is not None else None
    if listed is None:
        return None
    # the names are those of the file: the list may name the nation otherwise
    given = [*names, "", "", ""][:4]
    return Unit(listed.level, listed.codes, (given[0], given[1], given[2], given[3]))
