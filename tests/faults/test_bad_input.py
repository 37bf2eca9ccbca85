"""Each broken file is refused or held with one clear message at its place, is quarantined, and changes nothing."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from dagster_project.archive import Archive
from dagster_project.diagnostics import FileProblem, Finding, Severity
from dagster_project.intake import flow
from dagster_project.intake.read import read_file
from dagster_project.settings import Settings
from tests.conftest import NOW
from tests.faults.museum import FILES, UNREAD, Specimen, two_gigabytes


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
    with pytest.raises(FileProblem) as caught:
        read_file(UNREAD[name].make(tmp_path / "broken"), "a" * 64)
    told(UNREAD[name], caught.value.findings)


@pytest.mark.parametrize("name", FILES)
def test_a_broken_file_is_named_and_changes_nothing(name: str, settings: Settings, tmp_path: Path) -> None:
    specimen = FILES[name]
    published(settings)
    if specimen.before is not None:
        good = flow.take_in(specimen.before(tmp_path / "good"), settings, now=NOW)
        assert good.status == "accepted", [f.as_text() for f in good.screening.findings] if good.screening else ""
    before = tree(settings)
    result = flow.take_in(specimen.make(tmp_path / "broken"), settings, now=NOW)
    assert result.screening is not None
    found = [f.as_text() for f in result.screening.findings]
    assert result.status == specimen.status, found
    finding = told(specimen, result.screening.findings)
    assert finding.stage in result.screening.stages
    if result.status == "accepted":  # a remark that stops nothing
        assert finding.severity is Severity.WARN
        return
    assert tree(settings) == before
    if result.sha256:
        quarantined = settings.quarantine / result.sha256
        assert specimen.code in (quarantined / "findings.json").read_text(encoding="utf-8")
        assert specimen.code in (quarantined / "rows.csv").read_text(encoding="utf-8")
        assert Archive(settings).path(result.sha256).exists() and Archive(settings).verify() == []


def test_a_file_larger_than_any_real_one_is_refused_unread_and_stays_in_the_inbox(settings: Settings) -> None:
    settings.inbox.mkdir(parents=True)
    path = two_gigabytes(settings.inbox / "endless.csv")
    start = time.process_time()
    results = flow.take_in_inbox(settings, now=NOW)
    assert [r.status for r in results] == ["rejected"] and path.exists()
    # hashing two gigabytes takes a second or more, copying them longer
    assert time.process_time() - start < 0.5
    assert not (settings.archive / "objects").exists() or not any((settings.archive / "objects").rglob("*"))
