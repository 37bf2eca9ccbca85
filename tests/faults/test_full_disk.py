"""The disk runs full in the middle of a publication: the revision in force stays, and the next run mends the rest."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dagster_project.diagnostics import PipelineProblem
from dagster_project.publication import current_revision, edition, publish, tables, verify_revision
from dagster_project.settings import Settings
from tests.conftest import NOW
from tests.faults.test_bad_input import tree

ROUND = "fictional-2026"


def marts(settings: Settings, share: float) -> None:
    settings.marts.mkdir(parents=True, exist_ok=True)
    row = {"round": [ROUND], "municipality_code": ["6101"], "risk_share": [share]}
    for name in ("municipality_ranking", "public_municipality_ranking"):
        pq.write_table(pa.table(row), settings.marts / f"{name}.parquet")


@pytest.mark.parametrize("writer", ["write_parquet", "write_csv", "write_xlsx"])
@pytest.mark.parametrize("folder", ["internal", "public"])
def test_a_full_disk_during_publication_leaves_the_revision_in_force(
    writer: str, folder: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    marts(settings, 0.25)
    first = publish(settings, ROUND, now=NOW)
    assert first is not None and first.is_new
    before = tree(settings)
    marts(settings, 0.5)
    real = getattr(tables, writer)

    def full(path: Path, *arguments: object, **more: object) -> None:
        if path.parent.name == folder:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(path, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(edition.tables, writer, full)
        with pytest.raises(PipelineProblem, match=r"disk is full: round fictional-2026 was not published\..*Make room"):
            publish(settings, ROUND, now=NOW)
    assert tree(settings) == before
    assert current_revision(settings, ROUND) == first.path
    mended = publish(settings, ROUND, now=NOW)
    assert mended is not None and mended.is_new and verify_revision(mended.path) == []
    assert (mended.path / "public" / "municipality_ranking.csv").read_text().endswith("0.5\n")
