"""The open export API, version 2, of the Pupil Survey: tables 148 (indicators), 150 (bullying), 151 (participation).

Long form, one object or line per unit and question. Geography stands in columns, the indicator in rows. Both
spellings of what was renamed over the years are read: ``Spoersmaalgruppe``/``Indikator`` and "Støtte fra
lærerne"/"Støtte fra lærer". Only whole-indicator rows ("Alle spørsmål") of whole units (``GruppeNivaa`` 0) count. The
row of a value is the position of the object in the list, from 0, for JSON and the line for CSV.

States: ``*`` is suppressed, and so is null or blank beside answers that are hidden or counted. Another null or blank is
absent.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from dagster_project import schema
from dagster_project.diagnostics import SHOWN_PLACES, Finding, SchemaProblem, Severity, UnreadableFile
from dagster_project.intake.cells import (
    OWNERSHIP,
    SEX,
    ExtractTable,
    bad_cells,
    each_text,
    extract_rows,
    is_school_year,
    not_read,
    notes_abroad,
    places,
    problem,
    read_units,
    refuse,
    refuse_duplicates,
    refuse_other,
    require_columns,
    restricted,
    states,
    translated,
)
from dagster_project.intake.labels import folded, meanings
from dagster_project.intake.numbers import parse_column, parse_count, parse_number, unstarred
from dagster_project.intake.paging import NUMBER, SIZE, TOTAL, page_of
from dagster_project.intake.readers.statistikkbanken import UNIT_COLUMNS
from dagster_project.intake.tables import TextTable, refuse_odd_cells
from dagster_project.intake.text import (
    MAX_CELLS,
    SNIFF_BYTES,
    damaged,
    encoding_of,
    refuse_cells,
    shown,
    sniff,
    unreadable,
    warning,
)

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

GROUP_SPELLINGS = ("Spoersmaalgruppe", "Indikator")
INDICATOR_NAMES = meanings("survey")
WHOLE_INDICATOR = "Alle spørsmål"
GROUP, WHOLE = "GruppeNivaa", ("0", "")
"""Rows of a class or another group stand below those of the unit, which are group level 0."""
BULLYING, SCORE, PARTICIPATION = "AndelMobbet", "Score", "AndelDeltatt"
COMPULSORY_GRADES = {str(grade) for grade in range(1, 11)}
UPPER_SECONDARY = r"(?i)^(vg|videregående)"
READ_KEYS = (
    *UNIT_COLUMNS, *GROUP_SPELLINGS, "Spoersmaalnavn", "Skoleaarnavn", "TrinnKode", "Trinnnavn", "EierformNavn",
    "Kjoenn", BULLYING, SCORE, PARTICIPATION, "AntallBesvart", GROUP, NUMBER, SIZE, TOTAL,
)  # fmt: skip
NOT_USED = (
    "SpoersmaalNivaa", "Spoersmaalgruppekode", "Spoersmaalkode", "GruppeKode", "GruppeNavn", "TrinnNivaa",
    "EierformNivaa", "Eierformkode", "KjoennNivaa", "KjoennKode", "Standardavvik", "AntallInvitert",
    *(f"{what}Svaralternativ{n}" for what in ("Andel", "AntallBesvart") for n in range(1, 8)),
)  # fmt: skip
"""Other columns of the three tables: known, and left in the archive."""
MAX_OBJECT_BYTES = 1 << 25


class NothingOfOurs(SchemaProblem):
    """The export holds no row of the scheme."""


def looks_like(keys: set[str]) -> bool:
    """Whether column names or keys are those of one of the three tables."""
    return "Skoleaarnavn" in keys and bool(keys & {BULLYING, SCORE, PARTICIPATION})


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """One DuckDB for all files, since starting it costs as much as reading one. One thread keeps the rows in order."""
    import duckdb

    return duckdb.connect(config={"threads": "1"})


def read_json(path: Path, name: str) -> TextTable:
    """Read a JSON list of objects as a table of text; ``rows`` are positions from 0. Only what ``read`` needs is kept.

    Raises:
        UnreadableFile: ``wrong-encoding``, ``damaged-json``, or what ``refuse_odd_cells`` raises.
        SchemaProblem: ``repeated-column``, ``missing-key``, ``nested-value``.
    """
    encoding = encoding_of(sniff(path))
    if encoding not in ("utf-8", "utf-8-sig"):
        raise unreadable("wrong-encoding", "the JSON is not UTF-8", name, found=encoding or "no text", expected="UTF-8",
                         fix="Send the original download instead of a copy that was saved again.")  # fmt: skip
    with path.open("rb") as handle:
        handle.seek(max(path.stat().st_size - SNIFF_BYTES, 0))
        if not (end := handle.read().rstrip()).endswith(b"]"):  # the database takes a list that ends after a comma
            raise unreadable("damaged-json", "the JSON ends early", name, found=f"{end[-40:].decode(errors='replace')}",
                             expected="a list that is closed", fix="Download the file again.")  # fmt: skip
    try:
        return _read_json(path, name)
    except UnreadableFile:
        # an error inside the database can leave it of no use to the files that follow
        _database.cache_clear()
        raise


def _read_json(path: Path, name: str) -> TextTable:
    import pyarrow as pa
    import pyarrow.compute as pc

    source = f"read_json_objects($path, format='array', maximum_object_size={MAX_OBJECT_BYTES})"

    def ask(sql: str) -> pa.Table:
        return connection.sql(sql, params={"path": str(path)}).to_arrow_table()

    with _database().cursor() as connection, damaged(
        "damaged-json", "the JSON ends early or is not a list of flat objects", name, fix="Download the file again.",
    ):  # fmt: skip
        keys = ask(f"select json_keys(json) as keys from {source} limit 1")["keys"].to_pylist()[0]
        read = [key for key in READ_KEYS if key in keys]
        wanted = json.dumps(dict.fromkeys(read, "VARCHAR"))
        most = MAX_CELLS // max(len(read), 1)
        # as text from the start: a type taken from the first objects would lose or rewrite values of later ones
        table = ask(
            f"select shape, cells.* from (select hash(json_keys(json)) as shape, from_json(json, '{wanted}') as cells"
            f" from {source} limit {most + 1})"
        )
        refuse_cells(name, table.num_rows * len(read), most * len(read))
        shapes = [{"keys": keys, "row": 0, "count": table.num_rows}]
        if len(table["shape"].unique()) > 1:
            shapes = ask(
                "select json_keys(json) as keys, min(row) as row, count(*) as count"
                f" from (select json, row_number() over () - 1 as row from {source}) group by 1 order by row"
            ).to_pylist()
    header = tuple(dict.fromkeys(key for shape in shapes for key in shape["keys"]))
    twice = [key for key, times in Counter(keys).items() if times > 1]
    refuse(name, [problem("repeated-column", f"the key {shown(key)} is in an object more than once", name, row=0,
                          column=key, expected="each key once", fix="Download the file again.")
                  for key in twice])  # fmt: skip
    refuse(name, [problem("missing-key", "an object lacks a key that the others have", name, row=shape["row"],
                          column=key, found=", ".join(shape["keys"]) or "no object", expected=key, count=shape["count"],
                          fix="Download the file again; send each table of the export on its own.")
                  for shape in shapes[:SHOWN_PLACES] for key in READ_KEYS
                  if key in header and key not in shape["keys"]])  # fmt: skip
    rows = pa.array(range(table.num_rows), pa.int64())
    columns = {key: _composed(pc.fill_null(table[key].combine_chunks().cast(pa.string()), "")) for key in read}
    refuse_odd_cells(name, columns.items(), rows)
    nested = []
    for key, column in columns.items():
        for value in (texts := column.unique()).filter(pc.match_substring_regex(texts, r"^[\[{]")).to_pylist():
            nested.append(
                problem("nested-value", "a value is a list or an object", name, row=pc.index(column, value).as_py(),
                        column=key, found=value, expected="text, a number or null", fix="Download the file again.")
            )  # fmt: skip
    refuse(name, nested)
    return TextTable(name, header, columns, rows, "json")


def _composed(column: pa.StringArray) -> pa.StringArray:
    """The column with letters composed, as ``decode`` gives them: a Mac writes "å" as two characters."""
    return each_text(column, partial(unicodedata.normalize, "NFC"))


def _only(table: TextTable, keep: pa.Array) -> TextTable:
    import pyarrow.compute as pc

    columns = {name: pc.filter(column, keep) for name, column in table.columns.items()}
    return replace(table, columns=columns, rows=pc.filter(table.rows, keep))


def read(table: TextTable, sha256: str) -> list[ExtractTable]:
    """Read one export.

    Raises:
        SchemaProblem: missing unit columns (an export narrowed by somebody), upper-secondary rows only, unknown
            spellings, cells that are no numbers, repeated rows.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    value_columns = [name for name in (BULLYING, SCORE, PARTICIPATION) if name in table.header]
    if len(value_columns) > 1:
        several = problem("other-dataset", "the file holds several tables of the export", table.name,
                          row=table.header_row, column=value_columns[1], found=", ".join(value_columns),
                          expected="one of them", fix="Send each table on its own.")  # fmt: skip
        refuse(table.name, [several])
    require_columns(table, ("Skoleaarnavn",))
    unread = not_read(table, {*READ_KEYS, *NOT_USED}, "the columns of tables 148 and 150 of the export API")
    if value_columns == [PARTICIPATION]:
        note = Finding("no-indicator-cells", Severity.PASS, stage="schema", file=table.name,
                       message="the file on participation is archived only; the scheme has no indicator in "
                               "it")  # fmt: skip
        return [ExtractTable(schema.PUPIL_SURVEY, schema.extract_schema().empty_table(), table.header, (*unread, note))]
    page = page_of(table, value_columns[0])
    try:
        ours = _compulsory(_whole_units(_as_known(table)))
        kept, group_column = _whole_indicators(ours)
    except NothingOfOurs:
        if page is None:
            raise
        # a page may hold other questions or other schools alone; it is still a part of its answer
        nothing = schema.extract_schema().empty_table()
        return [ExtractTable(schema.PUPIL_SURVEY, nothing, table.header, unread, page)]
    units = read_units(kept)
    indicator = translated(kept, group_column, INDICATOR_NAMES, "indicator")
    split = {
        name: translated(kept, column, mapping, name)
        for column, mapping, name in (("EierformNavn", OWNERSHIP, "ownership"), ("Kjoenn", SEX, "sex"))
        if column in kept.header
    }
    grade = pc.cast(pc.utf8_trim_whitespace(kept.columns["TrinnKode"]), pa.int32())
    year = refuse_other(
        kept, "Skoleaarnavn", is_school_year, "not-a-school-year", "the year is no school year",
        "a school year such as 2024-25",
    )  # fmt: skip
    refuse_duplicates(kept, units, (indicator, *split.values(), grade, year))
    figures = _figures(kept, value_columns[0])
    rows = extract_rows(
        len(kept),
        **vars(units),
        **places(kept, sha256, value_columns[0]),
        **{"ownership": "all", "sex": "all", **split},
        dataset=schema.PUPIL_SURVEY,
        school_year=year,
        grade=grade,
        indicator=indicator,
        **figures,
    )
    of_none = pc.and_(pc.not_equal(rows["ownership"], "all"), pc.equal(rows["state"], "absent"))
    kept_rows = rows.filter(pc.invert(of_none))
    notes = (*unread, *_left_out(ours, kept, group_column), *notes_abroad(kept, kept_rows))
    return [ExtractTable(schema.PUPIL_SURVEY, kept_rows, table.header, notes, page)]


def _as_known(table: TextTable) -> TextTable:
    """The table with its labels as they are known, whatever capitals and blanks, and codes without zeros in front."""
    import pyarrow.compute as pc

    def as_known(by_folded: Mapping[str, str], text: str) -> str:
        return by_folded.get(folded(text), text)

    known = {
        **dict.fromkeys(GROUP_SPELLINGS, tuple(INDICATOR_NAMES)), "Spoersmaalnavn": (WHOLE_INDICATOR,),
        "EierformNavn": tuple(OWNERSHIP), "Kjoenn": tuple(SEX),
    }  # fmt: skip
    columns = dict(table.columns)
    for name, labels in known.items():
        if name in columns:
            columns[name] = each_text(columns[name], partial(as_known, {folded(label): label for label in labels}))
    for name in ("TrinnKode", GROUP):
        if name in columns:
            columns[name] = pc.replace_substring_regex(columns[name], r"^\s*0+([0-9])", r"\1")
    return replace(table, columns=columns)


def _left_out(ours: TextTable, kept: TextTable, column: str) -> list[Finding]:
    """A warning for each indicator of the scheme that stands in the file without a row of its own as a whole."""
    import pyarrow.compute as pc

    def names(table: TextTable) -> set[str]:
        return {text.strip() for text in table.columns[column].unique().to_pylist()} & set(INDICATOR_NAMES)

    found = []
    for name in sorted(names(ours) - names(kept)):
        of_it = pc.filter(ours.columns["Spoersmaalnavn"], pc.equal(pc.utf8_trim_whitespace(ours.columns[column]), name))
        found.append(
            warning("indicator-left-out", "an indicator has no row that is the whole of its questions, so it is not "
                    "read", ours.name, column="Spoersmaalnavn", expected=WHOLE_INDICATOR,
                    found=f"{name}: {', '.join(of_it.unique().to_pylist()[:3])}",
                    fix="Export the whole indicators too, or report the new label.")
        )  # fmt: skip
    return found


def _compulsory(table: TextTable) -> TextTable:
    """The rows of grades 1 to 10. Upper secondary schools are asked too, and their grades are numbered anew.

    Beside a name of theirs grade code 1 is Vg1, not grade 1.

    Raises:
        SchemaProblem: ``upper-secondary``, whatever part of the answer it is.
        NothingOfOurs: no row of grades 1 to 10.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(table) == 0:
        raise NothingOfOurs(f"{table.name} holds nothing of the scheme", [_no_rows(table)])
    named = table.columns.get("Trinnnavn")
    if named is not None and pc.all(pc.match_substring_regex(pc.utf8_trim_whitespace(named), UPPER_SECONDARY)).as_py():
        upper = problem("upper-secondary", "the export is one of upper secondary schools, which the scheme leaves out",
                        table.name, row=table.rows[0].as_py(), column="Trinnnavn", found=named[0].as_py(),
                        expected="7. trinn or 10. trinn",
                        fix="Export tables 148 and 150; 152 to 154 are those of upper secondary schools.")  # fmt: skip
        refuse(table.name, [upper])
    names = pc.utf8_trim_whitespace(table.columns.get("Trinnnavn", table.columns["Skoleaarnavn"]))
    if "TrinnKode" in table.header:
        grades = pc.utf8_trim_whitespace(table.columns["TrinnKode"])
        keep = pc.and_not(
            pc.is_in(grades, value_set=pa.array(sorted(COMPULSORY_GRADES))),
            pc.match_substring_regex(names, UPPER_SECONDARY),
        )
    else:
        keep = pc.match_substring_regex(names, r"^[0-9]{1,2}\. (års)?trinn")
    if not pc.any(keep).as_py():
        raise NothingOfOurs(f"{table.name} holds nothing of the scheme", [_no_rows(table)])
    require_columns(table, ("TrinnKode", "AntallBesvart"))
    return _only(table, keep)


def _no_rows(table: TextTable) -> Finding:
    grades = table.columns.get("Trinnnavn", table.columns.get("TrinnKode"))
    found = grades[0].as_py() if grades is not None and len(table) else "no row of a whole unit"
    return problem("no-compulsory-school-rows", "the export holds no row of grades 1 to 10", table.name,
                   column="Trinnnavn", found=found, expected="7. trinn or 10. trinn",
                   fix="Export tables 148 and 150 with grades 7 and 10.")  # fmt: skip


def _whole_units(table: TextTable) -> TextTable:
    """The rows of units as a whole, without those of the groups in them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if GROUP not in table.header:
        return table
    return _only(table, pc.is_in(pc.utf8_trim_whitespace(table.columns[GROUP]), value_set=pa.array(WHOLE)))


def _whole_indicators(table: TextTable) -> tuple[TextTable, str]:
    """The rows of whole indicators of the scheme, and the column that names them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = next((name for name in GROUP_SPELLINGS if name in table.header), None)
    if column is None:
        missing = problem("missing-column", "the column that names the indicator is missing", table.name,
                          row=table.header_row, column=GROUP_SPELLINGS[0], expected=" or ".join(GROUP_SPELLINGS),
                          fix="The column may have been renamed again: report the new name.")  # fmt: skip
        raise SchemaProblem(f"{table.name} does not have the expected format: 1 problem", [missing])
    keep = pc.is_in(pc.utf8_trim_whitespace(table.columns[column]), value_set=pa.array(list(INDICATOR_NAMES)))
    if "Spoersmaalnavn" in table.header:
        whole = pc.equal(pc.utf8_trim_whitespace(table.columns["Spoersmaalnavn"]), WHOLE_INDICATOR)
        keep = pc.and_(keep, whole)
    kept = _only(table, keep)
    if len(kept) == 0:
        none = problem("no-known-indicator", "no row holds an indicator of the scheme", table.name, column=column,
                       expected=", ".join(INDICATOR_NAMES),
                       fix="Export the whole-indicator rows of tables 148 and 150.")  # fmt: skip
        raise NothingOfOurs(f"{table.name} holds nothing of the scheme", [none])
    return kept, column


def _figures(table: TextTable, value_column: str) -> dict[str, pa.Array]:
    """Values, numbers of pupils where there is a value, states, and which figures the public view hides."""
    import pyarrow as pa
    import pyarrow.compute as pc

    raw = table.columns[value_column]
    plain, starred = unstarred(raw)
    values, bad = parse_column(plain, parse_number, pa.decimal128(18, 4))
    findings = bad_cells(table, value_column, bad, "a number such as 4,1, *, or nothing")
    counted, count_starred = unstarred(table.columns["AntallBesvart"])
    pupils, bad = parse_column(counted, parse_count, pa.int64())
    findings += bad_cells(table, "AntallBesvart", bad, "a whole number such as 5 943, *, or nothing")
    refuse(table.name, findings)
    state = states(raw, values, table.columns["AntallBesvart"], pupils, "absent")
    return {
        "value": values,
        "n_pupils": pc.if_else(pc.equal(state, "observed"), pupils, pa.scalar(None, pa.int64())),
        "state": state,
        "restricted": restricted(state, (starred, count_starred)),
    }
