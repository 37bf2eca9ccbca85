"""The catalogue: every text of the code is there in Norwegian, none too many, and no code asks which language it is."""

from __future__ import annotations

import ast
import datetime as dt
import re
import subprocess
import sys
from decimal import Decimal
from string import Formatter

import pytest
import yaml
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from dagster_project.pages.words import CATALOGUE, CODES, LANGUAGES, LOCALES, both, texts
from dagster_project.rounds.state import State
from dagster_project.rules import load_rules
from dagster_project.settings import REPOSITORY, load_settings

PACKAGE = REPOSITORY / "dagster_project"
ADVICE = "Run `make words`, then write the Norwegian in oppfolging.po."
NAMES_OF_LANGUAGES = {*LOCALES, *LOCALES.values(), "nn"}


def in_norwegian() -> Catalog:
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="nb")


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """What ``make words`` finds in the code."""
    found = tmp_path_factory.mktemp("words") / "found.pot"
    command = [
        sys.executable,
        "-m",
        "babel.messages.frontend",
        "-q",
        "extract",
        "-F",
        "pyproject.toml",
        "-o",
        str(found),
    ]
    subprocess.run([*command, "dagster_project"], cwd=REPOSITORY, check=True)
    with found.open("rb") as file:
        return read_po(file)


def forms(text: str | tuple[str, ...]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_every_text_is_in_the_catalogue_and_no_other(collected: Catalog) -> None:
    code, catalogue = ({m.id for m in c if m.id} for c in (collected, in_norwegian()))
    assert len(code) > 200
    assert code - catalogue == set(), ADVICE
    assert catalogue - code == set() and not in_norwegian().obsolete, ADVICE


def test_every_text_has_a_norwegian_one_with_the_same_placeholders() -> None:
    for message in in_norwegian():
        if not message.id:
            continue
        assert not message.fuzzy and all(forms(message.string)), f"{message.id}: {ADVICE}"
        assert len(forms(message.string)) == len(forms(message.id))
        for english, norwegian in zip(forms(message.id), forms(message.string), strict=True):
            assert placeholders(english) == placeholders(norwegian), message.id
            assert english[-1:] not in ".:" or norwegian[-1:] == english[-1:], message.id


def test_every_sentence_can_be_filled_in() -> None:
    """No placeholder is a position, and none asks for a format: the language has its own."""
    for message in in_norwegian():
        for text in (*forms(message.id), *forms(message.string)):
            for _, name, form, conversion in Formatter().parse(text):
                assert name is None or (name.isidentifier() and not form and not conversion), text


def branches(tree: ast.AST) -> list[int]:
    """The lines on which a program decides by the language."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            constants = [v.value for s in sides for v in ast.walk(s) if isinstance(v, ast.Constant)]
            if NAMES_OF_LANGUAGES.intersection(v for v in constants if isinstance(v, str)):
                found.append(node.lineno)
        if isinstance(node, ast.MatchValue) and isinstance(node.value, ast.Constant):
            found += [node.value.lineno] * (node.value.value in NAMES_OF_LANGUAGES)
        if isinstance(node, ast.If | ast.IfExp):
            names = {n.id for n in ast.walk(node.test) if isinstance(n, ast.Name)}
            found += [node.lineno] * bool(names & {"no", "nb", "norsk", "norwegian", "english"})
    return found


def test_no_code_decides_by_the_language() -> None:
    assert branches(ast.parse("x = a if lang == 'no' else b")) and branches(ast.parse("x = a if no else b"))
    assert branches(ast.parse("x = pair[lang == 'en']"))
    for path in sorted(PACKAGE.rglob("*.py")):
        assert branches(ast.parse(path.read_text(encoding="utf-8"))) == [], path
    for path in sorted(PACKAGE.rglob("*.j2")):
        blocks = re.findall(r"\{[{%].*?[%}]\}", path.read_text(encoding="utf-8"), re.DOTALL)
        assert [b for b in blocks if re.search(r"\b(lang|locale)\b.*[=!]=|['\"](no|nb|en)['\"]", b)] == [], path


def test_every_code_that_people_see_has_words() -> None:
    """The statuses of the published tables, the stages of a round, the indicators, areas and grounds of the rules."""
    shown = {f"round_{state}" for state in State}
    for path in (REPOSITORY / "dbt" / "models" / "marts").rglob("*.yml"):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        for column in (column for model in content.get("models", ()) for column in model.get("columns", ())):
            for test in column.get("data_tests", ()):
                if isinstance(test, dict) and "accepted_values" in test:
                    shown |= {v for v in test["accepted_values"]["arguments"]["values"] if isinstance(v, str)}
    for rules in load_rules(load_settings()).rule_sets.values():
        shown |= {indicator.name for indicator in rules.indicators}
        shown |= {entry.basis for _, entry in rules.sourced()} | set(rules.tie_breaks.value)
    assert len(shown) > 40 and shown - set(CODES) == set()


def test_the_languages_write_numbers_and_days_their_own_way() -> None:
    no, en = (texts(lang) for lang in LANGUAGES)
    assert (no.percent(0.476), en.percent(0.476), no.percent(None)) == ("47,6 %", "47.6 %", "-")
    assert (no.percent(1 / 3, 4), en.percent(0.5, 0)) == ("33,3333 %", "50 %")
    exact = Decimal("0.12345678901234567890")
    assert (no.number(exact), en.number(exact)) == ("0,1234567890123456789", "0.1234567890123456789")
    assert [no.number(v) for v in (None, 3, 2.50, Decimal("1200.10"))] == ["", "3", "2,5", "1200,1"]
    day = dt.date(2026, 2, 5)
    assert (no.date(day), en.date(day)) == ("05.02.2026", "2026-02-05")
    assert no._("Decided on: {day}.", day=day) == "Besluttet: 05.02.2026."
    larger = "{count} larger change is not shown.", "{count} larger changes are not shown."
    assert [no.ngettext(*larger, n) for n in (1, 2)] == [
        "1 større endring er ikke vist.",
        "2 større endringer er ikke vist.",
    ]
    assert (no.code("suppressed"), en.code("suppressed"), no.code("ukjent_kode")) == ("skjult", "hidden", "ukjent_kode")
    assert both("FICTIONAL DATA") == "OPPDIKTEDE DATA / FICTIONAL DATA" and both("sum") == "sum"
    assert texts("nb").yes_or_no(True) == "ja"
