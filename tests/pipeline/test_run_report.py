"""The run report: every number is what its query returns, the page needs nothing, the crate describes every file."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from dagster_project.archive.store import sha256_of
from dagster_project.publication import current_revision, run_report
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


def described_again(home: Path, folder: Path, subject: str) -> Path:
    """The report of a folder, written anew."""
    shutil.rmtree(folder / run_report.REPORT, ignore_errors=True)
    settings = load_settings(home)
    rulebook = load_rules(settings)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    run_report.fill_report(settings, rulebook, round_subject(rulebook, subject), folder, manifest)
    return folder


@pytest.fixture(scope="module")
def decided(country_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A final round in which the last within the quota declined and the first of the reserve was called up."""
    folder = tmp_path_factory.mktemp("decided") / "fictional-2024"
    shutil.copytree(
        load_settings(country_home).published / "fictional-2024", folder,
        ignore=shutil.ignore_patterns("report", run_report.CRATE), copy_function=shutil.copyfile,
    )  # fmt: skip
    return described_again(country_home, folder / "r0003", "fictional-2024")


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
    (again / "manifest.json").unlink()
    (again / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return described_again(country_home, again, ROUND)


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
    for group, columns in (("average", 12), ("spread", 9)):
        listed = sorted((r for r in selection if r["selection_group"] == group and r["rank_in_group"]),
                        key=lambda r: r["rank_in_group"])  # fmt: skip
        quota = sum(r["within_quota"] for r in listed)
        assert page.cells[f"close_{group}"][1::columns] == [
            r["municipality_code"] for r in listed[quota - 5 : quota + 5]
        ]
    assert "'../../fictional-2024/" in page.queries["selection_changes"]
    compared, _ = read(second)
    arithmetic, outcome = compared.cells["selection_changes"][:6], compared.cells["selection_changes"][6:]
    assert arithmetic[4:] == outcome[4:] == ["0", str(LEFT_OUT)] and len(compared.cells["moved"]) == 2 * 4 * LEFT_OUT
    assert (
        "OPPDIKTEDE DATA" in text and "ILLUSTRASJON" in text and "Nær grensen" in text and "Close to the quota" in text
    )


def test_the_page_stands_alone_and_a_name_is_never_markup(revision: Path, second: Path) -> None:
    page, text = read(revision)
    assert page.loads == [] and "url(" not in text and "@import" not in text
    row = (1, "<b>", "x&y", "inside", "selected", 1.0, 0.5, 2.0, 1, "<i>", "<i>", 50.0)
    assert run_report._dots([row]).count("<b>") == 0 and "<i>" not in run_report._dots([row])


def test_who_declined_and_who_was_called_up_are_shown_as_they_are_and_the_line_stands_at_the_quota(
    decided: Path,
) -> None:
    page, text = read(decided)
    selection = pq.read_table(decided / "internal" / "selection.parquet").to_pylist()
    listed = {r["rank_in_group"]: r for r in selection if r["selection_group"] == "average" and r["rank_in_group"]}
    assert (listed[30]["status"], listed[31]["status"]) == ("declined", "selected")
    rows = [page.cells["close_average"][at : at + 12] for at in range(0, len(page.cells["close_average"]), 12)]
    assert [int(r[0]) for r in rows] == list(range(26, 36))
    assert [r[3] for r in rows] == ["inside"] * 5 + ["outside"] * 5
    assert [r[4] for r in rows] == [listed[rank]["status"] for rank in range(26, 36)]
    figure = text[text.index('<div class="figure" id="close_average">') :]
    svg = figure[figure.index("<svg") : figure.index("</svg>")]
    dots = re.findall(r'<circle cx="[\d.]+" cy="(\d+)" r="5" class="(\w+)"', svg)
    assert [status for _, status in dots] == [r[4] for r in rows]
    (cut,) = re.findall(r'<line class="cut"[^>]* y1="(\d+)"', svg)
    heights = [int(y) for y, _ in dots]
    assert heights[4] < int(cut) < heights[5]
    assert {f"svg .{s}" in text for s in ("selected", "candidate", "reserve", "declined", "excluded")} == {True}


def test_answers_of_governors_move_the_outcome_and_not_the_arithmetic(country_home: Path, decided: Path) -> None:
    before, after = (
        pq.read_table(decided.parent / name / "internal" / "selection.parquet").to_pylist()
        for name in ("r0001", "r0002")
    )

    def selected(rows: list[dict[str, object]]) -> set[object]:
        return {r["municipality_code"] for r in rows if r["status"] == "selected"}

    page, _ = read(described_again(country_home, decided.parent / "r0002", "fictional-2024"))
    assert "'../r0001/" in page.queries["moved"]
    arithmetic, outcome = page.cells["selection_changes"][:6], page.cells["selection_changes"][6:]
    inside = len({r["municipality_code"] for r in after if r["within_quota"]})
    assert arithmetic[1:] == [str(inside)] * 3 + ["0", "0"]
    entered, left = len(selected(after) - selected(before)), len(selected(before) - selected(after))
    assert outcome[4:] == [str(entered), str(left)] and entered >= 10
    moved = page.cells["moved"]
    assert set(moved[0::4]) == {"outcome"} and len(moved) == 4 * (entered + left)


def test_a_revision_from_before_the_quota_was_marked_can_be_compared_with(country_home: Path, decided: Path) -> None:
    path = decided.parent / "r0001" / "internal" / "selection.parquet"
    whole = pq.read_table(path)
    pq.write_table(whole.drop_columns(["within_quota"]), path)
    page, _ = read(described_again(country_home, decided.parent / "r0002", "fictional-2024"))
    pq.write_table(whole, path)
    # then a candidate was within the quota
    assert page.cells["selection_changes"][0].endswith("arithmetic") and page.cells["selection_changes"][4] == "0"


def test_how_sure_a_rank_is_stands_beside_it_where_it_is_known(country_home: Path, decided: Path) -> None:
    settings = load_settings(country_home)
    now = current_revision(settings, ROUND)
    assert now is not None
    folder = decided.parent.parent / ROUND / now.name
    shutil.copytree(now.parent, folder.parent, copy_function=shutil.copyfile,
                    ignore=shutil.ignore_patterns("report", run_report.CRATE))  # fmt: skip
    page, text = read(described_again(country_home, folder, ROUND))
    path = folder / "internal" / "selection_uncertainty.parquet"
    sure = {r["unit_code"]: r for r in pq.read_table(path).to_pylist() if r["unit_level"] == "municipality"}
    cells = page.cells["close_average"]
    for at in range(0, len(cells), 12):
        row = sure[cells[at + 1]]
        expected = [row["rank"], row["rank_low"], row["rank_high"], round(100 * row["probability_selected"], 1)]
        assert cells[at + 8 : at + 12] == [str(v) for v in expected]
        assert f">{row['rank_low']}–{row['rank_high']}</text>" in text
    path.unlink()
    page, text = read(described_again(country_home, folder, ROUND))
    assert page.cells["close_average"][9:12] == ["–"] * 3 and page.cells["close_spread"][8] == "–"


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
