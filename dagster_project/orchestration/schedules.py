"""When new figures come out, and what is run then. All times are Norwegian.

The days follow the publication dates seen so far: national tests in the middle of November (17 and 18 November), the
Pupil Survey in the last week of January (28 and 29 January), grade points from the middle to the end of August (13,
25 and 30 August; the first release is preliminary, hence two days). A round can be run when all three are out: in
February.
"""

from __future__ import annotations

import dagster as dg

from dagster_project.orchestration.ticks import in_own_words
from dagster_project.rounds.state import lock_of, round_events
from dagster_project.rules import load_rules
from dagster_project.schema import school_year_label
from dagster_project.settings import load_settings

TIME_ZONE = "Europe/Oslo"
PUBLICATION_DAYS = {
    "national_tests_published": ("0 7 19 11 *", "After the national tests (nasjonale prøver) came out."),
    "pupil_survey_published": ("0 7 30 1 *", "After the Pupil Survey (Elevundersøkelsen) came out."),
    "grade_points_published": (
        "0 7 16,31 8 *", "After the grade points (grunnskolepoeng) came out, preliminary and final.",
    ),
}  # fmt: skip


def publication_schedules(job: dg.JobDefinition) -> list[dg.ScheduleDefinition]:
    """Schedules that launch ``job`` after each publication day: whatever lies in the inbox by then is taken in."""
    return [_publication_schedule(job, name, cron, what) for name, (cron, what) in PUBLICATION_DAYS.items()]


def _publication_schedule(job: dg.JobDefinition, name: str, cron: str, description: str) -> dg.ScheduleDefinition:
    @dg.schedule(name=name, job=job, cron_schedule=cron, execution_timezone=TIME_ZONE, description=description)
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
        cron_schedule="0 7 15 2 *",
        execution_timezone=TIME_ZONE,
        description="The selection round (uttrekk): every round whose last school year began last autumn.",
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
