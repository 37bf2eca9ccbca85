"""Norwegian numbers."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.intake.numbers import parse_number
from dagster_project.validation.frames import valid_organisation_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("56 929", "56929"),
        ("0,3", "0.3"),
        ("  116", "116"),
        ("5\u00a0943", "5943"),
        ("1\u202f234,5", "1234.5"),
        ("-2", "-2"),
    ],
)
def test_reads_what_the_files_hold(text: str, value: str) -> None:
    assert parse_number(text) == Decimal(value)


@pytest.mark.parametrize("text", ["4.1", "1 23", "12a", "1,2,3", "1 2345", "--", "1e3", "NaN"])
def test_refuses_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="not a number"):
        parse_number(text)


def test_blank_is_no_number_and_no_mistake() -> None:
    assert parse_number("  ") is None


@given(st.integers(0, 10**9), st.integers(0, 99), st.sampled_from([" ", "\u00a0", "\u202f", "\u2009", ""]))
def test_reads_back_any_number_that_is_written_the_norwegian_way(whole: int, part: int, space: str) -> None:
    assert parse_number(f"{whole:,}".replace(",", space) + f",{part:02d}") == Decimal(whole) + Decimal(part) / 100


def test_the_last_digit_checks_an_organisation_number() -> None:
    assert valid_organisation_number("974552124")
    assert [d for d in "0123456789" if valid_organisation_number("97455212" + d)] == ["4"]
    assert not valid_organisation_number("97455212")
