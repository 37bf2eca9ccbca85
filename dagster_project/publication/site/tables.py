"""The tables of one edition, from its folder and from nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]


@dataclass(frozen=True)
class Tables:
    """The Parquet files of a folder: ``internal`` or ``public``. Each is read once."""

    folder: Path
    _read: dict[str, list[Row]] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Whether the edition has the table; the public one lacks some, and so do revisions of earlier days."""
        return (self.folder / f"{name}.parquet").exists()

    def arrow(self, name: str, columns: list[str] | None = None, **equal: str) -> pa.Table:
        """A table, or those of its rows whose columns equal the values given."""
        import pyarrow.parquet as pq

        filters = [(column, "==", value) for column, value in equal.items()] or None
        return pq.read_table(self.folder / f"{name}.parquet", columns=columns, filters=filters)

    def rows(self, name: str, columns: list[str] | None = None, **equal: str) -> list[Row]:
        """The same as plain rows; none when the edition lacks the table."""
        key = f"{name} {columns} {equal}"
        if key not in self._read:
            self._read[key] = self.arrow(name, columns, **equal).to_pylist() if self.has(name) else []
        return self._read[key]

    def files(self, name: str) -> list[str]:
        """The files of a table that people can open, the workbook first."""
        return [f"{name}{end}" for end in (".xlsx", ".csv", ".parquet") if (self.folder / f"{name}{end}").exists()]
