"""How a line's price comes down: price-book tiers give the list price, then discounts follow in one fixed order.

The order is contracted, volume, promo, partner, discretionary, credit, whatever order they are sent in; within a layer
percentages come before amounts. Percentages multiply (10% and then 20% is 28%), and once an amount is among them the
order decides, so nobody may choose it. Prices of an approved price-book tier are list prices and count as no discount.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from dealdesk.domain.money import EXACT

_HUNDRED = Decimal(100)


class Layer(StrEnum):
    """Why a discount is given, in the order in which the price comes down."""

    CONTRACTED = "contracted"
    VOLUME = "volume"
    PROMO = "promo"
    PARTNER = "partner"
    DISCRETIONARY = "discretionary"
    CREDIT = "credit"


ORDER = tuple(Layer)
GIVEN_BY_THE_REP = frozenset({Layer.DISCRETIONARY, Layer.CREDIT})


@dataclass(frozen=True, slots=True, repr=False)
class Discount:
    """A percentage off what the layers before it left, or an amount off the whole line, in major units."""

    layer: Layer
    percent: Decimal | None = None
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Tier:
    """The list price of every unit once the quantity reaches `from_quantity`."""

    from_quantity: Decimal
    unit_price: Decimal


def in_order(discounts: Sequence[Discount]) -> tuple[Discount, ...]:
    """The one order in which these discounts are taken off."""
    return tuple(sorted(discounts, key=_place))


def _place(discount: Discount) -> tuple[int, bool, Decimal]:
    by_amount = discount.amount is not None
    figure = discount.amount if by_amount else discount.percent
    return ORDER.index(discount.layer), by_amount, figure or Decimal(0)


def taken_off(price: Decimal, discounts: Sequence[Discount]) -> Decimal:
    """What is left of a line's price, exact; below zero when the amounts are more than the line."""
    for discount in discounts:
        if discount.amount is not None:
            price = EXACT.subtract(price, discount.amount)
        elif discount.percent is not None:
            kept = EXACT.subtract(_HUNDRED, discount.percent)
            price = EXACT.multiply(price, kept.scaleb(-2, EXACT))
    return price


def before_the_rep(price: Decimal, discounts: Sequence[Discount]) -> Decimal:
    """What contract, volume, promotion and partner leave: the price that the rep's own discount is measured on."""
    return taken_off(price, [discount for discount in discounts if discount.layer not in GIVEN_BY_THE_REP])


def tier_price(tiers: Sequence[Tier], quantity: Decimal) -> Decimal | None:
    """The list price for this quantity; None below the lowest tier."""
    reached = [tier for tier in tiers if tier.from_quantity <= quantity]
    return max(reached, key=lambda tier: tier.from_quantity).unit_price if reached else None
