"""Which source cells public editions have shown or hidden: a register that only grows.

Each publication archives what its public tables show and hide that no earlier one did, and the ledger names it. The
models read the whole register: a cell that was hidden stays hidden, and a figure that was shown hides no other.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.archive.store import Archive, Head
from dagster_project.arrow import write_parquet
from dagster_project.diagnostics import IntegrityProblem
from dagster_project.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

REGISTERED = "public_cells_registered"
COLUMNS = {
    "origin": "data_origin",
    "unit_level": "cell_unit_level",
    "unit_code": "cell_unit_code",
    "ownership": "cell_ownership",
    "indicator": "indicator",
    "grade": "cell_grade",
    "school_year": "cell_school_year",
}
"""Columns that name a cell, with what the public ``point_sources`` calls them."""


def _empty() -> pa.Table:
    import pyarrow as pa

    kinds = {"grade": pa.int32()}
    fields = [pa.field(name, kinds.get(name, pa.string())) for name in COLUMNS]
    fields += [("is_shown", pa.bool_()), ("value", pa.decimal128(18, 4)), ("n_pupils", pa.int64())]
    return pa.schema(fields).empty_table()


def registered(settings: Settings, head: Head | None = None) -> pa.Table:
    """The register as the ledger has it, or had it at ``head``: a row a cell and figure shown, and a cell hidden.

    Raises:
        IntegrityProblem: a part of it is gone from the archive or was changed.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    archive, parts = Archive(settings), [_empty()]
    for event in archive.events(REGISTERED, until=head):
        if (damage := archive.damage(event["sha256"])) is not None:
            raise IntegrityProblem("The register of what public editions have shown is damaged.", [damage])
        parts.append(pq.read_table(archive.path(event["sha256"])).cast(parts[0].schema))
    return pa.concat_tables(parts)


def register(settings: Settings, point_sources: Path, event: Mapping[str, Any]) -> None:
    """Archive what a public edition shows and hides that none before did, and name it in the ledger.

    Call it before the edition is put in force. ``point_sources`` is the public table of the edition; ``event`` says
    which revision it is of.
    """
    import duckdb

    known = registered(settings)
    named = ", ".join(f"{theirs} as {ours}" for ours, theirs in COLUMNS.items())
    with duckdb.connect() as connection:
        connection.register("known", known)
        new: pa.Table = connection.sql(
            f"select {named}, publication = 'shown' as is_shown, cell_value as value, cell_n_pupils as n_pupils"
            " from read_parquet(?) where publication <> 'no_figure' except select * from known order by all",
            params=[str(point_sources)],
        ).to_arrow_table()
    if new.num_rows == 0:
        return
    archive = Archive(settings)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "register.parquet"
        write_parquet(path, new.cast(known.schema))
        stored = archive.store(path)
    shown = sum(new["is_shown"].to_pylist())
    archive.append(
        {**event, "event": REGISTERED, "sha256": stored.sha256, "shown": shown, "hidden": new.num_rows - shown}
    )
    archive.keep(stored.sha256)
