"""Two versions of a published table, cell by cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from dagster_project.diagnostics import Finding, Severity
from dagster_project.publication.notes import model_note
from dagster_project.publication.public import PUBLIC, model_of
from dagster_project.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

PLACES = ("source_sha256", "source_row", "source_column")


@dataclass(frozen=True)
class CellChange:
    """One cell that differs. ``column`` is None when the whole row is new (``old`` None) or gone (``new`` None)."""

    table: str
    key: tuple[Any, ...]
    column: str | None
    old: Any
    new: Any


@cache
def key_of(settings: Settings, table: str) -> tuple[str, ...]:
    """The columns that make a row of a mart unique: from the test that holds it to them, else as it is documented."""
    note = model_note(
        settings, model_of(settings, table.removeprefix(f"{PUBLIC}/")) if table.startswith(PUBLIC) else table
    )
    for test in note.get("data_tests", []):
        if isinstance(test, dict) and "unique_combination" in test:
            return tuple(test["unique_combination"]["arguments"]["columns"])
    return tuple(note.get("config", {}).get("meta", {}).get("key", ()))


def figures(table: pa.Table) -> pa.Table:
    """A table without the places its figures were read from: the same figure in a newer file is the same figure."""
    return table.select([c for c in table.column_names if not c.endswith(PLACES)])


def changes(table: str, old: pa.Table, new: pa.Table, key: tuple[str, ...]) -> Iterator[CellChange]:
    """Rows and cells that differ, old rows first. Places, and columns that only one of the two has, are left out."""
    old, new = figures(old), figures(new)
    shared = [c for c in old.column_names if c in new.column_names]
    if old.select(shared).equals(new.select(shared)):
        return
    by_key = key or tuple(shared)
    before = {tuple(r[k] for k in by_key): r for r in old.select(shared).to_pylist()}
    after = {tuple(r[k] for k in by_key): r for r in new.select(shared).to_pylist()}
    for place, row in before.items():
        if place not in after:
            yield CellChange(table, place, None, row, None)
            continue
        for column in shared:
            if row[column] != after[place][column]:
                yield CellChange(table, place, column, row[column], after[place][column])
    for place, row in after.items():
        if place not in before:
            yield CellChange(table, place, None, None, row)


def all_changes(settings: Settings, old: Mapping[str, pa.Table], new: Mapping[str, pa.Table]) -> list[CellChange]:
    """Every change between two sets of tables; a table that only one set has is skipped, since its shape is new."""
    return [c for name in old if name in new for c in changes(name, old[name], new[name], key_of(settings, name))]


def as_findings(found: list[CellChange], shown: int) -> list[Finding]:
    """The first changes as findings, the selection first."""
    ordered = sorted(found, key=lambda c: (c.table != "selection", c.table))
    return [
        Finding(
            "final-round-would-change", Severity.FAIL, "a final round would no longer give what was released",
            stage="publication", file=f"{c.table} {' '.join(str(k) for k in c.key if k is not None)}",
            column=c.column or "row", found="no such row" if c.new is None else str(c.new) if c.column else "a new row",
            expected="no such row" if c.old is None else str(c.old) if c.column else "the released row",
            fix="Publish the change with `oppfolging round amend`, or let the release stand with `... round keep`.",
            count=len(found),
        )
        for c in ordered[:shown]
    ]  # fmt: skip
