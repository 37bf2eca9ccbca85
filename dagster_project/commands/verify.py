"""Verify published revisions, and sign the ledger."""

from __future__ import annotations

from pathlib import Path

import click

from dagster_project import clock, log
from dagster_project.commands.answer import Answer, answers, progress_line
from dagster_project.diagnostics import IntegrityProblem
from dagster_project.settings import Settings


@click.command()
@click.option("--round", "round_id", required=True, help="Id of the round, as `status` shows it, or a cohort.")
@click.option("--revision", help="An earlier revision, such as r0001.  [default: the one in force]")
@click.option("--quick", is_flag=True, help="Compare hashes only, without rebuilding tables.")
@click.option("--key", type=click.Path(path_type=Path), help="Check the seals made with this key (public or private).")
@answers
@click.pass_obj
def verify(settings: Settings, round_id: str, revision: str | None, quick: bool, key: Path | None) -> Answer:
    """Rebuild a round or cohort from the archive and compare it byte for byte with what is published.

    Names every difference: archived files, ledger, manifest, pointer, rule files, published files, extracts, tables.
    --quick compares hashes and sees neither extracts nor whether the tables follow from their inputs.
    """
    from dagster_project.audit.verify import verify as verify_round

    with progress_line() as tell:
        result = verify_round(settings, round_id, revision=revision, quick=quick, key=key, on_stage=tell)
    log.findings(result.findings)
    return Answer(result.as_dict(), result.as_text(), 0 if result.ok else IntegrityProblem.exit_code)


@click.command()
@click.option("--key", type=click.Path(path_type=Path), required=True, help="An Ed25519 private key in PEM form.")
@answers
@click.pass_obj
def seal(settings: Settings, key: Path) -> Answer:
    """Sign the ledger, so that nobody without the key can replace it unnoticed.

    A key: openssl genpkey -algorithm ed25519 -out seal.pem. Keep it away from this machine; checking needs only the
    public half: openssl pkey -in seal.pem -pubout -out seal.pub.
    """

    from dagster_project.archive import seals
    from dagster_project.archive.guard import writing

    with writing(settings, "seal"):
        made = seals.seal(settings, key, now=clock.now())
    return Answer(made, f"{made['lines']} lines of the ledger sealed with key {made['key']}")


COMMANDS = (verify, seal)
