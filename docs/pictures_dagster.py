"""Take the pictures of the Dagster UI that ``docs/dagster.md`` and the README show.

    python docs/pictures_dagster.py HOME

HOME is a home of the fictional country after ``oppfolging demo --story`` and ``oppfolging run``. The UI is started on
a free port of this machine, and stopped again. Needs Playwright and a Chromium.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parent / "images"
LOCATION = "__repository__@dagster_project.definitions"
PATIENCE = 120
COLOURS = 128
PANEL = (62, 165)
"""Where the graph begins."""
WITHOUT_BUTTONS = """() => document.querySelectorAll('button').forEach(button => {
  const place = button.getBoundingClientRect();
  if (place.left < innerWidth - 80 || place.top < innerHeight - 450) return;
  let box = button;
  while (box.parentElement.getBoundingClientRect().width < 100) box = box.parentElement;
  box.style.visibility = 'hidden';
})"""
"""Hide the buttons over the right lower corner of a graph."""
MARGIN = 16
FAINT = 215
"""Dots of the background are lighter than this; lines and names are darker."""


@dataclass(frozen=True)
class Picture:
    """One picture: a page of the UI, and a text that shows that it is drawn.

    ``click`` is clicked and then brought to the upper edge. Of a ``graph`` nothing else is shown; the UI draws it from
    left to right, or downward when that is chosen in its settings.
    """

    name: str
    path: str
    drawn: str
    click: str = ""
    size: tuple[int, int] = (1500, 900)
    graph: bool = False
    downward: bool = False


def group(name: str, drawn: str, size: tuple[int, int] = (1800, 1300)) -> Picture:
    """The graph of a group, in a window in which all of it is drawn with names."""
    path = f"locations/{LOCATION}/asset-groups/{name}/lineage"
    return Picture(f"dagster-group-{name.replace('_', '-')}", path, drawn, size=size, graph=True)


PICTURES = (
    Picture("dagster-groups", "asset-groups", "published", size=(1500, 1250), graph=True, downward=True),
    group("places", "int_code_targets", (1900, 2300)),
    group("points", "int_observations", (2700, 1700)),
    group("limits", "int_limits"),
    group("ratings", "int_unit_sums", (1800, 1600)),
    group("selection", "int_selection_list"),
    group("people", "int_proposals"),
    group("follow_up", "int_cohort_members"),
    group("public", "int_public_cells", (1900, 1400)),
    Picture("dagster-checks", "assets/school_ranking?view=checks", "coverage_is_between_0_and_1", size=(1300, 760)),
    Picture("dagster-columns", "assets/national_tests", "Municipality number", size=(1300, 900)),
    Picture("dagster-plots", "assets/national_tests", "Municipality number", click="Plots", size=(1300, 1000)),
    Picture("dagster-open-problems", "assets/inbox?view=checks", "has not replied", size=(1300, 1020)),
    Picture("dagster-published", "assets/published_round?partition=fictional-2026&view=partitions", "open_the_site",
            size=(1300, 780)),
    Picture("dagster-automation", "automation", "alert_of_failure", size=(1300, 800)),
)  # fmt: skip


@contextmanager
def served(home: Path) -> Iterator[str]:
    """The Dagster UI of a home, on a free port of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "dagster_project.cli", "--home", str(home), "ui", "--port", str(port)],
        env={**os.environ, "OPPFOLGING_HOME": str(home)},
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, process)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    asked = json.dumps({"query": "{repositoriesOrError {... on RepositoryConnection {nodes {name}}}}"}).encode()
    request = urllib.request.Request(f"{address}/graphql", asked, {"Content-Type": "application/json"})
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("The Dagster UI did not start.")
        try:
            if json.loads(urllib.request.urlopen(request, timeout=PATIENCE).read())["data"]["repositoriesOrError"]:
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.5)


def take(page: Page, address: str, picture: Picture) -> None:
    """Open a page, wait until it is drawn, and write it as a small PNG."""
    width, height = picture.size
    page.set_viewport_size({"width": width, "height": height})
    page.goto(address)
    direction = json.dumps("vertical" if picture.downward else "horizontal")
    page.evaluate("value => localStorage.setItem('asset-graph-direction', value)", direction)
    page.goto(f"{address}/{picture.path}")
    page.get_by_text(picture.drawn).first.wait_for(state="attached", timeout=PATIENCE * 1000)
    if picture.graph and page.get_by_text("Hide navigation").count():
        page.get_by_text("Hide navigation").first.click()
    if picture.click:
        page.get_by_text(picture.click, exact=True).first.click()
        page.wait_for_timeout(2000)
        page.get_by_text(picture.click, exact=True).first.evaluate("element => element.scrollIntoView()")
    page.wait_for_timeout(5000)  # a graph is laid out in a worker, and moves into place
    page.wait_for_function("() => !document.body.innerText.includes('Loading')", timeout=PATIENCE * 1000)
    if picture.graph:
        page.evaluate(WITHOUT_BUTTONS)
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    if picture.graph:
        image = _graph_of(image, 370 if picture.path == "asset-groups" else PANEL[0])
    file = IMAGES / f"{picture.name}.png"
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
    print(f"{file.name}: {image.width} x {image.height}, {file.stat().st_size // 1024} kB")


def _graph_of(image: Image.Image, left: int) -> Image.Image:
    """The graph alone, without the menus around it."""
    panel = image.crop((left, PANEL[1], image.width, image.height))
    box = panel.convert("L").point(lambda shade: 255 if shade < FAINT else 0).getbbox() or (0, 0, *panel.size)
    return panel.crop((
        max(box[0] - MARGIN, 0), max(box[1] - MARGIN, 0),
        min(box[2] + MARGIN, panel.width), min(box[3] + MARGIN, panel.height),
    ))  # fmt: skip


def main(home: Path, names: list[str]) -> None:
    """Take all pictures, or those with these names."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with served(home) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        for picture in PICTURES:
            if not names or picture.name in names:
                take(page, address, picture)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2:])
