"""The payment provider reports on a refund."""

from __future__ import annotations

from datetime import datetime

from dealdesk.domain import refunds
from dealdesk.domain.deal import Deal
from dealdesk.ports import Cause, Deals, RefundState
from dealdesk.usecases.change import change


def record_refund(
    deals: Deals, deal_id: str, reference: str, state: RefundState, *, cause: Cause, vendor: str, now: datetime
) -> Deal:
    """What the vendor says of the refund of the money `reference`; nothing for what is known already."""
    return change(
        deals,
        deal_id,
        lambda deal: refunds.told(
            deal, reference, state.key, state.refund_id, state.outcome, state.amount, state.reason
        ),
        cause=cause,
        actor=f"vendor:{vendor}",
        now=now,
    )
