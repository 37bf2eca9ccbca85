"""The warehouse that dbt runs in: folders, the list of files it reads, environment variables."""

from __future__ import annotations

import contextlib
import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dagster_project import schema
from dagster_project.atomic import replacing
from dagster_project.forms.spec import form_schema
from dagster_project.settings import HOME_VARIABLE, Settings

EMPTY_FOLDER = "empty"
INPUTS = "inputs.csv"
Inputs = Mapping[str, Sequence[Path]]
"""The Parquet files of each dataset of the extracts that the models are to read."""


def record_path(settings: Settings) -> Path:
    """Where the build that the marts come from is written down (see ``built``)."""
    return settings.marts / "_made_from.json"


def prepare_home(settings: Settings, inputs: Inputs) -> None:
    """Make the folders dbt writes to, and the list of the files it reads.

    A dataset without a file is read from an empty one with its columns: a home with some of the datasets builds too.
    """
    import pyarrow.parquet as pq

    for folder in (settings.marts, settings.warehouse.parent):
        folder.mkdir(parents=True, exist_ok=True)
    yearly = dict.fromkeys(schema.YEARLY_DATASETS, schema.extract_schema())
    shapes = {
        **yearly,
        schema.SCHOOL_REGISTER: schema.register_schema(),
        schema.MUNICIPALITY_CHANGES: schema.changes_schema(),
        **{dataset: form_schema(dataset) for dataset in schema.FORM_DATASETS},
    }
    rows = [("parameters", p.stem, p) for p in sorted(settings.parameters.glob("*.parquet"))]
    for dataset, shape in shapes.items():
        empty = settings.home / EMPTY_FOLDER / f"{dataset}.parquet"
        empty.parent.mkdir(parents=True, exist_ok=True)
        with replacing(empty) as temporary:
            pq.write_table(shape.empty_table(), temporary)
        rows += [("extracts", dataset, path) for path in (inputs.get(dataset) or [empty])]
    listed = settings.warehouse.parent / INPUTS
    with replacing(listed) as temporary, temporary.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle, lineterminator="\n").writerows((s, n, p.relative_to(settings.home)) for s, n, p in rows)


def is_damaged(settings: Settings) -> bool:
    """Whether DuckDB cannot read the warehouse file. One that another process holds is not damaged."""
    import duckdb

    if not settings.warehouse.exists():
        return False
    try:
        duckdb.connect(str(settings.warehouse), read_only=True).close()
    except duckdb.Error as error:
        return "lock" not in str(error).lower()
    return False


@contextlib.contextmanager
def dbt_environment(settings: Settings) -> Iterator[dict[str, str]]:
    """Name the home to dbt for the time of a call; what stood in the environment before is put back."""
    wanted = {
        HOME_VARIABLE: str(settings.home),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield wanted
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
