"""A line of a quote as REST takes it, with all that its price may be made of."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from dealdesk.contracts.fields import Id, Number, Periods, Strict, Text
from dealdesk.domain.amendments import Amends, LineToday
from dealdesk.domain.pricing import Pricing, Segment, average_net
from dealdesk.domain.pricing_checks import MAX_PARTS
from dealdesk.domain.quote import ChargeType, Line
from dealdesk.domain.waterfall import Discount, Layer, Tier, in_order, tier_price
from dealdesk.errors import Malformed

_MICRO = Decimal("0.000001")
_PRICES = ("net_unit_price", "discount_percent", "discounts", "segments")


class DiscountIn(Strict):
    """`percent` off what the layers before it leave, or `amount` off the whole line."""

    layer: Layer
    percent: Number | None = None
    amount: Number | None = None


class TierIn(Strict):
    from_quantity: Number
    unit_price: Number


class SegmentIn(Strict):
    """A stretch of a ramp; it has `net_unit_price` or `discount_percent`, and the line's quantity unless it says so."""

    periods: Periods
    quantity: Number | None = None
    net_unit_price: Number | None = None
    discount_percent: Number | None = None


class LineIn(Strict):
    """A line is priced by `net_unit_price`, `discount_percent`, `discounts` or `segments`.

    It is listed at `list_unit_price`, or by `list_tiers` at the price for its quantity.
    """

    id: Id
    sku: Text
    charge_type: ChargeType = ChargeType.RECURRING
    quantity: Number
    periods: Periods = 1
    list_unit_price: Number | None = None
    list_tiers: Annotated[tuple[TierIn, ...], Field(max_length=MAX_PARTS)] = ()
    net_unit_price: Number | None = None
    discount_percent: Number | None = None
    discounts: Annotated[tuple[DiscountIn, ...], Field(max_length=MAX_PARTS)] = ()
    segments: Annotated[tuple[SegmentIn, ...], Field(max_length=MAX_PARTS)] = ()
    free_periods: Annotated[int, Field(strict=True, ge=0, le=10_000)] = 0
    unit_cost: Number | None = None

    def to_line(self, index: int) -> Line:
        """Raises `Malformed` with the pointer of what does not fit; the rest is for `Quote` to check."""
        at = f"/lines/{index}"
        listed = self._list_unit_price(at)
        pricing = self._pricing(at, listed)
        if self.discounts or self.segments:
            net = average_net(pricing, listed, self.quantity, self.periods)
        else:
            net = _net(at, listed, self.net_unit_price, self.discount_percent)
        return Line(
            id=self.id,
            sku=self.sku,
            charge_type=self.charge_type,
            quantity=self.quantity,
            periods=self.periods,
            list_unit_price=listed,
            net_unit_price=net,
            unit_cost=self.unit_cost,
            pricing=None if pricing == Pricing() else pricing,
        )

    def _list_unit_price(self, at: str) -> Decimal:
        if (self.list_unit_price is None) == (not self.list_tiers):
            place = f"{at}/list_unit_price"
            raise Malformed(f"{place}: a line has this or list_tiers, not both and not neither", pointer=place)
        if self.list_unit_price is not None:
            return self.list_unit_price
        tiers = [Tier(tier.from_quantity, tier.unit_price) for tier in self.list_tiers]
        price = tier_price(tiers, self.quantity)
        if price is None:
            raise Malformed(f"there is no tier for the quantity {self.quantity:f}", pointer=f"{at}/list_tiers")
        return price

    def _pricing(self, at: str, listed: Decimal) -> Pricing:
        given = [name for name in _PRICES if getattr(self, name) not in (None, ())]
        if len(given) != 1:
            known = "net_unit_price or discount_percent" if len(given) < 2 else " and ".join(given)
            raise Malformed(
                f"a line has {known}, not both and not neither; instead of them it may have discounts or segments",
                pointer=at,
            )
        return Pricing(
            tiers=tuple(Tier(tier.from_quantity, tier.unit_price) for tier in self.list_tiers),
            discounts=in_order([Discount(x.layer, x.percent, x.amount) for x in self.discounts]),
            segments=tuple(self._segment(f"{at}/segments/{n}", x, listed) for n, x in enumerate(self.segments)),
            free_periods=self.free_periods,
        )

    def _segment(self, at: str, given: SegmentIn, listed: Decimal) -> Segment:
        quantity = self.quantity if given.quantity is None else given.quantity
        if self.list_tiers:
            tiers = [Tier(tier.from_quantity, tier.unit_price) for tier in self.list_tiers]
            listed = tier_price(tiers, quantity) or listed
        return Segment(given.periods, quantity, _net(at, listed, given.net_unit_price, given.discount_percent))


class LineTodayIn(Strict):
    id: Id
    sku: Text
    quantity: Number
    net_unit_price: Number


class AmendsIn(Strict):
    """The contract that this quote changes or renews, and its items as they are today."""

    reference: Text
    lines: Annotated[list[LineTodayIn], Field(min_length=1, max_length=500)]

    def to_amends(self) -> Amends:
        lines = (LineToday(x.id, x.sku, x.quantity, x.net_unit_price) for x in self.lines)
        return Amends(self.reference, tuple(lines))


def _net(at: str, listed: Decimal, net: Decimal | None, percent: Decimal | None) -> Decimal:
    if (net is None) == (percent is None):
        raise Malformed("there is net_unit_price or discount_percent, not both and not neither", pointer=at)
    if net is not None:
        return net
    discount = percent or Decimal(0)
    if not 0 <= discount <= 100:
        raise Malformed("a discount is from 0 to 100", pointer=f"{at}/discount_percent")
    return (listed * (100 - discount) / 100).quantize(_MICRO)
