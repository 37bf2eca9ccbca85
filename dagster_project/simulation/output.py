"""Write the tables of a simulation to ``simulation/<round>/`` as Parquet and CSV, all of them or none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dagster_project.arrow import write_parquet
from dagster_project.atomic import replacing
from dagster_project.publication import tables
from dagster_project.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = "simulation"


def write_tables(settings: Settings, round_id: str, found: Mapping[str, pa.Table]) -> Path:
    """Write each table in both formats in place of its earlier one; the folder is returned."""
    folder = settings.home / FOLDER / round_id
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in found.items():
        for suffix, write in ((".parquet", write_parquet), (".csv", tables.write_csv)):
            with replacing(folder / f"{name}{suffix}") as temporary:
                write(temporary, table)
    return folder
