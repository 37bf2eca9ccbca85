"""What surrounds a home goes wrong: it cannot be written, the clock is set back, several processes work at once.

Other faults have files of their own: kills, a full disk, derived files that were deleted or changed (``test_states``),
and a ledger that was cut, replaced, or restored from an older backup (``test_tampering``).
"""

from __future__ import annotations

import datetime as dt
import errno
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dagster_project import clock
from dagster_project.archive import Archive, commits
from dagster_project.archive.files import files_of
from dagster_project.archive.guard import writing
from dagster_project.audit import doctor
from dagster_project.cli import main
from dagster_project.diagnostics import Severity
from dagster_project.intake import inbox
from dagster_project.publication import verify_revision
from dagster_project.rounds.problems import open_problems
from dagster_project.settings import REPOSITORY, Settings
from dagster_project.transform import snapshot
from tests.conftest import NOW, tree_hash
from tests.faults import tiny
from tests.faults.tiny import Server, Specimens

REFUSING = """
import errno, os, sys
folder, number = sys.argv[1], int(sys.argv[2])
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
def refuse(event, arguments):
    if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & WRITES):
        return
    if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.truncate"):
        for path in arguments[:2]:
            if isinstance(path, (str, bytes)) and (os.fsdecode(path) + "/").startswith(folder + "/"):
                raise OSError(number, os.strerror(number), os.fsdecode(path))
sys.addaudithook(refuse)
from dagster_project.cli import main
main(sys.argv[3:])
"""
"""The command line in a process to which the system refuses every write below a folder. Root ignores modes."""


@pytest.fixture(scope="module")
def specimens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Specimens]:
    with tiny.quickly():
        yield Specimens(tmp_path_factory.mktemp("disturbances"))


@pytest.fixture(scope="module")
def released(specimens: Specimens) -> Settings:
    return tiny.released(specimens)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Server, Server]]:
    with Server() as one, Server() as other:
        yield one, other


def grave(settings: Settings) -> list[str]:
    return [s.finding.as_text() for s in doctor.examine(settings) if s.finding.severity is Severity.FAIL]


def in_force(settings: Settings) -> dict[str, str]:
    """The revision in force of each round and cohort, each whole."""
    found = {}
    for name in commits.subjects(settings):
        folder = commits.current_revision(settings, name)
        if folder is not None:  # else the first one is being built
            assert verify_revision(folder) == []
            found[name] = folder.name
    return found


def refused(home: Path, folder: Path, number: int, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", REFUSING, str(folder), str(number), "--home", str(home), *words],
        capture_output=True, text=True, cwd=REPOSITORY, timeout=600,
        env={**os.environ, "PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip


# --- a home that cannot be written ---


def test_a_read_only_home_is_told_and_can_be_read_and_backed_up(
    specimens: Specimens, released: Settings, tmp_path: Path
) -> None:
    home, before = released.home, tree_hash(released.home)
    file = str(specimens.paths["numeracy25"])
    for words in (("ingest", file), ("run",), ("doctor", "--fix"), ("dismiss", "x", "--by", "A", "--reason", "b")):
        done = refused(home, home, errno.EROFS, *words)
        assert done.returncode == 7 and "The file system refused: [Errno 30] Read-only file system" in done.stderr
        assert str(home) in done.stderr and "Correct the cause and repeat the command" in done.stderr
        assert "Traceback" not in done.stderr
    for words, code in (
        (("status",), 0), (("doctor",), 0), (("verify", "--round", "tiny-2024", "--quick"), 0),
        (("backup", str(tmp_path / "b.zip")), 0),
    ):  # fmt: skip
        done = refused(home, home, errno.EROFS, *words)
        assert done.returncode == code, done.stdout + done.stderr
    assert tree_hash(home) == before and (tmp_path / "b.zip").exists()


@pytest.mark.parametrize("name", ["archive", "inbox", "history", "quarantine"])
def test_one_folder_without_permission_is_told_and_nothing_is_lost(
    name: str, specimens: Specimens, released: Settings
) -> None:
    home = specimens.home("refused", released.home)
    specimens.put(home, "bad25", "decided25")
    lines, standing = Archive(home).head().lines, in_force(home)
    done = refused(home.home, home.home / name, errno.EACCES, "ingest", *map(str, home.inbox.glob("*.*")))
    told = done.stdout + done.stderr
    if name == "inbox":  # files are read from there, and left there
        assert done.returncode == 3, told
    else:
        assert done.returncode == 7 and "Permission denied" in told and f"/{name}" in told, told
    assert "Traceback" not in told and in_force(home) == standing and Archive(home).head().lines >= lines
    tiny.run(home)  # when the cause is corrected
    assert grave(home) == [] and list(inbox.waiting(home.inbox)) == []
    arrived = {f.name for f in files_of(Archive(home).events())}
    assert {tiny.name_of("bad25"), tiny.name_of("decided25")} <= arrived


def test_publishing_without_permission_leaves_the_revision_in_force(
    specimens: Specimens, released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = specimens.home("refused", released.home)
    specimens.put(home, "reading25")
    specimens.put(home, "numeracy25")
    before, real = in_force(home), os.mkdir

    def mkdir(path: Any, *more: Any, **named: Any) -> None:
        if commits.BUILDING in str(path):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        real(path, *more, **named)

    with monkeypatch.context() as patch:
        patch.setattr(os, "mkdir", mkdir)
        with pytest.raises(PermissionError, match="published"):
            tiny.run(home)
    assert in_force(home) == before and grave(home) == []
    done = tiny.run(home)
    assert any(r is not None and r.is_new for r in done.values()) and grave(home) == []


# --- the clock ---


def test_a_clock_that_was_set_back_is_told_and_orders_nothing(
    specimens: Specimens, released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, straight = specimens.home("early", released.home), specimens.home("straight", released.home)
    early = NOW - dt.timedelta(days=900)
    for settings in (home, straight):
        specimens.put(settings, "reading24", "numeracy25")
    with monkeypatch.context() as patch:
        patch.setattr(tiny, "NOW", early)
        patch.setattr(clock, "now", lambda: early)
        patch.setattr(time, "time_ns", lambda: int(early.timestamp() * 1e9))
        tiny.run(home)
        (told,) = [s.finding for s in doctor.examine(home) if s.finding.code == "clock-set-back"]
        assert "2024-06-07 12:00" in str(told.found) and "2026-11-24 12:00" in str(told.expected) and told.fix
        assert told.severity is Severity.WARN and grave(home) == []
        assert "clock" in {p.key.split(":")[0] for p in open_problems(home, early.date())}
        output = CliRunner().invoke(main, ["--home", str(home.home), "doctor"]).output
        assert "clock-set-back" in output and "Set the clock of this machine right" in output
    tiny.run(straight)
    assert in_force(home) == in_force(straight)
    for name in tiny.ROUNDS:
        tables = [s.published / name / in_force(s)[name] / "internal" for s in (home, straight)]
        assert {p.name: p.read_bytes() for p in tables[0].glob("*.csv")} == {
            p.name: p.read_bytes() for p in tables[1].glob("*.csv")
        }
    # with the right clock nothing is left of it
    monkeypatch.setattr(clock, "now", lambda: NOW)
    assert "clock-set-back" not in {s.finding.code for s in doctor.examine(home)}


def test_files_that_a_killed_call_had_claimed_come_first_whatever_the_clock_says(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = inbox.new_batch(settings)
    first.mkdir(parents=True)
    (first / "a").touch()
    monkeypatch.setattr(time, "time_ns", lambda: 1)
    second = inbox.new_batch(settings)
    second.mkdir()
    (second / "b").touch()
    assert [[p.name for p in files] for files in inbox.batches(settings.inbox)] == [["a"], ["b"]]


def test_a_snapshot_is_kept_for_its_run_whatever_the_clock_says(specimens: Specimens, released: Settings) -> None:
    home = specimens.home("snapshots", released.home)
    later = time.time() + 1e6
    for number in range(snapshot.KEPT + 3):
        path = home.home / "snapshots" / f"later{number}.json"
        path.write_text("{}", encoding="utf-8")
        os.utime(path, (later, later))
    pinned = snapshot.repin(home, "now")
    assert (home.home / "snapshots" / "now.json").exists() and snapshot.pin(home, "now").head == pinned.head
    assert len(list((home.home / "snapshots").glob("*.json"))) == snapshot.KEPT


# --- several at once ---


def together(*calls: Any) -> list[Any]:
    """Make calls at the same time; their answers."""
    ended: list[Any] = [None] * len(calls)

    def make(at: int) -> None:
        ended[at] = calls[at]()

    threads = [threading.Thread(target=make, args=(at,)) for at in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ended


def test_two_runs_at_once_come_to_what_one_run_comes_to(
    specimens: Specimens, servers: tuple[Server, Server], released: Settings
) -> None:
    home, alone = specimens.home("two", released.home), specimens.home("alone", released.home)
    for settings in (home, alone):
        specimens.put(settings, "numeracy25", "decided25")
    tiny.run(alone)
    died = together(*(lambda s=s: s.put_through(home, "run") for s in servers))
    assert [d.error for d in died if d.status != 0] == []
    assert Archive(home).verify() == [] and commits.lost_lines(home) == [] and grave(home) == []
    assert in_force(home) == in_force(alone)
    told = [[e["event"] for e in Archive(s).events()] for s in (home, alone)]
    assert sorted(told[0]) == sorted(told[1]), "nothing was done twice"


def test_an_intake_during_a_run_loses_nothing_and_is_computed_by_the_next_run(
    specimens: Specimens, servers: tuple[Server, Server], released: Settings
) -> None:
    home = specimens.home("intake", released.home)
    specimens.put(home, "decided25")
    paths = [str(specimens.paths[s]) for s in ("numeracy25", "reading24", "bad25")]
    one, other = servers
    died = together(lambda: one.put_through(home, "run"), lambda: other.put_through(home, "ingest", *paths))
    # a run whose files or rules changed while it went on publishes nothing and says so
    assert died[1].status == 0, died[1].error
    assert died[0].status == 0 or "a whole run made everything" in died[0].error, died[0].error
    assert grave(home) == [] and in_force(home)["tiny-2024"] == in_force(released)["tiny-2024"]
    tiny.run(home)
    status = {f.name: f.status for f in files_of(Archive(home).events())}
    assert status[tiny.name_of("numeracy25")] == status[tiny.name_of("decided25")] == "accepted"
    assert status[tiny.name_of("bad25")] == "rejected" and grave(home) == []


def test_who_reads_during_a_run_finds_one_whole_revision_and_no_false_alarm(
    specimens: Specimens, servers: tuple[Server, Server], released: Settings
) -> None:
    home = specimens.home("read", released.home)
    specimens.put(home, "numeracy25", "decided25", "reading24")
    ended: list[Any] = []
    thread = threading.Thread(target=lambda: ended.append(servers[0].put_through(home, "run")))
    thread.start()
    looks = 0
    while thread.is_alive():
        assert commits.lost_lines(home) == []
        in_force(home)
        looks += 1
    assert ended[0].status == 0, ended[0].error
    assert looks > 5 and grave(home) == []


def test_a_revision_that_is_published_while_somebody_looks_is_no_lost_ledger(
    specimens: Specimens, released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = specimens.home("look", released.home)
    specimens.put(home, "numeracy25")
    real, busy = Archive.events, [False]

    def events(self: Archive, *given: Any, **named: Any) -> list[dict[str, Any]]:
        found = real(self, *given, **named)
        if not busy[0]:
            busy[0] = True
            tiny.run(home)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Archive, "events", events)
        assert commits.lost_lines(home) == []
    assert busy[0] and in_force(home) != in_force(released)


# --- what is left is swept away ---


def test_the_next_to_write_sweeps_what_a_killed_process_left(specimens: Specimens, released: Settings) -> None:
    home = specimens.home("swept", released.home)
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    places = (
        "published/tiny-2024/.current.json",
        "archive/objects/",
        "snapshots/.a.json",
        "marts/.a.parquet",
        ".a.yaml",
    )
    left = [home.home / (f"{p}.{gone.stdout.strip()}.tmp") for p in places]
    mine = home.home / f".a.yaml.{os.getpid()}.tmp"
    for path in (*left, mine):
        path.write_text("half", encoding="utf-8")
    orphan = commits.building_folder(home, "tiny-2024", "r0099")
    orphan.mkdir()
    with writing(home, "somebody who lets go of the lock"):
        pass
    assert not orphan.exists() and all(p.exists() for p in left), "nobody was killed as far as the lock tells"
    (home.home / commits.LOCK).write_text('{"what": "x", "pid": 1, "since": "2026-11-24T12:00:00"}', encoding="utf-8")
    with writing(home, "the next"):
        pass
    assert [p for p in left if p.exists()] == [] and mine.exists() and grave(home) == []
    shutil.rmtree(home.home)
