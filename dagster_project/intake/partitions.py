"""Put the cells of a file into the extracts. A later accepted file replaces whole slices of an earlier one.

A slice is one indicator, grade, ownership and sex of a dataset and school year. Replacing whole slices means that a
cell that is gone from a newer export is gone from the extract too, and that the extract follows from the accepted
files and their order alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dagster_project import schema
from dagster_project.atomic import replacing
from dagster_project.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class MergeReport:
    """What a file changed in one partition, in cells. ``changed`` counts values and states, not names or sources."""

    dataset: str
    school_year: str | None
    added: int
    removed: int
    changed: int
    unchanged: int

    def as_dict(self) -> dict[str, str | int | None]:
        return dict(self.__dict__)


def partition_path(settings: Settings, dataset: str, school_year: str | None) -> Path:
    """Where the extract of a dataset (and school year) lies."""
    folder = settings.extracts / dataset
    return (folder / f"school_year={school_year}" if school_year else folder) / "part-0.parquet"


def read_partition(
    settings: Settings, dataset: str, school_year: str | None, columns: Sequence[str] | None = None
) -> pa.Table | None:
    """The extract in force (all columns, or those named), or None when there is none yet."""
    import pyarrow.parquet as pq

    path = partition_path(settings, dataset, school_year)
    if not path.exists():
        return None
    return pq.read_table(path, partitioning=None, columns=list(columns) if columns else None)


def write_table(path: Path, table: pa.Table) -> None:
    """Write Parquet atomically, with bytes that depend on the content alone."""
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        pq.write_table(table.replace_schema_metadata(None), temporary, compression="zstd", row_group_size=262_144)


def _tagged(table: pa.Table, column: str, keys: Sequence[str]) -> pa.Table:
    import pyarrow as pa

    return table.select(list(keys)).append_column(column, pa.array(range(table.num_rows), pa.int64()))


def _difference(old: pa.Table, new: pa.Table, key: Sequence[str], compared: Sequence[str]) -> tuple[int, int, int, int]:
    """Cells added, removed, changed and unchanged between two tables with the same unique key."""
    import pyarrow.compute as pc

    both = _tagged(old, "__old", key).join(_tagged(new, "__new", key), list(key), join_type="inner")
    left, right = old.take(both["__old"]), new.take(both["__new"])
    differs = None
    for name in compared:
        a, b = left[name], right[name]
        same = pc.or_(pc.fill_null(pc.equal(a, b), False), pc.and_(pc.is_null(a), pc.is_null(b)))
        differs = pc.invert(same) if differs is None else pc.or_(differs, pc.invert(same))
    changed = pc.sum(differs).as_py() or 0
    shared = both.num_rows
    return new.num_rows - shared, old.num_rows - shared, changed, shared - changed


CELL_KEY = ("fictional", "unit_level", "unit_code", "grade", "indicator", "ownership", "sex")
CELL_VALUES = ("value", "n_pupils", "uncertainty", "state")


def merge_partition(settings: Settings, dataset: str, school_year: str, new: pa.Table) -> MergeReport:
    """Replace the slices that ``new`` holds (extract columns, one dataset and year) and report what changed."""
    import pyarrow as pa
    import pyarrow.compute as pc

    old = read_partition(settings, dataset, school_year)
    if old is None:
        merged, counts = new, (new.num_rows, 0, 0, 0)
    else:
        slices = new.group_by(list(schema.SLICE_KEY)).aggregate([])
        replaced = old.join(slices, list(schema.SLICE_KEY), join_type="left semi").select(old.column_names)
        kept = old.join(slices, list(schema.SLICE_KEY), join_type="left anti").select(old.column_names)
        counts = _difference(replaced, new, CELL_KEY, CELL_VALUES)
        merged = pa.concat_tables([kept.cast(new.schema), new])
    order = pc.index_in(merged["unit_level"], pa.array(schema.UNIT_LEVELS))
    keyed = merged.append_column("__level", order)
    keys = [("__level" if name == "unit_level" else name, "ascending") for name in schema.SORT_KEY]
    ordered = keyed.sort_by(keys).drop_columns(["__level"]).combine_chunks()
    write_table(partition_path(settings, dataset, school_year), ordered)
    return MergeReport(dataset, school_year, *counts)


REFERENCE_KEYS = {
    schema.SCHOOL_REGISTER: ("fictional", "school_code"),
    schema.MUNICIPALITY_CHANGES: ("fictional", "change_date", "old_code", "new_code"),
    schema.MUNICIPALITY_VERSIONS: ("fictional", "valid_from", "code"),
}
SOURCES = ("source_sha256", "source_row", "source_column")


def _keys(dataset: str) -> tuple[list[str], list[str]]:
    """What makes a row unique, and which columns name the slice that newer rows take over."""
    from dagster_project.forms.spec import FORMS

    if dataset in FORMS:
        form = FORMS[dataset]
        return ["fictional", *form.key], ["fictional", *(form.replaces or form.key)]
    return list(REFERENCE_KEYS[dataset]), list(REFERENCE_KEYS[dataset])


def merge_reference(settings: Settings, dataset: str, new: pa.Table) -> MergeReport:
    """Add reference rows; a newer row with the same key takes the older one's place, a newer form its whole slice."""
    import pyarrow as pa

    key, replaced = _keys(dataset)
    old = read_partition(settings, dataset, None)
    if old is None:
        merged, counts = new, (new.num_rows, 0, 0, 0)
    else:
        compared = [name for name in new.column_names if name not in key and name not in SOURCES]
        slices = new.group_by(replaced).aggregate([])
        kept = old.join(slices, replaced, join_type="left anti").select(old.column_names)
        given_up = old.join(slices, replaced, join_type="left semi").select(old.column_names)
        counts = _difference(given_up, new, key, compared)
        merged = pa.concat_tables([kept.cast(new.schema), new])
    write_table(
        partition_path(settings, dataset, None), merged.sort_by([(k, "ascending") for k in key]).combine_chunks()
    )
    return MergeReport(dataset, None, *counts)
