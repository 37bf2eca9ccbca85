"""Names as parts of file names."""

from __future__ import annotations

import re
import unicodedata
from functools import cache


@cache
def slug(text: str) -> str:
    """A name as part of a file name: plain letters, digits and dashes."""
    folded = text.casefold().replace("ø", "o").replace("æ", "ae").replace("å", "a")
    plain = unicodedata.normalize("NFKD", folded).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
