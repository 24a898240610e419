"""A quote reaches the desk: it is received, judged by the guardrails, and the way on is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from dealdesk.domain import certificate, signature, touch
from dealdesk.domain import events as e
from dealdesk.domain.approval_steps import Step
from dealdesk.domain.deal import Deal
from dealdesk.domain.decision import Decision, FxRate, Outcome
from dealdesk.domain.directory import Directory
from dealdesk.domain.disclosure import disclosed, what_a_rep_may_try
from dealdesk.domain.entitlement import conflicted, seats
from dealdesk.domain.fold import fold
from dealdesk.domain.grants import survives, unmet
from dealdesk.domain.guardrails import evaluate
from dealdesk.domain.policy import Policy
from dealdesk.domain.quote import Quote
from dealdesk.domain.stages import Effect, Stage
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
RESUBMITTED = frozenset({Stage.REJECTED, Stage.RECALLED, Stage.EXPIRED})
# Where earlier answers still count; what has expired does not come back.
REMEMBERED = frozenset(
    {Stage.PENDING_APPROVAL, Stage.APPROVED, Stage.OUT_FOR_SIGNATURE, Stage.REJECTED, Stage.RECALLED}
)


def judge(
    deal: Deal,
    quote: Quote,
    policy: Policy,
    fx: Mapping[str, FxRate],
    editor: str,
    directory: Directory,
    now: datetime,
) -> list[e.Event]:
    """The events that follow from `quote` under `policy`; none when the terms are as they were.

    The same terms are judged again when they were rejected, recalled or expired, and when another policy had blocked
    them. Raises `WrongStage` when the customer has signed (signed terms are amended, not edited), `Malformed` for a
    quote whose validity is over, and `Conflict` when an approver would become the owner.
    """
    decision = evaluate(quote, policy, fx)
    if decision.fingerprint == deal.fingerprint and not _is_judged_again(deal, decision):
        return _details(deal, quote, editor, directory, now)
    if deal.stage not in OPEN_TO_CHANGE:
        raise WrongStage(f"deal {deal.id} is {deal.stage}: its terms are signed and can only be amended")
    if quote.valid_until and quote.valid_until < now.date():
        raise Malformed(f"the quote was valid until {quote.valid_until}; give it a later date", pointer="/valid_until")
    return _judged(deal, quote, decision, policy, fx, editor, directory, now)


def follow(deal: Deal, policy: Policy, fx: Mapping[str, FxRate], directory: Directory, now: datetime) -> list[e.Event]:
    """What a policy, or a rate, that moved since means for terms whose contract has not gone out.

    Nothing, when they would be judged no more strictly now. Otherwise they are judged again, and keep the grants
    that they are no worse than.
    """
    was, quote = deal.decision, deal.quote
    if was is None or quote is None or deal.stage not in (Stage.PENDING_APPROVAL, Stage.APPROVED) or is_sending(deal):
        return []
    if policy.hash == was.policy_hash and not _rate_moved(was, fx.get(quote.currency), policy):
        return []
    decision = evaluate(quote, policy, fx)
    if not _stricter(decision, was):
        return []
    return _judged(deal, quote, decision, policy, fx, quote.owner_id, directory, now)


def is_sending(deal: Deal) -> bool:
    """Whether a worker has begun to send the contract: from then on only the vendor knows whether it is out."""
    return any(intent.effect is Effect.SEND_ENVELOPE and intent.attempts for intent in deal.intents)


def _judged(
    deal: Deal,
    quote: Quote,
    decision: Decision,
    policy: Policy,
    fx: Mapping[str, FxRate],
    editor: str,
    directory: Directory,
    now: datetime,
) -> list[e.Event]:
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
        carried = _carried(deal, after, policy, fx, directory, now)
        clock = touch.start(deal, directory, now)
        happened.append(_ask(after, policy, carried, clock, directory, now))
        happened += settle(fold(after, happened[-1:], now), now)
    elif decision.outcome is Outcome.AUTO_APPROVE:
        happened += approve(after, now)
    return happened


def _is_judged_again(deal: Deal, decision: Decision) -> bool:
    was = deal.decision
    by_another_policy = was is not None and was.policy_hash != decision.policy_hash
    blocked = was is not None and was.outcome is Outcome.BLOCKED
    return deal.stage in RESUBMITTED or (blocked and by_another_policy)


def _stricter(decision: Decision, was: Decision) -> bool:
    more_people = not set(decision.required_steps) <= set(was.required_steps)
    return decision.outcome.severity > was.outcome.severity or more_people


def _rate_moved(was: Decision, rate: FxRate | None, policy: Policy) -> bool:
    """Whether the rate is further from the one that was used than the policy bears."""
    if was.fx is None or rate is None:
        return was.fx is not None
    return abs(rate.rate - was.fx.rate) * 10_000 > policy.fx_tolerance_bps * was.fx.rate


def _details(deal: Deal, quote: Quote, editor: str, directory: Directory, now: datetime) -> list[e.Event]:
    """What changed besides the terms: the name, the contact, the owner, who earns by the deal."""
    if quote == deal.quote or deal.stage not in OPEN_TO_CHANGE:
        return []
    happened = [e.DetailsChanged(quote, editor)]
    interested = conflicted(fold(deal, happened, now), directory)
    approved = {directory.identity(grant.by) for grant in deal.round.grants} if deal.round else set()
    if not interested.isdisjoint(approved):
        names = ", ".join(sorted(interested & approved))
        raise Conflict(f"{names} has approved deal {deal.id} and cannot have an interest in it")
    return list(happened)


def settle(deal: Deal, now: datetime) -> list[e.Event]:
    """The approval of a deal whose every step is granted and whose every condition is met; nothing before that."""
    if deal.round is None or deal.decision is None or deal.round.open_steps:
        return []
    return [] if unmet(deal.round.grants, deal.decision) else approve(deal, now)


def approve(deal: Deal, now: datetime) -> list[e.Event]:
    """The deal is approved as it stands: a certificate, and the intent to have it signed."""
    approved: list[e.Event] = [e.DealApproved(certificate.issue(deal, now))]
    return approved + signature.request(fold(deal, approved, now))


def _carried(
    before: Deal, after: Deal, policy: Policy, fx: Mapping[str, FxRate], directory: Directory, now: datetime
) -> tuple[e.Grant, ...]:
    """The grants of the terms before that the new ones are no worse than; the others are void from here on.

    A quote that was recalled or rejected is remembered as well, but for the step that said no. Who has an interest
    in the new terms cannot have approved them.
    """
    last = before.round
    if last is None or before.stage not in REMEMBERED or last.fingerprint != before.fingerprint:
        return ()
    assert before.quote is not None
    assert after.quote is not None
    assert after.decision is not None
    quote, decision, old = after.quote, after.decision, before.quote
    barred = conflicted(after, directory)
    return tuple(
        grant
        for grant in last.grants
        if grant.step in decision.required_steps
        and grant.step != last.rejected
        and now < grant.at + certificate.valid_for(after)
        and directory.identity(grant.by) not in barred
        and survives(grant, old, quote, decision, policy, fx)
    )


def _ask(
    deal: Deal,
    policy: Policy,
    carried: tuple[e.Grant, ...],
    clock: e.TouchClock | None,
    directory: Directory,
    now: datetime,
) -> e.ApprovalRequested:
    assert deal.decision is not None
    stages = tuple(
        e.StageAsked(stage.mode, tuple(_step(deal, policy.steps[step], directory, now) for step in stage.steps))
        for stage in deal.decision.route
    )
    number = deal.round.number + 1 if deal.round else 1
    return e.ApprovalRequested(number, deal.decision.fingerprint, stages, carried, clock)


def _step(deal: Deal, step: Step, directory: Directory, now: datetime) -> e.StepAsked:
    asked = e.StepAsked(
        step.id, step.label, step.group, needs=step.needs, backups=step.backups, sla_hours=step.sla_hours
    )
    return replace(asked, seats=seats(deal, asked, directory, now))
