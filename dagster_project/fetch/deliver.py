"""Fetch files page by page, keep what came, and deliver a file to the inbox when it is whole.

What came lies in ``<home>/fetching`` until everything that was asked for is there. So a fetch that was cut off goes on
where it stopped, and a service that answers otherwise than known leaves its answer to be looked at.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from dagster_project import clock
from dagster_project.archive import journal
from dagster_project.atomic import replacing
from dagster_project.diagnostics import FetchProblem, Finding, Severity
from dagster_project.fetch.addresses import Wanted
from dagster_project.fetch.client import Client
from dagster_project.settings import Settings

FOLDER = "fetching"
SHOWN = 120
ODD = "not_as_known"
Tell = Callable[[str], None]
T = TypeVar("T")


def fetch(settings: Settings, files: Iterable[Wanted], client: Client, tell: Tell) -> list[Path]:
    """Fetch files into the inbox; returns them. A file is delivered when all its pages are there.

    Raises:
        FetchProblem: a service does not answer, or answers otherwise than known. Files that are whole were delivered.
    """
    delivered = []
    for wanted in files:
        pages = _pages(settings, wanted, client, tell)
        if wanted.follow is not None:
            further = _read(wanted.follow, _document(pages[0], wanted, settings), wanted)
            delivered += fetch(settings, further, client, tell)
            pages[0].unlink()
            continue
        settings.inbox.mkdir(parents=True, exist_ok=True)
        for page in pages:
            delivered.append(page.replace(settings.inbox / page.name))
    return delivered


def _pages(settings: Settings, wanted: Wanted, client: Client, tell: Tell) -> list[Path]:
    """Every page of a file, those that came before from where they lie.

    Raises:
        FetchProblem: the pages do not have as many rows as they say together; they are fetched anew the next time.
    """
    found: list[Path] = []
    rows, last, counts = 0, 1, set[int]()
    if wanted.pages is not None and wanted.counted_at is not None:
        last = _read(wanted.pages, _parsed(client.get(wanted.counted_at, wanted.seconds_between)), wanted)
    while len(found) < last:
        number = len(found) + 1
        name, address = wanted.page(number)
        path = settings.home / FOLDER / name
        if path.exists():
            tell(f"{name}: came before")
        else:
            content = client.get(address, wanted.seconds_between)
            _keep(settings, path, content, address)
            tell(f"{name}: {number} of {last}, {len(content)} bytes" if last > 1 else f"{name}: {len(content)} bytes")
        document = _document(path, wanted, settings)
        if number == 1 and wanted.pages is not None and wanted.counted_at is None:
            last = _read(wanted.pages, document, wanted)
        if wanted.rows is not None:
            here, total = _read(wanted.rows, document, wanted)
            rows, counts = rows + here, counts | {total}
        found.append(path)
    if wanted.rows is not None and counts != {rows}:
        for path in found:
            path.unlink()
        raise FetchProblem(
            f"{wanted.name}: the pages are not those of one answer.",
            [Finding("pages-do-not-add-up", Severity.FAIL, "the pages have other rows than they say together",
                     file=wanted.name, found=f"{rows} rows in {last} pages", expected=f"{sorted(counts)} rows",
                     fix="Fetch again; the service may have changed its figures while they were fetched.")],
        )  # fmt: skip
    return found


def _keep(settings: Settings, path: Path, content: bytes, address: str) -> None:
    """Write an answer as it came, and note where and when."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    journal.record_fetched(
        settings,
        {"file": path.name, "sha256": hashlib.sha256(content).hexdigest(), "address": address,
         "time": clock.now().isoformat()},
    )  # fmt: skip


def _document(path: Path, wanted: Wanted, settings: Settings) -> Any:
    """The answer in a file, when it is as the service is known to answer; else it is put aside."""
    document = _parsed(path.read_bytes())
    first = document[0] if isinstance(document, list) and document else document
    missing = sorted(wanted.keys - set(first)) if isinstance(first, dict) else sorted(wanted.keys)
    if not missing:
        return document
    aside = path.parent / ODD / path.name
    aside.parent.mkdir(exist_ok=True)
    path.replace(aside)
    expected = f"JSON with {', '.join(missing)}"
    raise _not_as_known(wanted, document, expected, str(aside.relative_to(settings.home)))


def _parsed(content: bytes) -> Any:
    """JSON as Python has it; what is none stays text."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return content[: 4 * SHOWN].decode("utf-8", "replace")


def _read(read: Callable[[Any], T], document: Any, wanted: Wanted) -> T:
    """What an answer says of itself, where it is of the known shape."""
    try:
        return read(document)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError) as error:
        expected = f"an answer of the known shape ({type(error).__name__}: {error})"
        raise _not_as_known(wanted, document, expected) from None


def _not_as_known(wanted: Wanted, document: Any, expected: str, file: str | None = None) -> FetchProblem:
    return FetchProblem(
        f"{wanted.name}: the service does not answer as it is known to.",
        [Finding("answer-not-as-known", Severity.FAIL, "the answer is not what the service gave when it was last known",
                 file=file or wanted.name, expected=expected,
                 found=str(document).strip()[:SHOWN] or "nothing",
                 fix="The service may have changed, or be down. Get the file with a browser: docs/fetch.md.")],
    )  # fmt: skip
