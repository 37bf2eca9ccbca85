"""Accept that an input of a round is missing. Name and reason are recorded and shown on everything published."""

from __future__ import annotations

import datetime as dt

from dagster_project import schema
from dagster_project.archive import Archive
from dagster_project.diagnostics import RoundProblem
from dagster_project.rules import load_rules
from dagster_project.settings import Settings
from dagster_project.transform.snapshot import GAP_ACCEPTED


def accept_missing(
    settings: Settings, round_id: str, wanted: tuple[str, str, str, int], *, by: str, reason: str, now: dt.datetime
) -> None:
    """Record that a round may do without (dataset, school year, indicator, grade).

    Raises:
        RoundProblem: the rule of the round has no such indicator and grade, or the name or the reason is blank.
        RuleProblem: no such round.
    """
    if not by.strip() or not reason.strip():
        raise RoundProblem("This needs a name (--by) and a reason (--reason).")
    rulebook = load_rules(settings)
    rules = rulebook.rule_sets[rulebook.round(round_id).rule_set]
    dataset, year, indicator, grade = wanted
    known = {(i.dataset, i.name, g) for i in rules.indicators for g in i.grades.value}
    if (dataset, indicator, grade) not in known:
        listed = ", ".join(f"{d} {i} {g}" for d, i, g in sorted(known))
        raise RoundProblem(f"{round_id} needs no {indicator} of grade {grade} from {dataset}. It needs: {listed}.")
    if year != schema.school_year_label(schema.start_year(year)):
        raise RoundProblem(f"{year} is not a school year such as 2024-25.")
    Archive(settings).append(
        {"event": GAP_ACCEPTED, "time": now.isoformat(), "round": round_id, "dataset": dataset, "school_year": year,
         "indicator": indicator, "grade": grade, "by": by.strip(), "reason": reason.strip()}
    )  # fmt: skip
