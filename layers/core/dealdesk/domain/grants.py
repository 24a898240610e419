"""Which approvals survive an edit: those whose approver would see nothing worse than what they granted.

A new quote is always compared with the limits that the approver granted, never with a value that was carried over
since: neither a ratchet upwards nor a slide downwards can come from many small edits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from dealdesk.domain.deal import Deal
from dealdesk.domain.decision import Decision, FxRate, Outcome, Violation
from dealdesk.domain.events import Condition, Grant, Limit, Scope
from dealdesk.domain.guardrails import evaluate
from dealdesk.domain.policy import Policy
from dealdesk.domain.pricing import Pricing
from dealdesk.domain.quote import Billing, Line, Quote

# From the seller's best to the worst.
BILLING_ORDER = (Billing.UPFRONT, Billing.ANNUAL, Billing.QUARTERLY, Billing.MONTHLY)

WORDS = {"max": "at most", "min": "at least", "same": "exactly"}

# A change of any of these cannot be called better or worse: the approver has to look again.
INCOMPARABLE = (
    "customer",
    "currency",
    "risk",
    "segment",
    "region",
    "new_logo",
    "payment_terms",
    "starts_on",
    "amends",
)


def limits_of(decision: Decision, step: str) -> tuple[Limit, ...]:
    """The limits that the approver of `step` accepts by granting the terms as they are."""
    return tuple(_limit(violation) for violation in _asked_of(step, decision))


def scope_of(quote: Quote) -> Scope:
    skus = tuple(sorted({line.sku for line in quote.lines}))
    return Scope(quote.customer.id, quote.currency, quote.list_total.amount_minor, skus)


def survives(
    grant: Grant, before: Quote, after: Quote, decision: Decision, policy: Policy, fx: Mapping[str, FxRate]
) -> bool:
    """Whether a grant that covered `before` still covers `after`, which was judged as `decision`."""
    asked = _asked_of(grant.step, decision)
    return (
        _comparable(before, after)
        and after.list_total.amount_minor <= grant.scope.list_total_minor
        and _knows_every_item(grant.scope, after, policy, fx)
        and all(_within(violation, grant.limits) for violation in asked)
    )


def _asked_of(step: str, decision: Decision) -> list[Violation]:
    """What the approver of the step is asked to accept, also for the steps that this one covers."""
    steps = {step, *(covered for covered, by in decision.covered if by == step)}
    return [violation for violation in decision.violations if violation.step in steps]


def lies_inside(copy: Decision, quote: Quote, original: Deal, policy: Policy, fx: Mapping[str, FxRate]) -> bool:
    """Whether everybody who would be asked about a copied quote has granted the original no better terms.

    Information only: a copy has no certificate, and is asked about like any other quote.
    """
    if original.certificate is None or original.quote is None or copy.outcome is not Outcome.NEEDS_APPROVAL:
        return False
    grants = original.certificate.grants
    return all(
        any(grant.step == step and survives(grant, original.quote, quote, copy, policy, fx) for grant in grants)
        for step in copy.required_steps
    )


def unmet(grants: tuple[Grant, ...], decision: Decision) -> tuple[str, ...]:
    """The conditions that the terms do not meet yet, in plain words."""
    facts = dict(decision.facts)
    return tuple(
        f"{condition.fact} {WORDS[condition.op]} {condition.value} (asked by {grant.step})"
        for grant in grants
        for condition in grant.conditions
        if not _meets(facts.get(condition.fact), condition)
    )


def _meets(actual: str | None, condition: Condition) -> bool:
    if actual is None:
        return False
    if condition.op == "same":
        return actual == condition.value
    found, wanted = Decimal(actual), Decimal(condition.value)
    return found <= wanted if condition.op == "max" else found >= wanted


def _comparable(before: Quote, after: Quote) -> bool:
    if any(getattr(before, field) != getattr(after, field) for field in INCOMPARABLE):
        return False
    if BILLING_ORDER.index(after.billing) > BILLING_ORDER.index(before.billing):
        return False
    if after.term_months < before.term_months or after.committed_months < before.committed_months:
        return False
    kept = {line.id: line for line in before.lines}
    return all(_comparable_line(kept[line.id], line) for line in after.lines if line.id in kept)


def _comparable_line(before: Line, after: Line) -> bool:
    """A ramp compares by its stretches, and only with one of the same shape; tiers compare with nothing but themselves.

    What a stack of discounts or an amount off comes to is in the figures of the whole, which the limits compare.
    """
    if before.charge_type != after.charge_type:
        return False
    old, new = before.pricing or Pricing(), after.pricing or Pricing()
    shape = [(x.periods, x.quantity) for x in old.segments] == [(x.periods, x.quantity) for x in new.segments]
    if not shape or old.tiers != new.tiers or new.free_periods > old.free_periods:
        return False
    prices = zip(old.segments, new.segments, strict=True)
    return all(newer.net_unit_price >= older.net_unit_price for older, newer in prices)


def _knows_every_item(scope: Scope, after: Quote, policy: Policy, fx: Mapping[str, FxRate]) -> bool:
    """A product that the approver did not see is fine only when it would pass the policy alone."""
    new = tuple(line for line in after.lines if line.sku not in scope.skus)
    return not new or all(evaluate(_alone(after, line), policy, fx).outcome is Outcome.AUTO_APPROVE for line in new)


def _alone(quote: Quote, line: Line) -> Quote:
    """The quote with this line only, which keeps its share of the quote's amount off."""
    share = line.pricing.off if line.pricing else None
    return replace(quote, lines=(line,), amount_off=share or None)


def _within(violation: Violation, limits: tuple[Limit, ...]) -> bool:
    granted = next((g for g in limits if (g.rule, g.line, g.group, g.fact) == _dimension(violation)), None)
    if granted is None:
        return False
    if granted.op == "same":
        return violation.actual == granted.value
    actual, limit = Decimal(violation.actual), Decimal(granted.value)
    return actual <= limit if granted.op == "max" else actual >= limit


def _limit(violation: Violation) -> Limit:
    op = violation.op if violation.op in ("max", "min") else "same"
    return Limit(violation.rule, violation.line, violation.fact, op, violation.actual, violation.group)


def _dimension(violation: Violation) -> tuple[str, str | None, str | None, str]:
    return violation.rule, violation.line, violation.group, violation.fact
