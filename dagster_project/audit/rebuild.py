"""Do it again: from the archived files and the recorded rules to extracts and tables, in a scratch home.

Nothing is screened again: which files came into force, and in which order, stands in the ledger. The rules are those
that lie in the revision's own ``rulebook/``, never those in force now.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dagster_project.archive import Archive
from dagster_project.diagnostics import PipelineProblem
from dagster_project.intake.flow import merge_tables
from dagster_project.intake.partitions import write_table
from dagster_project.intake.read import read_file
from dagster_project.publication.edition import RULEBOOK, fill_data, marked_withdrawn, subject_tables
from dagster_project.publication.subjects import subject_of
from dagster_project.rounds.monitoring import current_effects, monitored
from dagster_project.rounds.uncertainty import round_uncertainty
from dagster_project.rules import compile_parameters, load_rules
from dagster_project.settings import Settings
from dagster_project.transform import dbt_step


def accepted_in_order(settings: Settings) -> list[dict[str, Any]]:
    """The ledger's ``accepted`` events, oldest first."""
    return Archive(settings).events("accepted")


def rebuild_extracts(settings: Settings, events: Iterable[dict[str, Any]], scratch: Settings) -> None:
    """Merge the archived files of the events into the extracts of a scratch home, in the order of the events."""
    archive = Archive(settings)
    for event in events:
        tables = read_file(archive.path(event["sha256"]), event["sha256"], event["file"])
        merge_tables(scratch, tables)


def lay_out_rules(revision: Path, scratch: Settings) -> None:
    """Put the revision's rule files where a home has them, without the rounds whose rule set is not among them.

    Those are of another origin. Rounds of its own stay: whom they selected may be in the scheme still.
    """
    import yaml

    shutil.copytree(revision / RULEBOOK, scratch.home, copy_function=shutil.copyfile, dirs_exist_ok=True)
    rounds = yaml.safe_load(scratch.rounds.read_text(encoding="utf-8"))
    known = {path.stem for path in scratch.rules.glob("*.yaml")}
    rounds["rounds"] = [r for r in rounds["rounds"] if r["rule_set"] in known]
    kept = {r["id"] for r in rounds["rounds"]}
    scratch.rounds.write_text(yaml.safe_dump(rounds, allow_unicode=True), encoding="utf-8")
    path = scratch.registers / "exceptions.yaml"
    exceptions = yaml.safe_load(path.read_text(encoding="utf-8"))
    exceptions["exceptions"] = [
        {**row, "rounds": "all" if row["rounds"] == "all" else [name for name in row["rounds"] if name in kept]}
        for row in exceptions["exceptions"]
        if row["rounds"] == "all" or kept & set(row["rounds"])
    ]
    path.write_text(yaml.safe_dump(exceptions, allow_unicode=True), encoding="utf-8")


def rebuild_tables(revision: Path, manifest: dict[str, Any], scratch: Settings, out: Path) -> None:
    """Build the models on the extracts of the scratch home and write the tables of the round or cohort into ``out``.

    The tables of a withdrawn release carry the reason in a column more, as they did when it was withdrawn. A cohort
    is followed until the day its manifest names, and its effects are estimated anew.

    Raises:
        RuleProblem: today's code cannot read the rules of then.
        PipelineProblem: dbt could not build, or a test failed.
    """
    lay_out_rules(revision, scratch)
    rulebook = load_rules(scratch)
    subject = subject_of(rulebook, manifest)
    if subject.is_cohort:
        as_of = manifest["as_of"] and dt.date.fromisoformat(manifest["as_of"])
        compile_parameters(rulebook, scratch.parameters, monitored=monitored(scratch, rulebook), as_of=as_of)
    else:
        compile_parameters(rulebook, scratch.parameters)
    outcome = dbt_step.build(scratch)
    if not outcome.success:
        raise PipelineProblem("The models cannot be built again.", outcome.findings)
    if subject.is_cohort:
        current_effects(scratch, rulebook)
    elif "selection_uncertainty" in manifest["rows"]:
        doubt = round_uncertainty(scratch, rulebook, subject.name)
        write_table(scratch.marts / "selection_uncertainty.parquet", doubt)
    tables = subject_tables(scratch, subject)
    if withdrawn := manifest.get("withdrawn"):
        tables = marked_withdrawn(tables, withdrawn["reason"])
    fill_data(tables, out)
