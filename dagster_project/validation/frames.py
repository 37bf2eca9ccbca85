"""The small pandas tables the expectations look at, worked out from the rows of a file with DuckDB.

``cells``   the rows themselves with one yes-or-no column per rule on a single cell
``units``   per unit that has parts: pupils behind it less pupils behind its visible parts
``slices``  per indicator and grade: how it compares with its own schools, last year, and the extract in force
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from dagster_project import schema
from dagster_project.settings import Settings

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa

FIRST_SCHOOL_YEAR = 2006
# with fewer schools a mean or a count of them says nothing about the export
FEWEST_SCHOOLS = 20
COMPARED = ("school_year", "fictional", "indicator", "grade", "ownership", "sex", "unit_level", "unit_code", "value",
            "n_pupils", "state")  # fmt: skip
InForce = Callable[[tuple[str, str | None], Sequence[str] | None], "pa.Table | None"]
"""Gives a partition in force (dataset, school year; the columns wanted) to compare with; None when there is none."""
MODULUS_11_WEIGHTS = (3, 2, 7, 6, 5, 4, 3, 2)


def valid_organisation_number(code: str) -> bool:
    """Whether nine digits carry their own check digit (modulus 11, weights 3 2 7 6 5 4 3 2)."""
    if len(code) != 9 or not code.isdigit():
        return False
    control = 11 - sum(int(d) * w for d, w in zip(code, MODULUS_11_WEIGHTS, strict=False)) % 11
    return (0 if control == 11 else control) == int(code[8])


def _codes(column: pa.ChunkedArray) -> pa.Table:
    """Distinct codes with whether each is a valid organisation number. Codes of other registers pass as they are."""
    import pyarrow as pa

    codes = column.unique().to_pylist()
    own = ("U", "navn:")
    return pa.table({"code": codes, "valid": [c.startswith(own) or valid_organisation_number(c) for c in codes]})


def _indicators() -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_pylist(
        [
            {"indicator": name, "low": f.scale_min, "high": f.scale_max, "grade": grade}
            for name, f in schema.INDICATORS.items()
            for grade in f.grades
        ]
    )


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
    """A connection for the frames of one file. It sees its rows as ``new_rows``: extract columns and ``position``."""
    import pyarrow as pa

    with _database().cursor() as connection:
        connection.register("new_rows", rows.append_column("position", pa.array(range(rows.num_rows), pa.int64())))
        yield connection


def _known_municipalities(connection: duckdb.DuckDBPyConnection, in_force: InForce) -> bool:
    """Register ``known`` (start year, code) from the municipality lists; False when there is none yet."""
    versions = in_force((schema.MUNICIPALITY_VERSIONS, None), None)
    if versions is None:
        return False
    connection.register("versions", versions)
    # A file of a school year may use the codes in force when the year began or any that came before it was published.
    connection.execute(
        """
        create temp table known as
        with years as (select distinct fictional, cast(substr(school_year, 1, 4) as int) as start from new_rows),
        lists as (select distinct fictional, valid_from from versions),
        used as (
            select y.fictional, y.start, l.valid_from
            from years y join lists l on y.fictional = l.fictional
            where l.valid_from between make_date(y.start, 7, 1) and make_date(y.start + 2, 1, 1)
               or l.valid_from = (
                   select max(o.valid_from) from lists o
                   where o.fictional = y.fictional and o.valid_from <= make_date(y.start, 7, 1))
        )
        select distinct u.fictional, u.start, v.code
        from used u join versions v on u.fictional = v.fictional and u.valid_from = v.valid_from
        """
    )
    return True


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


def cells(
    connection: duckdb.DuckDBPyConnection, settings: Settings, in_force: InForce, rows: pa.Table, now: dt.datetime
) -> pd.DataFrame:
    """The cells that may fail, and the first of each indicator and grade: place, key and yes-or-no columns.

    The yes-or-no columns are worked out for every cell of the file. Cells that pass them all and whose key stands
    once cannot fail an expectation, so only one of each kind goes on; a file of millions of cells costs no more.
    """
    import pyarrow as pa

    connection.register("codes", _codes(rows["unit_code"]))
    connection.register("indicators", _indicators())
    connection.register("pseudo", pa.table({"code": [*pseudo_codes(settings), "0000", ""]}))
    known = "true"
    if _known_municipalities(connection, in_force):
        known = """
            (r.state = 'absent' or r.municipality_code in (select code from pseudo)
            or r.fictional not in (select fictional from known)
            or (r.fictional, cast(substr(r.school_year, 1, 4) as int), r.municipality_code) in
            (select (fictional, start, code) from known))"""
    key = ("school_year", "unit_level", "unit_code", "grade", "indicator", "ownership", "sex")
    same = " and ".join(f"r.{name} is not distinct from t.{name}" for name in key)
    return connection.execute(
        f"""
        with firsts as (select min(position) as position from new_rows group by indicator, grade),
        repeated as (select {", ".join(key)} from new_rows group by all having count(*) > 1),
        origins as (select count(distinct fictional) <= 1 as one_origin from new_rows),
        judged as (
            select r.source_row, r.source_column, r.raw_value, r.school_year, r.unit_level, r.unit_code, r.unit_name,
                r.municipality_code, r.grade, r.indicator, r.ownership, r.sex,
                cast(substr(r.school_year, 1, 4) as int) between {FIRST_SCHOOL_YEAR} and {now.year} as year_plausible,
                i.indicator is not null as grade_known,
                r.value is null or i.low is null or r.value between i.low and i.high as within_scale,
                r.unit_level <> 'school' or c.valid as unit_code_valid,
                {known} as municipality_known,
                o.one_origin,
                r.position in (from firsts) as is_first,
                exists (from repeated t where {same}) as is_repeated
            from new_rows r
            cross join origins o
            left join codes c on r.unit_code = c.code
            left join indicators i on r.indicator = i.indicator and r.grade = i.grade
        )
        select * exclude (is_first, is_repeated) from judged
        where is_first or is_repeated
            or not (year_plausible and grade_known and within_scale and unit_code_valid and municipality_known
                and one_origin)
        order by source_row, source_column
        """
    ).df()


def units(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Units that have parts: ``pupils_missing`` is the pupils behind the whole less those behind its visible parts."""
    # Three joins of their own: one join for all would compare every unit with every other.
    part_of = """
            select w.source_row, w.source_column, w.raw_value, w.unit_code, w.indicator, w.grade, w.school_year,
                any_value(w.n_pupils) - sum(p.n_pupils) as pupils_missing
            from n w join n p using ({key}) where {pair} group by all"""
    by_sex = part_of.format(
        key="school_year, unit_level, unit_code, municipality_code, grade, indicator, ownership",
        pair="w.sex = 'all' and p.sex <> 'all'",
    )
    by_school = part_of.format(
        key="school_year, grade, indicator, ownership, sex",
        pair="w.unit_level = 'municipality' and p.unit_level = 'school' and w.unit_code = p.municipality_code",
    )
    by_municipality = part_of.format(
        key="school_year, grade, indicator, ownership, sex",
        pair="w.unit_level = 'national' and p.unit_level = 'municipality'",
    )
    return connection.execute(
        f"""
        with n as (select * from new_rows where n_pupils is not null)
        {by_sex} union all {by_school} union all {by_municipality}
        order by all
        """
    ).df()


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
    for label, shift in (("current", 0), ("previous", 1)):
        wanted = [schema.school_year_label(schema.start_year(y) - shift) for y in years]
        parts = [p for y in wanted if (p := in_force((dataset, y), COMPARED)) is not None]
        connection.register(label, pa.concat_tables([compared.empty_table(), *(p.cast(compared) for p in parts)]))
    per_slice = """
        select school_year, fictional, indicator, grade,
            any_value(value) filter (unit_level = 'national') as national_value,
            sum(cast(value * n_pupils as double)) filter (unit_level = 'school')
                / nullif(sum(n_pupils) filter (unit_level = 'school' and value is not null), 0) as school_mean,
            stddev_samp(cast(value as double)) filter (unit_level = 'school') as school_sd,
            any_value(n_pupils) filter (unit_level = 'national') as national_pupils,
            sum(n_pupils) filter (unit_level = 'school') as school_pupils,
            sum(n_pupils) filter (unit_level = 'municipality') as municipality_pupils,
            count(*) filter (unit_level = 'school') as schools,
            count(*) filter (unit_level = 'school' and state = 'suppressed')
                / nullif(count(*) filter (unit_level = 'school' and state in ('observed', 'suppressed')), 0)
                as suppressed_share
        from {source} where ownership = 'all' and sex = 'all' group by all"""
    return connection.execute(
        f"""
        with fresh as ({per_slice.format(source="new_rows")}),
        earlier as ({per_slice.format(source="previous")}),
        vanishing as (
            select o.school_year, o.fictional, o.indicator, o.grade,
                count(*) filter (n.unit_code is null) / count(*) as vanishing_share
            from current o
            left join new_rows n using
                (school_year, fictional, indicator, grade, ownership, sex, unit_level, unit_code)
            where o.ownership = 'all' and o.sex = 'all' group by all
        )
        select f.school_year, f.indicator, f.grade, f.schools, f.suppressed_share,
            case when f.schools >= {FEWEST_SCHOOLS} then
                (cast(f.national_value as double) - f.school_mean) / nullif(f.school_sd, 0) end as national_gap_sd,
            case when f.schools >= {FEWEST_SCHOOLS} then
                1 - coalesce(f.school_pupils, 0) / nullif(f.national_pupils, 0) end as pupils_outside_schools,
            case when f.schools >= {FEWEST_SCHOOLS} then
                1 - coalesce(f.municipality_pupils, 0) / nullif(f.national_pupils, 0)
            end as pupils_outside_municipalities,
            f.suppressed_share - e.suppressed_share as suppressed_change,
            case when e.schools >= {FEWEST_SCHOOLS} then f.schools / e.schools - 1 end as schools_change,
            case when e.schools >= {FEWEST_SCHOOLS} then
                cast(f.national_value - e.national_value as double) / nullif(e.school_sd, 0)
            end as national_shift_sd,
            v.vanishing_share
        from fresh f
        left join earlier e on f.fictional = e.fictional and f.indicator = e.indicator and f.grade = e.grade
            and cast(substr(f.school_year, 1, 4) as int) = cast(substr(e.school_year, 1, 4) as int) + 1
        left join vanishing v on f.school_year = v.school_year and f.fictional = v.fictional
            and f.indicator = v.indicator and f.grade = v.grade
        order by all
        """
    ).df()


def reference(rows: pa.Table) -> pd.DataFrame:
    """Rows of a register, with the yes-or-no columns of its suite."""
    frame = rows.to_pandas()
    if "school_code" in frame:
        valid = dict(zip(*_codes(rows["school_code"]).to_pydict().values(), strict=True))
        frame["unit_code_valid"] = frame["school_code"].map(valid)
        frame["unit_code"] = frame["school_code"]
    frame["one_origin"] = frame["fictional"].nunique() <= 1
    return frame
