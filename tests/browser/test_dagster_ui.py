"""The Dagster UI in a real browser: what a data engineer does with it, and what they then see."""

from __future__ import annotations

import json
import shutil
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from docs.pictures_dagster import served
from tests import samples

PATIENCE = 240_000
RUNS = "{runsOrError(limit: 5) {... on Runs {results {runId status jobName assetSelection {path}}}}}"


@dataclass(frozen=True)
class Ui:
    """A page of the UI, its address, and the home behind it."""

    page: Page
    address: str
    home: Path

    def open(self, place: str) -> None:
        self.page.goto(f"{self.address}/{place}")

    def runs(self) -> list[dict[str, Any]]:
        """The newest runs, the newest first."""
        asked = json.dumps({"query": RUNS}).encode()
        request = urllib.request.Request(f"{self.address}/graphql", asked, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["runsOrError"]["results"]
        return found

    def ended(self, known: set[str]) -> dict[str, Any]:
        """The run that was not known before, when it has ended."""
        deadline = time.monotonic() + PATIENCE / 1000
        while time.monotonic() < deadline:
            new = [r for r in self.runs() if r["runId"] not in known]
            if new and new[0]["status"] in ("SUCCESS", "FAILURE", "CANCELED"):
                return new[0]
            time.sleep(1)
        raise AssertionError(f"no run ended: {self.runs()}")


@pytest.fixture(scope="module")
def ui(browser: Browser, country_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    home = tmp_path_factory.mktemp("ui") / "home"
    shutil.copytree(country_home, home, copy_function=shutil.copyfile)
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    with served(home) as address:
        yield Ui(page, address, home)
    context.close()


def known(ui: Ui) -> set[str]:
    return {r["runId"] for r in ui.runs()}


def test_one_year_of_an_extract_is_materialised(ui: Ui, pictures: Path) -> None:
    page, before = ui.page, known(ui)
    ui.open("assets/national_tests")
    page.get_by_role("button", name="Materialize…").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Select a partition").click()
    page.get_by_text("2025-26", exact=True).locator("visible=true").last.click()
    page.keyboard.press("Escape")
    page.screenshot(path=pictures / "ui-launch.png")
    dialog.get_by_role("button", name="Launch").click()
    run = ui.ended(before)
    assert run["status"] == "SUCCESS" and run["assetSelection"] == [{"path": ["national_tests"]}]
    ui.open("assets/national_tests?view=checks")
    expect(page.get_by_text("Checks (").first).to_be_visible()
    page.wait_for_timeout(3000)
    page.screenshot(path=pictures / "ui-checks.png")


def test_one_mart_is_materialised(ui: Ui, pictures: Path) -> None:
    page, before = ui.page, known(ui)
    ui.open("assets/municipality_ranking")
    page.get_by_role("button", name="Materialize").first.click()
    run = ui.ended(before)
    assert run["status"] == "SUCCESS" and run["assetSelection"] == [{"path": ["municipality_ranking"]}]
    page.screenshot(path=pictures / "ui-mart.png")


def test_a_whole_run_refuses_a_bad_file_and_says_so(ui: Ui, pictures: Path) -> None:
    page, before = ui.page, known(ui)
    ui.open("locations/__repository__@dagster_project.definitions/jobs/everything")
    button = page.get_by_role("button", name="Materialize all").first
    expect(button).to_be_visible()
    (ui.home / "inbox").mkdir(exist_ok=True)
    samples.write(ui.home / "inbox" / "bad.csv", samples.text(samples.rows()).replace("\t48\t1,8", "\t4B\t1,8"))
    button.click()
    run = ui.ended(before)
    assert run["status"] == "SUCCESS" and run["jobName"] == "everything"
    ui.open("assets/inbox?view=checks")
    page.get_by_text("open_problems").first.click()
    expect(page.get_by_text("bad.csv").first).to_be_visible()
    page.screenshot(path=pictures / "ui-refused.png", full_page=True)


def test_the_report_is_opened_from_the_asset(ui: Ui, pictures: Path) -> None:
    page = ui.page
    ui.open("assets/published_round?partition=fictional-2026&view=partitions")
    place = page.get_by_text("internal/site/index.html").first
    expect(place).to_be_visible()
    page.screenshot(path=pictures / "ui-published.png")
    path = ui.home / place.inner_text().strip()
    assert path.is_file()
    page.goto(path.as_uri())
    assert page.locator("h1").inner_text().startswith("Fabelland 2026")
