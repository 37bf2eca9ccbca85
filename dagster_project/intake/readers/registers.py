"""JSON registers: the National School Register (NSR, version 4) and SSB's municipality codes (Klass 131).

NSR comes as pages of a list (``EnhetListe``) or as one unit. Klass comes as changes (``codeChanges``) or as a version
(``classificationItems``). ``source_row`` is the position of the object in its list, from 0.

A value of another type than the format has is no value: it is told with its key, and nothing is made of it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from dagster_project import schema
from dagster_project.diagnostics import SchemaProblem
from dagster_project.intake.cells import FIRST_FICTIONAL_COUNTY, ExtractTable, not_read, problem, refuse
from dagster_project.intake.convert import table_of
from dagster_project.intake.tables import MAX_CELL_CHARACTERS, TextTable
from dagster_project.intake.text import CONTROL, shown

NSR_LIST, KLASS_CHANGES, KLASS_ITEMS = "EnhetListe", "codeChanges", "classificationItems"
DATASETS = {
    "nsr_v4": schema.SCHOOL_REGISTER,
    "klass_changes": schema.MUNICIPALITY_CHANGES,
    "klass_version": schema.MUNICIPALITY_VERSIONS,
    "klass_changes_csv": schema.MUNICIPALITY_CHANGES,
    "klass_version_csv": schema.MUNICIPALITY_VERSIONS,
}
KLASS_COLUMNS = {
    "klass_changes_csv": (
        "oldCode", "oldName", "oldShortName", "newCode", "newName", "newShortName", "changeOccurred",
    ),
    "klass_version_csv": (
        "code", "parentCode", "level", "name", "shortName", "presentationName", "validFrom", "validTo",
        "validFromInRequestedRange", "validToInRequestedRange", "notes",
    ),
}  # fmt: skip
"""The columns of Klass's CSVs; those of short names and ends are known and not used."""
CODE = re.compile("[0-9A-Za-z]+")
NO_TEXT = re.compile(rf"{CONTROL}|[\ud800-\udfff]")
HIGHEST_GRADE = 13
Record = Mapping[str, Any]


def looks_like(keys: Collection[str]) -> str | None:
    """``nsr_v4``, ``klass_changes`` or ``klass_version`` by the keys of the document."""
    if NSR_LIST in keys or {"Organisasjonsnummer", "ErSkole", "ErGrunnskole"} <= set(keys):
        return "nsr_v4"
    if KLASS_CHANGES in keys:
        return "klass_changes"
    return "klass_version" if KLASS_ITEMS in keys else None


class Odd(Exception):
    """A value of a record that is missing or not of its type."""

    def __init__(self, key: str, value: object, expected: str) -> None:
        super().__init__(key)
        self.key, self.found, self.expected = key, _said(value), expected


def _said(value: object) -> str:
    if value is None:
        return "null, or no such key"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return value if isinstance(value, str) else repr(value)


def as_text(record: Record, key: str, *, required: bool = False) -> str | None:
    """A text without outer blanks, None when it is blank or null. A whole number is a text too."""
    value = record.get(key)
    if value is None and not required:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Odd(key, value, "text")
    text = str(value).strip()
    if len(text) > MAX_CELL_CHARACTERS or NO_TEXT.search(text):
        raise Odd(key, text, f"text of at most {MAX_CELL_CHARACTERS:,} letters, digits and signs")
    return text or None


def as_code(record: Record, key: str, *, signed: bool = False) -> str:
    """A code of letters and digits; ``signed`` when it may be a number below 0."""
    text = as_text(record, key, required=True) or ""
    if not CODE.fullmatch(text.removeprefix("-") if signed else text):
        raise Odd(key, text, "a code of letters and digits")
    return text


def _flag(record: Record, key: str, *, required: bool = False) -> bool:
    value = record.get(key)
    if not isinstance(value, bool) and (required or value is not None):
        raise Odd(key, value, "true or false")
    return bool(value)


def _grade(record: Record, key: str) -> int | None:
    value = record.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= HIGHEST_GRADE:
        raise Odd(key, value, f"a grade from 0 to {HIGHEST_GRADE}, or null")
    return value


def _date(record: Record, key: str) -> dt.date | None:
    value = record.get(key)
    if value is None or value == "":
        return None
    try:
        return dt.date.fromisoformat(value[:10] if isinstance(value, str) else "")
    except ValueError as error:
        raise Odd(key, value, "a date such as 2024-01-01") from error


def _day(record: Record, key: str) -> dt.date:
    if (day := _date(record, key)) is None:
        raise Odd(key, None, "a date such as 2024-01-01")
    return day


def _inner(record: Record, key: str) -> Record:
    value = record.get(key)
    if value is not None and not isinstance(value, dict):
        raise Odd(key, value, "an object, or null")
    return value or {}


def _holder(unit: Record, outer: str, key: str) -> Record:
    """Where a key stands: in the unit, as in the list, or in an object of it, as in a unit on its own."""
    return unit if key in unit else _inner(unit, outer)


def _ownership(unit: Record) -> str:
    if _flag(unit, "ErPrivatskole"):
        return "private"
    return "public" if _flag(unit, "ErOffentligSkole") else "unknown"


def _fictional(code: str) -> bool:
    return FIRST_FICTIONAL_COUNTY <= code < "99"


def collect(
    content: Record, what: str, name: str, make: Callable[[int, Record], dict[str, Any] | None]
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """The rows made of the records of a list, and the keys of its first record.

    Raises:
        SchemaProblem: ``damaged-register`` when there is no such list, ``damaged-record`` for each record in which
            something is missing or of another type.
    """
    items = content.get(what)
    if not isinstance(items, list):
        refuse(name, [problem("damaged-register", f"{what} is not a list", name, column=what, found=_said(items),
                              expected="a list of records", fix="Download the file again.")])  # fmt: skip
    rows, findings = [], []
    for position, item in enumerate(items or ()):
        try:
            if not isinstance(item, dict):
                raise Odd(what, item, "an object")
            row = make(position, item)
        except Odd as odd:
            findings.append(
                problem("damaged-record", f"{odd.key} of a record cannot be read", name, row=position, column=odd.key,
                        found=odd.found, expected=odd.expected, fix="Download the file again.")
            )  # fmt: skip
            continue
        if row is not None:
            rows.append(row)
    refuse(name, findings)
    return rows, tuple(shown(key) for key in items[0]) if items else ()


def read_nsr(content: Record, name: str, sha256: str) -> list[ExtractTable]:
    """Schools of the register; units that are no schools are left out."""

    def make(position: int, unit: Record) -> dict[str, Any] | None:
        if not _flag(unit, "ErSkole"):
            return None
        municipality = as_code(_holder(unit, "Kommune", "Kommunenummer"), "Kommunenummer")
        return {
            "school_code": as_code(unit, "Organisasjonsnummer"),
            # a name that is null stays null, so that the suite sees it
            "school_name": as_text(unit, "Navn"),
            "municipality_code": municipality,
            "county_code": as_text(_holder(unit, "Fylke", "Fylkesnummer"), "Fylkesnummer"),
            "active": _flag(unit, "ErAktiv", required=True),
            "is_compulsory": _flag(unit, "ErGrunnskole", required=True),
            "ownership": _ownership(unit),
            "special": _flag(unit, "ErSpesialskole"),
            "closed_on": _date(unit, "UtgaattDato"),
            "grade_from": _grade(unit, "SkoletrinnGSFra"),
            "grade_to": _grade(unit, "SkoletrinnGSTil"),
            "governor_code": as_text(_inner(unit, "Fylke"), "StatsforvalterOrganisasjonsnummer"),
            "fictional": _fictional(municipality),
            "source_sha256": sha256,
            "source_row": position,
            "source_column": "Organisasjonsnummer",
        }

    schools, keys = collect(content if NSR_LIST in content else {NSR_LIST: [content]}, NSR_LIST, name, make)
    newest = {row["school_code"]: row for row in schools}
    table = table_of(list(newest.values()), schema.register_schema(), name)
    return [ExtractTable(schema.SCHOOL_REGISTER, table, keys)]


def read_changes(content: Record, name: str, sha256: str) -> list[ExtractTable]:
    """Changes of municipality codes, as published; what they mean is worked out in the models."""

    def make(position: int, change: Record) -> dict[str, Any]:
        old, new = as_code(change, "oldCode"), as_code(change, "newCode")
        return {
            "old_code": old,
            "old_name": as_text(change, "oldName", required=True),
            "new_code": new,
            "new_name": as_text(change, "newName", required=True),
            "change_date": _day(change, "changeOccurred"),
            "fictional": _fictional(old) and _fictional(new),
            "source_sha256": sha256,
            "source_row": position,
            "source_column": "newCode",
        }

    rows, keys = collect(content, KLASS_CHANGES, name, make)
    unique = {(r["old_code"], r["new_code"], r["change_date"]): r for r in rows}
    table = table_of(list(unique.values()), schema.changes_schema(), name)
    return [ExtractTable(schema.MUNICIPALITY_CHANGES, table, keys)]


def read_version(content: Record, name: str, sha256: str) -> list[ExtractTable]:
    """Municipality codes valid from a day."""

    def make(position: int, item: Record) -> dict[str, Any]:
        code = as_code(item, "code")
        return {
            "code": code,
            "name": as_text(item, "name", required=True),
            "parent_code": as_text(item, "parentCode") or code[:2],
            "valid_from": _date(item, "validFromInRequestedRange") or _day(content, "validFrom"),
            "fictional": _fictional(code),
            "source_sha256": sha256,
            "source_row": position,
            "source_column": "code",
        }

    rows, keys = collect(content, KLASS_ITEMS, name, make)
    table = table_of(rows, schema.versions_schema(), name)
    return [ExtractTable(schema.MUNICIPALITY_VERSIONS, table, keys)]


def klass_of(header: Collection[str]) -> str | None:
    """Which of Klass's tables a CSV holds, by its header."""
    if {"oldCode", "newCode", "changeOccurred"} <= set(header):
        return "klass_changes_csv"
    return "klass_version_csv" if {"code", "parentCode", "level", "name"} <= set(header) else None


def read_klass_csv(table: TextTable, sha256: str) -> list[ExtractTable]:
    """Klass's own CSV of changes or of a list; ``source_row`` is the line. A list has the day of each code.

    Raises:
        SchemaProblem: ``damaged-record``, or that a list has no day (``validFrom``).
    """
    import pyarrow as pa

    lines = table.rows.to_pylist()
    columns = {name: [text.strip() or None for text in column.to_pylist()] for name, column in table.columns.items()}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    days = ("validFromInRequestedRange", "validFrom")
    records = [{**row, days[0]: row.get(days[0]) or row.get(days[1])} for row in rows]
    kind = klass_of(table.header)
    assert kind is not None, "a table is only sent here when it was recognised as one of Klass"
    unread = not_read(table, KLASS_COLUMNS[kind], "the columns of Klass")
    try:
        if kind == "klass_changes_csv":
            found = read_changes({KLASS_CHANGES: records}, table.name, sha256)
        else:
            found = read_version({KLASS_ITEMS: records}, table.name, sha256)
    except SchemaProblem as problem:
        findings = [replace(f, row=None if f.row is None else lines[f.row]) for f in problem.findings]
        raise SchemaProblem(str(problem), findings) from None
    made = []
    for one in found:
        at = one.table.schema.get_field_index("source_row")
        places = pa.array([lines[position] for position in one.table["source_row"].to_pylist()], pa.int64())
        placed = one.table.set_column(at, "source_row", places)
        made.append(replace(one, table=placed, columns_seen=table.header, findings=unread))
    return made
