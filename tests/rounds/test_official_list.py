"""An official list is compared with a round. It changes nothing else, and a list that comes after a release blocks nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dagster_project.archive.store import sha256_of
from dagster_project.audit.trace import up
from dagster_project.audit.verify import verify
from dagster_project.diagnostics import RoundProblem
from dagster_project.forms.spec import OFFICIAL_LIST
from dagster_project.forms.write import write_form
from dagster_project.intake.screen import screen_path
from dagster_project.publication.edition import Revision
from dagster_project.rounds import release
from dagster_project.rounds.publishing import publish_round
from dagster_project.settings import Settings
from tests.conftest import NOW, oppfolging
from tests.faults import tiny
from tests.faults.tiny import Specimens
from tests.homes import shared_reader as shared_reader
from tests.homes import take_in_one
from tests.rounds.test_commits import FINAL, OPEN, SIGNED, compute

pytestmark = [pytest.mark.pipeline, pytest.mark.usefixtures("shared_reader")]
TABLES = {
    "internal/official_list",
    "internal/official_list_summary",
    "public/official_list",
    "public/official_list_summary",
}
Row = dict[str, Any]


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory, shared_reader: None) -> Settings:
    return tiny.released(Specimens(tmp_path_factory.mktemp("lists") / "specimens"))


@pytest.fixture
def home(released: Settings, tmp_path: Path) -> Settings:
    shutil.copytree(released.home, tmp_path / "home")
    return Settings(home=tmp_path / "home")


def selection(settings: Settings, round_id: str) -> list[Row]:
    rows = pq.read_table(settings.marts / "selection.parquet").to_pylist()
    return [r for r in rows if r["round"] == round_id]


def as_csv(folder: Path, *lines: tuple[str, str, str], name: str = "liste.csv") -> Path:
    """A list as somebody would type it; a line is round, municipality and group."""
    text = [";".join(c.norsk for c in OFFICIAL_LIST.columns)]
    text += [f"{round_id};{code};Fabel {code};{group};Brev 1/25 (oppdiktet)" for round_id, code, group in lines]
    path = folder / name
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return path


def as_workbook(folder: Path, *lines: tuple[str, str, str]) -> Path:
    rows = [
        {"round": r, "municipality_code": c, "selection_group": g, "source": "Rettet brev 2/25 (oppdiktet)"}
        for r, c, g in lines
    ]
    return write_form(folder / "rettet.xlsx", OFFICIAL_LIST, fields={}, rows=rows, fictional=True, spare=True)


def hashes(made: Path) -> dict[str, str]:
    tables = [
        p
        for part in ("internal", "public")
        for p in sorted((made / part).iterdir())
        if p.suffix in (".csv", ".parquet")
    ]
    return {p.relative_to(made).as_posix(): sha256_of(p) for p in tables}


def publish(settings: Settings, run: str, round_id: str = OPEN) -> Revision:
    made = publish_round(settings, compute(settings, run), round_id, now=NOW)
    assert made is not None
    return made


def test_a_list_gives_the_comparison_and_changes_nothing_else(home: Settings, tmp_path: Path) -> None:
    before = hashes(publish(home, "before").path)
    assert not any("official_list" in name for name in before), "a round without a list has no empty tables of it"
    rows = selection(home, OPEN)
    (first,) = {r["municipality_code"] for r in rows if (r["selection_group"], r["status"]) == ("average", "selected")}
    others = {r["municipality_code"] for r in rows if r["proposed_status"] == "selected"} - {first}
    listed = next(c for c in tiny.MUNICIPALITIES if c not in {first, *others})
    taken = take_in_one(home, as_csv(tmp_path, (OPEN, first, "gjennomsnitt"), (OPEN, listed, "spredning")))
    assert taken.status == "accepted"

    made = publish(home, "with a list")
    after = hashes(made.path)
    assert made.is_new and {n: h for n, h in after.items() if "official_list" not in n} == before
    assert {n.rpartition(".")[0] for n in after if "official_list" in n} == TABLES
    by_code = {
        r["municipality_code"]: r for r in pq.read_table(made.path / "internal/official_list.parquet").to_pylist()
    }
    assert {code: r["agreement"] for code, r in by_code.items()} == {
        first: "both", listed: "only_official", **dict.fromkeys(others, "only_computed"),
    }  # fmt: skip
    # the quota of the tiny rule is one: the municipality that is taken is the cut
    assert by_code[first]["share_above_cut"] == 0 and by_code[listed]["share_above_cut"] < 0
    assert all(r["data_origin"] == "fictional" for r in by_code.values())

    public = pq.read_table(made.path / "public/official_list.parquet")
    ranking = {
        r["municipality_code"]: r for r in pq.read_table(made.path / "public/municipality_ranking.parquet").to_pylist()
    }
    assert {"share_above_cut", "not_rated_reason"}.isdisjoint(public.column_names)
    for row in public.to_pylist():
        assert all(row[c] == ranking[row["municipality_code"]][c] for c in ("rank", "risk_share", "rank_publication"))
    shown = oppfolging(home.home, "round", "show", OPEN).stdout
    assert "official list (Brev 1/25 (oppdiktet)): 1 of 2 agree, 1 of them on the group\n" in shown
    assert f"only official: {listed} " in shown and all(code in shown for code in others)
    assert verify(home, OPEN).ok
    (mine,) = [t for t in up(home, by_code[first]["list_source_sha256"]) if t.compared and t.in_force]
    assert mine.round == OPEN and mine.must_be_redone and not (mine.cells or mine.limits or mine.outcomes)
    assert {(r["municipality_code"], r["line"]) for r in mine.compared} == {(first, 2), (listed, 3)}


def test_a_list_after_a_release_blocks_nothing_and_comes_with_the_next_one(home: Settings, tmp_path: Path) -> None:
    chosen = {r["municipality_code"] for r in selection(home, FINAL) if r["proposed_status"] == "selected"}
    lists = [(FINAL, c, "gjennomsnitt") for c in tiny.MUNICIPALITIES if c not in chosen]
    assert take_in_one(home, as_csv(tmp_path, *lists[:2])).status == "accepted"
    watched = publish(home, "a list came", FINAL)
    assert (watched.is_new, watched.differences) == (False, ())
    assert not any("official_list" in name for name in hashes(watched.path))
    assert "0 of 2 agree" in oppfolging(home.home, "round", "show", FINAL).stdout
    with pytest.raises(RoundProblem, match="nothing to amend"):
        release.amend(home, FINAL, **SIGNED)

    release.reopen(home, FINAL, **SIGNED)
    publish(home, "reopened", FINAL)
    again = release.finalise(home, FINAL, **SIGNED)
    assert {n.rpartition(".")[0] for n in hashes(again.path) if "official_list" in n} == TABLES
    # a corrected list replaces the whole list of the round, and the release that holds the old one stands
    assert take_in_one(home, as_workbook(tmp_path, lists[2])).status == "accepted"
    watched = publish(home, "a corrected list came", FINAL)
    assert (watched.is_new, watched.differences) == (False, ())
    assert "(Rettet brev 2/25 (oppdiktet)): 0 of 1 agree" in oppfolging(home.home, "round", "show", FINAL).stdout
    amended = release.amend(home, FINAL, **SIGNED)
    assert [
        r["official"] for r in pq.read_table(amended.path / "public/official_list_summary.parquet").to_pylist()
    ] == [1]


@pytest.mark.parametrize("line", [(OPEN, "6101", "spredning")])
def test_a_municipality_that_stands_twice_refuses_the_list(
    home: Settings, tmp_path: Path, line: tuple[str, str, str]
) -> None:
    (finding,) = screen_path(as_csv(tmp_path, line, (OPEN, "6101", "gjennomsnitt")), home, now=NOW).findings
    assert (finding.code, finding.row, finding.column) == ("line-repeated", 3, "Kommunenummer") and finding.fix
