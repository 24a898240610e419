"""Amounts as Stripe counts them: nearly the minor units of ISO 4217, and here is where they differ.

Source: docs.stripe.com/currencies, "Zero-decimal", "Three-decimal" and "Special case currencies".
"""

from __future__ import annotations

from dealdesk.domain.money import Money, format_money, minor_units
from dealdesk.errors import Malformed, VendorRefused

# ISK and UGX have no decimals any more, but Stripe still counts them in hundredths that are always 00; it counts the
# ariary without the decimals that ISO 4217 gives it. HUF and TWD differ in payouts only.
DECIMALS = {"ISK": 2, "UGX": 2, "MGA": 0}
THREE_DECIMALS = 3


def to_stripe(money: Money) -> int:
    """The `amount` for Stripe. Raises `VendorRefused` for one that Stripe cannot carry to the last digit."""
    amount = _scaled(money.amount_minor, _shift(money.currency))
    if amount is None or (minor_units(money.currency) == THREE_DECIMALS and amount % 10):
        raise VendorRefused(f"Stripe cannot carry {format_money(money)}: its smallest step there is larger")
    return amount


def from_stripe(amount: int, currency: str) -> Money:
    """Money of an `amount` and a `currency` in Stripe's small letters. Raises `Malformed`, naming what is wrong."""
    code = currency.upper()
    try:
        exact = _scaled(amount, -_shift(code))
    except ValueError:
        raise Malformed(f"{code[:40]!r} is no currency; data.object.currency must be an ISO 4217 code") from None
    if exact is None:
        raise Malformed(f"{amount} is no amount of {code}: it has a part that the currency has not")
    return Money(exact, code)


def _shift(currency: str) -> int:
    """How many digits Stripe's amount has more than ours."""
    ours = minor_units(currency)
    return DECIMALS.get(currency, ours) - ours


def _scaled(amount: int, digits: int) -> int | None:
    """The amount with so many digits more or fewer; None where digits that count would be lost."""
    if digits >= 0:
        return int(amount * 10**digits)
    whole, lost = divmod(amount, int(10**-digits))
    return None if lost else whole
