"""The event study as a Vega-Lite chart: a plain dictionary with its data inside, for a page that draws it offline."""

from __future__ import annotations

from typing import Any

from dagster_project.effects.results import EVENT_STUDY, CohortEffects


def event_study_chart(effects: CohortEffects, cohort: str, title: str) -> dict[str, Any]:
    """Points with intervals by year; ``title`` must say so when the data are fictional.

    A cohort without an event study gives a chart without points.
    """
    values = [
        {"year": r.event_time, "estimate": r.estimate, "low": r.ci_low, "high": r.ci_high}
        for r in effects.rows
        if r.cohort == cohort and r.method == EVENT_STUDY and r.estimate is not None
    ]
    year = {"field": "year", "type": "ordinal", "title": "År etter uttrekket / years after the selection"}
    share = "Forskjell i risikoandel / difference in risk share"
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "title": title,
        "data": {"values": values},
        "layer": [
            {"mark": "rule", "encoding": {"y": {"datum": 0}, "color": {"value": "#999"}}},
            {
                "mark": "rule",
                "encoding": {
                    "x": year,
                    "y": {"field": "low", "type": "quantitative", "title": share},
                    "y2": {"field": "high"},
                },
            },
            {
                "mark": {"type": "point", "filled": True},
                "encoding": {"x": year, "y": {"field": "estimate", "type": "quantitative", "title": share}},
            },
        ],
    }
