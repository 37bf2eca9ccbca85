"""Each broken file is refused or held with one clear message at its place, is quarantined, and changes nothing."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from dagster_project.archive import Archive, journal
from dagster_project.archive.files import files_of, open_files
from dagster_project.diagnostics import FileProblem, Finding, Severity
from dagster_project.intake import flow
from dagster_project.intake.flow import IntakeResult
from dagster_project.intake.read import read_file
from dagster_project.intake.screen import screen_path
from dagster_project.settings import Settings, load_settings
from tests.conftest import NOW, tree_hash
from tests.faults.museum import FILES, UNREAD, Specimen, two_gigabytes
from tests.homes import take_in, take_in_one


def tree(settings: Settings) -> dict[str, str]:
    """Hash of every extract and published file."""
    files = [p for root in (settings.extracts, settings.published) for p in root.rglob("*") if p.is_file()]
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def published(settings: Settings) -> None:
    """Something that stands published, to see that it stays."""
    folder = settings.published / "round" / "r0001"
    folder.mkdir(parents=True)
    (folder / "selection.csv").write_text("round\n")
    (folder.parent / "current.json").write_text('{"revision": "r0001"}')


def told(specimen: Specimen, findings: Sequence[Finding]) -> Finding:
    """The finding of a specimen, when it says what it must."""
    finding = next((f for f in findings if f.code == specimen.code), None)
    assert finding is not None, [f.as_text() for f in findings]
    text = finding.as_text()
    assert finding.file is not None and finding.file.split("!")[0] == "broken"
    assert finding.row == specimen.row, text
    assert specimen.column is None or finding.column == specimen.column, text
    for word in specimen.words:
        assert word in text or word in (finding.file or ""), text
    # read aloud: what, where, found or expected, and what to do
    assert len(finding.message) > 10 and finding.fix and finding.fix.endswith("."), text
    assert finding.found is not None or finding.expected is not None, text
    assert "Traceback" not in text and "Error(" not in text
    return finding


@pytest.mark.parametrize("name", UNREAD)
def test_a_reader_names_what_is_broken(name: str, tmp_path: Path) -> None:
    try:
        tables = read_file(UNREAD[name].make(tmp_path / "broken"), "a" * 64)
    except FileProblem as problem:
        told(UNREAD[name], problem.findings)
    else:  # a form is read as far as it can be, so that all its faults are told at once
        told(UNREAD[name], [f for table in tables for f in table.findings if f.severity is Severity.FAIL])


@dataclass(frozen=True)
class Met:
    """What became of a specimen, in a home that it shares with those that met the same file in force."""

    settings: Settings
    path: Path
    result: IntakeResult
    changed: set[str]


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory, shared_reader: None) -> dict[str, Met]:
    """Every specimen taken in and settled: all at once that find the same in force, since none may change that."""
    groups: dict[object, list[str]] = {}
    for name, specimen in FILES.items():
        groups.setdefault(name if specimen.status == "accepted" else specimen.before, []).append(name)
    found = {}
    for names in groups.values():
        folder = tmp_path_factory.mktemp("group")
        settings, good = load_settings(folder / "home"), FILES[names[0]].before
        published(settings)
        if good is not None:
            first = take_in_one(settings, good(folder / "good"))
            assert first.status == "accepted", (
                [f.as_text() for f in first.screening.findings] if first.screening else ""
            )
        paths = []
        for name in names:
            (folder / name).mkdir()
            paths.append(FILES[name].make(folder / name / "broken"))
        before = tree(settings)
        results = take_in(settings, *paths)
        after = tree(settings)
        changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        found |= {n: Met(settings, p, r, changed) for n, p, r in zip(names, paths, results, strict=True)}
    return found


@pytest.mark.parametrize("name", FILES)
def test_a_broken_file_is_named_and_changes_nothing(name: str, met: dict[str, Met]) -> None:
    specimen, result, settings = FILES[name], met[name].result, met[name].settings
    assert result.screening is not None, result
    found = [f.as_text() for f in result.screening.findings]
    assert result.status == specimen.status, found
    finding = told(specimen, result.screening.findings)
    assert finding.stage in result.screening.stages
    if result.status == "accepted":  # a remark that stops nothing
        assert finding.severity is Severity.WARN
        return
    assert met[name].changed == set() and result.changes == ()
    if result.sha256:
        quarantined = settings.quarantine / result.sha256
        assert specimen.code in (quarantined / "findings.json").read_text(encoding="utf-8")
        assert specimen.code in (quarantined / "rows.csv").read_text(encoding="utf-8")
        assert Archive(settings).path(result.sha256).exists() and Archive(settings).damage(result.sha256) is None


def test_the_archive_of_broken_files_is_whole_and_each_is_an_open_problem(met: dict[str, Met]) -> None:
    for settings in {m.settings.home: m.settings for m in met.values()}.values():
        archive = Archive(settings)
        assert archive.verify() == []
        waiting = {(f.sha256, f.status) for f in open_files(files_of(archive.events()))}
        here = {(m.result.sha256, m.result.status) for m in met.values() if m.settings == settings}
        assert waiting == {(sha256, status) for sha256, status in here if sha256 and status != "accepted"}


@pytest.mark.parametrize("name", [n for n in FILES if n not in UNREAD and FILES[n].status != "accepted"])
def test_check_says_of_a_file_what_intake_says_and_writes_nothing(name: str, met: dict[str, Met]) -> None:
    settings, sha256 = met[name].settings, met[name].result.sha256
    before = tree_hash(settings.home)
    screening = screen_path(met[name].path, settings, now=NOW)
    (said,) = [line for line in journal.screenings(settings) if line["sha256"] == sha256]
    assert {"time": NOW.isoformat(), **json.loads(json.dumps(screening.summary()))} == said
    assert tree_hash(settings.home) == before


def test_a_file_larger_than_any_real_one_is_refused_unread_and_stays_in_the_inbox(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.inbox.mkdir(parents=True)
    path = two_gigabytes(settings.inbox / "endless.csv")
    os.utime(path, (0, 0))
    monkeypatch.setattr(Archive, "store", lambda *_: pytest.fail("the file was read"))
    results = flow.take_in_inbox(settings, now=NOW)
    assert [r.status for r in results] == ["rejected"] and path.exists()
    assert not (settings.archive / "objects").exists() or not any((settings.archive / "objects").rglob("*"))
