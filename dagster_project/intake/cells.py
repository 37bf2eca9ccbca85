"""Shared tools of the readers: units, states, findings with places, and the assembly of extract rows."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dagster_project import schema
from dagster_project.diagnostics import SHOWN_PLACES, Finding, SchemaProblem, Severity, listed, with_the_rest
from dagster_project.intake.labels import NEAR, meanings
from dagster_project.intake.numbers import SUPPRESSED, BadCell
from dagster_project.intake.tables import TextTable
from dagster_project.intake.text import fault, warning

if TYPE_CHECKING:
    import pyarrow as pa

SCHOOL_YEAR = re.compile(r"((?:19|20)[0-9]{2})-([0-9]{2})")
FICTIONAL_SIGN = "oppdiktet"
FIRST_FICTIONAL_COUNTY = "61"
CODES = ("Nasjonaltkode", "Fylkekode", "Kommunekode", "Organisasjonsnummer")
"""Columns with the codes of the four levels."""
HOME, ABROAD = "I", "U"
"""Codes of the two nations of an export: the schools at home, and Norwegian schools abroad."""
ABROAD_COUNTY, ABROAD_MUNICIPALITY = "25", "2599"
LEVELS = {"1": "national", "2": "county", "3": "municipality", "4": "school"}
OWNERSHIP, SEX = meanings("ownership"), meanings("sex")


@dataclass(frozen=True)
class Page:
    """A part of an answer that comes in pages: its ``rows`` of ``total``.

    ``answer`` is what all parts of it share. ``numbers`` are the pages it holds and ``size`` the most rows of one.
    """

    answer: str
    numbers: tuple[int, ...]
    size: int
    total: int
    rows: int
    years: tuple[str, ...]

    @property
    def tells_pages(self) -> bool:
        """Whether its numbers tell pages apart: an answer that says it has one page is known by its rows alone."""
        return self.size < self.total and bool(self.numbers)


@dataclass(frozen=True)
class ExtractTable:
    """Tidy rows of one dataset from one file, in contract columns, with what the reader noticed on the way.

    ``page`` is set where the rows are a part of an answer that comes in pages.
    """

    dataset: str
    table: pa.Table
    columns_seen: tuple[str, ...]
    findings: tuple[Finding, ...] = field(default=())
    page: Page | None = None

    @property
    def school_years(self) -> tuple[str, ...]:
        """School years of the rows; empty for reference data."""
        if "school_year" not in self.table.column_names:
            return ()
        return tuple(sorted(self.table["school_year"].unique().to_pylist()))


def problem(code: str, message: str, file: str, **place: object) -> Finding:
    """A FAIL of the schema stage."""
    return fault(code, message, file, stage="schema", **place)


def refuse(file: str, findings: list[Finding]) -> None:
    """Raise when anything was found; the message says how many and shows the first places.

    Raises:
        SchemaProblem: always, when ``findings`` is not empty.
    """
    if findings:
        noun = "problem" if len(findings) == 1 else "problems"
        raise SchemaProblem(f"{file} does not have the expected format: {len(findings)} {noun}", listed(findings))


def bad_cells(table: TextTable, column: str, bad: list[BadCell], expected: str) -> list[Finding]:
    """One finding per cell that is no number, or none that can be stored."""
    cells = table.columns[column]
    first = [
        problem(
            cell.why.code,
            cell.why.message,
            table.name,
            row=table.rows[cell.position].as_py(),
            column=column,
            found=cells[cell.position].as_py(),
            expected=cell.why.expected or expected,
            fix="Correct the cell at its source and download again.",
        )
        for cell in bad[:SHOWN_PLACES]
    ]
    return with_the_rest(first, len(bad))


def require_columns(table: TextTable, wanted: Iterable[str]) -> None:
    """Raise with every missing column and the nearest name that is there instead."""
    from difflib import get_close_matches

    findings = []
    for name in wanted:
        if name in table.header:
            continue
        near = get_close_matches(name, table.header, n=1, cutoff=NEAR)
        findings.append(
            problem(
                "missing-column",
                f"the column {name} is missing",
                table.name,
                row=table.header_row,
                column=name,
                found=f"{near[0]}, the nearest name" if near else f"columns {', '.join(table.header[:8])}",
                expected=name,
                fix="The column may have been renamed. Send the original download, or report the new format.",
            )
        )
    refuse(table.name, findings)


def not_read(table: TextTable, known: Collection[str], expected: str) -> tuple[Finding, ...]:
    """A warning for each column that is not ``known`` and holds something: nothing of it reaches the extract."""
    import pyarrow.compute as pc

    def holds_something(name: str) -> bool:
        column = table.columns.get(name)  # of JSON only what is known was kept
        return column is None or bool(pc.any(pc.not_equal(pc.utf8_trim_whitespace(column), "")).as_py())

    found = [
        warning(
            "unread-column", "the column is not known, so it is not read", table.name, row=table.header_row,
            column=name, found=name, expected=expected,
            fix="Nothing to do for a column that the scheme does not use. If it holds figures of the scheme, send an "
            "export with the known header, or report the new one.",
        )
        for name in table.header
        if name not in known and holds_something(name)
    ]  # fmt: skip
    return tuple(listed(found))


def is_school_year(text: str) -> bool:
    """Whether a text is a school year such as ``2024-25``."""
    match = SCHOOL_YEAR.fullmatch(text)
    return match is not None and int(match[2]) == (int(match[1]) + 1) % 100


def refuse_other(
    table: TextTable, column: str, known: Callable[[str], bool], code: str, message: str, expected: str
) -> pa.StringArray:
    """The column without outer blanks, when every value of it is known.

    Raises:
        SchemaProblem: ``code`` for each other value, at its first row.
    """
    import pyarrow.compute as pc

    trimmed = pc.utf8_trim_whitespace(table.columns[column])
    other = [value for value in trimmed.unique().to_pylist() if not known(value)]
    first = [
        problem(
            code, message, table.name, row=table.rows[pc.index(trimmed, value).as_py()].as_py(), column=column,
            found=value, expected=expected, fix="Report the new spelling, or send the original download.",
        )
        for value in other[:SHOWN_PLACES]
    ]  # fmt: skip
    refuse(table.name, with_the_rest(first, len(other)))
    return trimmed


def each_text(column: pa.StringArray, change: Callable[[str], str | None]) -> pa.StringArray:
    """The column with each of its distinct texts changed."""
    import pyarrow as pa

    encoded = column.dictionary_encode()
    return pa.array([change(text) for text in encoded.dictionary.to_pylist()], pa.string()).take(encoded.indices)


def translated(table: TextTable, column: str, mapping: Mapping[str, str], what: str) -> pa.StringArray:
    """The column in the words of the extracts.

    Raises:
        SchemaProblem: ``unknown-<what>`` for each value that nobody knows.
    """

    known = refuse_other(
        table, column, mapping.__contains__, f"unknown-{what}", f"the {what} is not known", ", ".join(sorted(mapping))
    )
    return each_text(known, mapping.__getitem__)


@dataclass(frozen=True)
class Units:
    """The unit columns of a file, under their names in an extract; one entry per row."""

    unit_level: pa.Array
    unit_code: pa.Array
    unit_name: pa.Array
    county_code: pa.Array
    municipality_code: pa.Array
    abroad: pa.Array
    fictional: pa.Array


def read_units(table: TextTable) -> Units:
    """Read the nine unit columns every table of the statistics bank has.

    Codes stay as they stand; names lose outer blanks and the years of retired units. The nation is unit ``I``; units
    abroad (nation ``U``, county 25, municipality 2599) have a nation of their own and are marked.

    Raises:
        SchemaProblem: missing columns, unknown levels and nations, codes that lost a leading zero, formulas in names.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    require_columns(table, ("EnhetNivaa", *CODES, "EnhetNavn"))
    cols = {name: pc.utf8_trim_whitespace(column) for name, column in table.columns.items() if "." not in name}
    level = each_text(cols["EnhetNivaa"], LEVELS.get)
    _refuse_odd_units(table, cols, level)
    above = pc.make_struct(*(pc.equal(level, name) for name in schema.UNIT_LEVELS[:-1]))
    blank = pa.array([""] * len(table), pa.string())
    nation, county, municipality = (cols.get(n, blank) for n in ("Nasjonalt", "Fylke", "Kommune"))
    name = pc.case_when(above, nation, county, municipality, cols["EnhetNavn"])
    name = pc.if_else(pc.equal(name, ""), cols["EnhetNavn"], name)
    retired = pc.replace_substring_regex(name, r" \(\d{4} - \d{4}\)$", "")
    return Units(
        unit_level=level,
        unit_code=pc.case_when(above, *(cols[column] for column in CODES)),
        unit_name=pc.if_else(pc.equal(level, "school"), name, retired),
        county_code=cols["Fylkekode"],
        municipality_code=cols["Kommunekode"],
        abroad=pc.or_(
            pc.equal(cols["Nasjonaltkode"], ABROAD),
            pc.or_(pc.equal(cols["Fylkekode"], ABROAD_COUNTY), pc.equal(cols["Kommunekode"], ABROAD_MUNICIPALITY)),
        ),
        fictional=pc.match_substring(nation, FICTIONAL_SIGN),
    )


def _refuse_odd_units(table: TextTable, cols: Mapping[str, pa.Array], level: pa.Array) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    lost = "A spreadsheet has turned codes into numbers: send the original download."
    county, municipality = (pc.utf8_length(cols[name]) for name in ("Fylkekode", "Kommunekode"))
    formula = pc.match_substring_regex(cols["EnhetNavn"], r"(^|[;\t])\s*([=@＝＠]|[+＋－-].*[(!（！])")
    checks = [
        ("EnhetNivaa", pc.is_valid(level), "unknown-level", "the level of the unit is unknown", "1, 2, 3 or 4",
         "Compulsory-school tables have these four levels; send one of them."),
        ("Nasjonaltkode", pc.is_in(cols["Nasjonaltkode"], value_set=pa.array([HOME, ABROAD])), "unknown-nation",
         "the nation is not known", f"{HOME}, or {ABROAD} for schools abroad", "Send the original download."),
        ("Fylkekode", pc.equal(county, 2), "code-lost-leading-zero", "a county code has two digits",
         "two digits, such as 03", lost),
        ("Kommunekode", pc.equal(municipality, 4), "code-lost-leading-zero", "a municipality code has four digits",
         "four digits, such as 0301", lost),
        *((name, pc.match_substring_regex(cols[name], "^[0-9A-Za-z]*$"), "not-a-code", "a code of a unit is no code",
           "letters a to z and digits", "Send the original download.") for name in CODES),
        ("EnhetNavn", pc.invert(formula), "formula-in-name", "a name begins like a formula", "a name",
         "Remove the formula, or send the original download."),
    ]  # fmt: skip
    findings: list[Finding] = []
    for column, good, code, message, expected, fix in checks:
        odd = pc.indices_nonzero(pc.invert(pc.fill_null(good, False)))
        findings += with_the_rest([
            problem(code, message, table.name, row=table.rows[at].as_py(), column=column,
                    found=cols[column][at].as_py(), expected=expected, fix=fix)
            for at in odd[:SHOWN_PLACES].to_pylist()
        ], len(odd))  # fmt: skip
    refuse(table.name, findings)


def states(raw: pa.Array, values: pa.Array, counted: pa.Array | None, pupils: pa.Array, blank: str) -> pa.Array:
    """What each cell says: a figure, a hidden one, or ``blank``, the state that a blank has in its place.

    A blank beside pupils who took part, counted or with their number hidden, is a hidden figure: somebody took part.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    hidden = pc.equal(pc.utf8_trim_whitespace(raw), SUPPRESSED)
    taken_part = pc.fill_null(pc.greater(pupils, 0), False)
    if counted is not None:
        taken_part = pc.or_(taken_part, pc.equal(pc.utf8_trim_whitespace(counted), SUPPRESSED))
    seen = pc.is_valid(values)
    return pc.if_else(hidden, "suppressed", pc.if_else(seen, "observed", pc.if_else(taken_part, "suppressed",
                                                                                     pa.scalar(blank))))  # fmt: skip


def restricted(state: pa.Array, stars: Iterable[pa.Array]) -> pa.Array:
    """Which figures the public view hides: those with a star behind their value or one of its companions."""
    import pyarrow.compute as pc

    return pc.and_(pc.equal(state, "observed"), functools.reduce(pc.or_, stars))


def notes_abroad(table: TextTable, rows: pa.Table) -> tuple[Finding, ...]:
    """What a file says of schools abroad, as a note that is no fault: their rows are kept and enter nothing."""
    import pyarrow.compute as pc

    abroad = rows.filter(rows["abroad"])
    if not abroad.num_rows:
        return ()
    units = abroad.group_by(["unit_level", "unit_code"]).aggregate([])
    return (
        Finding(
            "units-abroad", Severity.PASS, "Norwegian schools abroad are kept apart: they enter no limit, sum or rank",
            stage="schema", file=table.name, row=pc.min(abroad["source_row"]).as_py(), column="Nasjonaltkode",
            found=f"{abroad.num_rows} cells of {units.num_rows} units abroad", count=abroad.num_rows,
            fix="Nothing to do.",
        ),
    )  # fmt: skip


def refuse_duplicates(table: TextTable, units: Units, extra: Iterable[pa.Array] = ()) -> None:
    """Raise when the same unit stands on two rows with the same codes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    more = {f"k{i}": column for i, column in enumerate(extra)}
    keyed = pa.table(
        {"level": units.unit_level, "code": units.unit_code, "m": units.municipality_code, **more, "row": table.rows}
    )
    keys = [name for name in keyed.column_names if name != "row"]
    groups = keyed.group_by(keys, use_threads=False).aggregate([("row", "count"), ("row", "max"), ("row", "min")])
    twice = groups.filter(pc.greater(groups["row_count"], 1)).sort_by("row_max").to_pylist()
    refuse(
        table.name,
        [
            problem(
                "duplicated-row",
                "the unit is on more than one row",
                table.name,
                row=g["row_max"],
                column="Organisasjonsnummer",
                found=g["code"],
                expected=f"once, on line {g['row_min']}",
                count=g["row_count"] - 1,
                fix="Remove the repeated rows, or download the file again.",
            )
            for g in twice
        ],
    )


def extract_rows(length: int, **columns: object) -> pa.Table:
    """Rows of an extract. An array is a column as it stands, any other value is the same on all ``length`` rows.

    Columns that are not named are null, those of yes or no are false.
    """
    import pyarrow as pa

    shape = schema.extract_schema()
    if other := columns.keys() - set(shape.names):
        raise TypeError(f"an extract has no column {', '.join(sorted(other))}")

    def filled(name: str, kind: pa.DataType) -> pa.Array:
        value = columns.get(name, False if pa.types.is_boolean(kind) else None)
        whole = isinstance(value, pa.Array | pa.ChunkedArray)
        return value if whole else pa.repeat(pa.scalar(value, kind), length)

    return pa.table({field.name: filled(field.name, field.type) for field in shape}, schema=shape)


def places(table: TextTable, sha256: str, column: str) -> dict[str, object]:
    """Where the values of a column stand: the columns of an extract that name the very cell, and the cell as it was."""
    return {"raw_value": table.columns[column], "source_sha256": sha256, "source_row": table.rows,
            "source_column": column}  # fmt: skip
