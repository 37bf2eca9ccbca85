"""Lineage events of a run: valid by the OpenLineage specification, complete, and sent nowhere unless a server is named.

The specification is core 2-0-2 with the facet versions of ``openlineage_spec.py``, where it says what was read. The
client brings no schema files, only classes generated from them, each with its ``_schemaURL``. Events are held against
the schemas; the schemas' facets against the classes, so that a client that writes another version is noticed.
"""

from __future__ import annotations

import copy
import datetime as dt
import importlib
import json
import pkgutil
import threading
import types
import typing
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import attr
import dagster as dg
import openlineage.client.generated as generated
import pytest
from dagster._core.definitions.run_status_sensor_definition import RunStatusSensorCursor

from dagster_project.archive import Archive
from dagster_project.intake.flow import take_in_all
from dagster_project.orchestration import openlineage
from dagster_project.settings import HOME_VARIABLE, Settings, load_settings
from dagster_project.transform import columns as lineage
from dagster_project.transform import dbt_step
from tests import samples
from tests.pipeline.openlineage_spec import FACETS, Facet, facets_of, problems

START_OF_HISTORY = RunStatusSensorCursor(record_id=-1).to_json()
# column of a mart without a column it is made of: why that is right
WITHOUT_LINEAGE = {
    ("exceptions_in_force", "basis"): "register or cohort, written in the model",
    ("round_inputs", "needed"): "the model lists only what is needed",
    ("round_inputs", "cells"): "a count of rows",
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
    """The client's classes by the schema they say they are."""
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


def same_fields(rules: dict[str, Any], kind: Any, place: str) -> None:
    """Fail when a schema and a class of the client differ: in what is required, in names and types, all the way down."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        (kind,) = [a for a in arguments if a is not type(None)]
        same_fields(rules, kind, place)
    elif attr.has(kind):
        fields = {f.name: f for f in attr.fields(kind) if not f.name.startswith("_")}
        assert set(rules["properties"]) <= set(fields), place
        assert set(rules["required"]) == {n for n, f in fields.items() if f.default is attr.NOTHING}, place
        hints = typing.get_type_hints(kind)
        for name, inner in rules["properties"].items():
            same_fields(inner, hints[name], f"{place}.{name}")
    elif rules["type"] == "array":
        assert origin is list, place
        same_fields(rules["items"], arguments[0], f"{place}[]")
    elif rules["type"] == "object":
        assert origin is dict, place
        if "type" in rules.get("additionalProperties", {}):
            same_fields(rules["additionalProperties"], arguments[1], f"{place}[*]")
    else:
        assert {"string": str, "integer": int, "boolean": bool}[rules["type"]] is kind, place


def check_events(events: list[dict[str, Any]]) -> set[str]:
    """Every event is valid; the names of the facets seen."""
    assert [p for event in events for p in problems(event)] == []
    return {name for event in events for _, name, _ in facets_of(event)}


@pytest.mark.parametrize("facet", FACETS, ids=lambda f: f.name)
def test_the_client_writes_the_facet_versions_that_are_checked(facet: Facet) -> None:
    kind = facet_classes()[facet.url]
    assert facet.base in [base.__name__ for base in kind.__mro__]
    same_fields(facet.schema["$defs"][facet.name], kind, facet.name)


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
    assert {"value_is_between_0_and_100", "vanishing_share_is_at_most_0_05"} <= {c["name"] for c in checks}
    assert all(c["success"] for c in checks)
    assert str(country_home) not in json.dumps(events)


def record(error: str | None = None) -> openlineage.RunRecord:
    at = dt.datetime(2026, 2, 15, 7, tzinfo=dt.UTC)
    asset = openlineage.AssetOutcome("selection", "Who is selected.", "dbt/models/marts/selection.sql", at, at, error,
                                     ("limits",), checks=(openlineage.CheckOutcome("unique", False, "ERROR"),))  # fmt: skip
    return openlineage.RunRecord("5fca72bd-d682-48a3-8639-dcb7118180c8", "everything", at, at, "FAIL" if error else "COMPLETE", "abc",
                                 (asset,), "inbox")  # fmt: skip


SPOILT: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no job": lambda e: e.pop("job"),
    "no run": lambda e: e.pop("run"),
    "a run that is no UUID": lambda e: e["run"].update(runId="5"),
    "a time without an offset": lambda e: e.update(eventTime="2026-02-15T07:00:00"),
    "a time that is a day": lambda e: e.update(eventTime="2026-02-15"),
    "a time that does not exist": lambda e: e.update(eventTime="2026-02-30T07:00:00Z"),
    "an unknown state": lambda e: e.update(eventType="DONE"),
    "a producer that is no address": lambda e: e.update(producer="oppfolging run"),
    "another kind of event": lambda e: e.update(schemaURL=e["schemaURL"].replace("RunEvent", "JobEvent")),
    "an unknown field": lambda e: e.update(duration=5),
    "a job without a namespace": lambda e: e["job"].pop("namespace"),
    "an input without a name": lambda e: e["inputs"][0].pop("name"),
    "a facet without its producer": lambda e: e["job"]["facets"]["jobType"].pop("_producer"),
    "a facet of another version": lambda e: e["job"]["facets"]["jobType"].update(
        _schemaURL="https://openlineage.io/spec/facets/1-0-0/JobTypeJobFacet.json#/$defs/JobTypeJobFacet"
    ),
    "a facet without a field": lambda e: e["job"]["facets"]["jobType"].pop("integration"),
    "a source that is no address": lambda e: e["job"]["facets"]["sourceCodeLocation"].update(url="a file.sql"),
    "a parent that is no UUID": lambda e: e["run"]["facets"]["parent"]["run"].update(runId="5"),
    "a check that did not end": lambda e: e["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"][0].pop(
        "success"
    ),
    "a facet in the wrong place": lambda e: e["inputs"][0]["facets"].update(e["inputs"][0]["inputFacets"]),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_an_invalid_event_is_found(fault: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    openlineage.deliver(settings, record())
    (path,) = settings.lineage.iterdir()
    made = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    event = next(e for e in made if e["job"]["name"] == "selection.checks")
    assert problems(event) == []
    spoilt = copy.deepcopy(event)
    SPOILT[fault](spoilt)
    assert problems(spoilt)


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
    path.unlink()
    (warning,) = openlineage.deliver(settings, record())
    assert warning.code == "lineage-not-sent" and warning.severity == "WARN" and len(got) == 6


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    from dagster_project.definitions import build

    return build()


@pytest.fixture
def instance(rules_home: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """A history of its own, for a home with nothing but rules."""
    monkeypatch.setenv(HOME_VARIABLE, str(rules_home.home))
    with dg.instance_for_test() as made:
        yield made


def tick(defs: dg.Definitions, instance: dg.DagsterInstance, cursors: dict[str, str | None]) -> list[str]:
    """One look of each lineage sensor, as the daemon does it; the runs it acted on without an error."""
    acted = []
    for sensor in (s for s in defs.sensors or () if s.name.startswith("lineage_of_")):
        context = dg.build_sensor_context(
            instance, cursors.get(sensor.name), repository_def=defs.get_repository_def(), sensor_name=sensor.name
        )
        found = sensor.evaluate_tick(context)
        cursors[sensor.name] = found.cursor
        acted += [r.dagster_run.run_id for r in found.dagster_run_reactions if r.dagster_run and r.error is None]
    return acted


def materialise(
    defs: dg.Definitions, instance: dg.DagsterInstance, name: str, partition: str | None = None
) -> dg.ExecuteInProcessResult:
    """What the UI starts when an asset is materialised."""
    job = defs.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        instance=instance, asset_selection=[dg.AssetKey(name)], partition_key=partition, raise_on_error=False
    )


def delivered(settings: Settings, run_id: str) -> list[tuple[str, str]]:
    """(job, state) of the events of a run, which are valid."""
    made = [json.loads(line) for line in openlineage.file_of(settings, run_id).read_text("utf-8").splitlines()]
    check_events(made)
    return [(e["job"]["name"], e["eventType"]) for e in made]


def test_a_run_of_the_web_ui_delivers_once(
    defs: dg.Definitions, instance: dg.DagsterInstance, rules_home: Settings
) -> None:
    years = defs.resolve_assets_def("national_tests").partitions_def
    assert years is not None
    year = years.get_partition_keys()[-1]
    rules_home.inbox.mkdir()
    sent = samples.national_tests(rules_home.inbox / "tests.csv", year=year)
    assert [r.status for r in take_in_all([sent], rules_home)] == ["accepted"]
    cursors: dict[str, str | None] = {}
    tick(defs, instance, cursors)
    whole = materialise(defs, instance, "parameters").run_id
    part = materialise(defs, instance, "national_tests", year).run_id
    assert sorted(tick(defs, instance, cursors)) == sorted([whole, part])
    job = "__ASSET_JOB"
    assert delivered(rules_home, whole) == [
        (job, "START"), ("parameters", "START"), ("parameters", "COMPLETE"), (job, "COMPLETE"),
    ]  # fmt: skip
    assert delivered(rules_home, part) == [
        (job, "START"), ("national_tests", "START"), ("national_tests", "COMPLETE"),
        ("national_tests.checks", "START"), ("national_tests.checks", "COMPLETE"), (job, "COMPLETE"),
    ]  # fmt: skip
    before = {path: path.stat().st_mtime_ns for path in rules_home.lineage.iterdir()}
    assert len(before) == 2 and tick(defs, instance, cursors) == []
    # a second daemon, or one whose cursor was lost
    assert sorted(tick(defs, instance, dict.fromkeys(cursors, START_OF_HISTORY))) == sorted([whole, part])
    assert {path: path.stat().st_mtime_ns for path in rules_home.lineage.iterdir()} == before


def test_a_run_that_failed_or_was_stopped_is_told_as_that(
    defs: dg.Definitions, instance: dg.DagsterInstance, rules_home: Settings
) -> None:
    cursors: dict[str, str | None] = {}
    tick(defs, instance, cursors)
    rules_home.rounds.write_text("rounds: nonsense", encoding="utf-8")
    failed = materialise(defs, instance, "parameters").run_id
    job = defs.resolve_implicit_global_asset_job_def()
    stopped = instance.create_run_for_job(job, asset_selection=frozenset({dg.AssetKey("parameters")})).run_id
    never = instance.create_run_for_job(job, asset_selection=frozenset({dg.AssetKey("parameters")})).run_id
    instance.report_run_canceled(instance.get_run_by_id(stopped))
    instance.report_run_failed(instance.get_run_by_id(never))
    assert sorted(tick(defs, instance, cursors)) == sorted([failed, stopped, never])
    ends = [("parameters", "START"), ("parameters", "FAIL"), (job.name, "FAIL")]
    assert delivered(rules_home, failed) == [(job.name, "START"), *ends]
    assert delivered(rules_home, stopped) == [(job.name, "START"), (job.name, "ABORT")]
    assert delivered(rules_home, never) == [(job.name, "START"), (job.name, "FAIL")]
    made = openlineage.file_of(rules_home, failed).read_text("utf-8").splitlines()
    message = json.loads(made[2])["run"]["facets"]["errorMessage"]["message"]
    assert message.splitlines()[0].endswith("The rules cannot be used until these mistakes are corrected.")
    assert "at: rounds.yaml, line 1, column 1" in message and "DagsterExecution" not in message


def test_what_is_delivered_already_is_not_sent_again(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, openlineage_url="http://127.0.0.1:9")
    openlineage.file_of(settings, record().run_id).parent.mkdir()
    openlineage.file_of(settings, record().run_id).write_text("by somebody else", encoding="utf-8")
    assert openlineage.deliver(settings, record()) == []
    assert openlineage.file_of(settings, record().run_id).read_text("utf-8") == "by somebody else"


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
