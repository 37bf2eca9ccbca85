"""The door: everything that waits in the inbox is archived, screened, and merged, held or rejected."""

from collections import Counter
from collections.abc import Iterator

import dagster as dg

from dagster_project import progress
from dagster_project.diagnostics import Finding, Severity
from dagster_project.intake import flow
from dagster_project.orchestration.resources import Home, exclusive

OWNER = "team:data-engineering"
WORST = 15


def taken_in_by(run_id: str) -> str:
    """How the ledger names a run, so that later steps know which files it brought."""
    return f"run {run_id}"


def findings_table(findings: list[Finding]) -> str:
    """The worst findings as a Markdown table."""
    lines = ["| severity | code | place | found | fix |", "|---|---|---|---|---|"]
    ordered = sorted(findings, key=lambda f: (f.severity is not Severity.FAIL, f.code))
    for f in ordered[:WORST]:
        cells = (f.severity.value, f.code, f.place, f.found or "", f.fix or "")
        lines.append("| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in cells) + " |")
    return "\n".join(lines) if findings else "No findings."


@dg.asset(
    name="inbox",
    group_name="intake",
    owners=[OWNER],
    kinds={"file"},
    description=(
        "Files taken in (innboks). Each is archived under its hash, recognised by content, screened, and only then "
        "merged into the extracts; a file that fails is quarantined and changes nothing."
    ),
    check_specs=[
        dg.AssetCheckSpec(
            "every_file_accepted",
            asset="inbox",
            description="No file of this run was rejected or is held back for somebody to accept its warnings.",
        )
    ],
)
def inbox(context: dg.AssetExecutionContext, home: Home) -> Iterator[dg.MaterializeResult]:
    settings = home.settings()
    with progress.stage("extracts and validation"), exclusive(settings):
        results = flow.take_in_inbox(
            settings,
            by=taken_in_by(context.run.run_id),
            on_file=lambda name: progress.report("extracts and validation", name),
        )
    for result in results:
        context.log.info(f"{result.file}: {result.status}")
    counts: Counter[str] = Counter(r.status for r in results)
    findings = [f for r in results if r.screening for f in r.screening.findings]
    stopped = [r for r in results if r.status in ("rejected", "held")]
    yield dg.MaterializeResult(
        metadata={
            "files": len(results),
            **{f"files_{status}": counts.get(status, 0) for status in ("accepted", "held", "rejected", "duplicate")},
            "verdicts": dg.MetadataValue.md(
                "\n".join(["| file | status |", "|---|---|", *(f"| {r.file} | {r.status} |" for r in results)])
            ),
            "worst_findings": dg.MetadataValue.md(findings_table(findings)),
            "cells_added": sum(m.added for r in results for m in r.merges),
            "cells_removed": sum(m.removed for r in results for m in r.merges),
            "cells_changed": sum(m.changed for r in results for m in r.merges),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="every_file_accepted",
                passed=not stopped,
                metadata={
                    "stopped": dg.MetadataValue.md("\n".join(f"- {r.file}: {r.status}" for r in stopped) or "none"),
                    "findings": dg.MetadataValue.md(
                        findings_table([f for r in stopped if r.screening for f in r.screening.findings])
                    ),
                },
            )
        ],
    )
