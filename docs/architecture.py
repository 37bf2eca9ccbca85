"""Draws ``docs/images/architecture.svg``: ``python docs/architecture.py``. Boxes are in a grid."""

from __future__ import annotations

from html import escape
from pathlib import Path

WIDE, HIGH, LEFT, TOP, STEP_X, STEP_Y = 182, 74, 14, 40, 220, 128
KINDS = {
    "files": ("#fff4d6", "#b7791f"),
    "made": ("#e6effb", "#2b5ea7"),
    "kept": ("#e3f3e6", "#2f7d3d"),
    "people": ("#f3e8f7", "#7b3f98"),
}
# (column, row): kind, title, lines below it
BOXES = {
    (0, 0): ("people", "Files and people", ("Udir, SSB, the register,", "county governors")),
    (0, 1): ("files", "inbox/", ("files, workbooks;", "oppfolging fetch")),
    (1, 1): ("kept", "archive/", ("originals by SHA-256,", "ledger of all events")),
    (2, 1): ("made", "extracts/", ("one partition a dataset", "and school year")),
    (3, 1): ("made", "dbt models", ("staging, intermediate,", "marts; DuckDB")),
    (4, 1): ("kept", "published/", ("internal/ and public/:", "tables, pages, manifest")),
    (1, 0): ("files", "expectations/", ("suites of Great", "Expectations")),
    (3, 0): ("files", "data/rules, rounds", ("the rule as data, with", "basis and source")),
    (3, 2): ("made", "effects, uncertainty", ("statistics on the marts", "")),
    (4, 2): ("made", "audit", ("explain, trace, verify,", "evidence, diff")),
    (4, 0): ("people", "Case officers", ("report site, workbooks,", "forms to fill in")),
}
# from, to, words
ARROWS = [
    ((0, 0), (0, 1), ""),
    ((0, 1), (1, 1), ""),
    ((1, 1), (2, 1), ""),
    ((2, 1), (3, 1), ""),
    ((3, 1), (4, 1), ""),
    ((1, 0), (1, 1), "validate"),
    ((3, 0), (3, 1), "parameters"),
    ((3, 1), (3, 2), ""),
    ((3, 2), (4, 1), ""),
    ((4, 1), (4, 0), "read"),
    ((4, 1), (4, 2), ""),
]


def place(at: tuple[int, int]) -> tuple[int, int]:
    """The upper left corner of a box."""
    return LEFT + at[0] * STEP_X, TOP + at[1] * STEP_Y


def box(at: tuple[int, int]) -> str:
    """A box with its title and lines."""
    kind, title, lines = BOXES[at]
    fill, edge = KINDS[kind]
    x, y = place(at)
    middle = x + WIDE // 2
    words = "".join(f'<text x="{middle}" y="{y + 43 + 17 * i}">{escape(line)}</text>' for i, line in enumerate(lines))
    return (
        f'<rect x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" rx="7" fill="{fill}" stroke="{edge}"/>'
        f'<text x="{middle}" y="{y + 22}" class="title">{escape(title)}</text>{words}'
    )


def arrow(start: tuple[int, int], end: tuple[int, int], words: str) -> str:
    """An arrow between the edges of two boxes."""
    (x1, y1), (x2, y2) = place(start), place(end)
    if start[1] == end[1]:
        a, b = (x1 + WIDE, y1 + HIGH // 2), (x2 - 4, y2 + HIGH // 2)
    elif start[0] == end[0]:
        down = end[1] > start[1]
        a = (x1 + WIDE // 2, y1 + (HIGH if down else 0))
        b = (x2 + WIDE // 2, y2 - 4 if down else y2 + HIGH + 4)
    else:
        a, b = (x1 + WIDE, y1 + HIGH // 3), (x2 - 2, y2 + HIGH - 8)
    text = f'<text x="{a[0] + 8}" y="{(a[1] + b[1]) // 2 + 4}" class="note">{escape(words)}</text>' if words else ""
    return f'<line x1="{a[0]}" y1="{a[1]}" x2="{b[0]}" y2="{b[1]}" marker-end="url(#head)"/>{text}'


def drawing() -> str:
    """The whole picture."""
    width, height = LEFT * 2 + 4 * STEP_X + WIDE, TOP + 2 * STEP_Y + HIGH + 92
    x, y = LEFT, TOP + 2 * STEP_Y + HIGH + 30
    legend = ""
    for kind, words in (
        ("files", "written by people"),
        ("made", "made again at any time"),
        ("kept", "kept: back it up"),
        ("people", "people"),
    ):
        fill, edge = KINDS[kind]
        legend += f'<rect x="{x}" y="{y}" width="18" height="14" rx="3" fill="{fill}" stroke="{edge}"/>'
        legend += f'<text x="{x + 26}" y="{y + 12}" class="left">{words}</text>'
        x += 210
    band = TOP + STEP_Y
    sentence = (
        "Dagster runs every step from inbox/ to published/ as assets with checks; nothing flows back. "
        "What people send enters through the inbox again."
    )
    note = f'<text x="{LEFT}" y="{y + 42}" class="left">{sentence}</text>'
    lane = f'x="4" y="{band - 14}" width="{width - 8}" height="{HIGH + 28}" rx="10"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'aria-label="From files in the inbox through archive, extracts and dbt models to published tables and pages">'
        "<style>text{font:12.5px system-ui,'Liberation Sans',Arial,sans-serif;text-anchor:middle;fill:#1d2430}"
        ".title{font-weight:600;font-size:13.5px}.note{text-anchor:start;font-size:12px;fill:#444}.left{text-anchor:start}"
        "line{stroke:#444;stroke-width:1.6}rect{stroke-width:1.4}</style>"
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#444"/></marker></defs>'
        f'<rect width="{width}" height="{height}" fill="#fff" stroke="none"/>'
        f'<rect {lane} fill="#f5f6f8" stroke="#d5d9e0"/>'
        + "".join(box(at) for at in BOXES)
        + "".join(arrow(*each) for each in ARROWS)
        + legend + note + "</svg>\n"
    )  # fmt: skip


if __name__ == "__main__":
    (Path(__file__).parent / "images" / "architecture.svg").write_text(drawing(), encoding="utf-8")
