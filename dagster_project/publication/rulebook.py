"""The rules a revision was made from, together with what earlier rounds meant for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dagster_project.rules import RuleBook
from dagster_project.rules.model import ExceptionRow


def with_cohorts(rulebook: RuleBook, round_id: str, tables: Path | None) -> RuleBook:
    """The rule book with the municipalities that earlier cohorts bar from the round, as the folder of tables has it.

    A scratch home holds no earlier round, so what decisions in them mean for this one is taken over as it was.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    path = None if tables is None else tables / "exceptions_in_force.parquet"
    if path is None or not path.exists():
        return rulebook
    rows = tuple(
        ExceptionRow(unit_level=r["unit_level"], unit_code=r["unit_code"], kind=r["kind"], rounds=(round_id,),
                     ground=r["ground"], source="an earlier cohort")
        for r in pq.read_table(path, filters=pc.field("round") == round_id).to_pylist()
        if r["basis"] == "cohort"
    )  # fmt: skip
    register = rulebook.exceptions
    return replace(rulebook, exceptions=register.model_copy(update={"exceptions": (*register.exceptions, *rows)}))
