"""Pivots of the report API give the cells that the statistics bank's files give, and no code that nobody told."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dagster_project import schema
from dagster_project.archive import Archive
from dagster_project.archive.files import files_of
from dagster_project.archive.store import sha256_of
from dagster_project.audit.excerpts import place_of, read_places
from dagster_project.diagnostics import IntegrityProblem, SchemaProblem, Severity
from dagster_project.intake import flow
from dagster_project.intake.cells import ExtractTable
from dagster_project.intake.partitions import Extracts, read_partition
from dagster_project.intake.read import read_file
from dagster_project.intake.recognise import recognise
from dagster_project.intake.screen import screen_path
from dagster_project.settings import Settings, load_settings
from tests import pivots, samples
from tests.conftest import NOW
from tests.faults import museum
from tests.homes import take_in, take_in_one

PLACES = ["source_row", "source_column", "source_sha256"]


def written(path: Path, *documents: Any) -> Path:
    """One document, or several in one zip."""
    members = {f"{n}.json": d if isinstance(d, bytes) else pivots.as_bytes(d) for n, d in enumerate(documents)}
    return museum.zipped(members)(path) if len(members) > 1 else museum.raw(members["0.json"])(path)


def read(path: Path, *documents: Any) -> ExtractTable:
    (found,) = read_file(written(path, *documents), "a" * 64)
    return found


def cells(found: ExtractTable) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """State, value and count by year, level, unit, grade and indicator."""
    return {
        (r["school_year"], r["unit_level"], r["unit_code"], r["grade"], r["indicator"]): (r["state"], r["value"], r["n_pupils"])
        for r in found.table.to_pylist()
    }  # fmt: skip


@pytest.mark.parametrize("school_codes", [True, False])
def test_a_pivot_of_the_tests_gives_the_cells_of_the_download(tmp_path: Path, school_codes: bool) -> None:
    (download,) = read_file(samples.national_tests(tmp_path / "csv"), "a" * 64)
    documents = [pivots.national_tests(school_codes=school_codes), *([] if school_codes else [pivots.unit_list()])]
    found = read(tmp_path / "file", *documents)
    assert found.table.drop_columns(PLACES).equals(download.table.drop_columns(PLACES)) and not found.findings
    assert found.table["source_row"].to_pylist() == [0, 1, 2, 3, 4, 5]
    column = samples.STEM.format(year="2024-25") + "Skalapoeng"
    assert set(found.table["source_column"].to_pylist()) == {column if school_codes else f"0.json!{column}"}
    assert recognise(tmp_path / "file").datasets == (schema.NATIONAL_TESTS,)


def test_mastery_levels_are_read_when_they_are_shown(tmp_path: Path) -> None:
    found = cells(read(tmp_path / "file", pivots.national_tests(mastery=True)))
    assert found["2024-25", "municipality", "6101", 5, "reading_level_1"] == ("observed", Decimal("21.5"), 120)
    assert {indicator for *_, indicator in found} == {"reading_scale_score", "reading_level_1"}


def test_grade_points_are_read(tmp_path: Path) -> None:
    found = cells(read(tmp_path / "file", pivots.grade_points(school_codes=False), pivots.unit_list()))
    assert [key[2] for key in found] == ["I", "61", "6101", "100000008", "100000016", "100000024"]
    assert found["2024-25", "school", "100000008", 10, "grade_points"] == ("observed", Decimal("41.2"), 30)
    assert [state for state, *_ in found.values()][-2:] == ["suppressed", "absent"]


def test_a_report_of_a_few_units_needs_no_row_above_them(tmp_path: Path) -> None:
    document = pivots.national_tests()
    document["rows"] = document["rows"][2:4]
    rows = read(tmp_path / "file", document).table.to_pylist()
    assert [(r["unit_code"], r["county_code"], r["municipality_code"]) for r in rows] == [
        ("6101", "61", "6101"), ("100000008", "61", "6101")
    ]  # fmt: skip
    document["rows"] = document["rows"][1:]
    with pytest.raises(SchemaProblem) as caught:
        read(tmp_path / "file", document)
    assert [f.code for f in caught.value.findings] == ["unit-list-missing"]
    (row,) = read(tmp_path / "file", document, pivots.unit_list()).table.to_pylist()
    assert (row["unit_code"], row["municipality_code"], row["fictional"]) == ("100000008", "6101", False)


@pytest.mark.parametrize("root", ["-13", "9"])
def test_units_abroad_are_kept_apart(tmp_path: Path, root: str) -> None:
    document = pivots.national_tests()
    codes, names = ("U", "25", "2599", "U90000001"), (pivots.ABROAD, "Utlandet", "Utlandet, uspesifisert", "Skolen")
    path = ""
    for code, name in zip(codes, names, strict=True):
        path = f"{path}.{len(path)}" if path else root
        document["rows"].append({"navn": name, "kode": code, "id": path, "data": ["55", "0,9", "75"]})
    found = read(tmp_path / "file", document)
    abroad = [r["unit_code"] for r in found.table.to_pylist() if r["abroad"]]
    assert abroad == list(codes)
    assert [(f.code, f.row, f.column, f.count) for f in found.findings] == [("units-abroad", 6, "kode", 4)]


@pytest.mark.parametrize("as_csv", [False, True])
def test_units_in_the_header_get_their_codes_from_the_list(tmp_path: Path, as_csv: bool) -> None:
    school = (pivots.NATION, "Ytterfabel", "Brumeblom", "Øvre skole")
    abroad = (pivots.ABROAD, "Utlandet", "Alle kommuner", "Alle skoler")
    units = [
        (pivots.NATION, *pivots.SURVEY[1:]),
        (pivots.NATION, "Ytterfabel", "BRUMEBLOM ", "Alle skoler"),
        school,
        abroad,
    ]
    document = pivots.survey(*units, figures=("11,4", "*", "0,0", "3,1"))
    content = "\n".join("\t".join(line) for line in pivots.survey_table(document)).encode() if as_csv else document
    found = read(tmp_path / "file", content, pivots.unit_list())
    rows = [(r["unit_level"], r["unit_code"], r["state"], r["value"], r["grade"]) for r in found.table.to_pylist()]
    assert rows == [
        ("national", "I", "observed", Decimal("11.4"), 10), ("municipality", "6101", "suppressed", None, 10),
        ("school", "100000024", "observed", 0, 10), ("county", "25", "observed", Decimal("3.1"), 10),
    ]  # fmt: skip
    assert found.table["abroad"].to_pylist() == [False, False, False, True]
    assert found.table["fictional"].to_pylist() == [True] * 4
    assert found.table["source_row"].unique().to_pylist() == [2 if as_csv else 0]
    columns = [text.split("!")[1] for text in found.table["source_column"].to_pylist()]
    assert [[part.strip() for part in c.split(".")[1:5]] for c in columns] == [
        [part.strip() for part in unit] for unit in units
    ]
    assert {r["indicator"] for r in found.table.to_pylist()} == {"bullying"}


def test_a_report_of_the_nation_alone_needs_no_list(tmp_path: Path) -> None:
    (row,) = read(tmp_path / "file", pivots.survey(pivots.SURVEY)).table.to_pylist()
    assert (row["unit_code"], row["value"], row["unit_name"]) == ("I", Decimal("11.4"), "Hele landet")


def test_a_unit_has_no_row_for_what_only_another_unit_has(tmp_path: Path) -> None:
    document = pivots.survey()
    grades = document["metadata"]["columns"][5]
    grades[:] = [{**grades[0], "name": f"{grade}. årstrinn", "columnCount": 1} for grade in (7, 10)]
    found = read(tmp_path / "file", document, pivots.unit_list())
    assert [(r["unit_code"], r["grade"]) for r in found.table.to_pylist()] == [("I", 7), ("6101", 10)]


def test_an_indicator_is_known_by_its_code_where_it_has_another_name(tmp_path: Path) -> None:
    found = read(tmp_path / "file", pivots.survey(name="Mobbing"), pivots.unit_list())
    assert set(found.table["indicator"].to_pylist()) == {"bullying"} and found.table.num_rows == 2


def of_list(change: Callable[[list[dict[str, Any]]], Any]) -> dict[str, Any]:
    document = pivots.unit_list()
    change(document["EnhetID"])
    return document


@pytest.mark.parametrize(
    "form", [pivots.unit_list(), pivots.unit_list()["EnhetID"], {"filterVerdier": pivots.unit_list()}]
)
def test_the_list_of_units_is_known_in_every_form_it_may_have(tmp_path: Path, form: Any) -> None:
    assert recognise(written(tmp_path / "list", form)).format == "unit_list"
    assert read_file(tmp_path / "list", "a" * 64) == []
    assert len(cells(read(tmp_path / "file", form, pivots.national_tests(school_codes=False)))) == 6


@pytest.mark.parametrize(
    "change",
    [
        lambda nodes: nodes.append(pivots.node(9, 7001, "100000032", "Brumeblom skole")),  # two codes of one id
        lambda nodes: nodes[3].update(kode=None),
        lambda nodes: nodes[3].update(kode="Gruppe"),
        lambda nodes: nodes.pop(3),
    ],
)
def test_of_two_units_that_answer_none_is_taken(tmp_path: Path, change: Callable[[list[dict[str, Any]]], Any]) -> None:
    with pytest.raises(SchemaProblem) as caught:
        read(tmp_path / "file", of_list(change), pivots.national_tests(school_codes=False))
    assert [(f.code, f.row, f.column) for f in caught.value.findings] == [("unit-not-in-list", 3, "id")]


def test_a_list_that_goes_round_in_a_circle_ends(tmp_path: Path) -> None:
    document = of_list(lambda nodes: nodes[3].update(barn=[0, 3]))
    assert len(cells(read(tmp_path / "file", document, pivots.national_tests(school_codes=False)))) == 6


def test_a_list_of_other_ids_is_refused_whatever_it_would_give(tmp_path: Path) -> None:
    """The municipality has its own code, and the list has another for its id: the ids are not the same ones."""
    document = of_list(lambda nodes: nodes[2].update(kode="6102"))
    with pytest.raises(SchemaProblem) as caught:
        read(tmp_path / "file", document, pivots.national_tests(school_codes=False))
    assert [(f.code, f.row, f.found) for f in caught.value.findings] == [
        ("unit-list-differs", 2, "Brumeblom 6102 in the list")
    ]


def test_the_name_of_a_unit_says_nothing_of_what_is_measured(tmp_path: Path) -> None:
    document = pivots.national_tests()
    document["rows"][3]["navn"] = "Grunnskolepoeng"
    assert read(tmp_path / "file", document).table["unit_name"][3].as_py() == "Grunnskolepoeng"


# --- the list of units as a file of its own ---


def standing(home: Settings) -> dict[str, str]:
    return {f.name: f.status for f in files_of(Archive(home).events())}


def test_a_pivot_waits_for_the_list_of_units_and_is_read_again_when_it_comes(
    tmp_path: Path, settings: Settings
) -> None:
    pivot = written(tmp_path / "pivot.json", pivots.national_tests(school_codes=False))
    units = written(tmp_path / "units.json", pivots.unit_list())
    waits = take_in_one(settings, pivot)
    assert waits.status == "rejected" and waits.screening is not None
    assert [f.code for f in waits.screening.findings] == ["unit-list-missing"]
    assert take_in_one(settings, pivot).status == "duplicate"
    results = flow.take_in_all([units], settings, now=NOW)
    assert {r.file: r.status for r in results} == {"units.json": "accepted", "pivot.json": "accepted"}
    assert [f for f in files_of(Archive(settings).events()) if f.name == "pivot.json"][-1].units == sha256_of(units)
    rows = read_partition(settings, schema.NATIONAL_TESTS, "2024-25")
    assert rows is not None and "100000008" in rows["unit_code"].to_pylist()


def test_the_list_comes_before_the_pivots_of_its_delivery(tmp_path: Path, settings: Settings) -> None:
    pivot = written(tmp_path / "a.json", pivots.national_tests(school_codes=False))
    units = written(tmp_path / "b.json", pivots.unit_list())
    assert [r.status for r in flow.take_in_all([pivot, units], settings, now=NOW)] == ["accepted", "accepted"]
    events = [e for e in Archive(settings).events() if e["event"] in ("accepted", "rejected")]
    assert [(e["event"], e["file"]) for e in events] == [("accepted", "b.json"), ("accepted", "a.json")]


def test_a_partition_rests_on_the_list_that_its_pivot_was_read_with(tmp_path: Path, settings: Settings) -> None:
    pivot = written(tmp_path / "a.json", pivots.national_tests(school_codes=False))
    units = written(tmp_path / "b.json", pivots.unit_list())
    take_in(settings, pivot, units)
    key = (schema.NATIONAL_TESTS, "2024-25")
    with Extracts(settings) as extracts:
        before, identity, files = extracts.build(key), extracts.identity(key), extracts.files_by_partition()
    other = of_list(lambda nodes: nodes[3].update(kode="100000032"))
    assert [r.status for r in take_in(settings, written(tmp_path / "c.json", other))] == ["accepted"]
    with Extracts(settings, anew=True, out=load_settings(tmp_path / "other")) as extracts:
        assert extracts.build(key).equals(before)
        assert (extracts.identity(key), extracts.files_by_partition()) == (identity, files)
    (archived := Archive(settings).path(sha256_of(units))).chmod(0o600)
    archived.write_bytes(b"changed")
    third = Extracts(settings, anew=True, out=load_settings(tmp_path / "third"))
    with third as extracts, pytest.raises(IntegrityProblem):
        extracts.build(key)


def test_a_pivot_is_read_again_when_its_list_was_withdrawn(tmp_path: Path, settings: Settings) -> None:
    """A wrong code stayed for good: the pivot was a duplicate, and the list that had replaced the wrong one was too."""
    pivot = written(tmp_path / "a.json", pivots.national_tests(school_codes=False))
    wrong = written(tmp_path / "b.json", of_list(lambda nodes: nodes[3].update(kode="100000032")))
    right = written(tmp_path / "c.json", pivots.unit_list())
    take_in(settings, right, wrong, pivot)
    key = (schema.NATIONAL_TESTS, "2024-25")

    def codes() -> set[str] | None:
        table = read_partition(settings, *key)
        return table and {r["unit_code"] for r in table.to_pylist()}

    assert "100000032" in (codes() or ())
    flow.withdraw(settings, "b.json", by="Kari", reason="feil liste", now=NOW)
    assert codes() is None
    assert [(r.file, r.status) for r in flow.settle(settings, now=NOW)] == [("a.json", "accepted")]
    assert "100000032" not in (codes() or ()) and "100000008" in (codes() or ())
    flow.withdraw(settings, "c.json", by="Kari", reason="feil land", now=NOW)
    assert [(r.file, r.status) for r in flow.settle(settings, now=NOW)] == [("a.json", "rejected")]
    # an older list that is sent again is the newest, and the pivot is read with it
    assert [(r.file, r.status) for r in take_in(settings, right)][-1] == ("a.json", "accepted") or codes() is not None


def test_a_school_that_the_list_puts_in_another_municipality_is_refused(tmp_path: Path, settings: Settings) -> None:
    def moved(nodes: list[dict[str, Any]]) -> None:
        nodes[2]["barn"] = [b for b in nodes[2]["barn"] if b != 3]
        nodes[8]["barn"] = [*nodes[8].get("barn", []), 3]

    pivot = pivots.national_tests(school_codes=False)
    with pytest.raises(SchemaProblem) as caught:
        read_file(written(tmp_path / "zip", pivot, of_list(moved)), "a" * 64)
    assert [f.code for f in caught.value.findings] == ["unit-list-differs"]


def test_a_list_that_says_otherwise_waits_for_a_better_one(tmp_path: Path, settings: Settings) -> None:
    pivot = written(tmp_path / "a.json", pivots.national_tests(school_codes=False))
    wrong = written(tmp_path / "b.json", of_list(lambda nodes: nodes[2].update(kode="6102")))
    assert [r.status for r in take_in(settings, pivot, wrong)] == ["rejected", "accepted"]
    take_in(settings, written(tmp_path / "c.json", pivots.unit_list()))
    assert standing(settings) == {"a.json": "accepted", "b.json": "accepted", "c.json": "accepted"}


def test_a_check_uses_the_list_that_is_in_the_home(tmp_path: Path, settings: Settings) -> None:
    pivot = written(tmp_path / "a.json", pivots.national_tests(school_codes=False))
    assert screen_path(pivot, settings, now=NOW).verdict is Severity.FAIL
    take_in(settings, written(tmp_path / "b.json", pivots.unit_list()))
    assert screen_path(pivot, settings, now=NOW).verdict is Severity.PASS


@pytest.mark.parametrize("kind", ["json", "zip", "csv"])
def test_a_cell_is_found_again_where_its_row_says(tmp_path: Path, settings: Settings, kind: str) -> None:
    document: Any = pivots.national_tests(school_codes=kind == "json")
    documents = [document] if kind == "json" else [document, pivots.unit_list()]
    if kind == "csv":
        documents[0] = "\n".join("\t".join(line) for line in pivots.survey_table()).encode()
    path = written(tmp_path / "file", *documents)
    take_in(settings, path)
    (found,) = read_file(path, sha256 := sha256_of(path))
    for row in found.table.to_pylist():
        place, column = place_of(sha256, row["source_row"], row["source_column"])
        excerpt = read_places(Archive(settings), [place])[place]
        assert excerpt.cells[column] == row["raw_value"] and row["raw_value"] in excerpt.text
        assert kind == "csv" or json.loads(excerpt.text) == excerpt.cells
