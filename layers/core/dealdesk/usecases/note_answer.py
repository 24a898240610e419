"""The CRM says that an approver pressed a button: remember it, to be read back."""

from __future__ import annotations

from datetime import datetime

from dealdesk.domain.deal import Deal
from dealdesk.domain.events import ApprovalAnswered
from dealdesk.ports import Cause, Deals
from dealdesk.usecases.change import change


def note_answer(deals: Deals, deal_id: str, approval_key: str, record_id: str, *, cause: Cause, now: datetime) -> Deal:
    """Remembers the CRM's hint; the message is unsigned, so nothing moves on its word."""
    return change(
        deals,
        deal_id,
        lambda _: [ApprovalAnswered(approval_key, record_id)],
        cause=cause,
        actor=f"vendor:{cause.source}",
        now=now,
    )
