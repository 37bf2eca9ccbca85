"""The command line: each command has help, errors are sentences, exit codes mean something."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from dagster_project.cli import main
from tests import samples


def call(home: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["--home", str(home), *arguments])
    return result.exit_code, result.output


def commands(group: click.Group, *above: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that call it, those of groups among them."""
    for name, command in sorted(group.commands.items()):
        yield (*above, name), command
        if isinstance(command, click.Group):
            yield from commands(command, *above, name)


EVERY = dict(commands(main))


def test_the_commands_of_rounds_are_among_those_that_are_looked_at() -> None:
    assert {("round", "finalise"), ("round", "preview"), ("run",)} <= set(EVERY) and len(EVERY) >= 30


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_every_command_has_help(words: tuple[str, ...], tmp_path: Path) -> None:
    code, output = call(tmp_path, *words, "--help")
    assert code == 0 and len(output.splitlines()) > 3
    assert EVERY[words].help and all(p.help for p in EVERY[words].params if isinstance(p, click.Option))


def test_every_command_can_answer_a_program_and_be_quiet() -> None:
    """All but the group itself and the server, which runs until it is stopped."""
    without = {words for words, command in EVERY.items() if not {"--json", "--quiet"} <= {
        name for p in command.params for name in p.opts}}  # fmt: skip
    assert without == {("ui",), ("round",)}


def test_a_warning_about_a_file_that_is_in_force_is_told_when_it_comes(tmp_path: Path) -> None:
    """`check` said that a column was not read; `ingest` accepted the file without a word."""
    text = samples.text(samples.rows()).replace(samples.STEM.format(year="2024-25") + "Usikkerhet", "Usikkerhet")
    path = samples.write(tmp_path / "a.csv", text)
    for words in ("check", "ingest"):
        code, output = call(tmp_path / "home", words, str(path))
        assert code == 0 and "WARN unread-column: the column is not known, so it is not read" in output


@pytest.mark.parametrize("odd", ["\x1b[31m", "\x9b2J", "\u202e", "\u2066", "\u200b", "\x07", "\r"])
def test_no_command_lets_a_name_or_a_cell_steer_the_terminal(odd: str, tmp_path: Path) -> None:
    """Control characters and marks of direction are printed as their escape, in JSON too, where it says the same."""
    home, named = tmp_path / "home", tmp_path / f"a{odd}b.csv"
    samples.write(named, samples.text(samples.rows("4B" + odd)).replace("Nedre", "Ned" + odd + "re"))
    escape = f"\\u{ord(odd[0]):04x}" if odd != "\r" else " "
    printed = []
    for arguments in (["check", str(named)], ["ingest", str(named)], ["status", "--why"], ["status", "--json"],
                      ["accept", f"x{odd}", "--code", "x", "--by", "x", "--reason", "x"], ["check", f"no{odd}file"],
                      ["ingest", str(named), f"--no{odd}option"], ["doctor"], ["run", "--round", odd]):  # fmt: skip
        _, output = call(home, *arguments)
        assert not [c for c in output if c in odd[:1] or (unicodedata.category(c) == "Cc" and c not in "\n\t")], output
        printed.append(output)
    assert all(escape in printed[n] for n in (0, 1, 2, 4)) and json.loads(printed[3])["files"] == {"rejected": 1}


def test_a_quiet_command_prints_only_what_is_wrong(tmp_path: Path) -> None:
    good, bad = samples.national_tests(tmp_path / "good.csv"), tmp_path / "empty.csv"
    bad.touch()
    assert call(tmp_path / "home", "ingest", str(good), "--quiet") == (0, "")
    code, output = call(tmp_path / "home", "ingest", str(bad), "--quiet")
    assert code == 3 and "empty-file" in output
    code, output = call(tmp_path / "home", "ingest", str(bad), "--json")
    (told,) = json.loads(output)
    assert code == 3 and told["earlier"] == "rejected" and told["file"] == "empty.csv"
    code, output = call(tmp_path / "home", "doctor", "--json")
    assert {p["code"] for p in json.loads(output)["problems"]} and code == 1


def test_check_shows_the_stages_and_takes_nothing_in(tmp_path: Path) -> None:
    good = samples.national_tests(tmp_path / "good.csv")
    code, output = call(tmp_path / "home", "check", str(good))
    assert code == 0 and "PASS against_last_year" in output
    bad = samples.write(tmp_path / "bad.csv", samples.text(samples.rows()).replace("\t48\t1,8", "\t4B\t1,8"))
    code, output = call(tmp_path / "home", "check", str(bad))
    assert code == 3 and "FAIL schema" in output and "PASS readable" in output and "not-a-number" in output
    assert not (tmp_path / "home" / "archive").exists()


def test_ingest_reports_and_refuses(tmp_path: Path) -> None:
    good, empty = samples.national_tests(tmp_path / "good.csv"), tmp_path / "empty.csv"
    empty.touch()
    code, output = call(tmp_path / "home", "ingest", str(good), str(empty))
    assert code == 3
    assert "accepted" in output and "rejected" in output and "empty-file" in output and "6 added" in output
    assert call(tmp_path / "home", "ingest", str(good))[0] == 0


def test_what_is_no_file_is_named_for_what_it_is(tmp_path: Path) -> None:
    folder, pipe, dangling = tmp_path / "folder", tmp_path / "pipe", tmp_path / "link"
    folder.mkdir()
    os.mkfifo(pipe)
    dangling.symlink_to(tmp_path / "gone")
    for command in ("ingest", "check"):
        for path, what in (
            (folder, f"{folder} is a folder"), (pipe, f"{pipe} is a pipe"), (dangling, f"{dangling} is a link that leads nowhere"),
            (tmp_path / "none", "no such file"),
        ):  # fmt: skip
            code, output = call(tmp_path / "home", command, str(path))
            assert code == 2 and what in output, output


def test_why_tells_of_a_waiting_file_what_was_expected_and_what_to_do(tmp_path: Path) -> None:
    path = samples.write(tmp_path / "odd.csv", samples.text(samples.rows()).replace("\t48\t1,8", "\t4Q7X\t1,8"))
    call(tmp_path / "home", "ingest", str(path))
    short, long = (call(tmp_path / "home", "status", *more)[1] for more in ((), ("--why",)))
    assert "found 4Q7X" in short and "Reasons: --why." in short and "fix:" not in short
    assert "expected: a number" in long and "fix: Correct the cell" in long and "Reasons" not in long


def test_an_unknown_round_is_a_sentence_and_not_a_traceback(tmp_path: Path) -> None:
    code, output = call(tmp_path, "explain", "6101", "--round", "nowhere")
    assert code == 5 and output.startswith("Round nowhere is not published here.")


def test_a_rule_mistake_gives_its_own_exit_code(tmp_path: Path) -> None:
    (tmp_path / "rounds.yaml").write_text("rounds: [{id: x}]\n", encoding="utf-8")
    code, output = call(tmp_path, "status")
    assert code == 4 and "rounds.yaml, line 1" in output
