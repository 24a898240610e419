"""What a move changes, as people read it: from what the quote says now to what it should say."""

from __future__ import annotations

from dealdesk.domain.decision import Change
from dealdesk.domain.facts import FACTS, Unit, plain
from dealdesk.domain.judging import Judged
from dealdesk.domain.measures import discount
from dealdesk.domain.money import format_scaled
from dealdesk.domain.moves import BILLING, CAP, Move


class Changes:
    """Moves as the changes that a decision carries, measured from the quote as it stands."""

    def __init__(self, standing: Judged, currency: str) -> None:
        self._terms, self._deal = standing.terms, standing.verdict.deal
        self._currency = currency
        self._discounts: dict[str, int] = {}
        self._highest: dict[tuple[str, ...] | None, str] = {}

    def distance(self, move: Move) -> int:
        """How much a move changes; moves of one lever on the same lines compare."""
        match move.lever:
            case "max_line_discount_pct":
                return -int(move.to)
            case "payment_days":
                return abs(self._terms.payment_days - int(move.to))
            case "term_months":
                return abs(self._terms.term_months - int(move.to))
            case "billing":
                order = FACTS[BILLING].values
                return abs(order.index(str(move.to)) - order.index(self._terms.billing))
            case _:
                return int(move.to)

    def of(self, move: Move) -> Change:
        """From what stands in the quote to where the move puts it."""
        if move.lever == CAP:
            before = self._highest_discount(move.lines)
            return Change(move.lever, before, format_scaled(int(move.to), 2), "%", move.lines)
        now = self._deal[FACTS[move.lever].slot]
        assert now is not None, "a missing rate ends the search before it begins"
        fact, currency = FACTS[move.lever], self._currency
        unit = currency if fact.unit is Unit.MONEY else "" if fact.unit is Unit.TEXT else fact.unit.value
        return Change(move.lever, plain(fact, now, currency), plain(fact, move.to, currency), unit)

    def _highest_discount(self, ids: tuple[str, ...] | None) -> str:
        """Of these lines (None for all) as the quote stands, in percent."""
        if not self._discounts:
            self._discounts = {x.id: found[0] for x in self._terms.lines if (found := discount((x,))) is not None}
        if ids not in self._highest:
            discounts = self._discounts
            chosen = discounts.values() if ids is None else [discounts[id] for id in ids if id in discounts]
            self._highest[ids] = format_scaled(max(chosen), 2)
        return self._highest[ids]
