"""What every command answers with: text for a person, JSON for a program, or nothing unless something is wrong."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from dagster_project.diagnostics import OppfolgingError
from dagster_project.printable import printable

WIDEST = 120


@dataclass(frozen=True)
class Answer:
    """``content`` is plain values for JSON, ``text`` the same for a person, ``exit_code`` as in `oppfolging --help`."""

    content: Any
    text: str = ""
    exit_code: int = 0


def answers(command: Callable[..., Answer]) -> Callable[..., None]:
    """Give a command the options --json and --quiet, print its answer accordingly, and end with its exit code."""

    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @click.option("--quiet", is_flag=True, help="Print nothing unless something is wrong.")
    @wraps(command)
    def answered(*args: Any, as_json: bool, quiet: bool, **given: Any) -> None:
        from dagster_project.pages.json import as_json as json_of

        try:
            answer = command(*args, **given)
        except OppfolgingError as error:  # its text goes to the error stream, as without --json
            if as_json:
                echo(json_of({"error": error.message, "findings": [f.as_dict() for f in error.findings]}))
            raise
        if as_json:
            echo(json_of(answer.content))
        elif answer.text and (not quiet or answer.exit_code):
            echo(answer.text.removesuffix("\n"))
        if answer.exit_code:
            sys.exit(answer.exit_code)

    return answered


def wants_json() -> bool:
    """Whether the command that runs was called with --json."""
    return bool(click.get_current_context().params.get("as_json"))


def say(line: str) -> None:
    """Tell a person at once what a long command has done; nothing with --json or --quiet."""
    params = click.get_current_context().params
    if not (params.get("as_json") or params.get("quiet")):
        echo(line)


def echo(text: str, *, err: bool = False) -> None:
    """Print a line. What commands print holds names and cells of files, which must not steer the terminal."""
    click.echo(printable(text), err=err)


@contextmanager
def progress_line() -> Iterator[Callable[[str], None]]:
    """A line that changes tells what a long command does, on the terminal's error stream; what is given tells it."""
    from rich.console import Console
    from rich.markup import escape

    from dagster_project import progress

    console = Console(stderr=True, quiet=bool(click.get_current_context().params.get("quiet")))
    with console.status("starting") as status:

        def tell(text: str) -> None:
            status.update(escape(printable(text, one_line=True)))

        progress.listen(lambda stage, detail: tell(f"{stage} {detail}"))
        try:
            yield tell
        finally:
            progress.listen(None)


def terminal_width() -> int:
    """Letters in a line of the terminal; 120 where there is none."""
    return shutil.get_terminal_size((WIDEST, 24)).columns
