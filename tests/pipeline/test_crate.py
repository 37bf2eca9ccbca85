"""The description of a revision for other programs: the shape of an RO-Crate, with every file in it."""

from __future__ import annotations

import json
from pathlib import Path

from dagster_project.archive.store import sha256_of
from dagster_project.publication.crate import CRATE
from dagster_project.settings import load_settings


def test_the_crate_has_the_shape_of_ro_crate_and_names_every_file_with_its_hash(country_home: Path) -> None:
    revision = load_settings(country_home).published / "fictional-2026" / "r0001"
    crate = json.loads((revision / CRATE).read_text(encoding="utf-8"))
    assert crate["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    graph = {e["@id"]: e for e in crate["@graph"]}
    assert len(graph) == len(crate["@graph"])
    descriptor, root, run = graph[CRATE], graph["./"], graph["#run"]
    assert descriptor["about"] == {"@id": "./"} and descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert root["@type"] == "Dataset" and all(root[k] for k in ("name", "description", "datePublished", "license"))

    def references(value: object) -> list[str]:
        if isinstance(value, dict):
            return [value["@id"]] if set(value) == {"@id"} else [r for v in value.values() for r in references(v)]
        return [r for v in value for r in references(v)] if isinstance(value, list) else []

    outside = {"https://w3id.org/ro/crate/1.1", "http://schema.org/CompletedActionStatus"}
    assert {r for e in crate["@graph"] for r in references(e)} <= set(graph) | outside
    parts = {p["@id"] for p in root["hasPart"]}
    on_disk = {p.relative_to(revision).as_posix() for p in revision.rglob("*") if p.is_file()}
    assert parts == on_disk - {CRATE} == {i for i, e in graph.items() if e["@type"] == "File"}
    assert all(graph[p]["sha256"] == sha256_of(revision / p) for p in parts - {"manifest.json"})
    manifest = json.loads((revision / "manifest.json").read_text(encoding="utf-8"))
    assert run["@type"] == "CreateAction" and run["endTime"] == manifest["created_at"]
    made_from = {graph[o["@id"]]["sha256"] for o in run["object"]}
    assert made_from >= {i["sha256"] for i in manifest["inputs"]} | {manifest["rule_set"]["sha256"]}
    assert "internal/selection.parquet" in {r["@id"] for r in run["result"]}
