"""The CSV download of Udir's statistics bank: wide, one column per combination, headers of dot-joined levels.

National tests and grade points come so, and so did the Pupil Survey until 2021, of which the labels are not known from
an original: its columns are read where they name year, indicator, grade and a measure that is known.

States. ``*`` is suppressed, and so is a blank beside a number of pupils that is hidden (``*``) or above 0. Another
blank in the column of all ownerships means that nobody took the test (blank, blank, 0 until 2024-25, three blanks
since). In a column of one ownership it means that the unit has no such schools: no row.
Grade points stand with several years side by side, so a blank there is a year without figures: absent, and no row
where the unit has another row with figures that year (a school whose municipality changed its code).
The labels that are known stand in ``intake/labels.csv``, each with where it was seen: that of the share on mastery
level 1 has not been seen in an original. A column of another label is left out, with a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dagster_project import schema
from dagster_project.diagnostics import Finding, Severity
from dagster_project.intake import labels
from dagster_project.intake.cells import (
    ExtractTable,
    Units,
    bad_cells,
    extract_rows,
    not_read,
    notes_abroad,
    places,
    problem,
    read_units,
    refuse,
    refuse_duplicates,
    restricted,
    states,
)
from dagster_project.intake.numbers import parse_column, parse_count, parse_number, unstarred
from dagster_project.intake.readers import headers
from dagster_project.intake.readers.headers import (
    BREAK,
    BULLIED,
    COUNT,
    LEVEL_1,
    POINTS,
    SCORE,
    UNCERTAINTY,
    VALUE,
    YEAR,
    Column,
    Group,
    Unread,
    parse_header,
    split_levels,
)
from dagster_project.intake.tables import TextTable

if TYPE_CHECKING:
    import pyarrow as pa

UNIT_COLUMNS = (
    "EnhetNivaa", "Nasjonaltkode", "Fylkekode", "Kommunekode", "Organisasjonsnummer",
    "Nasjonalt", "Fylke", "Kommune", "EnhetNavn",
)  # fmt: skip
FIGURES = (VALUE, POINTS, LEVEL_1, BULLIED, SCORE)


def looks_like(header: tuple[str, ...]) -> bool:
    """Whether a header is one of this format: the unit columns, and value columns of dotted levels."""
    return "EnhetNivaa" in header and any(YEAR.search(name.split(".")[0]) for name in header if "." in name)


def _columns(table: TextTable) -> tuple[list[Column], tuple[Finding, ...]]:
    """The columns that are known, and warnings for those that are not.

    Raises:
        SchemaProblem: a header says two things of one kind, or no column is known.
    """
    parsed = [(header, parse_header(header)) for header in table.header if "." in header]
    columns = [column for _, column in parsed if isinstance(column, Column)]
    unread = [(header, why) for header, why in parsed if isinstance(why, Unread)]
    useful = any(c.measure in FIGURES for c in columns)
    refuse(table.name, [_unread(table, header, why) for header, why in unread if why.contradicts or not useful])
    # many columns may lack the same: one warning tells of them all
    alike: dict[Unread, list[str]] = {}
    for header, why in unread:
        alike.setdefault(why, []).append(header)
    notes = (replace(_unread(table, of[0], why), severity=Severity.WARN, count=len(of)) for why, of in alike.items())
    plain = not_read(table, {*UNIT_COLUMNS, *(header for header, _ in parsed)}, "a column of the unit, or a header of "
                     "levels with dots between them, such as 2024-25.Lesing.5. årstrinn.Skalapoeng")  # fmt: skip
    return columns, (*notes, *plain)


def _unread(table: TextTable, header: str, why: Unread) -> Finding:
    expected = "school year, subject or indicator, grade, ownership, sex and a measure such as Skalapoeng"
    fix = "Nothing to do for a column that the scheme does not use. Otherwise choose measures that are known, or "
    if why.lacks:
        return problem(
            "missing-header-level", f"the header does not name {why.level}, so its column is not read", table.name,
            row=table.header_row, column=header, found=header, expected=expected,
            fix=fix + "send an export whose headers name it.",
        )  # fmt: skip
    known = why.contradicts and headers.meaning_of(why.level)[0] is not None
    what = "the header says two things of one kind" if known else "a level of the header is not known"
    near = None if known else labels.nearest(why.level)
    return problem(
        "unknown-header-level", f"{what}, so its column is not read", table.name,
        row=table.header_row, column=header, found=why.level or "a blank level",
        expected=expected + (f"; the nearest known label is {near}" if near else ""),
        fix=fix + "report the new label: it is one line in intake/labels.csv.",
    )  # fmt: skip


def dataset_of(header: Iterable[str]) -> str:
    """What a download is about, by its header alone."""
    return headers.dataset_of(level for name in header if "." in name for level in split_levels(name))


def _dataset(table: TextTable, columns: list[Column]) -> str:
    dataset = dataset_of(table.header)
    if dataset == schema.NATIONAL_TESTS and not any(c.group.subject for c in columns):
        measures = {split_levels(c.header.removesuffix("." + BREAK))[-1] for c in columns}
        finding = problem(
            "no-known-indicator",
            "no column of the file holds an indicator of the scheme",
            table.name,
            found=", ".join(sorted(measures)),
            expected="national tests or lower secondary grade points",
            fix="Download the national tests, grade points or Pupil Survey tables.",
        )
        refuse(table.name, [finding])
    return dataset


def _rows(
    table: TextTable, units: Units, sha256: str, dataset: str, indicator: str, value: Column,
    count: Column | None, uncertainty: Column | None, findings: list[Finding],
) -> pa.Table:  # fmt: skip
    import pyarrow as pa
    import pyarrow.compute as pc

    def numbers(column: Column | None, parse: Callable[[str], Any], kind: pa.DataType, expected: str) -> pa.Array:
        if column is None:
            return pa.nulls(len(table), kind)
        plain, starred = unstarred(table.columns[column.header])
        read, bad = parse_column(plain, parse, kind)
        findings.extend(bad_cells(table, column.header, bad, expected))
        stars.append(starred)
        return read

    number, group = pa.decimal128(18, 4), value.group
    stars: list[pa.BooleanArray] = []
    values = numbers(value, parse_number, number, "a number such as 48,5, *, or blank")
    pupils = numbers(count, parse_count, pa.int64(), "a whole number such as 1 234, *, or blank")
    margin = numbers(uncertainty, parse_number, number, "a number such as 0,8, *, or blank")
    # of the tests alone a blank says that nobody took part
    blank = "absent" if dataset != schema.NATIONAL_TESTS or group.ownership != "all" else "no_participants"
    counted = None if count is None else table.columns[count.header]
    state = states(table.columns[value.header], values, counted, pupils, blank)
    rows = extract_rows(
        len(table),
        **vars(units),
        **places(table, sha256, value.header),
        dataset=dataset,
        school_year=group.school_year,
        grade=group.grade if group.grade is not None else 10,
        indicator=indicator,
        ownership=group.ownership,
        sex=group.sex,
        value=values,
        n_pupils=pc.if_else(pc.equal(state, "observed"), pupils, pa.scalar(None, pa.int64())),
        uncertainty=margin,
        state=state,
        restricted=restricted(state, stars),
        provisional=group.provisional,
        break_in_series=value.broken,
    )
    if group.ownership != "all" or group.sex != "all":
        return rows.filter(pc.not_equal(state, "absent"))
    if dataset != schema.NATIONAL_TESTS:
        shown = pc.filter(units.unit_code, pc.not_equal(state, "absent"))
        elsewhere = pc.and_(pc.equal(state, "absent"), pc.is_in(units.unit_code, value_set=shown.unique()))
        return _once(rows.filter(pc.invert(elsewhere)))
    return rows


def _indicator(group: Group, measure: str) -> str | None:
    """The indicator that a measure is, None where the scheme has none, as for the levels of the test in English."""
    if measure == LEVEL_1:
        return f"{group.subject}_level_1" if group.subject in ("reading", "numeracy") else None
    return {VALUE: f"{group.subject}_scale_score", POINTS: "grade_points"}.get(measure, group.survey)


def _once(rows: pa.Table) -> pa.Table:
    """Of several absent rows of one unit keep the last."""
    import pyarrow as pa
    import pyarrow.compute as pc

    numbered = pa.table({"code": rows["unit_code"], "level": rows["unit_level"], "at": pa.array(range(rows.num_rows))})
    absent = numbered.filter(pc.equal(rows["state"], "absent"))
    keep = absent.group_by(["level", "code"], use_threads=False).aggregate([("at", "max")])["at_max"]
    present = numbered.filter(pc.not_equal(rows["state"], "absent"))["at"]
    return rows.take(pa.array(sorted([*present.to_pylist(), *keep.to_pylist()]), pa.int64()))


def read(table: TextTable, sha256: str) -> list[ExtractTable]:
    """Read one download.

    Raises:
        SchemaProblem: with every cell, column or row that is not as the format says.
    """
    import pyarrow as pa

    units = read_units(table)
    columns, unread = _columns(table)
    dataset = _dataset(table, columns)
    refuse_duplicates(table, units)
    by_group: dict[Group, dict[str, Column]] = {}
    findings: list[Finding] = []
    for column in columns:
        measured = column.measure in (*FIGURES, UNCERTAINTY)
        if measured and column.dataset != dataset:
            findings.append(
                problem("other-dataset", "a column is about something else than the file", table.name,
                        row=table.header_row, column=column.header, found=column.dataset, expected=dataset,
                        fix="Download each on its own.")
            )  # fmt: skip
        first = by_group.setdefault(column.group, {}).setdefault(column.measure, column)
        if first is not column and (measured or column.measure == COUNT):
            findings.append(
                problem("repeated-column", "two columns hold the same measure", table.name, row=table.header_row,
                        column=column.header, found=f"also {first.header}", expected="each measure once",
                        fix="Download one of them.")
            )  # fmt: skip
    refuse(table.name, findings)
    parts = []
    for group, measures in by_group.items():
        for measure in (m for m in FIGURES if m in measures):
            indicator = _indicator(group, measure)
            if indicator is not None:
                margin = measures.get(UNCERTAINTY) if measure in (VALUE, POINTS) else None
                parts.append(
                    _rows(table, units, sha256, dataset, indicator, measures[measure], measures.get(COUNT), margin,
                          findings)
                )  # fmt: skip
    refuse(table.name, findings)
    if not parts:
        refuse(
            table.name,
            [
                problem(
                    "no-value-column",
                    "the file has counts but no value column",
                    table.name,
                    expected="Skalapoeng, Grunnskolepoeng, Mestringsnivå 1 or Andel mobbet",
                    fix="Choose the measure in the statistics bank and download again.",
                )
            ],
        )
    rows = pa.concat_tables(parts)
    return [ExtractTable(dataset, rows, table.header, (*unread, *notes_abroad(table, rows)))]
