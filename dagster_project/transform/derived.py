"""Tables made outside of dbt, each with a record of what it was made from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dagster_project.archive.store import sha256_of
from dagster_project.arrow import write_parquet
from dagster_project.atomic import replacing

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


def current(
    path: Path, made_from: Mapping[str, str], make: Callable[[str], pa.Table], *, part: str | None = None,
    empty: pa.Table | None = None,
) -> pa.Table:  # fmt: skip
    """The table as it should be, written when it was not: a part that rests on what it did before is kept.

    ``made_from`` gives for each part one hash over all it follows from. ``part`` is the column that names the part of a
    row; without it the table is one part. ``empty`` is the table of no part.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    before = bases(path)
    if before == made_from and path.exists():
        return pq.read_table(path)
    kept = pq.read_table(path) if before and part else None
    parts = [
        make(name) if kept is None or before.get(name) != basis else kept.filter(pc.field(part) == name)
        for name, basis in made_from.items()
    ]
    table = pa.concat_tables(parts if empty is None else [empty, *parts])
    _record(path).unlink(missing_ok=True)
    write_parquet(path, table)
    with replacing(_record(path)) as temporary:
        text = json.dumps({"bases": made_from, "sha256": sha256_of(path)}, indent=2)
        temporary.write_text(text + "\n", encoding="utf-8")
    return table
