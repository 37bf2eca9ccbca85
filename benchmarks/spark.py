"""The models of a home built by DuckDB, by Spark alone, and by a Spark master with two workers on loopback.

Usage: python benchmarks/spark.py HOME   (a home in which `oppfolging run` has made the extracts; it is copied)

Each build has a process of its own. Prints seconds of the clock, and whether every mart has the bytes of DuckDB's.
Master and workers are started here, each with one core, and ended here.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dagster_project.archive.store import sha256_of
from dagster_project.settings import load_settings
from dagster_project.transform import dbt_step
from dagster_project.transform.spark import ENVIRONMENT
from tests.homes import files_below
from tests.ports import LOOPBACK, free_port

STARTS_WITHIN = 60


def build(home: Path, engine: str) -> None:
    """Build without tests, in this process; ends it when a model fails."""
    settings = load_settings(home).model_copy(update={"engine": engine})
    outcome = dbt_step.build(settings, files_below(settings), tests=False)
    if not outcome.success:
        raise SystemExit("\n".join(f.as_text() for f in outcome.findings))


def timed(home: Path, engine: str, **environment: str) -> tuple[float, dict[str, str]]:
    """Seconds of a build in a process of its own, and the hashes of the marts it made."""
    shutil.rmtree(home / "marts", ignore_errors=True)
    start = time.perf_counter()
    subprocess.run([sys.executable, __file__, str(home), engine], check=True, env={**os.environ, **environment})
    return time.perf_counter() - start, {p.name: sha256_of(p) for p in sorted((home / "marts").glob("*.parquet"))}


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """A master and two workers of one core and 2 GB each; gives the master's URL."""
    (start,) = ENVIRONMENT.glob("lib/python*/site-packages/pyspark/bin/spark-class")
    port = free_port()
    master = f"spark://{LOOPBACK}:{port}"
    environment = {**os.environ, "SPARK_LOCAL_IP": LOOPBACK, "SPARK_LOG_DIR": str(folder)}
    commands = [["Master", "--host", LOOPBACK, "--port", str(port), "--webui-port", str(free_port())]]
    worker = ["Worker", "--host", LOOPBACK, "--cores", "1", "--memory", "2g", "--webui-port"]
    commands += [[*worker, str(free_port()), "--work-dir", str(folder / f"w{n}"), master] for n in (1, 2)]
    running = []
    try:
        for which, *arguments in commands:
            command = [str(start), f"org.apache.spark.deploy.{which.lower()}.{which}", *arguments]
            with (folder / f"{len(running)}.log").open("w") as log:
                running.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
            if which == "Master":
                _wait(port)
        yield master
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait()


def _wait(port: int) -> None:
    """Until somebody answers at the port."""
    for _ in range(STARTS_WITHIN * 4):
        with socket.socket() as door:
            if door.connect_ex((LOOPBACK, port)) == 0:
                return
        time.sleep(0.25)
    raise SystemExit("the master did not start")


def main() -> None:
    if len(sys.argv) > 2:
        build(Path(sys.argv[1]), sys.argv[2])
        return
    dbt_step.prepare(load_settings())
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "home"
        for name in ("extracts", "parameters"):
            shutil.copytree(Path(sys.argv[1]) / name, home / name)
        took, expected = timed(home, "duckdb")
        print(f"{'DuckDB':34}{took:8.1f} s", flush=True)
        with cluster(Path(scratch)) as master:
            for name, where in (("Spark, local[2]", "local[2]"), ("Spark, master and two workers", master)):
                seconds, marts = timed(home, "spark", OPPFOLGING_SPARK_MASTER=where)
                same = sum(marts.get(mart) == hash_ for mart, hash_ in expected.items())
                print(f"{name:34}{seconds:8.1f} s, {same} of {len(expected)} marts have DuckDB's bytes", flush=True)


if __name__ == "__main__":
    main()
