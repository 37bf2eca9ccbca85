"""Hold the rows of a dataset to its suite."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project import schema
from dagster_project.settings import Settings
from dagster_project.validation import checkpoints, findings, forms, frames
from dagster_project.validation.findings import CheckResult
from dagster_project.validation.suites import Expectation, checks_of, load_suite

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def validate(
    settings: Settings,
    dataset: str,
    rows: pa.Table,
    file: str,
    now: dt.datetime,
    in_force: frames.InForce,
    *,
    keep: bool,
    names: Mapping[str, str] | None = None,
) -> list[CheckResult]:
    """One result per check of the suite.

    Args:
        rows: what is validated, in the columns of the dataset; at least one row.
        file: what findings name, and the name of the run among the kept results.
        now: when it arrived; dates and years after that lie in the future.
        in_force: the extracts that it is compared with.
        keep: keep the results in the home, for Data Docs.
        names: the files of rows by their hash, where the rows come from several files.

    Raises:
        RuleProblem: rules or registers cannot be used, or an expectation asks what its table cannot answer.
    """
    entries = load_suite(settings.expectations, dataset)
    tables, parameters = _tables(settings, dataset, rows, now, in_force)
    outcomes: list[tuple[Expectation, Any]] = []
    unknown = {name for name, value in parameters.items() if value is None}
    for batch, frame in tables.items():
        mine = [e for e in entries if e.batch == batch and not e.parameters & unknown]
        if mine and not frame.empty:
            home: Path | None = settings.home if keep else None
            place = findings.place(mine, frame.columns)
            outcomes += checkpoints.run(home, f"{dataset}_{batch}", mine, frame, place, parameters, file)
    found = {r.code: r for r in findings.by_check(outcomes, parameters, file, names)}
    found |= {e.code: findings.not_asked(e, file) for e in entries if e.parameters & unknown}
    return [found.get(e.code) or findings.holds(e) for e in checks_of(settings.expectations, dataset)]


def _tables(
    settings: Settings, dataset: str, rows: pa.Table, now: dt.datetime, in_force: frames.InForce
) -> tuple[Mapping[str, pd.DataFrame], dict[str, Any]]:
    """The tables that the suite's batches name, and the values of its parameters."""
    if dataset in schema.FORM_DATASETS:
        known = forms.Known(settings)
        frame = forms.form(known, dataset, rows)
        tables = {"form": frame}
        if dataset == schema.GOVERNOR_PRIORITIES:
            tables["replies"] = forms.replies(known, frame)
        return tables, forms.parameters(known, dataset, rows, now)
    parameters: dict[str, Any] = {"this_year": now.year, "origin": rows["fictional"].drop_null()[:1].to_pylist()}
    if dataset not in schema.YEARLY_DATASETS:
        return {"register": rows.to_pandas()}, parameters
    with frames.opened(rows) as connection:
        parameters["known_municipalities"] = frames.known_municipalities(connection, settings, in_force, rows)
        slices = frames.slices(connection, in_force, rows)
        return {"cells": frames.cells(rows), "units": frames.units(connection), "slices": slices}, parameters
