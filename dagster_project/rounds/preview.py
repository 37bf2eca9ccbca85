"""Confidential previews before publication: what a municipality may see of itself, and nothing of any other.

A preview holds the municipality's own row of the ranking without its neighbours, its own cells with both limits, its
own schools, and its own outcome. Ranks among all are left in: they say nothing of a named other.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dagster_project.archive.commits import read_manifest
from dagster_project.diagnostics import NotFound
from dagster_project.forms.write import Evidence, write_evidence
from dagster_project.pages.names import slug
from dagster_project.pages.words import FICTIONAL, INCOMPLETE, N_, both, texts
from dagster_project.publication.changes import PLACES
from dagster_project.publication.notes import FRACTIONS, column_notes
from dagster_project.publication.sentences import outcome_sentences, outcome_sources
from dagster_project.rounds import release
from dagster_project.settings import Settings

OWN = {
    "selection": "municipality_code",
    "municipality_ranking": "municipality_code",
    "area_shares": "municipality_code",
    "school_ranking": "municipality_code",
}
TITLES = {
    "selection": "Utfall",
    "municipality_ranking": "Kommunen",
    "area_shares": "Områder",
    "school_ranking": "Skolene",
    "indicator_points": "Tallene",
}
# the page is of one municipality, and names it once
LEFT_OUT = {
    "round",
    "data_origin",
    "reason",
    "municipality_code",
    "municipality_name",
    "county_code",
    "county_governor",
}
EXPLANATION = "forklaring"
CONFIDENTIAL = N_("CONFIDENTIAL: PREVIEW FOR THE MUNICIPALITY")
LANG = "no"


def own_tables(stand: release.Standing, code: str) -> dict[str, list[dict[str, Any]]]:
    """Rows of one municipality and its schools, by table."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def rows(table: str, condition: pc.Expression) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = stand.tables[table].filter(condition).to_pylist()
        return found

    own = {name: rows(name, pc.field(column) == code) for name, column in OWN.items()}
    schools = pa.array([r["school_code"] for r in own["school_ranking"]], pa.string())
    level, unit = pc.field("unit_level"), pc.field("unit_code")
    mine = (level == "municipality") & (unit == code) | (level == "school") & unit.isin(schools)
    return {**own, "indicator_points": rows("indicator_points", mine)}


def _sheet(settings: Settings, table: str, rows: Sequence[Mapping[str, Any]]) -> Evidence:
    """A table as people read it: Norwegian headers and words, shares in percent; no empty columns, no file places."""
    notes = column_notes(settings, table)
    columns = [
        c
        for c in (rows[0] if rows else notes)
        if c not in LEFT_OUT and not c.endswith(PLACES) and (not rows or any(r[c] is not None for r in rows))
    ]
    headers = tuple(notes[c].norsk or c if c in notes else c for c in columns)
    shares = frozenset(i for i, c in enumerate(columns) if c in FRACTIONS)
    lines = [[_shown(c, r[c]) for c in columns] for r in rows]
    return Evidence(TITLES[table], headers, lines, shares)


def _shown(column: str, value: Any) -> Any:
    if isinstance(value, bool):
        return texts(LANG).yes_or_no(value)
    return texts(LANG).code(value) if isinstance(value, str) and not column.endswith(("_name", "_code")) else value


def _cell(value: Any, share: bool) -> str:
    """A cell of the page. The workbook gets the value itself."""
    if value is None:
        return ""
    if isinstance(value, str | dt.date):
        return str(value)
    return texts(LANG).percent(value) if share else texts(LANG).number(value)


def _template() -> Any:
    """The page of a preview: self-contained, no script; names are escaped."""
    from jinja2 import Environment, select_autoescape

    environment = Environment(autoescape=select_autoescape(default=True, default_for_string=True))
    environment.filters["cell"] = _cell
    return environment.from_string((Path(__file__).parent / "preview.html.j2").read_text(encoding="utf-8"))


def write_previews(settings: Settings, round_id: str, municipality: str | None, folder: Path) -> list[Path]:
    """Write ``<code>-<name>.xlsx``, ``.html`` and ``.json`` for one municipality, or for all on a list.

    Raises:
        NotFound: the round is not published, or has no such municipality.
    """
    stand = release.standing(settings, round_id)
    names = {r["municipality_code"]: r["municipality_name"] for r in stand.tables["municipality_ranking"].to_pylist()}
    listed = sorted({r["municipality_code"] for r in stand.tables["selection"].to_pylist()})
    wanted = listed if municipality is None else [municipality]
    unknown = [c for c in wanted if c not in names]
    if unknown or not wanted:
        raise NotFound(
            f"Round {round_id} has no municipality {unknown[0]}."
            if unknown
            else f"Round {round_id} has no municipality on its lists."
        )
    folder.mkdir(parents=True, exist_ok=True)
    t = texts(LANG)
    state = t.code(f"round_{stand.state}")
    notes = [both(CONFIDENTIAL), f"{stand.subject.round.title}, {stand.folder.name}: {state}"]
    if stand.subject.round.origin == "fictional":
        notes.append(both(FICTIONAL))
    notes += [f"{both(INCOMPLETE)}: {gap}" for gap in read_manifest(stand.folder).get("accepted_gaps", ())]
    template = _template()
    files = {i["sha256"]: i["file"] for i in read_manifest(stand.folder)["inputs"]}
    exceptions: dict[str, list[dict[str, Any]]] = {}
    for row in stand.tables["exceptions_in_force"].to_pylist():
        exceptions.setdefault(row["unit_code"], []).append(row)
    written = []
    for code in wanted:
        own = own_tables(stand, code)
        for earlier in folder.glob(f"{code}-*"):  # under the name it had before
            earlier.unlink()
        stem = folder / f"{code}-{slug(names[code])}"
        told = [
            {
                EXPLANATION: " ".join(
                    [*outcome_sentences(row, exceptions.get(code, ()), t), *outcome_sources(row, files, t)]
                ),
                **row,
            }
            for row in own["selection"]
        ]
        sheets = [_sheet(settings, name, rows) for name, rows in {**own, "selection": told}.items()]
        written.append(write_evidence(stem.with_suffix(".xlsx"), f"{code} {names[code]}", notes, sheets))
        content = {"confidential": both(CONFIDENTIAL), "round": round_id, "revision": stand.folder.name, **own}
        text = json.dumps(content, ensure_ascii=False, indent=2, default=str)
        stem.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
        governor = own["municipality_ranking"][0]["county_governor"] or ""
        page = template.render(title=f"{code} {names[code]}", governor=governor, notes=notes, sheets=sheets)
        stem.with_suffix(".html").write_text(page, encoding="utf-8")
        written += [stem.with_suffix(".json"), stem.with_suffix(".html")]
    return written
