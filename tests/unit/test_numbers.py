"""Norwegian numbers."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project import schema
from dagster_project.intake.numbers import (
    MAX_DECIMALS,
    MAX_DIGITS,
    BadNumber,
    parse_column,
    parse_count,
    parse_number,
    unstarred,
)
from dagster_project.rules.fields import valid_organisation_number


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


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *[
            (text, "not-a-number")
            for text in ("4.1", "1 23", "12a", "1,2,3", "1 2345", "--", "1e3", "NaN", "٣", "²", ",5", "1_000")
        ],
        ("48,12345", "too-many-decimals"),
        ("9" * 15, "number-out-of-range"),
        ("9" * 10_000, "number-out-of-range"),
    ],
)
def test_refuses_what_is_no_number_or_cannot_be_stored(text: str, code: str) -> None:
    with pytest.raises(BadNumber) as caught:
        parse_number(text)
    assert caught.value.code == code


def test_a_star_behind_a_number_is_taken_off_and_told_and_no_other_is() -> None:
    texts = ["47*", "47 *", "4,1\u00a0*", " 1 234* ", "*", " * ", "47", "47**", "*47", "-*", "47 * *", "4.1*", ""]
    plain, starred = unstarred(pa.array(texts))
    assert starred.to_pylist() == [True] * 4 + [False] * 7 + [True, False]
    values, bad = parse_column(plain, parse_number, pa.decimal128(18, 4))
    assert values.to_pylist()[:7] == [Decimal(47), Decimal(47), Decimal("4.1"), Decimal(1234), None, None, Decimal(47)]
    assert [texts[b.position] for b in bad] == ["47**", "*47", "-*", "47 * *", "4.1*"]
    with pytest.raises(BadNumber):
        parse_number("47*")  # as a page number or a number in a form it is none


@pytest.mark.parametrize(
    ("text", "code"), [("-1", "not-a-count"), ("1,5", "not-a-count"), ("9" * 19, "number-out-of-range")]
)
def test_refuses_what_is_no_number_of_pupils(text: str, code: str) -> None:
    with pytest.raises(BadNumber) as caught:
        parse_count(text)
    assert caught.value.code == code


def test_what_is_stored_of_a_number_is_what_the_extracts_hold() -> None:
    kind = schema.extract_schema().field("value").type
    assert (kind.precision - kind.scale, kind.scale) == (MAX_DIGITS, MAX_DECIMALS)
    texts = ["9" * MAX_DIGITS + "," + "9" * MAX_DECIMALS, "-0,0001", "007,10000", "*", "", "x", "48,12345"]
    values, bad = parse_column(pa.array(texts), parse_number, kind)
    assert values.to_pylist() == [
        Decimal("99999999999999.9999"),
        Decimal("-0.0001"),
        Decimal("7.1"),
        None,
        None,
        None,
        None,
    ]
    assert [(b.position, b.why.code) for b in bad] == [(5, "not-a-number"), (6, "too-many-decimals")]


def test_blank_is_no_number_and_no_mistake() -> None:
    assert parse_number("  ") is None


@given(st.integers(0, 10**9), st.integers(0, 99), st.sampled_from([" ", "\u00a0", "\u202f", "\u2009", ""]))
def test_reads_back_any_number_that_is_written_the_norwegian_way(whole: int, part: int, space: str) -> None:
    assert parse_number(f"{whole:,}".replace(",", space) + f",{part:02d}") == Decimal(whole) + Decimal(part) / 100


def test_the_last_digit_checks_an_organisation_number() -> None:
    assert valid_organisation_number("974552124")
    assert [d for d in "0123456789" if valid_organisation_number("97455212" + d)] == ["4"]
    assert not any(map(valid_organisation_number, ("97455212", "974 552 124", "9745521240", "97455212x", "")))
