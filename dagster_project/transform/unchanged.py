"""Is there anything to compute? The models follow from their inputs alone, so the same inputs need no second build.

After a whole build without a finding, ``warehouse/built.json`` keeps what went in (extracts, parameters, the dbt
project, the versions that read them), what came out (the marts) and the run that did it. Everything is known by its
hash. A build that begins forgets the record first, so that a build that was killed is never taken for a whole one.
Whoever wants all models built again removes ``warehouse/``.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from dagster_project.archive.store import sha256_of
from dagster_project.settings import Settings
from dagster_project.transform import dbt_step
from dagster_project.transform.warehouse import record_path


@dataclass(frozen=True)
class Build:
    """A whole build: hashes of what went in and of what came out, and the run that did it."""

    inputs: str
    marts: str
    run_id: str


def _hash(home: Path, files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(home)} {sha256_of(path)}\n".encode())
    return digest.hexdigest()


def _inputs(settings: Settings) -> str:
    # The folders that the dbt sources name: e* stands for `extracts` and `empty`.
    files = [*settings.home.glob("e*/**/*.parquet"), *settings.parameters.glob("*.parquet")]
    parts = [_hash(settings.home, files), dbt_step.source_digest(settings), version("duckdb")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _marts(settings: Settings) -> str:
    # Only what dbt exports: later steps put tables of their own beside it.
    nodes = dbt_step.load_manifest(settings)["nodes"].values()
    names = {n["name"] for n in nodes if n["resource_type"] == "model" and "marts" in n["fqn"]}
    return _hash(settings.home, [p for p in settings.marts.glob("*.parquet") if p.stem in names])


def last_build(settings: Settings) -> Build | None:
    """The build that the marts come from, when a new one could only repeat it; else None."""
    try:
        build = Build(**json.loads(record_path(settings).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    same = settings.warehouse.exists() and build.inputs == _inputs(settings) and build.marts == _marts(settings)
    return build if same else None


def remember(settings: Settings, run_id: str) -> None:
    """Record the whole build that has just ended without a finding. The caller holds the write lock."""
    build = Build(_inputs(settings), _marts(settings), run_id)
    record_path(settings).write_text(json.dumps(asdict(build), indent=2) + "\n", encoding="utf-8")
