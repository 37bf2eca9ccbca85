"""Read published tables; each is checked against the manifest of its revision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.archive.commits import current_revision, not_as_published, read_manifest
from dagster_project.archive.store import sha256_of
from dagster_project.diagnostics import IntegrityProblem
from dagster_project.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc

INTERNAL = "internal"


def read_published(
    folder: Path, name: str, *, columns: Sequence[str] | None = None, filters: pc.Expression | None = None,
    manifest: Mapping[str, Any] | None = None,
) -> pa.Table:  # fmt: skip
    """A table of a revision, when its bytes are still those of the manifest; ``public/<name>`` of the public edition.

    ``manifest`` is that of the folder, when the caller has read it.

    Raises:
        IntegrityProblem: the file, or the manifest, is gone or was changed.
    """
    import pyarrow.parquet as pq

    place = f"{name}.parquet" if "/" in name else f"{INTERNAL}/{name}.parquet"
    path, stated = folder / place, (manifest or read_manifest(folder))["files"].get(place, {}).get("sha256")
    found = sha256_of(path) if path.exists() else "no file"
    if found != stated:
        finding = not_as_published(folder, place, "a published table is not what it was", found=found, expected=stated)
        raise IntegrityProblem(f"{folder.parent.name} {folder.name} has changed since it was published.", [finding])
    return pq.read_table(path, columns=list(columns) if columns else None, filters=filters)


def published_rows(settings: Settings, round_id: str, table: str) -> list[dict[str, Any]]:
    """Rows of a table of the revision in force; none when the round has not been published."""
    folder = current_revision(settings, round_id)
    if folder is None:
        return []
    rows: list[dict[str, Any]] = read_published(folder, table).to_pylist()
    return rows
