"""What is in force follows from the ledger: kills, lost ledgers, and figures that were not computed from what stands."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from dagster_project.archive import Archive
from dagster_project.archive.commits import commits_of, lost_lines, pointer_of, read_manifest
from dagster_project.archive.files import files_of, find_file
from dagster_project.archive.guard import writing
from dagster_project.assets.published import FOLLOWS
from dagster_project.audit.doctor import examine
from dagster_project.cli import main
from dagster_project.diagnostics import IntegrityProblem, PipelineProblem, RoundProblem
from dagster_project.intake import flow
from dagster_project.orchestration.pipeline import dagster_home
from dagster_project.publication import current_revision, edition, verify_revision
from dagster_project.publication import manifest as manifests
from dagster_project.publication.edition import Revision
from dagster_project.rounds import inputs, release, state
from dagster_project.rounds.monitoring import current_effects
from dagster_project.rounds.publishing import (
    _alike,
    behind,
    computed_rounds,
    missing_in_words,
    missing_inputs_of,
    open_rounds,
    publish_round,
    refuse_behind,
    waits_for,
)
from dagster_project.rounds.state import State
from dagster_project.rounds.uncertainty import current_uncertainty
from dagster_project.rules import load_rules
from dagster_project.settings import REPOSITORY, Settings
from dagster_project.transform import built
from dagster_project.transform.parameters import compile_snapshot
from dagster_project.transform.snapshot import Snapshot, pin, take
from tests import samples
from tests.conftest import NOW, oppfolging, tree_hash
from tests.faults import tiny
from tests.faults.tiny import Specimens
from tests.homes import shared_reader as shared_reader

pytestmark = [pytest.mark.pipeline, pytest.mark.usefixtures("shared_reader")]
FINAL, OPEN = "tiny-2024", "tiny-2025"
RUN = "a-later-run"
NAMED = ("--by", "Prøve Person", "--reason", "because a test asks")
SIGNED = {"by": "Prøve Person", "reason": "because a test asks", "now": NOW}
TESTS, CORRECTED = tiny.name_of("base24"), "20240201-0900_rettet.csv"
# what a kill leaves undone, and the call that it hits, as `oppfolging` makes it
UNDONE = {
    "the folder has no name": "from dagster_project.publication import edition as m; m.finish = ",
    "no pointer names it": "from dagster_project.archive import commits as m; m.write_pointer = ",
}


def compute(settings: Settings, run: str = RUN) -> Snapshot:
    """Make all that follows from what is in force, as a run does before it publishes; what the run pinned."""
    with writing(settings, run), tiny.quickly():
        snapshot = pin(settings, run)
        assert built.build_models(settings, snapshot, run).success
        current_effects(settings, load_rules(settings))
        current_uncertainty(settings, load_rules(settings), computed_rounds(settings, load_rules(settings)))
        refuse_behind(settings, snapshot)
    return snapshot


def publish(settings: Settings, snapshot: Snapshot, round_id: str) -> Revision:
    """Publish a round, as a run does."""
    with writing(settings, RUN):
        made = publish_round(settings, snapshot, round_id, now=NOW)
    assert made is not None
    return made


def another(settings: Settings, target: Path) -> Settings:
    """A copy of a home."""
    shutil.copytree(settings.home, target)
    return Settings(home=target)


@pytest.fixture(scope="module")
def specimens(tmp_path_factory: pytest.TempPathFactory, shared_reader: None) -> Specimens:
    return Specimens(tmp_path_factory.mktemp("commits") / "specimens")


@pytest.fixture(scope="module")
def released(specimens: Specimens) -> Settings:
    """One round is final; the other is published, and may be released."""
    settings = tiny.released(specimens)
    assert release.standing(settings, OPEN).state is State.PRIORITISED
    return settings


@pytest.fixture
def copy(released: Settings, tmp_path: Path) -> Settings:
    return another(released, tmp_path / "home")


@pytest.fixture(scope="module")
def answered(specimens: Specimens, released: Settings) -> Settings:
    """Udir has decided the open round: it is computed, and not published."""
    settings = another(released, specimens.folder / "answered")
    specimens.put(settings, "decided25")
    assert [r.status for r in flow.take_in_inbox(settings)] == ["accepted"]
    compute(settings)
    return settings


def corrected(settings: Settings, folder: Path) -> Path:
    """A later export of the tests of 2023-24: one school has one scale point more in reading."""
    archive = Archive(settings)
    text = (
        archive.path(find_file(files_of(archive.events()), TESTS, "accepted").sha256).read_bytes().decode("utf-16-le")
    )
    lines = text.splitlines(keepends=True)
    row = max(i for i, line in enumerate(lines) if line.startswith("4\t"))
    cells = lines[row].split("\t")
    cells[len(samples.UNITS)] = str(int(cells[len(samples.UNITS)]) + 1)
    lines[row] = "\t".join(cells)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / CORRECTED
    path.write_bytes("".join(lines).encode("utf-16-le"))
    return path


@pytest.fixture(scope="module")
def amendable(specimens: Specimens, released: Settings) -> Settings:
    """A corrected export came for a final round, and all was computed from it."""
    settings = another(released, specimens.folder / "amendable")
    (result,) = flow.take_in_all([corrected(settings, settings.home / "sent")], settings)
    assert result.status == "accepted" and [c.changed for c in result.changes] == [1], result
    compute(settings)
    return settings


def ingested(settings: Settings) -> None:
    """Bring a corrected export into force, as `oppfolging ingest` does, and do nothing else."""
    (result,) = flow.take_in_all([corrected(settings, settings.home / "sent")], settings)
    assert result.status == "accepted"


def killed_in(settings: Settings, undone: str, *arguments: str) -> None:
    """Run a command in a process that dies in the middle, as by a signal: nothing of it gets to tidy up."""
    script = (
        f"import os, sys; sys.argv = ['oppfolging', *sys.argv[1:]]; {UNDONE[undone]}lambda *_: os._exit(137)\n"
        "from dagster_project.cli import main\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "--home", str(settings.home), *arguments],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 137, done.stdout + done.stderr


def in_force(settings: Settings, round_id: str) -> dict[str, str]:
    """What ``current.json`` says."""
    content: dict[str, str] = json.loads((settings.published / round_id / "current.json").read_text(encoding="utf-8"))
    return content


def check_finished(settings: Settings, round_id: str, release_number: str, revision: str) -> str:
    """The committed revision is in force, whole, and the last one; return the hash of its folder."""
    folder = settings.published / round_id / revision
    named = {"round": round_id, "revision": revision, "status": "final", "release": release_number}
    assert in_force(settings, round_id) == pointer_of(settings, round_id) == named
    assert current_revision(settings, round_id) == folder and verify_revision(folder) == []
    assert read_manifest(folder)["release"] == release_number
    names = sorted(p.name for p in folder.parent.iterdir() if p.is_dir())
    assert names[-1] == revision and not [n for n in names if n.startswith(".")]
    return tree_hash(folder)


def check_killed(settings: Settings, round_id: str, command: str, undone: str, release_number: str) -> None:
    """Kill a release after its commit: the next writer finishes it, and the run after that leaves it alone."""
    before = in_force(settings, round_id)
    committed = len(commits_of(Archive(settings).events(), round_id))
    killed_in(settings, undone, "round", command, round_id, *NAMED)
    assert in_force(settings, round_id) == before
    commits = commits_of(Archive(settings).events(), round_id)
    revision = str(commits[-1]["revision"])
    assert len(commits) == committed + 1 and commits[-1]["release"] == release_number
    assert revision == f"r{int(before['revision'][1:]) + 1:04d}"
    with writing(settings, "the next writer"):
        made = check_finished(settings, round_id, release_number, revision)
    again = publish(settings, take(settings), round_id)
    assert not again.is_new and again.revision == revision and again.differences == ()
    assert check_finished(settings, round_id, release_number, revision) == made
    assert [e["to"] for e in state.round_events(settings, round_id) if e["event"] == state.MOVED][-1] == "final"


@pytest.mark.parametrize("undone", ["no pointer names it"])
def test_a_release_that_was_killed_after_its_commit_is_finished_by_the_next_writer(
    answered: Settings, tmp_path: Path, undone: str
) -> None:
    settings = another(answered, tmp_path / "home")
    publish(settings, pin(settings, RUN), OPEN)
    check_killed(settings, OPEN, "finalise", undone, "1.0")


@pytest.mark.parametrize("undone", UNDONE)
def test_an_amendment_that_was_killed_after_its_commit_is_finished_by_the_next_writer(
    amendable: Settings, tmp_path: Path, undone: str
) -> None:
    settings = another(amendable, tmp_path / "home")
    check_killed(settings, FINAL, "amend", undone, "1.1")


def test_a_corrected_export_is_released_as_the_next_number_with_the_one_figure_it_moves(
    amendable: Settings, tmp_path: Path
) -> None:
    settings = another(amendable, tmp_path / "home")
    seen = publish_round(settings, take(settings), FINAL, now=NOW)
    assert seen is not None and not seen.is_new and seen.differences[0].count == 6
    done = release.amend(settings, FINAL, **SIGNED)  # type: ignore[arg-type]
    manifest = read_manifest(done.path)
    changes, school = manifest["changes"], {"unit_level": "school", "unit_code": list(tiny.SCHOOLS)[-1]}
    # inside and for everybody the figure, the cell it comes from and that cell as it was;
    # that the file has another name is no change
    assert changes["cells"] == 6 and changes["points_changed"] == [school]
    assert (changes["in"], changes["out"], changes["moved"]) == ([], [], [])
    assert changes["causes"] == ["data"]
    assert CORRECTED in {i["file"] for i in manifest["inputs"]}


def test_a_file_that_comes_between_the_models_and_the_publication_is_no_input_of_it(
    answered: Settings, tmp_path: Path
) -> None:
    settings = another(answered, tmp_path / "home")
    pinned = pin(settings, RUN)
    ingested(settings)
    assert Archive(settings).head() != pinned.head
    assert pin(settings, RUN) == pinned and behind(settings, pinned) == []
    manifest = read_manifest(publish(settings, pinned, OPEN).path)
    assert manifest["status"] == "prioritised" and manifest["ledger"] == pinned.head.as_dict()
    assert manifest["snapshot"] == pinned.identity and manifest["extracts"] == pinned.extracts
    files = {i["file"] for i in manifest["inputs"]}
    assert TESTS in files and CORRECTED not in files
    (after,) = {f.found for f in behind(settings, take(settings))}
    assert after == "national_tests 2023-24 is made from other files"


@pytest.mark.parametrize("command", ["finalise", "amend"])
def test_what_came_into_force_without_a_run_is_not_released(released: Settings, tmp_path: Path, command: str) -> None:
    settings, round_id = another(released, tmp_path / "home"), OPEN if command == "finalise" else FINAL
    ingested(settings)
    before = tree_hash(settings.home)
    done = oppfolging(settings.home, "round", command, round_id, *NAMED)
    assert done.returncode == RoundProblem.exit_code and tree_hash(settings.home) == before
    told = " ".join(done.stderr.split())
    assert "national_tests 2023-24 is made from other files" in told and "oppfolging run" in told
    assert "Traceback" not in told


def old_copy(settings: Settings) -> set[str]:
    """Put back the ledger as it was before a file came."""
    before = settings.ledger.read_bytes()
    flow.take_in_all([corrected(settings, settings.home / "sent")], settings)
    settings.ledger.write_bytes(before)
    return {"archived-file-unexpected"}


def deleted(settings: Settings) -> set[str]:
    settings.ledger.unlink()
    return {"revision-not-in-ledger", "ledger-line-lost", "archived-file-unexpected"}


def shortened(settings: Settings) -> set[str]:
    lines = settings.ledger.read_bytes().splitlines(keepends=True)
    settings.ledger.write_bytes(b"".join(lines[: len(lines) // 2]))
    return {"revision-not-in-ledger", "ledger-line-lost", "archived-file-unexpected"}


def without_its_last_commit(settings: Settings) -> set[str]:
    lines = settings.ledger.read_bytes().splitlines(keepends=True)
    last = max(i for i, line in enumerate(lines) if json.loads(line)["event"] == "published")
    settings.ledger.write_bytes(b"".join(lines[:last]))
    return {"revision-not-in-ledger"}


def lines_of(settings: Settings) -> list[bytes]:
    return settings.ledger.read_bytes().splitlines(keepends=True)


def a_line_changed(settings: Settings) -> set[str]:
    """An acceptance that was made a rejection: what is published would be computed without that file."""
    lines = lines_of(settings)
    at = next(i for i, line in enumerate(lines) if json.loads(line)["event"] == "accepted")
    lines[at] = lines[at].replace(b'"accepted"', b'"rejected"')
    settings.ledger.write_bytes(b"".join(lines))
    return {"ledger-line-changed"}


def lines_swapped(settings: Settings) -> set[str]:
    lines = lines_of(settings)
    lines[1], lines[2] = lines[2], lines[1]
    settings.ledger.write_bytes(b"".join(lines))
    return {"ledger-line-reordered"}


def another_line_end(settings: Settings) -> set[str]:
    """As an editor of another system saves it."""
    settings.ledger.write_bytes(settings.ledger.read_bytes().replace(b"\n", b"\r\n"))
    return {"ledger-line-changed"}


def no_event(settings: Settings) -> set[str]:
    settings.ledger.write_bytes(settings.ledger.read_bytes() + b"[1, 2]\n")
    return {"ledger-line-changed"}


def of_another_home(settings: Settings) -> set[str]:
    """As many lines, each of them whole and linked, and none of them of this home."""
    events = Archive(settings).events()
    settings.ledger.unlink()
    for event in events:
        Archive(settings).append({"event": "file_dismissed", "file": str(event["line"])})
    return {"revision-not-in-ledger", "ledger-line-lost", "archived-file-unexpected"}


@pytest.mark.parametrize("damage", [a_line_changed, lines_swapped, another_line_end, no_event])
def test_nothing_reads_or_writes_on_a_ledger_that_is_not_as_it_was_written(
    copy: Settings, damage: Callable[[Settings], set[str]]
) -> None:
    """Not the next run, and nobody who asks how things stand: the line is named, and nothing is changed."""
    (code,) = damage(copy)
    before = tree_hash(copy.home)
    with pytest.raises(IntegrityProblem, match=code), writing(copy, "a test"):
        raise AssertionError("nobody may write here")
    assert {s.finding.code for s in examine(copy)} == {code}
    for command in (("status",), ("round", "reopen", FINAL, *NAMED)):
        done = CliRunner().invoke(main, ["--home", str(copy.home), *command])
        assert done.exit_code == IntegrityProblem.exit_code and code in done.output, done.output
    assert tree_hash(copy.home) == before


@pytest.mark.parametrize("lose", [deleted, shortened, without_its_last_commit, old_copy, of_another_home])
def test_nothing_is_written_on_a_ledger_that_has_lost_lines(
    copy: Settings, lose: Callable[[Settings], set[str]]
) -> None:
    shows = lose(copy)
    codes = {f.code for f in lost_lines(copy)}
    assert shows <= codes
    before = tree_hash(copy.home)
    with pytest.raises(IntegrityProblem, match="Nothing was changed") as refused, writing(copy, "a test"):
        raise AssertionError("nobody may write here")
    assert {f.code for f in refused.value.findings} == codes
    assert all(f.fix == "Restore the newest copy of the ledger." for f in refused.value.findings)
    done = oppfolging(copy.home, "round", "withdraw", FINAL, *NAMED)
    assert done.returncode == IntegrityProblem.exit_code and "Restore the newest copy of the ledger" in done.stderr
    assert "Traceback" not in done.stderr and tree_hash(copy.home) == before


def test_the_pointer_follows_from_the_ledger_and_is_written_again(copy: Settings) -> None:
    path = copy.published / FINAL / "current.json"
    whole, folder = path.read_bytes(), current_revision(copy, FINAL)
    assert folder is not None and folder.name == "r0003"
    path.unlink()
    assert current_revision(copy, FINAL) == folder
    with writing(copy, "a test"):
        assert path.read_bytes() == whole
    for other in (whole.replace(b"r0003", b"r0001"), whole.replace(b"final", b"closed"), b"", b"\xff{"):
        path.write_bytes(other)
        assert current_revision(copy, FINAL) == folder
        with writing(copy, "a test"):
            assert path.read_bytes() == whole
    # a folder that nobody committed is not in force, and a pointer cannot make it so
    assert not (copy.published / FINAL / "r0004").exists()


def the_folder(folder: Path) -> str:
    shutil.rmtree(folder)
    return ""


def a_table(folder: Path) -> str:
    (folder / "internal" / "selection.parquet").unlink()
    return "internal/selection.parquet"


def the_public_table(folder: Path) -> str:
    path = folder / "public" / "selection.parquet"
    path.chmod(0o644)
    path.write_text("hallo", encoding="utf-8")
    return "public/selection.parquet"


def the_manifest(folder: Path) -> str:
    path = folder / "manifest.json"
    path.chmod(0o644)
    path.write_bytes(b"")
    return "manifest.json"


@pytest.mark.parametrize("damage", [the_folder, a_table, the_public_table, the_manifest])
def test_a_release_that_is_not_as_it_was_published_is_named_and_nothing_takes_its_place(
    copy: Settings, damage: Callable[[Path], str]
) -> None:
    """An older revision never stands in for it, and whoever reads it says which file to put back."""
    folder = current_revision(copy, FINAL)
    assert folder is not None and folder.name == "r0003"
    pointer = (folder.parent / "current.json").read_bytes()
    place = f"published/{FINAL}/r0003/{damage(folder)}"
    named = [s.finding for s in examine(copy) if s.finding.file == place]
    assert [f.severity.value for f in named] == ["FAIL"] and "copy" in str(named[0].fix), list(examine(copy))
    with tiny.quickly(), pytest.raises(IntegrityProblem, match=re.escape(place)):
        tiny.run(copy)
    assert (folder.parent / "current.json").read_bytes() == pointer
    inside = () if damage is the_public_table else (("status",), ("explain", "6101", "--round", FINAL))
    for command in (("round", "show", FINAL), *inside):
        done = CliRunner().invoke(main, ["--home", str(copy.home), *command])
        assert place in done.output and done.exit_code == IntegrityProblem.exit_code, (command, done.output)
    assert [s.finding for s in examine(copy) if s.finding.file == place]


def test_publishing_the_same_again_makes_no_new_revision_and_a_kill_leaves_the_old(
    copy: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = take(copy)
    again = publish(copy, snapshot, OPEN)
    assert not again.is_new
    (copy.marts / "point_sources.parquet").unlink()
    ledger = copy.ledger.read_bytes()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    for at, what in ((edition, "fill_data"), (manifests, "describe_files"), (Archive, "append")):
        with monkeypatch.context() as patch:
            patch.setattr(at, what, killed)
            with pytest.raises(KeyboardInterrupt):
                publish_round(copy, snapshot, OPEN, now=NOW)
        current = current_revision(copy, OPEN)
        assert current is not None and current.name == again.revision and verify_revision(current) == []
        assert copy.ledger.read_bytes() == ledger
    mended = publish(copy, snapshot, OPEN)
    assert mended.is_new and verify_revision(mended.path) == []
    assert current_revision(copy, OPEN) == mended.path and not list(mended.path.parent.glob(".building-*"))


def test_a_broken_file_is_refused_and_neither_marts_nor_the_published_revision_move(
    copy: Settings, specimens: Specimens
) -> None:
    """It is told until somebody settles it; it never came into force, so nothing depends on it."""
    built = {p.name: p.stat().st_mtime_ns for p in copy.marts.iterdir()}
    published, name = tree_hash(copy.published), tiny.name_of("bad25")
    specimens.put(copy, "bad25")
    result = oppfolging(copy.home, "run")
    assert result.returncode == 3, result.stdout + result.stderr
    told = " ".join(result.stdout.split())
    assert f"REJECTED: {name}" in told and "(value-off-scale)" in told and "Traceback" not in result.stderr
    signed = ("--by", "Prøve Person", "--reason", "a test made it up")
    assert oppfolging(copy.home, "dismiss", name, *signed).returncode == 0
    assert name not in oppfolging(copy.home, "status").stdout
    assert tree_hash(copy.published) == published
    assert {p.name: p.stat().st_mtime_ns for p in copy.marts.iterdir()} == built


def test_a_stray_table_beside_the_marts_is_not_published(copy: Settings) -> None:
    shutil.copyfile(copy.marts / "selection.parquet", copy.marts / "selection_old.parquet")
    with tiny.quickly():
        tiny.run(copy)
    found = {p.name for p in copy.published.rglob("*selection*")}
    assert found and not any("old" in name for name in found)


def published_alone(settings: Settings, round_id: str) -> str:
    """Materialise nothing but the published round, as from the web UI; what its first check objects to, or nothing."""
    done = subprocess.run(
        [Path(sys.executable).parent / "dagster", "asset", "materialize", "-m", "dagster_project.definitions",
         "--select", "published_round", "--partition", round_id],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=300,
        env={**os.environ, "DAGSTER_HOME": str(dagster_home(settings)), "OPPFOLGING_HOME": str(settings.home)},
    )  # fmt: skip
    said = done.stderr.partition(f"Asset check '{FOLLOWS}' on 'published_round' did not pass.")[2]
    assert (said != "") == (done.returncode != 0), done.stderr
    return said


def test_marts_that_were_changed_by_hand_are_not_published(copy: Settings) -> None:
    assert behind(copy, take(copy)) == []
    path = copy.marts / "selection.parquet"
    table = pq.read_table(path)
    reserve = pc.equal(table["status"], "reserve")
    status = pc.if_else(reserve, pa.scalar("selected"), table["status"])
    pq.write_table(table.set_column(table.column_names.index("status"), "status", status), path)
    before = tree_hash(copy.published), copy.ledger.read_bytes()
    (finding,) = behind(copy, take(copy))
    assert finding.code == "marts-not-of-the-snapshot" and "changed by hand" in str(finding.found)
    with pytest.raises(PipelineProblem, match="changed by hand"):
        refuse_behind(copy, take(copy))
    for act in (release.amend, release.keep):
        with pytest.raises(RoundProblem, match="changed by hand"):
            act(copy, FINAL, **SIGNED)  # type: ignore[operator]
    assert (tree_hash(copy.published), copy.ledger.read_bytes()) == before


def test_estimates_that_were_changed_by_hand_are_not_published(copy: Settings) -> None:
    path = copy.marts / "selection_uncertainty.parquet"
    table = pq.read_table(path)
    pq.write_table(table.slice(0, table.num_rows - 1), path)
    before = tree_hash(copy.published), copy.ledger.read_bytes()
    (finding,) = behind(copy, take(copy))
    assert (finding.code, finding.file) == ("estimates-not-of-the-marts", "marts/selection_uncertainty.parquet")
    with pytest.raises(PipelineProblem, match="selection_uncertainty"):
        refuse_behind(copy, take(copy))
    assert (tree_hash(copy.published), copy.ledger.read_bytes()) == before


def test_rules_that_were_compiled_and_not_computed_are_not_published(copy: Settings) -> None:
    assert behind(copy, take(copy)) == []
    tiny.write_rules(copy.home, tiny.LIMITS[1])
    with writing(copy, "a test"):
        compile_snapshot(copy, take(copy))
    before = tree_hash(copy.published), copy.ledger.read_bytes()
    (finding,) = behind(copy, take(copy))
    assert (finding.code, finding.found) == ("marts-not-of-the-snapshot", "rules/tiny.yaml was changed")
    assert "rules/tiny.yaml was changed" in published_alone(copy, OPEN)
    assert (tree_hash(copy.published), copy.ledger.read_bytes()) == before


def test_a_round_without_one_of_its_inputs_waits_until_somebody_accepts_that(copy: Settings) -> None:
    """Losing a file stops the round: what was published stays as it was, and nothing is computed around the gap."""
    lost = ("national_tests", "2024-25", "numeracy_scale_score", 5)
    gap = "numeracy_scale_score, trinn/grade 5, 2024-25: no numeracy"
    lacks = "numeracy_scale_score, grade 5, 2024-25 (national_tests)"
    before, standing = tree_hash(copy.published), current_revision(copy, OPEN)
    flow.withdraw(copy, tiny.name_of("base25"), by="Prøve Person", reason="a test asks", now=NOW)
    snapshot = compute(copy, "without the file")
    (waits,) = missing_inputs_of(copy, OPEN)
    assert waits.startswith(lacks)
    assert publish_round(copy, snapshot, OPEN, now=NOW) is None
    assert current_revision(copy, OPEN) == standing and tree_hash(copy.published) == before
    moves = [e for e in state.round_events(copy, OPEN) if e["event"] == state.MOVED]
    assert (moves[-1]["from"], moves[-1]["to"]) == ("prioritised", "draft")
    told = " ".join(oppfolging(copy.home, "status").stdout.split())
    assert "this revision stays in force; a new one needs more data missing:" in told and f"missing: {lacks}" in told

    inputs.accept_missing(copy, OPEN, lost, by="Prøve Person", reason="no numeracy", now=NOW)
    of_marts = {f.found for f in behind(copy, take(copy)) if f.code == "marts-not-of-the-snapshot"}
    assert of_marts == {"a missing input was accepted"}
    made = publish(copy, compute(copy, "with the acceptance"), OPEN)
    assert made.is_new and missing_inputs_of(copy, OPEN) == []
    assert read_manifest(made.path)["accepted_gaps"] == [gap]
    for part in ("internal", "public"):
        tables = [pq.read_table(path) for path in sorted((made.path / part).glob("*.parquet"))]
        assert sum(table.num_rows > 0 for table in tables) > 5
        for table in tables:
            assert all(gap in cell for cell in table["missing_inputs"].to_pylist())
    rows = pq.read_table(made.path / "internal" / "round_inputs.parquet").to_pylist()
    (accepted,) = [r for r in rows if not r["in_force"]]
    assert (accepted["indicator"], accepted["accepted_by"]) == ("numeracy_scale_score", "Prøve Person")
    for part in ("internal", "public"):
        front = (made.path / part / "site" / "index.html").read_text(encoding="utf-8")
        assert "Ufullstendig, beregnet uten" in front and "no numeracy" in front


def test_a_round_says_what_it_waits_for_before_it_was_ever_published(specimens: Specimens) -> None:
    """One with some of its figures names the others; one of which nothing has come is a line."""
    settings = specimens.home("begun")
    specimens.put(settings, "reading25")
    assert [r.status for r in flow.take_in_inbox(settings)] == ["accepted"]
    snapshot = compute(settings)
    lacks = "numeracy_scale_score, grade 5, 2024-25 (national_tests); the files in force of 2024-25 do not hold it"
    assert open_rounds(settings) == {OPEN: [lacks]}
    for round_id in (FINAL, OPEN):
        assert publish_round(settings, snapshot, round_id, now=NOW) is None
    told = oppfolging(settings.home, "status", COLUMNS="200").stdout.splitlines()
    assert f"Waiting for figures: {FINAL}" in told and f"  missing: {lacks}" in told
    why = oppfolging(settings.home, "status", "--why", COLUMNS="200").stdout.splitlines()
    assert f"{FINAL}: waits for all its figures, fictional, up to 2023-24" in why
    shown = oppfolging(settings.home, "round", "show", OPEN)
    assert (shown.returncode, shown.stdout) == (0, f"{OPEN}: draft, not published\nwaits for:\n  {lacks}\n")
    assert json.loads(oppfolging(settings.home, "round", "show", FINAL, "--json").stdout) == {
        "round": FINAL, "state": "draft", "revision": None, "waits_for": ["all its figures, fictional, up to 2023-24"],
    }  # fmt: skip
    flow.take_in_all([specimens.paths["numeracy25"]], settings, now=NOW)
    compute(settings, "with all figures")
    assert waits_for(settings, load_rules(settings).round(OPEN)) == ["a run that publishes it: oppfolging run"]
    assert oppfolging(settings.home, "round", "show", "tiny-1999").returncode == 4


def test_missing_inputs_with_the_same_grades_are_one_line_an_indicator() -> None:
    def row(indicator: str, grade: int, year: str) -> dict[str, Any]:
        return {"dataset": "pupil_survey", "indicator": indicator, "grade": grade, "school_year": year}

    missing = [row("bullying", g, y) for y in ("2023-24", "2024-25") for g in (7, 10)] + [row("bullying", 7, "2025-26")]
    assert [missing_in_words(rows, []) for rows in _alike(missing)] == [
        "bullying, grades 7 and 10, 2023-24, 2024-25 (pupil_survey)", "bullying, grade 7, 2025-26 (pupil_survey)",
    ]  # fmt: skip
