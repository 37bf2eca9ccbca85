"""From cells to Arrow: the one place where values of a file become columns. A value that no column holds is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dagster_project.diagnostics import UnreadableFile
from dagster_project.intake.text import fault

if TYPE_CHECKING:
    import pyarrow as pa


def column_of(values: Sequence[Any], kind: pa.DataType, name: str, column: str, rows: Sequence[int]) -> pa.Array:
    """Values of one column of the file ``name``, each from its row.

    Raises:
        UnreadableFile: ``not-storable``: a value is not of the kind, or a text has half of a character.
    """
    import pyarrow as pa

    # what pyarrow raises on a value is one of these, or derived from one
    odd = (ValueError, TypeError, OverflowError)
    try:
        return pa.array(values, kind)
    except odd:
        wrong = []
        for at, value in enumerate(values):
            try:
                pa.array([value], kind)
            except odd:
                wrong.append(at)
        said = values[wrong[0]]
        raise UnreadableFile(
            f"{name} cannot be read: a cell cannot be stored",
            [fault("not-storable", "the cell holds a value that its column cannot hold", name, stage="readable",
                   row=rows[wrong[0]], column=column, found=said if isinstance(said, str) else repr(said),
                   expected="text" if kind == pa.string() else str(kind), count=len(wrong),
                   fix="Correct the cell at its source and download again.")],
        ) from None  # fmt: skip


def table_of(records: Sequence[Mapping[str, Any]], schema: pa.Schema, name: str) -> pa.Table:
    """Rows of a register or form as a table; each names its row under ``source_row``.

    Raises:
        UnreadableFile: what ``column_of`` raises.
    """
    import pyarrow as pa

    rows = [record["source_row"] for record in records]
    columns = [column_of([r.get(f.name) for r in records], f.type, name, f.name, rows) for f in schema]
    return pa.table(columns, schema=schema)
