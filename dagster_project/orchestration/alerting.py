"""Alerts of what happens in Dagster: a run that failed, and problems that are open. See ``alerts`` for where they go.

`oppfolging run` tells its own at its end; these sensors tell of every other run, and of what becomes overdue without
one. Each problem is told once, whoever notices it first.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import dagster as dg

from dagster_project import clock
from dagster_project.alerts import Problem, tell
from dagster_project.diagnostics import Finding, OppfolgingError
from dagster_project.orchestration.outcomes import without_folders
from dagster_project.orchestration.pipeline import words_of
from dagster_project.orchestration.ticks import in_own_words
from dagster_project.rounds.problems import not_listed, open_problems, run_failed
from dagster_project.settings import Settings, load_settings

PROBLEM_SECONDS = 600


def tell_all(settings: Settings, now: dt.datetime, occurred: Sequence[Problem] = ()) -> list[Finding]:
    """Tell what happened and every problem that is open. Returns what could not be sent.

    While the rules or the ledger cannot be read it is not known what is open; what happened is told all the same.
    """
    try:
        standing: list[Problem] | None = open_problems(settings, now.date())
    except OppfolgingError:
        standing = None
    return tell(settings, now, standing=standing, occurred=occurred)[1]


@dg.run_failure_sensor(
    name="alert_of_failure",
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Writes an alert of every run that failed, and sends it where that is configured (docs/dagster.md).",
)
@in_own_words("The alert is not written: a run is looked at once.")
def alert_of_failure(context: dg.RunFailureSensorContext) -> None:
    settings, run = load_settings(), context.dagster_run
    errors = [
        words_of(event.step_failure_data.error)
        for event in context.get_step_failure_events()
        if event.step_failure_data.error is not None
    ]
    said = without_folders("\n".join(errors) or context.failure_event.message or "", settings)
    failed = run_failed(run.run_id, run.job_name, said)
    for warning in tell_all(settings, clock.now(), [failed]):
        context.log.warning(warning.as_text())


@dg.sensor(
    name="alert_of_problems",
    minimum_interval_seconds=PROBLEM_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Writes an alert of every problem that has become open (a refused file, missing figures, overdue figures, "
        "replies and reports), and sends it where that is configured (docs/dagster.md). Starts no run."
    ),
)
@in_own_words()
def alert_of_problems(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    settings, now = load_settings(), clock.now()
    try:
        found = open_problems(settings, now.date())
    except OppfolgingError as error:
        said = without_folders(error.as_text(), settings)
        _, failed = tell(settings, now, occurred=[not_listed(now.date(), said)])
    else:
        told, failed = tell(settings, now, standing=found)
        said = f"open problems: {len(found)}, new among them: {len(told)}"
    return dg.SkipReason("\n".join([said, *(f.as_text() for f in failed)]))
