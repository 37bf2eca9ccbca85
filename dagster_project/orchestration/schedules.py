"""What is run when new figures have come out, and by when each asset has to have seen them. All times are Norwegian."""

from __future__ import annotations

import dagster as dg

from dagster_project.orchestration.ticks import in_own_words
from dagster_project.rounds.figures_due import FIGURES, GRACE, ROUND, FiguresDue
from dagster_project.rounds.state import lock_of, round_events
from dagster_project.rules import load_rules
from dagster_project.schema import school_year_label
from dagster_project.settings import load_settings

TIME_ZONE = "Europe/Oslo"
HOUR = 7
ANY_YEAR = 2001
"""A year that is no leap year, to count days in."""


def cron(due: FiguresDue) -> str:
    """Seven in the morning of the days on which figures are out."""
    return f"0 {HOUR} {','.join(map(str, due.days))} {due.month} *"


def freshness(due: FiguresDue) -> dg.FreshnessPolicy:
    """Between the day on which figures came out and the deadline, the asset has to be made."""
    deadline = due.deadline(ANY_YEAR)
    return dg.FreshnessPolicy.cron(f"0 {HOUR} {deadline.day} {deadline.month} *", GRACE, TIME_ZONE)


def publication_schedules(job: dg.JobDefinition) -> list[dg.ScheduleDefinition]:
    """Schedules that launch ``job`` after each publication day: whatever is in the inbox by then is ingested."""
    return [_publication_schedule(job, due) for due in FIGURES]


def _publication_schedule(job: dg.JobDefinition, due: FiguresDue) -> dg.ScheduleDefinition:
    name = f"{due.dataset}_published"

    @dg.schedule(
        name=name,
        job=job,
        cron_schedule=cron(due),
        execution_timezone=TIME_ZONE,
        description=f"Runs everything after the {due.what} came out. Off until somebody turns it on.",
    )
    def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(run_key=f"{name}-{context.scheduled_execution_time:%Y-%m-%d}")

    return tick


def round_schedule(job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """The schedule that launches ``job`` when a round can be computed: it publishes every round that lacks nothing.

    It names no partition, so that a round that came into ``rounds.yaml`` after the definitions were loaded is made too.
    """

    @dg.schedule(
        name="round_run",
        job=job,
        cron_schedule=cron(ROUND),
        execution_timezone=TIME_ZONE,
        description=(
            "Runs everything for the selection round (uttrekk): every round whose last school year began last autumn. "
            "Off until somebody turns it on."
        ),
    )
    @in_own_words("Then launch the job everything: the schedule runs once a year.")
    def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        day = context.scheduled_execution_time
        year = school_year_label(day.year - 1)
        settings = load_settings()
        due = [r.id for r in load_rules(settings).rounds if r.last_school_year == year]
        locks = {round_id: lock_of(round_events(settings, round_id)) for round_id in due}
        rounds = [round_id for round_id, lock in locks.items() if lock is None]
        if not rounds:
            final = ", ".join(f"{round_id} is final: {lock.as_text()}" for round_id, lock in locks.items() if lock)
            return dg.SkipReason(final or f"no round ends with {year}; add one to rounds.yaml")
        return dg.RunRequest(run_key=f"round_run-{day:%Y-%m-%d}", tags={"oppfolging/rounds": ", ".join(rounds)})

    return tick
