"""Run Great Expectations over the frames of a file and turn what fails into findings with places.

Great Expectations takes seconds to import, so it is imported only when a suite runs. Its telemetry is off.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.diagnostics import Finding, Severity

if TYPE_CHECKING:
    import pandas as pd

SHOWN_PLACES = 20
PLACE = (
    "source_row",
    "source_column",
    "raw_value",
    "unit_code",
    "municipality_code",
    "indicator",
    "grade",
    "school_year",
)
SEVERITY = {"critical": Severity.FAIL, "warning": Severity.WARN}


@dataclass(frozen=True)
class Expectation:
    """One entry of a suite."""

    type: str
    kwargs: dict[str, Any]
    severity: Severity
    code: str
    batch: str
    stage: str
    why: str
    fix: str
    shows: str | None = None
    expects: str | None = None


@dataclass(frozen=True)
class CheckResult:
    """What one expectation found in one file. ``rows`` are the failing rows, named by place."""

    code: str
    stage: str
    severity: Severity
    passed: bool
    count: int
    findings: tuple[Finding, ...]
    rows: tuple[dict[str, Any], ...]


@cache
def load_suite(folder: Path, dataset: str) -> tuple[Expectation, ...]:
    """The expectations of a dataset, from its JSON file."""
    content = json.loads((folder / f"{dataset}.json").read_text(encoding="utf-8"))
    return tuple(
        Expectation(entry["type"], entry["kwargs"], SEVERITY[entry["severity"]], **entry["meta"])
        for entry in content["expectations"]
    )


@cache
def _context() -> Any:
    """A Great Expectations context that keeps nothing, sends nothing and draws no progress bars."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("files").add_dataframe_asset("frame")
    asset.add_batch_definition_whole_dataframe("whole")
    return context


def warm() -> None:
    """Import Great Expectations ahead of need. For a thread that has time while another waits."""
    _context()


def _plain(value: Any) -> Any:
    if value is None or value != value:
        return None
    return value.item() if hasattr(value, "item") else value


def run(expectations: list[Expectation], frame: pd.DataFrame, file: str) -> list[CheckResult]:
    """Hold one frame to expectations of its batch.

    First each is asked only whether it holds; those that do not are asked again for the failing rows. Collecting
    rows that are not there is more than half of what a validation costs.

    Raises:
        RuntimeError: an expectation could not be evaluated at all (a mistake in the suite, not in the data).
    """
    passed = [CheckResult(e.code, e.stage, e.severity, True, 0, (), ()) for e in expectations]
    if frame.empty:
        return passed
    held = {e.code: outcome.success for e, outcome in _validate(expectations, frame, {"result_format": "BOOLEAN_ONLY"})}
    failing = [e for e in expectations if not held[e.code]]
    if not failing:
        return passed
    index = [name for name in PLACE if name in frame.columns]
    places = {"result_format": "COMPLETE", "unexpected_index_column_names": index or None}
    failed = {e.code: _result(e, outcome, file) for e, outcome in _validate(failing, frame, places)}
    return [failed.get(result.code, result) for result in passed]


def _validate(
    expectations: list[Expectation], frame: pd.DataFrame, result_format: dict[str, Any]
) -> Iterator[tuple[Expectation, Any]]:
    """Each expectation with what Great Expectations says of it."""
    import great_expectations as gx

    definition = _context().data_sources.get("files").get_asset("frame").get_batch_definition("whole")
    suite = gx.ExpectationSuite(
        name="suite",
        expectations=[
            {"type": e.type, "kwargs": e.kwargs, "meta": {"position": i}} for i, e in enumerate(expectations)
        ],
    )
    answer = definition.get_batch({"dataframe": frame}).validate(suite, result_format=result_format)
    for outcome in answer.results:
        expectation = expectations[outcome.expectation_config.meta["position"]]
        info = outcome.exception_info or {}
        raised = [v for v in info.values() if isinstance(v, dict) and v.get("raised_exception")]
        if raised or info.get("raised_exception") is True:
            raise RuntimeError(f"{expectation.code} could not be evaluated: {info}")
        yield expectation, outcome


def _result(expectation: Expectation, outcome: Any, file: str) -> CheckResult:
    """A failed expectation as findings with places."""
    found = outcome.result.get("unexpected_index_list") or []
    rows = tuple({name: _plain(value) for name, value in row.items()} for row in found)
    count = int(outcome.result.get("unexpected_count") or len(rows) or 1)
    findings = tuple(_finding(expectation, row, file, count) for row in rows[:SHOWN_PLACES]) or (
        _finding(expectation, {}, file, count),
    )
    return CheckResult(expectation.code, expectation.stage, expectation.severity, False, count, findings, rows)


def _bounds(limits: dict[str, Any]) -> str | None:
    """Limits in words, where the expectation has any."""
    low, high = limits.get("min_value"), limits.get("max_value")
    if low is not None and high is not None:
        return f"between {low} and {high}"
    if low is not None:
        return f"at least {low}"
    return None if high is None else f"at most {high}"


def _finding(expectation: Expectation, row: dict[str, Any], file: str, count: int) -> Finding:
    looked_at = expectation.kwargs.get("column")
    where = " ".join(str(row[n]) for n in ("indicator", "grade", "school_year", "unit_code") if row.get(n) is not None)
    shown = expectation.shows or looked_at
    value = row.get(shown) if shown else None
    if isinstance(value, bool) or value is None:
        value = row.get("raw_value") or row.get("unit_code")
    return Finding(
        expectation.code,
        expectation.severity,
        f"{expectation.why} ({where})" if where else expectation.why,
        stage=expectation.stage,
        file=file,
        row=row.get("source_row"),
        column=row.get("source_column") or looked_at,
        found=None if value is None else (f"{value:.3f}" if isinstance(value, float) else str(value)),
        expected=expectation.expects or _bounds(expectation.kwargs) or expectation.why,
        fix=expectation.fix,
        count=count,
    )
