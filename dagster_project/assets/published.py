"""The published tables of rounds and cohorts: one immutable revision after another."""

import datetime as dt
from collections.abc import Iterator

import dagster as dg

from dagster_project import progress
from dagster_project.assets import STATISTICS
from dagster_project.assets.inbox import findings_table
from dagster_project.assets.marts import exposed
from dagster_project.diagnostics import Finding
from dagster_project.orchestration.partitions import ROUNDS, names_partitions, processed_keys
from dagster_project.orchestration.resources import Home, exclusive
from dagster_project.publication import Revision, verify_revision
from dagster_project.publication.edition import pointer_of
from dagster_project.rounds.candidates import published_rows, unanswered
from dagster_project.rounds.publishing import publish_cohort, publish_round
from dagster_project.rounds.state import lock_of, round_events
from dagster_project.settings import Settings

ROUTINE = "dagster/sensor_name"


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


def _refuse_final(settings: Settings, round_id: str) -> None:
    """A final round is write-once: whoever asks for it by name is told who locked it and how to amend."""
    lock = lock_of(round_events(settings, round_id))
    if lock is not None:
        raise dg.Failure(
            f"Round {round_id} is final: {lock.as_text()}. It is not materialised again. "
            f"To publish a correction: oppfolging round amend {round_id} --by NAME --reason WHY",
            allow_retries=False,
        )


@dg.asset(
    name="published_round",
    group_name="published",
    owners=[STATISTICS],
    kinds={"parquet", "csv", "excel"},
    deps=exposed("published_round"),
    partitions_def=ROUNDS,
    description=(
        "Published tables of a selection round (publiserte tabeller for et uttrekk) as Parquet, CSV and XLSX, with a "
        "manifest of every hash and the workbooks for county governors and decisions. An unchanged round makes no new "
        "revision, a final one never."
    ),
    check_specs=[
        dg.AssetCheckSpec(
            "revision_matches_manifest",
            asset="published_round",
            description="Every published file has the hash its manifest states.",
        ),
        dg.AssetCheckSpec(
            "county_governors_have_replied",
            asset="published_round",
            description="No round waits for a county governor's priorities. A reply that has not come is named here.",
        ),
        dg.AssetCheckSpec(
            "final_rounds_unchanged",
            asset="published_round",
            blocking=True,
            description=(
                "What is computed now agrees with every final release, cell by cell. If not: publish the change with "
                "`oppfolging round amend`, or let the release stand with `oppfolging round keep`."
            ),
        ),
    ],
)
def published_round(context: dg.AssetExecutionContext, home: Home) -> Iterator[dg.MaterializeResult]:
    settings = home.settings()
    revisions: list[Revision] = []
    findings = []
    waiting: dict[str, list[str]] = {}
    if names_partitions(context) and ROUTINE not in context.run.tags:
        for round_id in context.partition_keys:
            _refuse_final(settings, round_id)
    with progress.stage("publication"), exclusive(settings):
        for round_id in processed_keys(context, list(ROUNDS.get_partition_keys())):
            progress.report("publication", round_id)
            revision = publish_round(settings, round_id, now=_now(), by=f"run {context.run.run_id}")
            if revision is None:
                context.log.info(f"{round_id}: no data of its origin and years, nothing to publish")
                continue
            revisions.append(revision)
            findings += verify_revision(revision.path)
            if missing := unanswered(published_rows(settings, round_id, "selection")):
                waiting[round_id] = missing
            if not names_partitions(context):
                context.log_event(
                    dg.AssetMaterialization(
                        "published_round",
                        partition=round_id,
                        metadata={"revision": revision.revision, "is_new": revision.is_new, **revision.rows},
                    )
                )
    lines = ["| round | state | release | revision | new | folder |", "|---|---|---|---|---|---|"]
    for r in revisions:
        pointer = pointer_of(settings, r.round) or {}
        standing = f"{pointer.get('status')} | {pointer.get('release') or '-'}"
        lines.append(f"| {r.round} | {standing} | {r.revision} | {r.is_new} | {r.path} |")
    differences: list[Finding] = [f for r in revisions for f in r.differences]
    asked = "\n".join(f"- {round_id}: {', '.join(names)}" for round_id, names in waiting.items())
    yield dg.MaterializeResult(
        metadata={
            "revisions": dg.MetadataValue.md("\n".join(lines)),
            "dagster/row_count": sum(sum(r.rows.values()) for r in revisions),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="revision_matches_manifest",
                passed=not findings,
                metadata={"findings": dg.MetadataValue.md("\n".join(f.as_text() for f in findings) or "none")},
            ),
            dg.AssetCheckResult(
                check_name="county_governors_have_replied",
                passed=not waiting,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"waits_for": dg.MetadataValue.md(asked or "nobody")},
            ),
            dg.AssetCheckResult(
                check_name="final_rounds_unchanged",
                passed=not differences,
                metadata={
                    "rounds": ", ".join(r.round for r in revisions if r.differences) or "none",
                    "differing_cells": sum(r.differences[0].count for r in revisions if r.differences),
                    "differences": dg.MetadataValue.md(findings_table(differences)),
                },
            ),
        ],
    )


@dg.asset(
    name="published_cohort",
    group_name="published",
    owners=[STATISTICS],
    kinds={"parquet", "csv", "excel"},
    deps=exposed("monitoring"),
    description=(
        "The follow-up of every cohort (oppfølging av kullene): progress, effect, reports and support measures, one "
        "folder per cohort."
    ),
)
def published_cohort(context: dg.AssetExecutionContext, home: Home) -> dg.MaterializeResult:
    settings = home.settings()
    with progress.stage("publication"), exclusive(settings):
        found = [publish_cohort(settings, round_id, now=_now()) for round_id in ROUNDS.get_partition_keys()]
    lines = ["| cohort | revision | new |", "|---|---|---|"]
    lines += [f"| {r.round} | {r.revision} | {r.is_new} |" for r in found if r is not None]
    return dg.MaterializeResult(metadata={"cohorts": dg.MetadataValue.md("\n".join(lines))})
