"""One figure for scenarios: who is taken in which. As a Vega-Lite specification, and drawn as SVG without a network."""

from __future__ import annotations

from html import escape
from typing import Any

from dagster_project.simulation.compare import groups_of
from dagster_project.simulation.scenario import WATERMARK, Outcome

COLOURS = {"average": "#1b5e8c", "spread": "#d9822b", "average+spread": "#6b4c9a", "not taken": "#e6e6e6"}
CELL, LABEL, HEAD, ROW = 26, 210, 130, 17


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


def svg(outcome: Outcome, title: str) -> str:
    """The same figure as SVG: a column a scenario, a row a municipality, the rank in each cell."""
    rows = membership(outcome)
    names = sorted({row["municipality"] for row in rows})
    column = {s: LABEL + i * CELL for i, s in enumerate(outcome.scenarios)}
    line = {n: HEAD + i * ROW for i, n in enumerate(names)}
    width = LABEL + len(column) * CELL + 110
    height = HEAD + len(names) * ROW + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        f'font-size="11"><title>{escape(title)}</title><rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="8" y="18" font-size="13" font-weight="bold">{escape(title)}</text>',
        f'<text x="8" y="34" fill="#b00020">{escape(WATERMARK)}</text>',
    ]
    for scenario, x in column.items():
        at = f"{x + CELL / 2},{HEAD - 6}"
        parts.append(f'<text transform="translate({at}) rotate(-50)" font-size="9">{escape(scenario[:34])}</text>')
    for name, y in line.items():
        parts.append(f'<text x="{LABEL - 6}" y="{y + 12}" text-anchor="end">{escape(name)}</text>')
    for row in rows:
        x, y, fill = column[row["scenario"]], line[row["municipality"]], COLOURS[row["group"]]
        ink = "#444" if row["group"] == "not taken" else "#fff"
        parts.append(f'<rect x="{x}" y="{y}" width="{CELL - 1}" height="{ROW - 1}" fill="{fill}"/>')
        parts.append(
            f'<text x="{x + CELL / 2}" y="{y + 12}" text-anchor="middle" font-size="9" fill="{ink}">'
            f"{'' if row['rank'] is None else row['rank']}</text>"
        )
    x, y = 8, HEAD + len(names) * ROW + 14
    for group, fill in COLOURS.items():
        parts.append(f'<rect x="{x}" y="{y}" width="12" height="12" fill="{fill}"/><text x="{x + 16}" y="{y + 10}">'
                     f"{group}</text>")  # fmt: skip
        x += 110
    return "\n".join([*parts, "</svg>", ""])
