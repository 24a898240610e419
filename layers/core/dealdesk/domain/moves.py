"""What may be changed about a quote, one lever at a time, and the terms after such changes."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from dealdesk.domain import facts as slot
from dealdesk.domain.decision import FxRate
from dealdesk.domain.measures import WHOLE, Priced, Terms, contract_value, converted, priced
from dealdesk.domain.money import EXACT, to_minor
from dealdesk.domain.shapes import multiplied, raised

CAP, DAYS, TERM, BILLING, VALUE = (
    "max_line_discount_pct",
    "payment_days",
    "term_months",
    "billing",
    "total_contract_value",
)
_ONE = Decimal(1)
_STEPS_OF_GROWTH = 8  # each corrects what rounding hid at the size before
_OF_THE_CUSTOMER = {slot.RISK, slot.SEGMENT, slot.REGION, slot.NEW_LOGO, slot.CURRENCY, slot.SKU, slot.CHARGE}
_OF_THE_TERM = {slot.TERM_MONTHS, slot.COMMITTED_MONTHS}
_OF_THE_PRICE = {*range(slot.DISCOUNT, slot.MARGIN + 2), slot.CONTRACT_VALUE}
_UNMOVED = {
    TERM: _OF_THE_CUSTOMER | _OF_THE_PRICE | {slot.PAYMENT_DAYS, slot.BILLING},
    CAP: _OF_THE_CUSTOMER | _OF_THE_TERM | {slot.PAYMENT_DAYS, slot.BILLING},
    VALUE: _OF_THE_CUSTOMER | _OF_THE_TERM | {slot.PAYMENT_DAYS, slot.BILLING},
}
_MOVED_ALONE = {DAYS: slot.PAYMENT_DAYS, BILLING: slot.BILLING}


def moves_any(lever: str, slots: frozenset[int]) -> bool:
    """Whether the lever can change any of these facts."""
    return _MOVED_ALONE[lever] in slots if lever in _MOVED_ALONE else not slots <= _UNMOVED[lever]


class Move(NamedTuple):
    """One change: a lever, for a cap also the lines it holds for (None for all), and where to put it."""

    lever: str
    lines: tuple[str, ...] | None
    to: int | str


Moves = tuple[Move, ...]


def merged(moves: Moves, move: Move) -> Moves:
    """The moves with this one in its lever's place; two caps on the same lines keep the lower one."""
    kept = []
    for other in moves:
        if (other.lever, other.lines) != (move.lever, move.lines):
            kept.append(other)
        elif move.lever == CAP:
            move = move._replace(to=min(int(other.to), int(move.to)))
    return (*kept, move)


class Capped:
    """What was priced at a cap before: the same lines at the same cap are the same tuple.

    Lines are known by identity, so this keeps all that it has seen alive.
    """

    __slots__ = ("_groups", "_lines")

    def __init__(self) -> None:
        self._lines: dict[tuple[int, int], tuple[Priced, Priced]] = {}
        self._groups: dict[tuple[int, tuple[str, ...] | None, int], tuple[tuple[Priced, ...], tuple[Priced, ...]]] = {}

    def all(
        self, lines: tuple[Priced, ...], currency: str, ids: tuple[str, ...] | None, cap: int
    ) -> tuple[Priced, ...]:
        """The lines, those of `ids` (None for all) at a discount of no more than the cap."""
        known = self._groups.get((id(lines), ids, cap))
        if known is None:
            chosen, keep = None if ids is None else frozenset(ids), Decimal(WHOLE - cap).scaleb(-4)
            after = [self._one(x, currency, cap, keep) if chosen is None or x.id in chosen else x for x in lines]
            known = self._groups[id(lines), ids, cap] = lines, tuple(after)
        return known[1]

    def _one(self, line: Priced, currency: str, cap: int, keep: Decimal) -> Priced:
        known = self._lines.get((id(line), cap))
        if known is None:
            known = self._lines[id(line), cap] = line, _at_cap(line, currency, cap, keep)
        return known[1]


def apply_moves(terms: Terms, moves: Moves, currency: str, rate: FxRate | None, capped: Capped | None = None) -> Terms:
    """The terms after the moves; growth comes last, at the prices that the caps leave."""
    capped = capped or Capped()
    lines, days, months, billing = terms.lines, terms.payment_days, terms.term_months, terms.billing
    target: int | None = None
    for move in moves:
        match move.lever:
            case "max_line_discount_pct":
                lines = capped.all(lines, terms.currency, move.lines, int(move.to))
            case "payment_days":
                days = int(move.to)
            case "term_months":
                months = int(move.to)
            case "billing":
                billing = str(move.to)
            case _:
                target = int(move.to)
    after = Terms(
        currency=terms.currency,
        risk=terms.risk,
        payment_days=days,
        term_months=months,
        billing=billing,
        segment=terms.segment,
        region=terms.region,
        new_logo=terms.new_logo,
        lines=lines,
        opt_out_after_months=terms.opt_out_after_months,
    )
    return after if target is None else grown(after, target, currency, rate)


def _at_cap(line: Priced, currency: str, cap: int, keep: Decimal) -> Priced:
    id, sku, charge_type, listed, before, cost, list_minor, before_minor, cost_minor, ratio, shape = line
    if ratio is None and list_minor * (WHOLE - cap) < (before_minor - 1) * WHOLE:
        return line
    net = EXACT.multiply(listed, keep)
    if net <= before:
        return line
    net_minor = (2 * list_minor * (WHOLE - cap) + WHOLE) // (2 * WHOLE) if ratio is None else to_minor(net, currency)
    shape = None if shape is None else raised(line, shape, currency, net)
    return Priced(id, sku, charge_type, listed, net, cost, list_minor, net_minor, cost_minor, ratio, shape)


def grown(terms: Terms, target: int, currency: str, rate: FxRate | None) -> Terms:
    """More volume at the same prices, until the contract value reaches the target."""
    reached = contract_value(terms, currency, rate)
    if not reached or reached >= target:
        return terms
    wanted, factor = _ONE, 10**6  # millionths, so that the quantity stays a short number
    for slack in range(_STEPS_OF_GROWTH):
        factor = -(-factor * (target + slack) // max(reached or 0, 1))
        wanted = Decimal(factor).scaleb(-6)
        net = sum([to_minor(EXACT.multiply(line.net_exact, wanted), terms.currency) for line in terms.lines])
        reached = converted(net, terms, currency, rate)
        if reached is not None and reached >= target:
            break
    return terms._replace(lines=tuple([_multiplied(line, terms.currency, wanted) for line in terms.lines]))


def _multiplied(line: Priced, currency: str, factor: Decimal) -> Priced:
    cost = None if line.cost_exact is None else EXACT.multiply(line.cost_exact, factor)
    listed, net = EXACT.multiply(line.list_exact, factor), EXACT.multiply(line.net_exact, factor)
    more = priced(line.id, line.sku, line.charge_type, currency, listed, net, cost)
    return more if line.shape is None else more._replace(shape=multiplied(line, line.shape, currency, factor))
