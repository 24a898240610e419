"""What a line's price is made of where it is more than one unit price: tiers, stacked discounts, a ramp, free periods.

Every figure here is exact and in major units. A line is rounded once, by whoever asks for its minor units.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from dealdesk.domain.money import EXACT
from dealdesk.domain.waterfall import Discount, Tier, before_the_rep, taken_off, tier_price

_MICRO = Decimal("0.000001")
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, repr=False)
class Segment:
    """A stretch of a ramp: so many periods at this quantity and net unit price."""

    periods: int
    quantity: Decimal
    net_unit_price: Decimal


@dataclass(frozen=True, slots=True, repr=False)
class Pricing:
    """`off` is the line's share of the quote's `amount_off`; the quote sets it.

    Free periods come first and are within the line's periods: 2 free months of 14 are 14.29% off. Of `discounts`,
    `segments` and a plain net unit price a line has one.
    """

    tiers: tuple[Tier, ...] = ()
    discounts: tuple[Discount, ...] = ()
    segments: tuple[Segment, ...] = ()
    free_periods: int = 0
    off: Decimal = _ZERO


class Part(NamedTuple):
    """A stretch of time in which a line has one price: until the end of period number `ends`."""

    ends: int
    listed: Decimal
    net: Decimal


def list_of(pricing: Pricing, unit_price: Decimal, quantity: Decimal, periods: int) -> Decimal:
    """The line at list price; a segment of another quantity is listed at that quantity's tier."""
    if not pricing.segments:
        return _times(unit_price, quantity, periods)
    return _total(_segment_list(pricing, segment, unit_price) for segment in pricing.segments)


def net_of(pricing: Pricing, unit_price: Decimal, net_unit_price: Decimal, quantity: Decimal, periods: int) -> Decimal:
    """The line as it is charged, before its share of the quote's amount off."""
    if pricing.segments:
        return _total(_times(s.net_unit_price, s.quantity, s.periods) for s in pricing.segments)
    paid = periods - pricing.free_periods
    if pricing.discounts:
        return taken_off(_times(unit_price, quantity, paid), pricing.discounts)
    return _times(net_unit_price, quantity, paid)


def base_of(pricing: Pricing, unit_price: Decimal, quantity: Decimal, periods: int) -> Decimal:
    """The line before what the rep gives: ramps, free periods, credits and amounts off are the rep's own."""
    return before_the_rep(list_of(pricing, unit_price, quantity, periods), pricing.discounts)


def volume_of(pricing: Pricing, quantity: Decimal, periods: int) -> Decimal:
    """Quantity times periods; of a ramp, the sum over its segments."""
    if not pricing.segments:
        return EXACT.multiply(quantity, Decimal(periods))
    return _total(EXACT.multiply(s.quantity, Decimal(s.periods)) for s in pricing.segments)


def average_net(pricing: Pricing, unit_price: Decimal, quantity: Decimal, periods: int) -> Decimal:
    """The net unit price that people read of stacked or ramped lines, to six decimals; no amount comes from it."""
    net, volume = net_of(pricing, unit_price, _ZERO, quantity, periods), volume_of(pricing, quantity, periods)
    return EXACT.quantize(EXACT.divide(net, volume), _MICRO) if volume else _ZERO


def parts_of(pricing: Pricing, unit_price: Decimal, net: Decimal, quantity: Decimal, periods: int) -> tuple[Part, ...]:
    """The line's stretches of time with what each is charged; empty where one price holds throughout."""
    if pricing.segments:
        parts, ends = [], 0
        for segment in pricing.segments:
            ends += segment.periods
            charged = _times(segment.net_unit_price, segment.quantity, segment.periods)
            parts.append(Part(ends, _segment_list(pricing, segment, unit_price), charged))
        return tuple(parts)
    if not (free := pricing.free_periods):
        return ()
    paid = _times(unit_price, quantity, periods - free)
    return Part(free, _times(unit_price, quantity, free), _ZERO), Part(periods, paid, net)


def _segment_list(pricing: Pricing, segment: Segment, unit_price: Decimal) -> Decimal:
    listed = tier_price(pricing.tiers, segment.quantity) if pricing.tiers else unit_price
    return _times(unit_price if listed is None else listed, segment.quantity, segment.periods)


def _times(price: Decimal, quantity: Decimal, periods: int) -> Decimal:
    return EXACT.multiply(price, EXACT.multiply(quantity, Decimal(periods)))


def _total(amounts: Iterable[Decimal]) -> Decimal:
    total = _ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
