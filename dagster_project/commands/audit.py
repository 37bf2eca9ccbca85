"""Answers about what was published."""

from __future__ import annotations

import click

from dagster_project.settings import Settings


@click.command()
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


COMMANDS = (explain,)
