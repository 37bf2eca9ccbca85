"""What every asset does around its one call: hold the write lock, and tell the project's own errors as they are."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import dagster as dg

from dagster_project.archive.guard import writing as guarded
from dagster_project.diagnostics import Finding, OppfolgingError, Severity
from dagster_project.orchestration.outcomes import by_run
from dagster_project.settings import Settings

WORST = 15


@contextmanager
def writing(context: dg.AssetExecutionContext, settings: Settings) -> Iterator[None]:
    """Hold the write lock of the home. An error of the project fails the step with its own message, place and fix."""
    try:
        with guarded(settings, by_run(context.run.run_id), lambda who: context.log.info(f"waits for {who}")):
            yield
    except OppfolgingError as error:
        raise dg.Failure(description=error.as_text(), allow_retries=False) from error


def findings_table(findings: Sequence[Finding]) -> str:
    """The worst findings as a Markdown table."""
    lines = ["| severity | code | place | found | fix |", "|---|---|---|---|---|"]
    ordered = sorted(findings, key=lambda f: (f.severity is not Severity.FAIL, f.code))
    for f in ordered[:WORST]:
        cells = (f.severity.value, f.code, f.place, f.found or "", f.fix or "")
        lines.append("| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in cells) + " |")
    return "\n".join(lines) if findings else "No findings."
