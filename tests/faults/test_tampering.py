"""Stored bytes that were changed behind the product's back: each kind has its own code and names its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dagster_project import intake
from dagster_project.extracts import Archive
from dagster_project.publication.manifest import MANIFEST, describe_files, verify_revision
from dagster_project.settings import Settings
from tests import samples
from tests.conftest import NOW


def _object(settings: Settings) -> Path:
    path = Archive(settings).path(str(Archive(settings).events("arrived")[0]["sha256"]))
    path.chmod(0o644)
    return path


def _ledger(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Settings], None]:
    def tamper(settings: Settings) -> None:
        settings.ledger.write_bytes(b"".join(change(settings.ledger.read_bytes().splitlines(keepends=True))))

    return tamper


def _published(settings: Settings) -> Path:
    folder = settings.published / "round" / "r0001"
    if not folder.exists():
        folder.mkdir(parents=True)
        (folder / "selection.csv").write_text("round\n")
        (folder / MANIFEST).write_text(json.dumps({"files": describe_files(folder)}))
    return folder


TAMPERINGS: dict[str, tuple[Callable[[Settings], object], str, str]] = {
    # name: how it is done, the code it gives, and a word of its message or place
    "bit_flipped_in_the_archive": (lambda s: _object(s).write_bytes(b"x" + _object(s).read_bytes()[1:]), "object-changed", ""),
    "original_deleted": (lambda s: _object(s).unlink(), "object-missing", ""),
    "line_of_the_ledger_removed": (_ledger(lambda lines: lines[1:]), "ledger-chain-broken", "ledger"),
    "line_of_the_ledger_scribbled_over": (_ledger(lambda lines: [b"scribble\n", *lines[1:]]), "ledger-line-damaged", "ledger"),
    "published_figure_changed": (lambda s: (_published(s) / "selection.csv").write_text("rounds\n"), "published-file-changed", "selection.csv"),
    "published_file_deleted": (lambda s: (_published(s) / "selection.csv").unlink(), "published-file-missing", "selection.csv"),
    "file_slipped_in": (lambda s: (_published(s) / "stray.csv").write_text("x"), "published-file-unexpected", "stray.csv"),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_found_and_named(name: str, settings: Settings, tmp_path: Path) -> None:
    tamper, code, word = TAMPERINGS[name]
    intake.take_in(samples.national_tests(tmp_path / "a.csv"), settings, now=NOW)
    assert Archive(settings).verify() == [] == verify_revision(_published(settings))
    tamper(settings)
    findings = [*Archive(settings).verify(), *verify_revision(_published(settings))]
    finding = next((f for f in findings if f.code == code), None)
    assert finding is not None, [f.as_text() for f in findings]
    assert word in finding.as_text() and finding.file and finding.fix
    assert finding.found is not None or finding.expected is not None, finding.as_text()
