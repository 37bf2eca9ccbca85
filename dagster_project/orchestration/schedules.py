"""When new figures come out, and what is run then. All times are Norwegian.

The days follow the publication dates seen so far: national tests in the middle of November (17 and 18 November), the
Pupil Survey in the last week of January (28 and 29 January), grade points from the middle to the end of August (13,
25 and 30 August; the first release is preliminary, hence two days). A round can be run when all three are out: in
February.
"""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from dagster_project.orchestration.jobs import one_round, whole_year
from dagster_project.orchestration.partitions import SCHOOL_YEARS
from dagster_project.schema import school_year_label
from dagster_project.settings import load_settings

TIME_ZONE = "Europe/Oslo"


def _year_schedule(name: str, cron: str, started_years_ago: int, description: str) -> dg.ScheduleDefinition:
    """A schedule that runs ``whole_year`` for the school year that began so many calendar years ago."""

    @dg.schedule(name=name, job=whole_year, cron_schedule=cron, execution_timezone=TIME_ZONE, description=description)
    def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        day = context.scheduled_execution_time
        year = school_year_label(day.year - started_years_ago)
        if year not in SCHOOL_YEARS.get_partition_keys():
            return dg.SkipReason(f"{year} is no partition; extend LAST_START_YEAR in partitions.py")
        return dg.RunRequest(run_key=f"{name}-{day:%Y-%m-%d}", partition_key=year)

    return tick


national_tests_published = _year_schedule(
    "national_tests_published",
    "0 7 19 11 *",
    0,
    "After the national tests (nasjonale prøver) came out: the school year that has just begun.",
)
pupil_survey_published = _year_schedule(
    "pupil_survey_published",
    "0 7 30 1 *",
    1,
    "After the Pupil Survey (Elevundersøkelsen) came out: the school year that began last autumn.",
)
grade_points_published = _year_schedule(
    "grade_points_published",
    "0 7 16,31 8 *",
    1,
    "After the grade points (grunnskolepoeng) came out, preliminary and final: the school year that has ended.",
)


@dg.schedule(
    job=one_round,
    cron_schedule="0 7 15 2 *",
    execution_timezone=TIME_ZONE,
    description="The selection round (uttrekk): every round of rounds.yaml whose last school year began last autumn.",
)
def round_run(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    from dagster_project.rounds.state import lock_of, round_events
    from dagster_project.rules import load_rules

    day = context.scheduled_execution_time
    year = school_year_label(day.year - 1)
    settings = load_settings()
    due = [r.id for r in load_rules(settings).rounds if r.last_school_year == year]
    locks = {round_id: lock_of(round_events(settings, round_id)) for round_id in due}
    rounds = [round_id for round_id, lock in locks.items() if lock is None]
    if not rounds:
        final = ", ".join(f"{round_id} is final: {lock.as_text()}" for round_id, lock in locks.items() if lock)
        yield dg.SkipReason(final or f"no round ends with {year}; add one to rounds.yaml")
    for round_id in rounds:
        yield dg.RunRequest(run_key=f"round_run-{round_id}-{day:%Y-%m-%d}", partition_key=round_id)


SCHEDULES: list[dg.ScheduleDefinition] = [
    national_tests_published,
    pupil_survey_published,
    grade_points_published,
    round_run,
]
