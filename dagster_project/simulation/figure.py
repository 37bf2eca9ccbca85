"""A figure of which municipalities are selected in which scenario. A Vega-Lite specification with its data inside."""

from __future__ import annotations

from typing import Any

from dagster_project.simulation.compare import groups_of
from dagster_project.simulation.scenario import WATERMARK, Outcome

COLOURS = {"average": "#1b5e8c", "spread": "#d9822b", "average+spread": "#6b4c9a", "not taken": "#e6e6e6"}


def membership(outcome: Outcome) -> list[dict[str, Any]]:
    """A row per municipality and scenario, for the municipalities that some but not all scenarios take."""
    taken = {s: groups_of(outcome, s) for s in outcome.scenarios}
    contested = sorted({code for groups in taken.values() for code in groups})
    contested = [code for code in contested if len({groups.get(code) for groups in taken.values()}) > 1]
    rows = []
    for scenario, groups in taken.items():
        here = {m["municipality_code"]: m for m in outcome.table("municipality_ranking", scenario).to_pylist()}
        for code in contested:
            unit = here.get(code, {})
            rows.append(
                {
                    "scenario": scenario,
                    "municipality": f"{code} {unit.get('municipality_name', '')}".strip(),
                    "group": groups.get(code, "not taken"),
                    "rank": unit.get("rank"),
                }
            )
    return rows


def vega_lite(outcome: Outcome, title: str) -> dict[str, Any]:
    """The figure as a Vega-Lite specification with its data inside."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "title": {"text": title, "subtitle": WATERMARK},
        "data": {"values": membership(outcome)},
        "encoding": {
            "x": {"field": "scenario", "type": "nominal", "sort": list(outcome.scenarios), "title": None},
            "y": {"field": "municipality", "type": "nominal", "title": None},
        },
        "layer": [
            {
                "mark": "rect",
                "encoding": {
                    "color": {
                        "field": "group",
                        "type": "nominal",
                        "scale": {"domain": list(COLOURS), "range": list(COLOURS.values())},
                    }
                },
            },
            {"mark": {"type": "text", "fontSize": 8}, "encoding": {"text": {"field": "rank", "type": "quantitative"}}},
        ],
    }
