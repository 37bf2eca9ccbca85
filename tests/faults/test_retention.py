"""What is old is removed only when it is asked for, never what is in force or released, and what stays is as good as before."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result

from dagster_project import alerts, clock
from dagster_project.archive import Archive, commits, journal
from dagster_project.archive.files import files_of
from dagster_project.audit import backup as backups
from dagster_project.audit import doctor, retention
from dagster_project.audit.verify import verify
from dagster_project.cli import main
from dagster_project.diagnostics import Severity
from dagster_project.orchestration.retention import delete_runs, history, old_runs
from dagster_project.publication import verify_revision
from dagster_project.settings import Settings, load_settings
from tests.conftest import NOW, tree_hash
from tests.faults import tiny
from tests.faults.tiny import Server, Specimens

LATER = NOW + dt.timedelta(days=4 * 365)


@pytest.fixture(scope="module")
def specimens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Specimens]:
    with tiny.quickly():
        yield Specimens(tmp_path_factory.mktemp("retention"))


@pytest.fixture(scope="module")
def released(specimens: Specimens) -> Settings:
    """A home with a release, superseded revisions, and two rejected files of which one is dismissed."""
    home = tiny.released(specimens)
    specimens.put(home, "numeracy25", "bad25", "junk")
    tiny.run(home)
    tiny.dismiss(home, specimens.shas["junk"])
    return home


@pytest.fixture
def home(specimens: Specimens, released: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A copy of it, four years later."""
    monkeypatch.setattr(clock, "now", lambda: LATER)
    return specimens.home("old", released.home)


def call(home: Settings, *words: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(home.home), *words])


def revisions(home: Settings) -> set[str]:
    return {f"{p.parent.name} {p.name}" for p in home.published.glob("*/r[0-9]*")}


def problems(home: Settings) -> list[str]:
    return [state.finding.code for state in doctor.examine(home)]


def superseded(home: Settings) -> set[str]:
    """Told from the ledger alone: published, never released, and a later one came."""
    last = {e["round"]: e["revision"] for e in Archive(home).events() if e["event"] in commits.COMMITS}
    return {
        f"{e['round']} {e['revision']}"
        for e in Archive(home).events("published")
        if last[e["round"]] != e["revision"]
    }  # fmt: skip


def test_nothing_is_removed_before_its_age_or_unasked(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree_hash(home.home)
    told = json.loads(call(home, "prune", "--json").output)
    assert set(told["revisions"]) == superseded(home) and told["counts"]["superseded_revisions"] >= 3
    assert not told["removed"] and told["bytes"] > 1000
    text = call(home, "prune").output
    assert "Nothing was removed" in text and "superseded revisions" in text and "older than 1095 days" in text
    assert call(home, "prune", "--do-it").exit_code == 2 and tree_hash(home.home) == before
    monkeypatch.setattr(clock, "now", lambda: NOW + dt.timedelta(days=300))
    assert call(home, "prune", "--do-it", "--by", "A").exit_code == 0
    assert tree_hash(home.home) == before and revisions(home) >= superseded(home)


def test_what_stays_is_verified_explained_backed_up_and_published_as_before(
    specimens: Specimens, home: Settings, tmp_path: Path
) -> None:
    was, gone, state = revisions(home), superseded(home), problems(home)
    releases = {f"{e['round']} {e['revision']}" for e in Archive(home).events() if e["event"] == "round_released"}
    done = call(home, "prune", "--do-it", "--by", "Prøve Person")
    assert done.exit_code == 0 and "Removed" in done.output, done.output
    assert revisions(home) == was - gone and releases and releases <= revisions(home)
    told = {f"{e['round']} {e['revision']}": e for e in Archive(home).events(commits.REMOVED)}
    assert set(told) == gone and {e["by"] for e in told.values()} == {"Prøve Person"}
    assert problems(home) == state and Archive(home).verify() == [] and commits.lost_lines(home) == []
    for name in commits.subjects(home):
        result = verify(home, name)
        assert result.ok and result.rebuilt, result.as_text()
        assert {f"{name} {r.name}" for r in commits.revisions_of(home, name)} <= revisions(home)
    assert call(home, "explain", "6101", "--round", "tiny-2024").exit_code == 0
    assert call(home, "status").exit_code == 0
    for words in (("verify", "--round", "tiny-2024"), ("explain", "6101", "--round", "tiny-2024")):
        missing = call(home, *words, "--revision", "r0001")
        assert missing.exit_code == 5 and "Prøve Person removed it on 2030-11-23" in missing.output, missing.output
    backups.backup(home, tmp_path / "b.zip", now=LATER)
    backups.restore(load_settings(tmp_path / "r"), tmp_path / "b.zip")
    assert revisions(load_settings(tmp_path / "r")) == revisions(home)
    assert [n for n, r in tiny.run(home).items() if r is not None and r.is_new] == []
    specimens.put(home, "reading25")
    specimens.put(home, "fewer25")
    specimens.put(home, "older25")
    tiny.run(home)
    specimens.put(home, "decided25")
    made = {f"{n} {r.revision}" for n, r in tiny.run(home).items() if r is not None and r.is_new}
    assert made and made.isdisjoint(was), "a number is never given again"


def test_quarantine_goes_when_nobody_waits_for_it_and_the_original_is_there(
    specimens: Specimens, home: Settings
) -> None:
    folders = {short: home.quarantine / specimens.shas[short] for short in ("bad25", "junk")}
    stray = home.quarantine / ("0" * 64)
    stray.mkdir()
    assert all(folder.is_dir() for folder in folders.values())
    original = Archive(home).path(specimens.shas["junk"])
    hidden = original.rename(original.with_name("away"))
    assert {o.kind for o in retention.old(home, LATER)}.isdisjoint({"quarantine"})
    hidden.rename(original)
    assert call(home, "prune", "--do-it", "--by", "A").exit_code == 0
    assert not folders["junk"].exists() and folders["bad25"].is_dir() and stray.is_dir()
    assert {f.name: f.status for f in files_of(Archive(home).events())}[tiny.name_of("junk")] == "dismissed"


def test_old_records_go_and_the_journal_says_how_many(home: Settings) -> None:
    checks = (home.history / "checks.jsonl").read_bytes()
    for name in ("validations/a/b/old.json", "validations/a/new.json", "lineage/old.jsonl", "data_docs/old.html"):
        path = home.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}", encoding="utf-8")
        age = 400 if "old" in path.name else 300
        os.utime(path, ((LATER - dt.timedelta(days=age)).timestamp(),) * 2)
    assert call(home, "prune", "--do-it", "--by", "A").exit_code == 0
    assert not (home.home / "validations" / "a" / "b").exists() and not (home.home / "lineage" / "old.jsonl").exists()
    assert (home.home / "validations" / "a" / "new.json").exists() and not (
        home.home / "data_docs" / "old.html"
    ).exists()
    (line,) = journal.read_lines(home.history / "removed.jsonl")
    assert line["removed"]["lineage"] == 1 and line["removed"]["quarantine"] == 1 and line["by"] == "A"
    assert line["removed"]["validations"] >= 2 and (home.history / "checks.jsonl").read_bytes() == checks


def test_alerts_that_are_open_or_unsent_are_kept_and_not_told_again(home: Settings) -> None:
    def problem(key: str) -> alerts.Problem:
        return alerts.Problem(key, key, "here", "do")

    early = LATER - dt.timedelta(days=500)
    alerts.tell(home, early, standing=[problem("open"), problem("solved")])
    alerts.tell(home, early, standing=[problem("open")], occurred=[problem("run")])
    path = home.home / alerts.FILE
    journal.append_line(path, {"event": "problem", "time": early.isoformat(), "standing": True, "to": ["mail"],
                               "key": "unsent", "what": "", "where": "", "todo": ""})  # fmt: skip
    journal.append_line(path, {"event": "solved", "time": early.isoformat(), "key": "unsent"})
    before = LATER - dt.timedelta(days=365)
    assert alerts.forget(home, before, remove=False) == 3 and len(journal.read_lines(path)) == 6
    assert alerts.forget(home, before, remove=True) == 3
    assert {line["key"] for line in journal.read_lines(path)} == {"open", "unsent"}
    assert alerts.tell(home, LATER, standing=[problem("open")])[0] == []


def test_a_prune_that_is_killed_leaves_every_revision_whole_or_gone(specimens: Specimens, released: Settings) -> None:
    with Server() as server:
        again = specimens.home("killed", released.home)
        done = server.put_through(again, "prune", LATER.isoformat())
        assert done.status == 0, done.error
        writes = done.writes
        grave = [n for n, w in enumerate(writes, 1) if "ledger" in w or "rename" in w or "rmtree" in w]
        assert len(grave) > 10
        for at in [*grave[:4], *grave[-3:], *range(1, len(writes), len(writes) // 5)]:
            home = specimens.home("killed", released.home)
            assert server.put_through(home, "prune", LATER.isoformat(), at=at).was_killed
            for folder in commits.subjects(home):
                assert all(verify_revision(r) == [] for r in commits.revisions_of(home, folder))
            tiny.run(home)
            assert not [*home.published.glob(f"*/{commits.REMOVING}*")]
            assert [s.finding.code for s in doctor.examine(home) if s.finding.severity is Severity.FAIL] == []
            assert server.put_through(home, "prune", LATER.isoformat()).status == 0
            assert revisions(home).isdisjoint(superseded(home))


def test_runs_of_the_ui_go_but_those_that_last_made_something(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with history(settings) as none:
        assert none is None, "a home without Dagster's history gets none"
    for name in ("DAGSTER_HOME", "OPPFOLGING_HOME"):
        monkeypatch.setenv(name, "")
    (settings.home / ".dagster" / "storage").mkdir(parents=True)
    years = dg.StaticPartitionsDefinition(["a", "b"])

    @dg.asset(partitions_def=years)
    def by_year() -> None: ...

    @dg.asset
    def whole() -> None: ...

    with history(settings) as instance:
        assert instance is not None
        runs = {
            name: dg.materialize([asset], instance=instance, partition_key=key, raise_on_error=False).run_id
            for name, asset, key in (("a1", by_year, "a"), ("b1", by_year, "b"), ("a2", by_year, "a"),
                                     ("w1", whole, None), ("w2", whole, None))
        }  # fmt: skip
        now = dt.datetime.now(dt.UTC)
        assert old_runs(instance, now - dt.timedelta(days=1)) == []
        old = old_runs(instance, now + dt.timedelta(days=1))
        assert set(old) == {runs["a1"], runs["w1"]}
        delete_runs(instance, old)
        assert {r.dagster_run.run_id for r in instance.get_run_records()} == {runs[n] for n in ("b1", "a2", "w2")}
        assert set(instance.get_materialized_partitions(by_year.key)) == {"a", "b"}
        latest = instance.get_latest_materialization_event(whole.key)
        assert latest is not None and latest.run_id == runs["w2"]
        assert instance.all_logs(runs["w1"]) == [] and old_runs(instance, now + dt.timedelta(days=1)) == []


def test_an_age_that_cannot_be_is_told_with_its_line(home: Settings) -> None:
    shipped = home.retention.read_text(encoding="utf-8")
    wrong = shipped.replace(
        "lineage: {value: 365, basis: inferred, source: convention",
        "lineage: {value: 0, basis: inferred, source: nobody",
    )
    (home.home / "retention.yaml").write_text(wrong, encoding="utf-8")
    done = call(home, "prune")
    assert done.exit_code == 4 and "retention.yaml, line" in done.output and "lineage" in done.output, done.output
