"""One cell of an extract changed, and the whole of dbt run on it: what the rule then says of a municipality."""

from __future__ import annotations

import tempfile
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dagster_project.audit.counterfactual import Difference
from dagster_project.audit.revisions import Published
from dagster_project.rules import compile_parameters
from dagster_project.settings import Settings
from dagster_project.transform import dbt_step


def outcome_with(settings: Settings, published: Published, code: str, difference: Difference, value: Decimal) -> bool:
    """Whether ``code`` (a municipality, or a school) is taken, or among the worst, when the cell holds ``value``."""
    (row,) = published.rows(
        "indicator_points", unit_level=difference.unit_level, unit_code=difference.unit_code,
        indicator=difference.indicator, grade=difference.grade, school_year=difference.school_year,
    )  # fmt: skip
    place = {name: row[name] for name in ("source_sha256", "source_row", "source_column")}
    with tempfile.TemporaryDirectory() as folder:
        scratch = Settings(home=Path(folder))
        changed = sum(_copy(path, settings, scratch, place, value) for path in settings.extracts.rglob("*.parquet"))
        assert changed == 1
        compile_parameters(published.rulebook, scratch.parameters)
        selected = ["+selection", "+municipality_ranking", "+school_ranking"]
        assert dbt_step.build(scratch, select=selected, tests=False).success
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


def _copy(path: Path, settings: Settings, scratch: Settings, place: dict[str, object], value: Decimal) -> int:
    table = pq.read_table(path, partitioning=None)
    changed = 0
    if "raw_value" in table.column_names:
        here = pc.equal(table["state"], "observed")
        for name, wanted in place.items():
            here = pc.and_(here, pc.equal(table[name], wanted))
        changed = pc.sum(here).as_py() or 0
        at = table.schema.get_field_index("value")
        new = pa.scalar(value.quantize(Decimal("0.0001")), table.schema.field(at).type)
        table = table.set_column(at, table.schema.field(at), pc.if_else(here, new, table["value"]))
    target = scratch.extracts / path.relative_to(settings.extracts)
    target.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, target)
    return int(changed)
