"""The door: duplicates, supersession, held files and their acceptance, killed runs, tampering."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from dagster_project.archive import Archive
from dagster_project.archive import journal as history
from dagster_project.diagnostics import NotFound, OppfolgingError
from dagster_project.intake import flow
from dagster_project.intake.partitions import read_partition
from dagster_project.intake.results import check_names, check_results
from dagster_project.settings import Settings
from tests import samples
from tests.conftest import NOW


def test_the_same_bytes_twice_change_nothing(settings: Settings, tmp_path: Path) -> None:
    first = flow.take_in(samples.national_tests(tmp_path / "a.csv"), settings, now=NOW)
    ledger = settings.ledger.read_bytes()
    again = flow.take_in(samples.national_tests(tmp_path / "other-name.csv"), settings, now=NOW)
    assert (first.status, again.status, again.earlier) == ("accepted", "duplicate", "accepted")
    assert settings.ledger.read_bytes() == ledger


def test_a_newer_export_supersedes_and_says_what_changed(settings: Settings, tmp_path: Path) -> None:
    flow.take_in(samples.national_tests(tmp_path / "a.csv"), settings, now=NOW)
    newer = [*samples.rows("47"), ["4", "I", "61", "6101", "100000032", samples.NATION, "Ytterfabel", "Brumeblom",
                                   "Ny skole", "50", "1,8", "12"]]  # fmt: skip
    result = flow.take_in(samples.national_tests(tmp_path / "b.csv", newer), settings, now=NOW)
    report = result.merges[0]
    assert (report.added, report.removed, report.changed, report.unchanged) == (1, 0, 1, 5)
    partition = read_partition(settings, "national_tests", "2024-25")
    assert partition is not None
    assert set(partition["source_sha256"].to_pylist()) == {result.sha256}
    assert Archive(settings).path(result.sha256).exists()


def test_a_warning_holds_the_file_until_somebody_accepts_it(settings: Settings, tmp_path: Path) -> None:
    flow.take_in(samples.national_tests(tmp_path / "a.csv"), settings, now=NOW)
    fewer = samples.rows()[:4]
    held = flow.take_in(samples.national_tests(tmp_path / "b.csv", fewer), settings, now=NOW)
    assert held.status == "held"
    assert held.screening is not None and held.screening.blocking_codes == ("cells-in-force-would-vanish",)
    assert read_partition(settings, "national_tests", "2024-25").num_rows == 6  # type: ignore[union-attr]
    arguments = {"code": "cells-in-force-would-vanish", "by": "Kari Fiktiv", "reason": "Udir har trukket to skoler"}
    with pytest.raises(OppfolgingError, match="needs a name and a reason"):
        flow.accept(settings, "b.csv", **{**arguments, "reason": " "}, now=NOW)
    with pytest.raises(NotFound, match="does not wait for"):
        flow.accept(settings, "b.csv", **{**arguments, "code": "other"}, now=NOW)
    accepted = flow.accept(settings, "b.csv", **arguments, now=NOW)
    assert accepted.status == "accepted"
    assert read_partition(settings, "national_tests", "2024-25").num_rows == 4  # type: ignore[union-attr]
    assert history.acceptances(settings)[0]["by"] == "Kari Fiktiv"
    assert all(r["passed"] for r in check_results(settings, "national_tests", "2024-25"))


def test_a_killed_run_is_finished_by_the_next(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    path = samples.national_tests(tmp_path / "a.csv")
    with monkeypatch.context() as patch:
        patch.setattr(flow, "merge_partition", killed)
        with pytest.raises(KeyboardInterrupt):
            flow.take_in(path, settings, now=NOW)
    assert read_partition(settings, "national_tests", "2024-25") is None
    assert [r.status for r in flow.resume_pending(settings, now=NOW)] == ["accepted"]
    assert read_partition(settings, "national_tests", "2024-25") is not None
    assert flow.resume_pending(settings, now=NOW) == []


def test_a_flipped_bit_in_the_archive_and_a_changed_ledger_line_are_found(settings: Settings, tmp_path: Path) -> None:
    result = flow.take_in(samples.national_tests(tmp_path / "a.csv"), settings, now=NOW)
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


def test_every_suite_entry_says_why_it_is_there_and_how_to_mend_it() -> None:
    from dagster_project.settings import REPOSITORY
    from dagster_project.validation.suites import load_suite

    for dataset in ("national_tests", "pupil_survey", "grade_points", "school_register", "municipality_changes"):
        entries = load_suite(REPOSITORY / "expectations", dataset)
        assert len({e.code for e in entries}) == len(entries) == len(check_names(dataset))
        assert all(len(e.why) > 20 and len(e.fix) > 10 and e.stage in ("values", "against_last_year") for e in entries)


def test_a_full_disk_leaves_nothing_under_a_hash_and_the_file_in_the_inbox(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.inbox.mkdir(parents=True)
    waiting = settings.inbox / "tests.csv"
    waiting.write_bytes(b"anything")

    def full(source: Path, target: Path) -> None:
        target.write_bytes(b"any")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as broken:
        broken.setattr("dagster_project.archive.store.shutil.copyfile", full)
        with pytest.raises(OSError, match="No space left"):
            flow.take_in_inbox(settings)
    assert waiting.exists()
    assert [p for p in settings.archive.rglob("*") if p.is_file() and "objects" in p.parts] == []
    assert [r.status for r in flow.take_in_inbox(settings)] == ["rejected"]
