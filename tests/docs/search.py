"""Open the site from disk in Chromium, search in it, and print what was asked for and found, as JSON.

A program of its own, since a process can hold one Playwright at a time: ``python -m tests.docs.search CHROMIUM SITE``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright


def main(chromium: str, site: Path) -> None:
    asked: list[str] = []
    errors: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto((site / "index.html").as_uri())
        page.click(".md-search__input")
        page.keyboard.type("evidence pack", delay=20)
        page.wait_for_selector(".md-search-result__item", timeout=20_000)
        found = page.inner_text(".md-search-result__list")
        for name in ("reference/data-dictionary.html", "dbt/index.html"):
            page.goto((site / name).as_uri())
        browser.close()
    print(json.dumps({"asked": asked, "errors": errors, "found": found}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
