"""The extracts: one partition per dataset and school year, a pure function of the files in force and the readers.

Files count in the order in which they arrived. A later file replaces whole slices of the earlier ones; a slice is one
indicator, grade, ownership and sex. So a cell that is gone from a newer export is gone from the extract too. One thing
goes before the order: a figure that only those with access see stays where a later file hides it.

Beside each partition lies ``_made_from.json`` with the identity of what it was made from and the hash of its bytes.
A partition that is missing, damaged, or made from other files than those in force is never read: ``Extracts.table``
makes it anew in memory, ``Extracts.ensure`` on the disk.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dagster_project import log, schema
from dagster_project.archive import Archive, Head
from dagster_project.archive.files import File, Key, files_at, in_force
from dagster_project.archive.store import sha256_of
from dagster_project.arrow import same_values, write_parquet
from dagster_project.atomic import replacing
from dagster_project.diagnostics import PipelineProblem
from dagster_project.forms.spec import FORMS
from dagster_project.intake.cells import ExtractTable
from dagster_project.intake.reader import Reader, ReadFile, readers_version
from dagster_project.intake.readers import unit_list
from dagster_project.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

PART = "part-0.parquet"
RECORD = "_made_from.json"
KEPT_IN_MEMORY = 8


@dataclass(frozen=True)
class Change:
    """What a file changes in one partition, in cells. ``changed`` counts values and states, not names or sources.

    ``revealed`` are those of the changed cells that were hidden and are figures now: a view with hidden figures came.
    """

    dataset: str
    school_year: str | None
    added: int
    removed: int
    changed: int
    unchanged: int
    revealed: int = 0

    @property
    def is_nothing(self) -> bool:
        return not (self.added or self.removed or self.changed)

    @property
    def is_first(self) -> bool:
        """Whether nothing was there before."""
        return not (self.removed or self.changed or self.unchanged)

    def as_dict(self) -> dict[str, str | int | None]:
        return dict(self.__dict__)

    def as_text(self) -> str:
        """The change in words: ``national_tests 2024-25: 0 added, 0 removed, 3 changed, 41 unchanged``."""
        shown = f" ({self.revealed} of them hidden before)" if self.revealed else ""
        return (
            f"{name_of((self.dataset, self.school_year))}: {self.added} added, {self.removed} removed, "
            f"{self.changed} changed{shown}, {self.unchanged} unchanged"
        )


def name_of(key: Key) -> str:
    """A partition in words: ``national_tests 2024-25``."""
    return " ".join(part for part in key if part)


def partition_folder(settings: Settings, key: Key) -> Path:
    """Where the partition lies."""
    dataset, school_year = key
    folder = settings.extracts / dataset
    return folder / f"school_year={school_year}" if school_year else folder


def rows_for(tables: Iterable[ExtractTable], key: Key) -> pa.Table | None:
    """The rows that a file holds for a partition; None when it holds none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    dataset, school_year = key
    parts = [t.table for t in tables if t.dataset == dataset]
    if school_year is not None:
        parts = [t.filter(pc.equal(t["school_year"], school_year)) for t in parts]
    return pa.concat_tables(parts) if parts else None


def keys_of(tables: Iterable[ExtractTable]) -> tuple[Key, ...]:
    """The partitions a file has rows for."""
    found: set[Key] = set()
    for t in tables:
        found |= (
            {(t.dataset, year) for year in t.school_years}
            if t.dataset in schema.YEARLY_DATASETS
            else {(t.dataset, None)}
        )
    return tuple(sorted(found, key=lambda key: (key[0], key[1] or "")))


SOURCES = ("source_sha256", "source_row", "source_column")
CELL_KEY = ("fictional", "unit_level", "unit_code", "grade", "indicator", "ownership", "sex")
CELL_VALUES = ("value", "n_pupils", "uncertainty", "state", "restricted")


def _keys(dataset: str) -> tuple[list[str], list[str]]:
    """What makes a row unique, and which columns name the slice that newer rows replace."""
    if dataset in schema.YEARLY_DATASETS:
        return list(CELL_KEY), list(schema.SLICE_KEY)
    if dataset in FORMS:
        form = FORMS[dataset]
        return ["fictional", *form.key], ["fictional", *(form.replaces or form.key)]
    return list(schema.REFERENCE_KEYS[dataset]), list(schema.REFERENCE_KEYS[dataset])


def merged(dataset: str, tables: Sequence[pa.Table]) -> pa.Table:
    """The rows that files give together, in order of arrival: a newer slice, register row or form replaces the old."""
    import pyarrow as pa
    import pyarrow.compute as pc

    key, replaced = _keys(dataset)
    made = tables[0]
    for new in tables[1:]:
        new = _with_kept(made, new) if dataset in schema.YEARLY_DATASETS else new
        slices = new.group_by(replaced).aggregate([])
        kept = made.join(slices, replaced, join_type="left anti").select(made.column_names)
        made = pa.concat_tables([kept.cast(new.schema), new])
    if dataset not in schema.YEARLY_DATASETS:
        return made.sort_by([(k, "ascending") for k in key]).combine_chunks()
    level = pc.index_in(made["unit_level"], pa.array(schema.UNIT_LEVELS))
    order = [("__level" if name == "unit_level" else name, "ascending") for name in schema.SORT_KEY]
    return made.append_column("__level", level).sort_by(order).drop_columns(["__level"]).combine_chunks()


def kept_figures(old: pa.Table, new: pa.Table) -> pa.Table:
    """The rows of ``old`` with figures that the public view hides, and that ``new`` hides again."""
    import pyarrow.compute as pc

    starred = old.filter(old["restricted"])
    if not starred.num_rows:
        return starred
    hidden = new.filter(pc.equal(new["state"], "suppressed")).select(list(CELL_KEY))
    return starred.join(hidden, list(CELL_KEY), join_type="left semi").select(old.column_names)


def _with_kept(old: pa.Table, new: pa.Table) -> pa.Table:
    """``new``, with the figures of ``old`` that it hides again."""
    import pyarrow as pa

    kept = kept_figures(old, new)
    if not kept.num_rows:
        return new
    rest = new.join(kept.select(list(CELL_KEY)), list(CELL_KEY), join_type="left anti").select(new.column_names)
    return pa.concat_tables([rest.cast(new.schema), kept.cast(new.schema)])


def replaced_sources(dataset: str, old: pa.Table, new: pa.Table) -> set[str]:
    """Hashes of the files whose rows in ``old`` would be replaced by ``new``."""
    _, replaced = _keys(dataset)
    new = _with_kept(old, new) if dataset in schema.YEARLY_DATASETS else new
    given_up = old.join(new.group_by(replaced).aggregate([]), replaced, join_type="left semi")
    return set(given_up["source_sha256"].unique().to_pylist())


def _tagged(table: pa.Table, column: str, keys: Sequence[str]) -> pa.Table:
    import pyarrow as pa

    return table.select(list(keys)).append_column(column, pa.array(range(table.num_rows), pa.int64()))


def difference(key: Key, old: pa.Table | None, new: pa.Table) -> Change:
    """What differs between two states of a partition, in cells or rows."""
    import pyarrow.compute as pc

    if old is None:
        return Change(*key, new.num_rows, 0, 0, 0)
    unique, _ = _keys(key[0])
    yearly = key[0] in schema.YEARLY_DATASETS
    compared = CELL_VALUES if yearly else [n for n in new.column_names if n not in unique and n not in SOURCES]
    both = _tagged(old, "__old", unique).join(_tagged(new, "__new", unique), unique, join_type="inner")
    left, right = old.take(both["__old"]), new.take(both["__new"])
    differs = None
    for name in compared:
        a, b = left[name], right[name]
        same = same_values(a, b)
        differs = pc.invert(same) if differs is None else pc.or_(differs, pc.invert(same))
    changed = pc.sum(differs).as_py() or 0
    shared = both.num_rows
    revealed = 0
    if yearly:
        now_shown = pc.and_(pc.equal(left["state"], "suppressed"), pc.fill_null(right["restricted"], False))
        revealed = pc.sum(now_shown).as_py() or 0
    return Change(*key, new.num_rows - shared, old.num_rows - shared, changed, shared - changed, revealed)


class Extracts:
    """The extracts that the files in force give, as the ledger stands at ``head`` (its end when None).

    ``out`` is the home whose ``extracts/`` is written and read; the archive is always that of ``settings``. ``only``
    leaves out all files but these. With ``anew`` what was kept of reading the files is not used.
    Use it as a context when it may have to read archived files: it ends the process that reads them.
    """

    def __init__(self, settings: Settings, head: Head | None = None, *, out: Settings | None = None,
                 only: Collection[str] | None = None, anew: bool = False) -> None:  # fmt: skip
        self.settings, self.out = settings, out or settings
        archive = Archive(settings)
        self.head = head or archive.head()
        self.files = files_at(archive, self.head)
        self.only = only
        self._reader = Reader(settings, self.out.read if anew else settings.read)
        self._tables: dict[tuple[str, str, str | None], tuple[ExtractTable, ...]] = {}

    def __enter__(self) -> Extracts:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.__exit__()

    @cached_property
    def in_force(self) -> dict[Key, tuple[File, ...]]:
        """The partitions there are, each with its files in order of arrival (those of ``only``, when it was given)."""
        found = in_force(self.files)
        if self.only is None:
            return found
        kept = {key: tuple(f for f in files if f.sha256 in (self.only or ())) for key, files in found.items()}
        return {key: files for key, files in kept.items() if files}

    @cached_property
    def unit_list(self) -> str | None:
        """Hash of the newest list of units, for pivots that do not give the codes of their units."""
        lists = [f for f in self.files if f.format == unit_list.FORMAT and f.status == "accepted"]
        return lists[-1].sha256 if lists else None

    def identity(self, key: Key) -> str:
        """What a partition is made from, as one hash: its files in order, and the version of the readers."""
        files = self.in_force.get(key, ())
        made_from: list[object] = [*key, readers_version(), [f.sha256 for f in files]]
        made_from += [[f.answer for f in files]] if any(f.answer for f in files) else []
        made_from += [{f.sha256: f.units for f in files}] if any(f.units for f in files) else []
        return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()

    def files_by_partition(self) -> dict[str, str]:
        """For every partition, by its name, one hash over its files in order, whatever reads them."""
        return {
            name_of(key): hashlib.sha256(
                json.dumps([f"{f.sha256} {f.units}" if f.units else f.sha256 for f in files]).encode()
            ).hexdigest()
            for key, files in self.in_force.items()
        }

    def path(self, key: Key) -> Path:
        return partition_folder(self.out, key) / PART

    def paths(self) -> dict[str, list[Path]]:
        """The files of each dataset that a program reads to read the extracts."""
        found: dict[str, list[Path]] = {}
        for key in self.in_force:
            found.setdefault(key[0], []).append(self.path(key))
        return found

    def is_made(self, key: Key) -> bool:
        """Whether the partition on the disk is that of the files in force, byte for byte as it was made."""
        try:
            record = json.loads((partition_folder(self.out, key) / RECORD).read_text(encoding="utf-8"))
            return bool(record["identity"] == self.identity(key) and record["sha256"] == sha256_of(self.path(key)))
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def build(self, key: Key) -> pa.Table:
        """Make a partition from the archived files, in memory.

        Raises:
            PipelineProblem: an accepted file can no longer be read.
        """
        parts = self.parts(key, self.in_force[key])
        if not parts:
            raise PipelineProblem(f"{name_of(key)} cannot be made: its files have no rows for it any more.")
        return merged(key[0], parts)

    def parts(self, key: Key, files: Iterable[File]) -> list[pa.Table]:
        """What files give for a partition, in order. The pages of an answer are one part, where the last one stands."""
        import pyarrow as pa

        found: dict[object, pa.Table] = {}
        for file in files:
            if (rows := rows_for(self.read(file), key)) is not None:
                at = file.answer or file.line
                earlier = found.pop(at, None)
                found[at] = rows if earlier is None else pa.concat_tables([earlier, rows])
        return list(found.values())

    def read(self, file: File) -> tuple[ExtractTable, ...]:
        """The tables of an accepted file.

        Raises:
            PipelineProblem: it can no longer be read.
        """
        at = (file.sha256, file.name, file.units)
        if at not in self._tables:
            found = self._reader.read(file.sha256, file.name, units=file.units)
            if found.failed:
                raise PipelineProblem(f"{file.name} was accepted, but cannot be read any more.", found.findings)
            while len(self._tables) >= KEPT_IN_MEMORY:
                self._tables.pop(next(iter(self._tables)))
            self._tables[at] = found.tables
        return self._tables[at]

    def try_read(
        self, reader: Reader, sha256: str, name: str, *, path: Path | None = None, out: Path | None = None
    ) -> tuple[ReadFile, str | None]:
        """What a file gives, with the newest list of units where it needs one; and the list's hash, where it was used.

        ``path`` and ``out`` are those of ``Reader.read``.
        """
        found = reader.read(sha256, name, path=path, out=out)
        needed = any(f.code == unit_list.MISSING for f in found.findings)
        if not needed or self.unit_list is None:
            return found, None
        return reader.read(sha256, name, path=path, out=out, units=self.unit_list), self.unit_list

    def make(self, key: Key, table: pa.Table | None = None) -> pa.Table:
        """Make a partition anew on the disk; return it. The caller holds the write lock.

        ``table`` is what its files give together, where the caller has merged them already.

        Raises:
            PipelineProblem: an accepted file can no longer be read.
        """
        table = self.build(key) if table is None else table
        path = self.path(key)
        (path.parent / RECORD).unlink(missing_ok=True)
        write_parquet(path, table)
        record = {
            "identity": self.identity(key), "readers": readers_version(), "sha256": sha256_of(path),
            "rows": table.num_rows, "files": [{"sha256": f.sha256, "file": f.name} for f in self.in_force[key]],
        }  # fmt: skip
        with replacing(path.parent / RECORD) as temporary:
            temporary.write_text(json.dumps(record, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        log.event("partition made", dataset=key[0], school_year=key[1], rows=table.num_rows)
        return table

    def stale(self) -> list[Key]:
        """Partitions that are missing, damaged, or made from other files than those in force."""
        return [key for key in self.in_force if not self.is_made(key)]

    def unexpected(self) -> list[Path]:
        """Folders of partitions that no file in force gives."""
        root = self.out.extracts
        wanted = {partition_folder(self.out, key) for key in self.in_force}
        found = {p.parent for p in root.rglob(PART)} | {p.parent for p in root.rglob(RECORD)}
        return sorted(found - wanted)

    def ensure(self, keys: Iterable[Key] | None = None) -> list[Key]:
        """Make what is not as it should be (of ``keys``, else of all, leftovers removed); return what was made."""
        made = [key for key in (self.stale() if keys is None else keys) if not self.is_made(key)]
        for key in made:
            self.make(key)
        for folder in self.unexpected() if keys is None else ():
            for name in (RECORD, PART):
                (folder / name).unlink(missing_ok=True)
            shutil.rmtree(folder) if not any(folder.iterdir()) else None
        return made

    def table(self, key: Key, columns: Sequence[str] | None = None) -> pa.Table | None:
        """A partition (all columns, or those named), or None when no file in force has rows for it."""
        import pyarrow.parquet as pq

        if key not in self.in_force:
            return None
        if self.is_made(key):
            return pq.read_table(self.path(key), partitioning=None, columns=list(columns) if columns else None)
        table = self.build(key)
        return table.select(list(columns)) if columns else table


def read_partition(
    settings: Settings, dataset: str, school_year: str | None, columns: Sequence[str] | None = None
) -> pa.Table | None:
    """A partition as the files in force give it now, or None when none does."""
    with Extracts(settings) as extracts:
        return extracts.table((dataset, school_year), columns)
