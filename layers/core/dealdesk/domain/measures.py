"""Turns a quote into the figures that rules read: discounts, margin, contract value, terms.

A discount is the smallest limit, in whole basis points, that the prices satisfy. They satisfy a limit when
the exact fraction does, or when the net total is no lower than the sum of the lines rounded at that limit:
20% off 99,999.99 is 79,999.99, and the half cent that rounding took is not a concession.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from dealdesk.domain import facts as slot
from dealdesk.domain.amendments import Amends
from dealdesk.domain.decision import FxRate
from dealdesk.domain.facts import SLOTS, Facts
from dealdesk.domain.money import EXACT, minor_units, to_major, to_minor
from dealdesk.domain.quote import ChargeType, Line, Quote

if TYPE_CHECKING:
    from dealdesk.domain.shapes import Shape

WHOLE = 10_000  # basis points in 100%
UNKNOWN = (None, None)

# Named tuples where only the domain itself looks: a frozen dataclass adds a millisecond to every cold start.


class Priced(NamedTuple):
    """A line in money: exact amounts, and the same rounded to minor units.

    `list_ratio` is the exact list amount in minor units, where it is not a whole number of them.
    """

    id: str
    sku: str
    charge_type: ChargeType
    list_exact: Decimal
    net_exact: Decimal
    cost_exact: Decimal | None
    list_minor: int
    net_minor: int
    cost_minor: int | None
    list_ratio: tuple[int, int] | None
    shape: Shape | None = None


class Terms(NamedTuple):
    """All that a policy may judge of a quote, lines in the order of their ids."""

    currency: str
    risk: str
    payment_days: int
    term_months: int
    billing: str
    segment: str | None
    region: str | None
    new_logo: bool | None
    lines: tuple[Priced, ...]
    opt_out_after_months: int | None = None


def terms_of(quote: Quote) -> Terms:
    """Reads the raw inputs once."""
    read = _read if quote.amends is None else partial(_read, amends=quote.amends)
    return Terms(
        currency=quote.currency,
        risk=quote.risk.value,
        payment_days=quote.payment_terms_days,
        term_months=quote.term_months,
        billing=quote.billing.value,
        segment=quote.segment,
        region=quote.region,
        new_logo=quote.new_logo,
        lines=tuple(read(line, quote.currency) for line in sorted(quote.lines, key=lambda line: line.id)),
        opt_out_after_months=quote.opt_out_after_months,
    )


def _read(line: Line, currency: str, amends: Amends | None = None) -> Priced:
    volume = line.volume
    cost = None if line.unit_cost is None else EXACT.multiply(line.unit_cost, volume)
    if line.pricing is None and amends is None:
        listed, net = EXACT.multiply(line.list_unit_price, volume), EXACT.multiply(line.net_unit_price, volume)
        return priced(line.id, line.sku, line.charge_type, currency, listed, net, cost)
    from dealdesk.domain.shapes import shape_of  # it builds on this module

    whole = priced(line.id, line.sku, line.charge_type, currency, line.list_exact, line.net_exact, cost)
    return whole._replace(shape=shape_of(line, whole, currency, amends))


def priced(
    line_id: str,
    sku: str,
    charge_type: ChargeType,
    currency: str,
    list_exact: Decimal,
    net_exact: Decimal,
    cost_exact: Decimal | None,
) -> Priced:
    """A line with its amounts rounded once."""
    list_minor = to_minor(list_exact, currency)
    scaled = list_exact.scaleb(minor_units(currency), EXACT)
    return Priced(
        line_id,
        sku,
        charge_type,
        list_exact,
        net_exact,
        cost_exact,
        list_minor,
        to_minor(net_exact, currency),
        None if cost_exact is None else to_minor(cost_exact, currency),
        None if scaled == list_minor else scaled.as_integer_ratio(),
    )


def discount(lines: Sequence[Priced]) -> tuple[int, int] | None:
    """The discount of these lines together, (rounded up, rounded down); None without a list price."""
    return _discount(lines, sum([line.list_minor for line in lines]), sum([line.net_minor for line in lines]))


def _discount(
    lines: Sequence[Priced], listed: int, net: int, only: ChargeType | None = None, count: int = 0
) -> tuple[int, int] | None:
    """From the totals of the lines; of those with one charge type, where `only` one is asked for, and their count."""
    if listed == 0:
        return None
    given = WHOLE * (listed - net)
    down, rest = divmod(given, listed)
    up = down + 1 if rest else down
    # Rounding explains at most one minor unit a line: half of the list amount, half of the net amount.
    explained = WHOLE * (count or len(lines))
    if up > 0 and (rest or listed) <= explained:
        chosen = lines if only is None else [line for line in lines if line.charge_type is only]
        up = _explained_by_rounding(chosen, net, max(-((explained - given) // listed), 0), up)
    return up, down if down < up else up


def _explained_by_rounding(lines: Sequence[Priced], net: int, low: int, high: int) -> int:
    """The smallest discount from `low` to `high` at which the lines would come to no more than this."""
    middle = high - 1  # mostly nothing is explained, and one look tells
    while low < high:
        if net >= sum([rounded_at(line, middle) for line in lines]):
            high = middle
        else:
            low = middle + 1
        middle = (low + high) // 2
    return high


def rounded_at(line: Priced, limit_bps: int) -> int:
    """What the line comes to in minor units at exactly this discount."""
    keep = WHOLE - limit_bps
    amount = (line.list_minor * keep * 2 + WHOLE) // (2 * WHOLE)
    if line.list_ratio is None:
        return amount
    numerator, denominator = line.list_ratio
    return min(amount, (numerator * keep * 2 + denominator * WHOLE) // (2 * denominator * WHOLE))


def margin(lines: Sequence[Priced]) -> tuple[int, int] | None:
    """The margin on the net price, (rounded up, rounded down); None unless every line says what it costs.

    What is given away for nothing counts as sold for one minor unit, so that a margin floor still sees it.
    """
    return _margin(lines, sum([line.net_minor for line in lines]))


def _margin(lines: Sequence[Priced], net: int) -> tuple[int, int] | None:
    costs = [line.cost_minor for line in lines]
    if None in costs:
        return None
    return _margin_on(sum(costs), net)  # type: ignore[arg-type]


def _margin_on(cost: int, net: int) -> tuple[int, int] | None:
    if net == 0 and cost == 0:
        return None
    net = max(net, 1)
    down, rest = divmod(WHOLE * (net - cost), net)
    return (down + 1 if rest else down), down


def contract_value(terms: Terms, currency: str, rate: FxRate | None) -> int | None:
    """The net total in the policy's currency, rounded once more; None when the rate is missing."""
    return converted(sum([line.net_minor for line in terms.lines]), terms, currency, rate)


def converted(net: int, terms: Terms, currency: str, rate: FxRate | None) -> int | None:
    """An amount of the quote in the policy's currency, rounded once more; None when the rate is missing."""
    if terms.currency == currency:
        return net
    if rate is None:
        return None
    return to_minor(EXACT.multiply(to_major(net, terms.currency), rate.rate), currency)


def deal_facts(terms: Terms, currency: str, rate: FxRate | None) -> Facts:
    """The figures of the whole deal, by slot."""
    found: Facts = [None] * SLOTS
    lines = terms.lines
    totals = _totals(lines)
    net = totals[0][1] + totals[1][1] + totals[2][1]
    together = _discount(lines, totals[0][0] + totals[1][0] + totals[2][0], net) or UNKNOWN
    found[slot.DISCOUNT], found[slot.DISCOUNT + 1] = together
    for (at, charge_type), (listed, charged, count) in zip(_BY_CHARGE, totals, strict=True):
        if count == len(lines):
            found[at], found[at + 1] = together
        elif count:
            found[at], found[at + 1] = _discount(lines, listed, charged, charge_type, count) or UNKNOWN
    found[slot.MARGIN], found[slot.MARGIN + 1] = _margin(lines, net) or UNKNOWN
    found[slot.CONTRACT_VALUE] = converted(net, terms, currency, rate)
    found[slot.RISK] = terms.risk
    found[slot.SEGMENT] = terms.segment
    found[slot.REGION] = terms.region
    found[slot.NEW_LOGO] = terms.new_logo
    found[slot.CURRENCY] = terms.currency
    return _at_terms(found, terms)


def _totals(lines: Sequence[Priced]) -> tuple[tuple[int, int, int], ...]:
    """List total, net total and count of the lines of each charge type, in one pass over a quote."""
    r_listed = r_net = r_count = o_listed = o_net = o_count = u_listed = u_net = u_count = 0
    for _, _, charge_type, _, _, _, listed, net, _, _, _ in lines:
        if charge_type is _RECURRING:
            r_listed, r_net, r_count = r_listed + listed, r_net + net, r_count + 1
        elif charge_type is _ONE_TIME:
            o_listed, o_net, o_count = o_listed + listed, o_net + net, o_count + 1
        else:
            u_listed, u_net, u_count = u_listed + listed, u_net + net, u_count + 1
    return (r_listed, r_net, r_count), (o_listed, o_net, o_count), (u_listed, u_net, u_count)


def deal_facts_at(terms: Terms, like: Facts) -> Facts:
    """The figures of a deal with the same lines on other terms of payment or another term."""
    return _at_terms(like.copy(), terms)


def _at_terms(found: Facts, terms: Terms) -> Facts:
    months, opt_out = terms.term_months, terms.opt_out_after_months
    found[slot.PAYMENT_DAYS] = terms.payment_days
    found[slot.TERM_MONTHS] = months
    found[slot.COMMITTED_MONTHS] = months if opt_out is None else min(months, opt_out)
    found[slot.BILLING] = terms.billing
    return found


_RECURRING, _ONE_TIME = ChargeType.RECURRING, ChargeType.ONE_TIME
_BY_CHARGE = (
    (slot.RECURRING_DISCOUNT, _RECURRING),
    (slot.ONE_TIME_DISCOUNT, _ONE_TIME),
    (slot.USAGE_DISCOUNT, ChargeType.USAGE),
)


def line_facts(deal: Facts, line: Priced) -> Facts:
    """The deal's figures as one line sees them: discount and margin are the line's own."""
    found = deal.copy()
    _, sku, charge_type, _, _, _, listed, net, cost, _, _ = line
    found[slot.DISCOUNT], found[slot.DISCOUNT + 1] = _discount((line,), listed, net) or UNKNOWN
    found[slot.MARGIN], found[slot.MARGIN + 1] = UNKNOWN if cost is None else _margin_on(cost, net) or UNKNOWN
    found[slot.SKU] = sku
    found[slot.CHARGE] = str(charge_type)
    return found
