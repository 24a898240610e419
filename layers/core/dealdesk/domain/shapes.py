"""The shape of a line's price beside its totals: what the rep was free to give, its stretches of time, what it adds.

Only lines with stacked discounts, a ramp, free periods, a share of an amount off or something to amend have one.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from dealdesk.domain import pricing as parts
from dealdesk.domain.amendments import Amends, added
from dealdesk.domain.measures import Priced, priced
from dealdesk.domain.money import EXACT
from dealdesk.domain.quote import Line

_ZERO = Decimal(0)


class Stretch(NamedTuple):
    """A stretch of time with one price, until the end of the period number `ends`, counted from one."""

    ends: int
    priced: Priced


class Shape(NamedTuple):
    """`base` is the line listed at what the rep's own discount is measured on; `added` what an amendment adds.

    `scales` is whether more quantity costs in proportion: not with tiers, amounts off or something to amend.
    """

    base: Priced
    stretches: tuple[Stretch, ...]
    added: Priced | None
    scales: bool
    ramped: bool = False


def shape_of(line: Line, whole: Priced, currency: str, amends: Amends | None) -> Shape | None:
    """The shape of a line whose totals are `whole`; None for a plain line that amends nothing."""
    pricing = line.pricing
    more = None
    if amends is not None:
        volume = line.volume
        average = EXACT.divide(volume, Decimal(line.periods))
        more = added(amends, line.id, line.sku, whole.list_exact, whole.net_exact, volume, average)
    if pricing is None:
        bare = None if more is None else repriced(whole, currency, *more)
        return None if amends is None else Shape(whole, (), bare, scales=False)
    base = parts.base_of(pricing, line.list_unit_price, line.quantity, line.periods)
    by_amount = any(discount.amount is not None for discount in pricing.discounts)
    return Shape(
        base=repriced(whole, currency, max(base, whole.net_exact), whole.net_exact),
        stretches=_stretches(line, pricing, whole, currency),
        added=None if more is None else repriced(whole, currency, *more),
        scales=not (pricing.tiers or pricing.off or by_amount or amends),
        ramped=bool(pricing.segments),
    )


def _stretches(line: Line, pricing: parts.Pricing, whole: Priced, currency: str) -> tuple[Stretch, ...]:
    """A share of the quote's amount off falls on every stretch in proportion to what it charges."""
    before = EXACT.add(whole.net_exact, pricing.off)
    found = parts.parts_of(pricing, line.list_unit_price, before, line.quantity, line.periods)
    kept = EXACT.divide(whole.net_exact, before) if pricing.off else Decimal(1)
    return tuple(Stretch(x.ends, repriced(whole, currency, x.listed, EXACT.multiply(x.net, kept))) for x in found)


def raised(line: Priced, shape: Shape, currency: str, net: Decimal) -> Shape:
    """The shape at a higher net price: what the rep gives shrinks, and the earliest segments of a ramp give way first.

    Free periods become one price throughout.
    """
    missing = EXACT.subtract(net, line.net_exact)
    after, rest = [], missing
    for ends, stretch in shape.stretches if shape.ramped else ():
        room = max(EXACT.subtract(stretch.list_exact, stretch.net_exact), _ZERO)
        step = min(room, rest)
        rest = EXACT.subtract(rest, step)
        risen = EXACT.add(stretch.net_exact, step)
        after.append(Stretch(ends, repriced(line, currency, stretch.list_exact, risen)))
    more = shape.added
    if more is not None:
        more = repriced(line, currency, more.list_exact, EXACT.add(more.net_exact, missing))
    base = repriced(line, currency, max(shape.base.list_exact, net), net)
    return shape._replace(base=base, stretches=tuple(after), added=more)


def multiplied(line: Priced, shape: Shape, currency: str, factor: Decimal) -> Shape:
    """The shape of so many times the quantity, at the same prices."""

    def times(part: Priced) -> Priced:
        listed, net = EXACT.multiply(part.list_exact, factor), EXACT.multiply(part.net_exact, factor)
        return repriced(line, currency, listed, net)

    stretches = tuple(Stretch(ends, times(part)) for ends, part in shape.stretches)
    return shape._replace(base=times(shape.base), stretches=stretches)


def at_exit(line: Priced, currency: str) -> Priced:
    """The line as if its last stretch held throughout: where it leaves its ramp, and where a renewal starts."""
    if line.shape is None or not line.shape.stretches:
        return line
    last, before = line.shape.stretches[-1], line.shape.stretches[:-1]
    periods, all_periods = last.ends - (before[-1].ends if before else 0), last.ends

    def throughout(amount: Decimal) -> Decimal:
        return EXACT.divide(EXACT.multiply(amount, Decimal(all_periods)), Decimal(periods))

    return repriced(line, currency, throughout(last.priced.list_exact), throughout(last.priced.net_exact))


def repriced(line: Priced, currency: str, listed: Decimal, net: Decimal) -> Priced:
    """A part of the line, or all of it at other prices, in money; what it costs is left out."""
    return priced(line.id, line.sku, line.charge_type, currency, listed, net, None)
