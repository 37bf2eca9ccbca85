"""Explain the outcome of a municipality or school, from the decision down to the cells of the files."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from dagster_project.archive import Archive
from dagster_project.audit.counterfactual import (
    FigureChange,
    Margin,
    judge_of_revision,
    margin_of,
    what_would_differ,
)
from dagster_project.audit.excerpts import PlaceReader, place_of
from dagster_project.audit.revisions import Published, Row, open_revision
from dagster_project.diagnostics import NotFound
from dagster_project.pages.json import as_json
from dagster_project.settings import Settings

if TYPE_CHECKING:
    from dagster_project.simulation.judge import Judge

NEIGHBOURS = 3
SIDES = ("national", "absolute")
NOT_SHOWN = ("round", "unit_level", "unit_code", "data_origin", "source_sha256", "source_row", "source_column")


@dataclass(frozen=True)
class Explanation:
    """Everything published about one unit in one round, with the source of each number.

    ``unit`` is its row of the ranking, ``decisions`` the municipality's rows of the selection as they stand, ``cells``
    its indicator points with ``sources`` and, for each side, where the limit comes from; ``neighbours`` the rows
    around it in rank, ``schools`` the rows of a municipality's schools, ``exceptions`` what keeps it out, ``margin``
    its distance to the cut. ``differences`` are the smallest changes of one figure that would have changed the outcome,
    None when the models of today do not give the figures of the revision, or the page is one of a ``whole_round`` and
    the municipality on no list. ``doubt`` maps the unit and its neighbours to
    their rows of ``selection_uncertainty``; a revision of earlier days has none.
    """

    published: Published
    level: str
    unit: Row
    decisions: list[Row]
    neighbours: list[Row]
    cells: list[Row]
    schools: list[Row]
    exceptions: list[Row]
    margin: Margin | None
    differences: tuple[FigureChange, ...] | None
    whole_round: bool
    doubt: dict[str, Row]

    @property
    def manifest(self) -> Row:
        return self.published.manifest

    @property
    def code(self) -> str:
        return str(self.unit[f"{self.level}_code"])

    def as_dict(self) -> Row:
        """Plain content for JSON; decimals are still decimals."""
        return {
            "round": self.manifest["round"],
            "revision": self.manifest["revision"],
            "data_origin": self.manifest["data_origin"],
            "illustrative": self.manifest["illustrative"],
            "rule_set": self.manifest["rule_set"],
            "rule": [
                {"path": path, **entry.model_dump(mode="json", exclude_none=True)}
                for path, entry in self.published.rules.sourced()
            ],
            self.level: self.unit,
            "decisions": self.decisions,
            "margin": self.margin.as_dict() if self.margin else None,
            "uncertainty": self.doubt.get(self.code),
            "what_would_have_had_to_differ": (
                None if self.differences is None else [d.as_dict() for d in self.differences]
            ),
            "neighbours": self.neighbours,
            "schools": self.schools,
            "cells": self.cells,
        }

    def as_json(self) -> str:
        """The explanation as JSON."""
        return as_json(self.as_dict())


def find_unit(ranking: list[Row], level: str, wanted: str, round_id: str) -> Row:
    """The row of a ranking whose code or name is ``wanted``.

    Raises:
        NotFound: there is none, or several of that name; near names and the codes are given.
    """
    code, name = f"{level}_code", f"{level}_name"
    found = [m for m in ranking if wanted in (m[code], m[name])]
    plural = "municipalities" if level == "municipality" else "schools"
    if len(found) == 1:
        return found[0]
    if found:
        codes = ", ".join(m[code] for m in found)
        raise NotFound(f"{len(found)} {plural} are called {wanted}: use one of the numbers {codes}.")
    names = {m[name]: m for m in ranking if m[name]} | {m[code]: m for m in ranking}
    close = get_close_matches(wanted, names, n=3, cutoff=0.5)
    hint = " Did you mean " + ", ".join(f"{names[c][code]} {names[c][name]}" for c in close) + "?" if close else ""
    raise NotFound(f"Round {round_id} has no {level} {wanted}.{hint}")


def explain(
    settings: Settings, round_id: str, wanted: str, *, revision: str | None = None, level: str = "municipality"
) -> Explanation:
    """Explain one municipality (number or name), or with ``level='school'`` one school, of a published round.

    Raises:
        NotFound: the round was never published, has no such revision, or no such unit.
    """
    published = open_revision(settings, round_id, revision)
    find_unit(published.ranking(level), level, wanted, round_id)
    with judge_of_revision(settings, published) as judge:
        return explain_in(published, PlaceReader(Archive(settings)), judge, wanted, level=level)


def explain_in(
    published: Published, reader: PlaceReader, judge: Judge | None, wanted: str, *, level: str = "municipality",
    whole_round: bool = False,
) -> Explanation:  # fmt: skip
    """The same in a revision that is already open. For a ``whole_round`` only those on a list get their differences.

    To judge the changes of every municipality would take minutes, and most have none.
    """
    ranking = published.ranking(level)
    unit = find_unit(ranking, level, wanted, published.round)
    code = unit[f"{level}_code"]
    near = [
        m
        for m in ranking
        if unit["rank"] is not None and m["rank"] is not None and abs(m["rank"] - unit["rank"]) <= NEIGHBOURS
    ]
    cells = judged_cells(published, reader, level, code)
    municipality = unit["municipality_code"]
    decisions = published.rows("selection", municipality_code=municipality)
    differences = None
    if judge is not None and (decisions or not whole_round):
        differences = what_would_differ(judge, published, level, code)
    margin: Margin | None = None
    schools: list[Row] = []
    if level == "municipality":
        margin = margin_of(published, ranking, code)
        schools = published.rows("school_ranking", municipality_code=code)
    exceptions = _rows(published, "exceptions_in_force", unit_level="municipality", unit_code=municipality)
    doubt = _doubt(published, level, [code, *(r[f"{level}_code"] for r in near)])
    return Explanation(
        published, level, unit, decisions, near, cells, schools, exceptions, margin, differences, whole_round, doubt
    )


def _doubt(published: Published, level: str, codes: list[str]) -> dict[str, Row]:
    rows = _rows(published, "selection_uncertainty", unit_level=level, unit_code=codes)
    return {r["unit_code"]: r for r in rows}


def _rows(published: Published, table: str, **equal: Any) -> list[Row]:
    """Rows of a table that revisions of earlier days may lack."""
    return published.rows(table, **equal) if published.has(table) else []


def judged_cells(published: Published, reader: PlaceReader, level: str, code: str) -> list[Row]:
    """The indicator points of a unit, each with the cells it is made of and where its limits stand."""

    def citation(place: tuple[Any, ...], raw: str | None, **more: Any) -> Row | None:
        sha256, line, column = place
        if sha256 is None:
            return None
        name = published.file_names.get(sha256)
        return {"file": name, "sha256": sha256, "line": line, "column": column, "raw": raw, **more}

    def key(row: Row) -> tuple[Any, ...]:
        return row["indicator"], row["grade"], row["school_year"]

    sources: dict[tuple[Any, ...], list[Row]] = {}
    for row in published.rows("point_sources", unit_level=level, unit_code=code):
        where = row["source_sha256"], row["source_row"], row["source_column"]
        found = citation(where, row["cell_raw_value"], unit=row["cell_unit_code"], state=row["cell_state"],
                         value=row["cell_value"], n_pupils=row["cell_n_pupils"])  # fmt: skip
        sources.setdefault(key(row), []).append(found or {})
    limits = {key(r): r for r in published.rows("limits")}
    points = published.rows("indicator_points", unit_level=level, unit_code=code)
    wanted = {}
    for row in points:
        for side in SIDES:
            limit = limits.get(key(row), {})
            if limit.get(f"{side}_source_sha256"):
                place = tuple(limit[f"{side}_source_{part}"] for part in ("sha256", "row", "column"))
                wanted[place] = place_of(*place)
    read = reader.read({where for where, _ in wanted.values()})
    cells = []
    for row in points:
        limit = limits.get(key(row), {})
        cell = {k: v for k, v in row.items() if k not in NOT_SHOWN}
        for side in SIDES:
            place = tuple(limit.get(f"{side}_source_{part}") for part in ("sha256", "row", "column"))
            at = wanted.get(place)
            raw = read[at[0]].cells.get(at[1]) if at and at[0] in read else None
            cell[f"{side}_method"] = limit.get(f"{side}_method")
            cell[f"{side}_base_year"] = limit.get(f"{side}_base_year")
            for count in ("schools", "schools_worse", "schools_on_limit"):
                cell[f"{side}_{count}"] = limit.get(f"{side}_{count}")
            cell[f"{side}_source"] = citation(place, raw)
        cells.append({**cell, "sources": sources.get(key(row), [])})
    return cells
