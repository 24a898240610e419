"""The parameters that each of the modelled Stripe calls takes, and Stripe's rules for currencies and amounts.

Sources: Stripe's OpenAPI file, its `SessionCreateParams`, and docs.stripe.com/currencies.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from local.twins.stripe_params import (
    CREATED,
    EXPAND,
    PAGE,
    Rule,
    email,
    fields,
    many,
    metadata,
    one_of,
    refuse,
    text,
    url,
    whole,
)

LIVES_LEAST, LIVES_MOST = timedelta(minutes=30), timedelta(hours=24)
AMOUNT_LIMIT = 999_999_999_999
_CODES = (
    "aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd btn bwp byn bzd cad "
    "cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl "
    "htg huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd "
    "mmk mnt mop mro mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron "
    "rsd rub rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs tnd top try ttd twd tzs uah ugx usd uyu "
    "uzs vnd vuv wst xaf xcd xcg xof xpf yer zar zmw"
)
CURRENCIES = frozenset(_CODES.split())
_WHOLE_UNITS = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"
ZERO_DECIMAL = frozenset(_WHOLE_UNITS.split())
# Charged in hundredths that do not exist, and in thousandths whose last digit does not count.
MULTIPLE_OF = {"isk": 100, "ugx": 100, **dict.fromkeys(("bhd", "jod", "kwd", "omr", "tnd"), 10)}
LEAST_TOTAL = {"usd": 50, "eur": 50, "gbp": 30, "cad": 50, "aud": 50, "chf": 50, "jpy": 50}
METHODS = {"card": "card", "ach": "us_bank_account"}


def currency(value: Any, path: str) -> str:
    if value not in CURRENCIES:
        known = ", ".join(sorted(CURRENCIES))
        raise refuse(f"Invalid currency: {value}. Stripe currently supports these currencies: {known}", None, path)
    return str(value)


_PRODUCT = fields({"name": text(), "description": text(), "metadata": metadata}, required=["name"])
_PRICE = fields(
    {
        "currency": currency,
        "unit_amount": whole(0, AMOUNT_LIMIT),
        "product_data": _PRODUCT,
        "tax_behavior": one_of("exclusive", "inclusive", "unspecified"),
    },
    required=["currency", "product_data", "unit_amount"],
)
_LINE = fields({"price_data": _PRICE, "quantity": whole(1), "metadata": metadata}, required=["price_data"])
_INTENT = fields(
    {"metadata": metadata, "description": text(1_000), "receipt_email": email, "statement_descriptor": text(22)}
)
SESSION_RULES: Mapping[str, Rule] = {
    **EXPAND,
    "mode": one_of("payment", "setup", "subscription"),
    "line_items": many(_LINE),
    "success_url": url,
    "cancel_url": url,
    "client_reference_id": text(200),
    "customer_email": email,
    "metadata": metadata,
    "payment_intent_data": _INTENT,
    "payment_method_types": many(one_of(*METHODS.values())),
    "expires_at": whole(),
    "currency": currency,
    "locale": text(),
    "submit_type": one_of("auto", "book", "donate", "pay"),
    "billing_address_collection": one_of("auto", "required"),
    "ui_mode": one_of("hosted", "hosted_page"),
}
SESSION = fields(SESSION_RULES, required=["mode", "line_items", "success_url"])
SESSIONS = fields(
    {
        **PAGE,
        **CREATED,
        "payment_intent": text(),
        "status": one_of("complete", "expired", "open"),
        "customer_details": fields({"email": email}, required=["email"]),
    }
)
REFUND = fields(
    {
        **EXPAND,
        "payment_intent": text(),
        "amount": whole(1),
        "reason": one_of("duplicate", "fraudulent", "requested_by_customer"),
        "metadata": metadata,
    },
    required=["payment_intent"],
)
REFUNDS = fields({**PAGE, **CREATED, "payment_intent": text()})
DISPUTES = fields({**PAGE, **CREATED, "payment_intent": text(), "charge": text()})
EVENTS = fields({**PAGE, **CREATED, "type": text(), "types": many(text(), 20)})
SEARCH = fields({**EXPAND, "query": text(), "limit": PAGE["limit"], "page": text()}, required=["query"])
ONLY_EXPAND = fields(EXPAND)


def total_of(params: Mapping[str, Any]) -> tuple[str, int]:
    """The currency and the sum of the lines; raises for mixed currencies and sums that Stripe does not charge."""
    prices = [line["price_data"] for line in params["line_items"]]
    used = {price["currency"] for price in prices} | ({params["currency"]} if "currency" in params else set())
    if len(used) != 1:
        said = "All prices on a Checkout Session must have the same currency" if used else "Empty line_items"
        raise refuse(said, None if used else "parameter_invalid_empty", "line_items")
    (only,) = used
    step = MULTIPLE_OF.get(only, 1)
    for at, price in enumerate(prices):
        if price["unit_amount"] % step:
            path = f"line_items[{at}][price_data][unit_amount]"
            raise refuse(f"Amounts in {only} must be a multiple of {step}", "invalid_charge_amount", path)
    total = sum(line["price_data"]["unit_amount"] * line.get("quantity", 1) for line in params["line_items"])
    if total > AMOUNT_LIMIT:
        raise refuse(f"The total amount must be no more than {AMOUNT_LIMIT}", "amount_too_large", "line_items")
    if 0 < total < (least := LEAST_TOTAL.get(only, 0)):
        said = f"The Checkout Session's total amount due must add up to at least {amount_text(least, only)}"
        raise refuse(said, "amount_too_small", "line_items")
    return only, total


def amount_text(amount: int, of_currency: str) -> str:
    """As Stripe's messages write money: 1.50 usd, but 150 jpy."""
    if of_currency in ZERO_DECIMAL:
        return f"{amount} {of_currency}"
    return f"{amount // 100}.{amount % 100:02d} {of_currency}"


def require_lifetime(expires_at: int, created: int) -> None:
    lives = timedelta(seconds=expires_at - created)
    if lives < LIVES_LEAST:
        said = "at least 30 minutes"
    elif lives > LIVES_MOST:
        said = "less than 24 hours"
    else:
        return
    message = f"The `expires_at` timestamp must be {said} from Checkout Session creation."
    raise refuse(message, None, "expires_at")
