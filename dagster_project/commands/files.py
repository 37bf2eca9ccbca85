"""Files: write the fictional ones, validate, ingest, accept warnings, dismiss and withdraw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from dagster_project import clock, log
from dagster_project.commands.answer import Answer, answers, progress_line, say
from dagster_project.commands.rounds import waits
from dagster_project.commands.running import whole_run
from dagster_project.diagnostics import Severity
from dagster_project.settings import Settings


@click.command()
@click.option(
    "--scale", type=click.IntRange(1, 1000), default=1, show_default=True, help="Multiply the number of schools."
)
@click.option("--seed", type=int, default=None, help="Seed of the random numbers; another seed gives another country.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the files.  [default: the inbox]")
@click.option("--if-empty", is_flag=True, help="Do nothing unless inbox and archive are empty.")
@click.option(
    "--story", is_flag=True, help="Also play through five years: runs, replies, decisions, releases, reports."
)
@click.option(
    "--hidden-figures",
    is_flag=True,
    help="Write the view of those with access: a number and a star for a hidden figure.",
)
@click.option("--pivots", is_flag=True, help="Write tests and grade points as answers of the report API.")
@answers
@click.pass_obj
def demo(
    settings: Settings, scale: int, seed: int | None, out: Path | None, if_empty: bool, story: bool,
    hidden_figures: bool, pivots: bool,
) -> Answer:  # fmt: skip
    """Write the files of Fabelland, a fictional country, in the real formats."""
    if story and (hidden_figures or pivots):
        raise click.UsageError(
            "the story is told with public downloads: use --hidden-figures and --pivots without --story"
        )
    folder = out or settings.inbox
    has_files = settings.ledger.exists() or (settings.inbox.is_dir() and any(settings.inbox.iterdir()))
    if if_empty and has_files:
        return Answer({"files": 0, "folder": str(folder)})
    from dagster_project.demo.country import SEED

    if story:
        return Answer({"runs": _tell(settings, scale, SEED if seed is None else seed)})
    from dagster_project.demo import write_country

    truth = (out.parent if out else settings.home / "demo") / "truth.json"
    paths = write_country(
        folder, scale=scale, seed=SEED if seed is None else seed, truth=truth, starred=hidden_figures, pivots=pivots
    )
    said = f"{len(paths)} fictional files in {folder}; the municipalities made weak are listed in {truth}"
    return Answer({"files": len(paths), "folder": str(folder), "truth": str(truth)}, said)


def _tell(settings: Settings, scale: int, seed: int) -> list[str]:
    """Tell the country's story with real runs in between; a run that stops ends it. Returns the runs."""
    from dagster_project.demo.story import tell
    from dagster_project.diagnostics import PipelineProblem

    runs: list[str] = []
    with progress_line():

        def run() -> None:
            outcome = whole_run(settings)
            if not outcome.success:
                raise PipelineProblem(f"The run stopped.\n{outcome.message}")
            runs.append(outcome.run_id)
            say(f"  run {outcome.run_id[:8]}: {outcome.timings['total']:.1f} s")

        tell(settings, run, lambda text: say(f"Fabelland, {text}"), clock=clock.now, seed=seed, scale=scale)
    return runs


def _expand(files: Sequence[Path]) -> list[Path]:
    from dagster_project.intake.inbox import no_file

    for path in files:
        name = click.format_filename(path)
        if not path.exists() and not path.is_symlink():
            raise click.UsageError(f"no such file: {name}")
        if (what := no_file(path)) is not None and not (path.is_symlink() and path.is_file()):
            raise click.UsageError(f"{name} is {what}; give the files themselves, readable")
    return list(files)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@answers
@click.pass_obj
def check(settings: Settings, files: tuple[Path, ...]) -> Answer:
    """Validate FILES without ingesting them.

    Stages: recognised, readable, schema, values, against last year. It stops at the first failing stage.
    """
    from dagster_project.intake.paging import PAGE_MISSING
    from dagster_project.intake.screen import screen_path

    lines, summaries = [], []
    for path in _expand(files):
        screening = screen_path(path, settings, now=clock.now())
        summaries.append(screening.summary())
        log.findings(screening.findings)
        lines.append(f"{screening.file}: {screening.verdict.value}")
        lines += [f"  {verdict.value:4} {stage}" for stage, verdict in screening.stages.items()]
        lines += ["  " + finding.as_text().replace("\n", "\n  ") for finding in screening.findings]
        lines += [f"  after `ingest`, accept it with: oppfolging accept {screening.sha256[:12]} --code {code}"
                  " --by NAME --reason WHY" for code in screening.blocking_codes if code != PAGE_MISSING]  # fmt: skip
    passed = all(s["verdict"] == "PASS" for s in summaries)
    return Answer(summaries[0] if len(summaries) == 1 else summaries, "\n".join(lines), 0 if passed else 3)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@answers
@click.pass_obj
def ingest(settings: Settings, files: tuple[Path, ...]) -> Answer:
    """Ingest FILES: archive, validate, and bring into force what passes. Registers and earlier years go first."""
    from dagster_project.archive.guard import writing
    from dagster_project.intake.flow import take_in_all
    from dagster_project.intake.inbox import is_finished, name_of
    from dagster_project.intake.quarantine import TO_SENDER

    wanted = _expand(files)
    if unfinished := [f for f in wanted if not is_finished(f)]:
        raise click.UsageError(
            f"{name_of(unfinished[0])} looks like an unfinished download; rename it when it is complete"
        )
    with writing(settings, "ingest", waits):
        results = take_in_all(wanted, settings, by="ingest")
    names = {name_of(path) for path in wanted}
    own = [r for r in results if r.file in names]
    lines = []
    for result in own:
        note = f" (already {result.earlier})" if result.earlier else ""
        if result.status == "moving":
            note = " (still being written; ignored)"
        lines.append(f"{result.status:9} {result.sha256[:12]} {result.file}{note}")
        lines += [f"          {change.as_text()}" for change in result.changes]
        for finding in result.screening.findings if result.screening is not None else ():
            if finding.severity is Severity.PASS:
                lines.append(f"          {finding.code}: {finding.found or finding.message}")
            else:
                lines.append("          " + finding.as_text().replace("\n", "\n          "))
        if (answer := settings.quarantine / result.sha256 / TO_SENDER).is_file() and result.status == "rejected":
            lines.append(f"          to send back: {answer}")
    # files that came earlier and were screened again, because what they had been held to is another now
    lines += [f"screened again: {r.file} is {r.status}" for r in results if r.file not in names]
    stopped = ("held", "rejected", "moving")
    content = [
        {
            "file": r.file, "sha256": r.sha256, "status": r.status, "earlier": r.earlier,
            "changes": [c.as_dict() for c in r.changes],
            "findings": [f.as_dict() for f in r.screening.findings] if r.screening else [],
        }
        for r in results
    ]  # fmt: skip
    waiting = any(r.status in stopped or r.earlier in stopped for r in own)
    if any(r.status == "accepted" for r in own):
        lines.append("Next: oppfolging run")
    return Answer(content, "\n".join(lines), 3 if waiting else 0)


def _signed(command: Callable[..., Answer]) -> Callable[..., None]:
    """The options of everything that is done under a name and for a reason."""
    answered = click.option("--reason", required=True, help="The reason.")(answers(click.pass_obj(command)))
    return click.option("--by", required=True, help="Your name.")(answered)


@click.command()
@click.argument("file")
@click.option("--code", required=True, help="Code of the warning, as shown by `status`.")
@_signed
def accept(settings: Settings, file: str, code: str, by: str, reason: str) -> Answer:
    """Accept one warning about a held FILE (name, or beginning of its hash). Your name and reason are recorded."""
    from dagster_project.archive.guard import writing
    from dagster_project.intake import flow

    with writing(settings, "accept", waits):
        result = flow.accept(settings, file, code=code, by=by, reason=reason)
    return Answer({"file": result.file, "sha256": result.sha256, "status": result.status},
                  f"{result.status}: {result.file}")  # fmt: skip


@click.command()
@click.argument("file")
@_signed
def dismiss(settings: Settings, file: str, by: str, reason: str) -> Answer:
    """Close the case of a rejected or held FILE without using the file."""
    from dagster_project.archive.guard import writing
    from dagster_project.intake import flow

    with writing(settings, "dismiss", waits):
        settled = flow.dismiss(settings, file, by=by, reason=reason)
    return Answer({"file": settled.name, "sha256": settled.sha256, "status": "dismissed"}, f"dismissed: {settled.name}")


@click.command()
@click.argument("file")
@_signed
def withdraw(settings: Settings, file: str, by: str, reason: str) -> Answer:
    """Take an accepted FILE out of force. It stays in the archive; the next run computes without it."""
    from dagster_project.archive.guard import writing
    from dagster_project.intake import flow

    with writing(settings, "withdraw", waits):
        gone = flow.withdraw(settings, file, by=by, reason=reason)
    return Answer({"file": gone.name, "sha256": gone.sha256, "status": "withdrawn"},
                  f"withdrawn: {gone.name}. Run: oppfolging run")  # fmt: skip


@click.command("data-docs")
@answers
@click.pass_obj
def data_docs(settings: Settings) -> Answer:
    """Build Great Expectations' Data Docs from all stored validation results."""
    from dagster_project.archive.guard import writing
    from dagster_project.validation import checkpoints

    with writing(settings, "data-docs", waits):
        page, removed = checkpoints.data_docs(settings.home, settings.expectations)
    lines = [f"{path}: no whole result, removed" for path in removed]
    lines += [
        str(page),
        "Without a network the pages can be read, but look plain: their style comes from public servers.",
    ]
    return Answer({"page": str(page), "removed": [str(path) for path in removed]}, "\n".join(lines))


COMMANDS = (demo, check, ingest, accept, dismiss, withdraw, data_docs)
