"""One hash over code, files and libraries, which shows whether something must be made again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

PACKAGE = Path(__file__).parent


def code_in(*places: str) -> list[Path]:
    """The Python and SQL files of rooms, and modules by their file, both named below the package."""
    found = []
    for place in places:
        inside = sorted(p for p in (PACKAGE / place).rglob("*") if p.suffix in (".py", ".sql"))
        found += inside or [PACKAGE / place]
    return found


def fingerprint(paths: Iterable[Path], *, libraries: Iterable[str] = (), texts: Iterable[str | bytes] = ()) -> str:
    """SHA-256 over the files with their names, the versions of libraries, and anything else, in the order given."""
    digest = hashlib.sha256()

    def add(*parts: bytes) -> None:
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part)

    for path in paths:
        inside = path.is_relative_to(PACKAGE)
        add((path.relative_to(PACKAGE).as_posix() if inside else path.name).encode(), path.read_bytes())
    for name in libraries:
        add(f"{name}={version(name)}".encode())
    for text in texts:
        add(text if isinstance(text, bytes) else text.encode())
    return digest.hexdigest()
