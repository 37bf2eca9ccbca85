"""What people read about a table and its columns, from the file that documents its model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dagster_project.pages.words import N_
from dagster_project.rules.reader import yaml_of
from dagster_project.settings import Settings

FRACTIONS = {
    "risk_share", "coverage", "share_if_hidden_best", "share_if_hidden_worst", "absolute_hit_share", "mean_of_draws",
    "share_low", "share_high", "probability_selected", "probability_average", "probability_spread",
    "probability_worst_quartile",
}  # fmt: skip
"""Columns that are shown as percent."""

TABLES = {
    "municipality_ranking": N_("ranking of municipalities"),
    "selection": N_("selection"),
    "school_ranking": N_("ranking of schools"),
    "indicator_points": N_("points, figure by figure"),
    "limits": N_("limits"),
    "area_shares": N_("shares by indicator area"),
    "exceptions_in_force": N_("exceptions"),
    "round_inputs": N_("figures the round needs"),
    "selection_uncertainty": N_("uncertainty"),
    "point_sources": N_("source of every figure"),
    "cohort_sources": N_("source of every figure"),
    "cohort_progress": N_("progress"),
    "cohort_effect": N_("effects"),
    "followup_report_status": N_("reports"),
    "support_measures_summary": N_("measures and money"),
    "nearest_changes": N_("the smallest changes that would have been enough"),
    "official_list": N_("the official list beside the proposal"),
    "official_list_summary": N_("the official list beside the proposal, in numbers"),
}
"""What people call the published tables."""

BLOCK = re.compile(r"\{% docs (\w+) %\}\n(.*?)\n\{% enddocs %\}", re.DOTALL)
REFERENCE = re.compile(r"\{\{ doc\('(\w+)'\) \}\}")


@dataclass(frozen=True)
class ColumnNote:
    """What people read about a column. ``made_of`` names columns of other marts, where dbt cannot know them.

    A ``detail`` is folded away in workbooks.
    """

    description: str
    norsk: str
    data_type: str = ""
    made_of: tuple[str, ...] = ()
    detail: bool = False


@cache
def model_note(settings: Settings, model: str) -> dict[str, Any]:
    """What the file that documents a mart says of it; nothing when there is no such file.

    A mart that is made outside of dbt is documented as a source of it.
    """
    for path in (settings.dbt_project / "models" / "marts").rglob(f"{model}.yml"):
        content = yaml_of(path)
        noted: dict[str, Any] = content["models"][0] if "models" in content else content["sources"][0]["tables"][0]
        return noted
    return {}


def marts(settings: Settings) -> dict[str, Path]:
    """The marts there are, by name: those that dbt describes. Another file beside them is none."""
    known = {path.stem for path in (settings.dbt_project / "models" / "marts").rglob("*.yml")}
    return {path.stem: path for path in sorted(settings.marts.glob("*.parquet")) if path.stem in known}


@cache
def column_notes(settings: Settings, model: str) -> dict[str, ColumnNote]:
    """Descriptions of a mart's columns, in English and Norwegian."""
    texts, found = _glossary(settings), {}
    for column in model_note(settings, model).get("columns", ()):
        meta = column.get("config", {}).get("meta", {})
        found[column["name"]] = ColumnNote(
            REFERENCE.sub(lambda reference: texts[reference[1]], column.get("description", "")),
            meta.get("norsk", ""),
            column.get("data_type", ""),
            tuple(meta.get("made_of", ())),
            bool(meta.get("detail")),
        )
    return found


@cache
def _glossary(settings: Settings) -> dict[str, str]:
    """The doc blocks of dbt by name, from their file: whoever reads a mart needs no manifest for it."""
    return dict(BLOCK.findall((settings.dbt_project / "models" / "glossary.md").read_text(encoding="utf-8")))
