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
    workbook.write_xlsx(path, "selection", table, ["NOTE"], load_settings())
    sheet = load_workbook(path)["selection"]
    found = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert found == [
        table.column_names,
        ["<b> & 'c'", "'=1+1", 0, 0.1, 0.25, True, "2025-08-01"],
        [None, "'-", None, 1 / 3, None, False, None],
        [" room around ", "tab\tand_x0001_bell", 2**40, None, 1, None, "2026-01-02"],
    ]
    assert [sheet.cell(2, at).number_format for at in (3, 4, 5)] == ["General", "0.0 %", "0.0 %"]
    assert sheet.auto_filter.ref == sheet.dimensions == "A1:G4"
    assert sheet.freeze_panes == "A2"
