"""What every asset does around its one call: hold the write lock, and tell the project's own errors as they are."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg

from dagster_project import log
from dagster_project.archive.guard import writing as guarded
from dagster_project.diagnostics import Finding, OppfolgingError, Severity
from dagster_project.orchestration.outcomes import by_run
from dagster_project.settings import Settings

WORST = 15


@contextmanager
def writing(context: dg.AssetExecutionContext, settings: Settings) -> Iterator[None]:
    """Hold the write lock of the home. An error of the project fails the step with its own message, place and fix."""
    try:
        with (
            log.following(settings.home, run=context.run.run_id),
            log.timed("step", step=context.op_def.name),
            _logged(),
            guarded(settings, by_run(context.run.run_id), lambda who: context.log.info(f"waits for {who}")),
        ):
            yield
    except OppfolgingError as error:
        raise dg.Failure(description=error.as_text(), allow_retries=False) from error


@contextmanager
def _logged() -> Iterator[None]:
    """Log the findings of an error."""
    try:
        yield
    except OppfolgingError as error:
        log.findings(error.findings)
        raise


def as_table(titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> dg.TableMetadataValue:
    """Rows of as many cells as there are titles, for Dagster's pages."""
    plain = ((c if isinstance(c, str | int | float | None) else str(c) for c in row) for row in rows)
    records = [dg.TableRecord(dict(zip(titles, row, strict=True))) for row in plain]
    return dg.MetadataValue.table(records, dg.TableSchema([dg.TableColumn(title) for title in titles]))


def findings_table(findings: Sequence[Finding]) -> dg.TableMetadataValue:
    """The worst findings."""
    ordered = sorted(findings, key=lambda f: (f.severity is not Severity.FAIL, f.code))
    rows = ((f.severity.value, f.code, f.place, f.found, f.fix) for f in ordered[:WORST])
    return as_table(("severity", "code", "place", "found", "fix"), rows)
