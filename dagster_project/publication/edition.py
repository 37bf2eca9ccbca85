"""Publish a round: build the new revision beside the old ones, then switch one pointer.

A revision folder never changes once it has its name. A run that is killed before the switch leaves the revision in
force as it was; what it had begun is swept away by the next run. Tables that are the same as in the revision in
force, from the same rules, make no new revision.
"""

from __future__ import annotations

import datetime as dt
import errno
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster_project.diagnostics import PipelineProblem
from dagster_project.publication import manifest as manifests
from dagster_project.publication import tables
from dagster_project.rules import describe, load_rules
from dagster_project.settings import Settings

POINTER = "current.json"
INTERNAL = "internal"
RULEBOOK = "rulebook"
FOR_PROGRAMS = {"point_sources"}


@dataclass(frozen=True)
class Revision:
    """A published revision. ``is_new`` is False when nothing had changed. ``rows`` maps tables to row counts."""

    round: str
    revision: str
    path: Path
    is_new: bool
    rows: dict[str, int]


def write_atomic(path: Path, text: str) -> None:
    """Write a small file so that a reader sees the old one or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def current_revision(settings: Settings, round_id: str) -> Path | None:
    """The folder of the revision in force, None when the round has never been published."""
    pointer = settings.published / round_id / POINTER
    if not pointer.exists():
        return None
    return pointer.parent / json.loads(pointer.read_text(encoding="utf-8"))["revision"]


def _same(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether two manifests publish the same tables from the same rules. XLSX is a view of them and not compared."""

    def essence(m: dict[str, Any]) -> tuple[Any, ...]:
        # of rounds.yaml only the round's own entry counts, and the manifest holds that
        files = {n: f["sha256"] for n, f in m["files"].items() if not n.endswith((".xlsx", f"{RULEBOOK}/rounds.yaml"))}
        return files, m["rule_set"], m["round_entry"], m["registers"], m["inputs"]

    return essence(old) == essence(new)


def notes_of(settings: Settings, round_id: str) -> list[str]:
    """Lines of the notes sheet: what this is, how far to trust it, and the whole rule."""
    rulebook = load_rules(settings)
    round_ = rulebook.round(round_id)
    lines = [f"{round_.title} ({round_.id}), siste skoleår / last school year {round_.last_school_year}"]
    if round_.origin == "fictional":
        lines.append(
            "OPPDIKTEDE DATA. INGEN SKOLE ELLER KOMMUNE FINNES. / FICTIONAL DATA. NO SCHOOL OR MUNICIPALITY EXISTS."
        )
    return [*lines, *describe(rulebook.rule_sets[round_.rule_set])]


def _next_name(folder: Path) -> str:
    taken = [int(p.name[1:]) for p in folder.glob("r[0-9]*") if p.name[1:].isdigit()]
    return f"r{max(taken, default=0) + 1:04d}"


def _fill_data(settings: Settings, round_id: str, building: Path) -> dict[str, int]:
    """Write every mart's rows of the round as Parquet and CSV; return row counts."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    rows: dict[str, int] = {}
    (building / INTERNAL).mkdir(parents=True)
    for path in sorted(settings.marts.glob("*.parquet")):
        table = pq.read_table(path, filters=pc.field("round") == round_id).combine_chunks()
        rows[path.stem] = table.num_rows
        stem = building / INTERNAL / path.stem
        tables.write_parquet(stem.with_suffix(".parquet"), table)
        tables.write_csv(stem.with_suffix(".csv"), table)
    return rows


def _fill_rules(settings: Settings, rule_set: str, building: Path) -> None:
    """Keep the very rule files beside the figures they gave, laid out as a home has them."""
    wanted = [settings.rounds, settings.rules / f"{rule_set}.yaml", *sorted(settings.registers.glob("*.yaml"))]
    for path in wanted:
        folder = building / RULEBOOK / ("" if path == settings.rounds else path.parent.name)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / path.name)


def _fill_spreadsheets(settings: Settings, round_id: str, building: Path) -> None:
    """Write a workbook beside every table people read; the list of source cells is for programs."""
    import pyarrow.parquet as pq

    from dagster_project.publication.workbook import write_xlsx

    notes = notes_of(settings, round_id)
    for path in sorted((building / INTERNAL).glob("*.parquet")):
        if path.stem not in FOR_PROGRAMS:
            write_xlsx(path.with_suffix(".xlsx"), path.stem, pq.read_table(path), notes, settings)


def publish(settings: Settings, round_id: str, *, now: dt.datetime) -> Revision | None:
    """Publish what the marts hold of a round. Returns None when they hold nothing of it.

    Raises:
        RuleProblem: no such round.
        PipelineProblem: the disk is full; the revision in force stays.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    rulebook = load_rules(settings)
    rulebook.round(round_id)
    ranking = settings.marts / "municipality_ranking.parquet"
    if not ranking.exists() or pq.read_table(ranking, filters=pc.field("round") == round_id).num_rows == 0:
        return None
    folder = settings.published / round_id
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(".building-*"):
        shutil.rmtree(left)
    building = folder / f".building-{os.getpid()}"
    current = current_revision(settings, round_id)
    name = _next_name(folder)
    try:
        rows = _fill_data(settings, round_id, building)
        _fill_rules(settings, rulebook.round(round_id).rule_set, building)
        replaces = current.name if current else None
        manifest = manifests.build(settings, rulebook, round_id, name, building, rows, replaces, now)
        if current is not None:
            old = json.loads((current / manifests.MANIFEST).read_text(encoding="utf-8"))
            if _same(old, manifest) and not manifests.verify_revision(current):
                return Revision(round_id, current.name, current, False, rows)
        _fill_spreadsheets(settings, round_id, building)
        manifest["files"] = manifests.describe_files(building)
        text = json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
        (building / manifests.MANIFEST).write_text(text, encoding="utf-8")
        for path in building.rglob("*"):
            if path.is_file():
                with path.open("rb+") as handle:
                    os.fsync(handle.fileno())
                path.chmod(0o444)
        target = folder / name
        building.rename(target)
        write_atomic(folder / POINTER, json.dumps({"round": round_id, "revision": name}, indent=2) + "\n")
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise PipelineProblem(
            f"The disk is full: round {round_id} was not published. The revision in force is unchanged. "
            "Make room and run again."
        ) from error
    finally:
        if building.exists():
            shutil.rmtree(building)
    return Revision(round_id, name, target, True, rows)
