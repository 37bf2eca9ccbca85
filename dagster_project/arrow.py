"""Functions on Arrow tables that several rooms use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dagster_project.atomic import replacing

if TYPE_CHECKING:
    import pyarrow as pa


def write_parquet(path: Path, table: pa.Table) -> None:
    """Parquet whose bytes depend on the content alone, in place of an earlier file of that name.

    DuckDB marks a column as never empty when it happens not to be, in the rows of every round together. That mark is
    left out: a round's file would have other bytes when another round has an empty cell.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    plain = table.cast(pa.schema([f.with_nullable(True).remove_metadata() for f in table.schema]))
    with replacing(path) as temporary:
        pq.write_table(plain, temporary, compression="zstd", row_group_size=262_144)


def same_values(a: pa.ChunkedArray, b: pa.ChunkedArray) -> pa.ChunkedArray:
    """For each row whether two columns hold the same value. Two nulls are the same."""
    import pyarrow.compute as pc

    return pc.or_(pc.fill_null(pc.equal(a, b), False), pc.and_(pc.is_null(a), pc.is_null(b)))
