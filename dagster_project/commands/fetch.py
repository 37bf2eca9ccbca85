"""Fetch the files of a school year from the public services. No other command reads the network."""

from __future__ import annotations

import click

from dagster_project.commands.answer import Answer, answers, say
from dagster_project.fetch.addresses import FETCHED
from dagster_project.settings import Settings


@click.command()
@click.option("--year", required=True, help="The school year, for example 2025-26.")
@click.option("--dataset", "datasets", multiple=True, type=click.Choice(FETCHED), help="Only these.  [default: all]")
@click.option("--dry-run", is_flag=True, help="Print the first addresses and fetch nothing.")
@answers
@click.pass_obj
def fetch(settings: Settings, year: str, datasets: tuple[str, ...], dry_run: bool) -> Answer:
    """Fetch the files of a year into the inbox."""
    from dagster_project.fetch.addresses import load_services, wanted
    from dagster_project.fetch.client import Client
    from dagster_project.fetch.deliver import fetch as fetch_files
    from dagster_project.rules.fields import school_year

    try:
        school_year(year)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--year") from None
    files = wanted(load_services(settings), year, datasets or FETCHED)
    if dry_run:
        addresses = [{"dataset": file.dataset, "address": file.page(1)[1]} for file in files]
        return Answer(addresses, "\n".join(f"{a['dataset']}: {a['address']}" for a in addresses))
    delivered = fetch_files(settings, files, Client(tell=say), say)
    return Answer({"files": [str(path) for path in delivered]},
                  f"{len(delivered)} files are in {settings.inbox}. Next: oppfolging run")  # fmt: skip


COMMANDS = (fetch,)
