"""Builders of lines whose price is more than one unit price."""

from __future__ import annotations

from decimal import Decimal

from dealdesk.domain.pricing import Pricing, Segment, average_net
from dealdesk.domain.quote import ChargeType, Line
from dealdesk.domain.waterfall import Discount, Layer, Tier, in_order

DISCRETIONARY = Layer.DISCRETIONARY


def off(layer: Layer, percent: str | None = None, *, amount: str | None = None) -> Discount:
    return Discount(layer, _number(percent), _number(amount))


def stacked(
    *discounts: Discount,
    id: str = "1",
    unit: str = "10000.00",
    quantity: str = "1",
    periods: int = 1,
    free: int = 0,
    sku: str = "CORE-01",
    charge: ChargeType = ChargeType.RECURRING,
    cost: str | None = None,
) -> Line:
    """A line at 10,000.00 list with these discounts, and with so many periods free."""
    return made_of(
        Pricing(discounts=in_order(discounts), free_periods=free),
        id=id, unit=unit, quantity=quantity, periods=periods, sku=sku, charge=charge, cost=cost,
    )  # fmt: skip


def ramped(
    *percents: str,
    id: str = "1",
    unit: str = "1000.00",
    quantity: str = "1",
    periods: int = 12,
    sku: str = "CORE-01",
    charge: ChargeType = ChargeType.RECURRING,
    cost: str | None = None,
) -> Line:
    """A line whose discount changes after every `periods` periods."""
    listed = Decimal(unit)
    segments = [Segment(periods, Decimal(quantity), listed * (100 - Decimal(p)) / 100) for p in percents]
    return made_of(
        Pricing(segments=tuple(segments)),
        id=id, unit=unit, quantity=quantity, periods=periods * len(percents), sku=sku, charge=charge, cost=cost,
    )  # fmt: skip


def tiered(*tiers: tuple[str, str], quantity: str, net: str, periods: int = 1) -> Line:
    """A line listed by the quantity: pairs of (from quantity, unit price)."""
    pricing = Pricing(tiers=tuple(Tier(Decimal(start), Decimal(price)) for start, price in tiers))
    reached = [Decimal(price) for start, price in tiers if Decimal(start) <= Decimal(quantity)]
    number = Decimal(quantity)
    return Line("1", "CORE-01", ChargeType.RECURRING, number, periods, reached[-1], Decimal(net), None, pricing)


def made_of(
    pricing: Pricing,
    *,
    id: str = "1",
    unit: str,
    quantity: str,
    periods: int,
    sku: str = "CORE-01",
    charge: ChargeType = ChargeType.RECURRING,
    cost: str | None = None,
) -> Line:
    """A line with this pricing and the average net price that goes with it; the list price where nothing is off."""
    listed, count = Decimal(unit), Decimal(quantity)
    net = average_net(pricing, listed, count, periods) if pricing.discounts or pricing.segments else listed
    return Line(id, sku, charge, count, periods, listed, net, _number(cost), pricing)


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
