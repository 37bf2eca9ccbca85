"""The open export API, version 2, of the Pupil Survey: tables 148 (indicators), 150 (bullying), 151 (participation).

Long form, one object or line per unit and question. Geography stands in columns, the indicator in rows. Both
spellings of what was renamed over the years are read: ``Spoersmaalgruppe``/``Indikator`` and "Støtte fra
lærerne"/"Støtte fra lærer". Only whole-indicator rows ("Alle spørsmål") count. The row of a value is the position of
the object in the list, from 0, for JSON and the line for CSV.

States: ``*`` is suppressed, null or blank is absent.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from dagster_project import schema
from dagster_project.diagnostics import Finding, Severity
from dagster_project.intake.cells import (
    OWNERSHIP,
    SEX,
    ExtractTable,
    bad_cells,
    constant,
    problem,
    read_units,
    refuse,
    refuse_duplicates,
)
from dagster_project.intake.numbers import SUPPRESSED, parse_column, parse_count, parse_number
from dagster_project.intake.tables import TextTable
from dagster_project.intake.text import unreadable

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

GROUP_SPELLINGS = ("Spoersmaalgruppe", "Indikator")
INDICATOR_NAMES = {
    "Motivasjon": "motivation",
    "Støtte fra lærerne": "teacher_support",
    "Støtte fra lærer": "teacher_support",
    "Mobbing på skolen": "bullying",
}
WHOLE_INDICATOR = "Alle spørsmål"
BULLYING, SCORE, PARTICIPATION = "AndelMobbet", "Score", "AndelDeltatt"
COMPULSORY_GRADES = {str(grade) for grade in range(1, 11)}


def looks_like(keys: set[str]) -> bool:
    """Whether column names or keys are those of one of the three tables."""
    return "Skoleaarnavn" in keys and bool(keys & {BULLYING, SCORE, PARTICIPATION})


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """One DuckDB for all files, since starting it costs as much as reading one. One thread keeps the rows in order."""
    import duckdb

    return duckdb.connect(config={"threads": "1"})


def read_json(path: Path, name: str) -> TextTable:
    """Read a JSON list of objects as a table of text; ``rows`` are positions from 0.

    Raises:
        UnreadableFile: the JSON ends early or is no list of flat objects.
    """
    import duckdb

    with _database().cursor() as connection:
        try:
            table = connection.sql(
                "select cast(columns(*) as varchar) from read_json($path, format='array', sample_size=1000,"
                " maximum_object_size=33554432)",
                params={"path": str(path)},
            ).to_arrow_table()
        except duckdb.Error as error:
            raise unreadable(
                "damaged-json",
                "the JSON ends early or is not a list of flat objects",
                name,
                found=str(error).splitlines()[0][:160],
                fix="Download the file again.",
            ) from error
    import pyarrow as pa
    import pyarrow.compute as pc

    filled = {c: pc.fill_null(table[c].combine_chunks().cast(pa.string()), "") for c in table.column_names}
    return TextTable(name, tuple(table.column_names), filled, pa.array(range(table.num_rows), pa.int64()), "json")


def _mapped(table: TextTable, column: str, mapping: dict[str, str], what: str) -> pa.Array:
    """Translate a column's distinct values; a value nobody knows is a finding."""
    import pyarrow as pa
    import pyarrow.compute as pc

    trimmed = pc.utf8_trim_whitespace(table.columns[column])
    encoded = trimmed.dictionary_encode()
    names = encoded.dictionary.to_pylist()
    unknown = [name for name in names if name not in mapping]
    refuse(
        table.name,
        [
            problem(
                f"unknown-{what}",
                f"the {what} is not known",
                table.name,
                row=table.rows[pc.index(trimmed, name).as_py()].as_py(),
                column=column,
                found=name,
                expected=", ".join(sorted(mapping)),
                fix="Report the new spelling, or send the original download.",
            )
            for name in unknown
        ],
    )
    return pa.array([mapping[name] for name in names], pa.string()).take(encoded.indices)


def _only(table: TextTable, keep: pa.Array) -> TextTable:
    import pyarrow.compute as pc

    columns = {name: pc.filter(column, keep) for name, column in table.columns.items()}
    return TextTable(table.name, table.header, columns, pc.filter(table.rows, keep), table.delimiter)


def read(table: TextTable, sha256: str) -> list[ExtractTable]:
    """Read one export.

    Raises:
        SchemaProblem: missing unit columns (an export narrowed by somebody), upper-secondary rows only, unknown
            spellings, cells that are no numbers, repeated rows.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if PARTICIPATION in table.header:
        note = Finding(
            "no-indicator-cells",
            Severity.PASS,
            "participation is archived; it holds no indicator of the scheme",
            stage="schema",
            file=table.name,
        )
        empty = schema.extract_schema().empty_table()
        return [ExtractTable(schema.PUPIL_SURVEY, empty, table.header, (note,))]
    if "TrinnKode" in table.header:
        grades = pc.utf8_trim_whitespace(table.columns["TrinnKode"])
        compulsory = pc.is_in(grades, value_set=pa.array(sorted(COMPULSORY_GRADES)))
    else:
        names = pc.utf8_trim_whitespace(table.columns.get("Trinnnavn", table.columns["Skoleaarnavn"]))
        compulsory = pc.match_substring_regex(names, r"^\d{1,2}\. (års)?trinn")
    if not pc.any(compulsory).as_py():
        refuse(
            table.name,
            [
                problem(
                    "no-compulsory-school-rows",
                    "the export holds no row of grades 1 to 10",
                    table.name,
                    column="Trinnnavn",
                    found=table.columns.get("Trinnnavn", table.columns["Skoleaarnavn"])[0].as_py(),
                    expected="7. trinn or 10. trinn",
                    fix="Export tables 148 and 150; 152 to 154 are those of upper secondary schools.",
                )
            ],
        )
    table = _only(table, compulsory)
    group_column = next((name for name in GROUP_SPELLINGS if name in table.header), None)
    if group_column is None:
        refuse(
            table.name,
            [
                problem(
                    "missing-column",
                    "the column that names the indicator is missing",
                    table.name,
                    column=GROUP_SPELLINGS[0],
                    expected=" or ".join(GROUP_SPELLINGS),
                    fix="The column may have been renamed again: report the new name.",
                )
            ],
        )
        raise AssertionError("unreachable")
    group = pc.utf8_trim_whitespace(table.columns[group_column])
    keep = pc.is_in(group, value_set=pa.array(list(INDICATOR_NAMES)))
    if "Spoersmaalnavn" in table.header:
        whole = pc.equal(pc.utf8_trim_whitespace(table.columns["Spoersmaalnavn"]), WHOLE_INDICATOR)
        keep = pc.and_(keep, whole)
    table = _only(table, keep)
    if len(table) == 0:
        refuse(
            table.name,
            [
                problem(
                    "no-known-indicator",
                    "no row holds an indicator of the scheme",
                    table.name,
                    column=group_column,
                    expected=", ".join(INDICATOR_NAMES),
                    fix="Export the whole-indicator rows of tables 148 and 150.",
                )
            ],
        )
    units = read_units(table)
    indicator = _mapped(table, group_column, INDICATOR_NAMES, "indicator")
    everything = pa.array(["Alle eierformer"] * len(table))
    ownership = (
        _mapped(table, "EierformNavn", OWNERSHIP, "ownership")
        if "EierformNavn" in table.header
        else pc.replace_substring(everything, "Alle eierformer", "all")
    )
    sex = (
        _mapped(table, "Kjoenn", SEX, "sex")
        if "Kjoenn" in table.header
        else pc.replace_substring(everything, "Alle eierformer", "all")
    )
    grade = pc.cast(
        pc.replace_substring_regex(pc.utf8_trim_whitespace(table.columns["TrinnKode"]), r"\D", ""), pa.int32()
    )
    year = pc.utf8_trim_whitespace(table.columns["Skoleaarnavn"])
    refuse_duplicates(table, units, (indicator, ownership, sex, grade, year))
    value_column = BULLYING if BULLYING in table.header else SCORE
    findings: list[Finding] = []
    raw = table.columns[value_column]
    values, bad = parse_column(raw, parse_number, pa.decimal128(18, 4))
    findings += bad_cells(table, value_column, bad, "a number such as 4,1, *, or nothing")
    pupils, bad = parse_column(table.columns["AntallBesvart"], parse_count, pa.int64())
    findings += bad_cells(table, "AntallBesvart", bad, "a whole number such as 5 943, *, or nothing")
    refuse(table.name, findings)
    hidden = pc.equal(pc.utf8_trim_whitespace(raw), SUPPRESSED)
    state = pc.if_else(hidden, "suppressed", pc.if_else(pc.is_valid(values), "observed", "absent"))
    length, text = len(table), pa.string()
    rows = pa.table(
        {
            "dataset": constant(schema.PUPIL_SURVEY, length, text),
            "school_year": year,
            "unit_level": units.level,
            "unit_code": units.code,
            "unit_name": units.name,
            "county_code": units.county,
            "municipality_code": units.municipality,
            "grade": grade,
            "indicator": indicator,
            "ownership": ownership,
            "sex": sex,
            "value": values,
            "n_pupils": pc.if_else(pc.equal(state, "observed"), pupils, pa.scalar(None, pa.int64())),
            "uncertainty": constant(None, length, pa.decimal128(18, 4)),
            "state": state,
            "raw_value": raw,
            "source_sha256": constant(sha256, length, text),
            "source_row": table.rows,
            "source_column": constant(value_column, length, text),
            "fictional": units.fictional,
            "provisional": constant(False, length, pa.bool_()),
            "break_in_series": constant(False, length, pa.bool_()),
        },
        schema=schema.extract_schema(),
    )
    split = pc.and_(pc.not_equal(ownership, "all"), pc.equal(state, "absent"))
    return [ExtractTable(schema.PUPIL_SURVEY, rows.filter(pc.invert(split)), table.header)]
