"""Why this municipality? From the decision down to the very cells of the very files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dagster_project.diagnostics import NotFound
from dagster_project.extracts import Archive
from dagster_project.publication.edition import INTERNAL, current_revision
from dagster_project.publication.manifest import MANIFEST
from dagster_project.settings import Settings

NEIGHBOURS = 3
UNRATED = {
    "pseudo_unit": "it stands in the files but is no municipality",
    "no_visible_cells": "every figure of it is hidden",
    "low_coverage": "too many of its figures are hidden",
    "too_few_areas": "too few indicator areas are visible",
}


@dataclass(frozen=True)
class Explanation:
    """Everything published about one municipality in one round, with the source of each number.

    ``municipality`` is its row of the ranking, ``decisions`` its rows of the selection, ``cells`` its indicator points
    with their ``sources``, ``neighbours`` the rows around it in rank.
    """

    manifest: dict[str, Any]
    municipality: dict[str, Any]
    decisions: list[dict[str, Any]]
    neighbours: list[dict[str, Any]]
    cells: list[dict[str, Any]]

    def as_json(self) -> str:
        """The explanation as JSON."""
        content = {
            "round": self.manifest["round"],
            "revision": self.manifest["revision"],
            "data_origin": self.manifest["data_origin"],
            "illustrative": self.manifest["illustrative"],
            "rule_set": self.manifest["rule_set"],
            "municipality": self.municipality,
            "decisions": self.decisions,
            "neighbours": self.neighbours,
            "cells": self.cells,
        }
        return json.dumps(content, ensure_ascii=False, indent=2, default=_plain)

    def as_text(self) -> str:
        """The explanation for a terminal."""
        from dagster_project.audit.render import as_text

        return as_text(self)


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else float(value)


def _read(folder: Path, table: str, **equal: str) -> list[dict[str, Any]]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    condition = None
    for column, value in equal.items():
        part = pc.field(column) == value
        condition = part if condition is None else condition & part
    rows: list[dict[str, Any]] = pq.read_table(folder / INTERNAL / f"{table}.parquet", filters=condition).to_pylist()
    return rows


def _find(ranking: list[dict[str, Any]], wanted: str, round_id: str) -> dict[str, Any]:
    found = [m for m in ranking if wanted in (m["municipality_code"], m["municipality_name"])]
    if len(found) == 1:
        return found[0]
    if found:
        codes = ", ".join(m["municipality_code"] for m in found)
        raise NotFound(f"{len(found)} municipalities are called {wanted}: use one of the numbers {codes}.")
    names = {m["municipality_name"]: m for m in ranking} | {m["municipality_code"]: m for m in ranking}
    close = get_close_matches(wanted, names, n=3, cutoff=0.5)
    hint = (
        " Did you mean "
        + ", ".join(f"{names[c]['municipality_code']} {names[c]['municipality_name']}" for c in close)
        + "?"
        if close
        else ""
    )
    raise NotFound(f"Round {round_id} has no municipality {wanted}.{hint}")


def explain(settings: Settings, round_id: str, municipality: str, *, revision: str | None = None) -> Explanation:
    """Explain one municipality, named by number or name, in a published round.

    Raises:
        NotFound: the round was never published, has no such revision, or no such municipality.
    """
    folder = settings.published / round_id / revision if revision else current_revision(settings, round_id)
    if folder is None or not (folder / MANIFEST).exists():
        known = sorted(p.parent.name for p in settings.published.glob("*/current.json"))
        raise NotFound(f"Round {round_id} is not published here. Published: {', '.join(known) or 'none'}.")
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    ranking = _read(folder, "municipality_ranking")
    unit = _find(ranking, municipality, round_id)
    code = unit["municipality_code"]
    near = [
        m
        for m in ranking
        if unit["rank"] is not None and m["rank"] is not None and abs(m["rank"] - unit["rank"]) <= NEIGHBOURS
    ]
    names = {e["sha256"]: e["file"] for e in Archive(settings).events("accepted")}
    sources: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in _read(folder, "point_sources", unit_level="municipality", unit_code=code):
        key = (row["indicator"], row["grade"], row["school_year"])
        sources.setdefault(key, []).append(
            {
                "file": names.get(row["source_sha256"]),
                "sha256": row["source_sha256"],
                "line": row["source_row"],
                "column": row["source_column"],
                "raw": row["cell_raw_value"],
                "unit": row["cell_unit_code"],
                "state": row["cell_state"],
            }
        )
    limits = {(r["indicator"], r["grade"], r["school_year"]): r for r in _read(folder, "limits")}
    cells = []
    for row in _read(folder, "indicator_points", unit_level="municipality", unit_code=code):
        key = (row["indicator"], row["grade"], row["school_year"])
        limit = limits.get(key, {})
        cells.append(
            {
                **{k: v for k, v in row.items() if k not in ("round", "unit_level", "unit_code", "data_origin")},
                "national_method": limit.get("national_method"),
                "national_source": {
                    "file": names.get(limit.get("national_source_sha256")),
                    "sha256": limit.get("national_source_sha256"),
                    "line": limit.get("national_source_row"),
                    "column": limit.get("national_source_column"),
                },
                "absolute_method": limit.get("absolute_method"),
                "absolute_base_year": limit.get("absolute_base_year"),
                "sources": sources.get(key, []),
            }
        )
    decisions = _read(folder, "selection", municipality_code=code)
    return Explanation(manifest, unit, decisions, near, cells)
