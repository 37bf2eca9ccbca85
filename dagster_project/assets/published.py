"""The published tables of a round: one immutable revision after another."""

import datetime as dt
from collections.abc import Iterator

import dagster as dg

from dagster_project import progress
from dagster_project.partitions import ROUNDS, names_partitions, processed_keys
from dagster_project.publication import Revision, publish, verify_revision
from dagster_project.resources import Home, exclusive

MARTS = ("indicator_points", "limits", "municipality_ranking", "point_sources", "school_ranking", "selection")
PUBLIC_MARTS = tuple(f"public_{name}" for name in MARTS if name != "limits")


@dg.asset(
    name="published_round",
    group_name="published",
    owners=["team:statistics"],
    kinds={"parquet", "csv", "excel"},
    deps=[*MARTS, *PUBLIC_MARTS],
    partitions_def=ROUNDS,
    description=(
        "Published tables of a selection round (publiserte tabeller for et uttrekk) as Parquet, CSV and XLSX, with a "
        "manifest of every hash. An unchanged round makes no new revision."
    ),
    check_specs=[
        dg.AssetCheckSpec(
            "revision_matches_manifest",
            asset="published_round",
            description="Every published file has the hash its manifest states.",
        )
    ],
)
def published_round(context: dg.AssetExecutionContext, home: Home) -> Iterator[dg.MaterializeResult]:
    settings = home.settings()
    revisions: list[Revision] = []
    findings = []
    with progress.stage("publication"), exclusive(settings):
        for round_id in processed_keys(context, list(ROUNDS.get_partition_keys())):
            progress.report("publication", round_id)
            revision = publish(settings, round_id, now=dt.datetime.now(dt.UTC).replace(microsecond=0))
            if revision is None:
                context.log.info(f"{round_id}: no data of its origin and years, nothing to publish")
                continue
            revisions.append(revision)
            findings += verify_revision(revision.path)
            if not names_partitions(context):
                context.log_event(
                    dg.AssetMaterialization(
                        "published_round",
                        partition=round_id,
                        metadata={"revision": revision.revision, "is_new": revision.is_new, **revision.rows},
                    )
                )
    lines = ["| round | revision | new | folder |", "|---|---|---|---|"]
    lines += [f"| {r.round} | {r.revision} | {r.is_new} | {r.path} |" for r in revisions]
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
            )
        ],
    )
