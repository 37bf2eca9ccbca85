"""Rebuild extracts and tables from the archived files and the recorded rules, in a temporary folder.

Nothing is screened again: which files came into force, and in which order, stands in the ledger. The rules are those
that lie in the revision's own ``rulebook/``, never those in force now.
"""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

from dagster_project.arrow import write_parquet
from dagster_project.audit.earlier_rules import in_todays_keys
from dagster_project.diagnostics import PipelineProblem
from dagster_project.intake.partitions import Extracts
from dagster_project.publication.edition import RULEBOOK, fill_data, marked_withdrawn, subject_tables
from dagster_project.publication.subjects import subject_of
from dagster_project.rounds.monitoring import current_effects
from dagster_project.rounds.uncertainty import round_uncertainty
from dagster_project.rules import load_rules
from dagster_project.rules.reader import yaml_of
from dagster_project.settings import Settings
from dagster_project.transform import dbt_step
from dagster_project.transform.parameters import compile_for


def lay_out_rules(revision: Path, scratch: Settings) -> None:
    """Put the revision's rule files where a home has them, without the rounds whose rule set is not among them.

    Those are of another origin. Rounds of its own stay: whom they selected may be in the scheme still.
    """
    import yaml

    shutil.copytree(revision / RULEBOOK, scratch.home, copy_function=shutil.copyfile, dirs_exist_ok=True)
    for rules in (*scratch.rules.glob("*.yaml"), scratch.registers / "publication.yaml"):
        if (today := in_todays_keys(then := yaml_of(rules))) != then:
            rules.write_text(yaml.safe_dump(today, allow_unicode=True), encoding="utf-8")
    rounds = yaml_of(scratch.rounds)
    known = {path.stem for path in scratch.rules.glob("*.yaml")}
    rounds["rounds"] = [r for r in rounds["rounds"] if r["rule_set"] in known]
    kept = {r["id"] for r in rounds["rounds"]}
    scratch.rounds.write_text(yaml.safe_dump(rounds, allow_unicode=True), encoding="utf-8")
    path = scratch.registers / "exceptions.yaml"
    exceptions = yaml_of(path)
    exceptions["exceptions"] = [
        {**row, "rounds": "all" if row["rounds"] == "all" else [name for name in row["rounds"] if name in kept]}
        for row in exceptions["exceptions"]
        if row["rounds"] == "all" or kept & set(row["rounds"])
    ]
    path.write_text(yaml.safe_dump(exceptions, allow_unicode=True), encoding="utf-8")


def rebuild_tables(revision: Path, manifest: dict[str, Any], extracts: Extracts, out: Path) -> None:
    """Build the models on extracts, in the home they lie in, and write the tables of the round or cohort into ``out``.

    The tables of a withdrawn release carry the reason in a column more, as they did when it was withdrawn. A cohort
    is followed until the day its manifest names, and its effects are estimated anew.

    Raises:
        RuleProblem: today's code cannot read the rules of then.
        PipelineProblem: dbt could not build, or a test failed.
    """
    scratch = extracts.out
    lay_out_rules(revision, scratch)
    rulebook = load_rules(scratch)
    subject = subject_of(rulebook, manifest)
    if subject.is_cohort:
        as_of = manifest["as_of"] and dt.date.fromisoformat(manifest["as_of"])
        compile_for(scratch, rulebook, extracts, as_of=as_of)
    else:
        compile_for(scratch, rulebook, extracts, as_of=None, follow=())
    extracts.ensure()
    outcome = dbt_step.build(scratch, extracts.paths())
    if not outcome.success:
        raise PipelineProblem("The models cannot be rebuilt.", outcome.findings)
    if subject.is_cohort:
        current_effects(scratch, rulebook)
    elif "selection_uncertainty" in manifest["rows"]:
        doubt = round_uncertainty(scratch, rulebook, subject.name, extracts)
        write_parquet(scratch.marts / "selection_uncertainty.parquet", doubt)
    tables = subject_tables(scratch, subject)
    if withdrawn := manifest.get("withdrawn"):
        tables = marked_withdrawn(tables, withdrawn["reason"])
    fill_data(tables, out)
