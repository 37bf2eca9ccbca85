"""Readers: every encoding and delimiter gives the same cells, each with its place."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.intake.read import read_file
from dagster_project.intake.readers.statistikkbanken import Column, parse_header, split_levels
from dagster_project.intake.recognise import recognise
from tests import samples

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


def test_keeps_suppressed_and_absent_apart_in_the_survey(tmp_path: Path) -> None:
    path = tmp_path / "survey"
    rows = [survey_row(Score="*", AntallBesvart="*"), survey_row(TrinnKode="10", Score=None, AntallBesvart=None)]
    path.write_text(json.dumps(rows), encoding="utf-8")
    assert read_file(path, "a" * 64)[0].table["state"].to_pylist() == ["suppressed", "absent"]


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


@given(st.text(max_size=200).map(lambda s: s.encode("utf-8")) | st.binary(max_size=300))
def test_any_bytes_give_a_clear_refusal_and_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    from dagster_project.diagnostics import FileProblem

    path = tmp_path_factory.mktemp("any") / "any"
    path.write_bytes(content)
    with pytest.raises(FileProblem) as caught:
        read_file(path, "a" * 64)
    assert caught.value.findings and caught.value.findings[0].fix
