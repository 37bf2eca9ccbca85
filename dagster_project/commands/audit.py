"""Answers about what was published."""

from __future__ import annotations

from pathlib import Path

import click

from dagster_project.settings import Settings

ROUND = click.option("--round", "round_id", required=True, help="Id of the round, as `status` shows it.")
REVISION = click.option("--revision", help="An earlier revision, such as r0001.")
JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")


def _deliver(content: str | bytes, out: Path | None) -> None:
    """Write to a file, or to the terminal."""
    if out is None:
        click.echo(content, nl=isinstance(content, str))
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    click.echo(str(out))


@click.command()
@click.argument("municipality", required=False)
@click.option("--school", help="Explain a school instead, by organisation number or name.")
@ROUND
@REVISION
@click.option("--format", "form", type=click.Choice(["text", "json", "html", "pdf"]), default="text", show_default=True,
              help="What comes out.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--lang", type=click.Choice(["no", "en"]), default="en", show_default=True, help="Language of the words.")
@click.option("--out", type=click.Path(path_type=Path), help="File to write instead of the terminal.")
@click.option("--verify", is_flag=True, help="Try the smallest change with the rule itself (some seconds).")
@click.pass_obj
def explain(
    settings: Settings, municipality: str | None, school: str | None, round_id: str, revision: str | None,
    form: str, as_json: bool, lang: str, out: Path | None, verify: bool,
) -> None:  # fmt: skip
    """Why this MUNICIPALITY (number or name)? Each number down to its file, line and column.

    Also says which change of one figure would have changed the outcome. That is found by arithmetic; --verify
    runs the models with the changed figure, and with one step less.
    """
    from dagster_project.audit import explain as explain_unit
    from dagster_project.audit import verified

    if (municipality is None) == (school is None):
        raise click.UsageError("name one municipality, or one school with --school")
    if form == "pdf" and out is None:
        raise click.UsageError("a PDF needs --out FILE")
    explanation = explain_unit(
        settings, round_id, municipality or school or "", revision=revision,
        level="municipality" if municipality else "school",
    )  # fmt: skip
    if verify:
        explanation = verified(settings, explanation)
    if as_json or form == "json":
        _deliver(explanation.as_json(), out)
    elif form == "html":
        _deliver(explanation.as_html(lang), out)
    elif form == "pdf":
        _deliver(explanation.as_pdf(lang), out)
    else:
        _deliver(explanation.as_text(lang), out)


COMMANDS = (explain,)
