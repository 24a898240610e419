"""A quote reaches the desk: it is received, judged by the guardrails, and the way on is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from dealdesk.domain import certificate, signature
from dealdesk.domain import events as e
from dealdesk.domain.counterfactual import what_would_pass
from dealdesk.domain.deal import Deal
from dealdesk.domain.decision import FxRate, Outcome
from dealdesk.domain.fold import fold
from dealdesk.domain.guardrails import evaluate
from dealdesk.domain.policy import Policy
from dealdesk.domain.quote import Quote
from dealdesk.domain.stages import Stage
from dealdesk.errors import WrongStage

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
RESUBMITTED = frozenset({Stage.REJECTED, Stage.RECALLED, Stage.EXPIRED})


def receive(deal: Deal, crm: e.CrmRecord | None, submitted_at: datetime, submitted_by: str | None) -> list[e.Event]:
    return [e.QuoteReceived(crm, submitted_at, submitted_by)]


def judge(
    deal: Deal, quote: Quote, policy: Policy, fx: Mapping[str, FxRate], editor: str, now: datetime
) -> list[e.Event]:
    """The events that follow from `quote` under `policy`; none when the terms and the policy are as they were.

    Raises `WrongStage` when the customer has signed: signed terms are amended, not edited.
    """
    decision = evaluate(quote, policy, fx)
    same_terms = decision.fingerprint == deal.fingerprint
    if same_terms and (deal.stage not in RESUBMITTED):
        return []
    if deal.stage not in OPEN_TO_CHANGE:
        raise WrongStage(f"deal {deal.id} is {deal.stage}: its terms are signed and can only be amended")

    happened: list[e.Event] = []
    if deal.stage is Stage.OUT_FOR_SIGNATURE:
        happened += signature.withdraw(deal, "the terms changed")
    happened.append(e.QuoteEvaluated(deal.revision + 1, quote, decision, editor))
    if decision.violations:
        happened.append(
            e.GuardrailViolated(
                deal.revision + 1,
                decision.outcome.value,
                tuple(violation.rule for violation in decision.violations),
                tuple(violation.message for violation in decision.violations),
                what_would_pass(decision),
            )
        )
    after = fold(deal, happened, now)
    if decision.outcome is Outcome.NEEDS_APPROVAL:
        happened.append(_ask(after, policy))
    elif decision.outcome is Outcome.AUTO_APPROVE:
        happened += approve(after, now)
    return happened


def approve(deal: Deal, now: datetime) -> list[e.Event]:
    """The deal is approved as it stands: a certificate, and the intent to have it signed."""
    approved: list[e.Event] = [e.DealApproved(certificate.issue(deal, now))]
    return approved + signature.request(fold(deal, approved, now))


def _ask(deal: Deal, policy: Policy) -> e.ApprovalRequested:
    assert deal.decision is not None
    stages = tuple(
        e.StageAsked(
            stage.mode,
            tuple(e.StepAsked(step, policy.steps[step].label, policy.steps[step].group) for step in stage.steps),
        )
        for stage in deal.decision.route
    )
    number = deal.round.number + 1 if deal.round else 1
    return e.ApprovalRequested(number, deal.decision.fingerprint, stages)
