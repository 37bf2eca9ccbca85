"""Decisions, reports, measures and queries: what they are held to, each rule with a line that breaks it."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import pytest

from dagster_project.archive.published import published_rows
from dagster_project.forms.spec import FORMS
from dagster_project.forms.write import write_form
from dagster_project.intake.screen import screen_path
from dagster_project.settings import load_settings
from tests.conftest import NOW, part_of

pytestmark = pytest.mark.pipeline
ROUND, COHORT = "fictional-2024", "uttrekk_2024"
DAY = dt.date(2025, 3, 1)
GOOD: dict[str, dict[str, Any]] = {
    "decisions": {"round": ROUND, "decision": "takker nei", "decided_on": DAY, "decided_by": "Udir", "reason": "vil selv"},
    "followup_reports": {"cohort": COHORT, "report": 1, "sender": "kommune", "received_on": DAY},
    "support_measures": {"cohort": COHORT, "year": 2025, "measure": "Veiledning", "competence_environment": "Høgskolen",
                         "applied": 100, "granted": 90, "spent": 80},
    "round_queries": {"round": ROUND, "query_id": "S9", "received_on": DAY, "ground": "feil", "outcome": "tatt til følge",
                      "outcome_on": DAY, "effect": "rettes", "handled_by": "Udir"},
    "selected_municipality": {"round": ROUND, "selection_group": "gjennomsnitt", "source": "brev, oppdiktet"},
}  # fmt: skip
BROKEN: list[tuple[str, dict[str, Any], str]] = [
    ("decisions", {"round": "fictional-1999"}, "unknown-round"),
    ("decisions", {"municipality_code": "6999"}, "municipality-not-in-round"),
    ("decisions", {"reason": None}, "reason-missing"),
    ("decisions", {"decision": "kanskje"}, "unknown-choice"),
    ("decisions", {"decided_on": dt.date(2031, 1, 1)}, "impossible-date"),
    ("followup_reports", {"cohort": "uttrekk_1999"}, "unknown-cohort"),
    ("followup_reports", {"municipality_code": "6999"}, "municipality-not-in-cohort"),
    ("followup_reports", {"report": 2, "sender": "veiledere"}, "report-not-owed"),
    ("support_measures", {"applied": "mye"}, "not-an-amount"),
    ("support_measures", {"year": 2031}, "impossible-year"),
    ("support_measures", {"granted": 200}, "granted-more-than-applied"),
    ("support_measures", {"spent": 95}, "spent-more-than-granted"),
    ("round_queries", {"handled_by": None}, "outcome-not-dated"),
    ("round_queries", {"effect": None}, "effect-missing"),
    ("round_queries", {"outcome_on": dt.date(2025, 2, 1)}, "impossible-date"),
    ("selected_municipality", {"round": "fictional-1999"}, "unknown-round"),
    ("selected_municipality", {"municipality_code": "6999"}, "municipality-not-in-round"),
    ("selected_municipality", {"municipality_code": "0301"}, "municipality-not-in-round"),
    ("selected_municipality", {"source": "  "}, "blank-cell"),
    ("selected_municipality", {"selection_group": "begge"}, "unknown-choice"),
]


def look(country_home: Path, tmp_path: Path, dataset: str, change: dict[str, Any]) -> dict[str, str]:
    """Findings by code of a form with one line."""
    settings = load_settings(country_home)
    member = next(r for r in published_rows(settings, ROUND, "selection") if r["decision"] == "accept")
    row = {"municipality_code": member["municipality_code"], "municipality_name": "x", **GOOD[dataset], **change}
    path = write_form(tmp_path / "skjema.xlsx", FORMS[dataset], fields={}, rows=[row], fictional=True)
    return {f.code: f.as_text() for f in screen_path(path, settings, now=NOW).findings}


@pytest.mark.parametrize("dataset", sorted(GOOD))
def test_a_line_as_asked_passes(country_home: Path, tmp_path: Path, dataset: str) -> None:
    assert look(country_home, tmp_path, dataset, {}) == {}


@pytest.mark.parametrize(("dataset", "change", "code"), BROKEN, ids=[f"{d}-{c}" for d, _, c in BROKEN])
def test_a_line_that_breaks_a_rule_is_named(
    country_home: Path, tmp_path: Path, dataset: str, change: dict[str, Any], code: str
) -> None:
    found = look(country_home, tmp_path, dataset, change)
    assert code in found and "skjema.xlsx, line" in found[code] and "fix:" in found[code], found


@pytest.mark.parametrize("dataset", ["followup_reports", "support_measures"])
def test_whoever_declined_is_not_in_the_cohort(country_home: Path, tmp_path: Path, dataset: str) -> None:
    rows = published_rows(load_settings(country_home), ROUND, "selection")
    (declined,) = {r["municipality_code"] for r in rows if r["decision"] == "decline"}
    assert set(look(country_home, tmp_path, dataset, {"municipality_code": declined})) == {"municipality-not-in-cohort"}


def test_a_yes_counts_once_a_run_has_published_the_cohort(country_home: Path, tmp_path: Path) -> None:
    home = part_of(country_home, tmp_path / "home", "published", "extracts").home
    assert look(home, tmp_path, "followup_reports", {}) == {}
    shutil.rmtree(home / "published" / COHORT)
    assert set(look(home, tmp_path, "followup_reports", {})) == {"municipality-not-in-cohort"}


def test_two_forms_in_one_workbook_are_refused(country_home: Path, tmp_path: Path) -> None:
    from openpyxl import load_workbook

    path = write_form(tmp_path / "to.xlsx", FORMS["decisions"], fields={}, rows=[], fictional=True, spare=True)
    book = load_workbook(path)
    book.create_sheet("Mer").append([c.norsk for c in FORMS["support_measures"].columns])
    book.save(path)
    findings = screen_path(path, load_settings(country_home), now=NOW).findings
    assert [f.code for f in findings] == ["several-forms"]
