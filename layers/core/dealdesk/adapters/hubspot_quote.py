"""What a HubSpot deal with its line items says, as the Quote that every CRM gives.

HubSpot prices a recurring line per billing period; the desk counts those periods, so that 10 seats at 100.00 a month
for a year are 12,000.00 in both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, DecimalException

from dealdesk.contracts.hubspot import contact_id_of
from dealdesk.domain.money import EXACT, parse_decimal
from dealdesk.domain.quote import Billing, ChargeType, Customer, Line, Quote, Risk
from dealdesk.ports import Person

# The properties of one record; HubSpot gives every value as text, and null for none.
Properties = Mapping[str, str | None]

DEAL = (
    "dealname",
    "dealtype",
    "deal_currency_code",
    "hubspot_owner_id",
    "deal_desk_submitted_at",
    "deal_desk_risk",
    "deal_desk_segment",
    "deal_desk_region",
    "deal_desk_payment_terms_days",
    "deal_desk_billing",
    "deal_desk_term_months",
    "deal_desk_valid_until",
)
LINE = (
    "name",
    "hs_sku",
    "quantity",
    "price",
    "discount",
    "hs_discount_percentage",
    "recurringbillingfrequency",
    "hs_recurring_billing_period",
    "hs_term_in_months",
    "hs_line_item_currency_code",
    "hs_cost_of_goods_sold",
    "hs_position_on_quote",
    "hs_lastmodifieddate",
    "hs_updated_by_user_id",
    "deal_desk_charge_type",
    "deal_desk_periods",
    "deal_desk_line_id",
)
COMPANY = ("name", "hs_country_code", "deal_desk_country", "deal_desk_customer_id")
CONTACT = ("firstname", "lastname", "email")
QUOTE = ("hs_expiration_date", "hs_createdate")

_MONTHS = {
    "monthly": 1,
    "quarterly": 3,
    "per_six_months": 6,
    "annually": 12,
    "per_two_years": 24,
    "per_three_years": 36,
    "per_four_years": 48,
    "per_five_years": 60,
}
_PERIOD = re.compile(r"P(?:(\d{1,2})Y)?(?:(\d{1,3})M)?")
_NEW_LOGO = {"newbusiness": True, "existingbusiness": False}


@dataclass(frozen=True, slots=True)
class Record:
    id: str
    properties: Properties


def read_terms(
    deal: Record,
    lines: Iterable[Record],
    company: Record,
    contact: Record | None,
    quotes: Iterable[Record],
    owner_id: str,
) -> tuple[Quote, Person | None]:
    """The quote and its signer. Raises `InvalidQuote`, `ValueError` or `KeyError` where a property is wrong."""
    terms, signer = deal.properties, _signer(contact)
    currency = _given(terms, "deal_currency_code")
    quote = Quote(
        name=_given(terms, "dealname"),
        owner_id=owner_id,
        customer=_customer(company),
        currency=currency,
        risk=Risk.parse(terms.get("deal_desk_risk")),
        payment_terms_days=_whole(terms, "deal_desk_payment_terms_days"),
        billing=Billing(_given(terms, "deal_desk_billing")),
        term_months=_whole(terms, "deal_desk_term_months"),
        lines=tuple(_line(line, currency) for line in sorted(lines, key=_position)),
        contact_id=contact_id_of(contact.id) if contact else None,
        segment=terms.get("deal_desk_segment") or None,
        region=terms.get("deal_desk_region") or None,
        new_logo=_NEW_LOGO.get(terms.get("dealtype") or ""),
        valid_until=_valid_until(terms, quotes),
    )
    return quote, signer


def _customer(company: Record) -> Customer:
    known = company.properties
    country = known.get("deal_desk_country") or known.get("hs_country_code") or ""
    return Customer(known.get("deal_desk_customer_id") or company.id, _given(known, "name"), country)


def _signer(contact: Record | None) -> Person | None:
    if contact is None or not contact.properties.get("email"):
        return None
    names = (contact.properties.get("firstname"), contact.properties.get("lastname"))
    email = _given(contact.properties, "email")
    return Person(contact_id_of(contact.id), " ".join(name for name in names if name) or email, email)


def _valid_until(terms: Properties, quotes: Iterable[Record]) -> date | None:
    """The deal's own date, else the day on which its newest quote expires."""
    newest = max(quotes, key=lambda quote: quote.properties.get("hs_createdate") or "", default=None)
    text = terms.get("deal_desk_valid_until") or (newest.properties.get("hs_expiration_date") if newest else None)
    return date.fromisoformat(text[:10]) if text else None


def _line(line: Record, currency: str) -> Line:
    given, price = line.properties, _number(line.properties, "price")
    theirs = given.get("hs_line_item_currency_code") or currency
    if theirs != currency:
        raise ValueError(f"line item {line.id} is in {theirs} and the deal in {currency}")
    cost = given.get("hs_cost_of_goods_sold")
    charged = "recurring" if given.get("recurringbillingfrequency") else "one_time"
    charge_type = ChargeType(given.get("deal_desk_charge_type") or charged)
    return Line(
        id=given.get("deal_desk_line_id") or line.id,
        sku=_given(given, "hs_sku"),
        charge_type=charge_type,
        quantity=_number(given, "quantity"),
        periods=_periods(line),
        list_unit_price=price,
        net_unit_price=_net(line, price),
        unit_cost=_number(given, "hs_cost_of_goods_sold") if cost else None,
    )


def _net(line: Record, price: Decimal) -> Decimal:
    """HubSpot takes a discount off the unit price, as an amount or as a percentage, never as both."""
    amount, percent = (_off(line.properties, name) for name in ("discount", "hs_discount_percentage"))
    if amount and percent:
        raise ValueError(f"line item {line.id} has both a discount and a discount percentage; clear one")
    net = EXACT.subtract(price, amount) if amount else EXACT.scaleb(EXACT.multiply(price, 100 - percent), -2)
    if net < 0:
        raise ValueError(f"line item {line.id} is discounted by more than its price")
    return Decimal(_plain(net))


def _off(given: Properties, name: str) -> Decimal:
    return _number(given, name) if given.get(name) else Decimal(0)


def _periods(line: Record) -> int:
    """How often the price is charged: as the line says, else once, else the term over the billing frequency."""
    given = line.properties
    if given.get("deal_desk_periods"):
        return _whole(given, "deal_desk_periods")
    frequency = given.get("recurringbillingfrequency")
    if not frequency:
        return 1
    months, term = _MONTHS.get(frequency), _term_months(given)
    if not months or not term or term % months:
        raise ValueError(
            f"line item {line.id} is billed {frequency} and has a term of {term or 'no'} months; set deal_desk_periods"
        )
    return term // months


def _term_months(given: Properties) -> int:
    """HubSpot keeps the term as an ISO 8601 period, and counts its months itself."""
    period = _PERIOD.fullmatch(given.get("hs_recurring_billing_period") or "")
    if period:
        return 12 * int(period.group(1) or 0) + int(period.group(2) or 0)
    return _whole(given, "hs_term_in_months") if given.get("hs_term_in_months") else 0


def _position(line: Record) -> tuple[Decimal, int]:
    return _off(line.properties, "hs_position_on_quote"), int(line.id)


def _given(given: Properties, name: str) -> str:
    value = given.get(name)
    if not value:
        raise ValueError(f"{name} is empty")
    return value


def _number(given: Properties, name: str) -> Decimal:
    text = _given(given, name)
    try:
        return parse_decimal(_plain(Decimal(text)))
    except (DecimalException, ValueError):
        raise ValueError(f"{name} is {text[:40]!r}, which is no number that the desk can take") from None


def _whole(given: Properties, name: str) -> int:
    number = _number(given, name)
    if number != number.to_integral_value():
        raise ValueError(f"{name} must be a whole number, not {number}")
    return int(number)


def _plain(number: Decimal) -> str:
    """HubSpot sends 10 and 10.0 for the same number; both become one, so that fingerprints agree."""
    return f"{number.normalize(EXACT):f}"
