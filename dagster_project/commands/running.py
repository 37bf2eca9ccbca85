"""Running: one whole run, its result, the web UI."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from dagster_project import log
from dagster_project.commands.answer import Answer, answers, echo, progress_line, terminal_width
from dagster_project.diagnostics import Finding, IntegrityProblem, OppfolgingError
from dagster_project.settings import ENGINES, Engine, Settings

if TYPE_CHECKING:
    from dagster_project.orchestration.pipeline import RunOutcome


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


def _alert(settings: Settings, run_id: str | None, failure: str | None) -> list[Finding]:
    """Tell of a run that failed, or could not start, and of every problem open after it; return what was not sent."""
    from dagster_project import clock
    from dagster_project.orchestration.alerting import tell_all
    from dagster_project.orchestration.outcomes import without_folders
    from dagster_project.rounds.problems import not_started, run_failed

    now = clock.now()
    if failure is None:
        return tell_all(settings, now)
    failure = without_folders(failure, settings)
    failed = run_failed(run_id, "everything", failure) if run_id else not_started(now, failure)
    return tell_all(settings, now, [failed])


@click.command()
@click.option("--timings", is_flag=True, help="Show the time of each stage.")
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    help="What builds the models: DuckDB, or Apache Spark (docs/spark.md).  [default: OPPFOLGING_ENGINE, or duckdb]",
)
@answers
@click.pass_obj
def run(settings: Settings, timings: bool, engine: Engine | None) -> Answer:
    """Run the whole pipeline once (inbox, extracts, checks, rules, models, publication) and show the result."""
    from dagster_project.archive import Archive
    from dagster_project.commands import report

    settings = settings.model_copy(update={"engine": engine or settings.engine})
    before = Archive(settings).head().lines
    with progress_line():
        try:
            outcome = whole_run(settings)
        except OppfolgingError as error:
            _alert(settings, None, error.as_text())
            raise
    unsent = _alert(settings, outcome.run_id, None if outcome.success else outcome.message)
    warnings = [*unsent, *outcome.warnings]
    content: dict[str, Any] = {
        "run_id": outcome.run_id, "success": outcome.success, "timings": outcome.timings,
        "published": outcome.published, "warnings": [w.as_dict() for w in warnings], "message": outcome.message,
    }  # fmt: skip
    lines = [f"{stage:26}{seconds:7.1f} s" for stage, seconds in outcome.timings.items()] if timings else []
    lines += [warning.as_text() for warning in warnings]
    if not outcome.success:
        made = (
            f"Published before that: {', '.join(outcome.published)}." if outcome.published else "Nothing is published."
        )
        echo(f"The run stopped. {made}\n{outcome.message}", err=True)
        return Answer(content, "\n".join(lines), outcome.exit_code)
    found = report.standing(settings)
    seconds = outcome.timings["total"]
    lines += [
        *report.replaced_lines(settings, before), report.as_text(found, terminal_width()), "",
        f"Done in {seconds:.1f} s. `make ui` shows the run and its checks, `oppfolging explain NUMBER --round ROUND` "
        "every figure's source.",
    ]  # fmt: skip
    return Answer({**content, "status": found.as_dict()}, "\n".join(lines), _exit_code(settings))


def _exit_code(settings: Settings) -> int:
    """After a run: whether a revision is damaged, or a file waits for somebody."""
    from dagster_project.archive import Archive
    from dagster_project.archive.files import files_of, open_files
    from dagster_project.intake import inbox

    if damaged_rounds(settings):
        return IntegrityProblem.exit_code
    left = [*inbox.waiting(settings.inbox), *inbox.left_lying(settings.inbox)]
    return 3 if left or open_files(files_of(Archive(settings).events())) else 0


@click.command()
@click.option("--list", "names", is_flag=True, help="Name the municipalities.")
@click.option("--why", is_flag=True, help="Tell why: every file that waits, who is not rated, what comes after.")
@answers
@click.pass_obj
def status(settings: Settings, names: bool, why: bool) -> Answer:
    """Show the rounds, what comes next in each, and the files that are held or were rejected."""
    from dagster_project.archive.commits import lost_lines
    from dagster_project.commands import report

    found, lost = report.standing(settings), lost_lines(settings)
    lines = [report.as_text(found, terminal_width(), names=names, why=why), *(finding.as_text() for finding in lost)]
    damaged = bool(lost) or bool(damaged_rounds(settings))
    return Answer(found.as_dict(), "\n".join(lines), IntegrityProblem.exit_code if damaged else 0)


@click.command()
@click.option("--fix", is_flag=True, help="Rebuild what can be rebuilt. Never changes original files or the ledger.")
@answers
@click.pass_obj
def doctor(settings: Settings, fix: bool) -> Answer:
    """List every problem in the data folder, and how to solve it."""
    from dagster_project.archive.guard import writing
    from dagster_project.audit import doctor as doctors
    from dagster_project.commands.rounds import waits

    rebuilt: list[str] = []
    if fix:
        with writing(settings, "doctor", waits):
            rebuilt = [str(finding.file) for finding in doctors.fix(settings)]
    found = [state.finding for state in doctors.examine(settings)]
    log.findings(found)
    lines = [*(f"rebuilt: {file}" for file in rebuilt), *(finding.as_text() for finding in found)]
    if not found and not settings.ledger.exists():
        lines.append(f"No files have been ingested in {settings.home}. `oppfolging demo` writes fictional ones.")
    else:
        lines.append(f"{len(found)} problem{'s' * (len(found) > 1)}" if found else "No problems found.")
    damaged = any(f.severity.value == "FAIL" for f in found)
    code = IntegrityProblem.exit_code if damaged else 1 if found else 0
    return Answer({"rebuilt": rebuilt, "problems": [f.as_dict() for f in found]}, "\n".join(lines), code)


@click.command()
@click.option("--port", type=int, default=3000, show_default=True, help="Port on 127.0.0.1.")
@click.pass_obj
def ui(settings: Settings, port: int) -> None:
    """Start the Dagster web UI and its daemon on this machine. Ctrl-C stops both; the history of runs is kept."""
    from dagster_project.orchestration.ui import serve

    sys.exit(serve(settings, port))


COMMANDS = (run, status, doctor, ui)
