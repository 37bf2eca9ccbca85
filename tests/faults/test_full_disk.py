"""The disk runs full, or a run is killed, in the middle of a publication: one revision is in force, whole, at any time."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dagster_project.archive import Archive, commits
from dagster_project.archive.guard import writing
from dagster_project.diagnostics import PipelineProblem
from dagster_project.publication import current_revision, edition, tables, verify_revision
from dagster_project.publication.edition import Revision, make_revision, subject_tables
from dagster_project.publication.subjects import round_subject
from dagster_project.rules import load_rules
from dagster_project.settings import Settings
from dagster_project.transform import snapshot
from tests.conftest import NOW
from tests.faults.test_bad_input import tree

ROUND = "fictional-2026"


def marts(settings: Settings, share: float) -> None:
    settings.marts.mkdir(parents=True, exist_ok=True)
    row = {"round": [ROUND], "municipality_code": ["6101"], "risk_share": [share]}
    for name in ("municipality_ranking", "public_municipality_ranking"):
        pq.write_table(pa.table(row), settings.marts / f"{name}.parquet")
    inputs = {"round": [ROUND], "accepted_by": pa.array([None], pa.string())}
    pq.write_table(pa.table(inputs), settings.marts / "round_inputs.parquet")


def publish(settings: Settings) -> Revision:
    rulebook = load_rules(settings)
    subject = round_subject(rulebook, ROUND)
    life = {"status": "candidates", "release": None}
    return make_revision(
        settings, snapshot.take(settings), rulebook, subject, subject_tables(settings, subject), now=NOW, life=life
    )


def killed(*arguments: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture
def published(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Revision:
    """A home with a revision in force, and other marts than those it was made from."""
    # two columns are no round: its pages are left out
    monkeypatch.setattr(edition.report_site, "fill_sites", lambda *arguments: None)
    marts(settings, 0.25)
    first = publish(settings)
    assert first.is_new
    marts(settings, 0.5)
    return first


@pytest.mark.parametrize("writer", ["write_parquet", "write_csv", "write_xlsx"])
@pytest.mark.parametrize("folder", ["internal", "public"])
def test_a_full_disk_during_publication_leaves_the_revision_in_force(
    writer: str, folder: str, settings: Settings, published: Revision, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, ledger = tree(settings), settings.ledger.read_bytes()
    module = tables if writer == "write_csv" else edition
    real = getattr(module, writer)

    def full(path: Path, *arguments: object, **more: object) -> None:
        if path.parent.name == folder:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(path, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(module, writer, full)
        with pytest.raises(PipelineProblem, match=r"disk is full: fictional-2026 was not published\..*Free some space"):
            publish(settings)
    assert tree(settings) == before and settings.ledger.read_bytes() == ledger
    assert current_revision(settings, ROUND) == published.path
    mended = publish(settings)
    assert mended.is_new and verify_revision(mended.path) == []
    assert (mended.path / "public" / "municipality_ranking.csv").read_text().endswith("0.5\n")


@pytest.mark.parametrize("written", [0, 0.5, 1])
def test_a_full_disk_at_the_commit_is_no_commit(
    written: float, settings: Settings, published: Revision, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever part of its line came onto the disk: what somebody is told was not published never comes into force."""
    before, ledger = tree(settings), settings.ledger.read_bytes()
    real = os.fsync

    def full(handle: int) -> None:
        real(handle)
        if os.path.samestat(os.fstat(handle), settings.ledger.stat()):
            size = len(ledger) + int(written * (settings.ledger.stat().st_size - len(ledger)))
            os.truncate(settings.ledger, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(PipelineProblem, match="fictional-2026 was not published"):
            publish(settings)
    commits.finish(settings)
    assert tree(settings) == before and settings.ledger.read_bytes() == ledger
    assert current_revision(settings, ROUND) == published.path
    assert publish(settings).is_new and Archive(settings).verify() == [] and commits.lost_lines(settings) == []


def test_a_run_that_is_killed_before_the_commit_has_published_nothing(
    settings: Settings, published: Revision, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(settings)
    with monkeypatch.context() as patch:
        patch.setattr(Archive, "append", killed)
        with pytest.raises(KeyboardInterrupt):
            publish(settings)
    with writing(settings, "the next run"):
        assert tree(settings) == before and current_revision(settings, ROUND) == published.path
        assert publish(settings).revision == "r0002"


@pytest.mark.parametrize("left", ["finish", "write_pointer"])
def test_a_run_that_is_killed_after_the_commit_has_published(
    left: str, settings: Settings, published: Revision, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers see the old revision or the new one, whole, and the next to write finishes what was left."""
    with monkeypatch.context() as patch:
        patch.setattr(edition if left == "finish" else commits, left, killed)
        with pytest.raises(KeyboardInterrupt):
            publish(settings)
    folder = current_revision(settings, ROUND)
    assert folder is not None and folder.name == ("r0001" if left == "finish" else "r0002")
    assert verify_revision(folder) == []
    with writing(settings, "the next run"):
        folder = current_revision(settings, ROUND)
    assert folder is not None and folder.name == "r0002" and verify_revision(folder) == []
    assert json.loads((folder.parent / "current.json").read_text(encoding="utf-8"))["revision"] == "r0002"
    assert commits.wrong_pointers(settings) == commits.unfinished(settings) == []
    assert (folder / "public" / "municipality_ranking.csv").read_text().endswith("0.5\n")
    assert not publish(settings).is_new
