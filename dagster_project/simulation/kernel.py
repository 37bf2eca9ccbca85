"""Run dbt's own compiled SQL on relations held in memory. No model is written a second time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.diagnostics import Finding, PipelineProblem, Severity
from dagster_project.settings import Settings
from dagster_project.transform import dbt_step

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

PARAMETERS = ("stg_rounds", "stg_rule_indicators", "stg_exceptions", "stg_county_governors", "int_exceptions_in_force")


class Kernel:
    """A database in memory with the names the compiled models use. Not the warehouse, which is never opened."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, manifest: dict[str, Any]) -> None:
        self.sql = connection
        self._nodes = {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}
        node = self._nodes["stg_rounds"]
        self.schema = f'"{node["database"]}"."{node["schema"]}"'
        connection.execute(f"attach ':memory:' as \"{node['database']}\"")
        connection.execute(f"use {self.schema}")

    def arrow(self, query: str) -> pa.Table:
        """The rows of a query as an Arrow table."""
        return self.sql.sql(query).to_arrow_table()

    def query(self, name: str) -> pa.Table:
        """The rows of ``sql/<name>.sql``."""
        return self.arrow(statement(name))

    def table(self, name: str, parameters: Sequence[object] = ()) -> None:
        """Create the table ``name`` from ``sql/<name>.sql``, in place of an earlier one."""
        self.sql.execute(f"create or replace table {name} as {statement(name)}", parameters)

    def stand_in(self, model: str, name: str | None = None) -> None:
        """Create a table in place of a dbt model from ``sql/stand_ins/<name>.sql``, which is named after the model.

        Raises:
            PipelineProblem: it has a column that the model does not have.
        """
        self.sql.execute(f"create or replace table {model} as {statement(f'stand_ins/{name or model}')}")
        columns = {row[0] for row in self.sql.execute(f"describe {model}").fetchall()}
        if extra := sorted(columns - set(self._nodes[model]["columns"])):
            finding = Finding(
                "stand-in-differs", Severity.FAIL, f"a table in place of {model} has columns that the model has not",
                stage="simulation", file=f"simulation/sql/stand_ins/{name or model}.sql", column=extra[0],
                found=", ".join(extra), expected=f"columns of {model}", fix="Follow the change of the model.",
            )  # fmt: skip
            raise PipelineProblem("The uncertainty cannot be computed with the models as they are now.", [finding])

    def build(self, models: Iterable[str]) -> None:
        """Create each model as a table from its compiled SQL, in the order given, in place of an earlier one."""
        for name in models:
            self.sql.execute(f'create or replace table "{name}" as {self._nodes[name]["compiled_code"]}')

    def build_parameters(self, home: Path) -> None:
        """The rules as the models see them, from the parameters compiled into ``home``."""
        self.sql.execute("create schema if not exists parameters")
        for path in sorted((home / "parameters").glob("*.parquet")):
            self.sql.execute(f"create or replace view parameters.\"{path.stem}\" as select * from '{path}'")
        self.build(PARAMETERS)


def statement(name: str) -> str:
    """The text of ``sql/<name>.sql``."""
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def digest(settings: Settings, models: Iterable[str]) -> str:
    """One hash over the compiled SQL of the parameters and of these models, wherever the checkout lies."""
    nodes = dbt_step.load_manifest(settings)["nodes"].values()
    code = {n["name"]: n["compiled_code"] for n in nodes if n["resource_type"] == "model"}
    text = "\n".join(code[name] for name in (*PARAMETERS, *models))
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def kernel(settings: Settings) -> Iterator[Kernel]:
    """A kernel for the time of a computation.

    Raises:
        PipelineProblem: the dbt manifest is missing or stale.
    """
    import duckdb

    manifest = dbt_step.load_manifest(settings)
    with duckdb.connect(":memory:") as connection:
        yield Kernel(connection, manifest)
