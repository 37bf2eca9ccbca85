"""The models on Apache Spark give the marts of DuckDB, where Spark is installed (`make spark`)."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import pytest

from dagster_project.archive.store import sha256_of
from dagster_project.diagnostics import PipelineProblem
from dagster_project.settings import load_settings
from dagster_project.transform import dbt_step, spark
from tests.homes import files_below
from tests.oracle.compare import read
from tests.oracle.nation import write_home

pytestmark = pytest.mark.pipeline
HAS_SPARK = (spark.ENVIRONMENT / "bin" / "dbt").is_file() and shutil.which("java") is not None


@pytest.mark.skipif(not HAS_SPARK, reason="needs `make spark`, and Java")
def test_every_mart_of_a_random_nation_is_the_same_on_spark(tmp_path: Path) -> None:
    """Value for value, in the published order, and the bytes of the files with them."""
    home = tmp_path / "home"
    home.mkdir()
    write_home(home, Random(2), 4, adds_up=True, stars=0.1)
    settings = load_settings(home)
    by_duckdb = dbt_step.build(settings, files_below(settings))
    assert by_duckdb.success, [f.as_text() for f in by_duckdb.findings]
    settings.marts.rename(tmp_path / "duckdb")
    by_spark = dbt_step.build(settings.model_copy(update={"engine": "spark"}), files_below(settings))
    assert by_spark.success, [f.as_text() for f in by_spark.findings]
    statuses = [{r.unique_id: (r.status, r.failures) for r in outcome.results if r.kind != "exposure"}
                for outcome in (by_duckdb, by_spark)]  # fmt: skip
    assert statuses[0] == statuses[1] and len(statuses[0]) > 200
    marts = sorted((tmp_path / "duckdb").glob("*.parquet"))
    assert len(marts) > 20 and sum(len(read(path)) for path in marts) > 5_000
    for path in marts:
        assert read(settings.marts / path.name) == read(path), path.stem
        assert sha256_of(settings.marts / path.name) == sha256_of(path), path.stem


def test_without_spark_the_engine_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark, "ENVIRONMENT", tmp_path / ".venv-spark")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(PipelineProblem) as caught:
        spark.require()
    said = caught.value.as_text()
    assert caught.value.findings[0].code == "spark-not-installed"
    assert "no .venv-spark/bin/dbt, no Java" in said and "make spark" in said


@pytest.mark.parametrize("prints", ["", "no event", '{"info": {"level": "error", "msg": "no room"}}'])
def test_a_spark_that_stops_is_told_with_what_it_said(
    prints: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / ".venv-spark" / "bin" / "dbt"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho '{prints}'\nexit 2\n")
    program.chmod(0o700)
    monkeypatch.setattr(spark, "ENVIRONMENT", tmp_path / ".venv-spark")
    monkeypatch.setattr(shutil, "which", lambda name: name)
    with pytest.raises(PipelineProblem) as caught:
        spark.build(load_settings(tmp_path / "home"), ["build"])
    (finding,) = caught.value.findings
    assert finding.code == "spark-stopped"
    assert finding.found == ("no room" if "room" in prints else "exit code 2") and "said.log" in (finding.fix or "")
