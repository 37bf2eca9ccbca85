"""Text of others as a terminal can show it: no character in it moves the cursor, sets a colour or turns the order."""

from __future__ import annotations

import re

# control characters but tab and line feed; marks of direction, of no width and of a line's end; halves of a character
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def printable(text: str, *, one_line: bool = False) -> str:
    """The text with each character that cannot be seen as its escape, ``\\u001b``, which in JSON says the same.

    With ``one_line`` a tab or an end of line is a blank.
    """
    if one_line:
        text = re.sub("[\t\r\n]", " ", text)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
