"""Workbooks that come back: filled as a person would, and broken in every way people break them."""

from __future__ import annotations

import csv
import datetime as dt
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from dagster_project.forms.candidates import candidate_list
from dagster_project.forms.write import FORM_SHEET
from dagster_project.intake import quarantine
from dagster_project.intake.read import read_file
from dagster_project.intake.screen import Screening, screen_path
from dagster_project.publication import current_revision
from dagster_project.settings import Settings, load_settings
from tests.conftest import NOW

pytestmark = pytest.mark.pipeline
ROUND = "fictional-2026"
DAY = dt.date(2026, 3, 20)
GROUP, PRIORITY, ADVICE, REASON, HELD = 3, 4, 5, 6, 7
"""Columns of the table in the form."""


@pytest.fixture(scope="module")
def settings(country_home: Path) -> Settings:
    return load_settings(country_home)


@pytest.fixture(scope="module")
def blank(settings: Settings) -> Path:
    """The workbook of a county governor with several candidates and a municipality of the average group."""
    folder = current_revision(settings, ROUND)
    assert folder is not None
    forms = {p: load_workbook(p)[FORM_SHEET] for p in sorted((folder / "forms").glob("prioritering-*.xlsx"))}
    return max((p for p, sheet in forms.items() if average(sheet)), key=lambda p: len(spread(forms[p])))


def lines(sheet: Worksheet) -> list[int]:
    header = next(r[0].row for r in sheet.iter_rows() if r[0].value == "Kommunenr")
    return list(takewhile(lambda r: sheet.cell(r, 1).value, range(header + 1, sheet.max_row + 1)))


def spread(sheet: Worksheet) -> list[int]:
    """The lines of the candidates, who are to be prioritised."""
    return [r for r in lines(sheet) if sheet.cell(r, GROUP).value == "spredning"]


def average(sheet: Worksheet) -> list[int]:
    return [r for r in lines(sheet) if sheet.cell(r, GROUP).value == "gjennomsnitt"]


def put(at: Callable[[Worksheet], int], column: int, value: Any) -> Callable[[Worksheet, Workbook], None]:
    """A change of one cell: the line is looked up in the sheet."""
    return lambda sheet, book: setattr(sheet.cell(at(sheet), column), "value", value)


def first(sheet: Worksheet) -> int:
    return spread(sheet)[0]


def filled(blank: Path, target: Path, change: Callable[[Worksheet, Workbook], Any] | None = None) -> Path:
    """Fill the form as asked, then break it with ``change``."""
    book = load_workbook(blank)
    sheet = book[FORM_SHEET]
    labels = {sheet.cell(r, 1).value: r for r in range(1, lines(sheet)[0])}
    sheet.cell(labels["Utfylt av"], 2).value = "Kari Oppdiktet"
    sheet.cell(labels["Dato"], 2).value = DAY
    for priority, row in enumerate(spread(sheet), start=1):
        sheet.cell(row, PRIORITY).value = priority
        sheet.cell(row, REASON).value = "Svake resultater over tid"
        sheet.cell(row, HELD).value = DAY - dt.timedelta(days=9)
    for row in average(sheet)[:1]:
        sheet.cell(row, REASON).value = "Lite kapasitet i kommunen"
    if change is not None:
        change(sheet, book)
    book.save(target)
    return target


def looked_at(path: Path, settings: Settings) -> Screening:
    return screen_path(path, settings, now=NOW)


def test_a_form_filled_as_asked_passes(blank: Path, settings: Settings, tmp_path: Path) -> None:
    result = looked_at(filled(blank, tmp_path / "svar.xlsx"), settings)
    assert result.verdict.value == "PASS", [f.as_text() for f in result.findings]
    assert result.datasets == ("governor_priorities",)


def test_the_form_is_locked_validated_and_carries_its_list_and_the_evidence(blank: Path, settings: Settings) -> None:
    book = load_workbook(blank)
    sheet = book[FORM_SHEET]
    row = lines(sheet)[0]
    assert sheet.protection.sheet and sheet.cell(row, GROUP).protection.locked
    assert not sheet.cell(row, PRIORITY).protection.locked
    other = average(sheet)[0]
    assert sheet.cell(other, PRIORITY).protection.locked and not sheet.cell(other, REASON).protection.locked
    (most,) = [v.formula2 for v in sheet.data_validations.dataValidation if v.type == "whole"]
    assert int(most) == len(spread(sheet))
    kinds = {str(v.type) for v in sheet.data_validations.dataValidation}
    assert {"whole", "date", "list"} <= kinds
    text = [str(c.value) for r in sheet.iter_rows() for c in r if c.value]
    assert candidate_list(settings, ROUND).code in text and "OPPDIKTEDE DATA" in text
    assert {"Kandidater", "Områder", "Skoler", "Veiledning"} <= set(book.sheetnames)
    assert book["Kandidater"].max_row == len(lines(sheet)) + 1 and book["Skoler"].max_row > 3


def swap_columns(sheet: Worksheet, book: Workbook) -> None:
    for r in [lines(sheet)[0] - 1, *lines(sheet)]:
        a, b = sheet.cell(r, PRIORITY).value, sheet.cell(r, REASON).value
        sheet.cell(r, PRIORITY).value, sheet.cell(r, REASON).value = b, a


@pytest.mark.parametrize(
    "change",
    [
        swap_columns,
        put(first, HELD, "11. mars 2026"),
        put(first, HELD, "11.3.2026"),
        put(first, PRIORITY, "1"),
    ],
    ids=["moved columns", "a date in words", "a date with dots", "a number as text"],
)
def test_what_can_be_read_without_guessing_is_read(
    blank: Path, settings: Settings, tmp_path: Path, change: Callable[..., Any]
) -> None:
    result = looked_at(filled(blank, tmp_path / "svar.xlsx", change), settings)
    assert result.verdict.value == "PASS", [f.as_text() for f in result.findings]


def test_an_extra_sheet_is_named_and_not_read(blank: Path, settings: Settings, tmp_path: Path) -> None:
    path = filled(blank, tmp_path / "svar.xlsx", lambda s, b: b.create_sheet("Notater").append(["hei"]))
    result = looked_at(path, settings)
    assert [f.code for f in result.findings] == ["extra-sheet"] and result.verdict.value == "PASS"


def other_governors(settings: Settings, sheet: Worksheet) -> str:
    mine = {str(sheet.cell(r, 1).value) for r in lines(sheet)}
    return next(
        r["municipality_code"] for r in candidate_list(settings, ROUND).rows if r["municipality_code"] not in mine
    )


BROKEN: dict[str, tuple[Callable[..., Any], str, str]] = {
    "deleted row": (lambda s, b: s.delete_rows(spread(s)[-1]), "candidates-missing", "kandidater må være med"),
    "cleared row": (lambda s, b: [setattr(s.cell(spread(s)[-1], c), "value", None) for c in (PRIORITY, REASON, HELD)],
                    "candidates-missing", "kandidater må være med"),
    "text for a number": (put(first, PRIORITY, "høy"), "not-a-whole-number", "Prioritet"),
    "half a priority": (put(first, PRIORITY, 1.5), "not-a-whole-number", "Prioritet"),
    "priority twice": (put(lambda s: spread(s)[1], PRIORITY, 1), "priority-repeated", "samme prioritet"),
    "priority too high": (put(first, PRIORITY, 99), "priority-out-of-range", "større enn"),
    "neither priority nor advice": (put(first, PRIORITY, None), "priority-or-advice", "enten en prioritet eller"),
    "priority and advice": (put(first, ADVICE, "bør ikke trekkes ut"), "priority-or-advice", "enten en prioritet eller"),
    "other advice": (put(first, ADVICE, "kanskje"), "unknown-choice", "bør ikke trekkes ut"),
    "priority in the average group": (put(lambda s: average(s)[0], PRIORITY, 1), "average-group-not-prioritised", "med ord"),
    "no reason": (put(first, REASON, "  "), "assessment-missing", "Begrunnelsen mangler"),
    "no conversation": (put(first, HELD, None), "assessment-missing", "datoen for samtalen"),
    "a date that is none": (put(first, HELD, "31.02.2026"), "not-a-date", "Samtale"),
    "conversation after the reply": (put(first, HELD, dt.date(2026, 4, 1)), "impossible-date", "Samtalen må være holdt"),
    "formula": (put(first, PRIORITY, "=1+0"), "formula-in-cell", "Prioritet"),
    "unknown code": (put(first, 1, "6999"), "not-the-governors-candidate", "found: 6999"),
    "a letter in the code": (put(first, 1, "61O1"), "not-a-municipality-number", "Kommunenr"),
    "another list": (lambda s, b: [setattr(c, "value", "0" * 64) for r in s.iter_rows() for c in r if len(str(c.value)) == 64],
                     "candidate-list-not-in-force", "annen kandidatliste"),
    "another round": (lambda s, b: [setattr(c, "value", "fictional-1999") for r in s.iter_rows() for c in r if c.value == ROUND],
                      "unknown-round", "finnes ikke"),
    "a renamed column": (put(lambda s: lines(s)[0] - 1, PRIORITY, "Rekkefølge"), "form-column-missing", "Prioritet"),
    "the same municipality twice": (lambda s, b: setattr(s.cell(spread(s)[1], 1), "value", s.cell(first(s), 1).value),
                                    "line-repeated", "to ganger"),
    "nobody's name": (lambda s, b: [setattr(s.cell(r, 2), "value", None) for r in range(1, 9) if s.cell(r, 1).value == "Utfylt av"],
                      "blank-cell", "Utfylt av er ikke fylt ut"),
}  # fmt: skip


def test_advice_against_a_candidate_and_words_on_the_average_group_are_read(
    blank: Path, settings: Settings, tmp_path: Path
) -> None:
    def change(sheet: Worksheet, book: Workbook) -> None:
        last = spread(sheet)[-1]
        sheet.cell(last, PRIORITY).value, sheet.cell(last, ADVICE).value = None, "bør ikke trekkes ut"

    path = filled(blank, tmp_path / "svar.xlsx", change)
    assert looked_at(path, settings).verdict.value == "PASS"
    (table,) = read_file(path, "a" * 64)
    rows = table.table.to_pylist()
    assert [r["advice"] for r in rows if r["selection_group"] == "spread"][-1] == "do_not_take"
    assert [r["reason"] for r in rows if r["selection_group"] == "average"] == ["Lite kapasitet i kommunen"]


def test_a_form_of_before_the_average_group_stood_in_it_is_read_as_one_of_candidates(
    blank: Path, settings: Settings, tmp_path: Path
) -> None:
    def change(sheet: Worksheet, book: Workbook) -> None:
        for row in reversed(average(sheet)):
            sheet.delete_rows(row)
        sheet.delete_cols(ADVICE)
        sheet.delete_cols(GROUP)

    path = filled(blank, tmp_path / "svar.xlsx", change)
    result = looked_at(path, settings)
    assert result.verdict.value == "PASS", [f.as_text() for f in result.findings]
    (table,) = read_file(path, "a" * 64)
    assert set(table.table["selection_group"].to_pylist()) == {"spread"}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_broken_reply_is_refused_whole_with_words_a_case_officer_understands(
    name: str, blank: Path, settings: Settings, tmp_path: Path
) -> None:
    change, code, words = BROKEN[name]
    result = looked_at(filled(blank, tmp_path / "svar.xlsx", change), settings)
    assert result.verdict.value == "FAIL"
    hits = [f for f in result.findings if f.code == code]
    assert hits, [f.as_text() for f in result.findings]
    assert len({(f.code, f.row, f.column) for f in result.findings}) == len(result.findings), "each fault once"
    assert "fictional-and-official-mixed" not in {f.code for f in result.findings}, "a number that is unread is neither"
    assert hits[0].row or hits[0].column in ("Uttrekk", "Kandidatlistens kontrollkode") or code == "candidates-missing"
    assert words in hits[0].as_text() and hits[0].file == "svar.xlsx" and hits[0].count == 1 and hits[0].fix


def priority_without_a_reason(sheet: Worksheet, book: Workbook) -> None:
    """Of a municipality in the average group."""
    row = average(sheet)[0]
    sheet.cell(row, PRIORITY).value, sheet.cell(row, REASON).value = 1, None


def test_a_priority_in_the_average_group_is_one_fault_and_not_two(
    blank: Path, settings: Settings, tmp_path: Path
) -> None:
    path = filled(blank, tmp_path / "svar.xlsx", priority_without_a_reason)
    assert {f.code for f in looked_at(path, settings).findings} == {"average-group-not-prioritised"}


def test_the_quarantine_of_a_form_names_the_cells_and_has_a_text_to_send_back(
    blank: Path, settings: Settings, tmp_path: Path
) -> None:
    def change(sheet: Worksheet, book: Workbook) -> None:
        sheet.cell(spread(sheet)[1], PRIORITY).value = 1
        sheet.cell(first(sheet), REASON).value = None
        priority_without_a_reason(sheet, book)

    home = load_settings(tmp_path / "home")
    screening = looked_at(filled(blank, tmp_path / "=svar.xlsx", change), settings)
    folder = quarantine.keep(home, screening)
    with (folder / "rows.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    told = {(f.code, str(f.row or ""), f.column or "") for f in screening.findings}
    assert {(r["code"], r["source_row"], r["source_column"]) for r in rows} == told and len(told) >= 3
    assert {r["file"] for r in rows} == {"'=svar.xlsx"}, "no formula"
    text = (folder / quarantine.TO_SENDER).read_text(encoding="utf-8")
    assert "kan ikke brukes ennå" in text and not re.search(r"[a-z]+-[a-z]+-[a-z]+|FAIL|line|found|expected", text)
    for finding in screening.findings:
        assert f"rad {finding.row}, {finding.column}: {finding.message.rstrip('.')}" in text
        assert f"Funnet: {finding.found}. Ventet: {finding.expected}." in text


def test_another_governors_municipality_is_refused(blank: Path, settings: Settings, tmp_path: Path) -> None:
    def change(sheet: Worksheet, book: Workbook) -> None:
        sheet.cell(first(sheet), 1).value = other_governors(settings, sheet)

    result = looked_at(filled(blank, tmp_path / "svar.xlsx", change), settings)
    assert {"not-the-governors-candidate", "candidates-missing"} <= {f.code for f in result.findings}


def test_a_reply_after_the_deadline_waits_for_somebody_to_accept_it(
    blank: Path, settings: Settings, tmp_path: Path
) -> None:
    late = dt.date(2027, 1, 15)

    def change(sheet: Worksheet, book: Workbook) -> None:
        for r in range(1, 9):
            if sheet.cell(r, 1).value == "Dato":
                sheet.cell(r, 2).value = late

    now = dt.datetime(2027, 2, 1, tzinfo=dt.UTC)
    result = screen_path(filled(blank, tmp_path / "svar.xlsx", change), settings, now=now)
    assert result.verdict.value == "WARN" and result.blocking_codes == ("reply-too-late",)
    (finding,) = result.findings
    assert (finding.found, finding.expected) == ("15.01.2027", "en dato senest 31.03.2026, 290 dager tidligere")


def test_faults_of_every_kind_are_told_at_once(blank: Path, settings: Settings, tmp_path: Path) -> None:
    def change(sheet: Worksheet, book: Workbook) -> None:
        one, two, three = spread(sheet)[:3]
        sheet.cell(one, PRIORITY).value = "høy"  # cannot be read
        sheet.cell(two, HELD).value = DAY + dt.timedelta(days=1)  # can be read, and is impossible
        sheet.cell(three, REASON).value = None  # is missing
        sheet.delete_rows(spread(sheet)[-1])  # a whole line is

    result = looked_at(filled(blank, tmp_path / "svar.xlsx", change), settings)
    assert sorted(f.code for f in result.findings) == [
        "assessment-missing", "candidates-missing", "impossible-date", "not-a-whole-number",
    ]  # fmt: skip


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_a_form_prints_on_one_page_and_every_sheet_with_its_status(blank: Path, tmp_path: Path) -> None:
    book = load_workbook(blank)
    for sheet in book:
        assert sheet.page_setup.orientation == "landscape" and sheet.sheet_properties.pageSetUpPr.fitToPage
        assert "OPPDIKTEDE DATA" in sheet.oddHeader.right.text and "&P" in sheet.oddFooter.right.text
    for name in book.sheetnames[1:]:
        del book[name]
    book.save(tmp_path / "form.xlsx")
    command = ["soffice", f"-env:UserInstallation=file://{tmp_path}/office", "--headless", "--convert-to", "pdf"]
    subprocess.run([*command, "--outdir", str(tmp_path), str(tmp_path / "form.xlsx")], check=True, capture_output=True)
    assert len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "form.pdf").read_bytes())) == 1


def test_a_workbook_with_macros_is_refused(blank: Path, settings: Settings, tmp_path: Path) -> None:
    path = filled(blank, tmp_path / "svar.xlsx")
    with zipfile.ZipFile(path, "a") as package:
        package.writestr("xl/vbaProject.bin", b"\xd0\xcf\x11\xe0")
    result = looked_at(path, settings)
    assert result.verdict.value == "FAIL" and [f.code for f in result.findings] == ["macros-in-workbook"]


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_a_form_saved_by_libreoffice_is_the_same_form(blank: Path, settings: Settings, tmp_path: Path) -> None:
    path = filled(blank, tmp_path / "svar.xlsx")
    out = tmp_path / "lo"
    subprocess.run(
        ["soffice", "--headless", f"-env:UserInstallation=file://{tmp_path}/profile", "--convert-to", "xlsx",
         "--outdir", str(out), str(path)],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    result = looked_at(out / "svar.xlsx", settings)
    assert result.verdict.value == "PASS", [f.as_text() for f in result.findings]
    sheet = load_workbook(out / "svar.xlsx")[FORM_SHEET]
    assert sheet.protection.sheet and {str(v.type) for v in sheet.data_validations.dataValidation} >= {"whole", "date"}
