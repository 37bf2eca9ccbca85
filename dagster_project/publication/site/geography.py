"""The outlines of a map: invented ones for the fictional country, those of a GeoJSON file for a real one."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster_project.diagnostics import Finding, RuleProblem, Severity

GEOJSON = "municipalities.geojson"
"""The file in the registers that a map of a real country is drawn from."""
PROPERTIES = ("kommunenummer", "kommunenr", "kommune_nr", "municipality_code", "code", "id")
WIDTH = 400.0
FINEST = 0.4
# how wide the invented country is from south to north, in parts of its widest place, and how far it leans
SHAPE = (0.35, 0.8, 1.0, 1.0, 0.9, 0.7, 0.5, 0.42, 0.36, 0.34, 0.34, 0.38, 0.46, 0.55, 0.5, 0.3)
LEAN = (0.0, 0.0, 0.0, 0.02, 0.05, 0.1, 0.16, 0.21, 0.26, 0.32, 0.38, 0.44, 0.5, 0.58, 0.7, 0.85)

Point = tuple[float, float]


@dataclass(frozen=True)
class Geography:
    """Outlines of municipalities by code, as SVG paths within a width and height."""

    width: float
    height: float
    outlines: Mapping[str, str]
    invented: bool = False


def _path(rings: Iterable[Sequence[Point]]) -> str:
    return "".join("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in ring) + "Z" for ring in rings)


def invented(codes: Iterable[str]) -> Geography:
    """A country of hexagons, long from south to north. Municipalities of a county lie together; the codes decide."""
    ordered = sorted(codes)
    if not ordered:
        return Geography(WIDTH, 1.0, {}, True)
    widest = max(1.0, math.sqrt(len(ordered) / sum(SHAPE) * len(SHAPE) / 2.2) * 1.35)
    rows: list[int] = []
    while sum(rows) < len(ordered):
        rows.append(0)
        # the more rows there are, the finer the shape is read off
        count = max(len(rows), math.ceil(len(ordered) / (widest * sum(SHAPE) / len(SHAPE))))
        rows = [max(1, round(widest * SHAPE[min(i * len(SHAPE) // count, len(SHAPE) - 1)])) for i in range(count)]
        widest *= 1.02
    lean = [LEAN[min(i * len(LEAN) // len(rows), len(LEAN) - 1)] * widest for i in range(len(rows))]
    places: list[tuple[int, float]] = []
    for i, width in enumerate(rows):
        cells = [(i, lean[i] + (widest - width) / 4 + x + (i % 2) / 2) for x in range(width)]
        places += cells if i % 2 == 0 else cells[::-1]
    used = places[: len(ordered)]
    right = max(x for _, x in used) + 1
    size = WIDTH / right
    high = size * math.sqrt(3) / 2 / math.sqrt(3) * 2
    last = max(i for i, _ in used)
    outlines = {}
    for code, (i, x) in zip(ordered, used, strict=True):
        middle = ((x + 0.5) * size, (last - i) * high * 0.75 + high / 2)
        angles, radius = [k * math.pi / 3 for k in range(6)], high / 2 * 0.97
        corners = [(middle[0] + math.sin(a) * radius, middle[1] - math.cos(a) * radius) for a in angles]
        outlines[code] = _path([corners])
    return Geography(WIDTH, last * high * 0.75 + high, outlines, True)


def of_geojson(path: Path) -> Geography:
    """The areas of a GeoJSON file of longitudes and latitudes whose properties name a municipality number.

    Raises:
        RuleProblem: the file is no GeoJSON of features, or its coordinates are no longitudes and latitudes.
    """
    areas: dict[str, list[Sequence[Point]]] = {}
    try:
        for feature in json.loads(path.read_text(encoding="utf-8"))["features"]:
            code = _code_of(feature)
            if code is not None:
                areas.setdefault(code, []).extend(_rings(feature["geometry"]))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise _no_outlines(path, f"{type(error).__name__}: {error}") from None
    points = [p for rings in areas.values() for ring in rings for p in ring]
    if wrong := next((p for p in points if not (abs(p[0]) <= 180 and abs(p[1]) <= 90)), None):
        raise _no_outlines(path, f"{wrong[0]}, {wrong[1]}")
    if not points:
        return Geography(WIDTH, 1.0, {})
    north, south = max(p[1] for p in points), min(p[1] for p in points)
    west, east = min(p[0] for p in points), max(p[0] for p in points)
    narrower = math.cos(math.radians((north + south) / 2))
    factor = WIDTH / ((east - west) * narrower or 1.0)

    def placed(ring: Sequence[Point]) -> list[Point]:
        found: list[Point] = []
        for longitude, latitude in ring:
            at = (longitude - west) * narrower * factor, (north - latitude) * factor
            if not found or abs(at[0] - found[-1][0]) + abs(at[1] - found[-1][1]) > FINEST:
                found.append(at)
        return found if len(found) > 2 else []

    outlines = {code: _path(r for ring in rings if (r := placed(ring))) for code, rings in sorted(areas.items())}
    return Geography(WIDTH, (north - south) * factor, {code: path for code, path in outlines.items() if path})


def _no_outlines(path: Path, found: str) -> RuleProblem:
    finding = Finding(
        "outlines-not-readable", Severity.FAIL, "the outlines of municipalities cannot be read", stage="rules",
        file=f"registers/{path.name}", found=found[:200],
        expected="a GeoJSON of features with coordinates in degrees, longitude before latitude",
        fix="Replace the file, or move it away: without it there is no map.",
    )  # fmt: skip
    return RuleProblem("The map cannot be drawn.", [finding])


def _code_of(feature: Mapping[str, Any]) -> str | None:
    named = {str(k).casefold(): v for k, v in (feature.get("properties") or {}).items()}
    found = next((named[p] for p in PROPERTIES if named.get(p) is not None), feature.get("id"))
    return None if found is None else str(found).zfill(4)


def _rings(geometry: Mapping[str, Any] | None) -> list[list[Point]]:
    if geometry is None:
        return []
    polygons = {"Polygon": lambda c: [c], "MultiPolygon": lambda c: c}.get(geometry["type"], lambda c: [])
    return [
        [(float(p[0]), float(p[1])) for p in ring] for polygon in polygons(geometry["coordinates"]) for ring in polygon
    ]
