"""Answers of the export API that come in pages: what a page is a part of, and which pages make the answer whole.

Every row of an answer tells how many rows the answer has (``RaderTotalt``). A file with fewer is a part and says
nothing by itself: what is missing in it may stand on another page. Parts are joined when their rows are as many as the
answer has; the numbers of the pages only say which one is missing.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dagster_project.diagnostics import Finding, Severity
from dagster_project.intake.cells import ExtractTable, Page, bad_cells, problem, refuse
from dagster_project.intake.numbers import parse_column, parse_count
from dagster_project.intake.tables import TextTable

if TYPE_CHECKING:
    import pyarrow as pa

NUMBER, SIZE, TOTAL = "Sidenummer", "RaderSide", "RaderTotalt"
PAGE_MISSING = "page-missing"
_CELL = ("school_year", "unit_level", "unit_code", "grade", "indicator", "ownership", "sex")


def page_of(table: TextTable, measure: str) -> Page | None:
    """The part of an answer that a file holds; None when it holds the whole, or does not say.

    Raises:
        SchemaProblem: a number that is none, or parts of several answers in one file.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if TOTAL not in table.header or not len(table):
        return None
    numbers: dict[str, pa.Array] = {}
    findings: list[Finding] = []
    for name in (NUMBER, SIZE, TOTAL):
        if name in table.header:
            numbers[name], bad = parse_column(table.columns[name], parse_count, pa.int64())
            findings += bad_cells(table, name, bad, "a whole number such as 1 000")
    refuse(table.name, findings)
    counted = {e["values"]: e["counts"] for e in pc.value_counts(numbers[TOTAL]).to_pylist() if e["values"] is not None}
    told = sum(counted.values())
    if told < len(table) or (NUMBER in numbers and any(rows > total for total, rows in counted.items())):
        wrong = next((t for t, rows in counted.items() if rows > t), None)
        refuse(table.name, [
            problem("page-total-wrong", "the answer does not say how many rows it has, or has more than it says",
                    table.name, row=table.rows[0].as_py(), column=TOTAL,
                    found=f"{len(table):,} rows" if wrong is None else f"{counted[wrong]:,} rows of {wrong:,}",
                    expected="on every row the number of rows of the whole answer",
                    fix="Download the answer again; send each answer in files of its own.")
        ])  # fmt: skip
    short = sorted(total for total, rows in counted.items() if rows < total)
    if not short:
        return None
    if len(counted) > 1:
        refuse(table.name, [
            problem("parts-of-several-answers", "the file holds parts of several answers", table.name,
                    row=table.rows[pc.index(numbers[TOTAL], short[0]).as_py()].as_py(), column=TOTAL,
                    found=", ".join(f"{counted[t]:,} of {t:,} rows" for t in sorted(counted)),
                    expected="whole answers, or pages of one",
                    fix="Send the pages of each answer in files of their own.")
        ])  # fmt: skip
    pages = [n for n in pc.unique(numbers.get(NUMBER, pa.array([], pa.int64()))).to_pylist() if n is not None]
    size = max([len(table), *(n for n in numbers.get(SIZE, pa.array([], pa.int64())).to_pylist() if n is not None)])
    years = sorted({y.strip() for y in table.columns["Skoleaarnavn"].unique().to_pylist()})
    alike = hashlib.sha256("|".join([measure, *sorted(table.header)]).encode()).hexdigest()
    return Page(f"{alike[:16]}-{short[0]}", tuple(sorted(pages)), size, short[0], len(table), tuple(years))


def missing(page: Page) -> str:
    """What a part lacks, in words: ``page 2 of 5``, or so many rows where the pages do not tell themselves apart."""
    pages = math.ceil(page.total / page.size)
    lacking = [n for n in range(1, pages + 1) if n not in page.numbers]
    if not lacking:
        return f"{page.total - page.rows:,} of {page.total:,} rows are missing"
    named = ", ".join(map(str, lacking[:10])) + (", ..." if len(lacking) > 10 else "")
    return f"page {named} of {pages} is missing" if len(lacking) == 1 else f"pages {named} of {pages} are missing"


def note(page: Page, file: str) -> Finding:
    """That a file is a part of an answer, and what is missing."""
    return Finding(
        PAGE_MISSING, Severity.WARN, f"the file is a part of an answer: {missing(page)}", stage="values", file=file,
        column=TOTAL, found=f"{page.rows:,} rows", expected=f"{page.total:,} rows, the whole answer",
        fix="Send the pages that are missing; nothing is used of the answer before it is whole.",
    )  # fmt: skip


def _overlaps(a: ExtractTable, b: ExtractTable) -> bool:
    """Whether two parts hold the same cell, or call themselves the same page."""
    assert a.page is not None and b.page is not None
    if a.page.tells_pages and b.page.tells_pages and set(a.page.numbers) & set(b.page.numbers):
        return True
    keys = [t.table.select(_CELL) for t in (a, b)]
    return keys[0].join(keys[1], _CELL, join_type="left semi").num_rows > 0


def joined(parts: Sequence[ExtractTable]) -> ExtractTable:
    """Parts of one answer as one table: a part again, or the whole."""
    import pyarrow as pa

    pages = [p.page for p in parts if p.page is not None]
    rows, total = sum(p.rows for p in pages), pages[0].total
    numbers = tuple(sorted({n for p in pages for n in p.numbers}))
    years = tuple(sorted({y for p in pages for y in p.years}))
    page = Page(pages[0].answer, numbers, max(p.size for p in pages), total, rows, years)
    notes = tuple(f for p in parts for f in p.findings)
    table = pa.concat_tables([p.table for p in parts])
    return replace(parts[0], table=table, findings=notes, page=None if rows == total else page)


def fitting(first: ExtractTable, others: Iterable[ExtractTable], *, together: bool) -> list[int]:
    """Which of ``others`` belong to the same answer as ``first``, the newest first in ``others``; by position.

    Pages of the same school years go together. Where that does not make the answer whole, pages of other years do too,
    when one of them holds several years, or when they were sent together: two answers on two years may be equally long.
    """
    assert first.page is not None
    same = [(i, o) for i, o in enumerate(others) if o.page is not None and o.page.answer == first.page.answer]

    def chosen(wanted: Iterable[tuple[int, ExtractTable]]) -> list[tuple[int, ExtractTable]]:
        taken: list[tuple[int, ExtractTable]] = []
        for i, other in wanted:
            if not any(_overlaps(other, t) for t in (first, *(t for _, t in taken))):
                taken.append((i, other))
        return taken

    def rows(taken: list[tuple[int, ExtractTable]]) -> int:
        return first.page.rows + sum(t.page.rows for _, t in taken if t.page) if first.page else 0

    narrow = chosen((i, o) for i, o in same if o.page and o.page.years == first.page.years)
    if rows(narrow) != first.page.total:
        wide = chosen(same)
        of_years = [first.page.years, *(t.page.years for _, t in wide if t.page)]
        if rows(wide) == first.page.total and (together or any(len(years) > 1 for years in of_years)):
            return [i for i, _ in wide]
    return [i for i, _ in narrow] if rows(narrow) <= first.page.total else []


def join_sent_together(tables: Sequence[ExtractTable]) -> list[ExtractTable]:
    """The tables of one delivery, with the parts of each answer joined."""
    left, found = list(tables), []
    while left:
        first = left.pop(0)
        if first.page is not None:
            at = set(fitting(first, left, together=True))
            first = joined([first, *(t for i, t in enumerate(left) if i in at)])
            left = [t for i, t in enumerate(left) if i not in at]
        found.append(first)
    return found
