"""One cell of an extract changed, and the whole of dbt run on it: what the rule then says of a municipality."""

from __future__ import annotations

import tempfile
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dagster_project.audit.counterfactual import FigureChange
from dagster_project.audit.revisions import Published
from dagster_project.intake.partitions import Extracts
from dagster_project.settings import Settings
from dagster_project.transform import dbt_step
from dagster_project.transform.parameters import compile_for


def outcome_with(settings: Settings, published: Published, code: str, difference: FigureChange, value: Decimal) -> bool:
    """Whether ``code`` (a municipality, or a school) is taken, or among the worst, when the cell holds ``value``."""
    (row,) = published.rows(
        "indicator_points", unit_level=difference.unit_level, unit_code=difference.unit_code,
        indicator=difference.indicator, grade=difference.grade, school_year=difference.school_year,
    )  # fmt: skip
    place = {name: row[name] for name in ("source_sha256", "source_row", "source_column")}
    with tempfile.TemporaryDirectory() as folder:
        scratch = Settings(home=Path(folder))
        with Extracts(settings) as extracts:
            written = Extracts(settings, out=scratch)
            tables = {key: extracts.table(key) for key in extracts.in_force}
        assert sum(_write(written.path(key), made, place, value) for key, made in tables.items()) == 1
        compile_for(scratch, published.rulebook, written, as_of=None, follow=())
        selected = ["+selection", "+municipality_ranking", "+school_ranking"]
        assert dbt_step.build(scratch, written.paths(), select=selected, tests=False).success
        if difference.outcome == "worst_quartile":
            return _taken(scratch.marts / "school_ranking.parquet", "worst_quartile", school_code=code)
        group = difference.outcome
        path = scratch.marts / "selection.parquet"
        return _taken(path, "within_quota", municipality_code=code, selection_group=group)


def _taken(path: Path, column: str, **equal: str) -> bool:
    condition = pc.scalar(True)
    for name, value in equal.items():
        condition &= pc.field(name) == value
    return any(pq.read_table(path, filters=condition)[column].to_pylist())


def _write(path: Path, table: pa.Table | None, place: dict[str, object], value: Decimal) -> int:
    """Write a partition with another value in the cell of that place; how many such cells it has."""
    assert table is not None
    changed = 0
    if "raw_value" in table.column_names:
        here = pc.equal(table["state"], "observed")
        for name, wanted in place.items():
            here = pc.and_(here, pc.equal(table[name], wanted))
        changed = pc.sum(here).as_py() or 0
        at = table.schema.get_field_index("value")
        new = pa.scalar(value.quantize(Decimal("0.0001")), table.schema.field(at).type)
        table = table.set_column(at, table.schema.field(at), pc.if_else(here, new, table["value"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    return int(changed)
