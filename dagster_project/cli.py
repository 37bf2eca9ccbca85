"""`oppfolging`: one thin command per job a person does."""

from __future__ import annotations

import logging
import time
import uuid
from io import StringIO
from pathlib import Path

import click

from dagster_project import log
from dagster_project.commands import audit, fetch, files, keeping, rounds, running, simulation, verify
from dagster_project.commands.answer import echo
from dagster_project.diagnostics import OppfolgingError, PipelineProblem
from dagster_project.private import keep_private
from dagster_project.settings import load_settings

EPILOG = """\b
Exit codes:
  0  done
  1  something failed
  2  wrong use of the command
  3  a file was rejected, or is held until its warnings are accepted
  4  a mistake in a rule set, round or register
  5  no such round, municipality or file
  6  a stored file differs from its recorded hash
  7  the run stopped for a reason not listed here
  8  not allowed in the round's current state
  9  a public service did not answer, or answered in an unknown way
"""


LEVELS = (logging.INFO, logging.WARNING)
"""Of the log: a command that did what it was asked for, and another."""

AFTER_COMMAND = "oppfolging.after_command"

HEADINGS = {
    "Files": (files, fetch),
    "Running": (running,),
    "Rounds": (rounds,),
    "Why, and is it so": (audit, verify),
    "What if, and how sure": (simulation,),
    "Keeping": (keeping,),
}


class Readable(click.Group):
    """Shows the project's own errors as their message, and never as a traceback."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands under headings, each with the whole first sentence of its help."""
        for title, modules in HEADINGS.items():
            rows = [(c.name or "", c.get_short_help_str(limit=400)) for m in modules for c in m.COMMANDS]
            with formatter.section(title):
                formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> object:
        start, code, error = time.monotonic(), 1, None
        ctx.meta[AFTER_COMMAND] = ctx.args[:1]  # click empties them before the function of the group is called
        try:
            result = self._told(ctx)
            code = 0
            return result
        except (click.exceptions.Exit, click.ClickException) as end:
            code = end.exit_code
            raise
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
            raise
        except BaseException as unforeseen:
            error = type(unforeseen).__name__
            raise
        finally:
            seconds = round(time.monotonic() - start, 3)
            log.event("command finished", LEVELS[min(code, 1)], exit_code=code, seconds=seconds, error=error)

    def _told(self, ctx: click.Context) -> object:
        """Run the command, and show an error of the project as a person reads it.

        ``ctx.exit`` would close the context, and the log with it, before the end of the command is logged.
        """
        try:
            return super().invoke(ctx)
        except click.ClickException as error:  # a wrong argument, which may be the name of a file
            said = StringIO()
            error.show(said)
            echo(said.getvalue().removesuffix("\n"), err=True)
            raise click.exceptions.Exit(error.exit_code) from error
        except OppfolgingError as error:
            log.findings(error.findings)
            if ctx.params.get("debug"):
                raise
            echo(error.as_text(), err=True)
            raise click.exceptions.Exit(error.exit_code) from error
        except OSError as error:  # a full disk, a folder that may not be written, a file where a folder should be
            if ctx.params.get("debug"):
                raise
            echo(f"The file system refused: {error}. Half-written files are ignored. Correct the cause and "
                 "repeat the command.", err=True)  # fmt: skip
            raise click.exceptions.Exit(PipelineProblem.exit_code) from error


def _words(ctx: click.Context) -> str:
    """The command and what it does, such as ``round show``, without what it is given."""
    name = ctx.invoked_subcommand or ""
    known = main.commands.get(name)
    more = [w for w in ctx.meta[AFTER_COMMAND] if isinstance(known, click.Group) and w in known.commands]
    return " ".join([name, *more])


@click.group(cls=Readable, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--home", type=click.Path(path_type=Path), help="Data folder.  [default: OPPFOLGING_HOME, or data/]")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.version_option(package_name="oppfolging")
@click.pass_context
def main(ctx: click.Context, home: Path | None, debug: bool) -> None:
    """Udirs oppfølgingsordning (skole): from yearly figures to the municipalities that get support.

    Typical order: `demo` or `ingest FILE...`, then `run`, then `explain MUNICIPALITY`.
    """
    keep_private()
    ctx.obj = load_settings(home)
    ctx.with_resource(log.following(ctx.obj.home, invocation=str(uuid.uuid4()), command=_words(ctx)))
    log.event("command started")


for _modules in HEADINGS.values():
    for _module in _modules:
        for _command in _module.COMMANDS:
            main.add_command(_command)


if __name__ == "__main__":
    main()
