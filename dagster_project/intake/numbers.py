"""Norwegian numbers as text: decimal comma, any space between thousands. Nothing is guessed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

SUPPRESSED = "*"
# what decimal(18,4), the type of a value in the extracts, can hold
MAX_DIGITS, MAX_DECIMALS = 14, 4
NOT_A_NUMBER, OUT_OF_RANGE, TOO_MANY_DECIMALS = "not-a-number", "number-out-of-range", "too-many-decimals"
_BLANK = r"[\s\x{00a0}\x{2007}\x{2009}\x{202f}]*"
STARRED = rf"([0-9]){_BLANK}\*{_BLANK}$"
_SPACES = dict.fromkeys(map(ord, "\u00a0\u2007\u2009\u202f\t"), " ")
_NUMBER = re.compile(r"(-?)([0-9]{1,3}(?: [0-9]{3})*|[0-9]+)(?:,([0-9]+))?")


class BadNumber(ValueError):
    """Why a cell is no number that can be stored. ``expected`` is None when only the place can tell."""

    def __init__(self, code: str, message: str, expected: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.expected = code, message, expected


@dataclass(frozen=True)
class BadCell:
    """A cell of a column that is no number, by its position."""

    position: int
    why: BadNumber


def parse_number(text: str) -> Decimal | None:
    """``'56 929'`` is 56929, ``'0,3'`` is 0.3, blank is None. Spaces may only part groups of three digits.

    Raises:
        BadNumber: anything else, a decimal point among them: a point means a program has changed the figures. Also a
            number with more digits or decimals than are stored: it is not rounded.
    """
    plain = text.translate(_SPACES).strip()
    if not plain:
        return None
    match = _NUMBER.fullmatch(plain)
    if match is None:
        raise BadNumber(NOT_A_NUMBER, "the cell is neither a number, * nor blank")
    sign, whole, decimals = match[1], match[2].replace(" ", "").lstrip("0"), (match[3] or "").rstrip("0")
    if len(whole) > MAX_DIGITS:
        raise BadNumber(OUT_OF_RANGE, "the number is too large to be stored", f"at most {MAX_DIGITS} digits")
    if len(decimals) > MAX_DECIMALS:
        raise BadNumber(
            TOO_MANY_DECIMALS, "the number has more decimals than are stored", f"at most {MAX_DECIMALS} decimals"
        )
    return Decimal(f"{sign}{whole or 0}" + (f".{decimals}" if decimals else ""))


def parse_count(text: str) -> int | None:
    """A number of pupils: a whole number, not negative.

    Raises:
        BadNumber: anything else.
    """
    number = parse_number(text)
    if number is None:
        return None
    if number < 0 or number % 1:
        raise BadNumber("not-a-count", "a number of pupils has decimals or is negative")
    return int(number)


def unstarred(column: pa.StringArray) -> tuple[pa.StringArray, pa.BooleanArray]:
    """A column without the star behind a number, and where one stood.

    Who has access sees a figure that the public view hides as a number and a star, ``47*`` or ``47 *`` (Udir: "[Tall +
    *]"). A star alone stays: the figure is hidden here too.
    """
    import pyarrow.compute as pc

    starred = pc.match_substring_regex(column, STARRED)
    return pc.if_else(starred, pc.replace_substring_regex(column, STARRED, r"\1"), column), starred


def parse_column(
    column: pa.StringArray, parse: Callable[[str], Any], kind: pa.DataType
) -> tuple[pa.Array, list[BadCell]]:
    """Parse a column through its distinct values; return values (null where blank, hidden or bad) and the bad cells."""
    import pyarrow as pa
    import pyarrow.compute as pc

    encoded = column.dictionary_encode()
    values: list[Any] = []
    bad: dict[int, BadNumber] = {}
    for index, text in enumerate(encoded.dictionary.to_pylist()):
        value = None
        if text.strip() != SUPPRESSED:
            try:
                value = parse(text)
            except BadNumber as why:
                bad[index] = why
        values.append(value)
    parsed = pa.array(values, kind).take(encoded.indices)
    if not bad:
        return parsed, []
    positions = pc.indices_nonzero(pc.is_in(encoded.indices, pa.array(list(bad), encoded.indices.type)))
    at = encoded.indices.take(positions).to_pylist()
    return parsed, [BadCell(p, bad[i]) for p, i in zip(positions.to_pylist(), at, strict=True)]
