"""Which cohorts there are to follow, and through which years. Read from the decisions and the extracts at hand."""

from __future__ import annotations

from dagster_project import schema
from dagster_project.extracts.merge import read_partition
from dagster_project.rules import RuleBook
from dagster_project.rules.compile import Monitored
from dagster_project.settings import Settings


def rounds_with_cohorts(settings: Settings) -> set[str]:
    """Rounds in which at least one municipality takes part."""
    decisions = read_partition(settings, schema.DECISIONS, None)
    return {r["round"] for r in decisions.to_pylist() if r["decision"] == "accept"} if decisions is not None else set()


def newest_start_year(settings: Settings, fictional: bool) -> int | None:
    """The newest school year of which tests or survey of an origin are at hand."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    years = []
    for dataset in (schema.NATIONAL_TESTS, schema.PUPIL_SURVEY):
        for path in (settings.extracts / dataset).glob("school_year=*/*.parquet"):
            origins = pc.unique(pq.read_table(path, columns=["fictional"], partitioning=None)["fictional"])
            if fictional in origins.to_pylist():
                years.append(schema.start_year(path.parent.name.removeprefix("school_year=")))
    return max(years, default=None)


def monitored(settings: Settings, rulebook: RuleBook) -> list[Monitored]:
    """One entry per rule set and origin that has a cohort: from the first cohort's window to the newest figures."""
    wanted = rounds_with_cohorts(settings)
    first: dict[tuple[str, str], int] = {}
    for round_ in rulebook.rounds:
        if round_.id in wanted:
            window = rulebook.rule_sets[round_.rule_set].window.years.value
            start = schema.start_year(round_.last_school_year) - window + 1
            key = (round_.rule_set, round_.origin)
            first[key] = min(start, first.get(key, start))
    found = []
    for (rule_set, origin), start in first.items():
        last = newest_start_year(settings, origin == "fictional")
        if last is not None:
            found.append(Monitored(rule_set, origin, start, last))
    return found
