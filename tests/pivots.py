"""Small pivots of the report API and the list of units that goes with them, for tests. All units are fictional."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests import samples

NATION, ABROAD = samples.NATION, "Utlandet (oppdiktet)"
PATHS = ("1", "1.70", "1.70.700", "1.70.700.7001", "1.70.700.7002", "1.70.700.7003")
"""Internal ids down to each unit of ``samples.rows()``."""
SURVEY = ("Hele landet", "Alle fylker", "Alle kommuner", "Alle skoler")
QUESTION = "Er du blitt mobbet av andre elever på skolen?"


def node(index: int, identity: int, code: str | None, name: str, *below: int, **other: Any) -> dict[str, Any]:
    """One unit of the list, as the services write it."""
    return {"indeks": index, "id": identity, "kode": code, "navn": name, "nivaa": 1, "forelder": None,
            "barn": list(below), **other}  # fmt: skip


def unit_list() -> dict[str, Any]:
    """``filterVerdier``: the units of the samples, and those abroad."""
    schools = [row[4:9:4] for row in samples.rows()[3:]]
    return {
        "TidID": [{"indeks": 0, "id": 202512, "navn": "2025-26"}],
        "EnhetID": [
            node(0, -12, "I", NATION, 1),
            node(1, 70, "61", "Ytterfabel", 2),
            node(2, 700, "6101", "Brumeblom ", 3, 4, 5),
            *[node(3 + n, 7001 + n, code, name) for n, (code, name) in enumerate(schools)],
            node(6, -13, "U", ABROAD, 7),
            node(7, 71, "25", "Utlandet", 8),
            node(8, 710, "2599", "Utlandet, uspesifisert"),
        ],
    }


def levels(columns: Sequence[Sequence[str]]) -> list[list[dict[str, Any]]]:
    """The levels of a header whose columns have these names from the top down; equal neighbours are one name."""
    found = []
    for names in zip(*columns, strict=True):
        level: list[dict[str, Any]] = []
        for text in names:
            if level and level[-1]["name"] == text:
                level[-1]["columnCount"] += 1
            else:
                level.append({"name": text, "tekstId_kolonne": "1", "columnCount": 1})
        found.append(level)
    return found


def pivot(hierarchy: Sequence[str], columns: Sequence[Sequence[str]], *rows: Sequence[Any]) -> dict[str, Any]:
    """An answer of the report API: ``rows`` are name, code, id and cells."""
    return {
        "metadata": {"rowHierarchy": list(hierarchy), "columns": levels(columns)},
        "rows": [{"navn": name, "kode": code, "id": path, "data": list(data)} for name, code, path, *data in rows],
    }


def of_units(columns: Sequence[Sequence[str]], figures: Sequence[Sequence[str]], school_codes: bool) -> dict[str, Any]:
    rows = []
    for unit, path, data in zip(samples.rows(), PATHS, figures, strict=True):
        level = int(unit[0])
        code = unit[4] if level < 4 or school_codes else path.rpartition(".")[2]
        rows.append([unit[4 + level], code, path, *data])
    return pivot(("Nasjonalt", "Fylke", "Kommune", "Enhet"), columns, *rows)


def national_tests(
    *, year: str = "2024-25", grade: int = 5, school_codes: bool = True, mastery: bool = False
) -> dict[str, Any]:
    """The report of a grade: the units of the samples with the same figures. Schools may have internal ids alone."""
    measures = [*samples.MEASURES, *(f"Mestringsnivå {n}" for n in (1, 2, 3) if mastery)]
    columns = [(year, "Lesing", f"{grade}. årstrinn", "Alle eierformer", "Alle kjønn", m) for m in measures]
    figures = [[*row[9:], *(["21,5", "50,0", "28,5"] if mastery else [])] for row in samples.rows()]
    return of_units(columns, figures, school_codes)


def grade_points(*, school_codes: bool = True) -> dict[str, Any]:
    """The report of lower secondary grade points."""
    columns = [("2024-25", "Alle eierformer", "Alle kjønn", m) for m in ("Grunnskolepoeng", "Antall elever")]
    return of_units(columns, [["41,9", "1 056"]] * 3 + [["41,2", "30"], ["*", "*"], ["", ""]], school_codes)


def survey(
    *units: Sequence[str], figures: Sequence[str] = (), name: str = "Mobbing på skolen", code: str = "EUIndeks_1398"
) -> dict[str, Any]:
    """A report of the Pupil Survey: units in the header, the whole indicator and one question of it in the rows."""
    units = units or ((NATION, *SURVEY[1:]), (NATION, "Ytterfabel", "Brumeblom", "Alle skoler"))
    columns = [("2025-26", *unit, "10. årstrinn", "Alle eierformer", "Alle kjønn", "Andel mobbet") for unit in units]
    data = list(figures) or ["11,4", "*", "0,0"][: len(units)]
    return pivot(("Indikator", "Spørsmål"), columns, [name, code, "41", *data],
                 [QUESTION, "EUSpoersmaal_Q11811", "41.334", *["7,6"] * len(units)])  # fmt: skip


def survey_table(document: dict[str, Any] | None = None) -> list[list[str]]:
    """The same report as the rows of a CSV."""
    document = document or survey()
    spread = [
        [part["name"] for part in level for _ in range(part["columnCount"])]
        for level in document["metadata"]["columns"]
    ]
    header = ["SpoersmaalNivaa", "Spoersmaalgruppekode", "Spoersmaalgruppe", "Spoersmaalkode", "Spoersmaalnavn"]
    rows = document["rows"]
    group = [rows[0]["kode"], rows[0]["navn"]]
    return [
        header + [".".join(parts) for parts in zip(*spread, strict=True)],
        *[
            [str(1 + n), *group, row["kode"], row["navn"] if n else "Alle spørsmål", *row["data"]]
            for n, row in enumerate(rows)
        ],
    ]


def as_bytes(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()
