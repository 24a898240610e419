"""A payment provider says that something happened to a payment: remember it, to be asked about."""

from __future__ import annotations

from datetime import datetime

from dealdesk.domain import payments
from dealdesk.domain.deal import Deal
from dealdesk.domain.events import Event, PaymentReported
from dealdesk.ports import Cause, Deals
from dealdesk.usecases.change import change


def note_payment(
    deals: Deals, deal_id: str, report: PaymentReported, *, cause: Cause, vendor: str, now: datetime
) -> Deal:
    """Remembers the vendor's hint; its proof does not cover what it says, so no money moves on its word.

    Raises `DealUnknown` for a deal or a payment that is not recorded yet.
    """

    def decide(deal: Deal) -> list[Event]:
        payments.find(deal, report.payment_id)
        return [report]

    return change(deals, deal_id, decide, cause=cause, actor=f"vendor:{vendor}", now=now)
