"""An auditor's work over the fictional country: pages that add up, traces, differences, and packs checked elsewhere."""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dagster_project.archive import Archive
from dagster_project.archive.files import files_of, find_file
from dagster_project.audit import explain, trace
from dagster_project.audit.counterfactual import FigureChange, judge_of_revision, what_would_differ
from dagster_project.audit.diff import compare
from dagster_project.audit.document import document_of
from dagster_project.audit.evidence import write_pack
from dagster_project.audit.explain import Explanation
from dagster_project.audit.page import page_of, summary_of
from dagster_project.audit.revisions import Published, open_folder, open_revision
from dagster_project.pages.pdf import as_pdf
from dagster_project.pages.text import as_text
from dagster_project.pages.words import texts
from dagster_project.publication import current_revision
from dagster_project.settings import Settings, load_settings
from tests.audit.changed import outcome_with
from tests.conftest import oppfolging, part_of, vouch_for

ROUND = "fictional-2026"
SEED = 20260215
EDGE = range(7, 16)
"""Places of the spread group around its quota of ten."""
pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def home(country_home: Path) -> Settings:
    return load_settings(country_home)


@pytest.fixture(scope="module")
def published(home: Settings) -> Published:
    return open_revision(home, ROUND)


@cache
def explained(home: Settings, round_id: str, code: str, level: str = "municipality") -> Explanation:
    """An explanation, looked up once for all tests and languages."""
    return explain(home, round_id, code, level=level)


def some(published: Published, count: int, seed: int = SEED) -> list[str]:
    """Municipalities at random, always the same."""
    codes = [m["municipality_code"] for m in published.rows("municipality_ranking") if m["rated"]]
    return random.Random(seed).sample(codes, count)


class Page(HTMLParser):
    """Tables of a page by the id of their section, and every address the page would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.fetched: list[str] = []
        self.scripts = 0
        self._section, self._cell = "", False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.scripts += tag == "script"
        self.fetched += [str(given[k]) for k in ("src", "href") if k in given]
        if tag == "section":
            self._section = str(given.get("id"))
        if tag == "tr":
            self.tables.setdefault(self._section, []).append([])
        if tag in ("td", "th"):
            self._cell = True
            self.tables[self._section][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._cell = False

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.tables[self._section][-1][-1] += data


@pytest.mark.parametrize("lang", ["no", "en"])
def test_the_arithmetic_on_the_page_adds_up(home: Settings, published: Published, lang: str) -> None:
    def number(text: str) -> Fraction:
        return Fraction(text.replace(",", ".") or 0)

    for code in some(published, 3):
        e = explained(home, ROUND, code)
        text = page_of(e, lang)
        page = Page(text)
        _, *rows, total = page.tables["points"]
        for row in rows:
            points, weight, weighted = row[8:11]
            assert number(points) * number(weight) == number(weighted)
        assert sum(number(r[10]) for r in rows) == number(total[10])
        assert sum(number(r[11]) for r in rows) == number(total[11])
        assert float(number(total[10]) / number(total[11])) == e.unit["risk_share"]
        share = f"{100 * e.unit['risk_share']:.4f} %"
        assert (share.replace(".", ",") if lang == "no" else share) in text
        assert "OPPDIKTEDE DATA / FICTIONAL DATA" in text and page.scripts == 0
        assert all(address.startswith("#") for address in page.fetched)
        assert len(page.tables["limits"]) == 1 + 2 * len(rows)


def test_the_pdf_carries_its_own_letters_and_is_the_same_twice(home: Settings) -> None:
    e = explained(home, ROUND, "6101")
    named = replace(e, unit={**e.unit, "municipality_name": "Áltá Čáhcesuolu, Ŋ đ ŧ ž æøå"})
    first = as_pdf(document_of(named, "no"))
    assert first == as_pdf(document_of(named, "no")) and first.startswith(b"%PDF-")
    assert b"DejaVuSansCondensed" in first


@pytest.mark.parametrize("lang", ["no", "en"])
def test_the_outcome_is_told_in_words_of_the_language(home: Settings, lang: str) -> None:
    """Every kind of row there is in a decided round: nothing of it is a code, and the reply and decision are cited."""
    decided = open_revision(home, "fictional-2024")
    kinds = {(r["selection_group"], r["status"], r["decision"]): r for r in decided.rows("selection")}
    assert len(kinds) >= 6
    for row in kinds.values():
        document = document_of(explained(home, "fictional-2024", row["municipality_code"]), lang)
        text = "\n".join(document.sections[0].paragraphs)
        codes = {value for name, value in row.items() if name.endswith("status") or name == "decision"} - {
            "reserve",
            None,
        }
        assert not re.findall(r"\b[a-z]+_[a-z]+\b", re.sub(r"\S+\.xlsx", "", text))
        if lang == "no":
            assert not [code for code in codes if re.search(rf"\b{code}\b", text)]
        if row["decision"]:
            assert row["decided_by"] in text and texts(lang).date(row["decided_on"]) in text
            assert decided.file_names[row["decision_source_sha256"]] in text
        if row["governor_priority"]:
            assert row["governor_reason"] in text and decided.file_names[row["reply_source_sha256"]] in text


def test_a_revision_of_before_a_rule_key_or_a_column_existed_is_explained(home: Settings, tmp_path: Path) -> None:
    """Published under the earlier keys, without the governors' advice: whoever asks years later gets the outcome."""
    settings = part_of(Path(home.home), tmp_path / "home", "published", "archive")
    folder = current_revision(settings, "fictional-2024")
    assert folder is not None
    rule = folder / "rulebook" / "rules" / "udir-2020.yaml"
    text = re.sub(r"    candidates: .*\n", "", rule.read_text(encoding="utf-8"))
    text = re.sub(r"closed_schools: .*", "require_last_year: {value: true, basis: inferred, source: method}", text)
    rule.chmod(0o644)
    rule.write_text(text, encoding="utf-8")
    path = folder / "internal" / "selection.parquet"
    path.chmod(0o644)
    pq.write_table(pq.read_table(path).drop_columns(["governor_advice"]), path)
    vouch_for(path)
    decided = open_folder(folder)
    assert decided.rules.groups.spread.candidates.value == "quota_and_reserve"
    assert decided.rules.scope.closed_schools.value == "leave_out"
    row = next(r for r in decided.rows("selection") if r["governor_priority"])
    text = as_text(document_of(explain(settings, "fictional-2024", row["municipality_code"]), "en"))
    assert f"The county governor gives it priority {row['governor_priority']}" in text.replace("\n", " ")


def test_how_sure_the_rank_is_stands_beside_it(home: Settings, published: Published) -> None:
    (code,) = some(published, 1)
    e = explained(home, ROUND, code)
    (row,) = published.rows("selection_uncertainty", unit_level="municipality", unit_code=code)
    page = Page(page_of(e, "en"))
    assert json.loads(e.as_json())["uncertainty"]["rank_low"] == row["rank_low"]
    assert f"be between {row['rank_low']} and {row['rank_high']}" in as_text(document_of(e, "en")).replace("\n", " ")
    (own,) = [r for rows in page.tables.values() for r in rows if len(r) == 6 and r[1] == e.unit["municipality_name"]]
    assert own[0] == str(row["rank"]) and own[4] == f"{row['rank_low']}–{row['rank_high']}"


def test_the_nearest_changes_of_the_mart_are_those_that_judging_every_change_finds(
    home: Settings, published: Published
) -> None:
    """Two ways to the same: one SQL model for the own figures of each, and the whole round judged anew for each change."""
    rows = published.rows("nearest_changes")
    eligible = published.rows("selection", selection_group="average")
    kept_out = {r["municipality_code"] for r in eligible if r["arithmetic_status"] == "excluded"}
    near = sorted({r["municipality_code"] for r in rows})
    others = [r["municipality_code"] for r in published.ranking("municipality") if r["rated"]]
    codes = [*near[::5], *[c for c in others if c not in kept_out and c not in near][::40]]
    compared = 0
    with judge_of_revision(home, published) as judge:
        assert judge is not None
        for code in codes:
            judged = {
                (d.indicator, d.grade, d.school_year): (d.needed, d.steps, d.points_after, d.share_after, d.after)
                for d in what_would_differ(judge, published, "municipality", code)
                if d.outcome == "average" and d.unit_level == "municipality"
            }
            known = {
                (r["indicator"], r["grade"], r["school_year"]): (
                    r["needed_value"], r["steps"], r["points_after"], r["share_after"], r["selected_after"]
                )
                for r in rows
                if r["municipality_code"] == code
            }  # fmt: skip
            assert known == judged, code
            compared += len(known)
    assert compared > 50 and {r["selected_after"] for r in rows} == {True, False}


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("lang", ["no", "en"])
def test_the_text_fits_the_terminal_and_cuts_no_name(
    home: Settings, published: Published, lang: str, width: int
) -> None:
    code = next(r["municipality_code"] for r in published.rows("selection", status="candidate"))
    e = explained(home, ROUND, code)
    short, whole = (as_text(summary_of(e, lang, figures=figures), width) for figures in (False, True))
    assert len(short.splitlines()) < 120 < len(whole.splitlines())
    for line in whole.splitlines():
        assert len(line) <= width or " " not in line.strip(), line  # a file name may be longer than the line
    titles = [section.title.upper() for section in summary_of(e, lang, figures=False).sections]
    places = [short.index(f"\n{title}\n") for title in titles]
    assert places == sorted(places) and titles[0] == texts(lang)._("The outcome").upper()
    words = " ".join(short.split())
    assert all(school["school_name"] in words or width == 60 for school in e.schools)
    assert all(word in words for school in e.schools for word in school["school_name"].split())
    told = " ".join(whole.split())
    for cell in e.cells:
        for source in cell["sources"]:
            assert source["file"] in told and f"«{source['raw']}»" in told
    assert not any(source["file"] in words for cell in e.cells for source in cell["sources"])
    doubt = e.doubt[code]
    assert str(doubt["rank_low"]) in words and str(doubt["rank_high"]) in words


def test_a_school_is_explained_and_a_hidden_cell_stays_hidden(home: Settings, published: Published) -> None:
    school = next(s for s in published.rows("school_ranking") if s["rated"] and s["coverage"] < 1)
    e = explained(home, ROUND, school["school_code"], "school")
    assert json.loads(e.as_json())["school"]["school_code"] == school["school_code"]
    hidden = [c for c in e.cells if c["state"] == "suppressed"]
    assert hidden and all(c["value"] is None and c["points"] is None for c in hidden)
    assert str(school["municipality_code"]) in as_text(document_of(e, "no"))


Change = tuple[Published, str, FigureChange]


def changes_named(home: Settings) -> dict[str, list[Change]]:
    """The smallest changes that explanations name, by what they turn: both groups, schools, both sides of the cut."""
    published, decided = open_revision(home, ROUND), open_revision(home, "fictional-2024")
    called_up = next(r for r in decided.rows("selection") if r["status"] == "selected" and not r["within_quota"])
    edge = [r["municipality_code"] for r in published.rows("selection", selection_group="spread")
            if r["rank_in_group"] and r["rank_in_group"] in EDGE]  # fmt: skip
    worst = max((s for s in published.rows("school_ranking") if s["worst_quartile"]), key=lambda s: s["rank"])
    code, school = called_up["municipality_code"], worst["school_code"]
    with judge_of_revision(home, published) as judge:
        assert judge is not None
        by_schools = [
            (published, code, d) for code in edge for d in what_would_differ(judge, published, "municipality", code)
            if d.unit_level == "school"
        ]  # fmt: skip
    called = explained(home, decided.round, code).differences or ()
    quarter = explained(home, ROUND, school, "school").differences or ()
    return {
        "the average group": [(decided, code, d) for d in called if d.outcome == "average"],
        "a school leaves the worst quarter": [(published, school, d) for d in quarter],
        "the spread group takes by a school": [c for c in by_schools if c[2].after],
        "the spread group drops by a school": [c for c in by_schools if not c[2].after],
    }


def hold_to(home: Settings, change: Change) -> None:
    """Through the whole of dbt: the change turns the outcome, and one step less does not."""
    revision, unit, d = change
    assert outcome_with(home, revision, unit, d, d.needed) == d.after, d
    one_step = (d.needed - d.published) / d.steps
    assert outcome_with(home, revision, unit, d, d.needed - one_step) != d.after, d


def test_the_smallest_change_turns_the_outcome_and_one_step_less_does_not(home: Settings) -> None:
    """One change of one kind; `benchmarks/thorough.py changes` holds all kinds."""
    named = changes_named(home)
    assert all(named.values()), {kind: len(found) for kind, found in named.items()}
    hold_to(home, random.Random(SEED).choice(named["the spread group takes by a school"]))


def test_what_is_not_named_turns_nothing(home: Settings, published: Published) -> None:
    """Every visible figure of a municipality at either end of its scale, judged by the models."""
    near = [r["municipality_code"] for r in published.rows("selection", selection_group="average", within_quota=False)
            if r["rank_in_group"]]  # fmt: skip
    with judge_of_revision(home, published) as judge:
        assert judge is not None
        for code in near[:4]:
            named = {(d.indicator, d.grade or 0, d.school_year or "window")
                     for d in what_would_differ(judge, published, "municipality", code) if d.outcome == "average"
                     and d.unit_level == "municipality"}  # fmt: skip
            (place,) = [i for i, m in enumerate(judge.municipalities) if m["municipality_code"] == code]
            cells = np.flatnonzero(judge.cells.unit == place)
            ends = np.repeat(judge.cells.value[np.newaxis], 2 * len(cells), axis=0)
            for i, cell in enumerate(cells):
                group = judge.cells.group[cell]
                ends[2 * i, cell], ends[2 * i + 1, cell] = judge.cells.lowest[group], judge.cells.highest[group]
            taken = judge.judge(judge.sums(ends.astype(np.int32))).municipality["average"][:, place]
            turned = {judge.cells.groups[judge.cells.group[cells[i // 2]]] for i in np.flatnonzero(taken)}
            assert turned == named and named


def test_figures_the_models_no_longer_give_have_no_smallest_change(home: Settings, tmp_path: Path) -> None:
    scratch = part_of(home.home, tmp_path, "published")
    folder = current_revision(scratch, ROUND)
    assert folder is not None
    path = folder / "internal" / "municipality_ranking.parquet"
    ranking = pq.read_table(path)
    shares = [s if i else 0.123 for i, s in enumerate(ranking["risk_share"].to_pylist())]
    path.chmod(0o644)
    at = ranking.column_names.index("risk_share")
    pq.write_table(ranking.set_column(at, "risk_share", pa.array(shares)), path)
    vouch_for(path)
    e = explain(scratch, ROUND, "6101")
    assert e.differences is None and "cannot be computed" in as_text(document_of(e, "en")).replace("\n", " ")


def test_a_cell_is_traced_down_and_its_file_up_again(home: Settings, published: Published) -> None:
    def in_force(touched: list[trace.Touched]) -> trace.Touched:
        return next(t for t in touched if t.round == ROUND and t.in_force)

    (cell,) = trace.down(home, ROUND, "indicator_points:6101:bullying:7:2023-24")
    (source,) = cell["sources"]
    touched = in_force(trace.up(home, source["sha256"], line=source["line"], column=source["column"]))
    assert touched.in_force and touched.municipalities == ["6101"] and len(touched.cells) == 1
    base = cell["absolute_source"]
    whole = in_force(trace.up(home, base["sha256"]))
    assert {(r["indicator"], r["side"]) for r in whole.limits} == {("bullying", "absolute")} and len(whole.limits) == 6
    judged = {r["unit_code"] for r in published.rows("indicator_points", unit_level="municipality", indicator="bullying")
              if r["points"] is not None}  # fmt: skip
    resting = {r["municipality_code"] for r in published.rows("selection")} & judged
    assert {d["municipality_code"] for d in whole.decisions} == resting and len(resting) > 100
    assert whole.must_be_redone
    sha256 = find_file(files_of(Archive(home).events()), "fabelland_klass131_endringer.json", "accepted").sha256
    assert in_force(trace.up(home, sha256)).register == "municipality_changes"
    all_cells = trace.down(home, ROUND, "municipality_ranking:6101")
    assert sum(c["weighted_points"] or 0 for c in all_cells) == explained(home, ROUND, "6101").unit["points"]
    refused = oppfolging(home.home, "trace", "--file", "fabelland_klass131_endringar.json")
    assert refused.returncode == 5 and "Did you mean fabelland_klass131_endringer.json" in refused.stderr


def touched_by(home: Settings, file: str, line: int | None = None) -> dict[str, trace.Touched]:
    """What a file touches in the revisions in force."""
    sha256 = find_file(files_of(Archive(home).events()), file, "accepted").sha256
    touched = trace.up(home, sha256, line=line)
    return {t.round: t for t in touched if t.in_force}


def outcomes_of(published: Published, part: str, sha256: str) -> set[tuple[str, int]]:
    """Straight from the table: whose outcome names the file, and in which line."""
    return {
        (r["municipality_code"], r[f"{part}_source_row"])
        for r in published.rows("selection")
        if r[f"{part}_source_sha256"] == sha256
    }


def test_decisions_and_replies_are_what_outcomes_and_cohorts_rest_on(home: Settings) -> None:
    held = open_revision(home, "fictional-2024")
    name = "beslutninger_fictional-2024.xlsx"
    sha256 = find_file(files_of(Archive(home).events()), name, "accepted").sha256
    touched = touched_by(home, name)
    expected = outcomes_of(held, "decision", sha256)
    assert len(expected) > 40
    assert {(o["municipality_code"], o["line"]) for o in touched["fictional-2024"].outcomes} == expected
    # who takes part was followed already when the next round was held
    later = {o["municipality_code"] for o in touched[ROUND].outcomes}
    assert later == {r["unit_code"] for r in open_revision(home, ROUND).rows("exceptions_in_force")
                     if r["ground"] == "uttrekk_2024"}  # fmt: skip
    assert {o["rests_on"] for o in touched[ROUND].outcomes} == {"earlier_decision"}
    members = {r["municipality_code"] for r in touched["uttrekk_2024"].followed if r["decision"] == "accept"}
    assert len(members) == 40 and {c for c, _ in expected} >= members
    redone = {name for name, t in touched.items() if t.must_be_redone}
    assert redone == {"fictional-2024", ROUND, "uttrekk_2024"}
    assert touched["fictional-2024"].as_dict()["must_be_redone"]
    assert all(o["line"] == 8 for t in touched_by(home, name, line=8).values() for o in t.outcomes)
    assert len(touched_by(home, name, line=8)["fictional-2024"].outcomes) == 1
    assert not any(t.must_be_redone for t in touched_by(home, name, line=9_999).values())

    reply = next(r for r in held.rows("selection") if r["reply_source_sha256"])
    told = touched_by(home, reply["reply_source_sha256"])["fictional-2024"]
    assert {(o["municipality_code"], o["line"]) for o in told.outcomes} == outcomes_of(
        held, "reply", reply["reply_source_sha256"]
    )
    assert {o["rests_on"] for o in told.outcomes} == {"reply"}
    text = oppfolging(home.home, "trace", "--file", name).stdout
    assert f"  {len(expected)} outcomes depend on a decision in it: " in text
    assert text.splitlines()[-1].startswith("Must be redone if the file is withdrawn: fictional-2024 ")
    as_json = json.loads(oppfolging(home.home, "trace", "--file", name, "--json").stdout)
    assert sum(len(t["outcomes"]) for t in as_json["touched"] if t["in_force"]) == len(expected) + len(later)


def test_reports_and_measures_are_what_a_cohort_rests_on(home: Settings) -> None:
    folder = current_revision(home, "uttrekk_2024")
    assert folder is not None
    cohort = open_folder(folder)
    sha256 = find_file(files_of(Archive(home).events()), "rapport_1_uttrekk_2024.xlsx", "accepted").sha256
    received = [r for r in cohort.rows("followup_report_status") if r["source_sha256"] == sha256]
    touched = touched_by(home, sha256)
    assert len(touched["uttrekk_2024"].followed) == len(received) > 100
    assert [name for name, t in touched.items() if t.must_be_redone] == ["uttrekk_2024"]
    (whole,) = [r for r in cohort.rows("support_measures_summary", summary_level="all") if r["year"] is None]
    measures = touched_by(home, "tiltak_uttrekk_2024.xlsx")["uttrekk_2024"].followed
    assert len(measures) == whole["measures"] and {r["table"] for r in measures} == {"support_measures_summary"}
    tests = next(i for i in cohort.manifest["inputs"] if i["datasets"] == ["pupil_survey"])
    years = {r["school_year"] for r in touched_by(home, tests["sha256"])["uttrekk_2024"].followed}
    assert years == set(tests["school_years"])


def test_of_files_of_one_name_a_later_form_takes_over_and_the_answer_says_which_there_are(home: Settings) -> None:
    name = "tiltak_uttrekk_2023.xlsx"
    refused = oppfolging(home.home, "trace", "--file", name)
    lines = refused.stderr.splitlines()
    assert refused.returncode == 5 and lines[0] == f"{name} matches 2 files; give a hash prefix:"
    hashes = [line.split()[0] for line in lines[1:]]
    assert all(" arrived 20" in line for line in lines[1:]) and len(hashes) == 2
    older, newer = (touched_by(home, h)["uttrekk_2023"] for h in hashes)
    assert not older.must_be_redone and newer.must_be_redone


def test_a_difference_names_who_moved_the_cells_and_the_cause(published: Published, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    same = compare(published.folder, published.folder)
    assert same.is_empty and same.causes == () and "No published figure" in same.as_text()
    other = tmp_path / "r0002"
    shutil.copytree(published.folder, other, copy_function=shutil.copy)
    for path in other.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    selection = published.rows("selection")
    out = next(r for r in selection if r["status"] == "selected")["municipality_code"]
    inn = next(r for r in selection if r["status"] == "reserve" and r["selection_group"] == "average")[
        "municipality_code"
    ]

    def edit(table: str, change: dict[str, object], **where: object) -> None:
        whole = pq.read_table(other / "internal" / f"{table}.parquet")
        rows = whole.to_pylist()
        hit = [r for r in rows if all(r[k] == v for k, v in where.items())]
        assert len(hit) == 1
        hit[0].update(change)
        pq.write_table(pa.Table.from_pylist(rows, schema=whole.schema), other / "internal" / f"{table}.parquet")
        vouch_for(other / "internal" / f"{table}.parquet")

    edit("selection", {"status": "reserve", "within_quota": False}, municipality_code=out, selection_group="average")
    edit("selection", {"status": "selected", "within_quota": True}, municipality_code=inn, selection_group="average")
    edit("indicator_points", {"value": Decimal("44.0"), "points": 0, "weighted_points": Decimal(0)},
         unit_code=out, indicator="grade_points", school_year="2024-25")  # fmt: skip
    edit("municipality_ranking", {"rank": 99}, municipality_code=out)
    manifest = json.loads((other / "manifest.json").read_text(encoding="utf-8"))
    manifest["revision"] = "r0002"
    at = next(i for i, entry in enumerate(manifest["inputs"]) if "national_tests" in entry["datasets"])
    manifest["inputs"][at] = {**manifest["inputs"][at], "sha256": "0" * 64, "file": "later.csv"}
    (other / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    found = compare(published.folder, other)
    assert found.causes == ("data",) and found.inputs_added == ("later.csv",)
    assert [u.code for u in found.moved_out("average")] == [out] and [u.code for u in found.moved_in("average")] == [
        inn
    ]
    assert [u.code for u in found.moved_in_rank] == [out] and found.points_changed == 1
    (cell,) = next(u for u in found.units if u.code == out).cells
    assert cell.indicator == "grade_points" and cell.columns["value"][1] == Decimal("44.0")
    told = json.loads(found.as_json())
    assert told["moved_in"] == {"average": [inn]}
    assert {(o["before"], o["after"]): o["municipalities"] for o in told["outcomes"]} == {
        ("selected", "reserve"): [out], ("reserve", "selected"): [inn],
    }  # fmt: skip
    manifest["inputs"] = published.manifest["inputs"]
    manifest["rule_set"]["sha256"] = "1" * 64
    manifest["code_version"] = "other"
    (other / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert compare(published.folder, other).causes == ("rule", "code")


def test_what_was_decided_moves_nobody_by_the_rule(home: Settings) -> None:
    first, second = (open_revision(home, "fictional-2024", name).folder for name in ("r0001", "r0002"))
    found = compare(first, second)
    assert found.causes == ("decision",) and not found.points_changed
    for group in ("average", "spread"):
        assert found.moved_in(group) == found.moved_out(group) == ()
    rows = open_revision(home, "fictional-2024", "r0002").rows("selection")
    declined = {r["municipality_code"] for r in rows if r["decision"] == "decline"}
    assert {u.code for u in found.outcomes("average")["selected", "declined"]} == declined
    assert all(u.groups for u in found.units)
    assert f"average, selected -> declined: {declined.pop()}" in found.as_text()


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the pack's own check as a third party would: another Python, nothing of ours importable."""
    return subprocess.run([sys.executable, "-I", "check.py"], cwd=folder, capture_output=True, text=True, timeout=60)


def unpack(pack: Path, folder: Path) -> Path:
    with zipfile.ZipFile(pack) as package:
        package.extractall(folder)
    return folder


def test_municipalities_are_checked_by_a_third_party(home: Settings, published: Published, tmp_path: Path) -> None:
    codes = some(published, 4)
    assert write_pack(home, ROUND, tmp_path / "pack.zip", codes) == 4
    folder = unpack(tmp_path / "pack.zip", tmp_path / "pack")
    result = check(folder)
    assert result.returncode == 0, result.stdout + result.stderr
    assert all(code in result.stdout for code in codes) and "EVERYTHING AGREES" in result.stdout
    assert len(list((folder / "pages").iterdir())) == 4


def test_a_pack_is_the_same_twice_and_one_changed_digit_shows(
    home: Settings, published: Published, tmp_path: Path
) -> None:
    (code,) = some(published, 1, seed=7)
    for name in ("one.zip", "two.zip"):
        write_pack(home, ROUND, tmp_path / name, [code])
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    folder = unpack(tmp_path / "one.zip", tmp_path / "whole")
    assert check(folder).returncode == 0
    names = {p.name for p in (folder / "pages").iterdir()}
    assert names == {f"{code}.{lang}.{kind}" for lang in ("no", "en") for kind in ("html", "pdf")}
    doubt = (folder / "tables" / "selection_uncertainty.csv").read_text(encoding="utf-8").splitlines()
    rated = [s for s in published.rows("school_ranking", municipality_code=code) if s["rated"]]
    assert len(doubt) == 2 + len(rated) and f",{code}," in doubt[1]
    source = next(s for s in published.rows("point_sources", unit_code=code) if s["cell_state"] == "observed")
    excerpt = f"excerpts/{source['source_sha256']}.jsonl"
    raw = source["cell_raw_value"]
    other = raw[:-1] + str((int(raw[-1]) + 1) % 10)

    def tampered(name: str, change: object, *, hide: bool) -> str:
        copy = tmp_path / f"changed-{name.replace('/', '-')}-{hide}"
        shutil.copytree(folder, copy)
        text = (copy / name).read_text(encoding="utf-8")
        (copy / name).write_text(change(text), encoding="utf-8")  # type: ignore[operator]
        if hide:
            lines = (copy / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
            lines = [
                f"{hashlib.sha256((copy / n).read_bytes()).hexdigest()}  {n}"
                for n in (row.split("  ", 1)[1] for row in lines)
            ]
            (copy / "SHA256SUMS").write_text("\n".join(lines) + "\n", encoding="utf-8")
        result = check(copy)
        assert result.returncode == 1, name
        return result.stdout

    def in_excerpt(text: str) -> str:
        lines = text.splitlines(keepends=True)
        at = next(i for i, row in enumerate(lines[1:], 1) if json.loads(row)["line"] == source["source_row"])
        lines[at] = lines[at].replace(raw, other)
        return "".join(lines)

    def in_share(text: str) -> str:
        share = repr(next(m["risk_share"] for m in published.rows("municipality_ranking", municipality_code=code)))
        return text.replace(share, share[:-1] + str((int(share[-1]) + 1) % 10))

    assert "source cell" in tampered(excerpt, in_excerpt, hide=True)
    assert "share" in tampered("tables/municipality_ranking.csv", in_share, hide=True)
    assert "DISAGREES file: README.md" in tampered("README.md", lambda text: text.replace("53p", "54p"), hide=False)


@pytest.mark.parametrize(
    "question",
    [("explain", "6101", "--round"), ("evidence", "--all", "--out", "x.zip", "--round"), ("whatif", "--round"),
     ("uncertainty", "--round"), ("variants", "--round"), ("diff", "fictional-2024")],
)  # fmt: skip
def test_a_question_about_a_round_that_names_a_cohort_is_told_its_round(
    home: Settings, question: tuple[str, ...]
) -> None:
    done = oppfolging(home.home, *question, "uttrekk_2023")
    assert done.returncode == 5, done.stdout + done.stderr
    assert "uttrekk_2023 is a cohort, not a round. Its round is fictional-2023" in " ".join(done.stderr.split())
