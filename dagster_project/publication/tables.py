"""The published tables as files for programs: Parquet and CSV, with bytes that depend on the content alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.pages.spreadsheet import safe_text

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 20_000


def _csv_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, int):
        return str(value)
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if not isinstance(value, str):
        plain = f"{value:f}"
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    text = safe_text(value)
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n\r') else text


def translated(table: pa.Table, translate: Callable[[Any], str | None]) -> list[pa.Array]:
    """Each column as text, its distinct values translated once; most columns of the marts hold few."""
    import pyarrow as pa

    columns = []
    for column in table.columns:
        encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
        values = [translate(value) for value in encoded.dictionary.to_pylist()]
        columns.append(pa.array(values, pa.string()).take(encoded.indices))
    return columns


def write_csv(path: Path, table: pa.Table) -> None:
    """UTF-8, comma, line feed, decimal point, true and false, empty for null; formulas are made harmless."""
    import pyarrow as pa
    import pyarrow.compute as pc

    with path.open("w", encoding="utf-8", newline="") as handle:
        handle.write(",".join(table.column_names) + "\n")
        for start in range(0, table.num_rows, BATCH):
            cells = translated(table.slice(start, BATCH), _csv_cell)
            lines = pc.binary_join_element_wise(*cells, pa.scalar(","))
            handle.writelines(line + "\n" for line in lines.to_pylist())
