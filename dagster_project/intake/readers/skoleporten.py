"""The old Skoleporten download, ``nedlasting.csv``, up to 2020-21: long, no organisation number, ``.`` for no figure.

Units are known by name only, so their code is ``navn:`` and the name: it can meet no real code and no rule set reads
these years. ``.`` stands for suppressed and for missing alike; it is kept as suppressed, the more careful reading.
"""

from __future__ import annotations

import re
from dataclasses import replace

from dagster_project import schema
from dagster_project.intake.cells import (
    ExtractTable,
    bad_cells,
    extract_rows,
    is_school_year,
    not_read,
    places,
    refuse,
    refuse_other,
    require_columns,
    translated,
)
from dagster_project.intake.numbers import parse_column, parse_number
from dagster_project.intake.tables import TextTable

COLUMNS = (
    "Enhetsnavn",
    "Statistikk",
    "Indikator/delskår",
    "Periode",
    "Eierform",
    "Trinn",
    "Kjønn",
    "Verdi",
    "Måleenhet",
)
NOT_USED = ("Skoletype", "Vurderingsområde")
SUBJECTS = {"Engelsk": "english", "Lesing": "reading", "Regning": "numeracy"}
OWNERSHIP = {"Alle eierformer": "all", "Offentlig": "public", "Privat": "private"}
SEX = {"Begge kjønn": "all", "Jenter": "girls", "Gutter": "boys"}
PERIOD = re.compile(r"^([0-9]{4})-([0-9]{2})([0-9]{2})$")
GRADE = re.compile(r"(?:Trinn )?([0-9]{1,2})(?:\. (?:års)?trinn)?")
MISSING = "."


def looks_like(header: tuple[str, ...]) -> bool:
    """Whether the header is that of the old download."""
    return {"Enhetsnavn", "Indikator/delskår", "Måleenhet"} <= set(header)


def read(table: TextTable, sha256: str) -> list[ExtractTable]:
    """Read the scale scores of the national tests; other statistics of the file are left in the archive.

    Raises:
        SchemaProblem: a missing column, a value that is no number, a spelling that nobody knows.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    require_columns(table, COLUMNS)
    cols = {name: pc.utf8_trim_whitespace(table.columns[name]) for name in COLUMNS}
    keep = pc.and_(
        pc.equal(cols["Måleenhet"], "Skalapoeng"),
        pc.and_(
            pc.is_in(cols["Indikator/delskår"], value_set=pa.array(list(SUBJECTS))),
            pc.and_(
                pc.match_substring_regex(cols["Periode"], PERIOD.pattern),
                pc.match_substring_regex(cols["Trinn"], "[0-9]"),
            ),
        ),
    )
    kept = {name: pc.filter(column, keep) for name, column in cols.items()}
    rows = pc.filter(table.rows, keep)
    part = replace(table, columns=kept, rows=rows)
    plain = pc.if_else(pc.equal(kept["Verdi"], MISSING), "*", kept["Verdi"])
    values, bad = parse_column(plain, parse_number, pa.decimal128(18, 4))
    refuse(table.name, bad_cells(part, "Verdi", bad, "a number, or . for none"))
    refuse_other(
        part, "Periode", lambda text: text[:2] == text[5:7] and is_school_year(PERIOD.sub(r"\1-\3", text)),
        "not-a-school-year", "the period is no school year", "a school year such as 2019-2020",
    )  # fmt: skip
    refuse_other(
        part, "Trinn", lambda text: GRADE.fullmatch(text) is not None, "not-a-grade", "the grade is not known",
        "a grade such as Trinn 5",
    )  # fmt: skip

    subject = translated(part, "Indikator/delskår", SUBJECTS, "subject")
    tidy = extract_rows(
        len(rows),
        **places(part, sha256, "Verdi"),
        dataset=schema.NATIONAL_TESTS,
        school_year=pc.replace_substring_regex(kept["Periode"], PERIOD.pattern, r"\1-\3"),
        unit_level="school",
        unit_code=pc.binary_join_element_wise(pa.scalar("navn"), kept["Enhetsnavn"], ":"),
        unit_name=kept["Enhetsnavn"],
        county_code="",
        municipality_code="",
        grade=pc.cast(pc.replace_substring_regex(kept["Trinn"], "[^0-9]", ""), pa.int32()),
        indicator=pc.binary_join_element_wise(subject, pa.scalar("scale_score"), "_"),
        ownership=translated(part, "Eierform", OWNERSHIP, "ownership"),
        sex=translated(part, "Kjønn", SEX, "sex"),
        value=values,
        state=pc.if_else(pc.is_valid(values), "observed", "suppressed"),
    )
    unread = not_read(table, {*COLUMNS, *NOT_USED}, "the columns of the old download")
    return [ExtractTable(schema.NATIONAL_TESTS, tidy, table.header, unread)]
