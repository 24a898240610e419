"""A quote reaches the desk: it is received, judged by the guardrails, and the way on is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from dealdesk.domain import certificate, signature
from dealdesk.domain import events as e
from dealdesk.domain.deal import Deal
from dealdesk.domain.decision import Decision, FxRate, Outcome
from dealdesk.domain.disclosure import disclosed, what_a_rep_may_try
from dealdesk.domain.fold import fold
from dealdesk.domain.grants import survives, unmet
from dealdesk.domain.guardrails import evaluate
from dealdesk.domain.policy import Policy
from dealdesk.domain.quote import Quote
from dealdesk.domain.stages import Stage
from dealdesk.errors import Conflict, Malformed, WrongStage

OPEN_TO_CHANGE = frozenset(
    {
        Stage.DRAFT,
        Stage.EVALUATED,
        Stage.PENDING_APPROVAL,
        Stage.APPROVED,
        Stage.OUT_FOR_SIGNATURE,
        Stage.REJECTED,
        Stage.RECALLED,
        Stage.EXPIRED,
    }
)
LIVE = frozenset({Stage.PENDING_APPROVAL, Stage.APPROVED, Stage.OUT_FOR_SIGNATURE})
RESUBMITTED = frozenset({Stage.REJECTED, Stage.RECALLED, Stage.EXPIRED})


def judge(
    deal: Deal, quote: Quote, policy: Policy, fx: Mapping[str, FxRate], editor: str, now: datetime
) -> list[e.Event]:
    """The events that follow from `quote` under `policy`; none when the terms are as they were.

    The same terms are judged again when they were rejected, recalled or expired, and when another policy had blocked
    them. Raises `WrongStage` when the customer has signed (signed terms are amended, not edited), `Malformed` for a
    quote whose validity is over, and `Conflict` when an approver would become the owner.
    """
    decision = evaluate(quote, policy, fx)
    if decision.fingerprint == deal.fingerprint and not _is_judged_again(deal, decision):
        return _details(deal, quote, editor)
    if deal.stage not in OPEN_TO_CHANGE:
        raise WrongStage(f"deal {deal.id} is {deal.stage}: its terms are signed and can only be amended")
    if quote.valid_until and quote.valid_until < now.date():
        raise Malformed(f"the quote was valid until {quote.valid_until}; give it a later date", pointer="/valid_until")

    happened: list[e.Event] = []
    if deal.stage is Stage.OUT_FOR_SIGNATURE:
        happened += signature.withdraw(deal, "the terms changed")
    happened.append(e.QuoteEvaluated(deal.revision + 1, quote, decision, editor))
    if decision.violations:
        told = disclosed(decision)  # this event goes where reps read it, by n8n for one
        happened.append(
            e.GuardrailViolated(
                deal.revision + 1,
                decision.outcome.value,
                tuple(violation.rule for violation in decision.violations),
                tuple(violation.message for violation in told.violations),
                what_a_rep_may_try(decision),
            )
        )
    after = fold(deal, happened, now)
    if decision.outcome is Outcome.NEEDS_APPROVAL:
        happened.append(_ask(after, policy, _carried(deal, after, policy, fx)))
        happened += settle(fold(after, happened[-1:], now), now)
    elif decision.outcome is Outcome.AUTO_APPROVE:
        happened += approve(after, now)
    return happened


def _is_judged_again(deal: Deal, decision: Decision) -> bool:
    was = deal.decision
    by_another_policy = was is not None and was.policy_hash != decision.policy_hash
    blocked = was is not None and was.outcome is Outcome.BLOCKED
    return deal.stage in RESUBMITTED or (blocked and by_another_policy)


def _details(deal: Deal, quote: Quote, editor: str) -> list[e.Event]:
    """What changed besides the terms: the name, the contact, the owner."""
    if quote == deal.quote or deal.stage not in OPEN_TO_CHANGE:
        return []
    if deal.round and quote.owner_id in {grant.by for grant in deal.round.grants}:
        raise Conflict(f"{quote.owner_id} has approved deal {deal.id} and cannot own it")
    return [e.DetailsChanged(quote, editor)]


def settle(deal: Deal, now: datetime) -> list[e.Event]:
    """The approval of a deal whose every step is granted and whose every condition is met; nothing before that."""
    if deal.round is None or deal.decision is None or deal.round.open_steps:
        return []
    return [] if unmet(deal.round.grants, deal.decision) else approve(deal, now)


def approve(deal: Deal, now: datetime) -> list[e.Event]:
    """The deal is approved as it stands: a certificate, and the intent to have it signed."""
    approved: list[e.Event] = [e.DealApproved(certificate.issue(deal, now))]
    return approved + signature.request(fold(deal, approved, now))


def _carried(before: Deal, after: Deal, policy: Policy, fx: Mapping[str, FxRate]) -> tuple[e.Grant, ...]:
    """The grants of the live terms that the new ones are no worse than; the others are void from here on.

    Who has edited the terms cannot have approved them.
    """
    live = before.round
    if live is None or before.stage not in LIVE or live.fingerprint != before.fingerprint:
        return ()
    assert before.quote is not None
    assert after.quote is not None
    assert after.decision is not None
    quote, decision, old = after.quote, after.decision, before.quote
    return tuple(
        grant
        for grant in live.grants
        if grant.step in decision.required_steps
        and grant.by not in after.editors
        and survives(grant, old, quote, decision, policy, fx)
    )


def _ask(deal: Deal, policy: Policy, carried: tuple[e.Grant, ...]) -> e.ApprovalRequested:
    assert deal.decision is not None
    stages = tuple(
        e.StageAsked(
            stage.mode,
            tuple(e.StepAsked(step, policy.steps[step].label, policy.steps[step].group) for step in stage.steps),
        )
        for stage in deal.decision.route
    )
    number = deal.round.number + 1 if deal.round else 1
    return e.ApprovalRequested(number, deal.decision.fingerprint, stages, carried)
