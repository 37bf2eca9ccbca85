"""Cohorts, and rounds that cohorts of another rule set bear on, are built again from the archive as they were published."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

from dagster_project.archive import Archive
from dagster_project.archive.commits import read_manifest
from dagster_project.archive.store import sha256_of
from dagster_project.arrow import write_parquet
from dagster_project.audit.verify import verify
from dagster_project.publication import current_revision
from dagster_project.rounds.monitoring import current_effects
from dagster_project.rounds.publishing import computed_rounds, publish_cohort, publish_round
from dagster_project.rounds.uncertainty import current_uncertainty
from dagster_project.rules import load_rules
from dagster_project.settings import Settings
from dagster_project.transform import built
from dagster_project.transform.snapshot import take
from tests.conftest import NOW, part_of
from tests.faults import tiny
from tests.homes import shared_reader as shared_reader

pytestmark = [pytest.mark.pipeline, pytest.mark.usefixtures("shared_reader")]
ROUND, COHORT, OPEN = "tiny-2024", "uttrekk_2024", "tiny-2025"
LATER = dt.date(2030, 1, 1)
COUNT = "tables rebuilt, byte for byte"


@pytest.fixture(scope="module", autouse=True)
def quickly() -> Iterator[None]:
    """Without dbt itself: that a round comes out of its build byte for byte is held in `tests/faults`."""
    with tiny.quickly():
        yield


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory, shared_reader: None) -> Settings:
    """A home in 2030: its last round has a rule set of its own, and reports of the cohort are overdue."""
    specimens = tiny.Specimens(tmp_path_factory.mktemp("later") / "specimens")
    settings = tiny.released(specimens)
    rule = (settings.rules / "tiny.yaml").read_text(encoding="utf-8")
    other = rule.replace("rule_set: tiny\n", "rule_set: tiny-later\n")
    assert other != rule
    (settings.rules / "tiny-later.yaml").write_text(other, encoding="utf-8")
    rounds = yaml.safe_load(settings.rounds.read_text(encoding="utf-8"))
    next(r for r in rounds["rounds"] if r["id"] == OPEN)["rule_set"] = "tiny-later"
    (settings.home / "rounds.yaml").write_text(yaml.safe_dump(rounds), encoding="utf-8")
    snapshot = take(settings, day=LATER)
    assert built.build_models(settings, snapshot, "a test").success
    rulebook = load_rules(settings)
    current_effects(settings, rulebook)
    current_uncertainty(settings, rulebook, computed_rounds(settings, rulebook))
    for publish, round_id in ((publish_round, OPEN), (publish_cohort, ROUND)):
        made = publish(settings, snapshot, round_id, now=NOW)
        assert made is not None and made.is_new
    return settings


def commit(settings: Settings, folder: Path) -> None:
    """Let the ledger vouch for a manifest as it stands, as a forger of both would."""
    Archive(settings).append(
        {"event": "published", "time": NOW.isoformat(), "round": folder.parent.name, "revision": folder.name,
         "manifest_sha256": sha256_of(folder / "manifest.json")}
    )  # fmt: skip


def test_a_round_comes_out_byte_for_byte_although_cohorts_of_another_rule_set_are_kept_out_of_it(
    later: Settings,
) -> None:
    folder = current_revision(later, OPEN)
    assert folder is not None
    barred = pq.read_table(folder / "internal" / "exceptions_in_force.parquet", filters=pc.field("basis") == "cohort")
    assert barred.num_rows > 0
    result = verify(later, OPEN)
    assert result.ok and result.rebuilt, result.as_text()


def test_a_cohort_comes_out_byte_for_byte_but_for_a_forged_effect_and_a_changed_byte_on_whatever_day(
    later: Settings, tmp_path: Path
) -> None:
    """The forger makes the hashes anew. All else comes out as published, overdue reports of the day included."""
    settings = Settings(home=tmp_path / "home")
    shutil.copytree(later.home, settings.home, ignore=shutil.ignore_patterns("warehouse", "marts"))
    folder = current_revision(settings, COHORT)
    assert folder is not None
    manifest = read_manifest(folder)
    assert manifest["as_of"] == LATER.isoformat()
    reports = pq.read_table(folder / "internal" / "followup_report_status.parquet")
    assert "overdue" in reports.filter(pc.equal(reports["report"], 3))["status"].to_pylist()
    effect = folder / "internal" / "cohort_effect.parquet"
    table = pq.read_table(effect)
    at = table.column_names.index("estimate")
    effect.chmod(0o644)
    write_parquet(effect, table.set_column(at, "estimate", pc.subtract(table["estimate"], pa.scalar(0.01))))
    manifest["files"]["internal/cohort_effect.parquet"] = {"sha256": sha256_of(effect), "bytes": effect.stat().st_size}
    (folder / "manifest.json").chmod(0o644)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    commit(settings, folder)
    assert verify(settings, COHORT, quick=True).ok
    progress = folder / "internal" / "cohort_progress.csv"
    content = bytearray(progress.read_bytes())
    content[-3] ^= 1
    progress.chmod(0o644)
    progress.write_bytes(content)
    result = verify(settings, COHORT)
    assert [(f.code, f.file) for f in result.findings] == [
        ("published-file-changed", "internal/cohort_progress.csv"),
        ("rebuilt-table-changed", "internal/cohort_effect.parquet"),
    ], result.as_text()
    assert "estimate" in result.findings[1].message and "not made from these inputs" in result.findings[1].message
    assert result.checked[COUNT] == 14  # seven tables, as CSV and as Parquet


def test_a_cohort_of_a_version_that_did_not_record_the_day_is_compared_by_hash_and_says_why(
    later: Settings, tmp_path: Path
) -> None:
    settings = part_of(later.home, tmp_path / "home", "archive", "published")
    folder = current_revision(settings, COHORT)
    assert folder is not None
    manifest = read_manifest(folder)
    del manifest["as_of"]
    (folder / "manifest.json").chmod(0o644)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    commit(settings, folder)
    result = verify(settings, COHORT)
    assert result.ok and not result.rebuilt and "cohort-not-built-again" in {n.code for n in result.notes}
    assert COUNT not in result.checked and "only hashes were compared" in result.as_text()
