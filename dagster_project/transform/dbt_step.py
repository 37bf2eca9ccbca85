"""Run dbt in this process: prepare the manifest once, run many times, return plain results.

Why not a dbt subprocess for each run: starting one costs more than the whole computation, and parsing the project
again costs as much once more. So ``prepare`` compiles the project once and keeps what dbt parsed, which names no home;
``build`` loads that and lets dbt build. After a file under ``dbt/`` was changed, definitions, `run` and `ui`
prepare it again (``make manifest`` does so too); ``build`` refuses a stale manifest.

Only this module opens the warehouse, through dbt and once more for the rows a test found, and it lets go of it
before it returns.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dagster_project import log
from dagster_project.diagnostics import Finding, PipelineProblem, Severity
from dagster_project.printable import printable
from dagster_project.settings import Settings, load_settings
from dagster_project.transform import columns, spark
from dagster_project.transform.parsed import parsed_manifest
from dagster_project.transform.warehouse import Inputs, dbt_environment, prepare_home, record_path

SOURCE_SUFFIXES = {".sql", ".yml", ".yaml", ".csv", ".py", ".md"}
PREPARED = "prepared.json"
FAILED_STATUSES = {"error", "fail", "runtime error"}
ROWS_NAMED = 5


@dataclass(frozen=True)
class NodeResult:
    """What dbt says about one model or test. ``status`` is success, pass, warn, fail, error or skipped.

    ``rows`` are the first rows that a test found, in words: which cells a warning is about.
    """

    unique_id: str
    name: str
    kind: str
    status: str
    seconds: float
    failures: int
    message: str
    compiled_code: str
    description: str = ""
    rows: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        return self.status in FAILED_STATUSES


@dataclass(frozen=True)
class DbtOutcome:
    """All node results of one dbt command, and the findings of those that failed or warned."""

    results: tuple[NodeResult, ...]
    findings: tuple[Finding, ...] = field(default=())

    @property
    def success(self) -> bool:
        return not any(r.failed for r in self.results)


def source_files(settings: Settings) -> list[Path]:
    """Every file of the dbt project that the manifest depends on, in a stable order."""
    root = settings.dbt_project
    skipped = {"target", "logs", "dbt_packages"}
    return sorted(
        path
        for path in root.rglob("*")
        if path.suffix in SOURCE_SUFFIXES
        and not skipped.intersection(path.relative_to(root).parts)
        and not path.name.startswith(".")
    )


def source_digest(settings: Settings) -> str:
    """One hash over the dbt project and the versions that parse it."""
    digest = hashlib.sha256()
    for package in ("dbt-core", "dbt-duckdb"):
        digest.update(f"{package}={version(package)}\n".encode())
    for path in source_files(settings):
        digest.update(str(path.relative_to(settings.dbt_project)).encode())
        digest.update(b"\0")
        digest.update(path.read_bytes())
        digest.update(b"\0")
    return digest.hexdigest()


def is_prepared(settings: Settings) -> bool:
    """True when the manifest stands and was made from the dbt files as they are now."""
    try:
        stamp = json.loads((settings.dbt_manifest.parent / PREPARED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return settings.dbt_manifest.exists() and stamp.get("digest") == source_digest(settings)


def prepare(settings: Settings, *, force: bool = False) -> bool:
    """Compile the dbt project into ``dbt/target`` and work out the column lineage; tell whether there was need to.

    Raises ``PipelineProblem`` when dbt cannot compile the project.
    """
    if not force and is_prepared(settings):
        return False
    target = settings.dbt_manifest.parent
    home = target / "placeholder_home"
    (home / "warehouse").mkdir(parents=True, exist_ok=True)
    (target / PREPARED).unlink(missing_ok=True)
    digest = source_digest(settings)
    with dbt_environment(Settings(home=home)):
        outcome = _invoke(settings, ["compile"], target_path=target)
    if not outcome.success:
        raise PipelineProblem("dbt cannot compile the project under dbt/", outcome.findings)
    manifest = json.loads(settings.dbt_manifest.read_text(encoding="utf-8"))
    columns.write(settings, columns.from_manifest(manifest))
    (target / PREPARED).write_text(json.dumps({"digest": digest}) + "\n", encoding="utf-8")
    load_manifest.cache_clear()
    return True


def require_prepared(settings: Settings) -> None:
    """Raise ``PipelineProblem`` with the way out when the manifest is missing or older than the dbt files."""
    if is_prepared(settings):
        return
    what = "is older than the files under dbt/" if settings.dbt_manifest.exists() else "is missing"
    raise PipelineProblem(
        f"the dbt manifest {what}",
        [
            Finding(
                code="dbt-manifest-not-ready",
                severity=Severity.FAIL,
                message=f"dbt/target/manifest.json {what}",
                file="dbt/target/manifest.json",
                expected="a manifest made from the current dbt files",
                fix="make manifest",
            )
        ],
    )


@lru_cache(maxsize=2)
def load_manifest(settings: Settings) -> dict[str, Any]:
    """The manifest as plain JSON, for definitions. Raises ``PipelineProblem`` when it is not ready."""
    require_prepared(settings)
    loaded: dict[str, Any] = json.loads(settings.dbt_manifest.read_text(encoding="utf-8"))
    return loaded


def marts_of(settings: Settings) -> list[dict[str, Any]]:
    """The nodes of the models that are marts. Raises ``PipelineProblem`` when the manifest is not ready."""
    nodes = load_manifest(settings)["nodes"].values()
    return [node for node in nodes if node["resource_type"] == "model" and "marts" in node["fqn"]]


def build(
    settings: Settings,
    inputs: Inputs,
    *,
    select: Sequence[str] = (),
    tests: bool = True,
    on_node: Callable[[str, str], None] | None = None,
) -> DbtOutcome:
    """Build and test the models (all, or those ``select`` names) for ``settings.home``; without ``tests`` only build.

    They read the files ``inputs`` names and the parameters of the home.

    ``on_node`` is called with the name and status of each node as it finishes. The outcome may hold failures: the
    caller decides what they stop. Raises ``PipelineProblem`` only when dbt could not run at all.
    """
    require_prepared(settings)
    prepare_home(settings, inputs)
    record_path(settings).unlink(missing_ok=True)
    arguments = ["build", "--exclude-resource-type", "unit_test"]
    if not tests:
        arguments += ["--exclude-resource-type", "test"]
    with log.timed("dbt build", engine=settings.engine) as told, dbt_environment(settings):
        if settings.engine == "spark":
            outcome = _on_spark(settings, arguments, on_node)
        else:
            # The manifest and the results come back as objects; nobody reads them as files.
            outcome = _invoke(
                settings,
                [*arguments, "--no-write-json", *(["--select", *select] if select else [])],
                target_path=settings.warehouse.parent / "dbt",
                manifest=parsed_manifest(settings.dbt_manifest.parent),
                on_node=on_node,
            )
        told |= {"success": outcome.success, "nodes": len(outcome.results)}
    log.findings(outcome.findings)
    return outcome


def _on_spark(settings: Settings, arguments: Sequence[str], on_node: Callable[[str, str], None] | None) -> DbtOutcome:
    """Build all models on Spark, whose tables are made anew each time, and take the marts from them."""
    nodes = load_manifest(settings)["nodes"]
    results = tuple(
        NodeResult(
            unique_id=raw["unique_id"],
            name=nodes[raw["unique_id"]]["name"],
            kind=nodes[raw["unique_id"]]["resource_type"],
            status=raw["status"],
            seconds=raw["execution_time"],
            failures=raw["failures"] or 0,
            message=raw["message"] or "",
            compiled_code=raw["compiled_code"] or "",
            description=nodes[raw["unique_id"]].get("description") or "",
        )
        for raw in spark.build(settings, arguments, on_node)
        if raw["unique_id"] in nodes
    )
    outcome = DbtOutcome(results, tuple(_findings(results)))
    if outcome.success:
        spark.export(settings, marts_of(settings))
    return outcome


def warm() -> None:
    """Import what ``build`` needs. For a thread that has time while another waits."""
    import dbt.adapters.duckdb
    import dbt.cli.main  # noqa: F401


def _invoke(
    settings: Settings,
    arguments: Sequence[str],
    *,
    target_path: Path,
    manifest: Any = None,
    on_node: Callable[[str, str], None] | None = None,
) -> DbtOutcome:
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    def relay(event: Any) -> None:
        if on_node is not None and event.info.name == "NodeFinished":
            node = event.data.node_info
            on_node(node.node_name, node.node_status)

    project = str(settings.dbt_project)
    command = [
        *arguments,
        "--project-dir", project,
        "--profiles-dir", project,
        "--target-path", str(target_path),
        "--log-level", "none",
        "--log-level-file", "none",
    ]  # fmt: skip
    try:
        answer = dbtRunner(manifest=manifest, callbacks=[relay]).invoke(command)
    finally:
        # An open connection would keep the warehouse locked for as long as this process lives.
        DuckDBConnectionManager.close_all_connections()
    if answer.exception is not None:
        raise PipelineProblem(
            f"dbt {arguments[0]} stopped: {answer.exception}",
            [
                Finding(
                    code="dbt-stopped",
                    severity=Severity.FAIL,
                    message=str(answer.exception).strip(),
                    file="dbt/",
                    fix="correct the named file under dbt/ and run `make manifest`",
                )
            ],
        )
    results = _with_rows(settings, [_node_result(r) for r in getattr(answer.result, "results", ())])
    return DbtOutcome(results, tuple(_findings(results)))


def _node_result(raw: Any) -> NodeResult:
    node = raw.node
    return NodeResult(
        unique_id=node.unique_id,
        name=node.name,
        kind=str(node.resource_type),
        status=str(raw.status),
        seconds=float(raw.execution_time or 0.0),
        failures=int(raw.failures or 0),
        message=str(raw.message or ""),
        compiled_code=getattr(node, "compiled_code", None) or "",
        description=getattr(node, "description", "") or "",
    )


def _with_rows(settings: Settings, results: Sequence[NodeResult]) -> tuple[NodeResult, ...]:
    """The results, those of tests that found something with the first rows they found. dbt itself only counts them."""
    import duckdb

    found = [r for r in results if r.kind == "test" and r.status in ("warn", "fail") and r.compiled_code]
    if not found or not settings.warehouse.exists():
        return tuple(results)
    rows: dict[str, tuple[str, ...]] = {}
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        for result in found:
            query = f"select * from ({result.compiled_code.strip()}) limit {ROWS_NAMED}"
            found_rows = connection.sql(query).to_arrow_table().to_pylist()
            rows[result.unique_id] = tuple(
                ", ".join(f"{k} {v}" for k, v in row.items() if v is not None) for row in found_rows
            )
    return tuple(replace(r, rows=rows.get(r.unique_id, ())) for r in results)


def _findings(results: Iterable[NodeResult]) -> Iterator[Finding]:
    for result in results:
        if result.failed or result.status == "warn":
            yield Finding(
                code=f"dbt-{result.kind}-{'failed' if result.failed else 'warned'}",
                severity=Severity.FAIL if result.failed else Severity.WARN,
                message=f"{result.name}: {result.description or result.message}",
                stage="dbt",
                found="; ".join([result.message, *result.rows]),
                expected="no failing row" if result.kind == "test" else "the model builds",
                count=max(result.failures, 1),
            )


def main() -> int:
    """``python -m dagster_project.transform.dbt_step``: prepare the manifest if the dbt files changed."""
    try:
        done = prepare(load_settings(), force="--force" in sys.argv[1:])
    except PipelineProblem as problem:
        print(printable(problem.as_text()), file=sys.stderr)
        return problem.exit_code
    print("dbt manifest made" if done else "dbt manifest is up to date")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
