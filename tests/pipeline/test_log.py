"""What commands and runs did stands in the log of the home, by id, without a figure, and costs no run."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dagster_project import log
from dagster_project.archive import journal
from dagster_project.cli import main
from dagster_project.settings import REPOSITORY, Settings
from tests import samples
from tests.conftest import oppfolging
from tests.docs.blocks import DOCS, blocks
from tests.faults import tiny

Line = dict[str, Any]
WRITER = """
import sys
from pathlib import Path
from dagster_project import log
log.MOST_BYTES, log.KEPT = 5_000, 1_000
with log.following(Path(sys.argv[1]), invocation=sys.argv[2]):
    for number in range(300):
        log.event("line", number=number)
"""


def lines_of(home: Path) -> list[Line]:
    return [json.loads(line) for line in (home / "logs" / "oppfolging.jsonl").read_text(encoding="utf-8").splitlines()]


def bad(path: Path, old: str, new: str) -> Path:
    return samples.write(path, samples.text(samples.rows()).replace(old, new))


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that got one good file, one whose value is off its scale, and one that cannot be read."""
    folder = tmp_path_factory.mktemp("log")
    files = [samples.national_tests(folder / "good.csv"), bad(folder / "off.csv", "\t48\t1,8", "\t98765\t1,8"),
             bad(folder / "odd.csv", "\t48\t1,8", "\t4Q7X\t1,8")]  # fmt: skip
    done = oppfolging(folder / "home", "ingest", *map(str, files))
    assert done.returncode == 3, done.stderr
    return folder / "home"


def test_a_command_can_be_followed_from_its_first_line_to_its_last(ingested: Path) -> None:
    lines = lines_of(ingested)
    assert len({line["invocation"] for line in lines}) == 1 and {line["command"] for line in lines} == {"ingest"}
    assert [line["event"] for line in (lines[0], lines[-1])] == ["command started", "command finished"]
    assert lines[-1]["exit_code"] == 3 and lines[-1]["seconds"] > 0
    assert all(line["time"] <= after["time"] for line, after in pairwise(lines))
    happened = Counter(line["event"] for line in lines)
    assert (happened["arrived"], happened["accepted"], happened["rejected"], happened["partition made"]) == (3, 1, 2, 1)
    off = next(line for line in lines if line.get("code") == "value-off-scale")
    assert (off["level"], off["file"], off["row"]) == ("error", "off.csv", 6) and off["column"].endswith("Skalapoeng")
    hashes = {line["sha256"] for line in lines if line["event"] == "arrived"}
    assert {p.name for p in (ingested / "archive" / "objects").glob("??/*")} == hashes


def test_no_value_of_a_cell_is_in_the_log(ingested: Path, settings: Settings) -> None:
    text = (ingested / "logs" / "oppfolging.jsonl").read_text(encoding="utf-8")
    told = [f for s in journal.screenings(settings.model_copy(update={"home": ingested})) for f in s["findings"]]
    assert {"98765", "4Q7X"} <= {f["found"] for f in told}  # the journal, which is not shared, has them
    assert "98765" not in text and "4Q7X" not in text
    assert {k for line in map(json.loads, text.splitlines()) for k in line} <= {
        "time", "level", "event", "invocation", "command", "line", "sha256", "file", "code", "severity", "stage", "row",
        "column", "count", "dataset", "school_year", "rows", "exit_code", "seconds",
    }  # fmt: skip


def test_the_line_that_the_docs_show_is_as_it_is_written(ingested: Path) -> None:
    (shown,) = [json.loads(b.text) for b in blocks(DOCS / "operations.md") if b.language == "json"]
    off = next(line for line in lines_of(ingested) if line.get("code") == "value-off-scale")
    own = {name: shown[name] for name in ("time", "invocation", "file")}
    assert list(off) == list(shown) and {**off, **own} == shown


def test_only_its_user_reads_the_log(ingested: Path) -> None:
    assert (ingested / "logs").stat().st_mode & 0o777 == 0o700
    assert (ingested / "logs" / "oppfolging.jsonl").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("arguments", "command", "code"),
    [(["round", "show", "nope"], "round show", 4), (["explain", "0000", "--round", "nope"], "explain", 5),
     (["status", "--nope"], "status", 2), (["doctor"], "doctor", 0)],
)  # fmt: skip
def test_each_command_says_how_it_ended(arguments: list[str], command: str, code: int, settings: Settings) -> None:
    settings.home.mkdir()
    done = CliRunner().invoke(main, ["--home", str(settings.home), *arguments])
    first, *_, last = lines_of(settings.home)
    assert (first["event"], first["command"]) == ("command started", command)
    assert (last["event"], last["exit_code"], done.exit_code) == ("command finished", code, code)


def test_an_error_that_nobody_foresaw_is_logged_by_its_kind(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("municipality 9999 has 3 pupils")

    settings.home.mkdir()
    monkeypatch.setattr("dagster_project.commands.report.standing", broken)
    assert isinstance(CliRunner().invoke(main, ["--home", str(settings.home), "status"]).exception, ZeroDivisionError)
    last = lines_of(settings.home)[-1]
    assert (last["error"], last["exit_code"]) == ("ZeroDivisionError", 1) and "9999" not in json.dumps(last)


def test_a_command_that_makes_no_home_leaves_no_log_and_one_that_makes_it_loses_no_line(settings: Settings) -> None:
    CliRunner().invoke(main, ["--home", str(settings.home), "explain", "0000", "--round", "nope"])
    assert not settings.home.exists()
    with log.following(settings.home, invocation="a"):
        log.event("before")
        settings.home.mkdir()
        log.event("after")
    assert [line["event"] for line in lines_of(settings.home)][-2:] == ["before", "after"]


def in_the_way(home: Path, kind: str) -> None:
    place = home / "logs"
    if kind == "a file for the folder":
        place.write_text("mine", encoding="utf-8")
        return
    place.mkdir()
    if kind == "a full disk":
        (place / "oppfolging.jsonl").symlink_to("/dev/full")
    elif kind == "a pipe that nobody reads":
        os.mkfifo(place / "oppfolging.jsonl")
    else:
        (place / "oppfolging.jsonl").mkdir()


@pytest.mark.parametrize(
    "kind", ["a file for the folder", "a full disk", "a pipe that nobody reads", "a folder for the file"]
)
def test_a_log_that_cannot_be_written_stops_nothing(kind: str, settings: Settings, tmp_path: Path) -> None:
    settings.home.mkdir()
    in_the_way(settings.home, kind)
    good = samples.national_tests(tmp_path / "good.csv")
    done = CliRunner().invoke(main, ["--home", str(settings.home), "ingest", str(good)])
    assert done.exit_code == 0 and "accepted" in done.output, done.output
    assert "logs" not in done.output


def test_processes_write_beside_each_other_and_no_line_is_lost_when_a_file_is_set_aside(settings: Settings) -> None:
    settings.home.mkdir()
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(settings.home), str(n)], cwd=REPOSITORY) for n in range(4)
    ]
    assert [w.wait(120) for w in writers] == [0] * 4
    files = list((settings.home / "logs").iterdir())
    lines = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    assert sorted((line["invocation"], line["number"]) for line in lines) == [
        (str(n), i) for n in range(4) for i in range(300)
    ]
    assert len(files) > 3


def test_a_few_files_are_kept(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.home.mkdir()
    monkeypatch.setattr(log, "MOST_BYTES", 1_000)
    with log.following(settings.home):
        for number in range(200):
            log.event("line", number=number)
    names = {p.name for p in (settings.home / "logs").iterdir()} - {"oppfolging.jsonl"}
    assert names == {f"oppfolging.{n}.jsonl" for n in range(1, log.KEPT + 1)}
    newest = (settings.home / "logs" / "oppfolging.1.jsonl").read_text(encoding="utf-8").splitlines()[-1]
    assert json.loads(newest)["number"] >= 190


def test_other_programs_can_listen(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("oppfolging")
    logger.addHandler(caplog.handler)
    try:
        log.event("something", file="a.csv")
    finally:
        logger.removeHandler(caplog.handler)
    assert [r.getMessage() for r in caplog.records] == ["something"] and not settings.home.exists()


@pytest.mark.pipeline
def test_a_run_of_dagster_can_be_followed_from_its_first_line_to_its_last(tmp_path: Path) -> None:
    specimens = tiny.Specimens(tmp_path)
    settings = specimens.home("home")
    specimens.put(settings, *tiny.FILES)
    done = oppfolging(settings.home, "run", "--json")
    run_id = json.loads(done.stdout)["run_id"]
    lines = lines_of(settings.home)
    assert len({line["invocation"] for line in lines}) == 1
    mine = [line for line in lines if line.get("run") == run_id]
    assert [line["event"] for line in (mine[0], mine[-1])] == ["run started", "run finished"] and mine[-1]["success"]
    happened = Counter(line["event"] for line in mine)
    assert happened["arrived"] >= 5 and happened["partition made"] and happened["dbt build finished"] == 1
    assert happened["published"] and happened["step started"] == happened["step finished"] > 5
    assert {"inbox", "national_tests", "dbt_models", "published_round"} <= {line.get("step") for line in mine}

    # a file that is known is taken from the inbox, and told of; so is a column of a new one that was not read
    specimens.put(settings, "numeracy25")
    stem = samples.STEM.format(year="2024-25").replace("Lesing", "Regning")
    text = specimens.paths["numeracy25"].read_text(encoding="utf-16-le")
    samples.write(settings.inbox / "renamed.csv", text.replace(f"{stem}Usikkerhet", "Usikkerhet"))
    again = json.loads(oppfolging(settings.home, "run", "--json").stdout)
    (unread,) = [w for w in again["warnings"] if w["code"] == "unread-column"]
    assert (unread["file"], unread["column"]) == ("renamed.csv", "Usikkerhet")
    (known,) = [w for w in again["warnings"] if w["code"] == "file-known-already"]
    assert known["found"].endswith("which is accepted") and not list(settings.inbox.glob("*.*"))
    assert [line["file"] for line in lines_of(settings.home) if line["event"] == "file known already"] == [
        known["file"]
    ]

    lines = lines_of(settings.home)
    one = (
        "asset",
        "materialize",
        "-m",
        "dagster_project.definitions",
        "--select",
        "national_tests",
        "--partition",
        "2024-25",
    )
    environment = {**os.environ, "OPPFOLGING_HOME": str(settings.home), "DAGSTER_HOME": str(settings.home / ".dagster")}
    dagster = Path(sys.executable).parent / "dagster"
    asked = subprocess.run(
        [dagster, *one], cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=600
    )
    assert asked.returncode == 0, asked.stderr
    more = lines_of(settings.home)[len(lines) :]
    assert len({line["run"] for line in more}) == 1 and more[0]["run"] not in (run_id, None)
    assert more[0]["run"] in asked.stderr + asked.stdout
    assert [line["event"] for line in more] == ["step started", "partition made", "step finished"]
    assert not any("invocation" in line for line in more)
