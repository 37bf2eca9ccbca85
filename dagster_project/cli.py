"""`oppfolging`: one thin command per job a person does."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from dagster_project.diagnostics import OppfolgingError
from dagster_project.settings import Settings, load_settings

EPILOG = """\b
Exit codes:
  0  done
  1  something failed
  2  the command was called wrongly
  3  a file was refused, or waits for its warnings to be accepted
  4  a rule set, a round or a register is wrong
  5  there is no such round, municipality or file
  6  stored bytes differ from what was recorded
  7  the run stopped
"""


class Readable(click.Group):
    """Shows the project's own errors as their message, and never as a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except OppfolgingError as error:
            if ctx.params.get("debug"):
                raise
            click.echo(error.as_text(), err=True)
            ctx.exit(error.exit_code)


@click.group(cls=Readable, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--home", type=click.Path(path_type=Path), help="Data folder; else OPPFOLGING_HOME, else data/.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.version_option(package_name="oppfolging")
@click.pass_context
def main(ctx: click.Context, home: Path | None, debug: bool) -> None:
    """Udirs oppfølgingsordning (skole): from published figures to the municipalities that get support.

    Typical order: `demo` or `ingest FILE...`, then `run`, then `explain MUNICIPALITY`.
    """
    ctx.obj = load_settings(home)


@main.command()
@click.option("--scale", type=click.IntRange(1, 1000), default=1, show_default=True, help="Times as many schools.")
@click.option("--seed", type=int, default=None, help="Another country.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the files.  [default: the inbox]")
@click.option("--if-empty", is_flag=True, help="Only when inbox and archive are both empty.")
@click.pass_obj
def demo(settings: Settings, scale: int, seed: int | None, out: Path | None, if_empty: bool) -> None:
    """Write the files of Fabelland, a fictional country, in the real formats."""
    folder = out or settings.inbox
    has_files = settings.ledger.exists() or (settings.inbox.is_dir() and any(settings.inbox.iterdir()))
    if if_empty and has_files:
        return
    from dagster_project.demo import write_country
    from dagster_project.demo.country import SEED

    truth = (out.parent if out else settings.home / "demo") / "truth.json"
    paths = write_country(folder, scale=scale, seed=SEED if seed is None else seed, truth=truth)
    click.echo(f"{len(paths)} fictional files in {folder}; which municipalities were made weak: {truth}")


def _expand(files: Sequence[Path]) -> list[Path]:
    missing = [f for f in files if not f.is_file()]
    if missing:
        raise click.UsageError(f"no such file: {missing[0]}")
    return list(files)


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.pass_obj
def check(settings: Settings, files: tuple[Path, ...], as_json: bool) -> None:
    """Screen FILES as the door would, without taking them in.

    Stages: recognised, readable, schema, values, against last year. The first that fails is the last that is tried.
    """
    import datetime as dt
    import json

    from dagster_project.validation.screen import screen

    worst = 0
    for path in _expand(files):
        screening = screen(path, settings, now=dt.datetime.now(dt.UTC))
        if as_json:
            click.echo(json.dumps(screening.summary(), ensure_ascii=False, indent=2))
        else:
            click.echo(f"{path.name}: {screening.verdict.value}")
            for stage, verdict in screening.stages.items():
                click.echo(f"  {verdict.value:4} {stage}")
            for finding in screening.findings:
                click.echo("  " + finding.as_text().replace("\n", "\n  "))
            for code in screening.blocking_codes:
                click.echo(f"  after `ingest`, accept it with: oppfolging accept {screening.sha256[:12]} --code {code}"
                           " --by NAME --reason WHY")  # fmt: skip
        worst = max(worst, 0 if screening.verdict.value == "PASS" else 3)
    sys.exit(worst)


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.pass_obj
def ingest(settings: Settings, files: tuple[Path, ...]) -> None:
    """Take FILES in: archive, screen, and merge what passes. Registers and earlier years go first."""
    from dagster_project.intake import take_in_all
    from dagster_project.resources import exclusive

    with exclusive(settings):
        results = take_in_all(_expand(files), settings, by="ingest")
    for result in results:
        note = f" (already {result.earlier})" if result.earlier else ""
        click.echo(f"{result.status:9} {result.sha256[:12]} {result.file}{note}")
        for merge in result.merges:
            where = f"{merge.dataset} {merge.school_year or ''}".strip()
            click.echo(f"          {where}: {merge.added} added, {merge.removed} removed, {merge.changed} changed,"
                       f" {merge.unchanged} unchanged")  # fmt: skip
        if result.screening is not None and result.status in ("held", "rejected"):
            for finding in result.screening.findings:
                click.echo("          " + finding.as_text().replace("\n", "\n          "))
    refused = any(r.status in ("held", "rejected") or r.earlier in ("held", "rejected") for r in results)
    sys.exit(3 if refused else 0)


@main.command()
@click.argument("file")
@click.option("--code", required=True, help="The warning to accept, as `status` names it.")
@click.option("--by", required=True, help="Who accepts it.")
@click.option("--reason", required=True, help="Why it is right to go on.")
@click.pass_obj
def accept(settings: Settings, file: str, code: str, by: str, reason: str) -> None:
    """Accept one warning of a held FILE (name, or beginning of its hash). It is recorded with your name and reason."""
    from dagster_project import intake
    from dagster_project.resources import exclusive

    with exclusive(settings):
        result = intake.accept(settings, file, code=code, by=by, reason=reason)
    click.echo(f"{result.status}: {result.file}")


@main.command()
@click.option("--timings", is_flag=True, help="Show how long each part took.")
@click.pass_obj
def run(settings: Settings, timings: bool) -> None:
    """Run everything once: inbox, extracts, checks, rules, models, publication. Then show the result."""
    from rich.console import Console

    from dagster_project import pipeline, progress
    from dagster_project.intake import find_held_or_rejected

    console = Console()
    with console.status("starting") as status:
        progress.listen(lambda stage, detail: status.update(f"{stage} {detail}"))
        outcome = pipeline.run_everything(settings)
        progress.listen(None)
    if timings:
        for stage, seconds in outcome.timings.items():
            console.print(f"{stage:26}{seconds:7.1f} s")
    if not outcome.success:
        raise pipeline.PipelineProblem(f"The run stopped; nothing new is published.\n{outcome.message}")
    from dagster_project.report import print_result

    print_result(settings, console)
    seconds = outcome.timings["total"]
    console.print(f"\nDone in {seconds:.1f} s. `make ui` shows the run and its checks; "
                  "`oppfolging explain NUMBER --round ROUND` every figure's source.")  # fmt: skip
    sys.exit(3 if find_held_or_rejected(settings, outcome.run_id) else 0)


@main.command()
@click.pass_obj
def status(settings: Settings) -> None:
    """Show the rounds that are published, and the files that wait or were refused."""
    from rich.console import Console

    from dagster_project.report import print_result

    print_result(settings, Console())


@main.command()
@click.argument("municipality")
@click.option("--round", "round_id", required=True, help="Id of the round, as `status` shows it.")
@click.option("--revision", help="An earlier revision, such as r0001.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.pass_obj
def explain(settings: Settings, municipality: str, round_id: str, revision: str | None, as_json: bool) -> None:
    """Why this MUNICIPALITY (number or name)? Each number down to its file, line and column."""
    from dagster_project.audit import explain as explain_municipality

    explanation = explain_municipality(settings, round_id, municipality, revision=revision)
    click.echo(explanation.as_json() if as_json else explanation.as_text())


@main.command()
@click.option("--port", type=int, default=3000, show_default=True, help="Port on 127.0.0.1.")
@click.pass_obj
def ui(settings: Settings, port: int) -> None:
    """Open the Dagster web UI and its daemon on this machine. Ctrl-C stops both; the history is kept."""
    from dagster_project.ui import serve

    sys.exit(serve(settings, port))


if __name__ == "__main__":
    main()
