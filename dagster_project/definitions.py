# ruff: noqa: E402  the assets read the dbt manifest when they are imported, so it is made ready before
"""What exists, wired together. Nothing is computed here."""

from __future__ import annotations

import logging

import dagster as dg

from dagster_project.orchestration import manifest
from dagster_project.private import keep_private

keep_private()
manifest.make_ready()

from dagster_project.assets.effects import cohort_effect
from dagster_project.assets.extracts import EXTRACTS, REFERENCE
from dagster_project.assets.inbox import inbox, open_problems
from dagster_project.assets.models import build_models
from dagster_project.assets.parameters import parameters
from dagster_project.assets.published import published_cohort, published_round
from dagster_project.assets.simulation import choice_sensitivity, selection_uncertainty
from dagster_project.orchestration.alerting import alert_of_failure, alert_of_problems
from dagster_project.orchestration.jobs import JOBS, everything
from dagster_project.orchestration.outcomes import with_file
from dagster_project.orchestration.partitions import read_rounds
from dagster_project.orchestration.resources import Home
from dagster_project.orchestration.schedules import publication_schedules, round_schedule
from dagster_project.orchestration.sensors import LINEAGE, inbox_sensor
from dagster_project.settings import load_settings


def build() -> dg.Definitions:
    """All definitions. A mistake in ``rounds.yaml`` is logged and shown with the code location; the rest stands.

    Raises:
        PipelineProblem: dbt cannot compile the project. The message names file and fix.
    """
    settings = load_settings()
    _, problem = read_rounds(settings)
    if problem:
        logging.getLogger(__name__).error(problem)
    written_here = [inbox, *EXTRACTS, *REFERENCE, parameters]
    written_here += [cohort_effect, selection_uncertainty, published_round, published_cohort, choice_sensitivity]
    referenced = [d for d in dg.with_source_code_references(written_here) if isinstance(d, dg.AssetsDefinition)]
    *assets, apart = dg.map_asset_specs(with_file, referenced)
    assets.append(build_models(settings))
    resources = {"home": Home()}
    checks = [open_problems]
    whole = everything(dg.Definitions(assets=assets, asset_checks=checks, resources=resources))
    return dg.Definitions(
        # added after `everything` is made: the sensitivity to open rule choices is no part of a run
        assets=[*assets, apart],
        asset_checks=checks,
        jobs=[*JOBS, whole],
        schedules=[*publication_schedules(whole), round_schedule(whole)],
        sensors=[inbox_sensor(whole), *LINEAGE, alert_of_failure, alert_of_problems],
        resources=resources,
        executor=dg.in_process_executor,
        metadata={"mistakes in rounds.yaml": dg.MetadataValue.md(f"```\n{problem}\n```")} if problem else None,
    )


defs = build()
