"""The engine beyond one machine: Apache Spark builds the models, and the marts are taken from its tables.

dbt runs the same models through dbt-spark in an environment and a process of its own (``make spark``), since PySpark
wants other versions than the rest of the project. The catalogue lives in that process, the tables as Parquet under
``warehouse/spark``. DuckDB then writes each mart as it does after a build of its own: sorted, one file. So everything
that reads marts reads the same bytes whatever engine made them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dagster_project.atomic import replacing
from dagster_project.diagnostics import Finding, PipelineProblem, Severity
from dagster_project.settings import REPOSITORY, Settings

ENVIRONMENT = REPOSITORY / ".venv-spark"
SCHEMA = "main"
"""Where dbt puts the tables, as in ``dbt/profiles.yml``."""
RESULTS, SAID = "run_results.json", "said.log"


def tables_of(settings: Settings) -> Path:
    """The folder of Spark's tables; each build makes it anew."""
    return settings.warehouse.parent / "spark"


def _target(settings: Settings) -> Path:
    return settings.warehouse.parent / "dbt_spark"


def require() -> Path:
    """The program ``dbt`` of Spark's environment.

    Raises:
        PipelineProblem: ``spark-not-installed``, naming what is missing.
    """
    program = ENVIRONMENT / "bin" / "dbt"
    lacks = [] if program.is_file() else [f"{ENVIRONMENT.name}/bin/dbt"]
    lacks += [] if shutil.which("java") or os.environ.get("JAVA_HOME") else ["Java"]
    if lacks:
        found = Finding(
            "spark-not-installed", Severity.FAIL, "the engine spark cannot start", found=f"no {', no '.join(lacks)}",
            expected="the packages of requirements-spark.lock, and Java 17",
            fix="make spark, and install Java; or --engine duckdb",
        )  # fmt: skip
        raise PipelineProblem("The models cannot be built on Spark.", [found])
    return program


def build(
    settings: Settings, arguments: Sequence[str], on_node: Callable[[str, str], None] | None = None
) -> list[dict[str, Any]]:
    """Run dbt on Spark, and give its results as ``run_results.json`` has them. What it says is kept beside them.

    Raises:
        PipelineProblem: Spark is not installed, or dbt ended without results.
    """
    program, target = require(), _target(settings)
    shutil.rmtree(tables_of(settings), ignore_errors=True)
    target.mkdir(parents=True, exist_ok=True)
    (target / RESULTS).unlink(missing_ok=True)
    project = str(settings.dbt_project)
    command = [
        str(program), "--log-format", "json", "--log-level-file", "none", *arguments, "--target", "spark",
        "--project-dir", project, "--profiles-dir", project, "--target-path", str(target), "--log-path", str(target),
    ]  # fmt: skip
    errors: list[str] = []
    with (
        (target / SAID).open("w", encoding="utf-8") as said,
        subprocess.Popen(command, cwd=target, stdout=subprocess.PIPE, stderr=said, text=True) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            said.write(line)
            event = _event(line)
            info = event.get("info", {})
            if info.get("level") == "error":
                errors.append(str(info.get("msg", "")))
            if on_node is not None and info.get("name") == "NodeFinished":
                node = event["data"]["node_info"]
                on_node(node["node_name"], node["node_status"])
    try:
        results: list[dict[str, Any]] = json.loads((target / RESULTS).read_text(encoding="utf-8"))["results"]
    except (OSError, ValueError, KeyError) as error:
        finding = Finding(
            "spark-stopped", Severity.FAIL, "dbt on Spark ended without results", stage="dbt",
            found="; ".join(errors)[:500] or f"exit code {process.returncode}", expected="results of each model",
            fix=f"Read {(target / SAID).relative_to(settings.home)} in the data folder.",
        )  # fmt: skip
        raise PipelineProblem("The models cannot be built on Spark.", [finding]) from error
    return results


def _event(line: str) -> dict[str, Any]:
    """A line of dbt's log; nothing where it is no event, as what Spark prints."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def export(settings: Settings, marts: Iterable[Mapping[str, Any]]) -> None:
    """Write each mart as sorted Parquet into ``marts/``, from Spark's tables; ``marts`` are nodes of the manifest."""
    import duckdb

    with TemporaryDirectory(dir=tables_of(settings)) as scratch, duckdb.connect(f"{scratch}/marts") as connection:
        for node in marts:
            name, columns = node["name"], node["columns"].values()
            files = tables_of(settings) / f"{SCHEMA}.db" / name / "*.parquet"
            # the table of the contract, as in a build on DuckDB: types and what may not be null are in the file too
            connection.execute(f"create table {name} ({', '.join(map(_column, columns))})")
            listed = ", ".join(column["name"] for column in columns)
            connection.execute(f"insert into {name} select {listed} from read_parquet(?)", [str(files)])
            rows = connection.sql(f"select * from {name} order by {node['config']['meta']['order_by']}")
            with replacing(settings.marts / f"{name}.parquet") as target:
                rows.write_parquet(str(target), compression="zstd")
            connection.execute(f"drop table {name}")


def _column(column: Mapping[str, Any]) -> str:
    required = any(c["type"] == "not_null" for c in column["constraints"])
    return f"{column['name']} {column['data_type']}{' not null' * required}"
