# ruff: noqa: E402  the assets read the dbt manifest when they are imported, so it is made ready before
"""What exists, wired together. Nothing is computed here."""

from __future__ import annotations

import dagster as dg

from dagster_project.orchestration import manifest

manifest.make_ready()

from dagster_project.assets.effects import cohort_effect
from dagster_project.assets.extracts import EXTRACTS, REFERENCE
from dagster_project.assets.inbox import inbox, open_problems
from dagster_project.assets.models import build_models
from dagster_project.assets.parameters import parameters
from dagster_project.assets.published import published_cohort, published_round
from dagster_project.assets.simulation import choice_sensitivity, selection_uncertainty
from dagster_project.orchestration.jobs import JOBS, everything
from dagster_project.orchestration.resources import Home
from dagster_project.orchestration.schedules import SCHEDULES
from dagster_project.orchestration.sensors import LINEAGE, inbox_sensor, publish_after_year
from dagster_project.settings import load_settings


def build() -> dg.Definitions:
    """All definitions. Raises ``PipelineProblem`` when dbt cannot compile the project."""
    assets = [inbox, *EXTRACTS, *REFERENCE, parameters, build_models(load_settings())]
    assets += [cohort_effect, selection_uncertainty, published_round, published_cohort]
    base = dg.Definitions(
        assets=assets,
        asset_checks=[open_problems],
        jobs=JOBS,
        schedules=SCHEDULES,
        resources={"home": Home()},
        executor=dg.in_process_executor,
    )
    whole = everything(base)
    # added after `everything` is made: what hangs on the open choices is no part of a run
    sensors = [inbox_sensor(whole), publish_after_year, *LINEAGE]
    rest = dg.Definitions(assets=[choice_sensitivity], jobs=[whole], sensors=sensors)
    return dg.Definitions.merge(base, rest)


defs = build()
