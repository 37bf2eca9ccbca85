"""The whole fictional country, run once through the command line and Dagster."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path

import pytest

from dagster_project.archive import Archive
from dagster_project.audit import explain
from dagster_project.audit.document import document_of
from dagster_project.pages.text import as_text
from dagster_project.publication import current_revision, verify_revision
from dagster_project.settings import load_settings
from tests.conftest import oppfolging
from tests.oracle.compare import compare_home, read

ROUND = "fictional-2026"
pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def internal(country_home: Path) -> Path:
    folder = current_revision(load_settings(country_home), ROUND)
    assert folder is not None
    return folder / "internal"


def test_the_oracle_agrees_on_every_unit_and_cell(country_home: Path) -> None:
    result = compare_home(country_home)[ROUND]
    assert result.differences[:20] == []
    assert result.units > 60_000 and result.cells > 700_000


def test_the_municipalities_that_were_made_weak_are_found(country_home: Path, internal: Path) -> None:
    """By the end of the story they are selected, or are followed already because an earlier round selected them."""
    truth = json.loads((country_home / "demo" / "truth.json").read_text(encoding="utf-8"))
    selection = read(internal / "selection.parquet")
    average = {r["municipality_code"] for r in selection if r["selection_group"] == "average" and r["within_quota"]}
    followed = {r["municipality_code"] for r in selection if r["status"] == "excluded"}
    spread = {r["municipality_code"] for r in selection if r["selection_group"] == "spread"}
    assert len(average) == 30 and len(followed) >= 60
    assert len(set(truth["weak"]) & (average | followed)) >= 0.9 * len(truth["weak"])
    assert len(set(truth["spread_weak"]) & (spread | average | followed)) >= 0.75 * len(truth["spread_weak"])


def test_every_published_file_matches_its_manifest_and_a_flipped_bit_shows(country_home: Path, tmp_path: Path) -> None:
    folder = current_revision(load_settings(country_home), ROUND)
    assert folder is not None and verify_revision(folder) == []
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    victim = copy / "internal" / "selection.csv"
    victim.chmod(0o644)
    content = bytearray(victim.read_bytes())
    content[50] ^= 1
    victim.write_bytes(content)
    (copy / "internal" / "stray.csv").write_text("x")
    assert {f.code for f in verify_revision(copy)} == {"published-file-changed", "published-file-unexpected"}
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["illustrative"] and manifest["data_origin"] == "fictional" and len(manifest["inputs"]) > 40


def test_the_workbooks_open_with_header_filter_and_the_fictional_label(internal: Path) -> None:
    from openpyxl import load_workbook

    book = load_workbook(internal / "municipality_ranking.xlsx")
    sheet = book.worksheets[0]
    assert sheet.freeze_panes == "D6" and sheet.auto_filter.ref.startswith("A5:")
    assert sheet.max_row == len(read(internal / "municipality_ranking.parquet")) + 5
    said = [str(cell.value) for row in sheet.iter_rows(max_row=3) for cell in row if cell.value]
    assert said[0].endswith("Rangering av kommuner") and said[1].startswith("OPPDIKTEDE DATA · illustrasjon: 7 grenser")
    notes = [c.value for (c,) in book["Om - About"].iter_rows()]
    assert any("OPPDIKTEDE DATA" in n for n in notes) and sum("ANTATT" in n for n in notes) == 7


def test_an_explanation_adds_up_and_its_sources_hold_the_stated_cells(country_home: Path) -> None:
    settings = load_settings(country_home)
    ranking = read(current_revision(settings, ROUND) / "internal" / "municipality_ranking.parquet")  # type: ignore[operator]
    archive = Archive(settings)
    for code in [m["municipality_code"] for m in ranking if m["rated"]][::120]:
        e = explain(settings, ROUND, code)
        points = sum(Fraction(c["weighted_points"]) for c in e.cells if c["weighted_points"] is not None)
        possible = sum(Fraction(c["possible_points"]) for c in e.cells)
        assert float(points / possible) == e.unit["risk_share"]
        assert (
            code in as_text(document_of(e, "en"))
            and json.loads(e.as_json())["municipality"]["municipality_code"] == code
        )
        for cell in e.cells:
            for source in cell["sources"]:
                content = archive.path(source["sha256"]).read_bytes()
                if content[:1] == b"[":
                    value = json.loads(content)[source["line"]][source["column"]]
                else:
                    text = content.decode("utf-16-le" if b"\0" in content[:20] else "utf-8-sig")
                    lines = text.splitlines()
                    first = 1 if lines[0].startswith("sep=") else 0
                    delimiter = "\t" if first else ";"
                    column = lines[first].split(delimiter).index(source["column"])
                    value = lines[source["line"] - 1].split(delimiter)[column]
                assert value == source["raw"]


def test_a_municipality_that_does_not_exist_gives_a_suggestion(country_home: Path) -> None:
    result = oppfolging(country_home, "explain", "Brumeblo", "--round", ROUND)
    assert result.returncode == 5 and "Did you mean" in result.stderr
