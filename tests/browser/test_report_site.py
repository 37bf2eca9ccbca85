"""The report site in a real browser: accessible, narrow and wide, light and dark, by keyboard, on paper."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image, ImageChops, ImageStat
from playwright.sync_api import Browser, Page, Route, ViewportSize

from dagster_project.archive.commits import current_revision
from dagster_project.settings import load_settings

WIDE, NARROW = ViewportSize(width=1300, height=900), ViewportSize(width=390, height=844)
LOOKS = Path(__file__).parent / "looks"
THUMB, NEAR = (65, 45), 7.0
"""Size of a picture that is compared, and how much its greys may differ in the mean (of 255)."""

EDITIONS = {
    "internal": ("fictional-2026", "internal"),
    "public": ("fictional-2026", "public"),
    "final": ("fictional-2024", "public"),
    "cohort": ("uttrekk_2024", "internal"),
}
VIEWS = {
    "nb-light-wide": ("", "light", WIDE),
    "nb-dark-narrow": ("", "dark", NARROW),
    "en-dark-wide": ("en", "dark", WIDE),
    "en-light-narrow": ("en", "light", NARROW),
}
"""Each kind of page in either language, colour scheme and width, without every combination of them."""


def site_of(home: Path, edition: str) -> Path:
    subject, folder = EDITIONS[edition]
    revision = current_revision(load_settings(home), subject)
    assert revision is not None
    return revision / folder / "site"


def kinds(site: Path, folder: str = "") -> list[Path]:
    """A page of every kind: each single one, and of county governors and municipalities one or two."""
    pages = site / folder
    several = [
        sorted((pages / name).glob("*.html"))[::step][:2] for name, step in (("statsforvalter", 5), ("kommune", 60))
    ]
    found = [*sorted(pages.glob("*.html")), *(path for group in several for path in group)]
    assert len(found) >= 7
    return found


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Page]:
    """A page with nothing of the network: whatever is asked for beside files fails the test."""
    context = browser.new_context(viewport=WIDE)
    asked: list[str] = []

    def only_files(route: Route) -> None:
        if not route.request.url.startswith("file:"):
            asked.append(route.request.url)
            route.abort()
        else:
            route.continue_()

    page = context.new_page()
    page.route("**/*", only_files)
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.on("requestfailed", lambda request: broken.append(request.url))
    yield page
    context.close()
    assert asked == [] and broken == []


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("edition", EDITIONS)
def test_every_kind_of_page_is_accessible_and_needs_no_sideways_scroll(
    open_page: Page, country_home: Path, edition: str, view: str
) -> None:
    """axe finds no violation of WCAG 2.2 AA or of its best practices; rows of one table are alike, so it reads twenty."""
    folder, scheme, size = VIEWS[view]
    open_page.set_viewport_size(size)
    open_page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    axe, found = Axe(), []
    for path in kinds(site_of(country_home, edition), folder):
        open_page.goto(path.as_uri())
        open_page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
        wide, room = open_page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide <= room, (path, wide, room)
        rest = {"exclude": [["tbody tr:nth-child(n+21)"]]}
        response = axe.run(open_page, rest, {"resultTypes": ["violations"], "preload": False}).response
        found += [(path.name, v["id"], v["nodes"][0]["html"][:160]) for v in response["violations"]]
    assert found == []


def test_the_ranking_is_searched_and_sorted_by_keyboard(open_page: Page, country_home: Path) -> None:
    open_page.goto((site_of(country_home, "internal") / "rangering.html").as_uri())
    press = open_page.keyboard.press
    press("Tab")
    assert open_page.evaluate("document.activeElement.className") == "skip"
    press("Enter")
    assert open_page.evaluate("location.hash") == "#main"
    rows = open_page.locator("#ranking tbody tr")
    everyone = rows.count()
    for _ in range(9):
        press("Tab")
        if open_page.evaluate("document.activeElement.id") == "q":
            break
    open_page.keyboard.type("hylle")
    shown = open_page.locator("#ranking tbody tr:visible")
    assert 0 < shown.count() < everyone
    assert all("hylle" in text.lower() for text in shown.all_inner_texts())
    assert open_page.locator("[role=status]").inner_text().startswith(f"{shown.count()} ")
    for _ in "hylle":
        press("Backspace")
    assert shown.count() == everyone
    heads = "#ranking thead th"
    for _ in range(4):
        press("Tab")
        if open_page.evaluate("document.activeElement.textContent.trim()") == "Andel":
            break
    outline = open_page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    press("Enter")
    share = "[...document.querySelectorAll('#ranking tbody tr')].map(r => r.cells[4].textContent.trim())"

    def shares() -> list[float]:
        known = [text for text in open_page.evaluate(share) if re.fullmatch(r"[\d,]+\s%", text)]
        return [float(text.split()[0].replace(",", ".")) for text in known]

    assert shares() == sorted(shares()) and len(shares()) > 300
    press("Enter")
    assert shares() == sorted(shares(), reverse=True)
    assert open_page.locator(f"{heads}[aria-sort=descending]").count() == 1
    press("Tab")
    press("Tab")
    assert open_page.evaluate("document.activeElement.closest('table').id") == "ranking"


def test_a_figure_leads_to_its_source_which_opens(open_page: Page, country_home: Path) -> None:
    site = site_of(country_home, "internal")
    open_page.goto((site / "kommune" / "6101.html").as_uri())
    source = open_page.locator("#sources")
    assert source.get_attribute("open") is None
    open_page.locator(".heat td a").first.click()
    assert source.get_attribute("open") is not None
    assert open_page.locator(":target").is_visible()


def test_both_languages_lead_to_each_other_and_to_every_page_of_the_menu(open_page: Page, country_home: Path) -> None:
    open_page.goto((site_of(country_home, "public") / "index.html").as_uri())
    menu = open_page.locator("header nav > a[href]:not([lang])")
    for place in range(menu.count()):
        open_page.locator("header nav > a[href]:not([lang])").nth(place).click()
        assert open_page.locator("h1").count() == 1 and open_page.locator("[aria-current=page]").count() == 1
    open_page.locator("header a[lang=en]").click()
    assert open_page.evaluate("document.documentElement.lang") == "en"
    open_page.locator("header a[lang=nb]").click()
    assert open_page.evaluate("document.documentElement.lang") == "nb"


@pytest.mark.parametrize(("name", "most"), [("index.html", 7), ("kommune/6101.html", 3), ("rangering.html", 14)])
def test_a_page_is_printed_on_few_sheets(
    open_page: Page, country_home: Path, pictures: Path, name: str, most: int
) -> None:
    open_page.goto((site_of(country_home, "public") / name).as_uri())
    content = open_page.pdf(prefer_css_page_size=True, format="A4")
    (pictures / f"print-{Path(name).stem}.pdf").write_bytes(content)
    sheets = len(re.findall(rb"/Type\s*/Page\b", content))
    assert 1 <= sheets <= most


def difference(one: Image.Image, other: Image.Image) -> float:
    """How far two pictures are from each other, in greys of 255, at the size of a thumb nail."""
    small = [picture.convert("L").resize(THUMB, Image.Resampling.BOX) for picture in (one, other)]
    return float(ImageStat.Stat(ImageChops.difference(*small)).mean[0])


def taken(page: Page, path: Path) -> Image.Image:
    page.goto(path.as_uri())
    return Image.open(BytesIO(page.screenshot()))


@pytest.mark.parametrize("edition", ["internal", "cohort"])
def test_the_pages_look_as_they_should(open_page: Page, country_home: Path, pictures: Path, edition: str) -> None:
    """Against small pictures in `looks/`; letters differ from machine to machine, the lay-out does not.

    After a change that is meant: look at `build/browser/`, then copy its small pictures to `looks/`.
    """
    site, wrong = site_of(country_home, edition), {}
    for path in kinds(site):
        name = f"{edition}-{path.parent.name + '-' if path.parent != site else ''}{path.stem}"
        picture = taken(open_page, path)
        picture.save(pictures / f"{name}.png")
        picture.convert("L").resize(THUMB, Image.Resampling.BOX).save(pictures / f"{name}.small.png")
        known = LOOKS / f"{name}.small.png"
        far = difference(picture, Image.open(known)) if known.exists() else 255.0
        if far > NEAR:
            wrong[name] = far
    assert wrong == {}


def test_a_page_without_its_style_does_not_look_as_it_should(open_page: Page, country_home: Path) -> None:
    """What the comparison is for: a broken page fails it."""
    site = site_of(country_home, "internal")
    whole = taken(open_page, site / "index.html")
    open_page.evaluate("document.querySelector('link[rel=stylesheet]').remove()")
    bare = Image.open(BytesIO(open_page.screenshot()))
    assert difference(whole, bare) > 2 * NEAR
