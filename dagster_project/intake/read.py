"""Read any accepted file into extract tables: choose the reader, unpack zips safely."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dagster_project import schema
from dagster_project.diagnostics import Finding
from dagster_project.intake.cells import ExtractTable, problem, refuse
from dagster_project.intake.paging import join_sent_together
from dagster_project.intake.readers import (
    forms,
    pivots,
    registers,
    skoleporten,
    statistikkbanken,
    survey_api,
    unit_list,
)
from dagster_project.intake.readers.unit_list import UnitList
from dagster_project.intake.recognise import Recognised, load_json, members, recognise
from dagster_project.intake.tables import TextTable, read_csv, read_xlsx
from dagster_project.intake.text import open_zip, refuse_oversize, shown, unpack, unreadable

_TABULAR = {
    "statistikkbanken_csv": statistikkbanken.read,
    "survey_api_csv": survey_api.read,
    "skoleporten_csv": skoleporten.read,
    "form_csv": forms.read_table,
    "klass_changes_csv": registers.read_klass_csv,
    "klass_version_csv": registers.read_klass_csv,
}
PIVOTS = ("report_pivot", "survey_pivot_csv")
_REGISTERS = {
    "nsr_v4": registers.read_nsr,
    "klass_changes": registers.read_changes,
    "klass_version": registers.read_version,
}


SLICES = {
    **{name: ["school_year", *schema.SLICE_KEY] for name in schema.YEARLY_DATASETS},
    **{name: list(keys) for name, keys in schema.REFERENCE_KEYS.items()},
}
"""What two files of one zip may not both hold, by dataset."""


def read_file(
    path: Path, sha256: str, name: str | None = None, known: Recognised | None = None, units: UnitList | None = None
) -> list[ExtractTable]:
    """Read a file into extract tables. ``sha256`` is that of the file as it was sent, and goes into every row.

    ``units`` is the list of units for a pivot that does not give their codes. A list of units itself has no rows.

    Raises:
        UnrecognisedFile, UnreadableFile, SchemaProblem: each with findings that name file, row and column.
    """
    name = name or path.name
    known = known or recognise(path, name)
    if known.format == "zip":
        return _read_zip(path, sha256, name, units)
    if known.format in _REGISTERS:
        return _REGISTERS[known.format](load_json(path, name), name, sha256)
    if known.format == "form_workbook":
        return forms.read_workbook(path, name, sha256)
    if known.format == unit_list.FORMAT:
        unit_list.read(load_json(path, name), name)
        return []
    if known.format == "report_pivot":
        return pivots.read(load_json(path, name), name, sha256, known.datasets[0], units)
    if known.format == "survey_api_json":
        refuse_oversize(path, name, lines=False)
        return survey_api.read(survey_api.read_json(path, name), sha256)
    table: TextTable = read_xlsx(path, name) if known.container == "xlsx" else read_csv(path, name)
    if known.format == "survey_pivot_csv":
        made = pivots.read_table(table, sha256, units)
    else:
        made = _TABULAR[known.format](table, sha256)
    return [replace(t, findings=(*table.findings, *t.findings)) for t in made]


def read_units_of(path: Path) -> UnitList:
    """The units of a list.

    Raises:
        UnreadableFile, SchemaProblem: it is no list of units.
    """
    return unit_list.read(load_json(path, path.name), path.name)


def _read_zip(path: Path, sha256: str, name: str, units: UnitList | None) -> list[ExtractTable]:
    """Read each member as a file of its own, and join the pages of one answer. Lists of units in it serve its pivots.

    The member's name goes in front of the source column.

    Raises:
        UnreadableFile: ``nested-zip``, ``unit-list-unused``, or what ``open_zip``, ``members`` and ``unpack`` raise.
    """
    found: list[tuple[str, str, Path, Recognised]] = []
    with open_zip(path, name) as package, tempfile.TemporaryDirectory() as folder:
        for number, (inner, member) in enumerate(members(package, name).items()):
            target, told = Path(folder) / f"{number:03d}", f"{name}!{shown(inner)}"
            unpack(package, member, target, told)
            known = recognise(target, told)
            if known.format == "zip":
                raise unreadable("nested-zip", "the zip holds another zip", told, found="a zip",
                                 expected="CSV, JSON or a workbook", fix="Unpack the inner one.")  # fmt: skip
            found.append((inner, told, target, known))
        lists = [(told, target) for _, told, target, known in found if known.format == unit_list.FORMAT]
        if lists and not any(known.format in PIVOTS for *_, known in found):
            raise unreadable("unit-list-unused", "the zip holds a list of units and no pivot that it serves",
                             lists[0][0], found="a list of units", expected="pivots beside it",
                             fix="Pack the pivots into the same zip, or send the list by itself.")  # fmt: skip
        own = unit_list.together(unit_list.read(load_json(target, told), told) for told, target in lists)
        tables = [
            _within(table, inner)
            for inner, told, target, known in found
            if known.format != unit_list.FORMAT
            for table in read_file(target, sha256, told, known, own or units)
        ]
    whole = join_sent_together(tables)
    _refuse_twice(whole, name)
    return whole


def _refuse_twice(tables: Sequence[ExtractTable], name: str) -> None:
    """Raise when two files of a zip hold the same slice, or the same entry of a register: which one would count?

    Raises:
        SchemaProblem: ``slice-twice``.
    """
    holders: dict[tuple[object, ...], str] = {}
    findings: list[Finding] = []
    for table in (t for t in tables if t.table.num_rows):
        keys = SLICES.get(table.dataset)
        if keys is None:
            continue
        member = str(table.table["source_column"][0].as_py()).partition("!")[0]
        for row in table.table.group_by(keys).aggregate([]).to_pylist():
            key = (table.dataset, *row.values())
            other = holders.setdefault(key, member)
            if other != member and not findings:
                said = ", ".join(str(v) for v in row.values() if v not in (True, False))
                findings.append(
                    problem("slice-twice", "two files of the zip hold the same figures", f"{name}!{member}",
                            found=f"{table.dataset}: {said}", expected=f"once; {other} holds it too",
                            fix="Send the files one by one, the newest last.")
                )  # fmt: skip
    refuse(name, findings)


def _within(table: ExtractTable, member: str) -> ExtractTable:
    import pyarrow as pa
    import pyarrow.compute as pc

    at = table.table.schema.get_field_index("source_column")
    named = pc.binary_join_element_wise(pa.scalar(member), table.table["source_column"], "!")
    return replace(table, table=table.table.set_column(at, "source_column", named))
