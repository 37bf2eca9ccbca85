"""Read single lines of archived files. Each file is read once, however many of its lines are needed."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster_project.archive import Archive
from dagster_project.diagnostics import NotFound
from dagster_project.intake.readers import pivots
from dagster_project.intake.recognise import members
from dagster_project.intake.tables import first_lines, read_xlsx, split_header
from dagster_project.intake.text import SNIFF_BYTES, encoding_of, lines_ended, open_zip


@dataclass(frozen=True)
class Place:
    """A line (or JSON object) of one archived file; ``member`` names the file inside a zip, else it is empty."""

    sha256: str
    member: str
    line: int


@dataclass(frozen=True)
class Excerpt:
    """What stands there. ``header`` is the line that names the columns, empty for JSON.

    ``text`` is the line without its line break, or the JSON object as it stands; of a pivot, whose rows name no
    columns, an object of the columns' titles and cells. ``cells`` maps columns to raw cells.
    """

    place: Place
    kind: str
    delimiter: str
    header: str
    text: str
    cells: dict[str, str]


def place_of(sha256: str, line: int, column: str) -> tuple[Place, str]:
    """The place a source column points to, and the column within it: ``member.csv!Column`` for a file in a zip."""
    member, mark, inner = column.partition("!")
    return (Place(sha256, member, line), inner) if mark else (Place(sha256, "", line), column)


class PlaceReader:
    """Reads places of an archive and keeps what it has read, so that many explanations open each file once."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self._kept: dict[Place, Excerpt] = {}

    def read(self, wanted: Iterable[Place]) -> dict[Place, Excerpt]:
        """The wanted places of those files that the archive holds."""
        missing = {p for p in wanted if p not in self._kept and self.archive.path(p.sha256).exists()}
        self._kept |= read_places(self.archive, missing)
        return self._kept


def read_places(archive: Archive, wanted: Iterable[Place]) -> dict[Place, Excerpt]:
    """Read the wanted places; every file is opened once.

    Raises:
        NotFound: a file is not in the archive, or holds no such line.
    """
    by_file: dict[tuple[str, str], set[int]] = {}
    for place in wanted:
        by_file.setdefault((place.sha256, place.member), set()).add(place.line)
    found: dict[Place, Excerpt] = {}
    for (sha256, member), lines in sorted(by_file.items()):
        path = archive.path(sha256)
        if not path.exists():
            raise NotFound(f"The archive does not hold the file {sha256}.")
        content = _content(path, member)
        if content.lstrip()[:1] in (b"[", b"{"):
            excerpts = _of_json(sha256, member, content, lines)
        elif content[:2] == b"PK":
            excerpts = _of_workbook(sha256, member, content, lines)
        else:
            excerpts = _of_text(sha256, member, content, lines)
        for excerpt in excerpts:
            found[excerpt.place] = excerpt
        if missing := sorted(lines - {e.place.line for e in excerpts}):
            raise NotFound(f"The file {sha256} has no line {missing[0]}.")
    return found


def _content(path: Path, member: str) -> bytes:
    if not member:
        return path.read_bytes()
    with open_zip(path, member) as package:
        return package.read(members(package, member)[member])


def _of_text(sha256: str, member: str, content: bytes, lines: set[int]) -> list[Excerpt]:
    text = lines_ended(content.decode(encoding_of(content[:SNIFF_BYTES]) or "cp1252"))
    number, named, header = first_lines(text)
    delimiter, columns = split_header(header, named)
    excerpts = []
    last = max(lines)
    for position, line in enumerate(io.StringIO(text), start=1):
        if position in lines and position > number:
            bare = line.rstrip("\r\n")
            cells = dict(zip(columns, split_line(bare, delimiter), strict=False))
            excerpts.append(Excerpt(Place(sha256, member, position), "csv", delimiter, header, bare, cells))
        if position >= last:
            break
    return excerpts


def split_line(line: str, delimiter: str) -> list[str]:
    """The cells of a line; quotes mean something only where the delimiter is not the tab."""
    import csv

    return line.split("\t") if delimiter == "\t" else next(csv.reader([line], delimiter=delimiter))


def _of_json(sha256: str, member: str, content: bytes, lines: set[int]) -> list[Excerpt]:
    text = content.decode("utf-8-sig")
    if text.lstrip().startswith("{") and pivots.METADATA in (document := json.loads(text)):
        return _of_pivot(sha256, member, document, lines)
    decoder = json.JSONDecoder()
    at, position, last = text.find("[") + 1, 0, max(lines)
    excerpts = []
    while position <= last:
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
        if at >= len(text) or text[at] == "]":
            break
        thing, end = decoder.raw_decode(text, at)
        if position in lines and isinstance(thing, dict):
            cells = {k: "" if v is None else v if isinstance(v, str) else json.dumps(v) for k, v in thing.items()}
            excerpts.append(Excerpt(Place(sha256, member, position), "json", "", "", text[at:end], cells))
        at, position = end, position + 1
    return excerpts


def _of_pivot(sha256: str, member: str, document: dict[str, Any], lines: set[int]) -> list[Excerpt]:
    found = pivots.cells_of(document, member or sha256[:12])
    return [
        Excerpt(Place(sha256, member, line), "json", "", "", json.dumps(cells, ensure_ascii=False), cells)
        for line, cells in enumerate(found)
        if line in lines
    ]


def _of_workbook(sha256: str, member: str, content: bytes, lines: set[int]) -> list[Excerpt]:
    """Rows of a workbook's first sheet, as tab-separated text; the reader's own module says what a cell's text is."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "book"
        path.write_bytes(content)
        table = read_xlsx(path, member or sha256[:12])
    excerpts = []
    for index, line in enumerate(table.rows.to_pylist()):
        if line in lines:
            cells = {h: table.columns[h][index].as_py() for h in table.header}
            text = "\t".join(cells.values())
            excerpts.append(Excerpt(Place(sha256, member, line), "xlsx", "\t", "\t".join(table.header), text, cells))
    return excerpts
