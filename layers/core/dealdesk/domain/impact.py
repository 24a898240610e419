"""What a draft would have decided about deals as they were: what changes, by which rules, for how much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from dealdesk.domain.decision import Decision, FxRate, Outcome
from dealdesk.domain.guardrails import evaluate
from dealdesk.domain.policy import Policy
from dealdesk.domain.quote import Quote

MOST_FLIPS = 100
CAUTION = "History does not show how sellers adapt: with other limits they would have quoted other terms."


@dataclass(frozen=True, slots=True)
class Case:
    """A deal as it was recorded: the raw inputs, and what was decided about them."""

    deal_id: str
    quote: Quote
    decision: Decision


@dataclass(frozen=True, slots=True)
class Flip:
    """A deal that the draft decides otherwise."""

    deal_id: str
    name: str
    before: Decision
    after: Decision


@dataclass(frozen=True, slots=True)
class Moved:
    """How many deals went from one outcome to another, and their value in the draft's currency where it is known."""

    before: Outcome
    after: Outcome
    deals: int
    total_contract_value: Decimal


@dataclass(frozen=True, slots=True)
class Impact:
    """`gained` and `lost` count, by rule, the deals that it newly concerns and those that it no longer does."""

    deals: int
    moved: tuple[Moved, ...]
    gained: Mapping[str, int]
    lost: Mapping[str, int]
    flips: tuple[Flip, ...]


def impact_of(draft: Policy, cases: Iterable[Case], rates: Mapping[str, FxRate]) -> Impact:
    """Judges every case by the draft, at the rate that was recorded with it and else at one of `rates`.

    A rate that was recorded into another currency than the draft's says nothing here.
    """
    moved: dict[tuple[Outcome, Outcome], list[Decimal]] = {}
    gained: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    flips: list[Flip] = []
    for case in cases:
        before = case.decision
        recorded = {} if before.fx is None or before.fx.into != draft.currency else {before.fx.currency: before.fx}
        after = evaluate(case.quote, draft, {**rates, **recorded})
        moved.setdefault((before.outcome, after.outcome), []).append(_value(after))
        old, new = _rules(before), _rules(after)
        gained.update(new - old)
        lost.update(old - new)
        if after.outcome is not before.outcome and len(flips) < MOST_FLIPS:
            flips.append(Flip(case.deal_id, case.quote.name, before, after))
    return Impact(
        deals=sum(map(len, moved.values())),
        moved=tuple(Moved(*outcomes, len(values), sum(values, Decimal(0))) for outcomes, values in moved.items()),
        gained=dict(gained),
        lost=dict(lost),
        flips=tuple(flips),
    )


def _rules(decision: Decision) -> set[str]:
    return {violation.rule for violation in decision.violations}


def _value(decision: Decision) -> Decimal:
    return Decimal(dict(decision.facts).get("total_contract_value", "0"))
