"""Amounts as PayPal takes them: text in major units, and in fewer currencies than ISO 4217 has.

Source: developer.paypal.com/api/rest/reference/currency-codes.
"""

from __future__ import annotations

import re

from dealdesk.domain.money import Money, format_money, format_scaled, minor_units
from dealdesk.errors import Malformed, VendorRefused

_TWO_DECIMALS = "AUD BRL CAD CNY CZK DKK EUR HKD ILS MYR MXN NZD NOK PHP PLN GBP SGD SEK CHF THB USD"
# ISO 4217 gives the forint and the Taiwan dollar two decimals, PayPal none.
_NO_DECIMALS = "HUF JPY TWD"
DECIMALS = {code: places for codes, places in ((_TWO_DECIMALS, 2), (_NO_DECIMALS, 0)) for code in codes.split()}

LARGEST_DIGITS = 15
_VALUE = re.compile(rf"([0-9]{{1,{LARGEST_DIGITS}}})(?:\.([0-9]{{1,6}}))?")


def to_paypal(money: Money) -> dict[str, str]:
    """The amount object. Raises `VendorRefused` for a currency or a fraction that PayPal cannot carry."""
    decimals = DECIMALS.get(money.currency)
    if decimals is None:
        raise VendorRefused(f"PayPal takes no {money.currency}; collect this deal through another provider")
    scaled, lost = divmod(money.amount_minor, 10 ** (minor_units(money.currency) - decimals))
    if lost:
        raise VendorRefused(f"PayPal cannot carry {format_money(money)}: it takes whole {money.currency} only")
    return {"currency_code": money.currency, "value": format_scaled(scaled, decimals)}


def from_paypal(value: str, currency: str) -> Money:
    """The exact amount. Raises `Malformed` for a value that is no plain number or finer than the currency."""
    read = _VALUE.fullmatch(value)
    try:
        decimals = minor_units(currency)
    except ValueError:
        raise Malformed(f"{currency[:40]!r} is no currency; amounts need an ISO 4217 code") from None
    whole, fraction = read.groups("") if read else ("", "")
    exact = fraction.rstrip("0")
    if not whole or len(exact) > decimals:
        raise Malformed(f"{value[:40]!r} is no amount of {currency}")
    return Money(int(whole + exact.ljust(decimals, "0")), currency)
