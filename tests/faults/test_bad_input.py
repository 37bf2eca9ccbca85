"""A museum of broken files: each is refused with one clear message, quarantined, and changes nothing."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from dagster_project import intake
from dagster_project.extracts import Archive
from dagster_project.settings import Settings
from tests import samples
from tests.conftest import NOW

Maker = Callable[[Path], Path]


def changed(old: str, new: str) -> Maker:
    return lambda path: samples.write(path, samples.text(samples.rows()).replace(old, new))


def with_rows(*extra: list[str]) -> Maker:
    return lambda path: samples.national_tests(path, [*samples.rows(), *extra])


def raw(content: bytes) -> Maker:
    def make(path: Path) -> Path:
        path.write_bytes(content)
        return path

    return make


def zip_bomb(path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("big.csv", b"0" * 30_000_000)
    return path


def formula_workbook(path: Path) -> Path:
    import xlsxwriter

    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet()
    for line, row in enumerate([samples.header(), *samples.rows()]):
        sheet.write_row(line, 0, row)
    sheet.write_formula(4, 9, "=1+1")
    book.close()
    return path


SPECIMENS: dict[str, tuple[Maker, str, str | None]] = {
    # name: how it is made, the code it must give, and a word its message or place must hold
    "truncated_in_a_row": (lambda p: samples.write(p, samples.text(samples.rows())[:-40]), "ragged-row", "line 8"),
    "truncated_in_a_character": (lambda p: raw(samples.text(samples.rows()).encode("utf-16-le")[:-1])(p), "truncated", None),
    "saved_in_the_wrong_encoding": (
        lambda p: samples.write(p, samples.text(samples.rows()).encode().decode("cp1252", "replace"), "utf-8"),
        "wrong-encoding", None,
    ),
    "missing_column": (changed("Kommunekode", "Kommunenr"), "missing-column", "Kommunekode"),
    "renamed_measure": (changed("Skalapoeng", "Poengskala"), "unknown-header-level", "Poengskala"),
    "duplicated_rows": (with_rows(samples.rows()[3]), "duplicated-row", "100000008"),
    "letter_in_a_number": (changed("\t48\t1,8", "\t4B\t1,8"), "not-a-number", "line 6"),
    "decimal_point": (changed("\t1,8\t", "\t1.8\t"), "not-a-number", "1.8"),
    "value_off_scale": (changed("\t48\t1,8", "\t148\t1,8"), "value-off-scale", "148"),
    "mistyped_organisation_number": (changed("100000008", "100000007"), "invalid-organisation-number", "100000007"),
    "year_to_come": (lambda p: samples.national_tests(p, year="2031-32"), "wrong-year", None),
    "lost_leading_zero": (changed("I\t61\t6101\t100000008", "I\t6\t6101\t100000008"), "code-lost-leading-zero", "line 6"),
    "more_pupils_in_the_part_than_in_the_whole": (changed("\t1,8\t100", "\t1,8\t121"), "parts-exceed-whole", None),
    "formula_in_a_name": (changed("Nedre skole", "=HYPERLINK(1)"), "formula-in-name", "HYPERLINK"),
    "formula_in_a_workbook": (formula_workbook, "formula-in-cell", "=1+1"),
    "empty": (raw(b""), "empty-file", None),
    "header_only": (lambda p: samples.national_tests(p, []), "no-rows", None),
    "binary": (raw(bytes(range(256)) * 40), "binary-file", None),
    "zip_bomb": (zip_bomb, "zip-bomb", None),
    "endless_line": (raw(b"EnhetNivaa\t2024-25.x\n" + b"1\t" * 700_000), "line-too-long", None),
    "something_else": (raw(b"name;age\nKari;7\n"), "unknown-header", None),
    "damaged_json": (raw(b'[{"Skoleaarnavn":"2024-25","Score":"3,1"},{"Skol'), "damaged-json", None),
    "unknown_json": (raw(b'{"a": 1}'), "unknown-json", None),
}  # fmt: skip


def tree(settings: Settings) -> dict[str, str]:
    """Hash of every extract and published file."""
    files = [p for root in (settings.extracts, settings.published) for p in root.rglob("*") if p.is_file()]
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.mark.parametrize("name", SPECIMENS)
def test_broken_file_is_refused_and_changes_nothing(name: str, settings: Settings, tmp_path: Path) -> None:
    make, code, word = SPECIMENS[name]
    good = intake.take_in(samples.national_tests(tmp_path / "good.csv"), settings, now=NOW)
    assert good.status == "accepted", [f.as_text() for f in good.screening.findings] if good.screening else ""
    before = tree(settings)
    result = intake.take_in(make(tmp_path / "broken"), settings, now=NOW)
    assert result.status == "rejected"
    assert result.screening is not None
    finding = next(f for f in result.screening.findings if f.code == code)
    assert finding.fix and finding.file == "broken" and finding.stage in result.screening.stages
    if word:
        assert word in finding.as_text()
    assert tree(settings) == before
    quarantined = settings.quarantine / result.sha256
    assert code in (quarantined / "findings.json").read_text(encoding="utf-8")
    assert code in (quarantined / "rows.csv").read_text(encoding="utf-8")
    assert Archive(settings).path(result.sha256).exists()
    assert Archive(settings).verify() == []


def test_a_code_that_no_list_holds_is_refused(settings: Settings, tmp_path: Path) -> None:
    listed = tmp_path / "version.json"
    listed.write_text('{"validFrom": "2020-01-01", "classificationItems": [{"code": "6102", "name": "Elsewhere"}]}')
    assert intake.take_in(listed, settings, now=NOW).status == "accepted"
    result = intake.take_in(samples.national_tests(tmp_path / "f.csv"), settings, now=NOW)
    assert result.status == "rejected"
    assert {f.code for f in result.screening.findings} == {"unknown-municipality-code"}  # type: ignore[union-attr]
