"""The documentation: it builds without a warning, loads nothing from a network, and what it says to type exists."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from markdown.extensions.toc import slugify

from dagster_project.cli import main
from dagster_project.publication.site.glossary import TERMS
from dagster_project.rules import load_rules
from dagster_project.settings import REPOSITORY, load_settings
from dagster_project.transform import dbt_step
from tests.browser.conftest import chromium
from tests.docs.blocks import DOCS, PAGES, blocks, code_words, command_lines, mistakes, name_of
from tests.unit.test_cli import EVERY

LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "object": "data"}
MADE_BY_RUNS = ("build/docs", "dbt/target", "data/.dagster", "dbt/.manifest-lock")
NO_PATHS = ("dbt/test",)
"""Keys of metadata that look like paths."""
ROOTS = ("dagster_project", "dbt", "docs", "data", "tests", "benchmarks", "release", "expectations", ".ci")
each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole site, built strictly: a broken link or anchor ends the build."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


class Loaded(HTMLParser):
    """What a browser loads when it opens a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "link" and values.get("rel") in ("canonical", "next", "prev"):
            return
        if address := values.get(LOADS.get(tag, "")):
            self.addresses.append(address)


def outside(address: str) -> bool:
    return address.startswith(("http:", "https:", "//"))


def test_no_page_loads_anything_from_another_server(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        parser = Loaded()
        parser.feed(page.read_text(encoding="utf-8"))
        assert [a for a in parser.addresses if outside(a)] == [], page
    for sheet in site.rglob("*.css"):
        assert re.findall(r"(?:@import\s+|url\()[\"']?(?:https?:)?//", sheet.read_text(encoding="utf-8")) == [], sheet


def test_a_script_from_a_server_would_be_seen() -> None:
    parser = Loaded()
    parser.feed('<script src="https://unpkg.com/x"></script><a href="https://example.org">x</a><img src="a.png">')
    assert [a for a in parser.addresses if outside(a)] == ["https://unpkg.com/x"]


@pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine")
def test_the_search_works_on_pages_opened_from_disk_and_asks_nobody(site: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.docs.search", str(chromium()), str(site)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert "Answering a questioned selection" in seen["found"]
    assert len(seen["asked"]) > 10
    assert [a for a in seen["asked"] if not a.startswith(("file:", "data:", "blob:", "about:"))] == []
    assert seen["errors"] == []


def anchors(page: Path) -> set[str]:
    """The anchors of the headings of a page, as GitHub and mkdocs name them."""
    return {slugify(h, "-") for h in re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)}


@each_page
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in [*re.findall(r"\]\(([^)\s]+)\)", text), *re.findall(r'<img src="([^"]+)"', text)]:
        if outside(target):
            continue
        path, _, anchor = target.partition("#")
        aim = (page.parent / path).resolve() if path else page
        made = aim.parent == DOCS / "reference" or aim == DOCS / "decisions" / "index.md"
        assert made or aim.exists(), target
        if anchor and not made:
            assert anchor in anchors(aim), target


@each_page
def test_every_command_that_is_shown_exists_with_its_options(page: Path) -> None:
    assert [(words, m) for words in command_lines(page, "oppfolging") if (m := mistakes(words))] == []


def test_commands_and_options_that_do_not_exist_would_be_seen() -> None:
    assert mistakes(["run", "--fast"]) == ["no option --fast"]
    assert mistakes(["round", "finalize", "R"]) == ["no command finalize"]
    assert mistakes(["explain", "6412", "--round", "R", "--format", "word"]) == ["--format word"]
    assert mistakes(["--home", "X", "round", "show", "R"]) == []
    read = [w for page in PAGES for w in command_lines(page, "oppfolging")]
    assert len(read) > 80 and ["run", "--quiet"] in read


@each_page
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {words[0] for words in command_lines(page, "make")} <= targets


def is_a_path(word: str) -> bool:
    """Whether a word in backticks names a file of this repository, without a part to be filled in."""
    if not re.fullmatch(r"[\w./-]+", word) or "/" not in word or re.search(r"\b[A-Z][A-Z_]+\b", word):
        return False
    return word.split("/")[0] in ROOTS or word.endswith((".py", ".csv", ".sql", ".yaml"))


@each_page
def test_every_path_that_is_named_exists(page: Path) -> None:
    named = [w for word in code_words(page) for w in word.split() if is_a_path(w)]
    for path in named:
        if path in NO_PATHS or path.startswith(MADE_BY_RUNS) or path.split("/")[0] in ("warehouse", "registers"):
            continue
        assert any((REPOSITORY / room / path).exists() for room in ("", "dagster_project", "data")), path


def test_the_data_dictionary_holds_every_column_and_the_glossary_every_word(site: Path) -> None:
    text = (site / "reference" / "data-dictionary.html").read_text(encoding="utf-8")
    manifest = dbt_step.load_manifest(load_settings())
    models = [n for n in manifest["nodes"].values() if n["resource_type"] == "model"]
    for model in models:
        assert f'id="{model["name"]}"' in text
        assert all(f"<code>{column}</code>" in text for column in model["columns"])
    glossary = (site / "reference" / "glossary.html").read_text(encoding="utf-8")
    assert all(f"<td>{term}</td>" in glossary for term in TERMS)
    files = (site / "reference" / "files.html").read_text(encoding="utf-8")
    suites = sorted(p.stem for p in (REPOSITORY / "expectations").glob("*.json"))
    assert len(suites) > 10 and all(f'id="{dataset}"' in files for dataset in suites)


def test_the_reference_has_every_command(site: Path) -> None:
    text = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    assert all(f'id="oppfolging-{"-".join(words)}"' in text for words in EVERY)


def test_decisions_are_numbered_and_have_the_same_parts() -> None:
    files = sorted((DOCS / "decisions").glob("*.md"))
    assert [int(path.name[:4]) for path in files] == list(range(1, len(files) + 1))
    for number, path in enumerate(files, 1):
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {number}. ") and re.search(r"^Status: \w+", text, re.MULTILINE)
        parts = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert parts == ["Context", "Decision", "Consequences", "Where it is held"], path.name


@each_page
def test_blocks_of_yaml_can_be_read(page: Path) -> None:
    for block in blocks(page):
        if block.language == "yaml":
            assert yaml.safe_load(block.text)


def laid_over(base: dict, change: dict) -> Iterator[tuple[str, object]]:  # type: ignore[type-arg]
    for key, value in {**base, **change}.items():
        entry = isinstance(value, dict) and "basis" in value
        nested = isinstance(base.get(key), dict) and isinstance(change.get(key), dict) and not entry
        yield key, dict(laid_over(base[key], change[key])) if nested else value


def test_the_rule_set_and_the_rounds_of_the_guides_are_accepted(tmp_path: Path) -> None:
    data = REPOSITORY / "data"
    changed, proposal = [yaml.safe_load(b.text) for b in blocks(DOCS / "writing-a-rule-set.md") if b.language == "yaml"]
    (round_2027,) = [yaml.safe_load(b.text) for b in blocks(DOCS / "running-a-round.md") if b.language == "yaml"]
    shutil.copytree(data / "rules", tmp_path / "rules")
    base = yaml.safe_load((data / "rules" / "udir-2020.yaml").read_text(encoding="utf-8"))
    rules = yaml.safe_dump(dict(laid_over(base, changed)), allow_unicode=True, sort_keys=False)
    (tmp_path / "rules" / "proposal-2027.yaml").write_text(rules, encoding="utf-8")
    rounds = yaml.safe_load((data / "rounds.yaml").read_text(encoding="utf-8"))
    rounds["rounds"] += [*proposal, *round_2027]
    (tmp_path / "rounds.yaml").write_text(yaml.safe_dump(rounds, allow_unicode=True), encoding="utf-8")
    read = load_rules(load_settings(tmp_path))
    assert {"fictional-2026-proposal", "udir-2027"} <= {r.id for r in read.rounds}


def shown(page: Path, marker: str) -> list[str]:
    """The lines of the block of output that holds a text."""
    (block,) = [b for b in blocks(page) if b.language == "text" and marker in b.text]
    return [line for line in block.text.splitlines() if line]


def test_the_answer_to_a_questioned_selection_is_as_the_guide_shows(country_home: Path, tmp_path: Path) -> None:
    guide, run = DOCS / "questioned-selection.md", CliRunner()

    def answer(*words: str) -> str:
        done = run.invoke(main, ["--home", str(country_home), *words])
        assert done.exit_code == 0, done.output
        return done.output

    explained = answer("explain", "6412", "--round", "fictional-2024")
    for line in shown(guide, "THE OUTCOME"):
        assert line in " ".join(explained.split())  # the text is as wide as the terminal
    for words in command_lines(guide, "oppfolging"):
        if words[0] == "trace" and "--cell" in words:
            assert set(shown(guide, "motivation 7 2023-24")) <= set(answer(*words).splitlines())
    pack = tmp_path / "6412.zip"
    answer("evidence", "6412", "--round", "fictional-2024", "--out", str(pack))
    shutil.unpack_archive(pack, tmp_path / "6412")
    checked = subprocess.run([sys.executable, str(tmp_path / "6412" / "check.py")], capture_output=True, text=True)
    assert checked.returncode == 0 and all(line in checked.stdout for line in shown(guide, "EVERYTHING AGREES"))


def test_the_guides_name_no_municipality_of_the_real_country() -> None:
    real = re.compile(r"\b(?:0[1-9]|[1-5]\d)\d\d\b")
    for page in PAGES:
        for words in command_lines(page, "oppfolging"):
            if words[0] in ("explain", "evidence"):
                assert not any(real.fullmatch(word) for word in words[1:]), words


def in_bash(home: Path, *parts: str) -> str:
    """What blocks of a page print, one after another in one shell in a home."""
    done = subprocess.run(["bash", "-c", "\n".join(parts)], cwd=home, capture_output=True, text=True)
    return done.stdout + done.stderr


def test_a_seal_is_made_and_checked_as_its_page_shows(country_home: Path, tmp_path: Path) -> None:
    page, home = DOCS / "seals.md", tmp_path / "home"
    for part in ("archive", "published/fictional-2024"):
        shutil.copytree(country_home / part, home / part)
    make, name, *check = [b.text for b in blocks(page) if b.language == "bash"]
    in_bash(home, make)

    def said(*words: str) -> str:
        done = CliRunner().invoke(main, ["--home", str(home), *words])
        return done.output if done.exit_code == 0 else f"{done.exit_code}: {done.output}"

    key, public = str(home / "seal.pem"), str(home / "seal.pub")
    sealed = said("seal", "--key", key)
    assert re.fullmatch(r"\d+ lines of the ledger sealed with key [0-9a-f]{16}\n", sealed), sealed
    assert in_bash(home, name).strip() == sealed.split()[-1]
    assert re.fullmatch(r"\d+ lines of the ledger sealed with key [0-9a-f]{16}", shown(page, "sealed with key")[0])
    assert f"ledger lines covered by a seal: {sealed.split()[0]}" in said(
        "verify", "--round", "fictional-2024", "--quick", "--key", public
    )
    answers = [line for b in blocks(page) if b.language == "text" for line in b.text.splitlines()][1:]
    assert in_bash(home, *check).splitlines() == answers

    ledger = home / "archive" / "ledger.jsonl"
    whole = ledger.read_bytes()
    ledger.write_bytes(whole.replace(b'"event": "arrived"', b'"event": "Arrived"', 1))
    assert "the ledger is NOT as it was sealed" in in_bash(home, *check)
    ledger.write_bytes(whole.replace(b"\n", b"", 1))
    assert "the ledger is NOT as it was sealed" in in_bash(home, *check)
    ledger.write_bytes(whole)
    seals = home / "archive" / "seals.jsonl"
    seals.write_bytes(seals.read_bytes().replace(b'"lines": ', b'"lines": 9', 1))
    assert "Signature Verification Failure" in in_bash(home, check[0])


def test_the_page_of_seals_has_every_message() -> None:
    text, code = (
        p.read_text(encoding="utf-8") for p in (DOCS / "seals.md", REPOSITORY / "dagster_project/archive/seals.py")
    )
    messages = {
        *re.findall(r'add\("([\w-]+)"', code),
        *re.findall(r'\} ((?:does not hold a private|holds)[^";.]+)', code),
    }
    assert len(messages) == 6
    for message in messages:
        assert message.partition(";")[0] in text, message
