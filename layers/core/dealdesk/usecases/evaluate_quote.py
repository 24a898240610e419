"""Read a submitted quote back from the CRM and let the guardrails decide on it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from dealdesk.domain.deal import Deal
from dealdesk.domain.events import QuoteRefused, VendorAsked
from dealdesk.domain.fold import CRM
from dealdesk.domain.submission import judge
from dealdesk.errors import Conflict, Malformed, VendorRefused, VersionMoved
from dealdesk.ports import Approvers, Cause, Deals, People, Policies
from dealdesk.usecases.answer_approval import CrmOf
from dealdesk.usecases.change import change


def evaluate_quote(
    deals: Deals,
    crms: CrmOf,
    people: People,
    policies: Policies,
    approvers: Approvers,
    deal_id: str,
    *,
    cause: Cause,
    clock: Callable[[], datetime],
    received_at: datetime | None = None,
) -> Deal:
    """The deal with its decision. A quote that cannot be judged, or comes after signature, is refused for a reason.

    The submission recorded at `received_at` is not read when the deal has been judged before and a later one is
    there: that one's own message reads the record as it is then. A mass update in the CRM costs one read a deal.
    """
    known = deals.load(deal_id, cause)
    if known.crm is None or _is_superseded(known, received_at):
        return known
    now = clock()
    try:
        submitted = crms(known.crm.system).read_quote(known.crm.record_id)
    except VendorRefused as refusal:
        return _refuse(deals, deal_id, str(refusal), cause, now)
    if submitted.contact:
        people.remember(submitted.contact)
    unchanged = [VendorAsked(CRM, "the terms are as they were")]
    policy, directory = policies.current(now), approvers.directory()
    fx = policies.fx_rates(now, policy.currency)
    try:
        return change(
            deals,
            deal_id,
            lambda deal: judge(deal, submitted.quote, policy, fx, submitted.last_editor, directory, now) or unchanged,
            cause=cause,
            actor=submitted.last_editor,
            now=now,
        )
    except VersionMoved:
        raise
    except (Conflict, Malformed) as refusal:
        return _refuse(deals, deal_id, str(refusal), cause, now)


def _is_superseded(deal: Deal, received_at: datetime | None) -> bool:
    return received_at is not None and deal.decision is not None and received_at != deal.received_at


def _refuse(deals: Deals, deal_id: str, reason: str, cause: Cause, now: datetime) -> Deal:
    refused = [QuoteRefused(reason)]
    return change(deals, deal_id, lambda _: refused, cause=cause, actor="system:read_crm", now=now)
