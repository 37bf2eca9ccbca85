"""Tables that are made outside of dbt, each beside a record of what it was made from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from dagster_project.archive.store import sha256_of
from dagster_project.atomic import replacing
from dagster_project.intake.reader import write_table

if TYPE_CHECKING:
    import pyarrow as pa


def _record(path: Path) -> Path:
    return path.with_name(f".{path.stem}.json")


def bases(path: Path) -> dict[str, str]:
    """What each part of a table was made from, by part; empty when the table is not as it was written."""
    try:
        record = json.loads(_record(path).read_text(encoding="utf-8"))
        kept: dict[str, str] = record["bases"]
        return kept if record["sha256"] == sha256_of(path) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def write(path: Path, table: pa.Table, made_from: dict[str, str]) -> None:
    """Write a table with what each part of it was made from."""
    _record(path).unlink(missing_ok=True)
    write_table(path, table)
    with replacing(_record(path)) as temporary:
        text = json.dumps({"bases": made_from, "sha256": sha256_of(path)}, indent=2)
        temporary.write_text(text + "\n", encoding="utf-8")
