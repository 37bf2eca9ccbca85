"""Answers about what was published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from dagster_project.commands.answer import Answer, answers, terminal_width, wants_json
from dagster_project.pages.words import LANGUAGES
from dagster_project.settings import Settings

ROUND = click.option("--round", "round_id", required=True, help="Id of the round, as `status` shows it.")
REVISION = click.option("--revision", help="An earlier revision, such as r0001.")


@click.command()
@click.argument("municipality", required=False)
@click.option("--school", help="Explain a school instead, by organisation number or name.")
@ROUND
@REVISION
@click.option("--format", "form", type=click.Choice(["text", "json", "html", "pdf"]), default="text", show_default=True,
              help="Format of the answer.")  # fmt: skip
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Language of the text.")
@click.option("--figures", is_flag=True, help="In text: also the limits, files, lines and columns of every figure.")
@click.option("--out", type=click.Path(path_type=Path), help="File to write instead of the terminal.")
@answers
@click.pass_obj
def explain(
    settings: Settings, municipality: str | None, school: str | None, round_id: str, revision: str | None,
    form: str, lang: str, figures: bool, out: Path | None,
) -> Answer:  # fmt: skip
    """Explain the outcome of MUNICIPALITY (number or name): what happened, how certain it is, and why.

    Also shows which change in a single figure would have changed the outcome. JSON, HTML and PDF have the file, line
    and column of every figure; the text has them with --figures.
    """
    from dagster_project.audit import explain as explain_unit
    from dagster_project.audit.page import page_of, summary_of
    from dagster_project.pages.pdf import as_pdf
    from dagster_project.pages.text import as_text

    if (municipality is None) == (school is None):
        raise click.UsageError("give one municipality, or one school with --school")
    if wants_json() and form in ("html", "pdf"):
        raise click.UsageError(f"--json and --format {form} ask for two different answers")
    if form == "pdf" and out is None:
        raise click.UsageError("a PDF needs --out FILE")
    explanation = explain_unit(
        settings, round_id, municipality or school or "", revision=revision,
        level="municipality" if municipality else "school",
    )  # fmt: skip
    render: dict[str, Callable[[], str | bytes]] = {
        "html": lambda: page_of(explanation, lang),
        "json": explanation.as_json,
        "pdf": lambda: as_pdf(summary_of(explanation, lang, figures=True)),
        "text": lambda: as_text(summary_of(explanation, lang, figures=figures), terminal_width()),
    }
    if out is None:
        return Answer(explanation.as_dict(), "" if wants_json() else str(render[form]()))
    made = render["json" if wants_json() else form]()
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(made.encode("utf-8") if isinstance(made, str) else made)
    return Answer({"file": str(out)}, str(out))


@click.command()
@click.option("--round", "round_id", help="Id of the round, with --cell.")
@click.option(
    "--cell", help="A published cell: indicator_points:6101:bullying:7:2023-24, or municipality_ranking:6101."
)
@click.option("--file", "file", help="A file, by its name or the beginning of its hash.")
@click.option("--line", type=int, help="Only this line of the file. For JSON: the number of the object, from 0.")
@click.option("--column", help="Only this column of the file.")
@REVISION
@answers
@click.pass_obj
def trace(
    settings: Settings, round_id: str | None, cell: str | None, file: str | None, line: int | None,
    column: str | None, revision: str | None,
) -> Answer:  # fmt: skip
    """Show the source cells of a published cell, or everything that depends on a file.

    For a file: which rounds and revisions must be redone if it is withdrawn.
    """
    from dagster_project.archive import Archive
    from dagster_project.archive.files import files_of, find_file
    from dagster_project.audit import trace as tracing

    if cell is not None and round_id is not None and file is None:
        cells = tracing.down(settings, round_id, cell, revision=revision)
        return Answer(cells, tracing.cells_as_text(cells))
    if file is not None and cell is None:
        found = find_file(files_of(Archive(settings).events()), file, "accepted", "withdrawn")
        touched = tracing.up(settings, found.sha256, line=line, column=column)
        content = {"file": found.name, "sha256": found.sha256, "touched": [t.as_dict() for t in touched]}
        return Answer(content, tracing.touched_as_text(found.name, found.sha256, touched))
    raise click.UsageError("give a cell (--round and --cell) or a file (--file)")


@click.command()
@click.argument("first")
@click.argument("second")
@click.argument("third", required=False)
@answers
@click.pass_obj
def diff(settings: Settings, first: str, second: str, third: str | None) -> Answer:
    """Compare two revisions (ROUND r0001 r0002), two rounds, or two folders of published tables.

    Shows which municipalities entered or left the lists, which changed rank and because of which cells, and whether
    data, rule, decisions or code had changed.
    """
    from dagster_project.audit.diff import compare
    from dagster_project.audit.revisions import open_revision

    if third is not None:
        folders = [open_revision(settings, first, name).folder for name in (second, third)]
    else:
        folders = [Path(n) if Path(n).is_dir() else open_revision(settings, n).folder for n in (first, second)]
    difference = compare(*folders)
    return Answer(difference.as_dict(), difference.as_text())


@click.command()
@click.argument("municipalities", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All municipalities of the round.")
@ROUND
@REVISION
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The zip file to write.")
@answers
@click.pass_obj
def evidence(
    settings: Settings,
    municipalities: tuple[str, ...],
    everything: bool,
    round_id: str,
    revision: str | None,
    out: Path,
) -> Answer:
    """Write an evidence pack: a zip file with which MUNICIPALITIES can be checked without this software.

    It contains the explanation, the tables, the lines of the source files, the rule, and a check script that needs only
    Python.
    """
    from dagster_project.audit.evidence import write_pack

    if bool(municipalities) == everything:
        raise click.UsageError("give municipalities, or --all")
    count = write_pack(settings, round_id, out, municipalities, revision=revision)
    said = f"{out}: {count} {'municipality' if count == 1 else 'municipalities'}. Unpack it and run `python3 check.py`."
    return Answer({"file": str(out), "municipalities": count}, said)


COMMANDS = (explain, trace, diff, evidence)
