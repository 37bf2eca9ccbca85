"""Texts of others in files that people open in a spreadsheet program."""

from __future__ import annotations

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


def safe_text(value: str) -> str:
    """Text that a spreadsheet program will not take for a formula: such a text gets an apostrophe in front."""
    return f"'{value}" if value.startswith(FORMULA_SIGNS) else value
