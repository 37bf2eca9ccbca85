"""Running: one whole run, its result, the web UI."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from dagster_project.diagnostics import IntegrityProblem
from dagster_project.settings import Settings

if TYPE_CHECKING:
    from dagster_project.orchestration.pipeline import RunOutcome


NOT_COMPUTED = {"marts-not-of-the-snapshot", "estimates-not-of-the-marts"}
"""What a run mends and nobody damaged: files that came, rules that changed."""


def damaged_rounds(settings: Settings) -> list[str]:
    """The rounds and cohorts whose revision in force is damaged; the result names the damage."""
    from dagster_project.archive import Archive, commits

    events = Archive(settings).events()
    return [name for name in sorted(commits.committed(events)) if commits.damaged(settings, name, events)]


def whole_run(settings: Settings) -> RunOutcome:
    """Run the job `everything` in this process."""
    from dagster_project.orchestration import pipeline

    return pipeline.run_everything(settings, _definitions)


def _definitions() -> Any:
    from dagster_project.definitions import defs

    return defs


@click.command()
@click.option("--timings", is_flag=True, help="Show the time of each stage.")
@click.option("--quiet", is_flag=True, help="Print nothing unless something is wrong.")
@click.pass_obj
def run(settings: Settings, timings: bool, quiet: bool) -> None:
    """Run the whole pipeline once (inbox, extracts, checks, rules, models, publication) and show the result."""
    from rich.console import Console

    from dagster_project import progress
    from dagster_project.archive import Archive
    from dagster_project.archive.files import files_of, open_files
    from dagster_project.intake import inbox

    console, before = Console(quiet=quiet), Archive(settings).head().lines
    with console.status("starting") as status:
        progress.listen(lambda stage, detail: status.update(f"{stage} {detail}"))
        outcome = whole_run(settings)
        progress.listen(None)
    if timings:
        for stage, seconds in outcome.timings.items():
            console.print(f"{stage:26}{seconds:7.1f} s")
    for warning in outcome.warnings:
        console.print(warning.as_text(), markup=False)
    if not outcome.success:
        made = (
            f"Published before that: {', '.join(outcome.published)}." if outcome.published else "Nothing is published."
        )
        click.echo(f"The run stopped. {made}\n{outcome.message}", err=True)
        sys.exit(outcome.exit_code)
    from dagster_project.commands.report import print_replaced, print_result

    print_replaced(settings, console, before)
    print_result(settings, console)
    seconds = outcome.timings["total"]
    console.print(f"\nDone in {seconds:.1f} s. `make ui` shows the run and its checks, "
                  "`oppfolging explain NUMBER --round ROUND` every figure's source.")  # fmt: skip
    if damaged_rounds(settings):
        sys.exit(IntegrityProblem.exit_code)
    left = [*inbox.waiting(settings.inbox), *inbox.left_lying(settings.inbox)]
    sys.exit(3 if left or open_files(files_of(Archive(settings).events())) else 0)


@click.command()
@click.option("--list", "names", is_flag=True, help="Name the municipalities.")
@click.option("--why", is_flag=True, help="Tell why: every file that waits, who is not rated, what comes after.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def status(settings: Settings, names: bool, why: bool, as_json: bool) -> None:
    """Show the rounds, what comes next in each, and the files that are held or were rejected."""
    from rich.console import Console

    from dagster_project.archive.guard import refuse_lost_ledger
    from dagster_project.commands.report import print_result

    print_result(settings, Console(), names=names, why=why, as_json=as_json)
    refuse_lost_ledger(settings)
    if damaged_rounds(settings):
        sys.exit(IntegrityProblem.exit_code)


@click.command()
@click.option("--fix", is_flag=True, help="Rebuild what can be rebuilt. Never changes original files or the ledger.")
@click.pass_obj
def doctor(settings: Settings, fix: bool) -> None:
    """List every problem in the data folder, and how to solve it."""
    from dagster_project.archive.guard import writing
    from dagster_project.audit import doctor as doctors
    from dagster_project.commands.rounds import waits

    if fix:
        with writing(settings, "doctor", waits):
            for finding in doctors.fix(settings):
                click.echo(f"rebuilt: {finding.file}")
    found = [state.finding for state in doctors.examine(settings)]
    for finding in found:
        click.echo(finding.as_text())
    if not found and not settings.ledger.exists():
        click.echo(f"No files have been ingested in {settings.home}. `oppfolging demo` writes fictional ones.")
    else:
        click.echo(f"{len(found)} problems" if found else "No problems found.")
    damaged = any(f.severity.value == "FAIL" and f.code not in NOT_COMPUTED for f in found)
    sys.exit(IntegrityProblem.exit_code if damaged else 1 if found else 0)


@click.command()
@click.option("--port", type=int, default=3000, show_default=True, help="Port on 127.0.0.1.")
@click.pass_obj
def ui(settings: Settings, port: int) -> None:
    """Start the Dagster web UI and its daemon on this machine. Ctrl-C stops both; the history of runs is kept."""
    from dagster_project.orchestration.ui import serve

    sys.exit(serve(settings, port))


COMMANDS = (run, status, doctor, ui)
