"""Norwegian numbers as text: decimal comma, any space between thousands. Nothing is guessed."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

SUPPRESSED = "*"
_SPACES = dict.fromkeys(map(ord, " \u00a0\u2007\u2009\u202f\t"))
_GROUPS = re.compile(r"-?\d{1,3}( \d{3})*(,\d+)?|-?\d+(,\d+)?")


def parse_number(text: str) -> Decimal | None:
    """``'56 929'`` is 56929, ``'0,3'`` is 0.3, blank is None. Spaces may only part groups of three digits.

    Raises:
        ValueError: anything else, a decimal point among them: a point means a program has changed the figures.
    """
    plain = text.translate(dict.fromkeys(_SPACES, " ")).strip()
    if not plain:
        return None
    if not _GROUPS.fullmatch(plain):
        raise ValueError(f"not a number: {text!r}")
    return Decimal(plain.replace(" ", "").replace(",", "."))


def parse_column(column: pa.StringArray, parse: Callable[[str], Any], kind: pa.DataType) -> tuple[pa.Array, list[int]]:
    """Parse a column through its distinct values; return values (null where blank, hidden or bad) and bad positions."""
    import pyarrow as pa
    import pyarrow.compute as pc

    encoded = column.dictionary_encode()
    values: list[Any] = []
    bad: list[int] = []
    for position, text in enumerate(encoded.dictionary.to_pylist()):
        if text is None or text.strip() == SUPPRESSED:
            values.append(None)
            continue
        try:
            values.append(parse(text))
        except (ValueError, ArithmeticError):
            bad.append(position)
            values.append(None)
    parsed = pa.array(values, kind).take(encoded.indices)
    if not bad:
        return parsed, []
    wrong = pc.is_in(encoded.indices, pa.array(bad, encoded.indices.type))
    return parsed, pc.indices_nonzero(wrong).to_pylist()


def parse_count(text: str) -> int | None:
    """A number of pupils: a whole number, not negative."""
    number = parse_number(text)
    if number is None:
        return None
    if number != int(number) or number < 0:
        raise ValueError(f"not a count: {text!r}")
    return int(number)
