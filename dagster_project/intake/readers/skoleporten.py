"""The old Skoleporten download, ``nedlasting.csv``, up to 2020-21: long, no organisation number, ``.`` for no figure.

Units are known by name only, so their code is ``navn:`` and the name: it can meet no real code and no rule set reads
these years. ``.`` stands for suppressed and for missing alike; it is kept as suppressed, the more careful reading.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dagster_project import schema
from dagster_project.intake.cells import ExtractTable, bad_cells, constant, refuse, require_columns
from dagster_project.intake.numbers import parse_column, parse_number
from dagster_project.intake.tables import TextTable

if TYPE_CHECKING:
    import pyarrow as pa

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
SUBJECTS = {"Engelsk": "english", "Lesing": "reading", "Regning": "numeracy"}
OWNERSHIP = {"Alle eierformer": "all", "Offentlig": "public", "Privat": "private"}
SEX = {"Begge kjønn": "all", "Jenter": "girls", "Gutter": "boys"}
PERIOD = re.compile(r"^(\d{4})-\d{2}(\d{2})$")
MISSING = "."


def looks_like(header: tuple[str, ...]) -> bool:
    """Whether the header is that of the old download."""
    return {"Enhetsnavn", "Indikator/delskår", "Måleenhet"} <= set(header)


def read(table: TextTable, sha256: str) -> list[ExtractTable]:
    """Read the scale scores of the national tests; other statistics of the file are left in the archive.

    Raises:
        SchemaProblem: a missing column, or a value that is no number.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    require_columns(table, COLUMNS)
    cols = {name: pc.utf8_trim_whitespace(table.columns[name]) for name in COLUMNS}
    grade = pc.replace_substring_regex(cols["Trinn"], r"\D", "")
    keep = pc.and_(
        pc.equal(cols["Måleenhet"], "Skalapoeng"),
        pc.and_(
            pc.is_in(cols["Indikator/delskår"], value_set=pa.array(list(SUBJECTS))),
            pc.and_(pc.match_substring_regex(cols["Periode"], PERIOD.pattern), pc.not_equal(grade, "")),
        ),
    )
    kept = {name: pc.filter(column, keep) for name, column in cols.items()}
    rows = pc.filter(table.rows, keep)
    part = TextTable(table.name, table.header, kept, rows)
    plain = pc.if_else(pc.equal(kept["Verdi"], MISSING), "*", kept["Verdi"])
    values, bad = parse_column(plain, parse_number, pa.decimal128(18, 4))
    refuse(table.name, bad_cells(part, "Verdi", bad, "a number, or . for none"))

    def mapped(column: str, mapping: dict[str, str]) -> pa.Array:
        encoded = kept[column].dictionary_encode()
        return pa.array([mapping.get(v) for v in encoded.dictionary.to_pylist()], pa.string()).take(encoded.indices)

    length, text = len(rows), pa.string()
    name = kept["Enhetsnavn"]
    code = pc.binary_join_element_wise(pa.scalar("navn"), name, ":")
    subject = mapped("Indikator/delskår", SUBJECTS)
    tidy = pa.table(
        {
            "dataset": constant(schema.NATIONAL_TESTS, length, text),
            "school_year": pc.replace_substring_regex(kept["Periode"], PERIOD.pattern, r"\1-\2"),
            "unit_level": constant("school", length, text),
            "unit_code": code,
            "unit_name": name,
            "county_code": constant("", length, text),
            "municipality_code": constant("", length, text),
            "grade": pc.cast(pc.filter(grade, keep), pa.int32()),
            "indicator": pc.binary_join_element_wise(subject, pa.scalar("scale_score"), "_"),
            "ownership": mapped("Eierform", OWNERSHIP),
            "sex": mapped("Kjønn", SEX),
            "value": values,
            "n_pupils": constant(None, length, pa.int64()),
            "uncertainty": constant(None, length, pa.decimal128(18, 4)),
            "state": pc.if_else(pc.is_valid(values), "observed", "suppressed"),
            "raw_value": kept["Verdi"],
            "source_sha256": constant(sha256, length, text),
            "source_row": rows,
            "source_column": constant("Verdi", length, text),
            "fictional": constant(False, length, pa.bool_()),
            "provisional": constant(False, length, pa.bool_()),
            "break_in_series": constant(False, length, pa.bool_()),
        },
        schema=schema.extract_schema(),
    )
    return [ExtractTable(schema.NATIONAL_TESTS, tidy, table.header)]
