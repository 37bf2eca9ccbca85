"""Zip files and workbooks made to do harm are refused with a finding, in little time and memory, and write nothing."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import stat
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from dagster_project.archive import Archive
from dagster_project.audit.excerpts import Place, read_places
from dagster_project.diagnostics import FetchProblem, UnreadableFile
from dagster_project.fetch import client as clients
from dagster_project.fetch.client import Client
from dagster_project.intake import flow
from dagster_project.settings import REPOSITORY, Settings
from tests import samples
from tests.conftest import NOW
from tests.faults.museum import Maker, table_workbook, zipped

TABLE = samples.text(samples.rows()).encode()
SHEET, STRINGS, BOOK = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml"
LAUGHS = "<!DOCTYPE x [<!ENTITY a0 'lol'>" + "".join(
    f"<!ENTITY a{i} '{f'&a{i - 1};' * 10}'>" for i in range(1, 12)
) + "]>"  # fmt: skip
QUADRATIC = f"<!DOCTYPE x [<!ENTITY a0 '{'x' * 100_000}'>]>"
SECONDS, KILOBYTES = 60, 700_000


def named(name: str, *, mode: int = 0, method: int = zipfile.ZIP_DEFLATED, content: bytes = TABLE) -> Maker:
    """A zip of one file, whose entry says what it likes."""

    def make(path: Path) -> Path:
        entry = zipfile.ZipInfo("a" * len(name))
        entry.external_attr, entry.compress_type = mode << 16, method
        with zipfile.ZipFile(path, "w") as package:
            package.writestr(entry, content)
        path.write_bytes(path.read_bytes().replace(b"a" * len(name), name.encode(), 2))
        return path

    return make


def twice(*names: str) -> Maker:
    def make(path: Path) -> Path:
        with zipfile.ZipFile(path, "w") as package, pytest.warns(UserWarning, match="Duplicate"):
            for name in names:
                package.writestr(name, TABLE)
        return path

    return make


def overlapping(path: Path) -> Path:
    """Every entry of the directory says the bytes of the one file: 100 files of 1 MB in a zip of some kB."""
    zipped({f"{i:03d}.csv": b"" for i in range(100)})(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("000.csv", b"1" * 100_000)
        entry = package.infolist()[0]
        for i in range(1, 100):
            other = zipfile.ZipInfo(f"{i:03d}.csv")
            for key in ("compress_type", "CRC", "compress_size", "file_size", "header_offset", "flag_bits"):
                setattr(other, key, getattr(entry, key))
            package.filelist.append(other)
        package.writestr("last.csv", bytes(range(256)) * 4_000, zipfile.ZIP_STORED)
    return path


def lying(method: int) -> Maker:
    """A file of a gigabyte that is said to have a hundred bytes."""

    def make(path: Path) -> Path:
        with zipfile.ZipFile(path, "w", method) as package:
            with package.open("a.csv", "w") as out:
                for _ in range(64):
                    out.write(b"0" * (1 << 24))
            package.infolist()[0].file_size = 100
        return path

    return make


def nested(levels: int) -> bytes:
    content = TABLE
    for _ in range(levels):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
            package.writestr("inner.zip", content)
        content = buffer.getvalue()
    return content


def bytes_of(content: bytes) -> Maker:
    def make(path: Path) -> Path:
        path.write_bytes(content)
        return path

    return make


def part(name: str, change: Callable[[bytes], bytes]) -> Maker:
    """A workbook of figures with one of its parts changed."""

    def make(path: Path) -> Path:
        table_workbook(1, 0, "2024-25")(path)
        with zipfile.ZipFile(path) as package:
            parts = {n: package.read(n) for n in package.namelist()}
        return zipped({**parts, name: change(parts[name])})(path)

    return make


def declared(doctype: str, entity: str) -> Callable[[bytes], bytes]:
    """The part with a document type, and an entity of it where its first text or attribute ends."""

    def change(content: bytes) -> bytes:
        text = content.decode()
        end = text.index("?>") + 2
        body = text[end:]
        at = body.index("</t>") if "</t>" in body else body.index('"/>')
        return (text[:end] + doctype + body[:at] + entity + body[at:]).encode()

    return change


def deep(content: bytes) -> bytes:
    opened = b"".join(b'<row x="%s">' % hashlib.md5(b"%d" % i).hexdigest().encode() for i in range(50_000))
    return content.replace(b"<sheetData>", b"<sheetData>" + opened + b"</row>" * 50_000)


def outside_of(package: bytes) -> Maker:
    """A workbook with one more part, outside of it."""

    def make(path: Path) -> Path:
        table_workbook(1, 0, "2024-25")(path)
        with zipfile.ZipFile(path, "a") as book:
            book.writestr("../../evil.xml", package)
        return path

    return make


def outside(kind: str) -> str:
    return f'<!DOCTYPE x [<!ENTITY % p {kind}> <!ENTITY a0 {kind}>]>'  # fmt: skip


FILE = 'SYSTEM "file:///etc/passwd"'
HOSTILE: dict[str, tuple[Maker, str, str]] = {
    # places outside
    "parent_folder": (named("../../evil.csv"), "unsafe-path-in-zip", "../../evil.csv"),
    "parent_folder_inside": (named("a/../../evil.csv"), "unsafe-path-in-zip", "a/../../evil.csv"),
    "absolute_path": (named("/etc/cron.d/evil"), "unsafe-path-in-zip", "/etc/cron.d/evil"),
    "drive": (named("C:/evil.csv"), "unsafe-path-in-zip", "C:/evil.csv"),
    "backslashes": (named("..\\..\\evil.csv"), "unsafe-path-in-zip", "evil.csv"),
    "network_share": (named("\\\\host\\c\\evil.csv"), "unsafe-path-in-zip", "host"),
    "zero_byte_in_a_name": (named("good.csv\0.exe"), "unsafe-path-in-zip", "good.csv"),
    "workbook_with_a_part_outside": (outside_of(b"<x/>"), "unsafe-path-in-zip", "../../evil.xml"),
    # no files
    "symbolic_link": (named("link.csv", mode=stat.S_IFLNK | 0o777, content=b"/etc/passwd"), "no-file-in-zip", "a symbolic link"),
    "device": (named("null.csv", mode=stat.S_IFCHR | 0o666), "no-file-in-zip", "a device or a pipe"),
    "pipe": (named("pipe.csv", mode=stat.S_IFIFO | 0o666), "no-file-in-zip", "a device or a pipe"),
    # bombs
    "bomb": (zipped({"a.csv": b"0" * 300_000_000}), "zip-bomb", "300,000,000 bytes"),
    "bomb_of_bzip2": (lying(zipfile.ZIP_BZIP2), "unknown-compression", "method 12"),
    "bomb_of_lzma": (named("a.csv", method=zipfile.ZIP_LZMA), "unknown-compression", "method 14"),
    "overlapping_files": (overlapping, "overlapping-files", "bytes of its own"),
    "size_that_lies": (lying(zipfile.ZIP_DEFLATED), "damaged-zip", "a.csv"),
    "zip_in_a_zip": (bytes_of(nested(2)), "nested-zip", "inner.zip"),
    # one that holds itself is no other: nobody looks deeper than one zip
    "zips_a_thousand_deep": (bytes_of(nested(1_000)), "nested-zip", "inner.zip"),
    # names
    "name_twice": (twice("a.csv", "a.csv"), "repeated-file", "a.csv"),
    "name_twice_in_two_folders": (zipped({"a/a.csv": TABLE, "b/a.csv": TABLE}), "repeated-file", "b/a.csv"),
    # XML
    "workbook_that_laughs": (part(STRINGS, declared(LAUGHS, "&a11;")), "damaged-workbook", "XML with an entity"),
    "sheet_that_laughs": (part(SHEET, declared(LAUGHS, "")), "damaged-workbook", "XML with an entity"),
    "list_of_sheets_that_laughs": (part(BOOK, declared(LAUGHS, "")), "damaged-workbook", "XML with an entity"),
    "quadratic_entities": (part(STRINGS, declared(QUADRATIC, "&a0;" * 10_000)), "damaged-workbook", "XML with an entity"),
    "entity_of_a_file": (part(STRINGS, declared(outside(FILE), "&a0;")), "damaged-workbook", "XML with an entity"),
    "entity_of_an_address": (part(STRINGS, declared(outside('SYSTEM "http://127.0.0.1:9/x"'), "&a0;")), "damaged-workbook", "XML with an entity"),
    "elements_fifty_thousand_deep": (part(SHEET, deep), "no-rows", "a row for each unit"),
}  # fmt: skip


READ = r"""
import json, re, sys, time
from pathlib import Path
from dagster_project.intake.reader import read_into
for name in sys.argv[2:]:
    began = time.monotonic()
    read_into(Path(sys.argv[1], name), "a" * 64, name, Path(sys.argv[1], name + ".read"))
    # getrusage would count what the process that started this one had
    peak = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
    print(json.dumps([name, time.monotonic() - began, peak]), flush=True)
"""


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, float, int]]:
    """What reading each file gave, in how many seconds, and the most memory until then."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, (make, _, _) in HOSTILE.items():
        make(folder / name)
    before = set(folder.parent.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-c", READ, str(folder), *HOSTILE], capture_output=True, text=True, cwd=REPOSITORY, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert {p.parts[len(folder.parts)] for p in set(folder.parent.rglob("*")) - before} == {
        f"{n}.read" for n in HOSTILE
    }
    found = {}
    for line in done.stdout.splitlines():
        name, seconds, peak = json.loads(line)
        found[name] = ((folder / f"{name}.read" / "result.json").read_text(encoding="utf-8"), seconds, peak)
    return found


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_in_little_time_and_memory(
    name: str, read: dict[str, tuple[str, float, int]]
) -> None:
    text, seconds, peak = read[name]
    finding = json.loads(text)["findings"][0]
    _, code, words = HOSTILE[name]
    assert finding["code"] == code and words in json.dumps(finding, ensure_ascii=False).replace("\\\\", "\\"), finding
    assert finding["file"].split("!")[0] == name and finding["fix"]
    assert "root:" not in text and "lol" not in text
    assert seconds < SECONDS and peak < KILOBYTES


def test_a_line_of_a_hostile_archive_is_not_read_by_an_audit_either(tmp_path: Path, settings: Settings) -> None:
    path = HOSTILE["overlapping_files"][0](tmp_path / "a.zip")
    taken = flow.take_in(path, settings, now=NOW)
    with pytest.raises(UnreadableFile) as caught:
        read_places(Archive(settings), [Place(taken.sha256, "000.csv", 2)])
    assert caught.value.findings[0].code == "overlapping-files"


@contextmanager
def answering(content: bytes, encoding: str) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Encoding", encoding)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("times", [1, 2])
def test_an_answer_packed_to_a_gigabyte_is_refused_before_it_is_unpacked(
    times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = gzip.compress(b"0" * (1 << 24)) * 64
    for _ in range(times - 1):
        content = gzip.compress(content)
    monkeypatch.setattr(clients, "MOST_BYTES", 2 << 20)
    with answering(content, ", ".join(["gzip"] * times)) as address:
        tracemalloc.start()
        try:
            with pytest.raises(FetchProblem) as caught:
                Client(pause=lambda _: None).get(address, 0)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert caught.value.findings[0].code == "answer-too-large" and peak < 150 << 20


def test_archives_are_opened_in_one_place() -> None:
    opens = re.compile(r"zipfile\.ZipFile\((?!temporary, \"w\")|tarfile|unpack_archive|extractall|load_workbook\(")
    package = REPOSITORY / "dagster_project"
    found = {p.relative_to(package).as_posix() for p in package.rglob("*.py") if opens.search(p.read_text("utf-8"))}
    # demo reads the forms that it has written itself; a restore checks each name, size and hash before it writes
    assert found == {"intake/text.py", "intake/tables.py", "demo/people.py", "audit/backup.py"}
