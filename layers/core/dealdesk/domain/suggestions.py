"""Applies thought-of changes to terms, and thinks of the ones that could satisfy a violated rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from dealdesk.domain import facts as slot
from dealdesk.domain.compiled import Breach
from dealdesk.domain.conditions import Compare, Condition, leaves
from dealdesk.domain.decision import FxRate
from dealdesk.domain.facts import FACTS, Unit
from dealdesk.domain.measures import WHOLE, Priced, Terms, contract_value, converted, margin, priced
from dealdesk.domain.money import EXACT, to_major, to_minor
from dealdesk.domain.policy import Policy
from dealdesk.domain.quote import Billing, ChargeType
from dealdesk.domain.rules import AllowedTable, LimitTable, Rule, Unknown
from dealdesk.domain.shapes import Shape, multiplied, raised

CAP, DAYS, TERM, BILLING, VALUE = (
    "max_line_discount_pct",
    "payment_days",
    "term_months",
    "billing",
    "total_contract_value",
)
_MOST_DAYS, _MOST_MONTHS = 730, 600
_ONE = Decimal(1)
_STEPS_OF_GROWTH = 8  # each corrects what rounding hid at the size before
_CHARGE_OF = {
    slot.RECURRING_DISCOUNT: ChargeType.RECURRING,
    slot.ONE_TIME_DISCOUNT: ChargeType.ONE_TIME,
    slot.USAGE_DISCOUNT: ChargeType.USAGE,
}
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


def asks_for_price(rule: Rule) -> bool:
    """Whether only a lower discount can satisfy the rule."""
    return isinstance(rule.test, LimitTable) and rule.test.fact.unit is Unit.PERCENT


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


Capped = dict[tuple[int, int], Priced]
"""Lines at a cap that were priced before, by the identity of the line and the cap: both lines live as long as it."""


def apply_moves(
    terms: Terms, moves: Moves, currency: str, rate: FxRate | None, priced_before: Capped | None = None
) -> Terms:
    """The terms after the moves; growth comes last, at the prices that the caps leave."""
    known = {} if priced_before is None else priced_before
    lines, days, months, billing = terms.lines, terms.payment_days, terms.term_months, terms.billing
    target: int | None = None
    for move in moves:
        match move.lever:
            case "max_line_discount_pct":
                lines = _capped(lines, terms.currency, move.lines, int(move.to), known)
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


def _capped(
    lines: tuple[Priced, ...], currency: str, ids: tuple[str, ...] | None, cap: int, known: Capped
) -> tuple[Priced, ...]:
    chosen = None if ids is None else frozenset(ids)
    after = list(lines)
    for index, line in enumerate(lines):
        if chosen is None or line.id in chosen:
            if (capped := known.get((id(line), cap))) is None:
                capped = known[id(line), cap] = _at_cap(line, currency, cap)
            after[index] = capped
    return tuple(after)


def _at_cap(line: Priced, currency: str, cap: int) -> Priced:
    id, sku, charge_type, listed, before, cost, list_minor, before_minor, cost_minor, ratio, shape = line
    if ratio is None and list_minor * (WHOLE - cap) < (before_minor - 1) * WHOLE:
        return line
    net = EXACT.multiply(listed, Decimal(WHOLE - cap).scaleb(-4))
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
    shape = None if line.shape is None else multiplied(line, line.shape, currency, factor)
    return _repriced(line, currency, listed, net, cost, shape)


def _repriced(
    line: Priced, currency: str, listed: Decimal, net: Decimal, cost: Decimal | None, shape: Shape | None
) -> Priced:
    plain = priced(line.id, line.sku, line.charge_type, currency, listed, net, cost)
    return plain if shape is None else plain._replace(shape=shape)


def moves_for(
    breach: Breach, together: Sequence[Breach], terms: Terms, policy: Policy, rate: FxRate | None
) -> Iterator[Move]:
    """Changes that could satisfy the rule, likeliest first; `together` are its breaches on all lines."""
    places = breach.group or [other.line for other in together if other.line is not None]
    ids = tuple(terms.lines[place].id for place in places) or None
    test = breach.rule.test
    if breach.group and isinstance(test, LimitTable) and test.fact.slot == slot.MARGIN and test.op == "min":
        yield from _raising_margin([_chosen(terms, ids)], test.rows[breach.row].limit, ids)
        return
    match test:
        case LimitTable():
            limit = test.rows[breach.row].limit
            yield from _towards(test.fact.slot, limit, test.op, ids, terms, policy, rate)
        case AllowedTable():
            if test.fact.slot == slot.BILLING:
                yield from (Move(BILLING, None, str(value)) for value in test.rows[breach.row].values)
        case Unknown():
            return
        case condition:
            yield from _around(condition, ids, terms, policy, rate)


def _around(
    condition: Condition, ids: tuple[str, ...] | None, terms: Terms, policy: Policy, rate: FxRate | None
) -> Iterator[Move]:
    for leaf in leaves(condition):
        if leaf.fact is FACTS["billing"]:
            yield from (Move(BILLING, None, value.value) for value in Billing)
        elif isinstance(leaf, Compare) and isinstance(leaf.value, int):
            if leaf.fact.slot in (slot.PAYMENT_DAYS, slot.TERM_MONTHS):
                for value in _other_side(_now(leaf, terms), leaf.op, leaf.value):
                    yield from _towards(leaf.fact.slot, value, "", ids, terms, policy, rate)
            else:
                rising = leaf.fact.slot in (slot.MARGIN, slot.CONTRACT_VALUE)
                beyond = leaf.value + (1 if rising else -1)
                for value in (leaf.value, beyond) if leaf.op in (">", "<") else (beyond, leaf.value):
                    yield from _towards(leaf.fact.slot, value, "min" if rising else "max", ids, terms, policy, rate)


def _now(leaf: Compare, terms: Terms) -> int:
    """What the comparison reads of days or months: a term is long enough by what is committed of it."""
    if leaf.fact.slot == slot.PAYMENT_DAYS:
        return terms.payment_days
    if leaf.op in ("<", ">=") and terms.opt_out_after_months is not None:
        return min(terms.term_months, terms.opt_out_after_months)
    return terms.term_months


def _other_side(now: int, op: str, value: int) -> tuple[int, ...]:
    """The nearest figures at which the comparison answers differently from now."""
    if op in ("==", "!="):
        return (value - 1, value + 1) if now == value else (value,)
    first = value if op in ("<", ">=") else value + 1  # of those on the upper side
    return (first,) if now < first else (first - 1,)


def _towards(
    at: int,
    limit: int,
    op: str,
    ids: tuple[str, ...] | None,
    terms: Terms,
    policy: Policy,
    rate: FxRate | None,
) -> Iterator[Move]:
    """Moves that bring one fact to a limit."""
    if at == slot.PAYMENT_DAYS and 0 <= limit <= _MOST_DAYS:
        yield Move(DAYS, None, limit)
    elif at == slot.TERM_MONTHS and 1 <= limit <= _MOST_MONTHS:
        yield Move(TERM, None, limit)
    elif at == slot.CONTRACT_VALUE and op == "min":
        wanted = _in_quote_currency(limit, terms, policy, rate)
        yield from _caps_reaching(terms.lines, wanted * WHOLE, 0, None)
        if all(line.shape is None or line.shape.scales for line in terms.lines):
            yield Move(VALUE, None, limit)
    elif at == slot.MARGIN and op == "min" and limit < WHOLE:
        chosen = _chosen(terms, ids)
        yield from _raising_margin([chosen] if ids is None else [(line,) for line in chosen], limit, ids)
    elif at == slot.DISCRETIONARY and op == "max" and 0 <= limit < WHOLE:
        chosen = _chosen(terms, ids)
        base = sum([line.list_minor if line.shape is None else line.shape.base.list_minor for line in chosen])
        yield from _caps_reaching(chosen, base * (WHOLE - limit), 0, ids)
    elif at <= slot.USAGE_DISCOUNT and op == "max" and 0 <= limit < WHOLE:
        if at in _CHARGE_OF:
            ids = tuple(line.id for line in terms.lines if line.charge_type is _CHARGE_OF[at])
            ids = None if len(ids) == len(terms.lines) else ids
        chosen = _chosen(terms, ids)
        listed = sum([line.list_minor for line in chosen])
        yield from _caps_reaching(chosen, listed * (WHOLE - limit), limit, ids)
        yield Move(CAP, ids, limit)


def _raising_margin(groups: Sequence[Sequence[Priced]], limit: int, ids: tuple[str, ...] | None) -> Iterator[Move]:
    """Caps for the margin of the lines of each group together."""
    caps: list[int] = []
    for group in groups:
        if margin(group) is None:
            return
        cost = sum([line.cost_minor or 0 for line in group])
        reaching = list(_caps_reaching(group, -(-cost * WHOLE * WHOLE // (WHOLE - limit)), 0, ids))
        if not reaching:
            return
        caps.append(int(reaching[0].to))
    yield Move(CAP, ids, min(caps))
    if min(caps) > 0:
        yield Move(CAP, ids, min(caps) - 1)


def _chosen(terms: Terms, ids: tuple[str, ...] | None) -> tuple[Priced, ...]:
    if ids is None:
        return terms.lines
    wanted = frozenset(ids)
    return tuple(line for line in terms.lines if line.id in wanted)


def _caps_reaching(lines: Sequence[Priced], target: int, least: int, ids: tuple[str, ...] | None) -> Iterator[Move]:
    """The highest cap on the lines' discounts that brings their net total to the target, if any does.

    The target is in 10,000ths of a minor unit: what rounding does to a small quote must not decide a cap.
    """

    amounts = [(line.list_minor, line.net_minor * WHOLE) for line in lines]

    def net_at(cap: int) -> int:
        return sum([max(net, listed * (WHOLE - cap)) for listed, net in amounts])

    if net_at(least) < target:
        return
    low = least
    while low < WHOLE and net_at(low + 1) >= target:
        # Higher caps lose at most what the lines that this one holds lose: so far the target is surely reached.
        held = sum([listed for listed, net in amounts if listed * (WHOLE - low - 1) > net])
        low = min(low + 1 + (net_at(low + 1) - target) // held, WHOLE) if held else WHOLE
    yield Move(CAP, ids, low)
    if low > least:
        yield Move(CAP, ids, low - 1)


def _in_quote_currency(limit: int, terms: Terms, policy: Policy, rate: FxRate | None) -> int:
    if rate is None:
        return limit
    return to_minor(EXACT.divide(to_major(limit, policy.currency), rate.rate), terms.currency)
