"""Readers: every encoding and delimiter gives the same cells, each with its place, and no file ends in a crash."""

from __future__ import annotations

import copy
import csv
import datetime as dt
import io
import json
import os
import tempfile
import unicodedata
import zipfile
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project import schema
from dagster_project.diagnostics import FileProblem, Severity
from dagster_project.forms.spec import FORMS, Form
from dagster_project.forms.spec import Column as FormColumn
from dagster_project.intake import labels
from dagster_project.intake import tables as of_tables
from dagster_project.intake.cells import ExtractTable, is_school_year
from dagster_project.intake.convert import table_of
from dagster_project.intake.read import _REGISTERS, _TABULAR, PIVOTS, read_file
from dagster_project.intake.readers import pivots as readers_of_pivots
from dagster_project.intake.readers import survey_api
from dagster_project.intake.readers.headers import Column, parse_header, split_levels
from dagster_project.intake.recognise import recognise
from dagster_project.intake.text import SNIFF_BYTES, decode
from dagster_project.settings import REPOSITORY
from tests import pivots, samples
from tests.faults import museum

# mutated files of each kind; a long search sets it to many thousands
EXAMPLES = int(os.environ.get("OPPFOLGING_MUTATIONS", "50"))
ENCODINGS = [("utf-16-le", "\t", True), ("utf-16", "\t", True), ("utf-8", "\t", False), ("utf-8-sig", ";", True),
             ("cp1252", ";", False), ("utf-16-be", "\t", True)]  # fmt: skip


@pytest.mark.parametrize(("encoding", "delimiter", "sep"), ENCODINGS)
def test_reads_the_same_cells_in_every_encoding(tmp_path: Path, encoding: str, delimiter: str, sep: bool) -> None:
    content = samples.text(samples.rows(), delimiter=delimiter, sep=sep)
    path = tmp_path / "named-by-nobody.bin"
    path.write_bytes((b"\xfe\xff" if encoding == "utf-16-be" else b"") + content.encode(encoding))
    assert recognise(path).format == "statistikkbanken_csv"
    table = read_file(path, "a" * 64)[0].table.to_pylist()
    assert [(r["unit_level"], r["unit_code"], r["state"], r["n_pupils"]) for r in table] == [
        ("national", "I", "observed", 1056),
        ("county", "61", "observed", 456),
        ("municipality", "6101", "observed", 120),
        ("school", "100000008", "observed", 100),
        ("school", "100000016", "suppressed", None),
        ("school", "100000024", "no_participants", None),
    ]
    seen = table[3]
    assert (seen["value"], seen["raw_value"], seen["unit_name"]) == (48, "48", "Brumeblom skole")
    assert seen["source_row"] == (6 if sep else 5)
    assert content.splitlines()[seen["source_row"] - 1].split(delimiter)[4] == "100000008"
    assert seen["source_column"] == "2024-25.Lesing.5. årstrinn.Alle eierformer.Alle kjønn.Skalapoeng"
    assert seen["fictional"] and seen["grade"] == 5 and seen["indicator"] == "reading_scale_score"


def test_the_separator_inside_a_grade_does_not_split_it() -> None:
    assert split_levels("2024-25.Lesing.5. årstrinn.Alle kjønn.Skalapoeng")[2] == "5. årstrinn"


def test_a_break_and_a_preliminary_year_are_noticed() -> None:
    column = parse_header("Foreløpige tall 2024-25.Alle eierformer.Jenter.Grunnskolepoeng.Brudd")
    assert isinstance(column, Column)
    assert column.broken and column.group.provisional and column.group.sex == "girls"
    assert column.group.school_year == "2024-25"


def test_every_known_label_says_where_it_was_seen_and_is_read(tmp_path: Path) -> None:
    with labels.TABLE.open(encoding="utf-8") as handle:
        table = list(csv.DictReader(handle))
    kinds = {*labels.OF_HEADERS, "survey_code", "hierarchy", "nation", "nation_id", "all_units"}
    assert all(row["seen"] and row["kind"] in kinds for row in table)
    assert len({(row["kind"], labels.folded(row["label"])) for row in table}) == len(table)
    for row in (r for r in table if r["meaning"] in ("level_1", "value", "points")):
        stem = "2024-25." if row["meaning"] == "points" else samples.STEM.format(year="2024-25")
        shouted = f"{stem}{row['label'].upper().replace(' ', '  ')}"
        text = samples.text(samples.rows()).replace(samples.STEM.format(year="2024-25") + "Skalapoeng", shouted)
        text = text.replace(samples.STEM.format(year="2024-25"), stem)
        read = read_file(samples.write(tmp_path / "file", text), "a" * 64)[0].table
        expected = {"level_1": "reading_level_1", "value": "reading_scale_score", "points": "grade_points"}
        assert set(read["indicator"].to_pylist()) == {expected[row["meaning"]]}, row["label"]
        assert read["n_pupils"][0].as_py() == 1056


def test_a_column_that_nobody_knows_is_a_warning_and_the_others_are_read(tmp_path: Path) -> None:
    extra = [samples.STEM.format(year="2024-25") + m for m in ("Mestringsnivaa 1", "Standardavvik")]
    rows = [samples.header() + extra, *[[*row, "7", "8"] for row in samples.rows()]]
    (tmp_path / "csv").write_bytes(write_table(rows, "\t", "utf-16-le"))
    (found,) = read_file(tmp_path / "csv", "a" * 64)
    assert found.table.equals(read_file(samples.national_tests(tmp_path / "plain"), "a" * 64)[0].table.set_column(
        found.table.schema.get_field_index("source_row"), "source_row", found.table["source_row"]))  # fmt: skip
    assert [(f.code, f.severity, f.column, f.found) for f in found.findings] == [
        ("unknown-header-level", Severity.WARN, extra[0], "Mestringsnivaa 1"),
        ("unknown-header-level", Severity.WARN, extra[1], "Standardavvik"),
    ]
    assert "the nearest known label is Mestringsnivå 1" in (found.findings[0].expected or "")
    assert "labels.csv" in (found.findings[0].fix or "")
    assert "nearest" not in (found.findings[1].expected or "")


def test_many_columns_of_one_unknown_label_are_one_warning(tmp_path: Path) -> None:
    extra = [samples.STEM.format(year=f"20{y}-{y + 1}") + "Standardavvik" for y in range(10, 22)]
    rows = [samples.header() + extra, *[row + ["7"] * len(extra) for row in samples.rows()]]
    (tmp_path / "csv").write_bytes(write_table(rows, "\t", "utf-16-le"))
    (table,) = read_file(tmp_path / "csv", "a" * 64)
    assert [(f.code, f.column, f.count) for f in table.findings] == [("unknown-header-level", extra[0], 12)]


def _with_column(path: Path, cell: str) -> Path:
    rows = [[*samples.header(), "nytt"], *([*row, cell] for row in samples.rows())]
    path.write_bytes(write_table(rows, "\t", "utf-16-le"))
    return path


def _of_klass(header: str, row: str) -> Callable[[Path], Path]:
    return museum.raw(f"{header},nytt\n{row},7\n{row.replace('6101', '6102')},8\n".encode())


UNREAD: dict[str, Callable[[Path], Path]] = {
    "statistics bank": lambda path: _with_column(path, "7"),
    "survey": museum.as_json(museum.survey_of(nytt="7")),
    "old download": lambda path: museum.raw(
        "".join(
            f"{line};{'nytt' if number == 0 else 7}\n"
            for number, line in enumerate(museum.old_download("a", "b")(path).read_text("utf-8").splitlines())
        ).encode()
    )(path),
    "changes of Klass": _of_klass(
        "oldCode,oldName,oldShortName,newCode,newName,newShortName,changeOccurred", "6101,a,,7202,b,,2024-01-01"
    ),
    "list of Klass": _of_klass("code,parentCode,level,name,validFrom", "6101,61,1,a,2024-01-01"),
    "form": museum.priorities(["6101", "Brumeblom", 1, "Svake resultater", "11.02.2026", "7"], more="nytt"),
}


@pytest.mark.parametrize("kind", UNREAD)
def test_no_column_is_left_out_without_a_word(tmp_path: Path, kind: str) -> None:
    """A column of figures whose header had no dot was dropped, and nobody was told."""
    (table, *_) = read_file(UNREAD[kind](tmp_path / "file"), "a" * 64)
    assert [(f.code, f.severity, f.column) for f in table.findings] == [("unread-column", Severity.WARN, "nytt")]
    assert all(f.expected and f.fix and f.found for f in table.findings)


@pytest.mark.parametrize(
    ("key", "odd"),
    [("Spoersmaalgruppe", " MOTIVASJON "), ("Spoersmaalnavn", "alle spørsmål"), ("TrinnKode", "07")],
)
def test_a_label_of_the_survey_is_known_whatever_its_capitals_blanks_and_zeros(
    tmp_path: Path, key: str, odd: str
) -> None:
    """Rows of other spellings were passed over, and half a file was accepted."""
    plain = read_file(museum.as_json(museum.survey_of())(tmp_path / "plain"), "a" * 64)[0]
    assert key in museum.survey_of()[1] and plain.table.num_rows == 2
    assert read_file(museum.as_json(museum.survey_of(**{key: odd}))(tmp_path / "odd"), "a" * 64)[0].table.equals(
        plain.table
    )


def test_an_indicator_without_a_row_of_the_whole_of_it_is_told(tmp_path: Path) -> None:
    rows = [
        *museum.survey_of(Spoersmaalgruppe="Motivasjon"),
        *museum.survey_of(Spoersmaalgruppe="Støtte fra lærerne", Spoersmaalnavn="Alle spørsmål."),
    ]
    (table,) = read_file(museum.as_json(rows)(tmp_path / "json"), "a" * 64)
    assert [(f.code, f.severity, f.found) for f in table.findings] == [
        ("indicator-left-out", Severity.WARN, "Støtte fra lærerne: Alle spørsmål.")
    ]


def test_a_second_sheet_with_figures_is_told(tmp_path: Path) -> None:
    book = openpyxl.load_workbook(museum.workbook(samples.header(), *samples.rows())(tmp_path / "one.xlsx"))
    book.create_sheet("2023-24").append(["EnhetNivaa"])
    book.create_sheet("tom")
    book.save(tmp_path / "two.xlsx")
    (table,) = read_file(tmp_path / "two.xlsx", "a" * 64)
    assert [(f.code, f.severity, f.found) for f in table.findings] == [
        ("extra-sheet", Severity.WARN, "the sheet 2023-24")
    ]


def test_an_empty_column_and_those_that_the_scheme_does_not_use_are_not_told(tmp_path: Path) -> None:
    path = _with_column(tmp_path / "csv", " ")
    assert read_file(path, "a" * 64)[0].findings == ()
    path = museum.as_json(museum.survey_of(KjoennKode="A", AndelSvaralternativ5="7"))(tmp_path / "json")
    assert read_file(path, "a" * 64)[0].findings == ()


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
@pytest.mark.parametrize("encoding", ["utf-16-le", "cp1252"])
def test_reads_the_survey_of_2021_whatever_ends_its_lines(tmp_path: Path, end: str, encoding: str) -> None:
    teachers = "2020-21.Støtte fra lærerne.7. årstrinn.Alle eierformer.Alle kjønn.Score"
    path = samples.survey_of_2021(tmp_path / "file", teachers, end=end, encoding=encoding)
    assert recognise(path).datasets == (schema.PUPIL_SURVEY,)
    (found,) = read_file(path, "a" * 64)
    cells = {
        (r["unit_code"], r["school_year"], r["indicator"], r["grade"], r["sex"]): (r["state"], r["value"])
        for r in found.table.to_pylist()
    }
    assert len(cells) == found.table.num_rows == 6 * 5 and not found.findings
    assert cells["6101", "2019-20", "bullying", 7, "boys"] == ("observed", Decimal("6.1"))
    assert cells["100000008", "2019-20", "bullying", 10, "all"] == ("absent", None)
    assert cells["I", "2019-20", "bullying", 10, "boys"] == ("suppressed", None)
    assert cells["100000008", "2020-21", "teacher_support", 7, "all"] == ("observed", Decimal("4.1"))
    assert found.table["source_row"].unique().to_pylist() == [3, 4, 5, 6, 7, 8]


def test_a_measure_that_is_not_that_of_its_indicator_is_not_read(tmp_path: Path) -> None:
    odd = ("2019-20.Mobbing på skolen.7. årstrinn.Score", "2019-20.Motivasjon.7. årstrinn.Andel mobbet")
    (found,) = read_file(samples.survey_of_2021(tmp_path / "file", *odd), "a" * 64)
    assert not set(odd) & set(found.table["source_column"].to_pylist())


def survey_row(**more: str | None) -> dict[str, str | None]:
    unit = dict(zip(samples.UNITS, samples.rows()[3][:9], strict=True))
    return {"Spoersmaalgruppe": "Motivasjon", "Spoersmaalnavn": "Alle spørsmål", "Skoleaarnavn": "2024-25", **unit,
            "TrinnKode": "7", "EierformNavn": "Alle eierformer", "Kjoenn": "Alle kjønn", "Score": "3,6",
            "AntallBesvart": "  116"} | more  # fmt: skip


def test_reads_both_spellings_of_the_survey(tmp_path: Path) -> None:
    renamed = {("Indikator" if k == "Spoersmaalgruppe" else k): v for k, v in survey_row().items()}
    renamed["Indikator"] = "Støtte fra lærer"
    for name, rows, indicator in (("a", [survey_row()], "motivation"), ("b", [renamed], "teacher_support")):
        path = tmp_path / name
        path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
        row = read_file(path, "a" * 64)[0].table.to_pylist()[0]
        assert (row["indicator"], row["n_pupils"], float(row["value"]), row["source_row"]) == (indicator, 116, 3.6, 0)


def test_a_second_row_of_each_level_that_lies_abroad_is_marked_and_told(tmp_path: Path) -> None:
    lines = [*samples.rows(), *samples.abroad("55", "0,9", "75 042")]
    (tests,) = read_file(samples.national_tests(tmp_path / "tests", lines), "a" * 64)
    of_abroad = [r for r in tests.table.to_pylist() if r["abroad"]]
    assert [(r["unit_level"], r["unit_code"]) for r in of_abroad] == [
        ("national", "U"), ("county", "25"), ("municipality", "2599"), ("school", "U90000001")
    ]  # fmt: skip
    assert tests.table.num_rows == len(samples.rows()) + 4
    assert [(f.code, f.severity, f.row, f.count) for f in tests.findings] == [("units-abroad", Severity.PASS, 9, 4)]
    rows = [survey_row(**dict(zip(samples.UNITS, line[:9], strict=True))) for line in lines]
    (tmp_path / "survey").write_text(json.dumps(rows), encoding="utf-8")
    (survey,) = read_file(tmp_path / "survey", "a" * 64)
    assert survey.table["abroad"].to_pylist() == tests.table["abroad"].to_pylist()
    assert [f.code for f in survey.findings] == ["units-abroad"]


def test_keeps_suppressed_and_absent_apart_in_the_survey(tmp_path: Path) -> None:
    path = tmp_path / "survey"
    rows = [survey_row(Score="*", AntallBesvart="*"), survey_row(TrinnKode="10", Score=None, AntallBesvart=None)]
    path.write_text(json.dumps(rows), encoding="utf-8")
    assert read_file(path, "a" * 64)[0].table["state"].to_pylist() == ["suppressed", "absent"]


@pytest.mark.parametrize(
    ("figures", "state"),
    [
        (("", "", "*"), "suppressed"), (("", "", "12"), "suppressed"), (("*", "*", "*"), "suppressed"),
        (("", "", "0"), "no_participants"), (("", "", ""), "no_participants"), (("48", "", "*"), "observed"),
    ],
)  # fmt: skip
def test_somebody_took_the_test_where_their_number_is_hidden(
    tmp_path: Path, figures: tuple[str, ...], state: str
) -> None:
    path = samples.national_tests(tmp_path / "tests", [[*samples.rows()[3][:9], *figures]])
    (row,) = read_file(path, "a" * 64)[0].table.to_pylist()
    assert (row["state"], row["n_pupils"], row["raw_value"]) == (state, None, figures[0])


@pytest.mark.parametrize(
    ("figures", "value", "pupils"),
    [
        (("47*", "1,8*", "8*"), 47, 8),
        (("47 *", "1,8", "8"), 47, 8),
        (("47", "1,8", "8 *"), 47, 8),
        (("47*", "", "*"), 47, None),
    ],
)
def test_a_number_with_a_star_is_a_figure_that_the_public_view_hides(
    tmp_path: Path, figures: tuple[str, ...], value: int, pupils: int | None
) -> None:
    lines = [samples.rows()[3], [*samples.rows()[4][:9], *figures]]
    seen, row = read_file(samples.national_tests(tmp_path / "tests", lines), "a" * 64)[0].table.to_pylist()
    assert not seen["restricted"] and row["restricted"]
    assert (row["value"], row["n_pupils"], row["state"], row["raw_value"]) == (value, pupils, "observed", figures[0])


def test_a_number_with_a_star_is_read_in_the_survey_too(tmp_path: Path) -> None:
    path = tmp_path / "survey"
    answers = [("4,1", "116"), ("4,1 *", "8*"), ("*", "*")]
    rows = [survey_row(Organisasjonsnummer=str(at), Score=s, AntallBesvart=n) for at, (s, n) in enumerate(answers)]
    path.write_text(json.dumps(rows), encoding="utf-8")
    table = read_file(path, "a" * 64)[0].table
    assert table["restricted"].to_pylist() == [False, True, False]
    assert table["n_pupils"].to_pylist() == [116, 8, None]
    assert table["state"].to_pylist() == ["observed", "observed", "suppressed"]


@pytest.mark.parametrize(
    ("answers", "state"), [("*", "suppressed"), ("30", "suppressed"), ("0", "absent"), (None, "absent")]
)
def test_somebody_answered_the_survey_where_the_answers_are_hidden(
    tmp_path: Path, answers: str | None, state: str
) -> None:
    path = tmp_path / "survey"
    path.write_text(json.dumps([survey_row(Score=None, AntallBesvart=answers)]), encoding="utf-8")
    assert read_file(path, "a" * 64)[0].table["state"].to_pylist() == [state]


def test_reads_a_workbook_and_a_zip_of_the_same_table(tmp_path: Path) -> None:
    import xlsxwriter

    book = xlsxwriter.Workbook(str(tmp_path / "t.xlsx"))
    sheet = book.add_worksheet()
    for line, row in enumerate([samples.header(), *samples.rows()]):
        sheet.write_row(line, 0, row)
    book.close()
    plain = samples.national_tests(tmp_path / "plain.csv")
    with zipfile.ZipFile(tmp_path / "t.zip", "w", zipfile.ZIP_DEFLATED) as package:
        package.write(plain, "inner.csv")
    columns = ["unit_code", "state", "value", "n_pupils"]
    expected = read_file(plain, "a" * 64)[0].table.select(columns)
    for name in ("t.xlsx", "t.zip"):
        assert read_file(tmp_path / name, "a" * 64)[0].table.select(columns).equals(expected)
    zipped = read_file(tmp_path / "t.zip", "a" * 64)[0].table["source_column"][0].as_py()
    assert zipped.startswith("inner.csv!2024-25.")


def cells_of(path: Path) -> list[dict[str, Any]]:
    """What a file says, without where it says it."""
    return read_file(path, "a" * 64)[0].table.drop_columns(["source_row", "raw_value"]).to_pylist()


def test_columns_with_neither_header_nor_content_move_no_other(tmp_path: Path) -> None:
    plain = samples.national_tests(tmp_path / "plain")
    gaps = [[*row[:4], "", *row[4:], "", " "] for row in [samples.header(), *samples.rows()]]
    (tmp_path / "csv").write_bytes(write_table(gaps, ";", "utf-8"))
    (tmp_path / "xlsx").write_bytes(write_workbook(gaps))
    assert cells_of(tmp_path / "csv") == cells_of(tmp_path / "xlsx") == cells_of(plain)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_quotes_blank_lines_and_letters_in_two_parts_change_no_cell(tmp_path: Path, delimiter: str) -> None:
    """Saved again by a spreadsheet or on a Mac: every cell quoted, blank lines, names in decomposed Unicode."""
    plain = read_file(samples.national_tests(tmp_path / "plain"), "a" * 64)[0].table
    lines = [samples.header(), *samples.rows()]
    text = "\n".join(delimiter.join(f'"{cell}"' for cell in line) for line in lines).replace('"Øvre', '"Øvre å')
    text = text.replace("\n", "\n\n", 3) + "\n" + delimiter * (len(lines[0]) - 1) + "\n\n \n"
    path = tmp_path / "again"
    path.write_bytes(unicodedata.normalize("NFD", text).encode())
    again = read_file(path, "a" * 64)[0].table
    assert again["unit_name"].to_pylist() == [*plain["unit_name"].to_pylist()[:-1], "Øvre å skole"]
    same = [name for name in plain.column_names if name not in ("unit_name", "source_row")]
    assert again.select(same).equals(plain.select(same))
    assert again["source_row"].to_pylist() == [3, 5, 7, 8, 9, 10]
    assert all(text.splitlines()[row - 1].split(delimiter)[4] == f'"{code}"' for row, code in
               zip(again["source_row"].to_pylist(), [r[4] for r in samples.rows()], strict=True))  # fmt: skip


def test_a_comma_in_a_quoted_cell_parts_nothing(tmp_path: Path) -> None:
    rows = [*museum.survey_of(Spoersmaalnavn="Alle spørsmål", Score="4,1", EnhetNavn="Sol, og måne skole")]
    (tmp_path / "csv").write_text(
        "\n".join([",".join(rows[0]), *(",".join(f'"{v}"' for v in row.values()) for row in rows)]), encoding="utf-8"
    )
    table = read_file(tmp_path / "csv", "a" * 64)[0].table
    assert (table["value"].to_pylist(), table["unit_name"][1].as_py()) == ([Decimal("4.1")] * 2, "Sol, og måne skole")
    (tmp_path / "json").write_text(unicodedata.normalize("NFD", json.dumps(rows, ensure_ascii=False)), encoding="utf-8")
    assert read_file(tmp_path / "json", "a" * 64)[0].table["unit_name"].to_pylist() == table["unit_name"].to_pylist()


def test_rows_of_groups_are_no_second_row_of_their_school(tmp_path: Path) -> None:
    rows = [survey_row(GruppeNivaa="0"), survey_row(GruppeNivaa="1", Score="2,0"), survey_row(GruppeNivaa="1")]
    (tmp_path / "survey").write_text(json.dumps(rows), encoding="utf-8")
    assert read_file(tmp_path / "survey", "a" * 64)[0].table["value"].to_pylist() == [Decimal("3.6")]


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_klass_is_read_from_its_own_csv(tmp_path: Path, delimiter: str) -> None:
    def write(*lines: str) -> Path:
        (tmp_path / "csv").write_text("".join(f"{line}\n" for line in lines).replace(",", delimiter), encoding="utf-8")
        return tmp_path / "csv"

    path = write('"code","parentCode","level","name","shortName","presentationName","validFrom","validTo"',
                 '"6101","61","1","Brumeblom","","","2024-01-01",""', '"6102","61","1","Ås","","","2024-01-01",""')  # fmt: skip
    (version,) = read_file(path, "a" * 64)
    assert version.dataset == schema.MUNICIPALITY_VERSIONS and recognise(path).datasets == (version.dataset,)
    assert version.table.select(["code", "name", "source_row"]).to_pylist() == [
        {"code": "6101", "name": "Brumeblom", "source_row": 2}, {"code": "6102", "name": "Ås", "source_row": 3}
    ]  # fmt: skip
    path = write('"oldCode","oldName","oldShortName","newCode","newName","newShortName","changeOccurred"',
                 '"6101","a","","7202","b","","2024-01-01"')  # fmt: skip
    (changes,) = read_file(path, "a" * 64)
    assert changes.dataset == schema.MUNICIPALITY_CHANGES and recognise(path).datasets == (changes.dataset,)
    assert changes.table.select(["old_code", "new_code", "change_date"]).to_pylist() == [
        {"old_code": "6101", "new_code": "7202", "change_date": dt.date(2024, 1, 1)}
    ]


def test_a_note_beside_a_form_is_told_and_not_read(tmp_path: Path) -> None:
    maker = museum.priorities(["6101", "Brumeblom", 1, "Svake resultater", "11.02.2026", "spør Kari"])
    table = read_file(maker(tmp_path / "form"), "a" * 64)[0]
    assert [(f.code, f.severity, f.row, f.found) for f in table.findings] == [
        ("blank-column", Severity.WARN, 7, "spør Kari")
    ]
    assert table.table["priority"].to_pylist() == [1]


@pytest.mark.parametrize("size", ["A1", "A1:XFD1048576"])
def test_a_workbook_is_read_whole_whatever_it_says_of_its_size(tmp_path: Path, size: str) -> None:
    rows = [samples.header(), *samples.rows()]
    maker = museum.workbook(
        *rows, broken=museum.in_sheet(b'<dimension ref="A1:L7"/>', f'<dimension ref="{size}"/>'.encode())
    )
    assert cells_of(maker(tmp_path / "xlsx")) == cells_of(samples.national_tests(tmp_path / "plain"))


@pytest.mark.parametrize(
    ("where", "limit", "most", "make"),
    [
        (survey_api, "MAX_CELLS", 36, museum.as_json(museum.survey_of() * 2)),
        (readers_of_pivots, "MAX_SLOW_CELLS", 17, museum.as_json(pivots.national_tests())),
        (readers_of_pivots, "MAX_SLOW_CELLS", 5, museum.survey_csv()),
        (of_tables, "MAX_SLOW_CELLS", 80, museum.workbook(samples.header(), *samples.rows())),
    ],
    ids=["survey", "pivot", "pivot as CSV", "workbook"],
)
def test_a_file_of_too_many_cells_is_refused_before_it_is_made_a_table(
    where: Any, limit: str, most: int, make: museum.Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path / "x")
    with monkeypatch.context() as patch, pytest.raises(FileProblem) as refused:
        patch.setattr(where, limit, most)
        read_file(path, "a" * 64)
    assert [f.code for f in refused.value.findings] == ["too-many-cells"]
    assert f"at most {most} cells" in refused.value.as_text()


def test_a_part_of_a_workbook_that_the_library_would_read_whole_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_tables, "MAX_PART_BYTES", 4000)
    with pytest.raises(FileProblem) as refused:
        read_file(museum.workbook(samples.header(), *samples.rows())(tmp_path / "x"), "a" * 64)
    assert [f.code for f in refused.value.findings] == ["file-too-large"] and "styles" not in str(refused.value)


def test_a_key_with_half_a_character_can_be_stored(tmp_path: Path) -> None:
    path = museum.raw(json.dumps({"EnhetListe": [museum.school(**{"a\ud800": 1})]}).encode())(tmp_path / "x")
    assert "a\\ud800" in read_file(path, "a" * 64)[0].columns_seen


@pytest.mark.parametrize("value", [2**31, "x", "\ud800", [], float("nan")])
def test_a_value_that_its_column_cannot_hold_is_named(value: object) -> None:
    kinds = pa.schema([("n", pa.int32()), ("source_row", pa.int64())])
    kind = pa.string() if value == "\ud800" else pa.int32()
    records = [{"n": good, "source_row": 7 + at} for at, good in enumerate(["a" if kind == pa.string() else 1, value])]
    with pytest.raises(FileProblem) as refused:
        table_of(records, kinds.set(0, pa.field("n", kind)), "x.json")
    (finding,) = refused.value.findings
    assert (finding.code, finding.file, finding.row, finding.column) == ("not-storable", "x.json", 8, "n")


def test_a_chart_before_the_table_is_passed_over(tmp_path: Path) -> None:
    import xlsxwriter

    book = xlsxwriter.Workbook(str(tmp_path / "xlsx"))
    chart = book.add_chart({"type": "line"})
    book.add_chartsheet("Figur").set_chart(chart)
    sheet = book.add_worksheet("Tabell")
    for line, row in enumerate([samples.header(), *samples.rows()]):
        sheet.write_row(line, 0, row)
    chart.add_series({"values": "=Tabell!$J$2:$J$4"})
    book.close()
    assert cells_of(tmp_path / "xlsx") == cells_of(samples.national_tests(tmp_path / "plain"))


def test_a_number_of_a_workbook_is_the_one_that_a_person_sees(tmp_path: Path) -> None:
    sums = [*samples.rows()[3][:9], 0.1 + 0.2, 1.0, 100]
    (tmp_path / "xlsx").write_bytes(write_workbook([samples.header(), sums]))
    row = read_file(tmp_path / "xlsx", "a" * 64)[0].table.to_pylist()[0]
    assert (row["raw_value"], row["value"], row["uncertainty"], row["n_pupils"]) == ("0,3", Decimal("0.3"), 1, 100)


def test_a_zip_is_read_whatever_folders_its_files_lie_in(tmp_path: Path) -> None:
    content = samples.text(samples.rows()).encode()
    museum.zipped({"figures/2025/a.csv": content, "./b.csv": content.replace(b"2024-25", b"2023-24")})(tmp_path / "zip")
    before = set(tmp_path.parent.iterdir())
    tables = read_file(tmp_path / "zip", "a" * 64)
    assert [t.table["source_column"][0].as_py().split("!")[0] for t in tables] == ["a.csv", "b.csv"]
    assert set(tmp_path.parent.iterdir()) == before and list(tmp_path.iterdir()) == [tmp_path / "zip"]


def test_figures_after_many_objects_without_one_are_read(tmp_path: Path) -> None:
    years = [f"{year}-{(year + 1) % 100:02d}" for year in range(1900, 2026)]
    hidden = [survey_row(TrinnKode=str(g), Skoleaarnavn=y, Score=None) for y in years for g in range(1, 11)]
    path = tmp_path / "survey"
    path.write_text(json.dumps([*hidden, survey_row(Skoleaarnavn="2026-27")]), encoding="utf-8")
    table = read_file(path, "a" * 64)[0].table
    assert (table["state"][-1].as_py(), table["value"][-1].as_py(), table.num_rows) == (
        "observed",
        Decimal("3.6"),
        1261,
    )


@pytest.mark.parametrize("kind", ["csv", "xlsx", "json"])
def test_what_a_file_is_about_is_told_from_its_head_and_holds_when_it_is_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    seen = set()
    for name, content in layouts(kind).items():
        path.write_bytes(content)
        known = recognise(path)
        assert known.datasets == tuple(t.dataset for t in read_or_refused(path)) or not read_or_refused(path), name
        seen |= set(known.datasets)
        if kind != "xlsx":
            path.write_bytes(content[:SNIFF_BYTES].ljust(SNIFF_BYTES) + b"\xff\0")
            assert recognise(path) == known, name
    klass = {schema.MUNICIPALITY_CHANGES, schema.MUNICIPALITY_VERSIONS}
    others = {schema.SCHOOL_REGISTER} if kind == "json" else {*schema.FORM_DATASETS}
    assert seen == {*schema.YEARLY_DATASETS, *klass, *others}


def test_a_zip_is_about_what_its_readable_files_are_about(tmp_path: Path) -> None:
    members = {"a": layouts("csv")["points"], "b": layouts("xlsx")["form decisions"], "c": layouts("json")["schools"]}
    path = museum.zipped({**members, "d": b"\0\1", "e": b"PK\3\4"})(tmp_path / "zip")
    assert recognise(path).datasets == ("decisions", "grade_points", "school_register")
    assert {t.dataset for t in read_file(museum.zipped(members)(path), "a" * 64)} == set(recognise(path).datasets)


# --- whatever is in a file, it is read or refused with a finding ---

REAL = Path(os.environ.get("OPPFOLGING_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
CELLS: dict[str, Any] = {"whole": 2024, "date": dt.date(2026, 3, 1), "money": 250000.5, "code": "6101", "text": "tekst"}
ODD_TEXTS = ("", " ", "*", "-5", "1,5", "48,12345", "9" * 16, "9" * 4400, "1e999", "NaN", "4.1", "2147483648", "=1+1", "#N/A", "٣", "²",
             "301", "2024-99", "9999-00", "31.02.2026", "01.01.0001", "é\u0301", "x" * 40_000, "[1]", '{"a": 1}', '"', "\r", "\n", "\t", ";",
             "\x00", "\x0b", "\ufeff", "\u2028", "5 943", "Alle eierformer", "../../x", "U99999999")  # fmt: skip
ODD_VALUES = (
    *ODD_TEXTS,
    None,
    True,
    False,
    0,
    -1,
    3.5,
    10**30,
    1e300,
    [],
    {},
    ["x"],
    {"a": None},
    [[[]]],
    "\ud800",
    float("nan"),
)
ODD_CELLS = (*ODD_TEXTS[:-9], None, True, 0, -1, 3.5, 0.1 + 0.2, 1e300, 48.12345, dt.datetime(2024, 1, 12), dt.datetime(1900, 1, 1), dt.time(12),
             dt.timedelta(days=3))  # fmt: skip


def form_lines(form: Form) -> list[list[Any]]:
    """A form as rows of a sheet: its fields, its headers and one line."""

    def cell(column: FormColumn) -> Any:
        return next(iter(column.choices)) if column.kind == "choice" else CELLS[column.kind]

    return [
        *[[c.norsk, cell(c)] for c in form.fields],
        [c.norsk for c in form.columns],
        [cell(c) for c in form.columns],
    ]


def plain(rows: list[list[Any]]) -> list[list[Any]]:
    """A table as lines of a file: the fields of a form are columns too."""
    if len(rows[0]) == max(map(len, rows)):
        return rows
    *fields, header, line = rows
    return [[f[0] for f in fields] + header, [f[1] for f in fields] + line]


def survey_of_2021() -> list[list[Any]]:
    """The wide survey as rows."""
    with tempfile.TemporaryDirectory() as folder:
        path = samples.survey_of_2021(Path(folder) / "file")
        return [line.split("\t") for line in decode(path, "survey").splitlines()[1:]]


def tables() -> dict[str, list[list[Any]]]:
    """Every layout that is a table, as rows. The real ones are cut to a few rows, to be quick."""
    units = [row[:9] for row in samples.rows()]
    points = [
        f"{year}.Alle eierformer.Alle kjønn.{m}"
        for year in ("2023-24", "2024-25")
        for m in ("Grunnskolepoeng", "Antall elever")
    ]
    found: dict[str, list[list[Any]]] = {
        "tests": [samples.header(), *samples.rows()],
        "points": [samples.UNITS + points, *[[*unit, "41,2", "1 056", "*", "*"] for unit in units]],
        "survey": [
            list(museum.survey()),
            list(museum.survey().values()),
            list(museum.survey(TrinnKode="10", Score="*").values()),
        ],
        "survey of 2021": survey_of_2021(),
        "old download": [
            [
                "Enhetsnavn",
                "Skoletype",
                "Vurderingsområde",
                "Statistikk",
                "Indikator/delskår",
                "Periode",
                "Eierform",
                "Trinn",
                "Kjønn",
                "Verdi",
                "Måleenhet",
            ],
            *[
                [
                    "Brumeblom skole",
                    "Grunnskole",
                    "Læringsresultater",
                    "Nasjonale prøver",
                    subject,
                    "2014-2015",
                    "Offentlig",
                    "Trinn 5",
                    "Begge kjønn",
                    value,
                    "Skalapoeng",
                ]
                for subject, value in (("Engelsk", "53"), ("Lesing", "."))
            ],
        ],
        "klass changes": [
            ["oldCode", "oldName", "newCode", "newName", "changeOccurred"],
            ["6101", "Brumeblom", "7202", "Annet", "2024-01-01"],
        ],
        "klass version": [
            ["code", "parentCode", "level", "name", "validFrom"],
            ["6101", "61", "1", "Brumeblom", "2024-01-01"],
        ],
        "survey pivot": pivots.survey_table(pivots.survey(pivots.SURVEY)),
        "survey pivot of units": pivots.survey_table(),
        **{f"form {form.dataset}": form_lines(form) for form in FORMS.values()},
    }
    for path in sorted(REAL.glob("udir_national_tests/*.csv"))[:1] + sorted(REAL.glob("*/nedlasting.csv")):
        lines = decode(path, path.name).splitlines()
        found[path.name] = [
            line.split("\t" if "\t" in line else ";") for line in lines[:30] if not line.startswith("sep=")
        ]
    return found


def documents() -> dict[str, Any]:
    """Every layout that is JSON."""
    found: dict[str, Any] = {
        "pivot of tests": pivots.national_tests(mastery=True),
        "pivot of points": pivots.grade_points(),
        "pivot of the survey": pivots.survey(pivots.SURVEY),
        "pivot of the survey, of units": pivots.survey(),
        "pivot of tests, with internal ids": pivots.national_tests(school_codes=False),
        "units": pivots.unit_list(),
        "survey": [museum.survey(), museum.survey(TrinnKode="10", Score=None)],
        "participation": [museum.survey(Score=None, AndelDeltatt="88,3")],
        "schools": {
            "EnhetListe": [
                museum.school(),
                museum.school(Organisasjonsnummer="100000016", SkoletrinnGSFra=1, UtgaattDato="2024-08-25T01:15"),
            ]
        },
        "school": museum.school(),
        "changes": {
            "codeChanges": [
                {"oldCode": "6101", "oldName": "a", "newCode": "7202", "newName": "b", "changeOccurred": "2024-01-01"}
            ]
        },
        "version": {
            "validFrom": "2020-01-01",
            "classificationItems": [{"code": "6101", "name": "a", "parentCode": None}],
        },
    }
    for path in sorted(p for p in REAL.rglob("*.json") if p.stat().st_size < 10_000 and p.parent.name != "specimens"):
        found[path.name] = json.loads(path.read_text(encoding="utf-8-sig"))
    return found


def write_table(rows: list[list[Any]], delimiter: str, encoding: str) -> bytes:
    text = "\n".join(delimiter.join("" if v is None else str(v) for v in row) for row in rows) + "\n"
    return text.encode(encoding, errors="replace")


def write_workbook(rows: list[list[Any]]) -> bytes:
    import xlsxwriter

    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "remove_timezone": True})
    book.set_properties({"created": dt.datetime(2026, 1, 1)})  # the same bytes each time
    sheet, day = book.add_worksheet(), book.add_format({"num_format": "yyyy-mm-dd"})
    for line, row in enumerate(rows):
        for column, value in enumerate(row):
            if isinstance(value, dt.date | dt.time | dt.timedelta):
                sheet.write_datetime(line, column, value, day)
            else:
                sheet.write(line, column, value)
    book.close()
    return buffer.getvalue()


def write_json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=True).encode()


def read_or_refused(path: Path) -> list[ExtractTable]:
    """Read a file; whatever it is refused for is a finding that can be written down, and what is read fits its schema."""
    try:
        known = recognise(path, "broken")
        found = read_file(path, "a" * 64, "broken", known)
    except FileProblem as problem:
        assert problem.findings
        for f in problem.findings:
            assert f.code and f.severity is Severity.FAIL and f.stage and f.message and f.fix and f.fix.endswith("."), f
            assert f.file is not None and f.file.split("!")[0] == "broken"
            assert (
                len(f.as_text()) < 2000
                and f.as_text().encode()
                and json.dumps(f.as_dict(), ensure_ascii=False).encode()
            )
        return []
    for table in found:
        table.table.validate(full=True)
        json.dumps(table.table.to_pylist(), ensure_ascii=False, default=str).encode()
        assert all(is_school_year(year) for year in table.school_years)
    assert set(known.datasets) == {t.dataset for t in found}
    return found


def mutated_table(data: st.DataObject, rows: list[list[Any]], odd: Sequence[Any]) -> list[list[Any]]:
    rows = [list(row) for row in rows]
    for _ in range(data.draw(st.integers(1, 2))):
        row = rows[data.draw(st.integers(0, len(rows) - 1))]
        at = data.draw(st.integers(0, max(map(len, rows)) - 1))
        change = data.draw(st.sampled_from(("set", "set", "set", "column", "copy", "blank", "cell", "row", "repeat")))
        if change == "set" and at < len(row):
            row[at] = data.draw(st.sampled_from(odd))
        elif change == "column":
            rows = [r[:at] + r[at + 1 :] for r in rows]
        elif change == "copy":
            rows = [r[:at] + r[at : at + 1] * 2 + r[at + 1 :] for r in rows]
        elif change == "blank":
            rows = [[""] * len(row) if r is row else r for r in rows]
        elif change == "cell":
            del row[at : at + 1]
        elif change == "row" and len(rows) > 1:
            rows = [r for r in rows if r is not row]
        else:
            rows.append(list(row))
    return rows


def mutated_json(data: st.DataObject, document: Any) -> Any:
    document = copy.deepcopy(document)
    holders: list[Any] = []
    stack = [document]
    while stack:
        thing = stack.pop()
        if isinstance(thing, dict | list) and thing:
            holders.append(thing)
            stack += thing.values() if isinstance(thing, dict) else thing
    for _ in range(data.draw(st.integers(1, 2))):
        holder = data.draw(st.sampled_from(holders))
        key = (
            data.draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
            if holder
            else None
        )
        if key is None or (isinstance(holder, list) and key >= len(holder)):
            continue
        change = data.draw(st.sampled_from(("set", "set", "drop", "rename")))
        if change == "set":
            holder[key] = data.draw(st.sampled_from(ODD_VALUES))
        elif change == "drop":
            del holder[key]
        elif isinstance(holder, dict):
            holder[data.draw(st.sampled_from(("", "x", "Score", "ErSkole", "\ud800")))] = holder.pop(key)
    return document


def mutated_bytes(data: st.DataObject, content: bytes) -> bytes:
    at = data.draw(st.integers(0, max(len(content) - 1, 0)))
    change = data.draw(st.sampled_from(("cut", "insert", "flip", "drop", "twice")))
    if change == "cut":
        return content[:at]
    if change == "insert":
        return (
            content[:at]
            + data.draw(
                st.sampled_from((b"\0", b"\xff\xfe", b'"', b"{", b"[" * 2000, b"\n", b"\r", b"9" * 60, b"\xc3"))
            )
            + content[at:]
        )
    if change == "flip":
        return (
            content[:at] + bytes([content[at] ^ (1 << data.draw(st.integers(0, 7)))]) + content[at + 1 :]
            if content
            else content
        )
    if change == "drop":
        return content[:at] + content[at + data.draw(st.integers(1, 40)) :]
    return content[:at] + content


def repacked(data: st.DataObject, content: bytes) -> bytes:
    """A zip or workbook packed anew with one of its files changed."""
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        members = {name: package.read(name) for name in package.namelist()}
    name = data.draw(st.sampled_from(sorted(members)))
    members[name] = mutated_bytes(data, members[name])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", data.draw(st.sampled_from((zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA)))) as package:
        for inner, inside in members.items():
            if inner != name or data.draw(st.booleans()):
                package.writestr(inner, inside)
    return buffer.getvalue()


TABLES, DOCUMENTS = tables(), documents()


def layouts(kind: str) -> dict[str, bytes]:
    """Every layout with nothing wrong in it, as the bytes of a file."""
    if kind == "json":
        return {name: write_json(document) for name, document in DOCUMENTS.items()}
    if kind == "xlsx":
        return {name: write_workbook(rows) for name, rows in TABLES.items()}
    return {name: write_table(plain(rows), ";", "utf-8") for name, rows in TABLES.items()}


def by_format() -> dict[str, list[tuple[str, str]]]:
    """The layouts of each format that a reader reads: in which way each is written, and its name."""
    found: dict[str, list[tuple[str, str]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layout"
        for way in ("csv", "json", "xlsx"):
            for name, content in layouts(way).items():
                path.write_bytes(content)
                found.setdefault(recognise(path).format, []).append((way, name))
    return found


# the quick ones more often
WAYS = ("csv", "csv", "csv", "json", "json", "json", "workbook", "zip", "repacked")


def written(data: st.DataObject, way: str) -> bytes:
    """Some layout with something wrong with it, written in one of the ways files come."""
    if way == "json":
        document = DOCUMENTS[data.draw(st.sampled_from(sorted(DOCUMENTS)))]
        return write_json(mutated_json(data, document))
    rows = TABLES[data.draw(st.sampled_from(sorted(TABLES)))]
    if way == "csv":
        delimiter, encoding = data.draw(
            st.sampled_from((("\t", "utf-16-le"), (";", "utf-8-sig"), (";", "cp1252"), (",", "utf-8")))
        )
        return write_table(mutated_table(data, plain(rows), ODD_TEXTS), delimiter, encoding)
    if way == "workbook":
        return write_workbook(mutated_table(data, rows, ODD_CELLS))
    if way == "repacked":
        return repacked(data, write_workbook(rows))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for number in range(data.draw(st.integers(1, 2))):
            package.writestr(f"{number}.x", written(data, data.draw(st.sampled_from(("csv", "json")))))
    return buffer.getvalue()


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_file_with_anything_wrong_in_it_is_read_or_refused_with_a_finding(
    tmp_path_factory: pytest.TempPathFactory, way: str, data: st.DataObject
) -> None:
    content = written(data, way)
    if data.draw(st.integers(0, 3)) == 0:
        content = mutated_bytes(data, content)
    path = tmp_path_factory.getbasetemp() / f"mutated-{way}"
    path.write_bytes(content)
    read_or_refused(path)


FORMATS = by_format()


def test_every_format_that_is_read_has_a_layout() -> None:
    others = {"form_workbook", "survey_api_json", "unit_list", *PIVOTS}
    assert set(FORMATS) == {*_TABULAR, *_REGISTERS, *others}


@pytest.mark.parametrize("known", sorted(FORMATS))
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_is_changed_in_a_file_of_a_format_it_is_read_or_refused_with_a_finding(
    tmp_path_factory: pytest.TempPathFactory, known: str, data: st.DataObject
) -> None:
    way, name = data.draw(st.sampled_from(FORMATS[known]))
    units = pivots.unit_list()
    if way == "json":
        content = write_json(mutated_json(data, DOCUMENTS[name]))
    elif way == "csv":
        content = write_table(mutated_table(data, plain(TABLES[name]), ODD_TEXTS), ";", "utf-8")
    else:
        content = write_workbook(mutated_table(data, TABLES[name], ODD_CELLS))
    if data.draw(st.integers(0, 3)) == 0:
        content = mutated_bytes(data, content)
    path = tmp_path_factory.getbasetemp() / f"changed-{known}"
    if known in PIVOTS and data.draw(st.booleans()):
        told = pivots.as_bytes(units) if data.draw(st.booleans()) else write_json(mutated_json(data, units))
        museum.zipped({"a": content, "b": told})(path)
    else:
        path.write_bytes(content)
    read_or_refused(path)


@pytest.mark.real
@pytest.mark.skipif(not REAL.exists(), reason="the real extracts are absent")
def test_real_files_and_files_that_once_ended_in_an_untyped_error_are_read_or_refused() -> None:
    for path in sorted(p for p in REAL.rglob("*.*") if p.suffix != ".md"):
        read_or_refused(path)


def test_a_head_is_told_however_deep_it_is_nested(tmp_path: Path) -> None:
    for content in (b"[" * 10**6, b'{"a":' * 10**5, b'[{"' + b'a\\"' * 10**5, b'{"' + b"\\" * 10**6):
        (tmp_path / "deep").write_bytes(content)
        assert read_or_refused(tmp_path / "deep") == []


@given(st.text(max_size=200).map(lambda s: s.encode("utf-8")) | st.binary(max_size=300))
def test_any_bytes_give_a_clear_refusal_and_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    assert read_or_refused(path) == []
