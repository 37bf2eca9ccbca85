"""Which cohorts there are to follow, and through which years. Read from the decisions and the extracts at hand."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from dagster_project import schema
from dagster_project.intake.partitions import read_partition, write_table
from dagster_project.rules import RuleBook
from dagster_project.rules.compile import Monitored
from dagster_project.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa


def rounds_with_cohorts(settings: Settings) -> set[str]:
    """Rounds in which some municipality said yes at some time.

    Who takes part after its last decision is for the models to say. They run after this, since it decides what they
    follow; a cohort that everybody has left is followed too, and comes out empty.
    """
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


def cohort_effect(settings: Settings, rulebook: RuleBook) -> pa.Table:
    """Rows of the mart ``cohort_effect``: what follow-up did in each cohort, estimated from ``cohort_progress``.

    Cohorts of one rule set and origin are estimated together, since they are each other's later comparison; what holds
    of all of them stands with each, marked ``pooled``.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from dagster_project.effects import estimate_effects, load_effect_parameters
    from dagster_project.effects.results import POOLED

    progress = pq.read_table(settings.marts / "cohort_progress.parquet", filters=pc.field("indicator") == "risk_share")
    rounds = {r.id: r for r in rulebook.rounds}
    groups: dict[tuple[str, str], list[str]] = {}
    for round_id in sorted(set(progress["round"].to_pylist())):
        groups.setdefault((rounds[round_id].rule_set, rounds[round_id].origin), []).append(round_id)
    parameters = load_effect_parameters(settings)
    tables = []
    for (rule_set, origin), members in groups.items():
        rows = progress.filter(pc.is_in(progress["round"], pa.array(members)))
        panel = pa.table(
            {
                **{n: rows[n] for n in ("cohort", "municipality_code", "in_cohort", "eligible_comparison", "event_time",
                                        "baseline_share")},
                "school_year": [schema.school_year_label(y) for y in rows["data_year"].to_pylist()],
                "risk_share": rows["value"],
                "pupils": rows["baseline_pupils"],
                "rank": rows["baseline_rank"],
                "treated_from": pa.array([parameters.first_followed_year.value] * rows.num_rows, pa.int64()),
            }
        )  # fmt: skip
        found = estimate_effects(panel, parameters, rulebook.rule_sets[rule_set].window.years.value).to_table()
        for round_id in members:
            cohort = rounds[round_id].cohort_id
            mine = found.filter(pc.is_in(found["cohort"], pa.array([cohort, POOLED])))
            pooled = pc.equal(mine["cohort"], POOLED)
            named = mine.set_column(0, "cohort", pa.array([cohort] * mine.num_rows, pa.string()))
            named = named.append_column("pooled", pooled).append_column("round", pa.array([round_id] * mine.num_rows))
            tables.append(named.append_column("data_origin", pa.array([origin] * mine.num_rows)))
    return pa.concat_tables(tables) if tables else pa.table({"cohort": pa.array([], pa.string())})


def current_effects(settings: Settings, rulebook: RuleBook) -> pa.Table:
    """The mart ``cohort_effect`` as it stands; estimated anew only when what it rests on has changed."""
    import pyarrow.parquet as pq

    target, stamp = settings.marts / "cohort_effect.parquet", settings.marts / ".cohort_effect.sha256"
    basis = hashlib.sha256()
    code = sorted((Path(__file__).parent.parent / "effects").glob("*.py"))
    for path in (settings.marts / "cohort_progress.parquet", settings.effects, settings.rounds, *code):
        basis.update(path.read_bytes())
    digest = basis.hexdigest()
    if not (target.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == digest):
        stamp.unlink(missing_ok=True)
        write_table(target, cohort_effect(settings, rulebook))
        stamp.write_text(digest, encoding="utf-8")
    return pq.read_table(target)
