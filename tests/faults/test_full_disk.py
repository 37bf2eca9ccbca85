"""The disk runs full in the middle of a publication: the revision in force stays, and the next run mends the rest."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dagster_project.diagnostics import PipelineProblem
from dagster_project.publication import current_revision, edition, tables, verify_revision, workbook
from dagster_project.publication.edition import Revision, make_revision, subject_tables
from dagster_project.publication.subjects import round_subject
from dagster_project.rules import load_rules
from dagster_project.settings import Settings
from tests.conftest import NOW
from tests.faults.test_bad_input import tree

ROUND = "fictional-2026"


def marts(settings: Settings, share: float) -> None:
    settings.marts.mkdir(parents=True, exist_ok=True)
    row = {"round": [ROUND], "municipality_code": ["6101"], "risk_share": [share]}
    for name in ("municipality_ranking", "public_municipality_ranking"):
        pq.write_table(pa.table(row), settings.marts / f"{name}.parquet")


def publish(settings: Settings) -> Revision:
    rulebook = load_rules(settings)
    subject = round_subject(rulebook, ROUND)
    life = {"status": "candidates", "release": None}
    return make_revision(settings, rulebook, subject, subject_tables(settings, subject), now=NOW, life=life)


@pytest.mark.parametrize("writer", ["write_parquet", "write_csv", "write_xlsx"])
@pytest.mark.parametrize("folder", ["internal", "public"])
def test_a_full_disk_during_publication_leaves_the_revision_in_force(
    writer: str, folder: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # two columns are no round: the report on it is left out
    monkeypatch.setattr(edition.run_report, "fill_report", lambda *arguments: None)
    marts(settings, 0.25)
    first = publish(settings)
    assert first.is_new
    before = tree(settings)
    marts(settings, 0.5)
    module = workbook if writer == "write_xlsx" else tables
    real = getattr(module, writer)

    def full(path: Path, *arguments: object, **more: object) -> None:
        if path.parent.name == folder:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(path, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(module, writer, full)
        with pytest.raises(PipelineProblem, match=r"disk is full: fictional-2026 was not published\..*Make room"):
            publish(settings)
    assert tree(settings) == before
    assert current_revision(settings, ROUND) == first.path
    mended = publish(settings)
    assert mended.is_new and verify_revision(mended.path) == []
    assert (mended.path / "public" / "municipality_ranking.csv").read_text().endswith("0.5\n")
