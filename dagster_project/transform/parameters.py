"""The parameter tables that the models read: rules, registers, the files in force, compiled for one snapshot."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

from dagster_project import schema
from dagster_project.archive.register import registered
from dagster_project.archive.store import sha256_of
from dagster_project.atomic import replacing
from dagster_project.intake.partitions import Extracts
from dagster_project.rules import RuleBook, compile_parameters, load_rules
from dagster_project.rules.compile import Monitored
from dagster_project.settings import Settings
from dagster_project.transform.snapshot import Snapshot, accepted_gaps

RECORD = "_made_from.json"


def _rounds_with_cohorts(extracts: Extracts) -> set[str]:
    """Rounds in which some municipality said yes at some time.

    Who takes part after its last decision is for the models to say. They run after this, since it decides what they
    follow; a cohort that everybody has left is followed too, and comes out empty.
    """
    decisions = extracts.table((schema.DECISIONS, None), ["round", "decision"])
    return {r["round"] for r in decisions.to_pylist() if r["decision"] == "accept"} if decisions is not None else set()


def _newest_start_year(extracts: Extracts, fictional: bool) -> int | None:
    """The newest school year of which tests or survey of an origin are in force."""
    years = [
        schema.start_year(year)
        for (dataset, year), files in extracts.in_force.items()
        if dataset in (schema.NATIONAL_TESTS, schema.PUPIL_SURVEY) and year
        and any(f.fictional == fictional for f in files)
    ]  # fmt: skip
    return max(years, default=None)


def monitored(extracts: Extracts, rulebook: RuleBook) -> list[Monitored]:
    """One entry per rule set and origin that has a cohort: from the first cohort's window to the newest figures.

    As many years before the window are looked at as the follow-up lasts, where there are figures: what a cohort is held
    against must not be the very years that it was selected by.
    """
    wanted = _rounds_with_cohorts(extracts)
    first: dict[tuple[str, str], int] = {}
    for round_ in rulebook.rounds:
        if round_.id in wanted:
            rules = rulebook.rule_sets[round_.rule_set]
            window = rules.window.years.value
            start = schema.start_year(round_.last_school_year) - window + 1 - rules.followup.years
            key = (round_.rule_set, round_.origin)
            first[key] = min(start, first.get(key, start))
    found = []
    for (rule_set, origin), start in first.items():
        last = _newest_start_year(extracts, origin == "fictional")
        if last is not None:
            found.append(Monitored(rule_set, origin, start, last))
    return found


def input_files(extracts: Extracts) -> list[dict[str, Any]]:
    """One row a file in force and partition: which file of which name a hash in the extracts stands for."""
    return [
        {"dataset": dataset, "school_year": year, "source_sha256": f.sha256, "file": f.name, "place": place}
        for (dataset, year), files in extracts.in_force.items()
        for place, f in enumerate(files, start=1)
    ]


def _gaps(extracts: Extracts) -> list[dict[str, Any]]:
    """The missing inputs that somebody accepted, with who and why; of one accepted twice, the last."""
    key = ("round", "dataset", "school_year", "indicator", "grade")
    found = {tuple(e[k] for k in key): e for e in accepted_gaps(extracts.settings, extracts.head)}
    return [{**e, "accepted_by": e["by"], "accepted_reason": e["reason"]} for e in found.values()]


def compile_for(
    settings: Settings, rulebook: RuleBook, extracts: Extracts, *, as_of: dt.date | None,
    follow: Sequence[Monitored] | None = None,
) -> dict[str, int]:  # fmt: skip
    """Compile the parameter tables into a home, for extracts; return row counts.

    Without ``follow`` all cohorts are followed.
    """
    return compile_parameters(
        rulebook, settings.parameters, as_of=as_of,
        monitored=monitored(extracts, rulebook) if follow is None else follow,
        ledger={"input_files": input_files(extracts), "accepted_gaps": _gaps(extracts)},
        register=registered(extracts.settings, extracts.head),
    )  # fmt: skip


def _hashes(settings: Settings) -> dict[str, str]:
    return {p.name: sha256_of(p) for p in sorted(settings.parameters.glob("*.parquet"))}


def compile_snapshot(settings: Settings, snapshot: Snapshot) -> dict[str, int]:
    """Compile the parameter tables of a snapshot, always; return row counts. The caller holds the write lock.

    Raises:
        RuleProblem: the rules cannot be used.
    """
    path = settings.parameters / RECORD
    path.unlink(missing_ok=True)
    with Extracts(settings, snapshot.head) as extracts:
        counts = compile_for(settings, load_rules(settings), extracts, as_of=snapshot.day)
    record = {"identity": snapshot.identity, "day": snapshot.day.isoformat(), "files": _hashes(settings)}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return counts


def is_compiled(settings: Settings, snapshot: Snapshot) -> bool:
    """Whether the parameter tables are those of the snapshot and its day, as they were compiled."""
    try:
        record = json.loads((settings.parameters / RECORD).read_text(encoding="utf-8"))
        return bool(
            (record["identity"], record["day"]) == (snapshot.identity, snapshot.day.isoformat())
            and record["files"] == _hashes(settings)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def ensure_parameters(settings: Settings, snapshot: Snapshot) -> bool:
    """Compile the parameter tables when they are not those of the snapshot; tell whether that was so."""
    if is_compiled(settings, snapshot):
        return False
    compile_snapshot(settings, snapshot)
    return True
