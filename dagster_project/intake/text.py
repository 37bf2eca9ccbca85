"""From bytes to text, and out of a zip. Any problem with the bytes becomes a finding."""

from __future__ import annotations

import codecs
import errno
import json
import lzma
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PureWindowsPath

from dagster_project.diagnostics import Finding, OppfolgingError, Severity, UnreadableFile
from dagster_project.printable import printable

# the largest file of a country ten times as large as Norway has 41 MB and 1.6 million cells
MAX_FILE_BYTES = 200_000_000
MAX_CELLS = 10_000_000
# cells that become objects one by one, as those of a workbook, cost thirty times as much: 300,000 take five seconds.
# A report of all schools and one year has 60,000
MAX_SLOW_CELLS = 300_000
MAX_LINE_BYTES = 1_000_000
SNIFF_BYTES = 65_536
MAX_UNPACKED_BYTES = 500_000_000
MAX_RATIO = 200
SHOWN_CHARACTERS = 160
_ENCRYPTED = 1
_LOCAL_HEADER_BYTES = 30
# characters that are no text, as a pattern that re and Arrow both read; what no workbook can hold is among them, and
# marks that turn the order of what stands behind a name on a page
CONTROL = "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def shown(text: str) -> str:
    """A text of a file as a finding can show it: short, on one line, and writable in any encoding."""
    short = text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
    return printable(short, one_line=True)


def fault(code: str, message: str, file: str, *, stage: str, **place: object) -> Finding:
    """A FAIL on a file. What it quotes of the file is made fit to show."""
    for name in ("found", "column"):
        if isinstance(value := place.get(name), str):
            place[name] = shown(value)
    return Finding(code, Severity.FAIL, message, stage=stage, file=file, **place)  # type: ignore[arg-type]


def warning(code: str, message: str, file: str, **place: object) -> Finding:
    """A WARN of the schema stage: it is told of a file that is read all the same."""
    return replace(fault(code, message, file, stage="schema", **place), severity=Severity.WARN)


def unreadable(code: str, message: str, file: str, **place: object) -> UnreadableFile:
    """An UnreadableFile with the one finding that caused it."""
    return UnreadableFile(f"{file} cannot be read: {message}", [fault(code, message, file, stage="readable", **place)])


@contextmanager
def damaged(code: str, message: str, file: str, **place: object) -> Iterator[None]:
    """Tell whatever a library raises on the content of a file as one finding on that file.

    A finding passes as it is. So does an error of the machine (no room on the disk, no memory): it says nothing about
    the file.
    """
    try:
        yield
    except (OppfolgingError, MemoryError):
        raise
    except Exception as error:
        # a place before the beginning of the file is the one error of the disk that content brings about
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise unreadable(code, message, file, found=_found(error.__cause__ or error), **place) from error


def _found(error: BaseException) -> str:
    """What was found, in words about the file: those of a library are about the program that reads."""
    from xml.etree import ElementTree

    if isinstance(error, UnicodeError):
        return "bytes that are no text"
    if isinstance(error, zlib.error | lzma.LZMAError | EOFError):
        return "packed bytes that cannot be unpacked"
    if isinstance(error, ElementTree.ParseError):
        line, column = error.position
        return f"XML that cannot be read at line {line}, column {column}"
    if isinstance(error, json.JSONDecodeError):
        return f"JSON that cannot be read at line {error.lineno}, column {error.colno}"
    if isinstance(error, zipfile.BadZipFile):
        told = {"crc": "bytes that differ from their checksum", "not a zip": "no list of files where a zip has it"}
        return next((said for sign, said in told.items() if sign in str(error).lower()), "a zip that is not whole")
    if type(error).__module__.startswith("defusedxml"):
        return "XML with an entity or a document type"
    if type(error).__module__ == "_duckdb":  # which says at which byte
        return re.sub(r'^[\w ]+ Error: | in file "[^"]*"', "", str(error).strip().splitlines()[0])
    return "a part of it is not as the format has it"


@contextmanager
def open_zip(path: Path, name: str) -> Iterator[zipfile.ZipFile]:
    """A zip that unpacks to no more than a real export does.

    Raises:
        UnreadableFile: ``damaged-zip``, ``zip-bomb``, or what ``_refuse_odd_parts`` raises.
    """
    with damaged(
        "damaged-zip", "the zip or workbook cannot be opened", name, expected="a whole .zip or .xlsx file",
        fix="It may have been cut off on its way. Download or save it again, and send the new file.",
    ):  # fmt: skip
        package = zipfile.ZipFile(path)
    with package:
        parts = package.infolist()
        size = sum(part.file_size for part in parts)
        packed = max(sum(part.compress_size for part in parts), 1)
        if size > MAX_UNPACKED_BYTES or size / packed > MAX_RATIO:
            raise unreadable(
                "zip-bomb", "the zip unpacks to far more than any real export", name,
                found=f"{len(parts)} files, {size:,} bytes from {packed:,}",
                expected=f"at most {MAX_UNPACKED_BYTES:,} bytes, packed {MAX_RATIO} times",
                fix="Send the files unpacked; save a workbook again without blank rows and columns.",
            )  # fmt: skip
        _refuse_odd_parts(parts, path.stat().st_size, name)
        yield package


def _refuse_odd_parts(parts: list[zipfile.ZipInfo], size: int, name: str) -> None:
    """Stop at what no program for people packs. Sizes say nothing of a zip whose files share bytes, and the library
    unpacks other methods than these two without a limit.

    Raises:
        UnreadableFile: ``unsafe-path-in-zip``, ``no-file-in-zip``, ``repeated-file``, ``unknown-compression``,
            ``overlapping-files``.
    """
    names: set[str] = set()
    ordered = sorted(parts, key=lambda part: part.header_offset)
    ends = [*(part.header_offset for part in ordered[1:]), size]
    for part, end in zip(ordered, ends, strict=bool(ordered)):
        written = PureWindowsPath(part.orig_filename)  # which takes both kinds of slashes
        mode = stat.S_IFMT(part.external_attr >> 16)
        code, message, found, expected = "", "", "", ""
        if written.anchor or ".." in written.parts or "\0" in part.orig_filename:
            code, message = "unsafe-path-in-zip", "the zip holds a file for a place outside of it"
            expected = "names without .., drive and leading slash"
        elif mode not in (0, stat.S_IFREG, stat.S_IFDIR):
            code, message, expected = "no-file-in-zip", "the zip holds a link or a device", "files and folders"
            found = "a symbolic link" if stat.S_ISLNK(mode) else "a device or a pipe"
        elif part.filename in names:
            code, message, expected = "repeated-file", "the zip holds two files of the same name", "each name once"
        elif part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            code, message = "unknown-compression", "a file is packed by a method that is not read"
            found, expected = f"method {part.compress_type}", "deflated (8), or not compressed (0)"
        elif part.header_offset + _LOCAL_HEADER_BYTES + len(part.orig_filename) + part.compress_size > end:
            code, message = "overlapping-files", "two files of the zip share the same bytes"
            expected = "each file with bytes of its own"
        if code:
            raise unreadable(code, message, f"{name}!{shown(part.filename)}", found=found or part.orig_filename,
                             expected=expected, fix="Pack the files again.")  # fmt: skip
        names.add(part.filename)


def unpack(package: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, name: str, most: int | None = None) -> None:
    """Write one file of a zip, or its first ``most`` bytes, to ``target``.

    Raises:
        UnreadableFile: ``damaged-zip``: its bytes are damaged, or it has a password.
    """
    place = {"expected": "a whole file without a password", "fix": "Pack it again, without a password."}
    if member.flag_bits & _ENCRYPTED:
        raise unreadable("damaged-zip", "a file cannot be unpacked", name, found="a file with a password", **place)
    with damaged(
        "damaged-zip", "a file cannot be unpacked", name, **place
    ), package.open(member) as source, target.open("wb") as out:  # fmt: skip
        if most is not None:
            out.write(source.read(most))
            return
        while chunk := source.read(1 << 20):
            out.write(chunk)


def sniff(path: Path) -> bytes:
    """The first bytes of the file, enough to tell what it is."""
    with path.open("rb") as handle:
        return handle.read(SNIFF_BYTES)


def encoding_of(head: bytes) -> str | None:
    """The encoding the first bytes show, ``None`` for bytes that are no text.

    UTF-16 without a byte order mark, as the statistics bank writes it, shows in the zero bytes on one side of each
    character. Bytes that are valid UTF-8 are UTF-8; what remains is taken for cp1252 where it has no zero byte.
    """
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = max(len(head) // 2, 1)
    if odd > half * 0.7 and even < half * 0.05:
        return "utf-16-le"
    if even > half * 0.7 and odd < half * 0.05:
        return "utf-16-be"
    if b"\0" in head:
        return None
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def refuse_oversize(path: Path, name: str, *, lines: bool, most: int = MAX_FILE_BYTES) -> None:
    """Stop at files and lines that no publication of the statistics bank comes near, before they fill the memory.

    Raises:
        UnreadableFile: ``file-too-large`` or ``line-too-long``.
    """
    size = path.stat().st_size
    if size > most:
        raise unreadable(
            "file-too-large",
            "the file is larger than any real export",
            name,
            found=f"{size:,} bytes",
            expected=f"at most {most:,} bytes",
            fix="Send the original download.",
        )
    if not lines:
        return
    line, since, end = 1, 0, b"\n" if b"\n" in sniff(path) else b"\r"
    with path.open("rb") as handle:
        while chunk := handle.read(MAX_LINE_BYTES):
            first = chunk.find(end)
            if since + (len(chunk) if first < 0 else first) > MAX_LINE_BYTES:
                raise unreadable(
                    "line-too-long",
                    "one line is longer than any real export has",
                    name,
                    row=line,
                    found=f"more than {since + (len(chunk) if first < 0 else first):,} bytes",
                    expected=f"at most {MAX_LINE_BYTES:,} bytes a line",
                    fix="Send the original download, one row a line.",
                )
            line += chunk.count(end)
            last = chunk.rfind(end)
            since = since + len(chunk) if last < 0 else len(chunk) - last - 1


def refuse_cells(name: str, cells: int, most: int = MAX_CELLS, row: int | None = None) -> None:
    """Stop at more cells than can be read in the time and memory that a file may take.

    Raises:
        UnreadableFile: ``too-many-cells``.
    """
    if cells > most:
        raise unreadable(
            "too-many-cells", "the file has more cells than any real export", name, row=row, found=f"{cells:,} cells",
            expected=f"at most {most:,} cells, blank ones counted", fix="Send the original download.",
        )  # fmt: skip


def lines_ended(text: str) -> str:
    """The text with its lines ended as elsewhere, where it ends them by a carriage return alone."""
    return text if "\n" in text else text.replace("\r", "\n")


def decode(path: Path, name: str) -> str:
    """The whole file as text, letters composed: a Mac writes "å" as two characters, and names are compared.

    A file whose lines end by a carriage return alone, as the Pupil Survey of 2021, has lines as every other.

    Raises:
        UnreadableFile: ``not-text``, ``truncated`` or ``wrong-encoding``.
    """
    content = path.read_bytes()
    encoding = encoding_of(content[:SNIFF_BYTES])
    if encoding is None:
        raise unreadable(
            "not-text", "the file is binary, not text", name, expected="text", fix="Send the CSV or JSON download."
        )
    if encoding.startswith("utf-16") and len(content) % 2:
        raise unreadable(
            "truncated",
            "the file ends in the middle of a character",
            name,
            found=f"{len(content):,} bytes of UTF-16",
            expected="an even number of bytes",
            fix="Download the file again.",
        )
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise unreadable(
                "wrong-encoding",
                f"byte {error.start:,} is no {encoding} text",
                name,
                expected="UTF-8, UTF-16 or cp1252",
                fix="Send the original download instead of a copy that was saved again.",
            ) from error
        text = content.decode("cp1252", errors="replace")
    text = lines_ended(text)
    if any(sign in text for sign in ("Ã¥", "Ã¸", "Ã¦", "Ã…", "�")):
        place = text.find("Ã") if "Ã" in text else text.find("�")
        raise unreadable(
            "wrong-encoding",
            "Norwegian letters are damaged: the file was read in one encoding and saved in another",
            name,
            row=text.count("\n", 0, place) + 1,
            found=text[max(place - 10, 0) : place + 10].replace("\n", " "),
            expected="å, ø and æ",
            fix="Send the original download instead of a copy that was saved again.",
        )
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)
