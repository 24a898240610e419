"""Amounts as people agree on them: whole minor units of one currency, rounded in one place.

No float is accepted anywhere, and text is accepted in one plain shape only, because a bare `Decimal()`
also takes "NaN", "1_000", full-width digits and "1e-999999999".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation, Overflow

# Wide enough for quantity x price x periods x rate to stay exact; never the caller's thread context.
EXACT = Context(prec=160, rounding=ROUND_HALF_UP, traps=[InvalidOperation, DivisionByZero, Overflow])

PLAIN_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,6})?")
_LARGEST_INT = 10**15 - 1
_MOST_DIGITS = 150

# ISO 4217 list one; ANG and BGN are kept for contracts that were signed in them.
_TWO_DECIMALS = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF
CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD
HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT
MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR
SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU
UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
"""
_NO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DECIMALS = "CLF UYW"

MINOR_UNITS: dict[str, int] = {
    code: exponent
    for codes, exponent in ((_TWO_DECIMALS, 2), (_NO_DECIMALS, 0), (_THREE_DECIMALS, 3), (_FOUR_DECIMALS, 4))
    for code in codes.split()
}


def minor_units(currency: str) -> int:
    """How many decimals the currency has (ISO 4217); ValueError for a code that is not on the list."""
    try:
        return MINOR_UNITS[currency]
    except (KeyError, TypeError):
        raise ValueError(f"{currency!r} is not a currency; use an ISO 4217 code in capitals, like USD") from None


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units: Money(12_345, "USD") is 123.45 USD, Money(12_345, "JPY") is 12,345 yen."""

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount_minor) is not int:
            raise ValueError(f"an amount is a whole number of minor units, not {self.amount_minor!r}")
        minor_units(self.currency)


def to_minor(amount: Decimal, currency: str) -> int:
    """Rounds to whole minor units, a half away from zero. The one place where money is rounded."""
    exponent = MINOR_UNITS[currency] if currency in MINOR_UNITS else minor_units(currency)
    if not amount.is_finite() or amount.adjusted() > _MOST_DIGITS:
        raise ValueError(f"{amount} is not an amount")
    return int(amount.scaleb(exponent, EXACT).to_integral_value(ROUND_HALF_UP, EXACT))


def to_major(amount_minor: int, currency: str) -> Decimal:
    """The exact amount in major units, with the currency's own number of decimals."""
    return EXACT.scaleb(Decimal(amount_minor), -minor_units(currency))


def parse_decimal(text: object) -> Decimal:
    """Reads a number from the border: a plain string or an int, up to 15 digits and 6 decimals.

    ValueError says what would be right. Booleans and floats are refused: a float has already lost cents.
    """
    if type(text) is int:
        if -_LARGEST_INT <= text <= _LARGEST_INT:
            return Decimal(text)
        raise ValueError("the number is out of range; at most 15 digits, like 999999999999999")
    if not isinstance(text, str):
        raise ValueError(
            f'a {type(text).__name__} is not accepted as a number; send a string like "1234.50" or an integer'
        )
    if PLAIN_NUMBER.fullmatch(text) is None:
        raise ValueError(f"{text[:40]!r} is not a plain number; use at most 15 digits and 6 decimals, like 1234.50")
    return Decimal(text)


def format_amount(amount_minor: int, currency: str) -> str:
    """The amount without separators and without the currency: "116000.00", "5000" for yen."""
    return format_scaled(amount_minor, minor_units(currency))


def format_scaled(value: int, decimals: int) -> str:
    """A whole number shown with so many decimals: 2750 with 2 is "27.50"."""
    if decimals == 0:
        return str(value)
    sign, digits = ("-", str(-value)) if value < 0 else ("", str(value))
    if len(digits) <= decimals:
        digits = digits.zfill(decimals + 1)
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def format_money(money: Money) -> str:
    """For people: "1,234.50 USD"."""
    whole, point, rest = format_amount(money.amount_minor, money.currency).partition(".")
    return f"{'-' if whole == '-0' else ''}{int(whole):,}{point}{rest} {money.currency}"


def spread_by_largest_remainder(total_minor: int, weights: Sequence[int]) -> list[int]:
    """Divides an amount in proportion, exact to the last minor unit; ties go in line order.

    100.00 over three equal lines is 33.34, 33.33, 33.33.
    """
    whole = sum(weights)
    if whole <= 0 or min(weights) < 0:
        raise ValueError("weights must be zero or more, and at least one above zero")
    sign, amount = (-1, -total_minor) if total_minor < 0 else (1, total_minor)
    shares = [amount * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: -(amount * weights[i] % whole))
    for index in by_remainder[: amount - sum(shares)]:
        shares[index] += 1
    return [sign * share for share in shares]
