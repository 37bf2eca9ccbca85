"""Differences between two sets of published tables, row by row, and their causes.

The watch over final rounds, the change list of an amendment and `oppfolging diff` all read it from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from dagster_project.diagnostics import Finding, Severity
from dagster_project.publication.notes import model_note
from dagster_project.publication.public import PUBLIC, model_of
from dagster_project.schema import FORM_DATASETS
from dagster_project.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

Cause = Literal["data", "rule", "decision", "code"]
Row = Mapping[str, Any]
PLACES = ("source_sha256", "source_row", "source_column", "file")
DECISIONS = set(FORM_DATASETS)
"""What people entered, as against figures."""


@dataclass(frozen=True)
class RowChange:
    """One row that is not the same. ``before`` is None when the row is new, ``after`` when it is gone."""

    table: str
    key: Row
    before: Row | None
    after: Row | None

    @property
    def only_in(self) -> Literal["before", "after"] | None:
        """The side that alone has the row."""
        return "before" if self.after is None else "after" if self.before is None else None

    @property
    def columns(self) -> dict[str, tuple[Any, Any]]:
        """What differs in a row that both sides have, old and new."""
        if self.before is None or self.after is None:
            return {}
        return {c: (old, self.after[c]) for c, old in self.before.items() if old != self.after[c]}

    @property
    def cells(self) -> list[tuple[str, Any, Any]]:
        """What differs as column, old and new; one cell stands for a row that is new or gone."""
        if self.only_in is None:
            return [(column, old, new) for column, (old, new) in self.columns.items()]
        return [
            ("row", "the released row" if self.before else "no such row", "a new row" if self.after else "no such row")
        ]


@cache
def key_of(settings: Settings, table: str) -> tuple[str, ...]:
    """The columns that make a row of a mart unique: from the test that holds it to them, else as it is documented."""
    model = model_of(settings, table.removeprefix(f"{PUBLIC}/")) if table.startswith(PUBLIC) else table
    note = model_note(settings, model)
    for test in note.get("data_tests", []):
        if isinstance(test, dict) and "unique_combination" in test:
            return tuple(test["unique_combination"]["arguments"]["columns"])
    return tuple(note.get("config", {}).get("meta", {}).get("key", ()))


def figures(table: pa.Table) -> pa.Table:
    """A table without the places its figures were read from: the same figure in a newer file is the same figure."""
    return table.select([c for c in table.column_names if not c.endswith(PLACES)])


def row_changes(table: str, old: pa.Table, new: pa.Table, key: tuple[str, ...]) -> Iterator[RowChange]:
    """Rows that differ, in order of their keys. Places, and columns that only one of the two has, are left out."""
    old, new = figures(old), figures(new)
    shared = [c for c in old.column_names if c in new.column_names]
    # by column: two tables are unequal to Arrow when one says of a column that it has no nulls
    if all(old[c].equals(new[c]) for c in shared):
        return
    by_key = key or tuple(shared)
    before, after = (
        {tuple(r[k] for k in by_key): r for r in rows.to_pylist()}
        for rows in _differing(old.select(shared), new.select(shared))
    )
    for place in sorted(before.keys() | after.keys(), key=lambda place: [str(part) for part in place]):
        yield RowChange(table, dict(zip(by_key, place, strict=True)), before.get(place), after.get(place))


def _differing(old: pa.Table, new: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The rows that only the old table has, and those that only the new one has. Two nulls are the same value."""
    import duckdb

    with duckdb.connect() as connection:
        connection.register("old", old)
        connection.register("new", new)
        return (
            connection.sql("from old except from new").to_arrow_table(),
            connection.sql("from new except from old").to_arrow_table(),
        )


def all_changes(settings: Settings, old: Mapping[str, pa.Table], new: Mapping[str, pa.Table]) -> list[RowChange]:
    """Every change between two sets of tables; a table that only one set has is skipped, since its shape is new."""
    return [c for name in old if name in new for c in row_changes(name, old[name], new[name], key_of(settings, name))]


def count_cells(found: Iterable[RowChange]) -> int:
    """How many cells differ; a row that is new or gone counts as one."""
    return sum(len(c.cells) for c in found)


def as_findings(found: list[RowChange], shown: int) -> list[Finding]:
    """The first cells in which a final round would no longer be what was released, the selection first."""
    count = count_cells(found)
    ordered = sorted(found, key=lambda c: (c.table != "selection", c.table))
    return [
        Finding(
            "final-round-would-change", Severity.FAIL, "a final round would now give other results than those released",
            stage="publication", file=" ".join(str(k) for k in (change.table, *change.key.values()) if k is not None),
            column=column, found=str(new), expected=str(old), count=count,
            fix="Publish the change with `oppfolging round amend`, or keep the release with `... round keep`.",
        )
        for change, column, old, new in islice(((c, *cell) for c in ordered for cell in c.cells), shown)
    ]  # fmt: skip


def inputs_only_in(manifest: Row, other: Row) -> list[dict[str, Any]]:
    """Inputs that one manifest names and the other does not."""
    known = {i["sha256"] for i in other["inputs"]}
    return [i for i in manifest["inputs"] if i["sha256"] not in known]


def causes(old: Row, new: Row) -> tuple[Cause, ...]:
    """What changed beneath two sets of tables, from their manifests; which of it moved a figure cannot always be told.

    Inputs are ``data``, or ``decision`` when people entered them; rule set, round entry and registers are ``rule``.
    """
    datasets = {d for i in inputs_only_in(old, new) + inputs_only_in(new, old) for d in i["datasets"]}
    rules = [
        (m["rule_set"], m["registers"], {k: v for k, v in m["round_entry"].items() if k != "status"})
        for m in (old, new)
    ]
    differs: dict[Cause, bool] = {
        "data": bool(datasets - DECISIONS),
        "rule": rules[0] != rules[1],
        "decision": bool(datasets & DECISIONS),
        "code": old["code_version"] != new["code_version"],
    }
    return tuple(cause for cause, there in differs.items() if there)
