"""What every dbt model must have: documented columns with types, each text written once."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
import yaml

from dagster_project.publication.notes import column_notes
from dagster_project.settings import REPOSITORY, load_settings
from dagster_project.transform import dbt_step

MODELS = REPOSITORY / "dbt" / "models"
FILES = {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in sorted(MODELS.rglob("*.yml"))}
DOCUMENTED = {
    table["name"]: table
    for content in FILES.values()
    for table in [*content.get("models", ()), *(t for s in content.get("sources", ()) for t in s["tables"])]
    if "columns" in table
}


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return dbt_step.load_manifest(load_settings())


def test_every_model_belongs_to_a_group_and_only_marts_are_public(manifest: dict[str, Any]) -> None:
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    assert all(node["group"] for node in models)
    assert all((node["access"] == "public") == (node["fqn"][1] == "marts") for node in models)


def test_every_model_has_a_test_of_its_key(manifest: dict[str, Any]) -> None:
    nodes = manifest["nodes"].values()
    tests = [node for node in nodes if (node.get("test_metadata") or {}).get("name") == "unique_combination"]
    assert {n["unique_id"] for n in nodes if n["resource_type"] == "model"} == {t["attached_node"] for t in tests}


def test_every_intermediate_model_has_a_case_worked_by_hand(manifest: dict[str, Any]) -> None:
    models = [n for n in manifest["nodes"].values() if n["resource_type"] == "model"]
    cases = {case["model"] for case in manifest["unit_tests"].values()}
    assert {n["name"] for n in models if n["fqn"][1] == "intermediate"} - cases == set()
    beside = [(name, case["model"]) for name, content in FILES.items() for case in content.get("unit_tests", ())]
    assert [place for place in beside if place[0] != place[1]] == []


def test_every_column_has_a_type_and_a_description() -> None:
    """The types of the extracts are those of their contract in Python, and are not written again."""
    columns = [(name, c) for name, table in DOCUMENTED.items() for c in table["columns"]]
    assert [(name, c["name"]) for name, c in columns if not c.get("description")] == []
    untyped = {name for name, c in columns if not c.get("data_type")}
    assert untyped == {t["name"] for s in FILES["sources"]["sources"] for t in s["tables"] if "columns" in t}


def test_a_text_that_columns_share_stands_once_in_the_glossary() -> None:
    written = Counter(c["description"] for table in DOCUMENTED.values() for c in table["columns"])
    assert [text for text, times in written.items() if times > 1 and "doc(" not in text] == []
    blocks = re.findall(
        r"\{% docs (\w+) %\}\n(.*?)\n\{% enddocs %\}", (MODELS / "glossary.md").read_text("utf-8"), re.DOTALL
    )
    assert max(Counter(text for _, text in blocks).values()) == 1
    pointed_to = {name for text in written for name in re.findall(r"doc\('(\w+)'\)", text)}
    assert pointed_to == {name for name, _ in blocks}


def test_workbooks_and_pages_read_the_same_texts_as_the_documentation_of_dbt(manifest: dict[str, Any]) -> None:
    settings = load_settings()
    read = 0
    for node in [*manifest["nodes"].values(), *manifest["sources"].values()]:
        notes = column_notes(settings, node["name"])
        read += len(notes)
        assert {name: note.description for name, note in notes.items()} in (
            {}, {name: column["description"] for name, column in node["columns"].items()}
        )  # fmt: skip
        assert not any("{{" in note.description for note in notes.values())
    assert read > 300
