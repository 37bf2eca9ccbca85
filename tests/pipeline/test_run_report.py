"""The run report: every number is what its query returns, the page needs nothing, the crate describes every file."""

from __future__ import annotations

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from dagster_project.extracts.archive import sha256_of
from dagster_project.publication import run_report
from dagster_project.publication.subjects import round_subject
from dagster_project.rules import load_rules
from dagster_project.settings import load_settings

ROUND = "fictional-2026"
LEFT_OUT = 3


class Page(HTMLParser):
    """The figures of a page: by id, the query and the cells shown. And everything the page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.queries: dict[str, str] = {}
        self.cells: dict[str, list[str]] = {}
        self.headings: dict[str, list[str]] = {}
        self.loads: list[str] = []
        self._figure = self._into = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("class") == "figure":
            self._figure = str(given["id"])
            self.queries[self._figure], self.cells[self._figure] = "", []
        if "data-cell" in given:
            self.cells[self._figure].append("")
        self._into = {"code": "sql"}.get(tag, "cell" if "data-cell" in given else "")
        self.loads += [f"{tag} {v}" for k, v in attrs if k in ("src", "href", "action", "onload")] + ["script"] * (
            tag == "script"
        )

    def handle_data(self, data: str) -> None:
        if self._into == "sql":
            self.queries[self._figure] += data
        elif self._into == "cell":
            self.cells[self._figure][-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._into = ""


def read(folder: Path) -> tuple[Page, str]:
    text = (folder / "report" / "index.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    return page, text


@pytest.fixture(scope="module")
def revision(country_home: Path) -> Path:
    """The first revision of the round, which is compared with the round before it."""
    return load_settings(country_home).published / ROUND / "r0001"


@pytest.fixture(scope="module")
def second(country_home: Path, revision: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A revision in which three of the selected are gone, with the one before it beside it."""
    folder = tmp_path_factory.mktemp("published") / ROUND
    shutil.copytree(revision, folder / revision.name)
    again = folder / "again"
    shutil.copytree(
        revision, again, ignore=shutil.ignore_patterns("report", run_report.CRATE), copy_function=shutil.copyfile
    )
    path = again / "internal" / "selection.parquet"
    pq.write_table(pq.read_table(path).slice(LEFT_OUT), path)
    manifest = json.loads((revision / "manifest.json").read_text(encoding="utf-8"))
    manifest |= {"revision": "r0002", "replaces": revision.name}
    settings = load_settings(country_home)
    rulebook = load_rules(settings)
    run_report.fill_report(settings, rulebook, round_subject(rulebook, ROUND), again, manifest)
    return again


@pytest.mark.parametrize("name", ["revision", "second"])
def test_every_number_is_what_its_query_returns(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder: Path = request.getfixturevalue(name)
    page, _ = read(folder)
    assert len(page.queries) >= 20
    monkeypatch.chdir(folder)
    for figure, sql in page.queries.items():
        rows = duckdb.connect().execute(sql).fetchall()
        assert page.cells[figure] == ["–" if cell is None else str(cell) for row in rows for cell in row], figure


def test_the_numbers_are_those_of_the_tables(revision: Path, second: Path) -> None:
    page, text = read(revision)
    ranking = pq.read_table(revision / "internal" / "municipality_ranking.parquet")
    rated = pc.sum(ranking["rated"]).as_py()
    assert page.cells["municipalities_rated"][:3] == [
        str(n) for n in (ranking.num_rows, rated, ranking.num_rows - rated)
    ]
    manifest = json.loads((revision / "manifest.json").read_text(encoding="utf-8"))
    assert page.cells["inputs_count"] == [str(len(manifest["inputs"]))] * 2
    assert (
        page.cells["choices_count"][3]
        == str(len(manifest["placeholders"]))
        == str(len(page.cells["placeholders"]) // 3)
    )
    selection = pq.read_table(revision / "internal" / "selection.parquet").to_pylist()
    selected = sorted((r for r in selection if r["selection_group"] == "average" and r["status"] == "selected"),
                      key=lambda r: r["rank_in_group"])  # fmt: skip
    reserve = sorted((r for r in selection if r["selection_group"] == "average" and r["status"] == "reserve"),
                     key=lambda r: r["rank_in_group"])  # fmt: skip
    assert page.cells["close_average"][1::7] == [r["municipality_code"] for r in selected[-5:] + reserve[:5]]
    assert "'../../fictional-2024/" in page.queries["selection_changes"]
    compared, _ = read(second)
    entered, left = compared.cells["selection_changes"][3:]
    assert (entered, left) == ("0", str(LEFT_OUT)) and len(compared.cells["moved"]) == 3 * LEFT_OUT
    assert "OPPDIKTEDE DATA" in text and "ILLUSTRASJON" in text and "Nær grensen" in text and "Close calls" in text


def test_the_page_stands_alone_and_a_name_is_never_markup(revision: Path, second: Path) -> None:
    page, text = read(revision)
    assert page.loads == [] and "url(" not in text and "@import" not in text
    assert run_report._dots([(1, "<b>", "x&y", "selected", 1.0, 0.5, 2.0)]).count("<b>") == 0


def test_the_same_revision_gives_the_same_report(country_home: Path, revision: Path, tmp_path: Path) -> None:
    again = tmp_path / ROUND / revision.name
    shutil.copytree(revision.parent.parent / "fictional-2024", tmp_path / "fictional-2024")
    left = shutil.ignore_patterns("report", run_report.CRATE)
    shutil.copytree(revision, again, ignore=left, copy_function=shutil.copyfile)
    (again / "manifest.json").unlink()
    settings = load_settings(country_home)
    manifest = json.loads((revision / "manifest.json").read_text(encoding="utf-8"))
    rulebook = load_rules(settings)
    run_report.fill_report(settings, rulebook, round_subject(rulebook, ROUND), again, manifest)
    for path in again.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (revision / path.relative_to(again)).read_bytes(), path.name


def test_the_crate_has_the_shape_of_ro_crate_and_names_every_file_with_its_hash(revision: Path) -> None:
    crate = json.loads((revision / run_report.CRATE).read_text(encoding="utf-8"))
    assert crate["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    graph = {e["@id"]: e for e in crate["@graph"]}
    assert len(graph) == len(crate["@graph"])
    descriptor, root, run = graph[run_report.CRATE], graph["./"], graph["#run"]
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
    assert parts == on_disk - {run_report.CRATE} == {i for i, e in graph.items() if e["@type"] == "File"}
    assert all(graph[p]["sha256"] == sha256_of(revision / p) for p in parts - {"manifest.json"})
    manifest = json.loads((revision / "manifest.json").read_text(encoding="utf-8"))
    assert run["@type"] == "CreateAction" and run["endTime"] == manifest["created_at"]
    made_from = {graph[o["@id"]]["sha256"] for o in run["object"]}
    assert made_from >= {i["sha256"] for i in manifest["inputs"]} | {manifest["rule_set"]["sha256"]}
    assert "internal/selection.parquet" in {r["@id"] for r in run["result"]}
