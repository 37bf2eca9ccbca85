"""Marts follow from one snapshot: a build is repeated when anything that went in or came out is not what it was."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from dagster_project import schema
from dagster_project.archive.store import sha256_of
from dagster_project.diagnostics import PipelineProblem
from dagster_project.intake import flow
from dagster_project.intake.partitions import PART, partition_folder
from dagster_project.rounds.inputs import accept_missing
from dagster_project.settings import REPOSITORY, Settings, load_settings
from dagster_project.transform import built, dbt_step, snapshot
from dagster_project.transform.dbt_step import DbtOutcome, NodeResult
from dagster_project.transform.parameters import is_compiled
from dagster_project.transform.parsed import parsed_manifest
from dagster_project.transform.snapshot import Snapshot
from dagster_project.transform.warehouse import INPUTS, prepare_home, record_path
from tests import samples
from tests.conftest import NOW
from tests.homes import take_in

pytestmark = pytest.mark.usefixtures("shared_reader")
DAY = dt.date(2026, 11, 24)
KEY = (schema.NATIONAL_TESTS, "2024-25")


def result(name: str, status: str = "success") -> NodeResult:
    return NodeResult(f"model.{name}", name, "model", status, 0.1, 0, "", "select 1", rows=("a row",))


class Models:
    """Stands for dbt: writes every mart, and keeps what it was asked. ``fails`` is the mart at which it stops."""

    def __init__(self) -> None:
        self.selected: list[list[str]] = []
        self.inputs: list[dict[str, list[Path]]] = []
        self.fails = ""

    def __call__(self, settings: Settings, inputs: Any, *, select: Any = (), on_node: Any = None) -> DbtOutcome:
        prepare_home(settings, inputs)
        record_path(settings).unlink(missing_ok=True)
        self.selected.append(list(select))
        self.inputs.append(dict(inputs))
        duckdb.connect(str(settings.warehouse)).close()
        names = sorted(select or built.mart_names(settings))
        for name in names:
            (settings.marts / f"{name}.parquet").write_text(f"{name} {len(self.selected)}")
        return DbtOutcome(tuple(result(n, "error" if n == self.fails else "success") for n in names))


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> Models:
    stand_in = Models()
    monkeypatch.setattr(dbt_step, "build", stand_in)
    return stand_in


@pytest.fixture
def home(rules_home: Settings, models: Models, tmp_path: Path) -> Settings:
    """A home with one file in force and marts that were built from it."""
    (accepted,) = take_in(rules_home, samples.national_tests(tmp_path / "a.csv"))
    assert accepted.status == "accepted"
    rules_home.warehouse.parent.mkdir()
    duckdb.connect(str(rules_home.warehouse)).close()
    build(rules_home)
    return rules_home


@pytest.mark.parametrize("why", ["an older copy was put back", "another day"])
def test_one_model_is_built_alone_only_on_the_warehouse_that_the_last_build_left(
    home: Settings, models: Models, why: str
) -> None:
    """An older copy of the warehouse gave the figures of then, and nothing objected."""
    build(home, "selection")
    assert models.selected[-1] == ["selection"]
    if why == "another day":
        built.build_models(home, now(home, DAY + dt.timedelta(days=1)), "a run", select=["selection"])
    else:
        with duckdb.connect(str(home.warehouse)) as warehouse:
            warehouse.execute("create table of_then as select 1 as figure")
        build(home, "selection")
    assert models.selected[-1] == []


def now(settings: Settings, day: dt.date = DAY) -> Snapshot:
    return snapshot.take(settings, day=day)


def build(settings: Settings, *select: str) -> DbtOutcome:
    return built.build_models(settings, now(settings), "a run", select=select)


def differing(settings: Settings) -> str:
    """What the finding says when the marts do not follow from what stands now; empty when they do."""
    findings = built.differences(settings, now(settings))
    assert [f.code for f in findings] in ([], ["marts-not-of-the-snapshot"])
    assert all(f.fix and f.expected and f.stage == "publication" for f in findings)
    return "; ".join(str(f.found) for f in findings)


def test_the_same_home_is_recognised(home: Settings) -> None:
    found = built.last_build(home)
    assert found is not None and found.run_id == "a run" and found.snapshot == now(home)
    assert {r.name for r in found.results} == built.mart_names(home) == set(found.marts)
    assert differing(home) == ""
    # a table that a later step puts there is not dbt's
    (home.marts / "of_a_later_step.parquet").write_text("estimates")
    assert built.last_build(home) == found
    # the day decides which report is late, and nothing about a round
    assert built.differences(home, now(home, DAY + dt.timedelta(days=1))) == []


def torn(settings: Settings) -> None:
    record = record_path(settings).read_text(encoding="utf-8")
    record_path(settings).write_text(record[: len(record) // 2], encoding="utf-8")


@pytest.mark.parametrize(
    "change",
    [
        lambda home: (home.marts / "selection.parquet").write_text("tampered with"),
        lambda home: (home.marts / "selection.parquet").unlink(),
        lambda home: record_path(home).unlink(),
        torn,
    ],
)
def test_marts_that_are_not_as_the_build_left_them_ask_for_a_build(
    home: Settings, change: Callable[[Settings], object]
) -> None:
    change(home)
    assert built.last_build(home) is None
    assert differing(home) == "the marts are missing, changed by hand, or from a build that did not end"
    build(home)
    assert differing(home) == ""


def new_file(score: str, year: str) -> Callable[[Settings, Path], object]:
    def change(home: Settings, tmp_path: Path) -> None:
        (result,) = take_in(home, samples.national_tests(tmp_path / "b.csv", samples.rows(score), year=year))
        assert result.status == "accepted"

    return change


def withdrawn(home: Settings, tmp_path: Path) -> None:
    flow.withdraw(home, "a.csv", by="Kari Fiktiv", reason="a test", now=NOW)


def gap(home: Settings, tmp_path: Path) -> None:
    wanted = ("national_tests", "2023-24", "reading_scale_score", 5)
    accept_missing(home, "np-2025", wanted, by="Kari Fiktiv", reason="a test", now=NOW)


def added(name: str) -> Callable[[Settings, Path], object]:
    def change(home: Settings, tmp_path: Path) -> None:
        with (home.home / name).open("a", encoding="utf-8") as file:
            file.write("# a later thought\n")

    return change


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (new_file("47", "2024-25"), "national_tests 2024-25 is made from other files"),
        (new_file("48", "2023-24"), "national_tests 2023-24 is new"),
        (withdrawn, "national_tests 2024-25 is gone"),
        (gap, "a missing input was accepted"),
        (added("rules/udir-2020.yaml"), "rules/udir-2020.yaml was changed"),
        (added("registers/exceptions.yaml"), "registers/exceptions.yaml was changed"),
        (added("rounds.yaml"), "rounds.yaml was changed"),
        (added("rules/of-next-year.yaml"), "rules/of-next-year.yaml was added or removed"),
    ],
)
def test_any_change_of_files_and_rules_asks_for_a_build_and_is_named(
    change: Callable[[Settings, Path], object], named: str, home: Settings, tmp_path: Path
) -> None:
    change(home, tmp_path)
    assert differing(home) == named


CODE = "the models under dbt/, the code that compiles the rules, or DuckDB were changed"


@pytest.mark.parametrize(
    ("function", "other", "named"),
    [
        ("transform.snapshot.readers_version", lambda: "other readers", "the code that reads files was changed"),
        ("transform.snapshot.dbt_step.source_digest", lambda settings: "other models", CODE),
        ("fingerprint.version", lambda package: "another DuckDB", CODE),
        ("transform.snapshot.compiling_code", lambda: [REPOSITORY / "pyproject.toml"], CODE),
    ],
)
def test_any_change_of_code_and_libraries_asks_for_a_build_and_is_named(
    function: str, other: Callable[..., object], named: str, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"dagster_project.{function}", other)
    assert differing(home) == named


def test_the_code_that_compiles_the_rules_is_all_of_it() -> None:
    names = {p.relative_to(REPOSITORY / "dagster_project").as_posix() for p in snapshot.compiling_code()}
    assert {"rules/compile.py", "rules/model.py", "rules/loader.py", "transform/parameters.py"} <= names
    assert all(p.exists() for p in snapshot.compiling_code())


def test_many_differences_are_one_finding_with_the_first_named(home: Settings) -> None:
    for number in range(10):
        (home.rules / f"set-{number}.yaml").touch()
    (finding,) = built.differences(home, now(home))
    assert finding.count == 10 and str(finding.found).endswith("set-5.yaml was added or removed; and 4 more")


def test_a_build_makes_anew_what_it_rests_on_and_reads_nothing_else(
    home: Settings, models: Models, tmp_path: Path
) -> None:
    folder = partition_folder(home, KEY)
    before = {p: sha256_of(p) for p in [folder / PART, *home.parameters.glob("*.parquet")]}
    (folder / PART).write_bytes(b"other cells")
    (folder / "part-1.parquet").write_bytes(b"more cells")
    stray = partition_folder(home, (KEY[0], "2019-20"))
    stray.mkdir()
    (stray / PART).write_bytes(b"a year that no file gives")
    (home.parameters / "rounds.parquet").write_bytes(b"another rule")
    assert not is_compiled(home, now(home))
    build(home)
    assert {p: sha256_of(p) for p in before} == before and is_compiled(home, now(home))
    assert models.inputs[-1] == {KEY[0]: [folder / PART]} and not stray.exists()
    listed = (home.warehouse.parent / INPUTS).read_text(encoding="utf-8")
    assert f"extracts,national_tests,{(folder / PART).relative_to(home.home)}\n" in listed
    assert "part-1" not in listed and "2019-20" not in listed


def test_of_a_gap_accepted_twice_the_last_name_stands_with_its_own_reason(home: Settings) -> None:
    wanted = ("national_tests", "2023-24", "reading_scale_score", 5)
    accept_missing(home, "np-2025", wanted, by="Ola Fiktiv", reason="kommer aldri", now=NOW)
    accept_missing(home, "np-2025", wanted, by="Kari Fiktiv", reason="avklart med Udir", now=NOW)
    build(home)
    (row,) = pq.read_table(home.parameters / "accepted_gaps.parquet").to_pylist()
    assert (row["accepted_by"], row["accepted_reason"]) == ("Kari Fiktiv", "avklart med Udir")


def test_some_models_are_built_alone_only_when_all_others_are_of_the_snapshot(
    home: Settings, models: Models, tmp_path: Path
) -> None:
    names = built.mart_names(home)
    build(home, "selection")
    assert models.selected[-1] == ["selection"] and differing(home) == ""
    kept = built.last_build(home)
    assert kept is not None and {r.name for r in kept.results} == names
    assert [r.unique_id for r in kept.results].count("model.selection") == 1
    for change in (
        lambda: (home.marts / "limits.parquet").write_text("tampered with"),
        lambda: home.warehouse.write_bytes(b"no database" * 1000),
        lambda: new_file("47", "2024-25")(home, tmp_path),
    ):
        change()
        build(home, "selection")
        assert models.selected[-1] == [] and differing(home) == ""


def test_a_build_that_fails_leaves_no_record(home: Settings, models: Models) -> None:
    models.fails = "selection"
    assert not build(home).success
    assert built.last_build(home) is None and "did not end" in differing(home)


def test_a_build_that_begins_forgets_the_record_before_anything_else(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    assert json.loads(record_path(home).read_text(encoding="utf-8"))["run_id"] == "a run"
    monkeypatch.undo()
    monkeypatch.setattr(dbt_step, "_invoke", killed)
    with pytest.raises(KeyboardInterrupt):
        build(home)
    assert built.last_build(home) is None


def test_a_manifest_older_than_the_models_is_refused(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(dbt_step, "source_digest", lambda settings: "edited since")
    with pytest.raises(PipelineProblem, match="is older than the files under dbt/") as caught:
        dbt_step.build(home, {})
    assert [(f.code, f.fix) for f in caught.value.findings] == [("dbt-manifest-not-ready", "make manifest")]
    assert record_path(home).exists()


def test_what_stops_dbt_itself_is_one_finding(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    home.warehouse.write_bytes(b"no database" * 1000)
    with pytest.raises(PipelineProblem, match="dbt build stopped") as caught:
        dbt_step.build(home, {})
    assert [f.code for f in caught.value.findings] == ["dbt-stopped"]
    assert built.last_build(home) is None


def test_a_snapshot_comes_back_as_it_was_pinned(home: Settings, tmp_path: Path) -> None:
    pinned = snapshot.pin(home, "a run")
    assert Snapshot.from_dict(json.loads(json.dumps(pinned.as_dict()))) == pinned
    new_file("47", "2024-25")(home, tmp_path)
    added("rounds.yaml")(home, tmp_path)
    # files that came since are not of the run; a rule that was edited since is found by whoever compares
    again = snapshot.pin(home, "a run")
    assert (again.head, again.extracts) == (pinned.head, pinned.extracts)
    assert pinned.differences(again) == ["rounds.yaml was changed"]
    assert snapshot.pin(home, "another run").extracts != pinned.extracts
    (home.home / "snapshots" / "a run.json").write_text("torn", encoding="utf-8")
    assert snapshot.pin(home, "a run").head == now(home).head


def test_what_dbt_parsed_is_read_back_whole() -> None:
    """By a decoder that is private to dbt. When this fails: read what dbt changed, then in parsed.py."""
    manifest = load_settings().dbt_manifest
    written = json.loads(manifest.read_text(encoding="utf-8"))
    read = parsed_manifest(manifest.parent)
    assert set(read.nodes) == set(written["nodes"]) and set(read.sources) == set(written["sources"])
    arguments = {uid: node.test_metadata.kwargs for uid, node in read.nodes.items() if hasattr(node, "test_metadata")}
    assert any("min_value" in given or "values" in given for given in arguments.values())
