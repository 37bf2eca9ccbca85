"""The outlines of a map: a GeoJSON is joined by number, and the invented country is the same every time."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from dagster_project.diagnostics import RuleProblem
from dagster_project.publication.site.geography import invented, of_geojson

SQUARE = [[[10.0, 60.0], [11.0, 60.0], [11.0, 61.0], [10.0, 61.0], [10.0, 60.0]]]


def feature(properties: dict[str, Any], kind: str = "Polygon", coordinates: Any = SQUARE) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": {"type": kind, "coordinates": coordinates}}


def test_features_are_joined_by_number_and_several_of_one_number_are_one_area(tmp_path: Path) -> None:
    east = [[[x + 1, y] for x, y in SQUARE[0]]]
    path = tmp_path / "municipalities.geojson"
    features = [
        feature({"Kommunenummer": "0301"}),
        feature({"kommunenr": 1103}, "MultiPolygon", [SQUARE, east]),
        feature({"code": "0301"}, coordinates=east),
        feature({"navn": "uten nummer"}),
        {"type": "Feature", "id": "4601", "properties": None, "geometry": None},
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    geography = of_geojson(path)
    assert set(geography.outlines) == {"0301", "1103"} and not geography.invented
    assert all(outline.count("M") == outline.count("Z") == 2 for outline in geography.outlines.values())
    places = [float(n) for n in re.findall(r"[\d.]+", " ".join(geography.outlines.values()))]
    assert min(places) == 0 and max(places) <= max(geography.width, geography.height) + 0.1
    # a degree of longitude is about half one of latitude at 60 degrees north
    assert 0.95 < geography.height / (geography.width / 2) * 0.5 < 1.1


BAD = {
    "no JSON": "outlines",
    "empty": "",
    "a list": "[]",
    "no features": '{"type": "FeatureCollection"}',
    "a geometry alone": '{"type": "GeometryCollection", "geometries": []}',
    "coordinates as text": json.dumps({"features": [feature({"code": "0301"}, coordinates=[[["a", "b"]]])]}),
    "metres": json.dumps({"features": [feature({"code": "0301"}, coordinates=[[[262000, 6650000], [263000, 6650000], [263000, 6651000]]])]}),
    "no number": json.dumps({"features": [feature({"code": "0301"}, coordinates=[[[float("nan"), 60], [11, 60], [11, 61]]])]}),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_cannot_be_drawn_is_named_with_what_was_found(tmp_path: Path, name: str) -> None:
    path = tmp_path / "municipalities.geojson"
    path.write_text(BAD[name], encoding="utf-8")
    with pytest.raises(RuleProblem) as caught:
        of_geojson(path)
    (finding,) = caught.value.findings
    assert (
        finding.code == "outlines-not-readable" and finding.file == "registers/municipalities.geojson" and finding.fix
    )


def test_the_invented_country_has_an_outline_for_everybody_and_is_the_same_twice() -> None:
    codes = [f"{county}{n:02d}" for county in range(61, 79) for n in range(1, 21)]
    first = invented(codes)
    assert first == invented(reversed(codes)) and first.invented
    assert set(first.outlines) == set(codes) and len(set(first.outlines.values())) == len(codes)
    for few in ([], ["6101"], codes[:7]):
        assert set(invented(few).outlines) == set(few)
