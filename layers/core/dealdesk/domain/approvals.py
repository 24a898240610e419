"""People decide: each step by somebody entitled to it, on the terms that they saw, and never on their own deal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dealdesk.domain import events as e
from dealdesk.domain import submission, touch
from dealdesk.domain.deal import Deal
from dealdesk.domain.directory import Directory
from dealdesk.domain.entitlement import Authority, authority_of, seats
from dealdesk.domain.fold import fold
from dealdesk.domain.grants import limits_of, scope_of
from dealdesk.domain.stages import EnvelopeStatus, Stage
from dealdesk.errors import ApproverConflicted, ApproverNotEntitled, Forbidden, Refusal, TermsChanged, WrongStage


@dataclass(frozen=True, slots=True)
class Answer:
    """An approver's decision on one step; `fingerprint`, and `round` where it is given, are what they saw.

    `groups` are those in which their token or their CRM puts them; the directory may know of more.
    """

    step: str
    approve: bool
    fingerprint: str
    by: str
    groups: frozenset[str]
    comment: str = ""
    conditions: tuple[e.Condition, ...] = ()
    round: int | None = None


def decide(deal: Deal, answer: Answer, directory: Directory, now: datetime) -> list[e.Event]:
    """The events of one decision; none when this person has already given this answer in this round.

    Raises `TermsChanged` for a stale click, `WrongStage` for a step that is not asked now,
    `ApproverNotEntitled` and `ApproverConflicted`.
    """
    live = deal.round
    if live is None or (live.closed and not _already_given(deal, answer, directory)):
        raise WrongStage(f"deal {deal.id} is {deal.stage} and asks for no approval")
    if answer.fingerprint != live.fingerprint or answer.round not in (None, live.number):
        raise TermsChanged(f"the terms of deal {deal.id} changed since you looked; read them again before deciding")
    if _already_given(deal, answer, directory):
        return []
    step, authority = _may_decide(deal, answer, directory, now)
    if answer.step not in live.open_steps:
        waiting = ", ".join(live.open_steps) or "none"
        raise WrongStage(f"step {answer.step} of deal {deal.id} is not asked now; open steps: {waiting}")

    happened = touch.touch(deal, answer.by, directory, now)
    if not answer.approve:
        return [
            *happened,
            e.ApprovalRejected(live.number, answer.step, answer.by, answer.fingerprint, answer.comment),
        ]
    happened.append(_granted(deal, answer, authority, seats(deal, step, directory, now), now))
    return happened + submission.settle(fold(deal, happened, now), now)


def _granted(deal: Deal, answer: Answer, authority: Authority, wanted: int, now: datetime) -> e.ApprovalGranted:
    assert deal.quote is not None
    assert deal.decision is not None
    assert deal.round is not None
    return e.ApprovalGranted(
        round=deal.round.number,
        step=answer.step,
        by=answer.by,
        fingerprint=answer.fingerprint,
        comment=answer.comment,
        wait_seconds=int((now - deal.round.asked_at).total_seconds()),
        limits=limits_of(deal.decision, answer.step),
        scope=scope_of(deal.quote),
        conditions=answer.conditions,
        acting_for=authority.acting_for,
        seats=wanted,
    )


def claim(deal: Deal, by: str, groups: frozenset[str], directory: Directory, now: datetime) -> list[e.Event]:
    """Somebody who may decide an open step says that they look at it; it decides nothing and keeps nobody else away.

    Raises `WrongStage` when nothing is asked now, `ApproverNotEntitled` and `ApproverConflicted`.
    """
    live = deal.round
    if live is None or not live.open_steps:
        raise WrongStage(f"deal {deal.id} is {deal.stage} and asks for no approval")
    refusals: list[Refusal] = []
    for step in live.open_steps:
        try:
            authority_of(deal, live.steps[step], by, groups, directory, now)
        except (ApproverNotEntitled, ApproverConflicted) as refusal:
            refusals.append(refusal)
        else:
            return touch.touch(deal, by, directory, now)
    raise refusals[0]


def recall(deal: Deal, by: str, may_recall_any: bool) -> list[e.Event]:
    """The owner takes the quote back; possible until the contract has gone out."""
    if by != deal.owner_id and not may_recall_any:
        raise Forbidden(f"only the owner of deal {deal.id} may recall it")
    if deal.stage is Stage.RECALLED:
        return []
    out = deal.envelope is not None and deal.envelope.status is EnvelopeStatus.SENT
    if (
        submission.is_sending(deal)
        or out
        or deal.stage not in (Stage.EVALUATED, Stage.PENDING_APPROVAL, Stage.APPROVED)
    ):
        raise WrongStage(f"deal {deal.id} is {deal.stage}; it can be recalled until its contract goes out")
    return [e.DealRecalled(by)]


def _already_given(deal: Deal, answer: Answer, directory: Directory) -> bool:
    grants = deal.round.grants if deal.round else ()
    person = directory.identity(answer.by)
    given = (grant for grant in grants if grant.step == answer.step)
    return answer.approve and any(directory.identity(grant.by) == person for grant in given)


def _may_decide(deal: Deal, answer: Answer, directory: Directory, now: datetime) -> tuple[e.StepAsked, Authority]:
    assert deal.round is not None
    asked = deal.round.steps
    step = asked.get(answer.step)
    if step is None:
        raise WrongStage(f"deal {deal.id} has no step {answer.step}; it asks for {', '.join(asked)}")
    return step, authority_of(deal, step, answer.by, answer.groups, directory, now)
