"""What PayPal reads of a request to make, take or refund an order, and what it refuses.

Sources: PayPal's OpenAPI files of orders v2 and payments v2; developer.paypal.com/api/rest/reference/currency-codes.
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from werkzeug.wrappers import Request

from local.twins.paypal_refusals import malformed, refuse
from local.twins.server import Json

_TWO_DECIMALS = "AUD BRL CAD CNY CZK DKK EUR HKD ILS MYR MXN NZD NOK PHP PLN GBP SGD SEK CHF THB USD"
TWO_DECIMALS = frozenset(_TWO_DECIMALS.split())
WHOLE_ONLY = ("HUF", "JPY", "TWD")
VALUE = re.compile(r"-?[0-9]+|-?[0-9]*\.[0-9]+")
ORDER = {"intent", "purchase_units", "payment_source", "application_context", "payer", "processing_instruction"}
UNIT = {
    "reference_id": 256,
    "description": 127,
    "custom_id": 127,
    "invoice_id": 127,
    "soft_descriptor": 22,
}
EXPERIENCE = {
    "brand_name": None,
    "locale": None,
    "shipping_preference": ("GET_FROM_FILE", "NO_SHIPPING", "SET_PROVIDED_ADDRESS"),
    "return_url": None,
    "cancel_url": None,
    "landing_page": ("LOGIN", "GUEST_CHECKOUT", "NO_PREFERENCE"),
    "user_action": ("CONTINUE", "PAY_NOW"),
    "payment_method_preference": ("UNRESTRICTED", "IMMEDIATE_PAYMENT_REQUIRED"),
}
REFUND = {"custom_id": 127, "invoice_id": 127, "note_to_payer": 255}


def body_of(request: Request) -> Json:
    """The request's object; PayPal takes an empty body where everything is optional."""
    if request.mimetype != "application/json":
        raise malformed("UNSUPPORTED_MEDIA_TYPE", "The request payload is not supported; send application/json.", "")
    try:
        body = json.loads(request.get_data() or b"{}", parse_float=Decimal)
    except ValueError:
        raise malformed("MALFORMED_REQUEST_JSON", "The request JSON is not well formed.", "") from None
    if not isinstance(body, dict):
        raise malformed("MALFORMED_REQUEST_JSON", "The request JSON is not well formed.", "")
    return body


def order_form(body: Json) -> Json:
    """The request when PayPal accepts it: one to ten units, one payer's wallet."""
    _only(body, ORDER, "")
    if body.get("intent") not in ("CAPTURE", "AUTHORIZE"):
        raise _missing_or("INVALID_PARAMETER_VALUE", body, "intent", "")
    units = body.get("purchase_units")
    if not isinstance(units, list) or not 1 <= len(units) <= 10:
        raise _missing_or("INVALID_ARRAY_MIN_ITEMS", body, "purchase_units", "")
    for number, unit in enumerate(units):
        at = f"/purchase_units/{number}"
        _only(unit, {*UNIT, "amount"}, at)
        _texts(unit, UNIT, at)
        money_of(unit, "amount", at)
    wallet = body.get("payment_source", {}).get("paypal", {})
    _experience(wallet.get("experience_context", {}), "/payment_source/paypal/experience_context")
    return body


def refund_form(body: Json) -> Json:
    _only(body, {*REFUND, "amount", "payment_instruction"}, "")
    _texts(body, REFUND, "")
    return body


def money_of(holder: Json, name: str, at: str) -> tuple[str, Decimal]:
    """Currency and amount; raises for a number, a float, a negative one, and decimals that the currency has not."""
    amount, path = holder.get(name), f"{at}/{name}"
    if not isinstance(amount, dict):
        raise _missing_or("INVALID_PARAMETER_SYNTAX", holder, name, at)
    _only(amount, {"currency_code", "value", "breakdown"}, path)
    currency, value = amount.get("currency_code"), amount.get("value")
    if not isinstance(currency, str) or len(currency) != 3:
        raise _missing_or("INVALID_STRING_LENGTH", amount, "currency_code", path)
    if currency not in TWO_DECIMALS and currency not in WHOLE_ONLY:
        raise refuse("INVALID_CURRENCY_CODE", "Currency code is invalid or is not supported.", f"{path}/currency_code")
    if not isinstance(value, str) or not VALUE.fullmatch(value) or len(value) > 32:
        raise _missing_or("INVALID_PARAMETER_SYNTAX", amount, "value", path)
    _, _, fraction = value.partition(".")
    if fraction and currency in WHOLE_ONLY:
        said = "Currency does not support decimals."
        raise refuse("DECIMALS_NOT_SUPPORTED", said, f"{path}/value")
    if len(fraction) > 2:
        raise refuse("DECIMAL_PRECISION", "The number of decimals is more than the currency has.", f"{path}/value")
    if Decimal(value) <= 0:
        raise refuse("CANNOT_BE_ZERO_OR_NEGATIVE", "Must be greater than zero.", f"{path}/value")
    return currency, Decimal(value)


def shown(currency: str, amount: Decimal) -> Json:
    """An amount object; JPY without decimals."""
    return {"currency_code": currency, "value": str(int(amount)) if currency in WHOLE_ONLY else f"{amount:.2f}"}


def _experience(context: Json, at: str) -> None:
    _only(context, set(EXPERIENCE), at)
    for name, choices in EXPERIENCE.items():
        value = context.get(name)
        if value is not None and choices and value not in choices:
            raise malformed("INVALID_PARAMETER_VALUE", f"The value of {name} is invalid.", f"{at}/{name}")
        if name.endswith("_url") and value is not None and not re.match(r"https?://[^\s/]+", str(value)):
            raise malformed("INVALID_PARAMETER_SYNTAX", f"{name} is no URL.", f"{at}/{name}")


def _texts(holder: Json, limits: Mapping[str, int], at: str) -> None:
    for name, limit in limits.items():
        value: Any = holder.get(name)
        if name in holder and (not isinstance(value, str) or not 1 <= len(value) <= limit):
            raise malformed("INVALID_STRING_LENGTH", f"The value of {name} is too short or too long.", f"{at}/{name}")


def _only(holder: Any, known: set[str], at: str) -> None:
    """Stricter than PayPal, which ignores what it does not know: a misspelt field must not pass here."""
    if not isinstance(holder, dict):
        raise malformed("INVALID_PARAMETER_SYNTAX", "An object is expected.", at)
    for name in holder:
        if name not in known:
            raise malformed("INVALID_PARAMETER", f"{name} is unknown.", f"{at}/{name}")


def _missing_or(issue: str, holder: Json, name: str, at: str) -> Exception:
    if name not in holder:
        return malformed("MISSING_REQUIRED_PARAMETER", "A required field is missing.", f"{at}/{name}")
    return malformed(issue, f"The value of {name} is invalid.", f"{at}/{name}")
