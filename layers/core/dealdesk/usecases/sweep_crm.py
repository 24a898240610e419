"""Find the submissions and answers whose message from the CRM never came."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from dealdesk.domain.deal import Deal
from dealdesk.domain.events import CrmRecord, VendorAsked
from dealdesk.domain.fold import CRM
from dealdesk.errors import AlreadyHandled, Conflict, Forbidden
from dealdesk.ports import Approvers, Cause, Crm, Deals
from dealdesk.usecases.answer_approval import answer_approval
from dealdesk.usecases.change import change
from dealdesk.usecases.receive_quote import receive_quote

LOOK_BACK = timedelta(hours=26)


def sweep_submissions(
    deals: Deals, crm: Crm, system: str, deal_id_of: Callable[[str], str], now: datetime
) -> list[str]:
    """Receives every quote that was submitted in the last day and is not known as submitted then."""
    found = []
    for record_id, submitted_at in crm.submitted_since(now - LOOK_BACK):
        deal_id = deal_id_of(record_id)
        deal = deals.load(deal_id, or_new=True)
        if deal.submitted_at is not None and deal.submitted_at >= submitted_at:
            continue
        cause = Cause(system, f"{record_id}@{submitted_at.isoformat()}")
        try:
            receive_quote(
                deals,
                deal_id,
                CrmRecord(system, record_id),
                submitted_at=submitted_at,
                submitted_by=None,
                cause=cause,
                now=now,
            )
        except AlreadyHandled:
            continue
        found.append(deal_id)
    return found


def ask_crm(deals: Deals, crm: Crm, approvers: Approvers, deal_id: str, *, cause: Cause, now: datetime) -> Deal:
    """Applies the answers that approvers have given in the CRM; `VendorAsked` when there was nothing new."""
    before = deals.load(deal_id, cause)
    for answer in crm.answers_of(deal_id):
        try:
            answer_approval(
                deals,
                crm,
                approvers,
                deal_id,
                answer.key,
                cause=Cause("salesforce", f"{answer.key}@{answer.fingerprint[:16]}"),
                now=now,
            )
        except (AlreadyHandled, Conflict, Forbidden):
            continue
    after = deals.load(deal_id)
    if after.version != before.version:
        return after
    asked = [VendorAsked(CRM, "nothing new")]
    return change(deals, deal_id, lambda _: asked, cause=cause, actor="system:chase_stalled", now=now)
