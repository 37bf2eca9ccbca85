"""The workbook shows what the table holds: the rows are put together here, so a program that reads workbooks is asked."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
from openpyxl import load_workbook

from dagster_project.publication import sheet as table_sheet
from dagster_project.publication import workbook
from dagster_project.settings import load_settings


def test_every_kind_of_cell_comes_back(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(table_sheet, "BATCH", 2)  # the third row begins a batch of its own
    table = pa.table(
        {
            "text": ["<b> & 'c'", None, " room around "],
            "formula": ["=1+1", "-", "tab\tand\x01bell"],
            "whole": [0, None, 2**40],
            "share_if_hidden_best": [0.1, 1 / 3, None],
            "risk_share": pa.array([Decimal("0.2500"), None, Decimal("1.0000")], pa.decimal128(18, 4)),
            "yes": [True, False, None],
            "day": [dt.date(2025, 8, 1), None, dt.date(2026, 1, 2)],
        }
    )
    path = tmp_path / "t.xlsx"
    workbook.write_xlsx(
        path, "municipality_ranking", table, ["NOTE"], load_settings(), subject="Fabelland 2026", status="OPPDIKTET"
    )
    sheet = load_workbook(path)["Tabell"]
    found = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert [row[0] for row in found[:2]] == ["Fabelland 2026: Rangering av kommuner", "OPPDIKTET"]
    assert found[4:] == [
        ["Text", "Formula", "Whole", "Andel hvis skjulte er best", "Andel av mulige risikopoeng", "Yes", "Day"],
        ["<b> & 'c'", "'=1+1", 0, 0.1, 0.25, "ja", dt.datetime(2025, 8, 1)],
        [None, "'-", None, 1 / 3, None, "nei", None],
        [" room around ", "tab\tand_x0001_bell", 2**40, None, 1, None, dt.datetime(2026, 1, 2)],
    ]
    assert [sheet.cell(6, at).number_format for at in (3, 4, 5, 7)] == ["General", "0.0 %", "0.0 %", "dd.mm.yyyy"]
    assert [c.comment.text for c in sheet[5]] == table.column_names
    assert sheet.auto_filter.ref == "A5:G8" and sheet.freeze_panes == "A6" and sheet.print_title_rows == "$5:$5"
    assert sheet.page_setup.orientation == "landscape" and "OPPDIKTET" in sheet.oddHeader.right.text


def test_columns_that_only_programs_need_are_folded_away_and_codes_are_words(tmp_path: Path):
    table = pa.table(
        {
            "round": ["r"] * 3, "municipality_code": ["6101", "6102", "6103"], "municipality_name": ["A", "B", "C" * 200],
            "selection_group": ["average", "average", "spread"], "status": ["selected", "selected", "excluded"],
            "decided_on": [None, dt.date(2026, 4, 1), None], "decision_source_sha256": ["a" * 64, None, None],
        }
    )  # fmt: skip
    path = tmp_path / "t.xlsx"
    workbook.write_xlsx(path, "selection", table, ["NOTE"], load_settings(), subject="Fabelland")
    sheet = load_workbook(path)["Tabell"]
    hidden = [c.value for c in sheet[3] if sheet.column_dimensions[c.column_letter].hidden]
    assert hidden == ["Uttrekk", "Beslutningens fil"] and sheet["B1"].value == "Fabelland: Utvalget"
    assert [sheet.cell(row, 5).value for row in (4, 5, 6)] == ["foreslått", "trukket ut", "holdes utenfor"]
    assert sheet.row_dimensions[6].height > 30 and sheet.row_dimensions[5].height is None
