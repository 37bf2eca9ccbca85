"""Shared fixtures. The story of the fictional country is told once, through the command line, for all workers."""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagster_project import log
from dagster_project.archive.store import sha256_of
from dagster_project.private import keep_private
from dagster_project.settings import REPOSITORY, Settings, load_settings
from dagster_project.transform import dbt_step
from dagster_project.transform.warehouse import record_path

keep_private()  # as every way into the program does

NOW = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)


LONGEST = ("test_audit", "test_country", "test_plain_dagster", "test_life", "test_commits", "test_kills", "test_states")
"""Files that take longest, so that no worker is left with one of them at the end; the first one needs the country."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One file that needs the country first, then those that do not: while its story is told, others have work."""
    needing = {i.path for i in items if "country_home" in getattr(i, "fixturenames", ())}

    def place(item: pytest.Item) -> tuple[bool, bool, int]:
        name = item.path.stem
        return (
            name != LONGEST[0],
            item.path in needing,
            LONGEST.index(name) if name in LONGEST else len(LONGEST),
        )

    items.sort(key=place)


def oppfolging(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a person would."""
    return subprocess.run(
        [sys.executable, "-m", "dagster_project.cli", "--home", str(home), *arguments],
        capture_output=True, text=True, cwd=REPOSITORY, env={**os.environ, **environment}, timeout=1200,
    )  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def manifest() -> None:
    """The dbt manifest, made when it is missing or stale."""
    with (REPOSITORY / "dbt" / ".manifest-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        dbt_step.prepare(load_settings())


@pytest.fixture(scope="session")
def country_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the country's story was told. Treat it as read-only.

    OPPFOLGING_TEST_COUNTRY names one made before, for whoever runs a few tests again and again.
    """
    if made := os.environ.get("OPPFOLGING_TEST_COUNTRY"):
        return Path(made)
    shared = (
        tmp_path_factory.getbasetemp().parent
        if os.environ.get("PYTEST_XDIST_WORKER")
        else tmp_path_factory.getbasetemp()
    )
    home = shared / "country"
    with (shared / "country.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (told := shared / "country.told").exists():
            # a fifth of the draws, so that the story is told faster; each table says how many it rests on
            home.mkdir(parents=True)
            assumed = (REPOSITORY / "data" / "uncertainty.yaml").read_text(encoding="utf-8")
            fewer = assumed.replace("draws: {value: 1000,", "draws: {value: 200,")
            assert fewer != assumed
            (home / "uncertainty.yaml").write_text(fewer, encoding="utf-8")
            done = oppfolging(home, "demo", "--story")
            assert done.returncode == 0, done.stdout + done.stderr
            told.touch()
    return home


@pytest.fixture(autouse=True)
def environment_as_before() -> Iterator[None]:
    """A run in this process names its home in the environment; the next test must not find it there."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An empty home."""
    return load_settings(tmp_path / "home")


def part_of(home: Path, target: Path, *names: str) -> Settings:
    """A copy of some folders of a home, with its ledger, for a test that changes them."""
    for name in names:
        shutil.copytree(home / name, target / name)
    if (assumed := home / "uncertainty.yaml").exists():
        shutil.copyfile(assumed, target / assumed.name)
    (target / "archive").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(home / "archive" / "ledger.jsonl", target / "archive" / "ledger.jsonl")
    return load_settings(target)


def as_if_built(settings: Settings) -> None:
    """Record marts that a test wrote as what the last build gave. Without that they are marts changed by hand."""
    path = record_path(settings)
    record = json.loads(path.read_text(encoding="utf-8"))
    record["marts"] = {name: sha256_of(settings.marts / f"{name}.parquet") for name in record["marts"]}
    path.write_text(json.dumps(record), encoding="utf-8")


def vouch_for(path: Path) -> None:
    """Let the manifest of a revision vouch for a table that a test changed, ``<revision>/internal/<name>.parquet``."""
    file = path.parent.parent / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    manifest["files"][f"{path.parent.name}/{path.name}"]["sha256"] = sha256_of(path)
    file.chmod(0o644)
    file.write_text(json.dumps(manifest), encoding="utf-8")


def tree_hash(folder: Path) -> str:
    """One hash over every file of a folder but its log, to show that nothing changed."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in (".lock", ".write-lock")):
        if path.relative_to(folder).parts[0] == log.FOLDER:
            continue
        digest.update(os.fsencode(path.relative_to(folder)) + b"\0" + path.read_bytes())
    return digest.hexdigest()


@pytest.fixture
def rules_home(tmp_path: Path) -> Settings:
    """A home with its own copy of rules, rounds and registers."""
    for name in ("rules", "registers"):
        shutil.copytree(REPOSITORY / "data" / name, tmp_path / name)
    shutil.copyfile(REPOSITORY / "data" / "rounds.yaml", tmp_path / "rounds.yaml")
    return load_settings(tmp_path)


def real_data() -> Path:
    """Where the real extracts lie, when they do."""
    return Path(os.environ.get("OPPFOLGING_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
