"""The published tables of rounds and cohorts: one immutable revision after another."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from dagster_project import progress
from dagster_project.archive.commits import pointer_of
from dagster_project.archive.published import published_rows
from dagster_project.assets import STATISTICS
from dagster_project.assets.acting import as_table, findings_table, writing
from dagster_project.assets.by_partition import newest, tell_checked, tell_made
from dagster_project.assets.marts import exposed
from dagster_project.assets.versions import code_of
from dagster_project.clock import now
from dagster_project.diagnostics import Finding
from dagster_project.forms.candidates import unanswered
from dagster_project.orchestration.outcomes import by_run
from dagster_project.orchestration.partitions import ROUNDS, names_partitions, processed_keys, round_ids
from dagster_project.orchestration.resources import Home
from dagster_project.orchestration.schedules import freshness
from dagster_project.publication import Revision, verify_revision
from dagster_project.rounds.figures_due import ROUND
from dagster_project.rounds.publishing import (
    behind,
    missing_inputs_of,
    publish_cohort,
    publish_round,
    refuse_behind,
)
from dagster_project.settings import Settings
from dagster_project.transform.snapshot import pin

ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
FOLLOWS = "follows_from_what_is_in_force"
CHECKS = {
    FOLLOWS: (
        ERROR,
        "The marts and estimates were made from the snapshot of files, rules and models that this run took when it "
        "started. Otherwise nothing is published, and the difference is named.",
    ),
    "inputs_are_in_force": (
        WARN,
        "Every figure that a round needs (dataset, school year, indicator, grade) is in force. A round that lacks "
        "one is not published until it arrives, or until it is accepted with `oppfolging round accept-missing`.",
    ),
    "revision_matches_manifest": (ERROR, "Every published file has the hash in its manifest."),
    "county_governors_have_replied": (
        WARN, "All county governors have replied. Those who have not are named here.",
    ),
    "final_rounds_unchanged": (
        ERROR,
        "Today's results agree with every final release, cell by cell. If not, publish the change with "
        "`oppfolging round amend`, or keep the release with `oppfolging round keep`.",
    ),
}  # fmt: skip
BLOCKING = {FOLLOWS, "final_rounds_unchanged"}


@dataclass(frozen=True)
class Published:
    """The result for a round: its revision, None when there is none, and the result of each check."""

    round_id: str
    revision: Revision | None
    found: dict[str, list[str]] = field(default_factory=dict)
    differences: tuple[Finding, ...] = ()


def _publish(settings: Settings, snapshot: Any, round_id: str, run_id: str) -> Published:
    revision = publish_round(settings, snapshot, round_id, now=now(), by=by_run(run_id))
    found = {"inputs_are_in_force": missing_inputs_of(settings, round_id)}
    if revision is None:
        return Published(round_id, None, found)
    return Published(
        round_id,
        revision,
        found
        | {
            "revision_matches_manifest": [f.as_text() for f in verify_revision(revision.path)],
            "county_governors_have_replied": unanswered(published_rows(settings, round_id, "selection")),
            "final_rounds_unchanged": [f.as_text() for f in revision.differences[:1]],
        },
        revision.differences,
    )


def _metadata(name: str, lines: Sequence[str], rounds: Sequence[Published]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"found": as_table(("found",), [(line,) for line in lines])} if lines else {}
    if name == "final_rounds_unchanged":
        cells = [f for r in rounds for f in r.differences]
        metadata |= {
            "differing_cells": sum(r.differences[0].count for r in rounds if r.differences),
            "differences": findings_table(cells),
        }
    return metadata


def _told(settings: Settings, made: Published) -> dict[str, Any]:
    assert made.revision is not None, "only what is published is told of"
    pointer = pointer_of(settings, made.round_id) or {}
    return {
        "state": str(pointer.get("status")), "release": str(pointer.get("release") or "none"),
        "revision": made.revision.revision, "is_new": made.revision.is_new,
        "dagster/row_count": sum(made.revision.rows.values()),
        **_places(settings, made.revision),
    }  # fmt: skip


def _places(settings: Settings, revision: Revision) -> dict[str, Any]:
    """Where a revision and its report sites are, from the home, and how they are opened from there."""
    folder = revision.path.relative_to(settings.home).as_posix()
    sites = {name: f"{folder}/{name}/site/index.html" for name in ("internal", "public")}
    there = {name: site for name, site in sites.items() if (settings.home / site).exists()}
    shown: dict[str, Any] = {f"site_{name}": dg.MetadataValue.text(site) for name, site in there.items()}
    if there:
        opened = " or ".join(f"`{site}`" for site in there.values())
        shown["open_the_site"] = dg.MetadataValue.md(
            f"Open {opened} of the home (`OPPFOLGING_HOME`, or `data/`) in a browser: the pages need no server."
        )
    return {"folder": dg.MetadataValue.text(folder), **shown}


@dg.asset(
    name="published_round",
    group_name="published",
    owners=[STATISTICS],
    kinds={"parquet", "csv", "excel"},
    code_version=code_of("publication", "rounds", "forms"),
    deps=exposed("published_round"),
    partitions_def=ROUNDS,
    freshness_policy=freshness(ROUND),
    output_required=False,
    description=(
        "Published tables of a selection round (publiserte tabeller for et uttrekk) as Parquet, CSV and XLSX, with a "
        "manifest of all hashes and the workbooks for county governors and decisions. An unchanged round gets no new "
        "revision. A final round is compared with its release and not published again. A round that lacks an input is "
        "not published, and its partition stays missing."
    ),
    check_specs=[
        dg.AssetCheckSpec(name, asset="published_round", blocking=name in BLOCKING, description=text,
                          partitions_def=ROUNDS)
        for name, (_, text) in CHECKS.items()
    ],
)  # fmt: skip
def published_round(
    context: dg.AssetExecutionContext, home: Home
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    settings, run_id = home.settings(), context.run.run_id
    rounds: list[Published] = []
    with progress.stage("publication"), writing(context, settings):
        snapshot = pin(settings, run_id)
        if differs := behind(settings, snapshot):
            reason = "\n".join(f.as_text() for f in differs)
            yield dg.AssetCheckResult(check_name=FOLLOWS, passed=False, description=reason)
            raise dg.Failure(f"Nothing was published.\n{reason}", allow_retries=False)
        for round_id in processed_keys(context, round_ids(settings)):
            progress.report("publication", round_id)
            rounds.append(_publish(settings, snapshot, round_id, run_id))
    published = {r.round_id: _told(settings, r) for r in rounds if r.revision is not None}
    for r in rounds:
        if r.revision is None:
            context.log.info(f"{r.round_id} waits: {'; '.join(r.found['inputs_are_in_force']) or 'no figures'}")
    named = names_partitions(context)
    if published or not named:
        rows = [(r, t["state"], t["release"], t["revision"], t["is_new"]) for r, t in published.items()]
        revisions = as_table(("round", "state", "release", "revision", "new"), rows)
        one = next(iter(published.values())) if len(published) == 1 else {}
        yield dg.MaterializeResult(metadata={**one, "snapshot": snapshot.identity, "revisions": revisions})
    if not named:
        _tell_of_each(context, rounds, published)
    yield from _results(rounds)


def _results(rounds: Sequence[Published]) -> Iterator[dg.AssetCheckResult]:
    """One result per check, over the rounds that this step looked at."""
    for name, (severity, _) in CHECKS.items():
        lines = [f"{r.round_id}: {line}" for r in rounds for line in r.found.get(name, ())]
        yield dg.AssetCheckResult(
            check_name=name,
            passed=not lines,
            severity=severity,
            description="\n".join(lines) or None,
            metadata=_metadata(name, lines, rounds),
        )


def _tell_of_each(
    context: dg.AssetExecutionContext, rounds: Sequence[Published], published: Mapping[str, dict[str, Any]]
) -> None:
    """In a run that names no partition: tell of every round that is one. One that waits was not made, but checked."""
    as_a_whole, known = newest(context, "published_round", None), ROUNDS.get_partition_keys()
    # Dagster's page of a check opens with the newest result: where a round is not as it should be, that of this round
    for r in sorted(rounds, key=lambda r: any(r.found.values())):
        if r.round_id in published:
            tell_made(context, "published_round", r.round_id, published[r.round_id])
        if r.round_id in known:
            target = None if r.round_id in published else as_a_whole
            tell_checked(context, "published_round", r.round_id, _results([r]), target)


@dg.asset(
    name="published_cohort",
    group_name="published",
    owners=[STATISTICS],
    kinds={"parquet", "csv", "excel"},
    code_version=code_of("publication", "rounds", "forms"),
    deps=exposed("monitoring"),
    description=(
        "The follow-up of every cohort (oppfølging av kullene): progress, effect, reports and support measures, one "
        "folder per cohort."
    ),
)
def published_cohort(context: dg.AssetExecutionContext, home: Home) -> dg.MaterializeResult:
    settings = home.settings()
    with progress.stage("publication"), writing(context, settings):
        snapshot = pin(settings, context.run.run_id)
        refuse_behind(settings, snapshot)
        found = [publish_cohort(settings, snapshot, r, now=now()) for r in round_ids(settings)]
    rows = [
        (r.round, r.revision, r.is_new, str(_places(settings, r).get("site_internal", "")))
        for r in found
        if r is not None
    ]
    return dg.MaterializeResult(
        metadata={"snapshot": snapshot.identity, "cohorts": as_table(("cohort", "revision", "new", "site"), rows)}
    )
