"""Takes the pictures of ``docs/images`` from the report site of a data folder that ``make run`` made.

    python docs/pictures.py HOME

It needs a Chromium on the machine (`OPPFOLGING_CHROMIUM` names another one than /usr/bin/chromium), and downloads none.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parent / "images"
WIDTH, SCALE = 1100, 1.5
PICTURES = {
    "report.png": ("fictional-2026", "index.html", 850),
    "municipality.png": ("fictional-2024", "kommune/6412.html", 940),
}
"""Picture -> round, page of its internal site, and the height that is shown."""


def site_of(home: Path, round_id: str) -> Path:
    """The internal site of the revision in force."""
    folder = home / "published" / round_id
    return folder / json.loads((folder / "current.json").read_text("utf-8"))["revision"] / "internal" / "site"


def take(page: Page, address: Path, height: int, picture: Path) -> None:
    """Open a page from disk and keep its upper part."""
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.goto(address.resolve().as_uri())
    page.screenshot(path=picture)


def main(home: Path) -> None:
    """Take every picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("OPPFOLGING_CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(device_scale_factor=SCALE, locale="nb-NO")
        for name, (round_id, address, height) in PICTURES.items():
            take(page, site_of(home, round_id) / address, height, IMAGES / name)
            print(IMAGES / name)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
