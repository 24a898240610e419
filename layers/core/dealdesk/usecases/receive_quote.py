"""A rep submitted a quote in the CRM: remember that it has to be read and judged."""

from __future__ import annotations

from datetime import datetime

from dealdesk.domain.deal import Deal
from dealdesk.domain.events import CrmRecord, QuoteReceived
from dealdesk.ports import Cause, Deals
from dealdesk.usecases.change import change


def receive_quote(
    deals: Deals,
    deal_id: str,
    crm: CrmRecord,
    *,
    submitted_at: datetime,
    submitted_by: str | None,
    cause: Cause,
    now: datetime,
) -> Deal:
    return change(
        deals,
        deal_id,
        lambda _: [QuoteReceived(crm, submitted_at, submitted_by)],
        cause=cause,
        actor=submitted_by or f"vendor:{crm.system}",
        now=now,
        or_new=True,
    )
