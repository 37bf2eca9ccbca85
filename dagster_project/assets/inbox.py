"""Ingest the files of the inbox, and list open problems."""

from collections import Counter

import dagster as dg

from dagster_project import progress
from dagster_project.assets.acting import as_table, writing
from dagster_project.assets.versions import code_of
from dagster_project.clock import now
from dagster_project.intake import flow
from dagster_project.orchestration.outcomes import by_run
from dagster_project.orchestration.resources import Home
from dagster_project.rounds import problems
from dagster_project.transform.snapshot import repin

OWNER = "team:data-engineering"


@dg.asset(
    name="inbox",
    group_name="intake",
    owners=[OWNER],
    kinds={"file"},
    code_version=code_of("archive", "intake"),
    description=(
        "Ingested files (innboks). Each is archived under its hash, recognised by its content and recorded in the "
        "ledger. The assets of the extracts validate their pending files; an unrecognised file is rejected here."
    ),
)
def inbox(context: dg.AssetExecutionContext, home: Home) -> dg.MaterializeResult:
    settings = home.settings()
    with progress.stage("intake"), writing(context, settings):
        taken = flow.archive_inbox(
            settings, by=by_run(context.run.run_id), on_file=lambda name: progress.report("intake", name)
        )
        refused = flow.settle(settings, datasets=())
        head = repin(settings, context.run.run_id).head
    status = {r.line: r.status for r in refused}
    rows = [(r.file, status.get(r.line, r.status), r.sha256[:12]) for r in taken]
    known = [(r.file, r.earlier, r.sha256[:12]) for r in taken if r.status == "duplicate"]
    for file, stands_as, _ in known:
        context.log.info(f"{file} is known already, and {stands_as}: the same bytes came before.")
    counts: Counter[str] = Counter(status.get(r.line, r.status) for r in taken)
    return dg.MaterializeResult(
        metadata={
            "files": len(taken),
            **{f"files_{s}": counts.get(s, 0) for s in ("pending", "duplicate", "rejected", "moving")},
            "arrived": as_table(("file", "status", "hash"), rows),
            "known_already": as_table(("file", "stands as", "hash"), known),
            "ledger_lines": head.lines,
        }
    )


@dg.asset_check(
    asset="inbox",
    name="open_problems",
    additional_deps=["round_inputs", "selection", "followup_report_status"],
    description=(
        "No problem is open: no file is rejected or held, no round that has begun lacks an input, and no figures, "
        "replies or reports are overdue. The check fails until all are solved, whichever run found them."
    ),
)
def open_problems(home: Home) -> dg.AssetCheckResult:
    found = problems.open_problems(home.settings(), now().date())
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(found)} open" if found else "Nothing is open.",
        metadata={
            "open": len(found),
            **problems.count_by_kind(found),
            "problems": as_table(("problem", "where", "to do"), [(p.what, p.where, p.todo) for p in found]),
        },
    )
