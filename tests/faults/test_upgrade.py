"""Homes of earlier versions keep working, or are refused with the way out. ``benchmarks/upgrade.py`` does it with the code of then.

A home of version 0.2 is made of a tiny one by code: its ledger, manifests and rule files in the form of then.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from dagster_project.archive import Archive, commits
from dagster_project.archive.store import DIGEST, sha256_of
from dagster_project.audit import doctor
from dagster_project.audit.verify import verify
from dagster_project.cli import main
from dagster_project.diagnostics import Severity
from dagster_project.settings import Settings
from tests.faults import tiny
from tests.faults.tiny import Specimens

NOT_YET = {
    "accepted_gaps",
    "extracts",
    "ledger",
    "models",
    "outlines",
    "readers",
    "restricted_cells",
    "snapshot",
    "as_of",
}
"""What manifests did not have in version 0.2."""
SINCE = {
    "arrived": {"datasets", "format"},
    "accepted": {"answer", "arrival", "changes", "paged", "partitions", "program"},
}
"""What events did not have."""
MADE = ("extracts", "read", "marts", "parameters", "warehouse", "snapshots", "empty")


@pytest.fixture(scope="module")
def specimens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Specimens]:
    with tiny.quickly():
        yield Specimens(tmp_path_factory.mktemp("upgrade"))


@pytest.fixture(scope="module")
def released(specimens: Specimens) -> Settings:
    return tiny.released(specimens)


def rewrite(path: Path, text: str) -> None:
    path.chmod(0o600)
    path.write_text(text, encoding="utf-8")


def manifest_of_then(folder: Path) -> str:
    """Write rules and manifest of a revision as version 0.2 did; return the hash of the manifest."""
    path = folder / "rulebook" / "rules" / "tiny.yaml"
    rules = yaml.safe_load(path.read_text(encoding="utf-8"))
    closed = rules["scope"].pop("closed_schools")
    rules["scope"]["require_last_year"] = {**closed, "value": closed["value"] == "leave_out"}
    del rules["groups"]["spread"]["candidates"]
    rewrite(path, yaml.safe_dump(rules, allow_unicode=True))
    register = folder / "rulebook" / "registers" / "publication.yaml"
    shown = yaml.safe_load(register.read_text(encoding="utf-8"))
    del shown["publication"]["min_counts"], shown["publication"]["min_interval"], shown["questions_to"]
    rewrite(register, yaml.safe_dump(shown, allow_unicode=True))
    manifest = json.loads((folder / commits.MANIFEST).read_text(encoding="utf-8"))
    manifest = {k: v for k, v in manifest.items() if k not in NOT_YET}
    for changed in (path, register):
        entry = manifest["files"][changed.relative_to(folder).as_posix()]
        entry |= {"sha256": sha256_of(changed), "bytes": changed.stat().st_size}
    rewrite(folder / commits.MANIFEST, json.dumps(manifest))
    return sha256_of(folder / commits.MANIFEST)


def as_of_02(home: Settings) -> None:
    """Put a home of today into the form of version 0.2."""
    events = Archive(home).events()
    home.ledger.unlink()
    for event in events:
        then = {k: v for k, v in event.items() if k not in {"line", "previous"} | SINCE.get(event["event"], set())}
        if event["event"] == "accepted":
            then["datasets"] = sorted({dataset for dataset, _ in event["partitions"]})
            then["school_years"] = sorted({year for _, year in event["partitions"] if year})
        if event["event"] in ("published", "round_released"):
            made = manifest_of_then(home.published / event["round"] / event["revision"])
            del then["manifest_sha256"]
            then["manifest_sha256" if event["event"] == "published" else "manifest"] = made
        Archive(home).append(then)
    for name in MADE:
        shutil.rmtree(home.home / name, ignore_errors=True)
    (home.home / commits.LOCK).unlink()


def state(home: Settings) -> dict[str, Any]:
    return {name: commits.pointer_of(home, name) for name in commits.subjects(home)}


def grave(home: Settings) -> list[str]:
    return [s.finding.as_text() for s in doctor.examine(home) if s.finding.severity is Severity.FAIL]


def test_a_home_of_version_02_is_read_run_and_its_release_verified(specimens: Specimens, released: Settings) -> None:
    home = specimens.home("earlier", released.home)
    as_of_02(home)
    before = state(home)
    assert before["tiny-2024"]["release"] == "1.0" and grave(home) == []
    assert CliRunner().invoke(main, ["--home", str(home.home), "status"]).exit_code == 0
    tiny.run(home)
    after = state(home)
    assert after["tiny-2024"] == before["tiny-2024"], "a release stays; an open round gets today's register"
    assert {name for name in after if after[name] != before[name]} == {"tiny-2025", "uttrekk_2024"}
    assert grave(home) == []
    result = verify(home, "tiny-2024")
    assert result.ok and result.rebuilt, result.as_text()
    explained = CliRunner().invoke(main, ["--home", str(home.home), "explain", "6101", "--round", "tiny-2024"])
    assert explained.exit_code == 0, explained.output
    specimens.put(home, "numeracy25")
    new = [n for n, r in tiny.run(home).items() if r is not None and r.is_new]
    assert "tiny-2025" in new and "tiny-2024" not in new and grave(home) == []


def test_a_ledger_of_version_01_is_refused_once_with_the_way_out(specimens: Specimens, released: Settings) -> None:
    home = specimens.home("first", released.home)
    lines, previous = [], "0" * 64
    for event in map(json.loads, home.ledger.read_bytes().splitlines()):
        del event[DIGEST]
        lines.append(json.dumps({**event, "previous": previous}, ensure_ascii=False, sort_keys=True).encode())
        previous = hashlib.sha256(lines[-1]).hexdigest()
    home.ledger.write_bytes(b"\n".join(lines) + b"\n")
    for words in (("doctor",), ("status",), ("run",), ("ingest", str(specimens.paths["bad25"])), ("verify", "--round", "tiny-2024")):  # fmt: skip
        done = CliRunner().invoke(main, ["--home", str(home.home), *words])
        assert done.exit_code in (6, 7) and done.output.count("ledger-line-changed") == 1, done.output
        assert "version 0.1" in done.output and "docs/operations.md" in done.output
    assert home.ledger.read_bytes() == b"\n".join(lines) + b"\n"
