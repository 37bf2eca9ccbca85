"""Mutated files that once ended in an error of a library: each is read, or refused with findings."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dagster_project.diagnostics import OppfolgingError
from dagster_project.intake.read import read_file
from dagster_project.intake.recognise import load_json
from tests import pivots
from tests.conftest import real_data
from tests.samples import write

PYTHONS = re.compile(r"__\w+__|invalid literal|argument|object has no|Forbidden|unsupported operand|NoneType")
FOLDER = real_data() / "specimens"
SPECIMENS = sorted(p for p in FOLDER.glob("*.*") if p.suffix != ".md") if FOLDER.is_dir() else []


@pytest.mark.real
@pytest.mark.skipif(not SPECIMENS, reason="no specimens beside the repository")
@pytest.mark.parametrize("path", SPECIMENS, ids=lambda p: p.name)
def test_a_specimen_is_read_or_refused_with_findings(path: Path) -> None:
    try:
        tables = read_file(path, "a" * 64)
    except OppfolgingError as refused:
        assert refused.findings and all(f.code and f.fix and "{" not in f.message for f in refused.findings)
        assert not any(PYTHONS.search(f.found or "") for f in refused.findings), "words of the program that reads"
    else:
        assert all(table.table.validate() is None for table in tables)


@pytest.mark.parametrize("half", ["\\ud800", "\\uDFFF", "a\\udc00b"])
def test_half_of_a_pair_of_surrogates_is_named_by_row_and_column(tmp_path: Path, half: str) -> None:
    """An escape of JSON that stands for no character: pyarrow raised on it."""
    content = json.dumps(pivots.national_tests()).replace('"1,8"', f'"{half}"')
    with pytest.raises(OppfolgingError) as refused:
        read_file(write(tmp_path / "pivot.json", content, "utf-8"), "a" * 64)
    (finding,) = refused.value.findings
    assert (finding.code, finding.row, str(finding.column).endswith("Usikkerhet")) == ("not-storable", 3, True)


def test_a_whole_pair_of_surrogates_is_a_character(tmp_path: Path) -> None:
    path = write(tmp_path / "pivot.json", '{"x": "\\ud83d\\ude00"}', "utf-8")
    assert load_json(path, path.name) == {"x": "\U0001f600"}
