"""The types of single values in a rule file: numbers, days, school years, codes, text and lists of them.

A message begins with "should", so that the loader can say of any value what was expected. Rules that span several
fields stand in ``model.py``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field
from stdnum.no import orgnr

At = tuple[str | int, ...]
Value = TypeVar("Value")

SAME_YEAR = "same_year"
SCHOOL_YEAR = re.compile(r"(\d{4})-(\d{2})")
# statistics of earlier school years are refused, see expectations/shared/figures.json
FIRST_SCHOOL_YEAR = 2006
FIRST_YEAR, LAST_YEAR = 2000, 2100


@dataclass(frozen=True)
class Mistake:
    """A value its type allows, but the rule does not. ``at`` is the path from the model or list that was checked."""

    at: At
    message: str
    expected: str


class Mistakes(ValueError):
    """All that one check found. The loader adds where the checked thing stands."""

    def __init__(self, found: Iterable[Mistake]) -> None:
        self.found = tuple(found)
        super().__init__("; ".join(m.message for m in self.found))


def valid_organisation_number(code: str) -> bool:
    """Whether a code is nine digits, nothing between them, of which the last checks the others (modulus 11)."""
    return re.fullmatch("[0-9]{9}", code) is not None and orgnr.is_valid(code)


def _exact(value: object) -> object:
    """YAML gives floats; a decimal of what was written keeps 0.15 at 0.15."""
    if type(value) in (int, float):
        return Decimal(str(value))
    if not isinstance(value, Decimal):
        raise ValueError("should be a number, without quotes")
    return value


def _whole(value: object) -> object:
    """A sweep of scenarios steps in decimals; no file holds them."""
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value


def _text(value: str) -> str:
    if not any(character.isalnum() for character in value):
        raise ValueError("should be text with at least one letter or digit")
    return value


def school_year(value: object) -> object:
    """A school year such as 2024-25, as it was given.

    Raises:
        ValueError: it is none, or lies before the first statistics.
    """
    match = SCHOOL_YEAR.fullmatch(value) if isinstance(value, str) else None
    if match is None or (int(match[1]) + 1) % 100 != int(match[2]):
        raise ValueError("should be a school year such as 2024-25")
    if not FIRST_SCHOOL_YEAR <= int(match[1]) < LAST_YEAR:
        raise ValueError(f"should be a school year that begins in {FIRST_SCHOOL_YEAR} to {LAST_YEAR - 1}")
    return value


def _day(value: dt.date) -> dt.date:
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"should be a date in the years {FIRST_YEAR} to {LAST_YEAR}")
    return value


def _filled(values: tuple[Value, ...]) -> tuple[Value, ...]:
    if not values:
        raise ValueError("should be a list with at least one entry")
    return values


def _each_once(values: tuple[Value, ...]) -> tuple[Value, ...]:
    seen: set[Value] = set()
    repeated = []
    for position, value in enumerate(values):
        if value in seen:
            repeated.append(Mistake((position,), f"{value} is given twice", "each entry once"))
        seen.add(value)
    if repeated:
        raise Mistakes(repeated)
    return values


def like(pattern: str, meaning: str) -> AfterValidator:
    """A check that the whole text follows a pattern, with what to call such a text."""

    def check(value: str) -> str:
        if re.fullmatch(pattern, value) is None:
            raise ValueError(f"should be {meaning}")
        return value

    return AfterValidator(check)


# the extracts and the parameter tables store four decimals
Exact = Annotated[Decimal, BeforeValidator(_exact), Field(decimal_places=4)]
Whole = Annotated[int, BeforeValidator(_whole)]
Text = Annotated[str, AfterValidator(_text)]
Name = Annotated[str, like("[a-z0-9][a-z0-9.-]*", "small letters, digits, dots and hyphens, such as np-2025")]
Address = Annotated[str, like(r"https?://\S+", "an address that begins with https://")]
SchoolYear = Annotated[str, BeforeValidator(school_year)]
BaseYear = Annotated[str, BeforeValidator(lambda v: v if v == SAME_YEAR else school_year(v))]
# a YAML file holds dates; manifests are JSON and hold them as text, which the loader does not accept
Day = Annotated[dt.date, Field(strict=False), AfterValidator(_day)]
CountyCode = Annotated[str, like("[0-9]{2}", "a county code of two digits, in quotes")]
Filled = Annotated[tuple[Value, ...], AfterValidator(_filled)]
"""A list with at least one entry."""
Listed = Annotated[tuple[Value, ...], AfterValidator(_filled), AfterValidator(_each_once)]
"""A list with at least one entry, each of them once."""
