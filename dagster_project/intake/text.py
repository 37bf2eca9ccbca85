"""From bytes to text: which encoding, and whether it is text at all."""

from __future__ import annotations

import codecs
from pathlib import Path

from dagster_project.diagnostics import Finding, Severity, UnreadableFile

MAX_FILE_BYTES = 1_500_000_000
MAX_LINE_BYTES = 1_000_000
SNIFF_BYTES = 65_536
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def unreadable(code: str, message: str, file: str, **place: object) -> UnreadableFile:
    """An UnreadableFile with the one finding that caused it."""
    finding = Finding(code, Severity.FAIL, message, stage="readable", file=file, **place)  # type: ignore[arg-type]
    return UnreadableFile(f"{file} cannot be read: {message}", [finding])


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


def refuse_oversize(path: Path, name: str, *, lines: bool) -> None:
    """Stop at files and lines that no publication of the statistics bank comes near, before they fill the memory.

    Raises:
        UnreadableFile: ``file-too-large`` or ``line-too-long``.
    """
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise unreadable(
            "file-too-large",
            "the file is larger than any real export",
            name,
            found=f"{size:,} bytes",
            expected=f"at most {MAX_FILE_BYTES:,} bytes",
            fix="Send the original download.",
        )
    if not lines:
        return
    line, since = 1, 0
    with path.open("rb") as handle:
        while chunk := handle.read(MAX_LINE_BYTES):
            first = chunk.find(b"\n")
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
            line += chunk.count(b"\n")
            last = chunk.rfind(b"\n")
            since = since + len(chunk) if last < 0 else len(chunk) - last - 1


def decode(path: Path, name: str) -> str:
    """The whole file as text.

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
    return text
