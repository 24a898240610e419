"""What a seller offers: the customer, the lines with their prices, and the terms of payment.

A `Quote` that exists is valid. Anything else is refused with a pointer to the field and what would be right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from dealdesk.domain.money import EXACT, MINOR_UNITS, Money, to_minor

MAX_LINES = 500
MAX_TOTAL_MINOR = 900_000_000_000_000  # keeps basis points of a total inside 64 bits, also in replay
MAX_DIGITS = 15
MAX_DECIMALS = 15  # a unit price after a percent discount has more decimals than either of the two
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_COUNTRY = re.compile("[A-Z]{2}")


class InvalidQuote(ValueError):
    """Refused because a field is wrong: `pointer` is a JSON pointer, the message says what would be right."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(f"{pointer}: {message}")
        self.pointer = pointer
        self.message = message


class ChargeType(StrEnum):
    """How a line is charged; usage means its committed part."""

    RECURRING = "recurring"
    ONE_TIME = "one_time"
    USAGE = "usage"


class Risk(StrEnum):
    """The customer's risk tier."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @classmethod
    def parse(cls, text: str | None) -> Risk:
        """Reads what a CRM wrote; an unknown or missing tier counts as medium."""
        try:
            return cls(text.strip().lower()) if isinstance(text, str) else cls.MEDIUM
        except ValueError:
            return cls.MEDIUM


class Billing(StrEnum):
    """When the customer is billed, best for the seller first."""

    UPFRONT = "upfront"
    ANNUAL = "annual"
    QUARTERLY = "quarterly"
    MONTHLY = "monthly"


@dataclass(frozen=True, slots=True)
class Line:
    """One item: unit prices are per quantity and period, so 10 seats x 12 months at 85.00 is 10,200.00."""

    id: str
    sku: str
    charge_type: ChargeType
    quantity: Decimal
    periods: int
    list_unit_price: Decimal
    net_unit_price: Decimal
    unit_cost: Decimal | None = None

    @property
    def volume(self) -> Decimal:
        """Quantity times periods, exact."""
        return EXACT.multiply(self.quantity, Decimal(self.periods))

    def list_minor(self, currency: str) -> int:
        """The line at list price, rounded once."""
        return to_minor(EXACT.multiply(self.list_unit_price, self.volume), currency)

    def net_minor(self, currency: str) -> int:
        """The line at the price offered, rounded once."""
        return to_minor(EXACT.multiply(self.net_unit_price, self.volume), currency)

    def cost_minor(self, currency: str) -> int | None:
        """What the line costs the seller, or None when nobody said."""
        if self.unit_cost is None:
            return None
        return to_minor(EXACT.multiply(self.unit_cost, self.volume), currency)


@dataclass(frozen=True, slots=True)
class Customer:
    """The legal entity that buys; `country` is ISO 3166 alpha-2, or empty where the CRM has none."""

    id: str
    name: str
    country: str


@dataclass(frozen=True, slots=True)
class Providers:
    """Who signs, collects and books this deal."""

    signature: str = "docusign"
    payment: str = "stripe"
    ledger: str = "quickbooks"


@dataclass(frozen=True, slots=True)
class Quote:
    """An offer as the guardrails judge it; InvalidQuote when a field is wrong.

    `beneficiary_ids` are the people whom the deal pays a commission: they have an interest in it, as its owner has.
    """

    name: str
    owner_id: str
    customer: Customer
    currency: str
    risk: Risk
    payment_terms_days: int
    billing: Billing
    term_months: int
    lines: tuple[Line, ...]
    contact_id: str | None = None
    segment: str | None = None
    region: str | None = None
    new_logo: bool | None = None
    valid_until: date | None = None
    providers: Providers = Providers()
    beneficiary_ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_header(self)
        _check_lines(self)

    @property
    def list_total(self) -> Money:
        """The sum of the lines at list price, each rounded on its own."""
        return self.list_total_of(*ChargeType)

    @property
    def net_total(self) -> Money:
        """The sum of the lines at the price offered, each rounded on its own."""
        return self.net_total_of(*ChargeType)

    def list_total_of(self, *charge_types: ChargeType) -> Money:
        """The list total of the lines that are charged in one of these ways."""
        chosen = (line.list_minor(self.currency) for line in self.lines if line.charge_type in charge_types)
        return Money(sum(chosen), self.currency)

    def net_total_of(self, *charge_types: ChargeType) -> Money:
        """The net total of the lines that are charged in one of these ways."""
        chosen = (line.net_minor(self.currency) for line in self.lines if line.charge_type in charge_types)
        return Money(sum(chosen), self.currency)


def _check_header(quote: Quote) -> None:
    _text("/name", quote.name, 255)
    _text("/owner_id", quote.owner_id, 128)
    _text("/customer/id", quote.customer.id, 128)
    _text("/customer/name", quote.customer.name, 255)
    if quote.customer.country and _COUNTRY.fullmatch(quote.customer.country) is None:
        raise InvalidQuote("/customer/country", "must be a two-letter ISO 3166 code in capitals, like US")
    if quote.currency not in MINOR_UNITS:
        raise InvalidQuote("/currency", "must be an ISO 4217 code in capitals, like USD")
    _member("/risk", quote.risk, Risk)
    _member("/billing", quote.billing, Billing)
    _whole("/payment_terms_days", quote.payment_terms_days, 0, 730)
    _whole("/term_months", quote.term_months, 1, 600)
    for field in ("contact_id", "segment", "region"):
        if (value := getattr(quote, field)) is not None:
            _text(f"/{field}", value, 128)
    if quote.new_logo is not None and not isinstance(quote.new_logo, bool):
        raise InvalidQuote("/new_logo", "must be true or false, or left out")
    if quote.valid_until is not None and (
        isinstance(quote.valid_until, datetime) or not isinstance(quote.valid_until, date)
    ):
        raise InvalidQuote("/valid_until", "must be a date without a time, like 2027-01-31")
    for index, person in enumerate(quote.beneficiary_ids):
        _text(f"/beneficiary_ids/{index}", person, 128)
    for role in ("signature", "payment", "ledger"):
        _text(f"/providers/{role}", getattr(quote.providers, role), 64)


def _check_lines(quote: Quote) -> None:
    if not isinstance(quote.lines, tuple) or not 1 <= len(quote.lines) <= MAX_LINES:
        raise InvalidQuote("/lines", f"must hold 1 to {MAX_LINES} lines")
    seen: set[str] = set()
    list_total = net_total = 0
    for index, line in enumerate(quote.lines):
        at = f"/lines/{index}"
        _check_line(at, line)
        if line.id in seen:
            raise InvalidQuote(f"{at}/id", f"must be unique; another line already has the id {line.id!r}")
        seen.add(line.id)
        list_total += line.list_minor(quote.currency)
        net_total += line.net_minor(quote.currency)
    if max(list_total, net_total) > MAX_TOTAL_MINOR:
        raise InvalidQuote("/lines", f"must add up to at most {MAX_TOTAL_MINOR} minor units")


def _check_line(at: str, line: Line) -> None:
    _text(f"{at}/id", line.id, 64)
    _text(f"{at}/sku", line.sku, 128)
    _member(f"{at}/charge_type", line.charge_type, ChargeType)
    _number(f"{at}/quantity", line.quantity)
    if line.quantity <= 0:
        raise InvalidQuote(f"{at}/quantity", "must be more than zero")
    _whole(f"{at}/periods", line.periods, 1, 10_000)
    _number(f"{at}/list_unit_price", line.list_unit_price)
    _number(f"{at}/net_unit_price", line.net_unit_price)
    if line.unit_cost is not None:
        _number(f"{at}/unit_cost", line.unit_cost)


def _text(pointer: str, value: object, longest: int) -> None:
    if not isinstance(value, str) or not value.strip() or len(value) > longest or _UNPRINTABLE.search(value):
        raise InvalidQuote(pointer, f"must be 1 to {longest} characters of text without control characters")


def _member(pointer: str, value: object, kind: type[StrEnum]) -> None:
    if not isinstance(value, kind):
        raise InvalidQuote(pointer, f"must be one of {', '.join(kind)}")


def _whole(pointer: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise InvalidQuote(pointer, f"must be a whole number from {least} to {most}")


def _number(pointer: str, value: object) -> None:
    if not isinstance(value, Decimal) or not value.is_finite() or (value.is_signed() and value != 0):
        raise InvalidQuote(pointer, 'must be a number of zero or more, sent as a string like "85.00"')
    exponent = value.as_tuple().exponent
    too_fine = isinstance(exponent, int) and exponent < -MAX_DECIMALS
    if value.adjusted() >= MAX_DIGITS or too_fine:
        raise InvalidQuote(pointer, f"must have at most {MAX_DIGITS} digits before and {MAX_DECIMALS} after the point")
