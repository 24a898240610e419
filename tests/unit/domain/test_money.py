"""Amounts are whole minor units, and numbers from outside come in one plain shape."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdesk.domain.money import (
    Money,
    format_money,
    minor_units,
    parse_decimal,
    spread_by_largest_remainder,
    to_minor,
)


@pytest.mark.parametrize(
    ("currency", "decimals"),
    [
        ("USD", 2),
        ("EUR", 2),
        ("JPY", 0),
        ("KRW", 0),
        ("VND", 0),
        ("CLP", 0),
        ("UGX", 0),
        ("ISK", 0),
        ("KWD", 3),
        ("BHD", 3),
        ("JOD", 3),
        ("OMR", 3),
        ("TND", 3),
        ("CLF", 4),
    ],
)
def test_every_currency_has_the_decimals_of_iso_4217(currency: str, decimals: int) -> None:
    assert minor_units(currency) == decimals


@pytest.mark.parametrize("code", ["usd", "XXX", "", "US", "USDT", " USD"])
def test_an_unknown_currency_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match="ISO 4217"):
        minor_units(code)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("0.005", "USD", 1),
        ("0.0049999", "USD", 0),
        ("-0.005", "USD", -1),
        ("5000", "JPY", 5000),
        ("0.5", "JPY", 1),
        ("1.0005", "KWD", 1001),
        ("79999.992", "USD", 7_999_999),
    ],
)
def test_a_half_is_rounded_away_from_zero(amount: str, currency: str, minor: int) -> None:
    assert to_minor(Decimal(amount), currency) == minor


def test_rounding_ignores_the_context_of_the_calling_thread() -> None:
    with localcontext() as context:
        context.prec, context.rounding = 3, ROUND_DOWN

        assert to_minor(Decimal("123456789.125"), "USD") == 12_345_678_913


@pytest.mark.parametrize("text", ["0", "-0", "1", "-12.5", "999999999999999.999999", "0.000001", "007"])
def test_a_plain_number_is_read_exactly(text: str) -> None:
    assert parse_decimal(text) == Decimal(text)


HOSTILE = ["1e999", "1E5", "1e-999999999", "NaN", "sNaN", "Infinity", "-inf", "1_000", "１２", "٣", " 1", "1 "]
HOSTILE += ["1\n", "", "-", ".5", "5.", "+1", "1,000", "0x10", "--1", "1.1234567", "1" * 16, "1" * 5_000, "½"]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"like 1234\.50"):
        parse_decimal(text)


@pytest.mark.parametrize("value", [True, False, 1.5, float("nan"), None, [], {}, Decimal(1), b"1"])
def test_only_texts_and_integers_are_numbers(value: object) -> None:
    with pytest.raises(ValueError, match="send a string"):
        parse_decimal(value)


@pytest.mark.parametrize("value", [10**15, -(10**15), 10**4_000])
def test_an_integer_out_of_range_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        parse_decimal(value)


def test_an_amount_is_said_with_separators_and_the_decimals_of_its_currency() -> None:
    shown = [format_money(Money(*pair)) for pair in [(123_450, "USD"), (5_000, "JPY"), (-1_234_567, "KWD")]]

    assert shown == ["1,234.50 USD", "5,000 JPY", "-1,234.567 KWD"]


@pytest.mark.parametrize("amount", [1.0, True, "1", None])
def test_an_amount_is_a_whole_number(amount: object) -> None:
    with pytest.raises(ValueError, match="whole number"):
        Money(amount, "USD")  # type: ignore[arg-type]


def test_example_1g_an_amount_off_is_spread_by_largest_remainder() -> None:
    assert spread_by_largest_remainder(100_00, [1, 1, 1]) == [33_34, 33_33, 33_33]


@given(st.integers(-(10**12), 10**12), st.lists(st.integers(0, 10**9), min_size=1, max_size=30))
def test_a_spread_adds_up_and_no_share_is_off_by_a_minor_unit(total: int, weights: list[int]) -> None:
    if sum(weights) == 0:
        weights[0] = 1

    shares = spread_by_largest_remainder(total, weights)

    assert sum(shares) == total
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share - Fraction(total * weight, sum(weights))) < 1


@pytest.mark.parametrize("weights", [[], [0, 0], [2, -1]])
def test_a_spread_needs_weights(weights: list[int]) -> None:
    with pytest.raises(ValueError, match=r"weights|min\(\)"):
        spread_by_largest_remainder(1, weights)
