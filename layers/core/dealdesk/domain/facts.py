"""The vocabulary of policies: every figure and attribute of a deal that a rule may read, with its unit."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from dealdesk.domain.money import (
    EXACT,
    MINOR_UNITS,
    Money,
    format_money,
    format_scaled,
    minor_units,
    parse_decimal,
    to_minor,
)
from dealdesk.domain.quote import Billing, ChargeType, Risk

Facts = list[int | str | bool | None]
"""What was measured, by slot; None where the deal does not say. A percentage fills two slots."""


class Unit(StrEnum):
    """How a fact is written in a policy and kept inside: basis points, whole numbers, minor units, text."""

    PERCENT = "percent"
    DAYS = "days"
    MONTHS = "months"
    MONEY = "money"
    TEXT = "text"
    FLAG = "flag"


NUMBERS = frozenset({Unit.PERCENT, Unit.DAYS, Unit.MONTHS, Unit.MONEY})


class Fact(NamedTuple):
    """A fact by its name in policies.

    A percentage is kept rounded up in `slot` and rounded down in `slot + 1`, so that comparing whole basis
    points decides as the exact fraction does: `>` and `<=` read the first, `<` and `>=` the second. The term does
    the same: what must not be longer is the term that is contracted, what must be long enough is the committed one.
    """

    name: str
    label: str
    unit: Unit
    slot: int
    values: tuple[str, ...] = ()
    line_only: bool = False

    @property
    def slots(self) -> tuple[int, int]:
        """Where `>`, `<=` and ceilings read it, and where `<`, `>=` and floors do."""
        return self.slot, self.slot + 1 if self.unit is Unit.PERCENT or self.slot == TERM_MONTHS else self.slot


DISCOUNT, RECURRING_DISCOUNT, ONE_TIME_DISCOUNT, USAGE_DISCOUNT, MARGIN = 0, 2, 4, 6, 8
PAYMENT_DAYS, CONTRACT_VALUE, BILLING, RISK, SEGMENT, REGION = 10, 11, 12, 13, 14, 15
NEW_LOGO, CURRENCY, SKU, CHARGE = 16, 17, 18, 19
TERM_MONTHS, COMMITTED_MONTHS, ANNUAL_VALUE, ANNUAL_REVENUE = 20, 21, 22, 23
DISCRETIONARY, EXIT_DISCOUNT, LATER_DISCOUNT, DELTA_DISCOUNT = 24, 26, 28, 30
SLOTS = 32
RUN_RATE = frozenset({ANNUAL_VALUE, ANNUAL_REVENUE, DISCRETIONARY, EXIT_DISCOUNT, LATER_DISCOUNT, DELTA_DISCOUNT})
"""What `run_rate` adds: judged only for policies that ask for it, and always shown."""
_OF_A_LINE = (DISCOUNT, MARGIN, DISCRETIONARY, EXIT_DISCOUNT, LATER_DISCOUNT, DELTA_DISCOUNT)
LINE_SLOTS = frozenset({SKU, CHARGE, *_OF_A_LINE, *(at + 1 for at in _OF_A_LINE)})
"""What a line has of its own, whatever the deal around it but its term."""

FACTS: dict[str, Fact] = {
    fact.name: fact
    for fact in (
        Fact("discount_pct", "discount", Unit.PERCENT, DISCOUNT),
        Fact("recurring_discount_pct", "recurring discount", Unit.PERCENT, RECURRING_DISCOUNT),
        Fact("one_time_discount_pct", "one-time discount", Unit.PERCENT, ONE_TIME_DISCOUNT),
        Fact("usage_discount_pct", "usage discount", Unit.PERCENT, USAGE_DISCOUNT),
        Fact("margin_pct", "margin", Unit.PERCENT, MARGIN),
        Fact("payment_days", "payment terms", Unit.DAYS, PAYMENT_DAYS),
        Fact("term_months", "term", Unit.MONTHS, TERM_MONTHS),
        Fact("total_contract_value", "total contract value", Unit.MONEY, CONTRACT_VALUE),
        Fact("billing", "billing", Unit.TEXT, BILLING, tuple(Billing)),
        Fact("risk_tier", "risk tier", Unit.TEXT, RISK, tuple(Risk)),
        Fact("segment", "segment", Unit.TEXT, SEGMENT),
        Fact("region", "region", Unit.TEXT, REGION),
        Fact("new_logo", "new logo", Unit.FLAG, NEW_LOGO),
        Fact("currency", "currency", Unit.TEXT, CURRENCY, tuple(MINOR_UNITS)),
        Fact("committed_months", "committed term", Unit.MONTHS, COMMITTED_MONTHS),
        Fact("annual_contract_value", "annual contract value", Unit.MONEY, ANNUAL_VALUE),
        Fact("annual_recurring_revenue", "annual recurring revenue", Unit.MONEY, ANNUAL_REVENUE),
        Fact("discretionary_discount_pct", "discretionary discount", Unit.PERCENT, DISCRETIONARY),
        Fact("exit_discount_pct", "exit discount", Unit.PERCENT, EXIT_DISCOUNT),
        Fact("later_segment_discount_pct", "discount beyond the first year", Unit.PERCENT, LATER_DISCOUNT),
        Fact("delta_discount_pct", "discount on what is added", Unit.PERCENT, DELTA_DISCOUNT),
        Fact("sku", "SKU", Unit.TEXT, SKU, line_only=True),
        Fact("charge_type", "charge type", Unit.TEXT, CHARGE, tuple(ChargeType), line_only=True),
    )
}


def fact_named(name: str, *, at_line: bool) -> Fact:
    """The fact of that name; ValueError with the nearest name when there is none at this scope."""
    fact = FACTS.get(name)
    if fact is None or (fact.line_only and not at_line):
        if fact is not None:
            raise ValueError(f'{name} is known of a line only; give the rule "scope": "line"')
        known = [known.name for known in FACTS.values() if at_line or not known.line_only]
        raise ValueError(f"there is no fact {name[:60]!r}; {nearest(name, known)}")
    return fact


def nearest(word: str, known: list[str] | tuple[str, ...]) -> str:
    """A suggestion for a misspelt word."""
    from difflib import get_close_matches  # read only when somebody misspelt something

    if close := get_close_matches(word[:60], known, n=1, cutoff=0.5):
        return f"did you mean {close[0]}?"
    return f"use one of {', '.join(known[:20])}"


def read_literal(fact: Fact, value: object, currency: str) -> int | str | bool:
    """Turns what a policy says about a fact into its inner unit; ValueError says what would be right."""
    if fact.unit is Unit.FLAG:
        if isinstance(value, bool):
            return value
        raise ValueError(f"{fact.name} is true or false")
    if fact.unit is Unit.TEXT:
        return _read_text(fact, value)
    number = parse_decimal(value)
    if fact.unit is Unit.MONEY:
        minor = to_minor(number, currency)
        if EXACT.scaleb(number, minor_units(currency)) != minor:
            raise ValueError(f"{currency} has {minor_units(currency)} decimals, {value} has more")
        return minor
    scaled = EXACT.scaleb(number, 2) if fact.unit is Unit.PERCENT else number
    if scaled != int(scaled):
        raise ValueError(
            f"{fact.name} is given in percent with at most two decimals, like 27.50"
            if fact.unit is Unit.PERCENT
            else f"{fact.name} is a whole number of {fact.unit.value}"
        )
    return int(scaled)


def _read_text(fact: Fact, value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 128:
        raise ValueError(f"{fact.name} is compared with a text of 1 to 128 characters")
    if fact.values and value not in fact.values:
        raise ValueError(f"{value[:60]!r} is not a value of {fact.name}; {nearest(value, fact.values)}")
    return value


def plain(fact: Fact, value: int | str | bool, currency: str) -> str:
    """The value as JSON carries it: "27.50", "60", "116000.00", "annual", "true"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return str(value)
    if fact.unit is Unit.PERCENT:
        return format_scaled(value, 2)
    return format_scaled(value, minor_units(currency)) if fact.unit is Unit.MONEY else str(value)


def spoken(fact: Fact, value: int | str | bool, currency: str) -> str:
    """The value as people say it: "27.50%", "net 60", "12 months", "116,000.00 USD", "yes"."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return str(value)
    match fact.unit:
        case Unit.PERCENT:
            return f"{format_scaled(value, 2)}%"
        case Unit.DAYS:
            return f"net {value}"
        case Unit.MONTHS:
            return f"{value} months"
        case _:
            return format_money(Money(value, currency))
