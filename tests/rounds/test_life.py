"""The life of a round on the fictional country: what each state shows, what is refused, and what a release fixes."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from dagster import AssetCheckEvaluation

from dagster_project.archive.commits import pointer_of, read_manifest
from dagster_project.archive.published import published_rows
from dagster_project.assets.published import published_round
from dagster_project.audit.diff import compare
from dagster_project.cli import main
from dagster_project.diagnostics import OppfolgingError, RoundProblem
from dagster_project.forms.candidates import candidate_list
from dagster_project.orchestration.resources import Home
from dagster_project.publication import current_revision, verify_revision
from dagster_project.rounds import history, release, state
from dagster_project.rounds.publishing import publish_round
from dagster_project.rounds.state import MOVES, State
from dagster_project.rounds.workbooks import write_decision_form
from dagster_project.rules import load_rules
from dagster_project.settings import Settings, load_settings
from dagster_project.transform.snapshot import take
from tests.conftest import NOW, as_if_built, oppfolging, part_of, tree_hash
from tests.faults import tiny
from tests.homes import shared_reader as shared_reader

pytestmark = pytest.mark.pipeline
CLOSED, FINAL, OPEN = "fictional-2023", "fictional-2024", "fictional-2026"
SMALL = "tiny-2024"
SIGNED = {"by": "Prøve Person", "reason": "because a test asks", "now": NOW}


@pytest.fixture
def copy(country_home: Path, tmp_path: Path) -> Settings:
    return part_of(country_home, tmp_path / "home", "published", "marts", "extracts")


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory, shared_reader: None) -> Settings:
    """A small home with a release, for what a release does whatever lists it holds."""
    return tiny.released(tiny.Specimens(tmp_path_factory.mktemp("life") / "specimens"))


@pytest.fixture
def small(released: Settings, tmp_path: Path) -> Settings:
    shutil.copytree(released.home, tmp_path / "small")
    return load_settings(tmp_path / "small")


def moves(settings: Settings, round_id: str) -> list[str]:
    return [e["to"] for e in state.round_events(settings, round_id) if e["event"] == state.MOVED]


def change_a_share(settings: Settings, round_id: str) -> str:
    """Let the models have given one selected municipality another share in one area and year; return its code.

    Area shares are nobody's basis: neither the ranking nor an estimate has to follow.
    """
    path = settings.marts / "area_shares.parquet"
    table = pq.read_table(path)
    ranked = published_rows(settings, round_id, "municipality_ranking")
    code = next(r["municipality_code"] for r in ranked if r["rank"] == 5)
    mine = [r["round"] == round_id and r["municipality_code"] == code for r in table.to_pylist()]
    hit = pa.array([i == mine.index(True) for i in range(table.num_rows)])
    share = pc.if_else(hit, pa.scalar(0.123), table["risk_share"])
    pq.write_table(table.set_column(table.column_names.index("risk_share"), "risk_share", share), path)
    as_if_built(settings)
    return str(code)


def test_every_state_is_there_and_every_move_is_recorded_with_its_files(country_home: Path) -> None:
    settings = load_settings(country_home)
    states = {r: release.standing(settings, r).state for r in (CLOSED, FINAL, OPEN)}
    assert states == {CLOSED: State.CLOSED, FINAL: State.FINAL, OPEN: State.CANDIDATES}
    assert moves(settings, CLOSED) == ["candidates", "prioritised", "final", "closed"]
    assert moves(settings, FINAL)[-3:] == ["candidates", "prioritised", "final"]
    by_move = {e["to"]: e for e in state.round_events(settings, CLOSED) if e["event"] == state.MOVED}
    assert len(by_move["candidates"]["files"]) > 10 and by_move["candidates"]["by"].startswith("run ")
    assert by_move["prioritised"]["files"] and by_move["final"]["by"] == "Ola Oppdiktet"
    pointer = pointer_of(settings, CLOSED)
    assert pointer is not None and (pointer["release"], pointer["status"]) == ("1.0", "closed")
    folder = current_revision(settings, CLOSED)
    assert folder is not None and verify_revision(folder) == []
    assert read_manifest(folder)["released"]["override_placeholders"]


def test_decisions_priorities_and_the_reserve_stand_in_the_released_selection(country_home: Path) -> None:
    rows = published_rows(load_settings(country_home), CLOSED, "selection")
    taken = [r for r in rows if r["status"] == "selected"]
    assert len(taken) == 40 and all(r["decision"] == "accept" for r in taken)
    assert sum(r["status"] == "declined" for r in rows) == 1
    called = [r for r in taken if r["proposed_status"] == "reserve"]
    assert len(called) == 1 and called[0]["selection_group"] == "average" and not called[0]["is_override"]
    spread = [r for r in rows if r["arithmetic_status"] == "candidate"]
    assert len(spread) > 40 and all(r["governor_reason"] for r in spread)
    against = [r for r in spread if r["governor_advice"]]
    assert against and all(r["status"] == "reserve" and not r["governor_priority"] for r in against)
    last = max(r["proposed_place"] for r in spread if r["governor_priority"])
    assert min(r["proposed_place"] for r in against) > last and all(
        r["governor_priority"] for r in spread if r not in against
    )
    assert [r for r in rows if r["selection_group"] == "average" and r["governor_reason"]]
    decided = {r["municipality_code"]: r["selection_group"] for r in rows if r["decision"]}
    elsewhere = [r for r in rows if r["municipality_code"] in decided and not r["decision"]]
    assert {r["status"] for r in elsewhere} <= {"excluded"}
    assert all(f"decided in the {decided[r['municipality_code']]} group: accept" in r["reason"] for r in elsewhere)
    first = {r["municipality_code"] for r in spread if r["governor_priority"] == 1}
    assert first <= {r["municipality_code"] for r in taken}


def test_who_is_decided_upon_is_open_on_no_list_and_is_not_asked_about_again(
    country_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a rule lets both lists propose the same: the decision stands on one row and answers both."""
    from openpyxl import load_workbook

    settings = load_settings(country_home)
    stand = release.standing(settings, OPEN)
    rows = stand.tables["selection"].to_pylist()
    both, other = [r for r in rows if r["proposed_status"] == "selected"][:2]
    rows = [both | {"decision": "accept"}, both | {"selection_group": "spread"}, other]
    path = write_decision_form(tmp_path, rows, load_rules(settings).round(OPEN), "noen")
    book = load_workbook(path)
    cells = {str(c.value) for sheet in book for line in sheet.iter_rows() for c in line}
    assert other["municipality_code"] in cells and both["municipality_code"] not in cells
    monkeypatch.setitem(stand.tables, "selection", pa.Table.from_pylist(rows, stand.tables["selection"].schema))
    waits = {i.name: i.detail for i in release.checklist(settings, stand)}
    assert waits["all proposed municipalities are decided on"] == other["municipality_code"]


def test_a_cohort_that_is_followed_is_kept_out_of_later_rounds_with_its_name_as_ground(country_home: Path) -> None:
    settings = load_settings(country_home)
    members = {
        r["municipality_code"] for r in published_rows(settings, FINAL, "selection") if r["decision"] == "accept"
    }
    out = {
        r["municipality_code"]: r["reason"]
        for r in published_rows(settings, OPEN, "selection")
        if r["status"] == "excluded"
    }
    renumbered = members - {r["municipality_code"] for r in published_rows(settings, OPEN, "municipality_ranking")}
    rated = {r["municipality_code"] for r in published_rows(settings, OPEN, "municipality_ranking") if r["rated"]}
    assert (members - renumbered) & rated <= set(out)
    assert any("uttrekk_2024" in reason for reason in out.values())
    assert any("uttrekk_2023" in reason for reason in out.values())


def test_the_open_round_waits_for_one_county_governor_by_name(country_home: Path) -> None:
    shown = oppfolging(country_home, "round", "show", OPEN)
    assert shown.returncode == 0 and f"{OPEN}: candidates" in shown.stdout and "FICTIONAL" in shown.stdout
    waiting = [g for g in candidate_list(load_settings(country_home), OPEN).governors if g in shown.stdout]
    assert len(waiting) == 1
    listed = oppfolging(country_home, "round", "candidates", OPEN)
    assert f"{waiting[0]}: reply MISSING" in listed.stdout and listed.stdout.count("has replied") >= 3


def test_a_refused_release_names_all_that_is_missing_and_changes_nothing(copy: Settings) -> None:
    before = tree_hash(copy.home)
    with pytest.raises(RoundProblem) as refused:
        release.finalise(copy, OPEN, **SIGNED)  # type: ignore[arg-type]
    told = str(refused.value)
    assert (
        "cannot be final yet" in told and "all county governors have replied" in told and "no limit is assumed" in told
    )
    with pytest.raises(RoundProblem, match="needs a name"):
        release.finalise(copy, OPEN, by=" ", reason="x", now=NOW)
    assert tree_hash(copy.home) == before


@pytest.mark.parametrize("command", sorted(MOVES))
def test_what_the_table_of_moves_does_not_name_is_refused(copy: Settings, command: str) -> None:
    before = tree_hash(copy.home)
    for round_id in (CLOSED, FINAL, OPEN):
        if release.standing(copy, round_id).state not in MOVES[command]:
            with pytest.raises(OppfolgingError, match="is not allowed"):
                getattr(release, command)(copy, round_id, **SIGNED)
    assert tree_hash(copy.home) == before


def test_a_final_round_that_would_change_is_not_published_and_the_cells_are_named(small: Settings) -> None:
    code = change_a_share(small, SMALL)
    before = tree_hash(small.published / SMALL / "r0001")
    seen = publish_round(small, take(small), SMALL, now=NOW)
    assert seen is not None and not seen.is_new
    assert [(f.code, f.column, f.found) for f in seen.differences] == [
        ("final-round-would-change", "risk_share", "0.123")
    ]
    assert code in str(seen.differences[0].file) and tree_hash(small.published / SMALL / "r0001") == before
    release.keep(small, SMALL, **SIGNED)  # type: ignore[arg-type]
    kept = publish_round(small, take(small), SMALL, now=NOW)
    assert kept is not None and kept.differences == ()


def test_an_amendment_is_the_next_number_with_its_changes_and_the_first_stays_readable(small: Settings) -> None:
    with pytest.raises(RoundProblem, match="nothing to amend"):
        release.amend(small, SMALL, **SIGNED)  # type: ignore[arg-type]
    first = current_revision(small, SMALL)
    assert first is not None
    change_a_share(small, SMALL)
    with pytest.raises(RoundProblem, match="not among the accepted queries"):
        release.amend(small, SMALL, query="S1", **SIGNED)  # type: ignore[arg-type]
    done = release.amend(small, SMALL, note="internal", **SIGNED)  # type: ignore[arg-type]
    manifest = read_manifest(done.path)
    assert (
        manifest["release"] == "1.1" and manifest["changes"]["cells"] == 1 and manifest["released"]["amends"] == "1.0"
    )
    assert manifest["changes"]["causes"] == list(compare(first, done.path).causes)
    assert "internal" not in json.dumps(manifest["released"])
    assert verify_revision(first) == [] and read_manifest(first)["release"] == "1.0"
    again = publish_round(small, take(small), SMALL, now=NOW)
    assert again is not None and again.differences == () and again.path == done.path


def test_a_withdrawn_release_shows_the_reason_on_every_table(small: Settings) -> None:
    done = release.withdraw(small, SMALL, **SIGNED)  # type: ignore[arg-type]
    for path in sorted((done.path / "internal").glob("*.parquet")):
        table = pq.read_table(path)
        assert table.num_rows == 0 or set(table["withdrawn_reason"].to_pylist()) == {SIGNED["reason"]}
    assert "withdrawn_reason" in (done.path / "internal" / "selection.csv").read_text(encoding="utf-8").splitlines()[0]
    call, reason = CliRunner().invoke, SIGNED["reason"]
    for words in (("status",), ("round", "show", SMALL), ("explain", "6101", "--round", SMALL)):
        told = call(main, ["--home", str(small.home), *words])
        assert "WITHDRAWN" in told.output and str(reason) in told.output, told.output
    stand = json.loads(call(main, ["--home", str(small.home), "round", "show", SMALL, "--json"]).output)
    assert stand["withdrawn"] == reason
    assert publish_round(small, take(small), SMALL, now=NOW).differences == ()  # type: ignore[union-attr]


def test_a_reopened_round_is_published_again_and_released_under_the_next_number(small: Settings) -> None:
    release.reopen(small, SMALL, **SIGNED)  # type: ignore[arg-type]
    change_a_share(small, SMALL)
    working = publish_round(small, take(small), SMALL, now=NOW)
    assert working is not None and working.is_new and read_manifest(working.path)["release"] is None
    done = release.finalise(small, SMALL, override="made up", **SIGNED)  # type: ignore[arg-type]
    manifest = read_manifest(done.path)
    assert manifest["release"] == "1.1" and manifest["changes"]["cells"] == 1
    told = history.whole_as_text(history.whole(small, SMALL))
    assert "reopened" in told and "release 1.1: because a test asks" in told and "takker" not in told


def test_an_act_is_signed_told_and_refused_with_a_sentence(small: Settings) -> None:
    def act(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["--home", str(small.home), "round", *arguments])
        return result.exit_code, result.output

    signed = ("--by", "Prøve Person", "--reason", "a test asks")
    assert act("reopen", SMALL, "--by", "Prøve Person")[0] == 2
    assert act("withdraw", SMALL, *signed)[1].startswith(f"{SMALL} is withdrawn: {small.published / SMALL}")
    assert act("reopen", SMALL, *signed) == (0, f"{SMALL} is open again\n")
    code, told = act("reopen", SMALL, *signed)
    assert code == RoundProblem.exit_code and "`reopen` is not allowed" in told
    (event,) = [e for e in state.round_events(small, SMALL) if e["event"] == state.REOPENED]
    assert (event["by"], event["reason"], event["release"]) == ("Prøve Person", "a test asks", "1.0")


def test_the_whole_history_is_one_command(country_home: Path) -> None:
    told = oppfolging(country_home, "round", "history", CLOSED)
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    for part in ("file in force", "state", "released", "priority", "decision"):
        assert any(f"  {part}" in line for line in lines), part
    assert "called_up" in told.stdout and "[Udir (oppdiktet)]" in told.stdout


def test_materialising_a_final_round_by_name_compares_it_with_its_release_and_publishes_nothing(copy: Settings) -> None:
    def materialised() -> tuple[dict[str, Any], AssetCheckEvaluation]:
        result = dg.materialize(
            [published_round], partition_key=FINAL, resources={"home": Home(path=str(copy.home))}, raise_on_error=False,
            instance=dg.DagsterInstance.ephemeral(),
        )  # fmt: skip
        checks = {e.check_name: e for e in result.get_asset_check_evaluations()}
        made = [e.materialization for e in result.get_asset_materialization_events()]
        told = {k: v.value for m in made for k, v in m.metadata.items()}
        assert result.success == checks["final_rounds_unchanged"].passed
        return told, checks["final_rounds_unchanged"]

    before = tree_hash(copy.published)
    told, check = materialised()
    stands = {"state": "final", "release": "1.0", "revision": "r0003", "is_new": False}
    assert check.passed and {k: told[k] for k in stands} == stands and tree_hash(copy.published) == before
    code = change_a_share(copy, FINAL)
    _, check = materialised()
    assert not check.passed and check.blocking and check.metadata["differing_cells"].value == 1
    differences = str(check.metadata["differences"].records)
    assert code in differences and "round amend" in differences and tree_hash(copy.published) == before


def test_a_preview_holds_nothing_of_any_other_municipality(country_home: Path, tmp_path: Path) -> None:
    done = oppfolging(country_home, "round", "preview", OPEN, "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    ranking = published_rows(load_settings(country_home), OPEN, "municipality_ranking")
    files = sorted((tmp_path / "out").glob("*.json"))
    assert len(files) > 40
    for path in files[::15]:
        text = path.read_text(encoding="utf-8")
        own = path.name[:4]
        assert "CONFIDENTIAL" in text and own in text
        others = [m for m in ranking if m["municipality_code"] != own]
        assert not [m["municipality_code"] for m in others if f'"{m["municipality_code"]}"' in text]
        page = path.with_suffix(".html").read_text(encoding="utf-8")
        assert "UNNTATT OFFENTLIGHET" in page and "<script" not in page and page.count("<table>") == 5
        english = {"average", "spread", "selected", "candidate", "accept", "observed", "suppressed", "published"}
        assert not english & set(re.findall(r"[\w]+", page)) and not re.search(r"\b[a-z]+_[a-z_]+\b|[0-9a-f]{64}", page)
        # by name: a number of four digits may be a line of a file
        assert not [m["municipality_name"] for m in others if f">{m['municipality_name']}<" in page]
    shutil.rmtree(tmp_path / "out")
