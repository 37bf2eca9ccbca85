"""What people read about a table and its columns, from the file that documents its model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from dagster_project.settings import Settings

FRACTIONS = {"risk_share", "coverage", "share_if_hidden_best", "share_if_hidden_worst", "absolute_hit_share"}
"""Columns that are shown as percent."""


@dataclass(frozen=True)
class ColumnNote:
    """What people read about a column."""

    description: str
    norsk: str


@cache
def model_note(settings: Settings, model: str) -> dict[str, Any]:
    """What the file that documents a mart says of it; nothing when there is no such file."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for path in (settings.dbt_project / "models" / "marts").rglob(f"{model}.yml"):
        noted: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), loader)["models"][0]
        return noted
    return {}


@cache
def column_notes(settings: Settings, model: str) -> dict[str, ColumnNote]:
    """Descriptions of a mart's columns, in English and Norwegian."""
    return {
        column["name"]: ColumnNote(
            column.get("description", ""), column.get("config", {}).get("meta", {}).get("norsk", "")
        )
        for column in model_note(settings, model).get("columns", ())
    }
