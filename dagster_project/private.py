"""Nobody else on the machine reads what the project writes: files are 0600 and folders 0700, whatever the umask was.

Originals, extracts and the internal edition hold figures that are not public. Each way in calls this first.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

OTHERS = stat.S_IRWXG | stat.S_IRWXO
MINE = 0o700
READ_ONLY = 0o400
SHARED = {"inbox", "rules", "registers", "variants"}
"""Folders of a home that others may have to reach: they put files there, and hold no figures that are not public."""


def keep_private() -> None:
    """Let what this process and its children write be read by their user alone."""
    os.umask(OTHERS)


def open_to_others(home: Path) -> Iterator[Path]:
    """The folders of a home that others can enter: those of a home that was made before, or opened by somebody."""
    for folder in sorted(home.iterdir()) if home.is_dir() else ():
        is_ours = folder.name not in SHARED and folder.is_dir() and not folder.is_symlink()
        if is_ours and folder.stat().st_mode & OTHERS:
            yield folder
