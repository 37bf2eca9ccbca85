"""Texts of others in files that people open in a spreadsheet program."""

from __future__ import annotations

import re

# at the start of a text, or where a program that splits lines at ; or tabs starts another cell; full-width signs are
# read as the plain ones by some
FORMULA = re.compile(r"""(^|[;\t\r\n])([\s"']*)(?=[=+\-@\t\r＝＋－＠])""")


def safe_text(value: str) -> str:
    """Text that a spreadsheet program will not take for a formula: an apostrophe stands before what would begin one."""
    return FORMULA.sub(r"\1\2'", value)
