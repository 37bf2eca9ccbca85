"""dbt's own unit tests: each rule of the method on a case worked by hand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import pytest
import yaml

from dagster_project.settings import REPOSITORY, load_settings
from dagster_project.transform import dbt_step
from dagster_project.transform.warehouse import dbt_environment

pytestmark = pytest.mark.pipeline


def stated_unit_tests() -> set[str]:
    """Names of the unit tests in the model folders."""
    files = (yaml.safe_load(f.read_text(encoding="utf-8")) for f in (REPOSITORY / "dbt" / "models").rglob("*.yml"))
    return {case["name"] for content in files for case in content.get("unit_tests", ())}


def test_every_hand_worked_case_of_the_models_holds(country_home: Path, tmp_path: Path) -> None:
    """dbt reads column types from built relations, so the cases run on a copy of a warehouse that was built."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    home = tmp_path / "home"
    for folder in ("warehouse", "parameters", "empty", "extracts"):
        shutil.copytree(country_home / folder, home / folder)
    project = str(REPOSITORY / "dbt")
    try:
        with dbt_environment(load_settings(home)):
            answer = dbtRunner().invoke(
                ["test", "--select", "test_type:unit", "--project-dir", project, "--profiles-dir", project,
                 "--target-path", str(tmp_path / "target"), "--log-level", "none", "--log-level-file", "none"]
            )  # fmt: skip
    finally:
        DuckDBConnectionManager.close_all_connections()
    assert answer.exception is None
    results = json.loads((tmp_path / "target" / "run_results.json").read_text(encoding="utf-8"))["results"]
    cases = [r for r in results if r["unique_id"].startswith("unit_test.")]
    assert {r["unique_id"].rsplit(".", 1)[1] for r in cases} == stated_unit_tests()
    assert [(r["unique_id"], r["message"]) for r in cases if r["status"] != "pass"] == []


def test_the_documented_types_are_those_of_the_built_models(country_home: Path, tmp_path: Path) -> None:
    models = [n for n in dbt_step.load_manifest(load_settings())["nodes"].values() if n["resource_type"] == "model"]
    warehouse = shutil.copyfile(country_home / "warehouse" / "oppfolging.duckdb", tmp_path / "copy.duckdb")
    with duckdb.connect(str(warehouse)) as connection:
        built = connection.execute(
            "select table_name, column_name, data_type from duckdb_columns() where schema_name = 'main' and not internal"
        )
        found = {(table, column): kind for table, column, kind in built.fetchall()}
        # a type by another name (string, int) is spelled as the engine spells it
        stated = [(n["name"], c["name"], c["data_type"]) for n in models for c in n["columns"].values()]
        kinds = sorted({kind for *_, kind in stated})
        (spelled,) = connection.execute(
            "select " + ", ".join(f"typeof(cast(null as {kind}))" for kind in kinds)
        ).fetchall()
    engine = dict(zip(kinds, spelled, strict=True))
    assert {(model, column): engine[kind] for model, column, kind in stated} == found
