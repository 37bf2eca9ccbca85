"""What dbt finds when it looks at a home: folders, empty typed files for datasets without data, the environment."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from dagster_project import schema
from dagster_project.settings import HOME_VARIABLE, Settings

EMPTY_FOLDER = "empty"


def record_path(settings: Settings) -> Path:
    """Where the last whole build is written down (see ``unchanged``)."""
    return settings.warehouse.parent / "built.json"


def prepare_home(settings: Settings) -> None:
    """Make the folders dbt writes to, and one empty typed file per dataset for the datasets that have no data yet."""
    import pyarrow.parquet as pq

    for folder in (settings.marts, settings.warehouse.parent, settings.extracts):
        folder.mkdir(parents=True, exist_ok=True)
    yearly = dict.fromkeys(schema.YEARLY_DATASETS, schema.extract_schema())
    shapes = {
        **yearly,
        schema.SCHOOL_REGISTER: schema.register_schema(),
        schema.MUNICIPALITY_CHANGES: schema.changes_schema(),
        **{dataset: schema.form_schema(dataset) for dataset in schema.FORM_DATASETS},
    }
    for dataset, shape in shapes.items():
        path = settings.home / EMPTY_FOLDER / dataset / "part-0.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            pq.write_table(shape.empty_table(), path)


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
