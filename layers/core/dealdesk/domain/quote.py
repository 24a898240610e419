"""What a seller offers: the customer, the lines with their prices, and the terms of payment.

A `Quote` that exists is valid. Anything else is refused with a pointer to the field and what would be right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

from dealdesk.domain import pricing as parts
from dealdesk.domain import terms
from dealdesk.domain.amendments import Amends, check_amends
from dealdesk.domain.checks import InvalidQuote, day, member, number, text, whole
from dealdesk.domain.money import (
    EXACT,
    MINOR_UNITS,
    Money,
    minor_units,
    spread_by_largest_remainder,
    to_major,
    to_minor,
)
from dealdesk.domain.pricing import Pricing
from dealdesk.domain.pricing_checks import check_pricing

__all__ = ["Billing", "ChargeType", "Customer", "InvalidQuote", "Line", "Providers", "Quote", "Risk"]

MAX_LINES = 500
MAX_TOTAL_MINOR = 900_000_000_000_000  # keeps basis points of a total inside 64 bits, also in replay
_COUNTRY = re.compile("[A-Z]{2}")
_NO_PRICING = Pricing()


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
    """One item: unit prices are per quantity and period, so 10 seats x 12 months at 85.00 is 10,200.00.

    Where `pricing` stacks discounts or ramps, the amounts come from it, and `net_unit_price` is the average to read.
    """

    id: str
    sku: str
    charge_type: ChargeType
    quantity: Decimal
    periods: int
    list_unit_price: Decimal
    net_unit_price: Decimal
    unit_cost: Decimal | None = None
    pricing: Pricing | None = None

    @property
    def volume(self) -> Decimal:
        """Quantity times periods, exact."""
        if self.pricing is not None:
            return parts.volume_of(self.pricing, self.quantity, self.periods)
        return EXACT.multiply(self.quantity, Decimal(self.periods))

    @property
    def list_exact(self) -> Decimal:
        """The line at list price, in major units."""
        if self.pricing is not None:
            return parts.list_of(self.pricing, self.list_unit_price, self.quantity, self.periods)
        return EXACT.multiply(self.list_unit_price, EXACT.multiply(self.quantity, Decimal(self.periods)))

    @property
    def net_exact(self) -> Decimal:
        """The line at the price offered, less its share of the quote's amount off, in major units."""
        if self.pricing is not None:
            prices = self.list_unit_price, self.net_unit_price
            return EXACT.subtract(parts.net_of(self.pricing, *prices, self.quantity, self.periods), self.pricing.off)
        return EXACT.multiply(self.net_unit_price, EXACT.multiply(self.quantity, Decimal(self.periods)))

    def list_minor(self, currency: str) -> int:
        """The line at list price, rounded once."""
        return to_minor(self.list_exact, currency)

    def net_minor(self, currency: str) -> int:
        """The line at the price offered, rounded once."""
        return to_minor(self.net_exact, currency)

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
    `amount_off` is taken off the whole quote and spread over the lines exactly, by largest remainder; ties go in the
    order of the line ids, the one order that a shuffled list keeps. `payment_terms` says how the days are counted
    where it is not plain "net N"; `payment_terms_days` is then the most days that they give.
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
    payment_terms: str | None = None
    opt_out_after_months: int | None = None
    starts_on: date | None = None
    amount_off: Decimal | None = None
    amends: Amends | None = None

    def __post_init__(self) -> None:
        _check_header(self)
        _check_lines(self)
        if self.amount_off is not None or any(line.pricing is not None for line in self.lines):
            object.__setattr__(self, "lines", _with_amount_off(self))

    @property
    def committed_months(self) -> int:
        """The months that the customer cannot leave early."""
        return terms.committed_months(self.term_months, self.opt_out_after_months)

    @property
    def terms_of_payment(self) -> str:
        """As people say it: "net 30", or what was typed."""
        return self.payment_terms or f"net {self.payment_terms_days}"

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
    text("/name", quote.name, 255)
    text("/owner_id", quote.owner_id, 128)
    text("/customer/id", quote.customer.id, 128)
    text("/customer/name", quote.customer.name, 255)
    if quote.customer.country and _COUNTRY.fullmatch(quote.customer.country) is None:
        raise InvalidQuote("/customer/country", "must be a two-letter ISO 3166 code in capitals, like US")
    if quote.currency not in MINOR_UNITS:
        raise InvalidQuote("/currency", "must be an ISO 4217 code in capitals, like USD")
    member("/risk", quote.risk, Risk)
    member("/billing", quote.billing, Billing)
    whole("/payment_terms_days", quote.payment_terms_days, 0, 730)
    whole("/term_months", quote.term_months, 1, 600)
    for field in ("contact_id", "segment", "region"):
        if (value := getattr(quote, field)) is not None:
            text(f"/{field}", value, 128)
    if quote.new_logo is not None and not isinstance(quote.new_logo, bool):
        raise InvalidQuote("/new_logo", "must be true or false, or left out")
    if quote.valid_until is not None:
        day("/valid_until", quote.valid_until)
    if quote.starts_on is not None:
        day("/starts_on", quote.starts_on)
    if quote.opt_out_after_months is not None:
        whole("/opt_out_after_months", quote.opt_out_after_months, 1, quote.term_months)
    if quote.payment_terms is not None:
        _check_payment_terms(quote.payment_terms, quote.payment_terms_days)
    if quote.amends is not None:
        check_amends(quote.amends)
    for index, person in enumerate(quote.beneficiary_ids):
        text(f"/beneficiary_ids/{index}", person, 128)
    for role in ("signature", "payment", "ledger"):
        text(f"/providers/{role}", getattr(quote.providers, role), 64)


def _check_payment_terms(typed: str, days: int) -> None:
    try:
        known = terms.parse_terms(typed)
    except ValueError as wrong:
        raise InvalidQuote("/payment_terms", str(wrong)) from None
    if known.most_days is None:
        raise InvalidQuote("/payment_terms", "must have one due date; quote each milestone as a deal of its own")
    if (str(known), known.most_days) != (typed, days):
        raise InvalidQuote("/payment_terms_days", f"must be {known.most_days}, the most that {known} gives")


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
    text(f"{at}/id", line.id, 64)
    text(f"{at}/sku", line.sku, 128)
    member(f"{at}/charge_type", line.charge_type, ChargeType)
    number(f"{at}/quantity", line.quantity)
    if line.quantity <= 0:
        raise InvalidQuote(f"{at}/quantity", "must be more than zero")
    whole(f"{at}/periods", line.periods, 1, 10_000)
    number(f"{at}/list_unit_price", line.list_unit_price)
    if line.pricing is not None:
        check_pricing(at, line.pricing, line.list_unit_price, line.net_unit_price, line.quantity, line.periods)
    number(f"{at}/net_unit_price", line.net_unit_price)
    if line.unit_cost is not None:
        number(f"{at}/unit_cost", line.unit_cost)


def _with_amount_off(quote: Quote) -> tuple[Line, ...]:
    """The lines with their shares of the amount off, whatever shares they came with."""
    currency = quote.currency
    bare = {line.id: _share(line, Decimal(0)) for line in quote.lines}
    if quote.amount_off is None:
        return tuple(bare.values())
    number("/amount_off", quote.amount_off)
    off_minor = to_minor(quote.amount_off, currency)
    if to_major(off_minor, currency) != quote.amount_off:
        raise InvalidQuote("/amount_off", f"must have at most {minor_units(currency)} decimals")
    ids = sorted(bare)
    nets = [bare[line_id].net_minor(currency) for line_id in ids]
    if not 0 < off_minor <= sum(nets):
        raise InvalidQuote("/amount_off", "must be more than zero and at most the total of the lines")
    shares = dict(zip(ids, spread_by_largest_remainder(off_minor, nets), strict=True))
    return tuple(_share(line, to_major(shares[line.id], currency)) for line in bare.values())


def _share(line: Line, off: Decimal) -> Line:
    pricing = replace(line.pricing or _NO_PRICING, off=off or Decimal(0))
    return replace(line, pricing=None if pricing == _NO_PRICING else pricing)
