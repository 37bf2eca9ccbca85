"""The pandas tables the expectations look at, and what they are held to, from the rows of a file.

``cells``    every row of a file of figures
``units``    per unit that has parts: the pupils behind it, and those behind its visible parts
``slices``   per indicator and grade: how it compares with its own schools, last year, and the extract in force
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from dagster_project import schema
from dagster_project.settings import Settings
from dagster_project.validation.suites import combination

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa

COMPARED = ("school_year", "fictional", "abroad", "indicator", "grade", "ownership", "sex", "unit_level", "unit_code",
            "value", "n_pupils", "state", "restricted")  # fmt: skip
LOOKED_AT = ["source_sha256", "source_row", "source_column", "raw_value", "school_year", "unit_level", "unit_code",
             "municipality_code", "grade", "indicator", "ownership", "sex", "value", "state", "fictional"]  # fmt: skip
InForce = Callable[[tuple[str, str | None], Sequence[str] | None], "pa.Table | None"]
"""Gives a partition in force (dataset, school year; the columns wanted) to compare with; None when there is none."""


@cache
def _sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """One DuckDB in memory for all files: starting it costs more than most of the questions put to it."""
    import duckdb

    return duckdb.connect()


def release() -> None:
    """Hand back the memory that screening used, for a process that goes on with other work."""
    import pyarrow as pa

    if _database.cache_info().currsize:
        _database().close()
        _database.cache_clear()
    pa.default_memory_pool().release_unused()


@contextmanager
def opened(rows: pa.Table) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection for the tables of one file. It sees its rows as ``new_rows``."""
    with _database().cursor() as connection:
        connection.register("new_rows", rows)
        yield connection


def known_municipalities(
    connection: duckdb.DuckDBPyConnection, settings: Settings, in_force: InForce, rows: pa.Table
) -> list[str] | None:
    """Combinations of school year and municipality code that the rows may hold; None when no list is in force.

    A file of a school year may use the codes in force when the year began or any that came before it was published,
    the codes that stand among municipalities without being any, and those of schools abroad.
    """
    versions = in_force((schema.MUNICIPALITY_VERSIONS, None), None)
    if versions is None:
        return None
    connection.register("versions", versions)
    found = connection.execute(_sql("known_municipalities")).fetchall()
    if not found:
        return None  # no list of the origin of the rows
    abroad = rows.filter(rows["abroad"])["municipality_code"].unique().to_pylist()
    others = (*pseudo_codes(settings), *abroad, "0000", "")
    found += [(year, code) for year in rows["school_year"].unique().to_pylist() for code in others]
    return [combination(*pair) for pair in found]


def pseudo_codes(settings: Settings) -> tuple[str, ...]:
    """Codes that stand among municipalities without being any, from the register of exceptions."""
    path = settings.registers / "exceptions.yaml"
    return _pseudo_codes(settings, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _pseudo_codes(settings: Settings, changed: int) -> tuple[str, ...]:
    """``changed`` is when the register was written, so that an edited one is read again."""
    from dagster_project.rules import load_rules

    rows = load_rules(settings).exceptions.exceptions
    return tuple(row.unit_code for row in rows if row.kind == "pseudo_unit" and row.unit_level == "municipality")


def cells(rows: pa.Table) -> pd.DataFrame:
    """Every cell of the rows. ``start_year`` is the year in which its school year begins."""
    frame: pd.DataFrame = rows.select(LOOKED_AT).to_pandas()
    frame["value"] = frame["value"].astype("float64")
    frame["start_year"] = frame["school_year"].str[:4].astype("int64")
    return frame


def units(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Units that have parts: the pupils behind the whole, and those behind its visible parts."""
    return connection.execute(_sql("units")).df()


def slices(connection: duckdb.DuckDBPyConnection, in_force: InForce, rows: pa.Table) -> pd.DataFrame:
    """One row per school year, indicator and grade (all ownerships, both sexes), with its comparisons.

    Differences of values are in standard deviations between the visible schools, so that one limit fits every scale.
    A comparison that has nothing to compare with is null.
    """
    import pyarrow as pa

    dataset = rows["dataset"][0].as_py()
    years = rows["school_year"].unique().to_pylist()
    whole = schema.extract_schema()
    compared = pa.schema([whole.field(name) for name in COMPARED])
    for label, shift in (("held", 0), ("previous", 1)):
        wanted = [schema.school_year_label(schema.start_year(y) - shift) for y in years]
        parts = [p for y in wanted if (p := in_force((dataset, y), COMPARED)) is not None]
        connection.register(label, pa.concat_tables([compared.empty_table(), *(p.cast(compared) for p in parts)]))
    return connection.execute(_sql("slices")).df()
