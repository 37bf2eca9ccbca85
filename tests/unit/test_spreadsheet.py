"""No text of others is a formula, however a spreadsheet program splits the lines of a CSV."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.audit.templates import check
from dagster_project.pages.spreadsheet import safe_text
from dagster_project.publication.tables import write_csv

HOSTILE = [
    "=1+1",
    "x;=1+1;y",
    "x; @SUM(A1)",
    'a";=1',
    "a\tb\t+1",
    "a\n=1",
    "\r\n-1",
    "＝1+1",
    "x;－1",
    "  =1",
    "'=1",
    "\t=1",
]
texts = st.text(st.sampled_from("=+-@＝'\"; \t\r\n,x1"), max_size=8)


def begins_a_formula(piece: str) -> bool:
    return piece.strip().strip('"').lstrip()[:1] in tuple("=+-@＝＋－＠")


@given(texts)
def test_no_piece_of_a_text_begins_a_formula_and_the_text_can_be_read_back(text: str) -> None:
    safe = safe_text(text)
    assert not any(begins_a_formula(piece) for piece in re.split(r"[;\t\r\n]", safe.replace('"', "")) if piece)
    assert check.plain(safe) == text


@pytest.mark.parametrize("text", HOSTILE)
def test_a_published_csv_has_no_formula_wherever_its_lines_are_split(text: str, tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", pa.table({"before": ["1"], "name": [text], "after": ["2"]}))
    written = (tmp_path / "t.csv").read_bytes().decode("utf-8")
    for separator in ",;\t":
        for row in csv.reader(io.StringIO(written, newline=""), delimiter=separator):
            assert not any(begins_a_formula(cell) for cell in row), (separator, row)
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as handle:
        assert check.plain(next(csv.DictReader(handle))["name"]) == text


def test_ordinary_texts_stay_as_they_are() -> None:
    for text in ("Nedre skole", "A; B", "Å-Ø skole", "1 = 2", "x;y=1", ""):
        assert safe_text(text) == text
