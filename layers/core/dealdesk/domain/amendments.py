"""What a quote changes of a contract that runs: judged on what results, with the discount on what is added beside it.

The quote's own lines are the state after the change; an item that ends is left out of them, and a swap is one item
less and another one more. Nothing is ever netted: what is taken away cannot pay for a discount on what is added.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from dealdesk.domain.checks import InvalidQuote, number, text
from dealdesk.domain.money import EXACT

MAX_TODAY = 500


@dataclass(frozen=True, slots=True, repr=False)
class LineToday:
    """An item as the customer has it today; prices per quantity and period, as in the quote's line of the same id."""

    id: str
    sku: str
    quantity: Decimal
    net_unit_price: Decimal


@dataclass(frozen=True, slots=True, repr=False)
class Amends:
    """The contract that is amended or renewed, by its reference, and its items as they are today.

    After a ramp today's price is that of its last segment: a renewal starts from the exit price.
    """

    reference: str
    lines: tuple[LineToday, ...]


def check_amends(amends: Amends) -> None:
    """Raises `InvalidQuote`: items today are as positive as items of a quote."""
    text("/amends/reference", amends.reference, 128)
    if not isinstance(amends.lines, tuple) or not 1 <= len(amends.lines) <= MAX_TODAY:
        raise InvalidQuote("/amends/lines", f"must hold 1 to {MAX_TODAY} lines")
    for index, line in enumerate(amends.lines):
        at = f"/amends/lines/{index}"
        text(f"{at}/id", line.id, 64)
        text(f"{at}/sku", line.sku, 128)
        number(f"{at}/quantity", line.quantity)
        if not line.quantity:
            raise InvalidQuote(f"{at}/quantity", "must be more than zero")
        number(f"{at}/net_unit_price", line.net_unit_price)
    if len({line.id for line in amends.lines}) < len(amends.lines):
        raise InvalidQuote("/amends/lines", "must have an id each")


def added(
    amends: Amends, line_id: str, sku: str, list_exact: Decimal, net_exact: Decimal, volume: Decimal, quantity: Decimal
) -> tuple[Decimal, Decimal] | None:
    """What the line adds to today, (at list, net); None when it adds nothing.

    The part that the customer has already stays at what they pay for it, so a lower price for the whole line counts
    as a discount on what is added. Another item under the same id is new in full.
    """
    today = next((x for x in amends.lines if (x.id, x.sku) == (line_id, sku)), None)
    if today is None:
        return list_exact, net_exact
    if quantity <= today.quantity:
        return None
    kept = EXACT.divide(EXACT.multiply(volume, today.quantity), quantity)
    listed = EXACT.divide(EXACT.multiply(list_exact, EXACT.subtract(quantity, today.quantity)), quantity)
    return listed, EXACT.subtract(net_exact, EXACT.multiply(kept, today.net_unit_price))
