"""Intake: duplicates, newer and older exports, held and rejected files, killed runs, the inbox, tampering."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from dagster_project import schema
from dagster_project.archive import Archive, journal
from dagster_project.archive.files import files_of, find_file, open_files
from dagster_project.archive.guard import writing
from dagster_project.archive.store import sha256_of
from dagster_project.audit.doctor import examine
from dagster_project.diagnostics import IntegrityProblem, NotFound, OppfolgingError, Severity
from dagster_project.intake import flow, inbox, screen
from dagster_project.intake.checks import check_partition
from dagster_project.intake.partitions import PART, RECORD, Extracts, partition_folder, read_partition
from dagster_project.intake.reader import Reader
from dagster_project.intake.screen import screen_path
from dagster_project.rounds.problems import open_problems
from dagster_project.settings import Settings, load_settings
from dagster_project.validation import frames
from dagster_project.validation.suites import load_suite
from tests import samples
from tests.conftest import NOW, tree_hash
from tests.faults import museum
from tests.homes import reading, take_in, take_in_one

pytestmark = pytest.mark.usefixtures("shared_reader")
YEAR = "2024-25"
KEY = (schema.NATIONAL_TESTS, YEAR)
SIGNED = {"by": "Kari Fiktiv", "reason": "Udir har bekreftet det"}


def partition(settings: Settings) -> pa.Table:
    """The partition of the samples, as the files in force give it."""
    table = read_partition(settings, *KEY)
    assert table is not None
    return table


def score(settings: Settings) -> int:
    """What the partition says of the one school that has a figure."""
    (row,) = [r for r in partition(settings).to_pylist() if r["unit_code"] == "100000008"]
    return int(row["value"])


def export_of(path: Path, score: str = "48", *, year: str = YEAR) -> Path:
    return samples.national_tests(path, samples.rows(score), year=year)


@pytest.mark.parametrize("figures", [("55", "0,9", "75 042"), ("55", "", "")])
def test_schools_abroad_enter_no_comparison_whatever_they_count(
    settings: Settings, tmp_path: Path, figures: tuple[str, ...]
) -> None:
    """With counts the file was refused for pupils that were missing; without, two national rows went on."""
    with_abroad = [*samples.rows(), *samples.abroad(*figures)]
    for year in ("2023-24", YEAR):
        path = samples.national_tests(tmp_path / year, with_abroad, year=year)
        result = take_in_one(settings, path)
        assert (result.status, codes_of(result)) == ("accepted", ["units-abroad"])
    home = partition(settings).filter(pc.invert(partition(settings)["abroad"]))
    assert home.num_rows == len(samples.rows()) and partition(settings).num_rows == len(with_abroad)
    with frames.opened(partition(settings)) as connection, Extracts(settings) as extracts:
        (seen,) = frames.slices(connection, extracts.table, partition(settings)).to_dict("records")
        assert (seen["schools"], seen["schools_before"], seen["pupils_outside_municipalities"]) == (
            3,
            3,
            1 - 120 / 1056,
        )
        assert set(frames.units(connection)["unit_code"]) == {"I", "61", "6101"}


def test_an_export_without_schools_abroad_leaves_those_in_force_and_the_other_way_round(
    settings: Settings, tmp_path: Path
) -> None:
    take_in_one(settings, samples.national_tests(tmp_path / "both", [*samples.rows(), *samples.abroad("55", "", "")]))
    take_in_one(settings, export_of(tmp_path / "at home", "47"))
    take_in_one(settings, samples.national_tests(tmp_path / "abroad", samples.abroad("56", "", "")))
    rows = {r["unit_code"]: r["value"] for r in partition(settings).to_pylist()}
    assert (rows["100000008"], rows["U"], len(rows)) == (47, 56, 10)


SURVEY = (schema.PUPIL_SURVEY, YEAR)


def answer(
    *, year: str = YEAR, rows: int = 5, size: int = 2, score: str = "4,1", numbered: bool = True
) -> list[list[Any]]:
    """An answer of the export API in pages: the nation, a school, and rows of questions that are not of the scheme."""
    units = museum.survey_of(Score=score, Skoleaarnavn=year)
    others = [museum.survey(Spoersmaalgruppe=f"Annet {i}", Skoleaarnavn=year) for i in range(rows - len(units))]
    every = [units[0], *others, units[1]]
    pages = [every[at : at + size] for at in range(0, rows, size)]
    told = {"RaderSide": size if numbered else rows, "RaderTotalt": rows}
    return [[{**r, "Sidenummer": n if numbered else 1, **told} for r in page] for n, page in enumerate(pages, start=1)]


def as_files(folder: Path, pages: list[list[Any]], name: str = "side") -> list[Path]:
    return [museum.as_json(page)(folder / f"{name}{n}.json") for n, page in enumerate(pages, start=1)]


def survey_cells(settings: Settings, year: str = YEAR) -> list[tuple[str, Any]] | None:
    table = read_partition(settings, schema.PUPIL_SURVEY, year)
    return table and [(r["unit_code"], r["value"]) for r in table.to_pylist()]


def standing(settings: Settings) -> list[tuple[str, str]]:
    return [(f.name, f.status) for f in files_of(Archive(settings).events())]


@pytest.mark.parametrize("numbered", [True, False])
def test_pages_wait_for_each_other_and_come_into_force_together(
    settings: Settings, tmp_path: Path, numbered: bool
) -> None:
    """Page 1 alone passed as if it were all; page 2 was held then, because the cells of page 1 would vanish."""
    first, second, third = as_files(tmp_path, answer(numbered=numbered))
    result = take_in_one(settings, first)
    assert (result.status, codes_of(result), survey_cells(settings)) == ("held", ["page-missing"], None)
    assert result.screening is not None
    lacks = "pages 2, 3 of 3 are missing" if numbered else "3 of 5 rows are missing"
    assert lacks in result.screening.findings[0].message
    with pytest.raises(OppfolgingError, match="send them"):
        flow.accept(settings, "side1.json", code="page-missing", **SIGNED)
    # the last page before the one between: what is missing is told by its number
    result = take_in_one(settings, third)
    assert result.screening is not None and (result.status, survey_cells(settings)) == ("held", None)
    assert ("page 2 of 3 is missing" if numbered else "2 of 5 rows") in result.screening.findings[0].message
    result = take_in_one(settings, second)
    assert (result.status, codes_of(result)) == ("accepted", [])
    assert standing(settings) == [("side1.json", "accepted"), ("side3.json", "accepted"), ("side2.json", "accepted")]
    assert survey_cells(settings) == [("I", Decimal("4.1")), ("100000008", Decimal("4.1"))]
    assert [r.status for r in take_in(settings, first, second, third)] == ["duplicate"] * 3
    # a newer answer takes the place of the whole of it, and only when it is whole
    newer = as_files(tmp_path, answer(score="4,3"), "ny")
    assert [r.status for r in take_in(settings, *newer[:2])] == ["held", "held"]
    assert survey_cells(settings) == [("I", Decimal("4.1")), ("100000008", Decimal("4.1"))]
    assert take_in_one(settings, newer[2]).status == "accepted"
    assert survey_cells(settings) == [("I", Decimal("4.3")), ("100000008", Decimal("4.3"))]
    flow.withdraw(settings, "ny2.json", **SIGNED)
    assert survey_cells(settings) == [("I", Decimal("4.1")), ("100000008", Decimal("4.1"))]
    assert all(dict(standing(settings))[f"ny{n}.json"] == "withdrawn" for n in (1, 2, 3))


def test_pages_in_one_delivery_are_one_answer(settings: Settings, tmp_path: Path) -> None:
    pages = {f"side{n}.json": json.dumps(page).encode() for n, page in enumerate(answer(), start=1)}
    half = dict(list(pages.items())[:2])
    result = take_in_one(settings, museum.zipped(half)(tmp_path / "half.zip"))
    assert (result.status, codes_of(result)) == ("held", ["page-missing"])
    assert take_in_one(settings, museum.zipped(pages)(tmp_path / "whole.zip")).status == "accepted"
    assert survey_cells(settings) == [("I", Decimal("4.1")), ("100000008", Decimal("4.1"))]
    all_in_one = museum.as_json([row for page in answer(score="4,2") for row in page])
    assert take_in_one(settings, all_in_one(tmp_path / "all.json")).status == "accepted"
    assert survey_cells(settings) == [("I", Decimal("4.2")), ("100000008", Decimal("4.2"))]


def test_answers_on_two_years_that_are_equally_long_are_not_mixed(settings: Settings, tmp_path: Path) -> None:
    old = as_files(tmp_path, answer(year="2023-24", score="4,0", rows=4), "old")
    new = as_files(tmp_path, answer(rows=4), "new")
    assert [r.status for r in take_in(settings, old[0], new[1])] == ["held", "held"]
    assert [r.status for r in take_in(settings, old[1], new[0])] == ["accepted", "accepted"]
    assert survey_cells(settings, "2023-24") == [("I", Decimal("4.0")), ("100000008", Decimal("4.0"))]
    assert survey_cells(settings) == [("I", Decimal("4.1")), ("100000008", Decimal("4.1"))]


def test_a_fault_on_a_page_is_told_of_that_page_and_its_correction_makes_the_answer_whole(
    settings: Settings, tmp_path: Path
) -> None:
    pages = answer(rows=4)
    wrong = [{**row, "Score": "9,9"} for row in pages[0]]
    path, second = as_files(tmp_path, [wrong, pages[1]])
    assert take_in_one(settings, path).status == "held"
    result = take_in_one(settings, second)
    assert result.screening is not None and result.status == "rejected"
    assert {(f.code, f.file, f.row) for f in result.screening.findings if f.code != "not-checked"} == {
        ("value-off-scale", "side1.json", 0)
    }
    assert take_in_one(settings, as_files(tmp_path, pages[:1], "corrected")[0]).status == "accepted"
    assert survey_cells(settings) == [("I", Decimal("4.1")), ("100000008", Decimal("4.1"))]


def test_a_run_killed_between_two_pages_leaves_neither_in_force(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = as_files(tmp_path, answer(rows=4))
    take_in_one(settings, first)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(flow, "_with", killed)
        take_in_one(settings, second)
    assert standing(settings) == [("side1.json", "accepted"), ("side2.json", "pending")]
    assert survey_cells(settings) is None
    assert [r.status for r in flow.settle(settings, now=NOW)] == ["accepted"]
    assert survey_cells(settings) == [("I", Decimal("4.1")), ("100000008", Decimal("4.1"))]


def killed(*args: object, **kwargs: object) -> None:
    raise KeyboardInterrupt


def codes_of(result: flow.IntakeResult) -> list[str]:
    """What was said of the file, but that no list of municipalities is in force."""
    assert result.screening is not None
    return [f.code for f in result.screening.findings if f.code != "not-checked"]


def arrivals(settings: Settings) -> list[tuple[str, str]]:
    """Every file that ever came, with how it stands."""
    return [(f.name, f.status) for f in files_of(Archive(settings).events())]


# --- what comes, and what it changes ---


def test_the_same_bytes_twice_change_nothing(settings: Settings, tmp_path: Path) -> None:
    first = take_in_one(settings, samples.national_tests(tmp_path / "a.csv"))
    ledger = settings.ledger.read_bytes()
    again = take_in_one(settings, samples.national_tests(tmp_path / "other-name.csv"))
    assert (first.status, again.status, again.earlier) == ("accepted", "duplicate", "accepted")
    assert settings.ledger.read_bytes() == ledger


def test_taking_in_archives_and_writes_the_arrival_and_nothing_else(settings: Settings, tmp_path: Path) -> None:
    path = samples.national_tests(tmp_path / "a.csv")
    taken = flow.take_in(path, settings, now=NOW)
    assert (taken.status, taken.changes, path.exists()) == ("pending", (), True)
    (event,) = Archive(settings).events()
    assert (event["event"], event["sha256"], event["datasets"]) == ("arrived", taken.sha256, ["national_tests"])
    assert sorted(p.name for p in settings.home.iterdir()) == ["archive"]
    assert read_partition(settings, *KEY) is None


def test_a_newer_export_supersedes_and_says_what_changed(settings: Settings, tmp_path: Path) -> None:
    take_in_one(settings, samples.national_tests(tmp_path / "a.csv"))
    newer = [*samples.rows("47"), ["4", "I", "61", "6101", "100000032", samples.NATION, "Ytterfabel", "Brumeblom",
                                   "Ny skole", "50", "1,8", "12"]]  # fmt: skip
    result = take_in_one(settings, samples.national_tests(tmp_path / "b.csv", newer))
    (change,) = result.changes
    assert (change.dataset, change.school_year) == KEY
    assert (change.added, change.removed, change.changed, change.unchanged) == (1, 0, 1, 5)
    assert set(partition(settings)["source_sha256"].to_pylist()) == {result.sha256}
    assert Archive(settings).path(result.sha256).exists()


def test_changes_are_counted_over_the_whole_partition_and_cells_that_are_gone_are_gone(
    settings: Settings, tmp_path: Path
) -> None:
    other = tmp_path / "other-grade.csv"
    other.write_bytes(
        samples.national_tests(other).read_bytes().replace("5. å".encode("utf-16-le"), "8. å".encode("utf-16-le"))
    )
    take_in(settings, samples.national_tests(tmp_path / "a.csv"), other)
    held = take_in_one(settings, samples.national_tests(tmp_path / "fewer.csv", samples.rows()[:4]))
    assert held.status == "held"
    accepted = flow.accept(settings, "fewer.csv", code="cells-in-force-would-vanish", now=NOW, **SIGNED)
    (change,) = accepted.changes
    assert (change.added, change.removed, change.changed, change.unchanged) == (0, 2, 0, 10)
    assert sorted(partition(settings)["grade"].to_pylist()) == [5] * 4 + [8] * 6


def test_several_files_are_settled_in_one_call_whatever_waited_before(settings: Settings, tmp_path: Path) -> None:
    waiting = flow.take_in(export_of(tmp_path / "waits.csv", year="2022-23"), settings, now=NOW)
    later, earlier = export_of(tmp_path / "later.csv"), export_of(tmp_path / "earlier.csv", year="2023-24")
    (empty := tmp_path / "empty.csv").touch()
    results = flow.take_in_all([empty, later, earlier], settings, now=NOW)
    assert [(r.file, r.status) for r in results] == [
        ("waits.csv", "accepted"), ("earlier.csv", "accepted"), ("later.csv", "accepted"), ("empty.csv", "rejected"),
    ]  # fmt: skip
    assert results[0].line == waiting.line


def test_a_warning_holds_the_file_until_somebody_accepts_it(settings: Settings, tmp_path: Path) -> None:
    take_in_one(settings, samples.national_tests(tmp_path / "a.csv"))
    held = take_in_one(settings, samples.national_tests(tmp_path / "b.csv", samples.rows()[:4]))
    assert held.status == "held"
    assert held.screening is not None and held.screening.blocking_codes == ("cells-in-force-would-vanish",)
    assert partition(settings).num_rows == 6
    arguments = {"code": "cells-in-force-would-vanish", "by": "Kari Fiktiv", "reason": "Udir har trukket to skoler"}
    with pytest.raises(OppfolgingError, match="needs a name and a reason"):
        flow.accept(settings, "b.csv", **{**arguments, "reason": " "}, now=NOW)
    with pytest.raises(NotFound, match="is not held for"):
        flow.accept(settings, "b.csv", **{**arguments, "code": "other"}, now=NOW)
    accepted = flow.accept(settings, "b.csv", **arguments, now=NOW)
    assert accepted.status == "accepted"
    assert partition(settings).num_rows == 4
    (acceptance,) = journal.acceptances(settings)
    assert (acceptance["by"], acceptance["reason"]) == ("Kari Fiktiv", "Udir har trukket to skoler")
    assert [(s["file"], s["verdict"]) for s in journal.screenings(settings)] == [
        ("a.csv", "PASS"), ("b.csv", "WARN"), ("b.csv", "WARN"),
    ]  # fmt: skip
    with Extracts(settings) as extracts:
        found = check_partition(extracts, KEY, run_id="a run", now=NOW, anew=True)
        again = check_partition(extracts, KEY, run_id="another run", now=NOW, anew=False)
    assert [c.code for c in found] == list(dict.fromkeys(e.code for e in load_suite(settings.expectations, KEY[0])))
    assert all(c.passed for c in found) and again == found and {c.run_id for c in again} == {"a run"}


def test_a_dismissed_file_is_settled_and_may_come_again(settings: Settings, tmp_path: Path) -> None:
    path = export_of(tmp_path / "broken.csv", "148")
    assert take_in_one(settings, path).status == "rejected"
    assert [f.name for f in open_files(files_of(Archive(settings).events()))] == ["broken.csv"]
    with pytest.raises(OppfolgingError, match="needs a name and a reason"):
        flow.dismiss(settings, "broken.csv", by="", reason="x", now=NOW)
    assert flow.dismiss(settings, "broken.csv", now=NOW, **SIGNED).status == "rejected"
    assert open_files(files_of(Archive(settings).events())) == () and flow.settle(settings, now=NOW) == []
    with pytest.raises(NotFound, match="it is dismissed"):
        flow.dismiss(settings, "broken.csv", now=NOW, **SIGNED)
    assert take_in_one(settings, path).status == "rejected"
    assert arrivals(settings) == [("broken.csv", "dismissed"), ("broken.csv", "rejected")]


def test_a_withdrawn_file_is_out_of_the_extract(settings: Settings, tmp_path: Path) -> None:
    old, new = export_of(tmp_path / "old.csv"), export_of(tmp_path / "new.csv", "47")
    take_in(settings, old, new)
    with pytest.raises(OppfolgingError, match="needs a name and a reason"):
        flow.withdraw(settings, "new.csv", by="Kari Fiktiv", reason=" ", now=NOW)
    flow.withdraw(settings, "new.csv", now=NOW, **SIGNED)
    assert score(settings) == 48
    with Extracts(settings) as extracts:
        assert extracts.ensure() == [KEY] and extracts.ensure() == []
    flow.withdraw(settings, "old.csv", now=NOW, **SIGNED)
    assert read_partition(settings, *KEY) is None
    with Extracts(settings) as extracts:
        assert extracts.paths() == {} and extracts.ensure() == []
    assert not partition_folder(settings, KEY).exists()
    with pytest.raises(NotFound, match="is not accepted: it is withdrawn"):
        flow.withdraw(settings, "old.csv", now=NOW, **SIGNED)
    # it may come again
    assert take_in_one(settings, old).status == "accepted" and score(settings) == 48


def test_a_file_is_found_by_name_or_hash_when_that_names_one(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    first, second = take_in(settings, export_of(tmp_path / "a.csv"), export_of(tmp_path / "x" / "a.csv", "47"))
    assert find_file(files_of(Archive(settings).events()), second.sha256[:10]).line == second.line
    with pytest.raises(NotFound, match=f"(?s)matches 2 files.*{first.sha256[:12]}.*{second.sha256[:12]}"):
        find_file(files_of(Archive(settings).events()), "a.csv")
    with pytest.raises(NotFound, match="is not held: it is accepted"):
        find_file(files_of(Archive(settings).events()), "a.csv", "held")
    with pytest.raises(NotFound, match="is not in the ledger"):
        find_file(files_of(Archive(settings).events()), "b.csv")


# --- in order of arrival, whatever happens in between ---


def test_an_older_file_killed_after_its_arrival_does_not_overwrite_a_newer_one(
    settings: Settings, tmp_path: Path
) -> None:
    flow.take_in(export_of(tmp_path / "old.csv"), settings, now=NOW)
    results = flow.take_in_all([export_of(tmp_path / "new.csv", "47")], settings, now=NOW)
    assert [(r.file, r.status) for r in results] == [("old.csv", "accepted"), ("new.csv", "accepted")]
    assert score(settings) == 47 and set(partition(settings)["source_sha256"].to_pylist()) == {results[1].sha256}


def test_an_older_file_accepted_after_a_newer_one_does_not_overwrite_it(settings: Settings, tmp_path: Path) -> None:
    take_in_one(settings, export_of(tmp_path / "first.csv"))
    fewer = samples.national_tests(tmp_path / "fewer.csv", samples.rows("46")[:4])
    held, newest = take_in(settings, fewer, export_of(tmp_path / "newest.csv", "47"))
    assert (held.status, newest.status) == ("held", "accepted")
    late = flow.accept(settings, "fewer.csv", code="cells-in-force-would-vanish", now=NOW, **SIGNED)
    assert late.status == "accepted" and all(c.is_nothing for c in late.changes)
    assert score(settings) == 47 and partition(settings).num_rows == 6


def test_a_run_that_is_killed_while_it_screens_is_finished_by_the_next(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow.take_in(samples.national_tests(tmp_path / "a.csv"), settings, now=NOW)
    with monkeypatch.context() as patch:
        patch.setattr(flow, "screen", killed)
        with pytest.raises(KeyboardInterrupt):
            flow.settle(settings, now=NOW)
    assert read_partition(settings, *KEY) is None
    assert [r.status for r in flow.settle(settings, now=NOW)] == ["accepted"]
    assert partition(settings).num_rows == 6
    assert flow.settle(settings, now=NOW) == []


def test_a_partition_to_which_files_were_added_one_by_one_is_the_one_made_of_all_of_them(
    settings: Settings, tmp_path: Path
) -> None:
    """A file is merged into what is in force, and not once more with every file before it."""
    starred = samples.text(samples.rows("45*"))
    fewer = [r for r in samples.rows("46") if r[4] != "100000016"]
    paths = [
        export_of(tmp_path / "a.csv"), samples.write(tmp_path / "b.csv", starred),
        samples.national_tests(tmp_path / "c.csv", [*samples.rows("*"), *samples.abroad("48", "0,1", "9")]),
        samples.national_tests(tmp_path / "d.csv", fewer), export_of(tmp_path / "e.csv", "47"),
    ]  # fmt: skip
    for path in paths:
        if (result := take_in_one(settings, path)).status == "held":
            assert result.screening is not None
            for code in result.screening.blocking_codes:
                flow.accept(settings, path.name, code=code, now=NOW, **SIGNED)
    with Extracts(settings) as extracts:
        assert len(extracts.in_force[KEY]) == 5
        added = extracts.path(KEY).read_bytes()
        extracts.make(KEY)
        assert extracts.path(KEY).read_bytes() == added


def test_a_run_that_is_killed_before_the_extract_was_made_leaves_no_old_one_in_use(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in_one(settings, export_of(tmp_path / "old.csv"))
    flow.take_in(export_of(tmp_path / "new.csv", "47"), settings, now=NOW)
    with monkeypatch.context() as patch:
        patch.setattr(Extracts, "make", killed)
        with pytest.raises(KeyboardInterrupt):
            flow.settle(settings, now=NOW)
    assert flow.settle(settings, now=NOW) == []
    assert score(settings) == 47
    with Extracts(settings) as extracts:
        assert not extracts.is_made(KEY) and extracts.ensure() == [KEY] and extracts.is_made(KEY)


def test_an_older_export_comes_back_only_after_somebody_accepts_it(settings: Settings, tmp_path: Path) -> None:
    first, second = export_of(tmp_path / "first.csv"), export_of(tmp_path / "second.csv", "47")
    take_in(settings, first, second)
    back = take_in_one(settings, first)
    assert (back.status, codes_of(back), score(settings)) == ("held", ["older-export"], 47)
    assert flow.accept(settings, "first.csv", code="older-export", now=NOW, **SIGNED).status == "accepted"
    assert score(settings) == 48
    # what was accepted once was that one return, and no other
    assert (forth := take_in_one(settings, second)).status == "held" and codes_of(forth) == ["older-export"]
    assert flow.accept(settings, "second.csv", code="older-export", now=NOW, **SIGNED).status == "accepted"
    again = take_in_one(settings, first)
    assert (again.status, codes_of(again), score(settings)) == ("held", ["older-export"], 47)


def view(path: Path, nedre: tuple[str, str, str], score: str = "48") -> Path:
    """An export in which Nedre skole, hidden in the public view, has these cells."""
    lines = samples.rows(score)
    return samples.national_tests(path, [*lines[:4], [*lines[4][:9], *nedre], lines[5]])


def test_the_view_with_hidden_figures_supersedes_and_says_how_many_cells_it_brings(
    settings: Settings, tmp_path: Path
) -> None:
    public, full = view(tmp_path / "public.csv", ("*", "*", "*")), view(tmp_path / "full.csv", ("44*", "2,1 *", "8*"))
    take_in_one(settings, public)
    brought = take_in_one(settings, full)
    assert (brought.status, brought.changes[0].as_text()) == (
        "accepted", "national_tests 2024-25: 0 added, 0 removed, 1 changed (1 of them hidden before), 5 unchanged",
    )  # fmt: skip
    nedre = partition(settings).filter(pc.field("restricted")).to_pylist()
    assert [(r["unit_code"], r["value"], r["n_pupils"], r["state"], r["raw_value"]) for r in nedre] == [
        ("100000016", 44, 8, "observed", "44*")
    ]


def test_the_public_view_never_replaces_one_that_shows_what_it_hides(settings: Settings, tmp_path: Path) -> None:
    full, public = view(tmp_path / "full.csv", ("44*", "2,1 *", "8*")), view(tmp_path / "public.csv", ("*", "*", "*"))
    take_in_one(settings, full)
    shown = ["unit_code", "value", "n_pupils", "state", "restricted"]
    before = partition(settings).select(shown)
    later = take_in_one(settings, public)
    assert (later.status, later.changes[0].is_nothing, codes_of(later)) == ("accepted", True, ["fuller-view-stands"])
    assert partition(settings).select(shown).equals(before)
    # a correction of a figure that both show cannot be told apart from an old file: somebody has to look
    corrected = view(tmp_path / "corrected.csv", ("*", "*", "*"), "47")
    held = take_in_one(settings, corrected)
    assert (held.status, codes_of(held), score(settings)) == ("held", ["fuller-view-stands", "fuller-view-differs"], 48)
    assert held.screening is not None and held.screening.findings[-1].found == "47, where 48 is in force"
    # the same view anew takes its place, and withdrawn it gives way to the public one
    again = take_in_one(settings, view(tmp_path / "again.csv", ("45*", "2,1*", "8*"), "47"))
    assert (again.status, score(settings)) == ("accepted", 47)
    for name in ("again.csv", "full.csv"):
        flow.withdraw(settings, name, now=NOW, **SIGNED)
    assert set(partition(settings)["source_sha256"].to_pylist()) == {sha256_of(public)}


def test_an_export_with_an_older_stamp_in_its_name_waits(settings: Settings, tmp_path: Path) -> None:
    newer, older = "20260218-1045_tests.csv", "20260117-0900_tests.csv"
    assert take_in_one(settings, export_of(tmp_path / newer)).status == "accepted"
    late = take_in_one(settings, export_of(tmp_path / older, "47"))
    assert (late.status, codes_of(late), score(settings)) == ("held", ["older-export"], 48)
    assert late.screening is not None
    finding = late.screening.findings[-1]
    # two exports may have the same name: the hash and the day tell them apart
    assert str(finding.expected).startswith(f"an export newer than {newer} (") and f"({late.sha256[:12]})" in str(
        finding.found
    )
    assert take_in_one(settings, export_of(tmp_path / "20260301-0800_tests.csv", "46")).status == "accepted"


def test_the_same_archive_gives_the_same_bytes_whatever_the_order_of_screening(tmp_path: Path) -> None:
    files = [
        export_of(tmp_path / "year-before.csv", year="2023-24"), export_of(tmp_path / "first.csv"),
        samples.national_tests(tmp_path / "fewer.csv", samples.rows("46")[:4]), export_of(tmp_path / "newer.csv", "47"),
        museum.as_json(museum.survey_of())(tmp_path / "survey.json"),
        museum.register(museum.school())(tmp_path / "schools.json"), museum.change()(tmp_path / "changes.json"),
        museum.as_json([*museum.survey_of(Score="4,2"), *museum.survey_of(TrinnKode="10")])(tmp_path / "newer-survey.json"),
    ]  # fmt: skip

    def accept_all(settings: Settings) -> None:
        while held := [f for f in open_files(files_of(Archive(settings).events())) if f.status == "held"]:
            flow.accept(settings, held[0].sha256, code=held[0].codes[0], now=NOW, **SIGNED)

    def one_by_one(settings: Settings) -> None:
        for path in files:
            take_in_one(settings, path)
            accept_all(settings)

    def all_at_once(settings: Settings) -> None:
        take_in(settings, *files)
        accept_all(settings)

    def by_dataset_backwards(settings: Settings) -> None:
        for path in files:
            flow.take_in(path, settings, now=NOW)
        for dataset in sorted({d for f in files_of(Archive(settings).events()) for d in f.datasets}, reverse=True):
            flow.settle(settings, now=NOW, datasets={dataset})
        accept_all(settings)

    found = {}
    for way in (one_by_one, all_at_once, by_dataset_backwards):
        settings = load_settings(tmp_path / way.__name__)
        way(settings)
        assert {status for _, status in arrivals(settings)} == {"accepted"}, (way.__name__, arrivals(settings))
        with Extracts(settings) as extracts:
            assert extracts.stale() == [] and len(extracts.in_force) == 5
        found[way.__name__] = tree_hash(settings.extracts)
    scratch = Settings(home=tmp_path / "anew")
    with Extracts(settings, out=scratch, anew=True) as extracts:
        extracts.ensure()
    found["anew"] = tree_hash(scratch.extracts)
    assert len(set(found.values())) == 1, found


def changed_cell(folder: Path) -> None:
    table = pq.read_table(folder / PART, partitioning=None)
    at = table.schema.get_field_index("n_pupils")
    counts = pa.array([n and n + 1 for n in table["n_pupils"].to_pylist()], table.schema.field(at).type)
    pq.write_table(table.set_column(at, "n_pupils", counts), folder / PART)


def flipped_bit(folder: Path) -> None:
    content = bytearray((folder / PART).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / PART).write_bytes(content)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "deleted": shutil.rmtree,
    "without its rows": lambda folder: (folder / PART).unlink(),
    "without its record": lambda folder: (folder / RECORD).unlink(),
    "record torn": lambda folder: (folder / RECORD).write_text('{"identity": "'),
    "cut short": lambda folder: (folder / PART).write_bytes((folder / PART).read_bytes()[:-9]),
    "bit": flipped_bit,
    "cell": changed_cell,
}


def test_a_deleted_or_damaged_partition_is_never_read(settings: Settings, tmp_path: Path) -> None:
    take_in_one(settings, samples.national_tests(tmp_path / "a.csv"))
    whole, before = partition(settings), tree_hash(settings.extracts)
    for name, damage in DAMAGE.items():
        damage(partition_folder(settings, KEY))
        assert partition(settings).equals(whole), name
        counts = read_partition(settings, *KEY, columns=["n_pupils"])
        assert counts is not None and counts.equals(whole.select(["n_pupils"])), name
        with Extracts(settings) as extracts:
            assert extracts.ensure() == [KEY], name
        assert tree_hash(settings.extracts) == before, name


def test_a_partition_of_other_files_or_another_reader_is_never_read(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in_one(settings, export_of(tmp_path / "a.csv"))
    with Extracts(settings) as extracts:
        assert extracts.is_made(KEY)
        identity = extracts.identity(KEY)
    monkeypatch.setattr("dagster_project.intake.partitions.readers_version", lambda: "other readers")
    with Extracts(settings) as extracts:
        assert extracts.identity(KEY) != identity and extracts.stale() == [KEY]


# --- rejected files ---


def another_register(settings: Settings, tmp_path: Path) -> None:
    with (settings.registers / "exceptions.yaml").open("a", encoding="utf-8") as register:
        register.write('  - {unit_level: municipality, unit_code: "6101", kind: pseudo_unit, rounds: all, '
                       'ground: "a test", source: "a test"}\n')  # fmt: skip


def another_list(settings: Settings, tmp_path: Path) -> None:
    newer = {"validFrom": "2021-01-01", "classificationItems": [{"code": "6101", "name": "Brumeblom"}]}
    flow.take_in(museum.as_json(newer)(tmp_path / "newer-list.json"), settings, now=NOW)


@pytest.mark.parametrize("way_out", [another_register, another_list])
def test_a_rejected_file_comes_in_when_the_reason_is_gone(
    way_out: Callable[[Settings, Path], None], rules_home: Settings, tmp_path: Path
) -> None:
    path = samples.national_tests(tmp_path / "tests.csv")
    _, refused = take_in(rules_home, museum.version("6102")(tmp_path / "list.json"), path)
    assert (refused.status, set(codes_of(refused))) == ("rejected", {"unknown-municipality-code"})
    again = take_in_one(rules_home, path)
    assert (again.status, again.earlier) == ("duplicate", "rejected") and flow.settle(rules_home, now=NOW) == []
    way_out(rules_home, tmp_path)
    flow.settle(rules_home, now=NOW, datasets={schema.MUNICIPALITY_VERSIONS})
    came = take_in_one(rules_home, path)
    assert came.status == "accepted" and partition(rules_home).num_rows == 6


def test_a_rejected_file_is_screened_again_by_another_program_and_only_then(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(*arguments: object, **named: object) -> None:
        raise RuntimeError("column start_year is not there")

    path = samples.national_tests(tmp_path / "a.csv")
    with monkeypatch.context() as patch:
        patch.setattr(screen, "validate", mistaken)
        refused, behind = take_in(settings, path, museum.as_json(museum.survey_of())(tmp_path / "survey.json"))
    assert refused.screening is not None and codes_of(refused) == ["screening-failed"]
    (finding,) = refused.screening.findings
    assert finding.found == "RuntimeError: column start_year is not there"
    assert (refused.status, behind.status) == ("rejected", "rejected")
    assert flow.settle(settings, now=NOW) == []
    monkeypatch.setattr(flow, "program_version", lambda: "with the mistake mended")
    assert [(r.file, r.status) for r in flow.settle(settings, now=NOW)] == [
        ("a.csv", "accepted"), ("survey.json", "accepted"),
    ]  # fmt: skip


# --- a reader that breaks ---

RAISES = "raise RuntimeError('nobody foresaw this')"
DIES = "os.kill(os.getpid(), 9)"
HANGS = "time.sleep(60)"
EATS = "bytearray(8 << 30)"
FULL = "raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))"


@pytest.mark.parametrize(
    ("what", "code", "found"),
    [
        (RAISES, "reader-failed", "RuntimeError: nobody foresaw this"),
        (DIES, "reader-died", "the process ended with -9; it may have needed more memory"),
        (EATS, "reading-took-too-much-memory", "more memory than a file may take"),
    ],
)
def test_a_file_whose_reader_raises_or_dies_does_not_stop_the_files_behind_it(
    what: str, code: str, found: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [export_of(tmp_path / f"{name}.csv", year=year)
             for name, year in (("before", "2022-23"), ("broken", "2023-24"), ("behind", YEAR))]  # fmt: skip
    with monkeypatch.context() as patch:
        reading(patch, "broken.csv", what)
        before, broken, behind = take_in(settings, *files)
    assert [before.status, broken.status, behind.status] == ["accepted", "rejected", "accepted"]
    assert broken.screening is not None and broken.screening.stages["readable"] == "FAIL"
    (finding,) = broken.screening.findings
    assert (finding.code, finding.file) == (code, "broken.csv") and str(finding.found).startswith(found)
    assert finding.expected and finding.fix
    assert partition(settings).num_rows == 6 and (settings.quarantine / broken.sha256 / "rows.csv").exists()


def test_a_file_that_is_never_read_to_its_end_is_given_up(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = Archive(settings)
    sha256 = archive.keep(archive.store(samples.national_tests(tmp_path / "a.csv")).sha256).name
    with monkeypatch.context() as patch:
        reading(patch, "endless.csv", HANGS)
        with Reader(settings, seconds=0.5) as reader:
            start = time.monotonic()
            stopped = reader.read(sha256, "endless.csv")
            assert time.monotonic() - start < 30
    assert (stopped.failed, stopped.tables, [f.code for f in stopped.findings]) == (
        "readable", (), ["reading-took-too-long"],
    )  # fmt: skip
    with Reader(settings) as reader:
        assert reader.read(sha256, "a.csv").failed is None


@pytest.mark.parametrize(("what", "code"), [(DIES, "reader-died"), (FULL, "reader-failed")])
def test_what_the_machine_did_wrong_is_not_held_against_the_file_when_it_comes_again(
    what: str, code: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = samples.national_tests(tmp_path / "a.csv")
    with monkeypatch.context() as patch:
        reading(patch, "a.csv", what)
        refused = take_in_one(settings, path)
    assert (refused.status, codes_of(refused)) == ("rejected", [code])
    assert flow.settle(settings, now=NOW) == []
    assert take_in_one(settings, path).status == "accepted"
    assert open_files(files_of(Archive(settings).events())) == ()


@pytest.mark.parametrize("bytes_left", [None, b"", b"48 -> 49"])
def test_a_file_waits_while_one_it_is_compared_with_cannot_be_read(
    bytes_left: bytes | None, settings: Settings, tmp_path: Path
) -> None:
    """What the archive has lost is never read as something else; what rests on it waits, and comes in by itself."""
    first = take_in_one(settings, export_of(tmp_path / "first.csv"))
    stored = Archive(settings).path(first.sha256)
    whole = stored.read_bytes()
    shutil.rmtree(settings.read)
    shutil.rmtree(settings.extracts)
    stored.unlink()
    if bytes_left is not None:
        stored.write_bytes(whole.replace("48".encode("utf-16-le"), "49".encode("utf-16-le")) if bytes_left else b"")
    with pytest.raises(IntegrityProblem, match=r"first\.csv cannot be read from the archive") as caught:
        read_partition(settings, *KEY)
    code = "archived-file-missing" if bytes_left is None else "archived-file-changed"
    assert [(f.code, f.expected) for f in caught.value.findings] == [(code, first.sha256)]
    flow.take_in(export_of(tmp_path / "second.csv", "47"), settings, now=NOW)
    with pytest.raises(IntegrityProblem, match=r"first\.csv cannot be read from the archive"):
        flow.settle(settings, now=NOW)
    assert arrivals(settings) == [("first.csv", "accepted"), ("second.csv", "pending")]
    stored.write_bytes(whole)
    assert [r.status for r in flow.settle(settings, now=NOW)] == ["accepted"] and score(settings) == 47


def test_a_kept_reading_that_was_changed_is_not_used(settings: Settings, tmp_path: Path) -> None:
    taken = take_in_one(settings, samples.national_tests(tmp_path / "a.csv"))
    whole, (kept,) = partition(settings), settings.read.rglob("*.parquet")
    changed = pq.read_table(kept).slice(1)
    pq.write_table(changed, kept)
    (partition_folder(settings, KEY) / PART).unlink()
    assert partition(settings).equals(whole) and taken.status == "accepted"


# --- the inbox ---


def in_inbox(settings: Settings, name: str, content: bytes, *, long_ago: bool = True) -> Path:
    settings.inbox.mkdir(parents=True, exist_ok=True)
    path = settings.inbox / name
    path.write_bytes(content)
    if long_ago:  # so that nobody waits a second to see whether it grows
        os.utime(path, (0, 0))
    return path


@pytest.fixture
def leases(tmp_path: Path) -> None:
    """Skips where the file system cannot tell who writes to a file. The program is not asked: it may be wrong."""
    path = tmp_path / "asked"
    with path.open("wb"), path.open("rb") as handle:
        try:
            fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except BlockingIOError:
            return
        except (OSError, AttributeError):
            pass
    pytest.skip("this file system knows no leases")


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    return samples.national_tests(tmp_path / "content").read_bytes()


def test_a_file_that_another_process_has_open_for_writing_is_left_alone_until_it_is_whole(
    settings: Settings, content: bytes, leases: None
) -> None:
    half = len(content) // 4 * 2
    path = in_inbox(settings, "a.csv", content[:half])
    code = ("import sys; out = open(sys.argv[1], 'ab'); print('open', flush=True); "
            "out.write(bytes.fromhex(sys.stdin.readline()))")  # fmt: skip
    writer = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None and writer.stdout.readline() == "open\n"
    assert [(r.file, r.status) for r in flow.take_in_inbox(settings, now=NOW)] == [("a.csv", "moving")]
    assert path.read_bytes() == content[:half] and not settings.ledger.exists()
    assert inbox.claimed(settings.inbox) == []
    writer.communicate(content[half:].hex() + "\n")
    os.utime(path, (0, 0))
    assert [r.status for r in flow.take_in_inbox(settings, now=NOW)] == ["accepted"]
    assert partition(settings).num_rows == 6 and not path.exists()


def test_a_file_that_grows_is_left_alone_until_it_is_whole(settings: Settings, content: bytes) -> None:
    path = in_inbox(settings, "a.csv", content[:10], long_ago=False)
    stop = threading.Event()

    def grow() -> None:
        at = 10
        while not stop.wait(0.05) and at < len(content) - 10:
            with path.open("ab") as out:
                out.write(content[at : at + 10])
            at += 10
        with path.open("ab") as out:
            out.write(content[at:])

    writer = threading.Thread(target=grow)
    writer.start()
    assert [(r.file, r.status) for r in flow.take_in_inbox(settings, now=NOW)] == [("a.csv", "moving")]
    stop.set()
    writer.join()
    assert path.read_bytes() == content and not settings.ledger.exists()
    assert [r.status for r in flow.take_in_inbox(settings, now=NOW)] == ["accepted"]
    assert partition(settings).num_rows == 6


def test_a_file_that_moves_again_while_it_is_taken_is_put_back(
    settings: Settings, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = in_inbox(settings, "a.csv", content[:-40])
    real = flow.take_in

    def written_to(claimed: Path, *arguments: object, **more: object) -> flow.IntakeResult:
        taken = real(claimed, *arguments, **more)  # type: ignore[arg-type]
        with claimed.open("ab") as out:
            out.write(content[-40:])
        return taken

    with monkeypatch.context() as patch:
        patch.setattr(flow, "take_in", written_to)
        flow.archive_inbox(settings, now=NOW)
    assert path.read_bytes() == content
    os.utime(path, (0, 0))
    results = flow.take_in_inbox(settings, now=NOW)
    assert [(r.file, r.status) for r in results] == [("a.csv", "rejected"), ("a.csv", "accepted")]
    assert partition(settings).num_rows == 6


def test_a_file_that_is_still_written_and_was_named_by_hand_is_not_taken(
    settings: Settings, tmp_path: Path, leases: None
) -> None:
    path = samples.national_tests(tmp_path / "a.csv")
    os.utime(path, (0, 0))
    with path.open("ab"):
        results = flow.take_in_all([path, tmp_path / "gone.csv"], settings, now=NOW)
    assert sorted((r.file, r.status) for r in results) == [("a.csv", "moving"), ("gone.csv", "moving")]
    assert not settings.ledger.exists() and path.exists()


def test_where_the_system_cannot_tell_who_writes_only_movement_counts(
    settings: Settings, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(fcntl, "F_SETLEASE")
    path = in_inbox(settings, "a.csv", content)
    with path.open("ab"):
        assert not inbox.is_being_written(path)
        assert inbox.still([path]) == ([path], [])


UNFINISHED = ("a.csv.part", "a.csv.PART", "a.csv.crdownload", "a.csv.tmp", "a.csv.download", "a.csv.filepart",
              "a.csv.partial", ".a.csv", "~$a.xlsx")  # fmt: skip


def test_part_files_and_open_workbooks_are_never_taken(settings: Settings, content: bytes) -> None:
    paths = [in_inbox(settings, name, content) for name in UNFINISHED]
    assert flow.take_in_inbox(settings, now=NOW) == []
    assert all(p.exists() for p in paths) and not settings.ledger.exists()
    paths[0].rename(settings.inbox / "a.csv")
    assert [(r.file, r.status) for r in flow.take_in_inbox(settings, now=NOW)] == [("a.csv", "accepted")]


def test_a_name_that_is_no_text_comes_in_under_one_that_is(settings: Settings, content: bytes) -> None:
    """As an old system writes it. It stopped every later run, and the files behind it."""
    name, old = os.fsdecode(b"bl\xe5b\xe6r.csv"), 1_600_000_000
    for path in (in_inbox(settings, name, content), in_inbox(settings, "other.csv", content)):
        os.utime(path, (old, old))
    taken = flow.take_in_inbox(settings, now=NOW)
    assert [r.status for r in taken] == ["accepted", "duplicate"] and not list(settings.inbox.rglob("*.csv"))
    assert {r.file for r in taken} == {"blåbær.csv", "other.csv"}
    screened = screen_path(in_inbox(settings, name, content), settings, now=NOW)
    assert screened.verdict is Severity.PASS
    json.dumps(screened.summary(), ensure_ascii=False).encode("utf-8")


def test_a_folder_or_a_link_in_the_inbox_stays_there_and_is_named(
    settings: Settings, content: bytes, tmp_path: Path
) -> None:
    """A link that was claimed by renaming pointed nowhere: nothing came in, and nothing was said."""
    sent = tmp_path / "sent.csv"
    sent.write_bytes(content)
    (settings.inbox / "a-delivery").mkdir(parents=True)
    (settings.inbox / "a-delivery" / "in-it.csv").write_bytes(content)
    (settings.inbox / "link.csv").symlink_to(os.path.relpath(sent, settings.inbox))
    assert flow.take_in_inbox(settings) == []
    assert (settings.inbox / "link.csv").read_bytes() == content
    named = {s.finding.file: s.finding for s in examine(settings)}
    assert {"a-delivery", "link.csv"} <= set(named)
    assert {named[n].code for n in ("a-delivery", "link.csv")} == {"not-a-file"} and named["link.csv"].fix


def test_what_is_no_file_of_its_own_is_told_by_its_kind_and_stops_nothing(
    settings: Settings, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe was opened and never answered; a file that nobody may read, and a link to nothing, were passed over."""
    in_inbox(settings, "good.csv", content)
    os.mkfifo(settings.inbox / "pipe.csv")
    (settings.inbox / "gone.csv").symlink_to("/nowhere/x.csv")
    (settings.inbox / "out.csv").symlink_to("/etc/hostname")
    (settings.inbox / "folder").mkdir()
    (settings.inbox / "shut.csv").write_bytes(content)
    with socket.socket(socket.AF_UNIX) as door:
        monkeypatch.chdir(settings.inbox)  # the path of a socket may have 107 bytes
        door.bind("door.csv")
        access = os.access
        monkeypatch.setattr(os, "access", lambda path, mode: "shut" not in str(path) and access(path, mode))
        assert [(r.file, r.status) for r in flow.take_in_inbox(settings, now=NOW)] == [("good.csv", "accepted")]
        kinds = {s.finding.file: s.finding.found for s in examine(settings) if s.finding.code == "not-a-file"}
        told = [p.what for p in open_problems(settings, NOW.date())]
    of_pipe = "a pipe, socket or device"
    assert kinds == {"pipe.csv": of_pipe, "door.csv": of_pipe, "gone.csv": "a link that leads nowhere", "out.csv": "a link",
                     "folder": "a folder", "shut.csv": "a file that may not be read"}  # fmt: skip
    assert all(any(f"{name} in the inbox is {kind}." in what for what in told) for name, kind in kinds.items())


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"f\xf8rste.csv", "første.csv"),
        (b"a\nFAIL forged: b.csv", "a FAIL forged: b.csv"),
        (b"\x1b[31mred.csv", "\\u001b[31mred.csv"),
        ("a\u202evsc.csv".encode(), "a\\u202evsc.csv"),
        (b"x" * 251 + b".csv", "x" * 251 + ".csv"),
        (b"-rf.csv", "-rf.csv"),
        ("å" * 125 + ".csv", None),
    ],
)
def test_a_file_of_an_odd_name_is_archived_under_one_that_can_be_read(
    name: bytes | str, shown: str | None, settings: Settings, content: bytes
) -> None:
    in_inbox(settings, os.fsdecode(name), content)
    in_inbox(settings, "behind.csv", content.replace("48".encode("utf-16-le"), "47".encode("utf-16-le")))
    batch = inbox.new_batch(settings)  # claimed by a run that was killed, while another of its name came
    assert inbox.claim(settings.inbox / os.fsdecode(name), batch) is not None
    in_inbox(settings, os.fsdecode(name), b"no figures")
    inbox.give_back(batch / os.fsdecode(name), settings.inbox)
    taken = {r.file: r.status for r in flow.take_in_inbox(settings, now=NOW)}
    assert len(taken) == 3 and taken.pop("behind.csv") == "accepted"
    assert sorted(taken.values()) == ["accepted", "rejected"]
    assert taken[shown or os.fsdecode(name)] == "rejected" and inbox.waiting(settings.inbox) == []


def test_a_torn_line_of_the_journal_stops_nobody(settings: Settings) -> None:
    whole = {"sha256": "a", "file": "a.csv", "findings": [], "checks": []}
    journal.record_screening(settings, {**whole, "verdict": "PASS"})
    path = settings.history / "checks.jsonl"
    path.write_bytes(path.read_bytes() + b'{"verdict": "PA')
    journal.record_screening(settings, {"verdict": "FAIL"})
    journal.record_screening(settings, {**whole, "verdict": "FAIL"})
    assert [line["verdict"] for line in journal.screenings(settings)] == ["PASS", "FAIL"]


def test_a_file_where_a_folder_should_be_is_named(settings: Settings) -> None:
    settings.home.mkdir(parents=True)
    settings.marts.write_text("", encoding="utf-8")
    assert [(s.finding.code, s.finding.file) for s in examine(settings)] == [("not-a-folder", "marts")]


@pytest.mark.parametrize("name", ["b.csv", "a.csv"])
@pytest.mark.parametrize("step", ["take_in", "in_order"])
def test_a_process_killed_between_claim_and_ledger_loses_nothing(
    step: str, name: str, settings: Settings, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_inbox(settings, "b.csv", content)
    with monkeypatch.context() as patch:
        patch.setattr(flow, step, killed)
        with pytest.raises(KeyboardInterrupt):
            flow.take_in_inbox(settings, now=NOW)
    assert [p.name for p in inbox.claimed(settings.inbox)] == ["b.csv"] and not settings.ledger.exists()
    # a newer file came meanwhile, of the same name or of one that sorts before it
    in_inbox(settings, name, content.replace("48".encode("utf-16-le"), "47".encode("utf-16-le")))
    results = flow.take_in_inbox(settings, now=NOW)
    assert [(r.file, r.status) for r in results] == [("b.csv", "accepted"), (name, "accepted")]
    assert results[0].sha256 != results[1].sha256 and score(settings) == 47
    assert list(settings.inbox.iterdir()) == []


def test_a_process_killed_between_archive_and_ledger_loses_nothing(
    settings: Settings, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_inbox(settings, "a.csv", content)
    with monkeypatch.context() as patch:
        patch.setattr(Archive, "append", killed)
        with pytest.raises(KeyboardInterrupt):
            flow.take_in_inbox(settings, now=NOW)
    assert [r.status for r in flow.take_in_inbox(settings, now=NOW)] == ["accepted"]
    assert Archive(settings).verify() == [] and partition(settings).num_rows == 6


def test_two_processes_do_not_take_the_same_file(settings: Settings, content: bytes) -> None:
    path = in_inbox(settings, "a.csv", content)
    assert inbox.claim(path, inbox.new_batch(settings)) is not None
    assert inbox.claim(path, inbox.new_batch(settings)) is None


def test_a_full_disk_leaves_nothing_under_a_hash_and_the_file_for_the_next_call(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_inbox(settings, "tests.csv", b"anything")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as broken:
        broken.setattr("dagster_project.archive.store.os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            flow.take_in_inbox(settings)
    assert [p.read_bytes() for p in inbox.claimed(settings.inbox)] == [b"anything"]
    assert [p for p in settings.archive.rglob("*") if p.is_file() and "objects" in p.parts] == []
    assert [r.status for r in flow.take_in_inbox(settings)] == ["rejected"]
    assert inbox.claimed(settings.inbox) == []


# --- what is kept ---


def test_a_flipped_bit_in_the_archive_and_a_changed_ledger_line_are_found(settings: Settings, tmp_path: Path) -> None:
    result = flow.take_in(samples.national_tests(tmp_path / "a.csv"), settings, now=NOW)
    flow.settle(settings, now=NOW)
    archive = Archive(settings)
    assert archive.verify() == []
    stored = archive.path(result.sha256)
    content = bytearray(stored.read_bytes())
    content[100] ^= 1
    stored.chmod(0o644)
    stored.write_bytes(content)
    assert [f.code for f in archive.verify()] == ["archived-file-changed"]
    lines = settings.ledger.read_text(encoding="utf-8").splitlines()
    settings.ledger.write_text("\n".join([lines[0].replace("a.csv", "b.csv"), *lines[1:]]) + "\n", encoding="utf-8")
    assert [(f.code, f.row) for f in archive.verify()] == [("ledger-line-changed", 1), ("archived-file-changed", None)]


def test_a_torn_ledger_line_is_set_aside_and_the_chain_goes_on(settings: Settings, tmp_path: Path) -> None:
    flow.take_in(samples.national_tests(tmp_path / "a.csv"), settings, now=NOW)
    with settings.ledger.open("ab") as handle:
        handle.write(b'{"event": "arr')
    archive = Archive(settings)
    count = len(archive.events())
    archive.append({"event": "note"})
    assert len(archive.events()) == count + 1
    assert archive.verify() == []
    assert (settings.archive / "ledger.torn").read_bytes() == b'{"event": "arr\n'


def test_a_register_is_screened_before_the_figures_that_are_held_to_it_whichever_dataset_asks(
    settings: Settings, tmp_path: Path
) -> None:
    flow.take_in(museum.version("6101")(tmp_path / "list.json"), settings, now=NOW)
    flow.take_in(samples.national_tests(tmp_path / "tests.csv"), settings, now=NOW)
    results = flow.settle(settings, now=NOW, datasets={schema.NATIONAL_TESTS})
    assert [(r.file, r.status) for r in results] == [("list.json", "accepted"), ("tests.csv", "accepted")]


def test_a_call_killed_between_archive_and_ledger_neither_loses_the_file_nor_looks_like_a_lost_ledger(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    path = samples.national_tests(tmp_path / "a.csv")
    take_in(settings, museum.version("6101")(tmp_path / "list.json"))
    with monkeypatch.context() as patch:
        patch.setattr(Archive, "append", killed)
        with pytest.raises(KeyboardInterrupt):
            flow.take_in(path, settings, now=NOW)
    with writing(settings, "test"):
        assert take_in_one(settings, path).status == "accepted"
    assert Archive(settings).verify() == []


def test_views_with_different_hidden_figures_are_put_together(settings: Settings, tmp_path: Path) -> None:
    """Two owners each see their own: what a later file hides stays, and nothing is hidden again."""

    def seen(path: Path, nedre: str, brumeblom: str) -> Path:
        lines = samples.rows()
        cells = {4: (nedre, nedre and "2,1*", "8*") if nedre != "*" else ("*",) * 3, 3: (brumeblom, "1,8", "100")}
        return samples.national_tests(
            path, [[*line[:9], *cells[i]] if i in cells else line for i, line in enumerate(lines)]
        )

    take_in(settings, seen(tmp_path / "a.csv", "44*", "*"), seen(tmp_path / "b.csv", "*", "48*"))
    rows = {r["unit_code"]: (r["value"], r["restricted"]) for r in partition(settings).to_pylist()}
    assert rows["100000016"] == (44, True) and rows["100000008"] == (48, True)
    only_one = take_in_one(settings, seen(tmp_path / "c.csv", "45*", "*"))
    assert (only_one.status, codes_of(only_one)[-1]) == ("held", "fuller-view-differs")
    flow.accept(settings, "c.csv", code="fuller-view-differs", now=NOW, **SIGNED)
    rows = {r["unit_code"]: (r["value"], r["restricted"]) for r in partition(settings).to_pylist()}
    assert rows["100000016"] == (45, True) and rows["100000008"] == (48, True)


def test_a_figure_that_comes_without_its_star_waits_for_somebody(settings: Settings, tmp_path: Path) -> None:
    take_in_one(settings, view(tmp_path / "full.csv", ("44*", "2,1*", "8*")))
    bare = take_in_one(settings, view(tmp_path / "bare.csv", ("44", "2,1", "8")))
    assert (bare.status, codes_of(bare)) == ("held", ["star-gone"])
    assert bare.screening is not None and bare.screening.findings[-1].found == "44, where 44* is in force"
    flow.accept(settings, "bare.csv", code="star-gone", now=NOW, **SIGNED)
    assert not any(partition(settings)["restricted"].to_pylist())


def test_two_files_of_a_zip_that_hold_the_same_slice_are_refused(settings: Settings, tmp_path: Path) -> None:
    """Each cell came twice, also where the two contradicted each other, and every run stopped."""
    pair = [export_of(tmp_path / "a.csv"), export_of(tmp_path / "b.csv", "40")]
    both = museum.zipped({p.name: p.read_bytes() for p in pair})(tmp_path / "both.zip")
    found = take_in_one(settings, both)
    assert (found.status, codes_of(found)) == ("rejected", ["slice-twice"])


@pytest.mark.parametrize("total", [None, "", "0", "*", "3"])
def test_an_answer_that_does_not_tell_its_rows_is_not_taken_for_whole(
    settings: Settings, tmp_path: Path, total: str | None
) -> None:
    (page,) = answer(rows=4, size=4)
    (path,) = as_files(tmp_path, [[{**row, "RaderTotalt": total} for row in page]])
    found = take_in_one(settings, path)
    assert (found.status, codes_of(found)) == ("rejected", ["page-total-wrong"])


def test_pages_that_are_whole_in_one_delivery_are_told_as_accepted(settings: Settings, tmp_path: Path) -> None:
    results = take_in(settings, *as_files(tmp_path, answer()))
    assert {r.status for r in results} == {"accepted"}
