"""Lineage events of a run: valid by the OpenLineage schema, complete, and sent nowhere unless a server is named.

The published JSON schema is not part of the Python client, so events are checked twice: against the rules of
``RunEvent`` transcribed below, and facet by facet against the client's own classes, which are generated from it.
"""

from __future__ import annotations

import datetime as dt
import importlib
import json
import pkgutil
import threading
import types
import typing
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import attr
import openlineage.client.generated as generated
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from dagster_project import dbt_step, lineage
from dagster_project.extracts import Archive
from dagster_project.lineage import openlineage
from dagster_project.settings import Settings, load_settings

NAMED = {"type": "object", "required": ["namespace", "name"],
         "properties": {"namespace": {"type": "string", "minLength": 1}, "name": {"type": "string", "minLength": 1},
                        "facets": {"$ref": "#/$defs/facets"}, "inputFacets": {"$ref": "#/$defs/facets"},
                        "outputFacets": {"$ref": "#/$defs/facets"}}}  # fmt: skip
RUN_EVENT = {
    "type": "object",
    "required": ["eventTime", "producer", "schemaURL", "run", "job"],
    "additionalProperties": False,
    "properties": {
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "eventTime": {"type": "string", "format": "date-time"},
        "producer": {"type": "string", "pattern": "^[a-z]+:.+"},
        "schemaURL": {"type": "string", "pattern": "OpenLineage.json#/.defs/RunEvent$"},
        "run": {"type": "object", "required": ["runId"],
                "properties": {"runId": {"type": "string", "format": "uuid"}, "facets": {"$ref": "#/$defs/facets"}}},
        "job": NAMED,
        "inputs": {"type": "array", "items": NAMED},
        "outputs": {"type": "array", "items": NAMED},
    },
    "$defs": {"facets": {"type": "object", "additionalProperties": {"type": "object", "required": ["_producer", "_schemaURL"]}}},
}  # fmt: skip
VALIDATOR = Draft202012Validator(RUN_EVENT, format_checker=FormatChecker())
# column of a mart without a column it is made of: why that is right
WITHOUT_LINEAGE = {
    ("exceptions_in_force", "basis"): "register or cohort, written in the model",
    ("support_measures_summary", "summary_level"): "the name of the level, written in the model",
    ("support_measures_summary", "measures"): "a count of rows",
}


@pytest.fixture(scope="module")
def events(country_home: Path) -> list[dict[str, Any]]:
    """The run that took in the first files."""
    path = min(
        (country_home / "lineage").glob("*.jsonl"), key=lambda p: json.loads(p.read_text().splitlines()[0])["eventTime"]
    )
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def facet_classes() -> dict[str, type]:
    modules = [
        importlib.import_module(f"{generated.__name__}.{m.name}") for m in pkgutil.iter_modules(generated.__path__)
    ]
    found = (
        c
        for m in modules
        for c in vars(m).values()
        if isinstance(c, type) and attr.has(c) and hasattr(c, "_get_schema")
    )
    return {c._get_schema(): c for c in found}  # type: ignore[attr-defined]


def as_class(kind: Any, value: Any, place: str) -> None:
    """Fail when a value is not what the client's class says: unknown, missing or mistyped fields, all the way down."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any or (value is None and type(None) in arguments):
        return
    if origin in (typing.Union, types.UnionType):
        (kind,) = [a for a in arguments if a is not type(None)]
        as_class(kind, value, place)
    elif origin is list:
        assert isinstance(value, list), place
        for item in value:
            as_class(arguments[0], item, place)
    elif origin is dict:
        assert isinstance(value, dict), place
        for name, item in value.items():
            as_class(arguments[1], item, f"{place}.{name}")
    elif attr.has(kind):
        hints = typing.get_type_hints(kind)
        fields = {f.name: f for f in attr.fields(kind) if not f.name.startswith("_")}
        given = {name: item for name, item in value.items() if not name.startswith("_")}
        assert set(given) <= set(fields), f"{place}: unknown {set(given) - set(fields)}"
        required = {n for n, f in fields.items() if f.default is attr.NOTHING}
        assert required <= set(given), f"{place}: missing {required - set(given)}"
        for name, item in given.items():
            as_class(hints[name], item, f"{place}.{name}")
    else:
        assert isinstance(value, kind) and not (kind is int and isinstance(value, bool)), f"{place}: {value!r}"


def facets_of(event: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    holders = [event["run"], event["job"], *event.get("inputs", []), *event.get("outputs", [])]
    for holder in holders:
        for kind in ("facets", "inputFacets", "outputFacets"):
            yield from holder.get(kind, {}).items()


def check_events(events: list[dict[str, Any]]) -> set[str]:
    classes, seen = facet_classes(), set()
    for event in events:
        problems = [f"{e.json_path}: {e.message}" for e in VALIDATOR.iter_errors(event)]
        assert problems == []
        assert dt.datetime.fromisoformat(event["eventTime"]).tzinfo is not None
        for name, facet in facets_of(event):
            as_class(classes[facet["_schemaURL"]], facet, f"{event['job']['name']}.{name}")
            seen.add(name)
    return seen


def test_every_event_is_valid_and_every_run_begins_and_ends_once(events: list[dict[str, Any]]) -> None:
    assert check_events(events) == {
        "processing_engine", "parent", "documentation", "jobType", "sourceCodeLocation", "schema", "columnLineage",
        "dataQualityAssertions", "outputStatistics", "version",
    }  # fmt: skip
    runs: dict[str, list[str]] = {}
    for event in events:
        runs.setdefault(event["run"]["runId"], []).append(event["eventType"])
    assert all(states == ["START", "COMPLETE"] for states in runs.values())


def test_events_cover_every_asset_of_the_run_and_connect_files_to_the_publication(
    events: list[dict[str, Any]], country_home: Path
) -> None:
    ended = {e["job"]["name"]: e for e in events if e["eventType"] == "COMPLETE"}
    models = {
        n["name"] for n in dbt_step.load_manifest(load_settings())["nodes"].values() if n["resource_type"] == "model"
    }
    others = {"everything", "inbox", "decisions", "published_cohort", "national_tests", "pupil_survey", "grade_points", "school_register",
              "municipality_changes", "parameters", "published_round"}  # fmt: skip
    assert models | others <= set(ended)
    files = {i["name"]: i["facets"]["version"]["datasetVersion"] for i in ended["inbox"]["inputs"]}
    arrived = {
        e["file"]
        for e in Archive(load_settings(country_home)).events("arrived")
        if events[0]["run"]["runId"] in e["by"]
    }
    assert set(files) == {f"archive/{name}" for name in arrived} and len(files) > 10
    assert all((country_home / "archive" / "objects" / v[:2] / v).exists() for v in files.values())
    made_of = {e["outputs"][0]["name"]: {i["name"] for i in e["inputs"]} for e in ended.values() if e["outputs"]}
    reached, waiting = set(), ["published_round"]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += made_of.get(name, ())
    assert set(files) <= reached
    share = ended["municipality_ranking"]["outputs"][0]["facets"]["columnLineage"]["fields"]["risk_share"]
    assert [(f["name"], f["field"]) for f in share["inputFields"]] == [("int_municipality_ratings", "risk_share")]
    checks = ended["national_tests.checks"]["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert {"value_off_scale", "number_of_schools_jumped"} <= {c["name"] for c in checks} and all(
        c["success"] for c in checks
    )
    assert str(country_home) not in json.dumps(events)


def record(error: str | None = None) -> openlineage.RunRecord:
    at = dt.datetime(2026, 2, 15, 7, tzinfo=dt.UTC)
    asset = openlineage.AssetOutcome("selection", "Who is selected.", "dbt/models/marts/selection.sql", at, at, error,
                                     ("limits",), checks=(openlineage.CheckOutcome("unique", False, "ERROR"),))  # fmt: skip
    return openlineage.RunRecord("5fca72bd-d682-48a3-8639-dcb7118180c8", "everything", at, at, error is None, "abc",
                                 (asset,), "inbox")  # fmt: skip


def test_a_failed_asset_ends_with_its_error(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert openlineage.deliver(settings, record("a test failed")) == []
    (path,) = settings.lineage.iterdir()
    made = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    check_events(made)
    ends = {e["job"]["name"]: e for e in made if e["eventType"] != "START"}
    assert [ends[n]["eventType"] for n in ("selection", "selection.checks", "everything")] == [
        "FAIL",
        "COMPLETE",
        "FAIL",
    ]
    assert ends["selection"]["run"]["facets"]["errorMessage"]["message"] == "a test failed"


def test_a_configured_server_gets_every_event_and_a_dead_one_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: list[dict[str, Any]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        # the client's own variable is not ours: it must send nothing
        monkeypatch.setenv("OPENLINEAGE_URL", url)
        assert openlineage.deliver(load_settings(tmp_path / "quiet"), record()) == [] and got == []
        monkeypatch.setenv("OPPFOLGING_OPENLINEAGE_URL", url)
        settings = load_settings(tmp_path)
        assert openlineage.deliver(settings, record()) == []
        server.shutdown()
    (path,) = settings.lineage.iterdir()
    assert got == [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    (warning,) = openlineage.deliver(settings, record())
    assert warning.code == "lineage-not-sent" and warning.severity == "WARN" and len(got) == 6


def test_every_column_of_every_mart_has_lineage_or_a_reason() -> None:
    settings = load_settings()
    manifest, known = dbt_step.load_manifest(settings), lineage.read(settings)
    marts = {uid: n for uid, n in manifest["nodes"].items() if n["resource_type"] == "model" and n["fqn"][1] == "marts"}
    without = {(n["name"], c) for uid, n in marts.items() for c in n["columns"] if not known[uid].get(c)}
    assert without == set(WITHOUT_LINEAGE) and all(len(reason) > 10 for reason in WITHOUT_LINEAGE.values())
    exposures = {e["name"]: set(e["depends_on"]["nodes"]) for e in manifest["exposures"].values()}
    estimates = {uid: n for uid, n in manifest["sources"].items() if n["source_name"] == "estimates"}
    assert exposures["published_round"] | exposures["monitoring"] == set(marts) | set(estimates)
    # made outside of dbt: what a column is made of stands in the file that documents it, and exists
    columns = {n["name"]: set(n["columns"]) for n in (marts | estimates).values()}
    for node in estimates.values():
        written = {c: note["config"]["meta"].get("made_of", ()) for c, note in node["columns"].items()}
        assert sum(bool(origins) for origins in written.values()) > len(written) / 2
        for origin in (o for origins in written.values() for o in origins):
            table, column = origin.split(".")
            assert column in columns[table], origin
    assert exposures["published_round"].isdisjoint(exposures["monitoring"]) and exposures["explain"] <= set(marts)
