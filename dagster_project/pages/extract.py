"""Finds the texts of ``publication/page/figures.yaml`` for the catalogue: titles, notes and the names of columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, Any

COLUMN = re.compile(r' as "([^"]+)"')


def figures(
    file: IO[bytes], keywords: Any, comment_tags: Any, options: Any
) -> Iterator[tuple[int, str, str, list[str]]]:
    """An extraction method of Babel: line, function, text and comments of each."""
    import yaml

    for section in yaml.safe_load(file)["sections"]:
        shown = [section["title"], section.get("note")]
        for figure in section["figures"]:
            shown += [figure.get("title"), *COLUMN.findall(figure["sql"])]
        yield from ((1, "N_", text, []) for text in shown if text)
