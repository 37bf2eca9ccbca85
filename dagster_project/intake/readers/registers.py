"""JSON registers: the National School Register (NSR, version 4) and SSB's municipality codes (Klass 131).

NSR comes as pages of a list (``EnhetListe``) or as one unit. Klass comes as changes (``codeChanges``) or as a version
(``classificationItems``). ``source_row`` is the position of the object in its list, from 0.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from dagster_project import schema
from dagster_project.intake.cells import FIRST_FICTIONAL_COUNTY, ExtractTable, problem, refuse

NSR_LIST, KLASS_CHANGES, KLASS_ITEMS = "EnhetListe", "codeChanges", "classificationItems"


def looks_like(content: object) -> str | None:
    """``nsr_v4``, ``klass_changes`` or ``klass_version`` by the keys of the document."""
    if not isinstance(content, dict):
        return None
    if NSR_LIST in content or {"Organisasjonsnummer", "ErSkole", "ErGrunnskole"} <= set(content):
        return "nsr_v4"
    if KLASS_CHANGES in content:
        return "klass_changes"
    return "klass_version" if KLASS_ITEMS in content else None


def _ownership(unit: Mapping[str, Any]) -> str:
    if unit.get("ErPrivatskole"):
        return "private"
    return "public" if unit.get("ErOffentligSkole") else "unknown"


def _date(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text[:10]) if text else None


def _nested(unit: Mapping[str, Any], outer: str, key: str) -> Any:
    return unit.get(key) if key in unit else (unit.get(outer) or {}).get(key)


def _collect(
    items: list[Any], name: str, what: str, make: Callable[[int, Mapping[str, Any]], dict[str, Any]]
) -> list[dict[str, Any]]:
    rows, findings = [], []
    for position, item in enumerate(items):
        try:
            rows.append(make(position, item))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            findings.append(
                problem(
                    "damaged-record",
                    f"a record of {what} cannot be read",
                    name,
                    row=position,
                    column=what,
                    found=f"{type(error).__name__}: {error}",
                    expected="the keys and dates of the published format",
                    fix="Download the file again.",
                )
            )
    refuse(name, findings)
    return rows


def read_nsr(content: Mapping[str, Any], name: str, sha256: str) -> list[ExtractTable]:
    """Schools of the register; units that are no schools are left out."""
    import pyarrow as pa

    def make(position: int, unit: Mapping[str, Any]) -> dict[str, Any]:
        municipality = str(_nested(unit, "Kommune", "Kommunenummer"))
        return {
            "school_code": str(unit["Organisasjonsnummer"]),
            # a name that is null stays null, so that the suite sees it
            "school_name": None if unit["Navn"] is None else str(unit["Navn"]).strip() or None,
            "municipality_code": municipality,
            "county_code": str(_nested(unit, "Fylke", "Fylkesnummer")),
            "active": bool(unit["ErAktiv"]),
            "is_compulsory": bool(unit["ErGrunnskole"]),
            "ownership": _ownership(unit),
            "special": bool(unit.get("ErSpesialskole")),
            "closed_on": _date(unit.get("UtgaattDato")),
            "grade_from": unit.get("SkoletrinnGSFra"),
            "grade_to": unit.get("SkoletrinnGSTil"),
            "governor_code": (unit.get("Fylke") or {}).get("StatsforvalterOrganisasjonsnummer"),
            "fictional": municipality >= FIRST_FICTIONAL_COUNTY and not municipality.startswith("99"),
            "source_sha256": sha256,
            "source_row": position,
            "source_column": "Organisasjonsnummer",
        }

    units = content.get(NSR_LIST, [content])
    schools = [row for row in _collect(units, name, NSR_LIST, make) if units[row["source_row"]].get("ErSkole")]
    newest = {row["school_code"]: row for row in schools}
    table = pa.Table.from_pylist(list(newest.values()), schema=schema.register_schema())
    return [ExtractTable(schema.SCHOOL_REGISTER, table, tuple(units[0]) if units else ())]


def read_changes(content: Mapping[str, Any], name: str, sha256: str) -> list[ExtractTable]:
    """Changes of municipality codes, as published; what they mean is worked out in the models."""
    import pyarrow as pa

    def make(position: int, change: Mapping[str, Any]) -> dict[str, Any]:
        codes = (str(change["oldCode"]), str(change["newCode"]))
        return {
            "old_code": codes[0],
            "old_name": str(change["oldName"]).strip(),
            "new_code": codes[1],
            "new_name": str(change["newName"]).strip(),
            "change_date": dt.date.fromisoformat(change["changeOccurred"]),
            "fictional": all(FIRST_FICTIONAL_COUNTY <= code < "99" for code in codes),
            "source_sha256": sha256,
            "source_row": position,
            "source_column": "newCode",
        }

    changes = content[KLASS_CHANGES]
    unique = {(r["old_code"], r["new_code"], r["change_date"]): r for r in _collect(changes, name, KLASS_CHANGES, make)}
    table = pa.Table.from_pylist(list(unique.values()), schema=schema.changes_schema())
    return [ExtractTable(schema.MUNICIPALITY_CHANGES, table, tuple(changes[0]) if changes else ())]


def read_version(content: Mapping[str, Any], name: str, sha256: str) -> list[ExtractTable]:
    """Municipality codes valid from a day."""
    import pyarrow as pa

    valid_from = content.get("validFrom")

    def make(position: int, item: Mapping[str, Any]) -> dict[str, Any]:
        code = str(item["code"])
        return {
            "code": code,
            "name": str(item["name"]).strip(),
            "parent_code": item.get("parentCode") or code[:2],
            "valid_from": dt.date.fromisoformat(str(item.get("validFromInRequestedRange") or valid_from)[:10]),
            "fictional": FIRST_FICTIONAL_COUNTY <= code < "99",
            "source_sha256": sha256,
            "source_row": position,
            "source_column": "code",
        }

    items = content[KLASS_ITEMS]
    table = pa.Table.from_pylist(_collect(items, name, KLASS_ITEMS, make), schema=schema.versions_schema())
    return [ExtractTable(schema.MUNICIPALITY_VERSIONS, table, tuple(items[0]) if items else ())]
