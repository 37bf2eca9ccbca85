"""What the pages show as code: commands, paths and blocks."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from dagster_project.cli import main
from dagster_project.settings import REPOSITORY

DOCS = REPOSITORY / "docs"
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of code: its language, and its lines without the indentation of the block."""

    language: str
    text: str


def name_of(page: Path) -> str:
    """A page as it is named in this repository."""
    return str(page.relative_to(REPOSITORY))


def blocks(page: Path) -> list[Block]:
    """Fenced and indented blocks. An indented one has no language."""
    text = page.read_text(encoding="utf-8")
    fenced = [
        Block(language, re.sub(rf"^{indent}", "", body, flags=re.MULTILINE))
        for indent, language, body in FENCE.findall(text)
    ]
    rest = FENCE.sub("", text)
    indented = re.findall(r"(?:^    .*\n)+", rest, re.MULTILINE)
    return [*fenced, *(Block("", re.sub(r"^    ", "", body, flags=re.MULTILINE)) for body in indented)]


def code_words(page: Path) -> list[str]:
    """What stands between backticks in the sentences."""
    return re.findall(r"`([^`\n]+)`", FENCE.sub("", page.read_text(encoding="utf-8")))


def command_lines(page: Path, program: str) -> Iterator[list[str]]:
    """Each line that calls a program, as words without its comment."""
    written = [line for block in blocks(page) if block.language in ("", "bash") for line in block.text.splitlines()]
    for line in [*written, *code_words(page)]:
        line = re.sub(r"\s+#\s.*$", "", line.strip().removeprefix(".venv/bin/"))
        if line.startswith(f"{program} ") and "..." not in line.split()[1]:
            yield shlex.split(line)[1:]


def mistakes(words: list[str]) -> list[str]:
    """What `oppfolging WORDS` would refuse before it does anything: unknown commands, options and choices."""
    command, found = main, []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word.startswith("--") or word in ("-h",):
            option = next((p for p in command.params if word.split("=")[0] in p.opts), None)
            if word in ("--help", "-h"):
                continue
            if option is None:
                found.append(f"no option {word}")
            elif not getattr(option, "is_flag", False):
                value = rest.pop(0) if rest else None
                if value is None:
                    found.append(f"{word} without a value")
                elif isinstance(option.type, click.Choice) and value not in option.type.choices:
                    found.append(f"{word} {value}")
        elif isinstance(command, click.Group):
            if word not in command.commands:
                return [*found, f"no command {word}"]
            command = command.commands[word]
    return found
