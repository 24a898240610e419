"""Approval rounds that wait: remind, ask more people, end those that are over. Silence approves nothing."""

from __future__ import annotations

from datetime import datetime

from dealdesk.domain import escalation
from dealdesk.domain.deal import Deal
from dealdesk.domain.directory import Directory
from dealdesk.errors import AlreadyHandled
from dealdesk.ports import Approvers, Cause, DealIndex, Deals, Policies
from dealdesk.usecases.change import change
from dealdesk.usecases.follow_policy import follow_policy

ACTOR = "system:escalate_approvals"


def escalate_approvals(
    deals: Deals, index: DealIndex, policies: Policies, approvers: Approvers, *, most: int, now: datetime
) -> list[str]:
    """The deals that moved, of the `most` that have waited longest."""
    directory = approvers.directory()
    waiting = index.rounds(now, most)
    return [deal_id for deal_id in waiting if _moved(deals, policies, directory, deal_id, now)]


def _moved(deals: Deals, policies: Policies, directory: Directory, deal_id: str, now: datetime) -> bool:
    before = deals.load(deal_id)
    try:
        deal = follow_policy(deals, policies, before, directory, actor=ACTOR, now=now)
        deal = _chase(deals, deal, directory, now)
    except AlreadyHandled:
        return False
    return deal.version != before.version


def _chase(deals: Deals, deal: Deal, directory: Directory, now: datetime) -> Deal:
    if not escalation.chase(deal, directory, now):
        return deal
    cause = Cause("round", f"{deal.id}@{deal.version}")
    return change(
        deals, deal.id, lambda seen: escalation.chase(seen, directory, now), cause=cause, actor=ACTOR, now=now
    )
