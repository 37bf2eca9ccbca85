"""The report site: every page of both editions and languages, read as a browser and a reader would."""

from __future__ import annotations

import inspect
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from babel.messages.pofile import read_po

from dagster_project.pages.words import CATALOGUE
from dagster_project.publication import report_site
from dagster_project.publication.site.build import render
from dagster_project.publication.site.content import Before, Round
from dagster_project.publication.site.facts import Facts
from dagster_project.publication.site.geography import Geography
from dagster_project.publication.site.round_pages import MENU, RoundSite
from dagster_project.publication.site.speech import speech
from dagster_project.publication.site.tables import Tables
from dagster_project.publication.subjects import subject_of
from dagster_project.rules import load_rules
from dagster_project.settings import Settings, load_settings

ROUNDS = {"open": "fictional-2026/r0001", "final": "fictional-2024"}
COHORT = "uttrekk_2024"
LIMITS = ("national_limit", "absolute_limit")
VOID = {"meta", "link", "br", "input", "img", "hr"}
DRAWN = {"svg", "img"}
SNAKE, PATH, HASH = (
    re.compile(r"\b[a-z]+_[a-z_0-9]+\b"),
    re.compile(r"\b[a-z]+\.[a-z]+\.[a-z]+\b"),
    re.compile(r"[0-9a-f]{12}"),
)
ONE_IN, MOST_OF_A_ROUND, MOST_OF_A_PAGE = 12, 25_000_000, 300_000


@dataclass
class Page(HTMLParser):
    """A page: what is wrong with its markup, where it leads, and the text that is read before anything is unfolded."""

    text: str
    wrong: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)
    headings: int = 0
    lang: str | None = None

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[str] = []
        self._foreign = 0
        self.feed(self.text)
        self.close()
        if self._open:
            self.wrong.append(f"not closed: {self._open}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if len(given) != len(attrs):
            self.wrong.append(f"an attribute twice: {attrs}")
        if tag not in VOID:
            self._open.append(tag)
        self.lang = given.get("lang") if tag == "html" else self.lang
        self.headings += tag == "h1"
        self.ids += [given["id"] or ""] if "id" in given else []
        self.links += [given[k] or "" for k in ("href", "src") if k in given]
        if tag in DRAWN and not (given.get("aria-label") or given.get("alt") or given.get("aria-hidden")):
            self.wrong.append(f"no text alternative: {attrs}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1] != tag:
            self.wrong.append(f"</{tag}> closes {self._open[-1:]}")
        else:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if data.strip() and not {"details", "style", "script", "nav"}.intersection(self._open):
            self.plain.append(data.strip())


def tables_of(settings: Settings, name: str) -> Path:
    """The revision of a round: the one named, or that in force."""
    place = settings.published / name
    return (
        place if "/" in name else place / json.loads((place / "current.json").read_text(encoding="utf-8"))["revision"]
    )


def written(home: Path, name: str, into: Path) -> Path:
    """A copy of a revision with its sites written anew."""
    settings = load_settings(home)
    source = tables_of(settings, name)
    folder = into / source.parent.name / source.name
    shutil.copytree(
        source, folder, ignore=shutil.ignore_patterns("site", "*.csv", "report"), copy_function=shutil.copyfile
    )
    for path in [p for edition in ("internal", "public") for p in (folder / edition).glob("*.parquet")]:
        path.with_suffix(".csv").touch()
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    rulebook = load_rules(settings)
    report_site.fill_sites(settings, rulebook, subject_of(rulebook, manifest), folder, manifest)
    return folder


@pytest.fixture(scope="module", params=ROUNDS.values(), ids=ROUNDS)
def revision(request: pytest.FixtureRequest, country_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(country_home, request.param, tmp_path_factory.mktemp("sites"))


@pytest.fixture(scope="module")
def cohort(country_home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    """The pages of a cohort that is followed, with reports that are overdue."""
    folder = written(country_home, COHORT, tmp_path_factory.mktemp("cohorts"))
    found = {p: Page(p.read_text(encoding="utf-8")) for p in sorted((folder / "internal" / "site").rglob("*.html"))}
    assert not (folder / "public" / "site").exists()
    return found


def pages(revision: Path) -> Iterator[tuple[Path, Page]]:
    """Every page, but of the municipalities, whose pages are alike, one in so many."""
    for edition in ("internal", "public"):
        for folder in (revision / edition / "site", revision / edition / "site" / "en"):
            municipalities = sorted((folder / "kommune").glob("*.html"))
            others = [*folder.glob("*.html"), *(folder / "statsforvalter").glob("*.html")]
            for path in sorted([*others, *municipalities[::ONE_IN]]):
                yield path, Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def read(revision: Path) -> dict[Path, Page]:
    return dict(pages(revision))


def test_there_is_a_page_for_everything_in_both_languages(revision: Path) -> None:
    ranking = pq.read_table(revision / "internal" / "municipality_ranking.parquet").to_pylist()
    for edition in ("internal", "public"):
        site = revision / edition / "site"
        for folder in (site, site / "en"):
            names = {p.relative_to(folder).as_posix() for p in folder.rglob("*.html")}
            assert names >= {f"kommune/{r['municipality_code']}.html" for r in ranking}
            assert names >= {
                f"{name}.html" for name in ("index", "rangering", "spredning", "statsforvaltere", "usikkerhet", "grenser",
                                            "endringer", "kontroll", "metode", "ordliste")
            }  # fmt: skip
            governors = {r["county_governor"] for r in ranking if r["county_governor"]}
            assert len([n for n in names if n.startswith("statsforvalter/")]) == len(governors)


def check_markup(read: dict[Path, Page]) -> None:
    for path, page in read.items():
        assert page.wrong == [] and page.headings == 1, (path, page.wrong)
        assert page.lang == ("en" if "/site/en/" in path.as_posix() else "nb"), path
        assert len(set(page.ids)) == len(page.ids), path


def check_links(read: dict[Path, Page]) -> None:
    ids = {path.resolve(): set(page.ids) for path, page in read.items()}
    for path, page in read.items():
        for link in page.links:
            if link.startswith("https://"):
                continue
            name, _, anchor = link.partition("#")
            target = (path.parent / name).resolve() if name else path.resolve()
            assert target.exists(), (path, link)
            assert not anchor or anchor in ids.get(target, {anchor}), (path, link)


def check_words(read: dict[Path, Page]) -> None:
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale="nb")
    both = []
    for m in catalogue:
        if m.id:
            both += [(m.id, m.string)] if isinstance(m.id, str) else list(zip(m.id, m.string, strict=True))
    norwegian = {no for _, no in both}
    english = {en for en, no in both if en != no and en not in norwegian and "{" not in en}
    assert len(english) > 300
    for path, page in read.items():
        if page.lang != "nb":
            continue
        for text in page.plain:
            assert not SNAKE.search(text) and not HASH.search(text) and not PATH.search(text), (path, text)
            assert text.strip(" .:;()") not in english and text not in english and "None" not in text, (path, text)


def test_every_page_is_whole_and_can_be_read_by_everybody(read: dict[Path, Page], cohort: dict[Path, Page]) -> None:
    check_markup(read | cohort)


def test_every_link_leads_somewhere_and_nothing_comes_from_a_network(
    read: dict[Path, Page], cohort: dict[Path, Page]
) -> None:
    check_links(read | cohort)
    style = next(p for p in read if p.name == "metode.html" and p.parent.name == "site").parent / "assets" / "site.css"
    assert not re.search(r"url\(|@import", style.read_text(encoding="utf-8"))


def test_a_norwegian_page_has_no_word_for_programs_and_none_in_english(
    read: dict[Path, Page], cohort: dict[Path, Page]
) -> None:
    check_words(read | cohort)


def test_a_cohort_tells_what_is_overdue_first_and_has_a_page_for_each_municipality(cohort: dict[Path, Page]) -> None:
    front = next(page for path, page in cohort.items() if path.name == "index.html" and page.lang == "nb")
    assert any("forsinket" in text for text in front.plain) and "Brumeblom" in front.plain
    assert sum(path.parent.name == "kommune" for path in cohort) == 2 * 40
    reports = next(page for path, page in cohort.items() if path.name == "rapporter.html" and page.lang == "nb")
    states = [text for text in reports.plain if text in ("forsinket", "mottatt", "mottatt for sent", "ikke forfalt")]
    assert states[0] == "forsinket" and states == sorted(
        states, key=("forsinket", "mottatt for sent", "mottatt", "ikke forfalt").index
    )


def test_an_open_round_is_told_as_proposed_and_begins_with_those_on_the_list(
    revision: Path, read: dict[Path, Page]
) -> None:
    for path, page in read.items():
        if path.name != "index.html" or page.lang != "nb":
            continue
        words = " ".join(page.plain)
        if ROUNDS["final"] in path.as_posix():
            assert "trukket ut" in words and "foreslått" not in words
            continue
        assert "trukket ut" not in words and "30 kommuner er foreslått" in words
        assert page.text.index("foreslått") < page.text.index("holdes utenfor: er alt i ordningen")


def test_a_governor_with_candidates_is_never_said_to_have_none(revision: Path, read: dict[Path, Page]) -> None:
    """The public edition of a final round said so of all of them."""
    for edition in ("internal", "public"):
        text = (revision / edition / "site" / "en" / "statsforvaltere.html").read_text(encoding="utf-8")
        rows = re.findall(r'<th scope="row">.*?</th><td class="n">(\d+)</td>.*?<span class="is (\w+)">', text)
        assert len(rows) == 10 and all(
            (reply == "none") == (count == "0") for count, reply in rows if edition == "public"
        )
        assert {reply for _, reply in rows} <= {"replied", "awaited", "asked", "none"}


def test_a_share_is_said_to_have_risen_only_where_that_put_the_municipality_on_the_list(country_home: Path) -> None:
    for edition in ("internal", "public"):
        round_ = round_of_2026(country_home, edition)
        assert round_.before is not None
        was, _ = Round(round_.before.facts, round_.before.tables, edition == "public").cut
        now, _ = round_.cut
        for move in round_.moves:
            if move.why == "share_rose":
                assert move.before < move.after and move.after >= was, move
            if move.why == "share_fell":
                assert move.before > move.after and move.before >= now, move
        assert {move.why for move in round_.moves} >= {"cut_fell"}


def round_of_2026(home: Path, edition: str) -> Round:
    """The round as one edition shows it, beside the one of 2024."""
    rulebook = load_rules(load_settings())
    before, now = (tables_of(load_settings(home), name) for name in ("fictional-2024", "fictional-2026"))

    def facts(folder: Path) -> Facts:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return report_site.facts_of(manifest, rulebook.rule_sets[manifest["rule_set"]["name"]])

    told = Before(Tables(before / edition), facts(before))
    return Round(facts(now), Tables(now / edition), edition == "public", told)


def test_the_public_site_is_made_of_the_public_folder_alone(revision: Path, tmp_path: Path) -> None:
    assert set(inspect.signature(report_site.write_public).parameters) == {"folder", "facts", "before", "geography"}
    manifest = json.loads((revision / "manifest.json").read_text(encoding="utf-8"))
    facts = report_site.facts_of(manifest, load_rules(load_settings()).rule_sets[manifest["rule_set"]["name"]])
    alone = tmp_path / "public"
    shutil.copytree(revision / "public", alone, ignore=shutil.ignore_patterns("site"))
    report_site.write_public(alone, facts, None, None)
    first = alone / "site" / "rangering.html"
    assert first.read_bytes() == (revision / "public" / "site" / "rangering.html").read_bytes()


def test_a_map_is_drawn_of_the_outlines_there_are_and_the_others_are_listed(revision: Path) -> None:
    manifest = json.loads((revision / "manifest.json").read_text(encoding="utf-8"))
    facts = report_site.facts_of(manifest, load_rules(load_settings()).rule_sets[manifest["rule_set"]["name"]])
    tables = Tables(revision / "public")
    codes = sorted(r["municipality_code"] for r in tables.rows("municipality_ranking"))
    site = RoundSite(Round(facts, tables, True), Geography(100, 100, dict.fromkeys(codes[5:], "M0 0H9V9Z")))
    front = next(page for page in site.pages(speech("no")) if page.path == "index.html")
    text = render(front, speech("no"), facts, MENU, public=True)
    assert text.count("M0 0H9V9Z") == len(codes) - 5 and "5 kommuner er ikke på kartet" in text
    assert [code for code, _ in front.content["map"]["missing"]] == codes[:5]


def test_a_public_page_shows_no_figure_that_the_public_tables_hide(revision: Path, read: dict[Path, Page]) -> None:
    shown, hidden = (
        {
            (r["unit_code"], r["indicator"], r["grade"], r["school_year"]): r
            for r in pq.read_table(revision / edition / "indicator_points.parquet", filters=[("unit_level", "==", "municipality")]).to_pylist()
        }
        for edition in ("public", "internal")
    )  # fmt: skip
    checked = 0
    for code in sorted({key[0] for key in hidden}):
        text = (revision / "public" / "site" / "kommune" / f"{code}.html").read_text(encoding="utf-8")
        values = {r["value"] for key, r in shown.items() if key[0] == code}
        known = values | {r[limit] for key, r in shown.items() if key[0] == code for limit in LIMITS}
        ranking = re.findall(r"<td>(\d+,\d)</td>", text)
        for key, row in hidden.items():
            if (
                key[0] == code
                and row["value"] is not None
                and shown[key]["value"] is None
                and row["value"] not in known
            ):
                assert f"{row['value']:.1f}".replace(".", ",") not in ranking, (code, key)
                checked += 1
    assert checked > 50


def test_the_pages_are_light(revision: Path) -> None:
    """Both editions in both languages, together."""
    sites = [revision / edition / "site" for edition in ("internal", "public")]
    sizes = [p.stat().st_size for site in sites for p in site.rglob("*") if p.is_file()]
    assert sum(sizes) < MOST_OF_A_ROUND and max(sizes) < MOST_OF_A_PAGE


def test_the_same_revision_gives_the_same_pages(country_home: Path, revision: Path, tmp_path: Path) -> None:
    again = written(country_home, next(n for n in ROUNDS.values() if n.split("/")[0] == revision.parent.name), tmp_path)
    for edition in ("internal", "public"):
        site = again / edition / "site"
        names = {p.relative_to(site) for p in site.rglob("*") if p.is_file()}
        first = revision / edition / "site"
        assert names == {p.relative_to(first) for p in first.rglob("*") if p.is_file()}
        assert all((site / n).read_bytes() == (first / n).read_bytes() for n in names)
