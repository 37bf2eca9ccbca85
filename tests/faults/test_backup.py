"""A backup is made whole or not at all, whatever happens meanwhile; a restore puts a whole home in place or nothing."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import stat
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dagster_project.archive import Archive, commits
from dagster_project.archive.store import sha256_of
from dagster_project.audit import backup as backups
from dagster_project.audit import doctor
from dagster_project.audit.verify import verify
from dagster_project.cli import main
from dagster_project.diagnostics import IntegrityProblem, Severity
from dagster_project.settings import REPOSITORY, Settings, load_settings
from tests.conftest import NOW, oppfolging, tree_hash
from tests.faults import tiny
from tests.faults.tiny import Server, Specimens

ODD = os.fsdecode(b"sp\xf8rre \xe2\x98\x83 % (1).csv")
"""A file name that is no text, with signs that mean something to a URL."""


@pytest.fixture(scope="module")
def specimens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Specimens]:
    with tiny.quickly():
        yield Specimens(tmp_path_factory.mktemp("backup"))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as started:
        yield started


@pytest.fixture(scope="module")
def released(specimens: Specimens) -> Settings:
    """A home with a release, a superseded revision, a file in the inbox and one of a name that is no text."""
    home = tiny.released(specimens)
    specimens.put(home, "numeracy25")
    (home.inbox / ODD).write_bytes(b"odd")
    return home


@pytest.fixture(scope="module")
def whole(released: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of that home."""
    target = tmp_path_factory.mktemp("made") / "whole.zip"
    backups.backup(released, target, now=NOW)
    return target


def call(home: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(home), *words])


def grave(settings: Settings) -> list[str]:
    return [s.finding.as_text() for s in doctor.examine(settings) if s.finding.severity is Severity.FAIL]


def kept(settings: Settings) -> dict[str, bytes]:
    """Every file of a home that a backup has to bring back."""
    taken = [p for name in (*backups.TAKEN, "rounds.yaml", "uncertainty.yaml") for p in [settings.home / name]]
    files = [f for p in taken for f in ([p] if p.is_file() else p.rglob("*")) if f.is_file()]
    return {f.relative_to(settings.home).as_posix(): f.read_bytes() for f in files if f.name != ".lock"}


def test_a_home_restored_elsewhere_is_the_same_and_publishes_nothing_new(released: Settings, tmp_path: Path) -> None:
    before, target = tree_hash(released.home), tmp_path / "b.zip"
    made = call(released.home, "backup", str(target), "--json")
    assert made.exit_code == 0 and tree_hash(released.home) == before
    told = json.loads(made.output)
    assert told["originals"] == 6 and told["inbox"] == 2 and told["revisions"] >= 5 and told["size"] > 10_000
    assert stat.S_IMODE(target.stat().st_mode) == 0o600 and list(tmp_path.iterdir()) == [target]
    home = load_settings(tmp_path / "elsewhere" / "home")
    done = call(home.home, "restore", str(target))
    assert done.exit_code == 0 and "partitions-not-of-the-archive" in done.output and "oppfolging run" in done.output
    assert kept(home) == kept(released) and grave(home) == []
    for path in home.home.rglob("*"):
        once = path.is_file() and path.relative_to(home.home).as_posix().startswith(backups.WRITTEN_ONCE)
        pointer = path.name == commits.POINTER
        assert stat.S_IMODE(path.stat().st_mode) == (
            0o700 if path.is_dir() else 0o400 if once and not pointer else 0o600
        )
    (home.inbox / ODD).unlink()
    (home.inbox / tiny.name_of("numeracy25")).unlink()
    published = tiny.run(home)
    assert [name for name, revision in published.items() if revision is not None and revision.is_new] == []
    for name in (*tiny.ROUNDS, tiny.COHORTS["tiny-2024"]):
        result = verify(home, name)
        assert result.ok and result.rebuilt, result.as_text()


@pytest.mark.pipeline
def test_a_run_of_the_command_after_a_restore_publishes_nothing(tmp_path: Path) -> None:
    """With Dagster and dbt. The backups are made while the first run goes on, as often as there is time."""
    home, target = tmp_path / "home", tmp_path / "last.zip"
    settings = tiny.lay_out(home)
    settings.inbox.mkdir()
    for short in ("base24", "base25"):
        os.utime(tiny.write(settings.inbox, short), (0, 0))
    command = [sys.executable, "-m", "dagster_project.cli", "--home", str(home), "run"]
    going = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lengths = set()
    while going.poll() is None:
        if settings.ledger.exists():
            during = tmp_path / "during.zip"
            made = backups.backup(settings, during, now=NOW)
            if made.ledger_lines not in lengths:
                lengths.add(made.ledger_lines)
                copy = load_settings(tmp_path / f"copy{made.ledger_lines}")
                backups.restore(copy, during)
                assert grave(copy) == []
            during.unlink()
    assert going.returncode == 0 and going.stdout is not None, going.stdout and going.stdout.read()
    assert len(lengths) > 1
    assert call(home, "backup", str(target)).exit_code == 0
    again = tmp_path / "elsewhere"
    assert call(again, "restore", str(target)).exit_code == 0
    lines = Archive(load_settings(again)).head().lines
    done = oppfolging(again, "run", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["published"] == [], done.stdout + done.stderr
    assert Archive(load_settings(again)).head().lines == lines
    verified = oppfolging(again, "verify", "--round", "tiny-2025")
    assert verified.returncode == 0 and "OK (rebuilt)" in verified.stdout, verified.stdout


def test_backups_made_while_runs_go_on_can_be_restored(
    specimens: Specimens, server: Server, released: Settings, tmp_path: Path
) -> None:
    """Another process takes in files, builds and publishes; the home that each backup gives runs to the same end."""
    home = specimens.home("busy", released.home)
    (home.inbox / ODD).unlink()
    specimens.put(home, "bad25", "decided25", "reading24")
    ended: list[Any] = []
    thread = threading.Thread(target=lambda: ended.append(server.put_through(home, "run")))
    before = Archive(home).head().lines
    thread.start()
    made: dict[int, Path] = {}
    while thread.is_alive():
        target = tmp_path / f"{len(list(tmp_path.iterdir()))}.zip"
        made.setdefault(backups.backup(home, target, now=NOW).ledger_lines, target)
        time.sleep(0.1)
    thread.join()
    assert ended[0].status == 0, ended[0].error
    after = Archive(home).head().lines
    assert len(made) >= 3 and before <= min(made) < max(made) <= after, sorted(made)
    tiny.run(home)
    for lines in sorted(made)[:: max(1, len(made) // 2)]:
        restored = specimens.home("restored-busy")
        shutil.rmtree(restored.home)
        backups.restore(restored, made[lines])
        assert grave(restored) == [], lines
        tiny.run(restored)
        for name in tiny.ROUNDS:
            of = [s.published / name / commits.pointer_of(s, name)["revision"] for s in (home, restored)]  # type: ignore[index]
            assert tree_of_tables(of[0]) == tree_of_tables(of[1]), lines


def tree_of_tables(revision: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in (revision / "internal").glob("*.csv")}


def points(writes: int, count: int) -> list[int]:
    """So many writes from the first to the last."""
    return sorted({1 + round(i * (writes - 1) / (count - 1)) for i in range(count)})


def test_a_backup_that_is_killed_at_a_write_is_none_and_the_next_is_whole(
    server: Server, released: Settings, tmp_path: Path
) -> None:
    before, folder = tree_hash(released.home), tmp_path / "to"
    target = folder / "b.zip"
    folder.mkdir()
    writes = server.put_through(released, "backup", str(target), watched=folder).writes
    named = next(n for n, w in enumerate(writes, 1) if "os.rename" in w)
    assert len(writes) > 100
    for at in (*points(named, 25), len(writes)):
        target.unlink(missing_ok=True)
        died = server.put_through(released, "backup", str(target), at=at, watched=folder)
        assert died.was_killed and target.exists() == (at > named), writes[at - 1]
        assert tree_hash(released.home) == before
    assert named < len(writes), "the last of them was killed when its backup had its name"
    backups.restore(load_settings(tmp_path / "r1"), target)
    target.unlink()
    server.put_through(released, "backup", str(target), at=named, watched=folder)
    backups.backup(released, target, now=NOW)
    assert [p.name for p in folder.iterdir()] == ["b.zip"], "what the killed one left is gone"
    backups.restore(load_settings(tmp_path / "r2"), target)


def test_a_restore_that_is_killed_at_a_write_has_restored_nothing_and_can_be_repeated(
    server: Server, released: Settings, whole: Path, tmp_path: Path
) -> None:
    home, folder = load_settings(tmp_path / "to" / "home"), tmp_path / "to"
    folder.mkdir()
    writes = server.put_through(home, "restore", str(whole), watched=folder).writes
    named = max(n for n, w in enumerate(writes, 1) if "os.rename" in w)
    assert len(writes) > 100 and kept(home) == kept(released)
    shutil.rmtree(home.home)
    for at in points(named, 25):
        died = server.put_through(home, "restore", str(whole), at=at, watched=folder)
        assert died.was_killed and not home.home.exists(), writes[at - 1]
    home.home.mkdir()  # an empty folder is as good as none
    backups.restore(home, whole)
    assert kept(home) == kept(released) and [p.name for p in folder.iterdir()] == ["home"]


def on_a_small_disk(home: Path, size: int, *words: str) -> subprocess.CompletedProcess[str]:
    """The command where no file may grow beyond a size: the system refuses the write, as a full disk does."""
    return subprocess.run(
        [sys.executable, "-m", "dagster_project.cli", "--home", str(home), *words], capture_output=True, text=True,
        cwd=REPOSITORY, timeout=300, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )  # fmt: skip


def test_a_full_disk_leaves_no_backup_and_no_half_restored_home(
    released: Settings, whole: Path, tmp_path: Path
) -> None:
    before, size = tree_hash(released.home), whole.stat().st_size
    for limit in (0, size // 2, size - 1):
        done = on_a_small_disk(released.home, limit, "backup", str(tmp_path / "b.zip"))
        assert done.returncode == 7 and "The file system refused" in done.stderr, done.stderr
        assert list(tmp_path.iterdir()) == [] and tree_hash(released.home) == before
    largest = max(p.stat().st_size for p in released.home.rglob("*") if p.is_file() and "warehouse" not in p.parts)
    for limit in (0, largest // 3):
        done = on_a_small_disk(tmp_path / "home", limit, "restore", str(whole))
        assert done.returncode == 7 and "The file system refused" in done.stderr, done.stderr
        assert list(tmp_path.iterdir()) == []


# --- what is refused ---


def test_a_target_that_is_there_or_in_the_home_is_refused(released: Settings, whole: Path, tmp_path: Path) -> None:
    before = whole.read_bytes()
    for target, words in (
        (whole, "exists. A backup overwrites nothing"),
        (released.home / "b.zip", "lies in the data folder"),
        (released.home / "published" / ".." / "b.zip", "lies in the data folder"),
        (tmp_path / "nowhere" / "b.zip", "is not there"),
    ):
        done = call(released.home, "backup", str(target))
        assert done.exit_code in (1, 5) and words in done.output, done.output
    assert whole.read_bytes() == before and not (released.home / "b.zip").exists()
    done = call(tmp_path / "empty", "backup", str(tmp_path / "b.zip"))
    assert done.exit_code == 5 and "nothing to back up" in done.output and list(tmp_path.iterdir()) == []


def halve(path: Path) -> None:
    path.chmod(0o600)
    os.truncate(path, path.stat().st_size // 2)


HURT: dict[str, tuple[Callable[[Settings], object], str]] = {
    "an original": (lambda s: halve(next((s.archive / "objects").glob("??/*"))), "archived-file-changed"),
    "no original": (lambda s: next((s.archive / "objects").glob("??/*")).unlink(), "archived-file-missing"),
    "a table": (lambda s: halve(next(s.published.glob("*/r*/internal/*.csv"))), "published-file-changed"),
    "no table": (lambda s: next(s.published.glob("*/r*/internal/*.csv")).unlink(), "published-file-missing"),
    "a manifest": (lambda s: halve(next(s.published.glob("*/r*/manifest.json"))), "published-file-changed"),
    "no release": (lambda s: shutil.rmtree(commits.current_revision(s, "tiny-2024") or ""), "published-file-missing"),
    "the ledger": (lambda s: s.ledger.write_bytes(s.ledger.read_bytes().replace(b"base24", b"base42")), "ledger-line-changed"),
    "a cut ledger": (lambda s: s.ledger.write_bytes(b"".join(s.ledger.read_bytes().splitlines(True)[:3])),
                     "ledger-line-lost"),
}  # fmt: skip


@pytest.mark.parametrize("what", HURT)
def test_damage_is_named_and_not_backed_up(what: str, specimens: Specimens, released: Settings, tmp_path: Path) -> None:
    home, (hurt, code) = specimens.home("hurt", released.home), HURT[what]
    hurt(home)
    done = call(home.home, "backup", str(tmp_path / "b.zip"))
    assert done.exit_code == 6 and code in done.output and list(tmp_path.iterdir()) == []


def rewritten(source: Path, target: Path, change: Callable[[dict[str, bytes], dict[str, Any]], object]) -> Path:
    """A backup with other members; the manifest that comes out is put into it."""
    with zipfile.ZipFile(source) as old:
        members = {m.filename: old.read(m) for m in old.infolist()}
    manifest = json.loads(members.pop(backups.MANIFEST))
    change(members, manifest)
    with zipfile.ZipFile(target, "w") as new:
        for name, content in {**members, backups.MANIFEST: json.dumps(manifest).encode()}.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = (stat.S_IFREG | 0o600) << 16
            new.writestr(member, content)
    return target


def put(members: dict[str, bytes], manifest: dict[str, Any], name: str, content: bytes = b"x") -> None:
    """A member that the manifest vouches for."""
    members[name] = content
    manifest["files"][name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


LEDGER = "archive/ledger.jsonl"
CHANGES: dict[str, tuple[Callable[[dict[str, bytes], dict[str, Any]], object], str]] = {
    "another byte": (lambda m, f: m.update({LEDGER: m[LEDGER].replace(b"base24", b"base42")}), LEDGER),
    "a member too few": (lambda m, f: m.pop(LEDGER), LEDGER),
    "a member too many": (lambda m, f: m.update({"history/more.jsonl": b""}), "history/more.jsonl"),
    "an older form": (lambda m, f: f.update(version=0), backups.MANIFEST),
    "of a newer version": (lambda m, f: f.update(version=2), backups.MANIFEST),
    "of another program": (lambda m, f: f.update(format="other"), backups.MANIFEST),
    "no list of files": (lambda m, f: f.pop("files"), backups.MANIFEST),
    "out of the home": (lambda m, f: put(m, f, "archive/../../out"), "archive/../../out"),
    "out of the home, quoted": (lambda m, f: put(m, f, "archive/%2E%2E/%2E%2E/out"), "archive/%2E%2E/%2E%2E/out"),
    "from the root": (lambda m, f: put(m, f, "/tmp/out"), "/tmp/out"),
    "Dagster's settings": (lambda m, f: put(m, f, ".dagster/dagster.yaml"), ".dagster/dagster.yaml"),
    "longer than stated": (lambda m, f: m.update({LEDGER: m[LEDGER] + b"\n"}), LEDGER),
    "a line that was made up": (lambda m, f: put(m, f, LEDGER, m[LEDGER].replace(b"base24", b"base42")), "ledger.jsonl"),
    "a table that was made up": (
        lambda m, f: put(m, f, name := next(n for n in m if n.endswith("selection.csv")), m[name] + b"x"),
        "internal/selection.csv"),
    "lines that were left out": (
        lambda m, f: put(m, f, LEDGER, b"".join(m[LEDGER].splitlines(True)[:-8])), "published/"),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_a_backup_that_was_changed_is_refused_and_the_member_named(what: str, whole: Path, tmp_path: Path) -> None:
    change, member = CHANGES[what]
    changed = rewritten(whole, tmp_path / "changed.zip", change)
    done = call(tmp_path / "home", "restore", str(changed))
    assert done.exit_code == 6 and member in done.output and "Nothing was changed" in done.output, done.output
    assert [p.name for p in tmp_path.iterdir()] == ["changed.zip"]


def test_a_backup_that_was_only_written_anew_is_restored(whole: Path, tmp_path: Path) -> None:
    """That the changes above are refused is because of what they change."""
    same = rewritten(whole, tmp_path / "b.zip", lambda members, manifest: None)
    assert call(tmp_path / "home", "restore", str(same)).exit_code == 0


def test_links_in_a_backup_are_refused(whole: Path, tmp_path: Path) -> None:
    linked = rewritten(whole, tmp_path / "linked.zip", lambda m, f: put(m, f, "rules/link.yaml", b"/etc/passwd"))
    with zipfile.ZipFile(linked, "a") as archive:
        archive.getinfo("rules/link.yaml").external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.comment = b"so that the list of members is written anew"
    done = call(tmp_path / "home", "restore", str(linked))
    assert done.exit_code == 6 and "rules/link.yaml" in done.output and "not a plain file" in done.output, done.output


def test_a_file_that_is_no_backup_is_refused(whole: Path, tmp_path: Path) -> None:
    content, plain = whole.read_bytes(), tmp_path / "plain.zip"
    with zipfile.ZipFile(plain, "w") as other:
        other.writestr("a.txt", "a")
    for name, other_content in {
        "empty": b"", "text": b"text", "cut": content[:-1], "half": content[: len(content) // 2], "tail": content[100:],
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(other_content)
    for name in ("empty", "text", "cut", "half", "tail", "plain.zip"):
        done = call(tmp_path / "home", "restore", str(tmp_path / name))
        assert done.exit_code == 6 and "backup-not-whole" in done.output, f"{name}: {done.output}"
        assert not (tmp_path / "home").exists()
    assert call(tmp_path / "home", "restore", str(tmp_path / "none")).exit_code == 5


def test_a_flipped_bit_is_refused_or_changes_nothing_that_is_restored(
    released: Settings, whole: Path, tmp_path: Path
) -> None:
    content, rng, refused = whole.read_bytes(), Random(7), 0
    expected, broken = kept(released), tmp_path / "broken.zip"
    for _ in range(60):
        at = rng.randrange(len(content))
        broken.write_bytes(content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :])
        home = load_settings(tmp_path / "home")
        try:
            backups.restore(home, broken)
        except IntegrityProblem as problem:
            refused += 1
            assert problem.findings and problem.findings[0].file and not home.home.exists()
        else:
            assert kept(home) == expected, at
            shutil.rmtree(home.home)
    assert refused > 40


def test_a_home_that_is_not_empty_is_not_touched(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "note").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "home")
    (tmp_path / "file").write_text("mine")
    for name in ("home", "file"):
        before = tree_hash(tmp_path / "home")
        done = call(tmp_path / name, "restore", str(whole))
        assert done.exit_code == 1 and "is not empty" in done.output and tree_hash(tmp_path / "home") == before


def test_what_a_restore_says_is_quiet_or_json(whole: Path, tmp_path: Path) -> None:
    assert call(tmp_path / "a", "restore", str(whole), "--quiet").output == ""
    told = json.loads(call(tmp_path / "b", "restore", str(whole), "--json").output)
    assert told["originals"] == 6 and "partitions-not-of-the-archive" in {p["code"] for p in told["problems"]}
    assert sha256_of(tmp_path / "a" / "archive" / "ledger.jsonl") == sha256_of(
        tmp_path / "b" / "archive" / "ledger.jsonl"
    )
