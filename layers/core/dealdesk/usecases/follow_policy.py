"""A policy or a rate moved while a deal waits: judge it again where that would ask for more than was asked."""

from __future__ import annotations

from datetime import datetime

from dealdesk.domain.deal import Deal
from dealdesk.domain.directory import Directory
from dealdesk.domain.stages import Stage
from dealdesk.domain.submission import follow
from dealdesk.ports import Cause, Deals, Policies
from dealdesk.usecases.change import change

BEFORE_SENDING = (Stage.PENDING_APPROVAL, Stage.APPROVED)


def follow_policy(
    deals: Deals, policies: Policies, deal: Deal, directory: Directory, *, actor: str, now: datetime
) -> Deal:
    """The deal, judged again if it has to be; as it is while the policy that decided it still holds for it."""
    if deal.decision is None or deal.stage not in BEFORE_SENDING:
        return deal
    policy = policies.binding(deal.decision.policy_id, deal.decision.policy_version, now)
    fx = policies.fx_rates(now, policy.currency)
    happened = follow(deal, policy, fx, directory, now)
    if not happened:
        return deal
    cause = Cause("policy", f"{policy.hash[:16]}:{deal.id}@{deal.version}")
    return change(
        deals, deal.id, lambda seen: follow(seen, policy, fx, directory, now), cause=cause, actor=actor, now=now
    )
