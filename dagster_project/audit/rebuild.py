"""Do it again: from the archived files and the recorded rules to extracts and tables, in a scratch home.

Nothing is screened again: which files came into force, and in which order, stands in the ledger. The rules are those
that lie in the revision's own ``rulebook/``, never those in force now.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dagster_project import dbt_step
from dagster_project.diagnostics import PipelineProblem
from dagster_project.extracts import Archive, read_file
from dagster_project.extracts.merge import write_table
from dagster_project.intake import merge_tables
from dagster_project.publication.edition import RULEBOOK, fill_data, marked_withdrawn, subject_tables
from dagster_project.publication.subjects import round_subject
from dagster_project.rounds.uncertainty import round_uncertainty
from dagster_project.rules import compile_parameters, load_rules
from dagster_project.settings import Settings


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

    Rounds of the same rule set stay: whom they selected may be in the scheme still.
    """
    import yaml

    rulebook = revision / RULEBOOK
    for folder in ("rules", "registers"):
        shutil.copytree(rulebook / folder, scratch.home / folder, copy_function=shutil.copyfile)
    for path in (rulebook / "effects.yaml", rulebook / "uncertainty.yaml"):
        if path.exists():
            shutil.copyfile(path, scratch.home / path.name)
    rounds = yaml.safe_load((rulebook / "rounds.yaml").read_text(encoding="utf-8"))
    known = {path.stem for path in (rulebook / "rules").glob("*.yaml")}
    rounds["rounds"] = [r for r in rounds["rounds"] if r["rule_set"] in known]
    kept = {r["id"] for r in rounds["rounds"]}
    (scratch.home / "rounds.yaml").write_text(yaml.safe_dump(rounds, allow_unicode=True), encoding="utf-8")
    path = scratch.home / "registers" / "exceptions.yaml"
    exceptions = yaml.safe_load(path.read_text(encoding="utf-8"))
    exceptions["exceptions"] = [
        {**row, "rounds": "all" if row["rounds"] == "all" else [name for name in row["rounds"] if name in kept]}
        for row in exceptions["exceptions"]
        if row["rounds"] == "all" or kept & set(row["rounds"])
    ]
    path.write_text(yaml.safe_dump(exceptions, allow_unicode=True), encoding="utf-8")


def rebuild_tables(revision: Path, manifest: dict[str, Any], scratch: Settings, out: Path) -> None:
    """Build the models on the extracts of the scratch home and write the round's tables into ``out``.

    The tables of a withdrawn release carry the reason in a column more, as they did when it was withdrawn.

    Raises:
        RuleProblem: today's code cannot read the rules of then.
        PipelineProblem: dbt could not build, or a test failed.
    """
    lay_out_rules(revision, scratch)
    rulebook = load_rules(scratch)
    compile_parameters(rulebook, scratch.parameters)
    outcome = dbt_step.build(scratch)
    if not outcome.success:
        raise PipelineProblem("The models cannot be built again.", outcome.findings)
    if "selection_uncertainty" in manifest["rows"]:
        write_table(
            scratch.marts / "selection_uncertainty.parquet", round_uncertainty(scratch, rulebook, manifest["round"])
        )
    tables = subject_tables(scratch, round_subject(rulebook, manifest["round"]))
    if withdrawn := manifest.get("withdrawn"):
        tables = marked_withdrawn(tables, withdrawn["reason"])
    fill_data(tables, out)
