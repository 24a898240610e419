"""What a deal is worth by the year and how its discount spreads over time and over those who give it.

Annual contract value: recurring and committed usage, averaged over the years of the term; a term of less than a year
counts as one, so that nothing is worth more than what it costs. Annual recurring revenue: recurring lines alone,
at the price and quantity of the last stretch of a ramp, extrapolated to twelve months.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from dealdesk.domain import facts as slot
from dealdesk.domain.decision import FxRate
from dealdesk.domain.facts import Facts
from dealdesk.domain.measures import Priced, Terms, discount
from dealdesk.domain.money import EXACT, minor_units, to_minor
from dealdesk.domain.quote import ChargeType
from dealdesk.domain.shapes import at_exit

YEAR = 12
Both = tuple[int, int] | None
"""A percentage rounded up and rounded down; None where there is nothing to measure it on."""


def add_run_rate(found: Facts, terms: Terms, currency: str, rate: FxRate | None) -> None:
    """Puts the figures of the whole deal beside those that `measures` found."""
    steady = exits = shaped = 0
    for line in terms.lines:
        shaped += line.shape is not None
        if line.charge_type is not ChargeType.ONE_TIME:
            steady += line.net_minor
            exits += line.net_minor if line.charge_type is ChargeType.RECURRING else 0
    if shaped:
        exits = _add_shapes(found, terms)
    else:
        _copy(found, slot.DISCRETIONARY, slot.DISCOUNT)
        _copy(found, slot.EXIT_DISCOUNT, slot.RECURRING_DISCOUNT)
    found[slot.ANNUAL_VALUE] = _yearly(steady, max(terms.term_months, YEAR), terms.currency, currency, rate)
    found[slot.ANNUAL_REVENUE] = _yearly(exits, terms.term_months, terms.currency, currency, rate)


def _add_shapes(found: Facts, terms: Terms) -> int:
    """The figures that need more than totals; answers what the recurring lines come to at exit."""
    recurring = [at_exit(line, terms.currency) for line in terms.lines if line.charge_type is ChargeType.RECURRING]
    _put(found, slot.DISCRETIONARY, discount([_base(line) for line in terms.lines]))
    _put(found, slot.EXIT_DISCOUNT, discount(recurring))
    _put(found, slot.LATER_DISCOUNT, _deepest_later(terms.lines, terms.term_months))
    _put(found, slot.DELTA_DISCOUNT, discount([part for line in terms.lines if (part := _added(line))]))
    return sum([line.net_minor for line in recurring])


def add_line_run_rate(found: Facts, line: Priced, terms: Terms) -> None:
    """Replaces the deal's figures by the line's own, where a figure is one of lines."""
    if line.shape is None:
        _copy(found, slot.DISCRETIONARY, slot.DISCOUNT)
        _copy(found, slot.EXIT_DISCOUNT, slot.DISCOUNT)
        _put(found, slot.LATER_DISCOUNT, None)
        _put(found, slot.DELTA_DISCOUNT, None)
        return
    more = _added(line)
    _put(found, slot.DISCRETIONARY, discount((_base(line),)))
    _put(found, slot.EXIT_DISCOUNT, discount((at_exit(line, terms.currency),)))
    _put(found, slot.LATER_DISCOUNT, _deepest_later((line,), terms.term_months))
    _put(found, slot.DELTA_DISCOUNT, None if more is None else discount((more,)))


def _deepest_later(lines: Sequence[Priced], term_months: int) -> Both:
    """The deepest discount of any stretch that reaches beyond the first year of the term."""
    found = [
        both
        for line in lines
        if line.shape is not None
        for ends, stretch in line.shape.stretches
        if ends * term_months > YEAR * line.shape.stretches[-1].ends and (both := discount((stretch,)))
    ]
    return (max(up for up, _ in found), max(down for _, down in found)) if found else None


def _base(line: Priced) -> Priced:
    return line if line.shape is None else line.shape.base


def _added(line: Priced) -> Priced | None:
    return None if line.shape is None else line.shape.added


def _yearly(total_minor: int, months: int, quoted: str, currency: str, rate: FxRate | None) -> int | None:
    """Twelve months' share of a total in the policy's currency, rounded once; None when the rate is missing."""
    if quoted == currency:
        return (2 * YEAR * total_minor + months) // (2 * months)
    if rate is None:
        return None
    major = EXACT.scaleb(Decimal(YEAR * total_minor), -minor_units(quoted))
    return to_minor(EXACT.divide(EXACT.multiply(major, rate.rate), Decimal(months)), currency)


def _put(found: Facts, at: int, both: Both) -> None:
    found[at], found[at + 1] = both or (None, None)


def _copy(found: Facts, to: int, at: int) -> None:
    found[to], found[to + 1] = found[at], found[at + 1]
