"""Whether the parts of a line's price fit together; what does not is refused with its pointer."""

from __future__ import annotations

from decimal import Decimal

from dealdesk.domain.checks import InvalidQuote, member, number, whole
from dealdesk.domain.pricing import Pricing, average_net, net_of
from dealdesk.domain.waterfall import Discount, Layer, in_order, tier_price

MAX_PARTS = 60  # segments, tiers or discounts of one line


def check_pricing(
    at: str, pricing: Pricing, list_unit: Decimal, net_unit: Decimal, quantity: Decimal, periods: int
) -> None:
    """Raises `InvalidQuote` for the line at the pointer `at`, whose own numbers are checked already."""
    for field, parts in (
        ("list_tiers", pricing.tiers),
        ("discounts", pricing.discounts),
        ("segments", pricing.segments),
    ):
        if not isinstance(parts, tuple) or len(parts) > MAX_PARTS:
            raise InvalidQuote(f"{at}/{field}", f"must hold at most {MAX_PARTS} entries")
    whole(f"{at}/free_periods", pricing.free_periods, 0, periods - 1)
    _check_tiers(at, pricing, list_unit, quantity)
    if pricing.segments:
        _check_segments(at, pricing, periods)
    if pricing.discounts:
        _check_discounts(at, pricing.discounts)
        if net_of(pricing, list_unit, net_unit, quantity, periods) < 0:
            raise InvalidQuote(f"{at}/discounts", "must take off at most the price of the line")
    if pricing.segments or pricing.discounts:
        average = average_net(pricing, list_unit, quantity, periods)
        if net_unit != average:
            raise InvalidQuote(f"{at}/net_unit_price", f"must be {average:f}, the average of what the line is made of")


def _check_tiers(at: str, pricing: Pricing, list_unit: Decimal, quantity: Decimal) -> None:
    tiers = pricing.tiers
    if not tiers:
        return
    for index, tier in enumerate(tiers):
        number(f"{at}/list_tiers/{index}/from_quantity", tier.from_quantity)
        number(f"{at}/list_tiers/{index}/unit_price", tier.unit_price)
    if len({tier.from_quantity for tier in tiers}) < len(tiers):
        raise InvalidQuote(f"{at}/list_tiers", "must have one price for each from_quantity")
    for asked in (quantity, *(segment.quantity for segment in pricing.segments)):
        if tier_price(tiers, asked) is None:
            raise InvalidQuote(f"{at}/list_tiers", f"must have a tier for the quantity {asked:f}")
    if list_unit != tier_price(tiers, quantity):
        raise InvalidQuote(f"{at}/list_unit_price", f"must be the price of the tier for the quantity {quantity:f}")


def _check_segments(at: str, pricing: Pricing, periods: int) -> None:
    if pricing.discounts:
        raise InvalidQuote(f"{at}/discounts", "must not stand beside segments: a ramp has its prices in its segments")
    if pricing.free_periods:
        raise InvalidQuote(f"{at}/free_periods", "must not stand beside segments; a free stretch is a segment at 0.00")
    for index, segment in enumerate(pricing.segments):
        whole(f"{at}/segments/{index}/periods", segment.periods, 1, 10_000)
        number(f"{at}/segments/{index}/quantity", segment.quantity)
        if not segment.quantity:
            raise InvalidQuote(f"{at}/segments/{index}/quantity", "must be more than zero")
        number(f"{at}/segments/{index}/net_unit_price", segment.net_unit_price)
    if sum(segment.periods for segment in pricing.segments) != periods:
        raise InvalidQuote(f"{at}/segments", f"must cover the {periods} periods of the line exactly")


def _check_discounts(at: str, discounts: tuple[Discount, ...]) -> None:
    for index, discount in enumerate(discounts):
        here = f"{at}/discounts/{index}"
        member(f"{here}/layer", discount.layer, Layer)
        if (discount.percent is None) == (discount.amount is None):
            raise InvalidQuote(here, "must have a percent or an amount, not both and not neither")
        by_amount = discount.percent is None
        number(f"{here}/amount" if by_amount else f"{here}/percent", discount.amount if by_amount else discount.percent)
        if discount.percent is not None and discount.percent > 100:
            raise InvalidQuote(f"{here}/percent", "must be from 0 to 100")
    if discounts != in_order(discounts):
        raise InvalidQuote(f"{at}/discounts", "must be in the order of the waterfall")
