"""Old runs of Dagster's history, and their removal through Dagster's own API."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from dagster_project.orchestration.pipeline import DAGSTER_FOLDER, set_environment
from dagster_project.settings import Settings

PAGE = 1000
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@contextmanager
def history(settings: Settings) -> Iterator[dg.DagsterInstance | None]:
    """Dagster's history of a home; None when it has none."""
    if not (settings.home / DAGSTER_FOLDER / "storage").is_dir() or not os.access(settings.home, os.W_OK):
        yield None
        return
    set_environment(settings)
    with dg.DagsterInstance.get() as instance:
        yield instance


def old_runs(instance: dg.DagsterInstance, before: dt.datetime) -> list[str]:
    """The runs that ended and began before a time, without those that the UI still shows an asset's state by."""
    needed = set(_newest(instance))
    records = instance.get_run_records(dg.RunsFilter(statuses=ENDED, created_before=before))
    return [r.dagster_run.run_id for r in records if r.dagster_run.run_id not in needed]


def _newest(instance: dg.DagsterInstance) -> Iterator[str]:
    """The run that last made each asset, or each partition of it."""
    for key in instance.get_asset_keys():
        seen, cursor, more = set[str | None](), None, True
        while more:
            found = instance.fetch_materializations(key, limit=PAGE, cursor=cursor)
            for record in found.records:
                if record.partition_key not in seen:
                    seen.add(record.partition_key)
                    yield record.run_id
            cursor, more = found.cursor, found.has_more


def delete_runs(instance: dg.DagsterInstance, runs: list[str]) -> None:
    """Delete runs with their events."""
    for run_id in runs:
        instance.delete_run(run_id)
