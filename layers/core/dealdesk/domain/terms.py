"""Terms of payment and of the contract in calendar days: when money is due, when a term ends, what waiting costs."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from dealdesk.domain.money import EXACT

DAYS_IN_A_YEAR = 365
STANDARD_DAYS = 30
COST_OF_MONEY = Decimal(10)
"""Percent a year, as a figure to show by; no rule reads it."""
LONGEST_MONTH = 31
_NET = re.compile(r"net[ -]?([0-9]{1,3})(?: days)?")
_EOM = re.compile(r"(?:eom|end of month)(?: ?\+ ?| )?([0-9]{1,3})?(?: days)?")
_ONE = Decimal(1)


class Due(StrEnum):
    """From when the days are counted. Prepaid is due with its invoice, and the service starts once it is paid."""

    NET = "net"
    END_OF_MONTH = "end of month"
    ON_RECEIPT = "due on receipt"
    PREPAID = "prepaid"
    MILESTONES = "milestones"


class Weekend(StrEnum):
    """What happens to a due date on a Saturday or a Sunday."""

    STAYS = "stays"
    NEXT_BUSINESS_DAY = "next_business_day"


class PaymentTerms(NamedTuple):
    """`days` count in calendar days from the invoice date, or from the end of its month."""

    due: Due
    days: int = 0

    @property
    def most_days(self) -> int | None:
        """The order of terms: the most days a customer may take. None for milestones, which have no such order."""
        match self.due:
            case Due.MILESTONES:
                return None
            case Due.END_OF_MONTH:
                return LONGEST_MONTH - 1 + self.days
            case _:
                return self.days

    def __str__(self) -> str:
        match self.due:
            case Due.NET:
                return f"net {self.days}"
            case Due.END_OF_MONTH:
                return f"EOM+{self.days}"
            case _:
                return self.due.value


def parse_terms(text: str) -> PaymentTerms:
    """Reads terms as people type them: "Net 45", "EOM+15", "due on receipt". ValueError says what would be right."""
    plain = " ".join(text.lower().split())
    if found := _NET.fullmatch(plain):
        return PaymentTerms(Due.NET, int(found[1]))
    if found := _EOM.fullmatch(plain):
        return PaymentTerms(Due.END_OF_MONTH, int(found[1] or 0))
    for due in (Due.ON_RECEIPT, Due.PREPAID, Due.MILESTONES):
        if plain == due.value:
            return PaymentTerms(due)
    raise ValueError('must be terms like "net 30", "EOM+15", "due on receipt", "prepaid" or "milestones"')


def due_on(terms: PaymentTerms, invoiced_on: date, weekend: Weekend = Weekend.STAYS) -> date:
    """The day on which an invoice of that date is due; the clock starts at the invoice, never at the signature.

    ValueError for milestones, each of which has a date of its own.
    """
    if terms.due is Due.MILESTONES:
        raise ValueError("milestones have a date each; there is no one due date")
    start = invoiced_on
    if terms.due is Due.END_OF_MONTH:
        start = invoiced_on.replace(day=monthrange(invoiced_on.year, invoiced_on.month)[1])
    due = start + timedelta(days=terms.days)
    if weekend is Weekend.NEXT_BUSINESS_DAY and due.weekday() >= 5:
        due += timedelta(days=7 - due.weekday())
    return due


def term_ends_on(starts_on: date, months: int) -> date:
    """The last day of a term: start + months - 1 day, clamped to the end of shorter months."""
    return months_later(starts_on, months) - timedelta(days=1)


def months_later(day: date, months: int) -> date:
    """The same day of the month, or its last day where the month is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def prorated(amount_minor: int, starts_on: date, period_starts_on: date, period_months: int = 1) -> int:
    """A first period that began earlier, by days, rounded half up: a part of a period is no extra term."""
    ends = months_later(period_starts_on, period_months)
    used, whole = (ends - starts_on).days, (ends - period_starts_on).days
    if not 0 < used <= whole:
        raise ValueError("the start must lie within the period")
    return (2 * amount_minor * used + whole) // (2 * whole)


def committed_months(term_months: int, opt_out_after_months: int | None) -> int:
    """The months that the customer cannot leave early."""
    return term_months if opt_out_after_months is None else min(term_months, opt_out_after_months)


def cost_of_waiting(amount_minor: int, days: int, annual_percent: Decimal, standard_days: int = STANDARD_DAYS) -> int:
    """What longer terms than the standard cost, in minor units: shown beside the discount, never added to it.

    Net 60 instead of net 30 on 100,000.00 at 10% a year is 821.92. Nothing for terms within the standard.
    """
    late = max(days - standard_days, 0)
    interest = EXACT.multiply(Decimal(amount_minor * late), annual_percent)
    return int(EXACT.quantize(EXACT.divide(interest, Decimal(100 * DAYS_IN_A_YEAR)), _ONE))
