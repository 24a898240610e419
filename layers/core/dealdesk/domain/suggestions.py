"""Thinks of the changes that could satisfy a violated rule; whether they help is judged elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dealdesk.domain import facts as slot
from dealdesk.domain.compiled import Breach
from dealdesk.domain.conditions import Compare, Condition, leaves
from dealdesk.domain.decision import FxRate
from dealdesk.domain.facts import FACTS, Unit
from dealdesk.domain.measures import WHOLE, Priced, Terms, margin
from dealdesk.domain.money import EXACT, to_major, to_minor
from dealdesk.domain.moves import BILLING, CAP, DAYS, TERM, VALUE, Move
from dealdesk.domain.policy import Policy
from dealdesk.domain.quote import Billing, ChargeType
from dealdesk.domain.rules import AllowedTable, LimitTable, Rule, Unknown

_MOST_DAYS, _MOST_MONTHS = 730, 600
_CHARGE_OF = {
    slot.RECURRING_DISCOUNT: ChargeType.RECURRING,
    slot.ONE_TIME_DISCOUNT: ChargeType.ONE_TIME,
    slot.USAGE_DISCOUNT: ChargeType.USAGE,
}


def asks_for_price(rule: Rule) -> bool:
    """Whether only a lower discount can satisfy the rule."""
    return isinstance(rule.test, LimitTable) and rule.test.fact.unit is Unit.PERCENT


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
            if breach.line is not None and (test.fact.slot, test.op) == (slot.DISCOUNT, "max"):
                # Each of these lines is beyond the limit, so that no higher cap on them would do.
                if 0 <= limit < WHOLE:
                    yield Move(CAP, ids, limit)
                return
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
    low = least
    total, held = _net_at(low, amounts)
    if total < target:
        return
    while low < WHOLE and held:
        # A basis point more costs at most what the lines that are held at this cap lose by it.
        further = min(low + max((total - target) // held, 1), WHOLE)
        net, holds = _net_at(further, amounts)
        if net < target:
            break
        low, total, held = further, net, holds
    low = low if held else WHOLE
    yield Move(CAP, ids, low)
    if low > least:
        yield Move(CAP, ids, low - 1)


def _net_at(cap: int, amounts: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """What the lines come to at a cap, and the list total of those that it holds."""
    keep, total, held = WHOLE - cap, 0, 0
    for listed, net in amounts:
        if (capped := listed * keep) > net:
            total += capped
            held += listed
        else:
            total += net
    return total, held


def _in_quote_currency(limit: int, terms: Terms, policy: Policy, rate: FxRate | None) -> int:
    if rate is None:
        return limit
    return to_minor(EXACT.divide(to_major(limit, policy.currency), rate.rate), terms.currency)
