"""The payment provider reports on a payment."""

from __future__ import annotations

from datetime import datetime

from dealdesk.domain import payments
from dealdesk.domain.deal import Deal
from dealdesk.domain.events import Event
from dealdesk.ports import Cause, Deals, PaymentState
from dealdesk.usecases.change import change


def record_payment(
    deals: Deals, deal_id: str, state: PaymentState, *, cause: Cause, vendor: str, now: datetime
) -> Deal:
    return change(
        deals,
        deal_id,
        lambda deal: events_of(deal, state, now),
        cause=cause,
        actor=f"vendor:{vendor}",
        now=now,
    )


def events_of(deal: Deal, state: PaymentState, now: datetime) -> list[Event]:
    """Only `paid` is money: `open` and `processing` (a debit that may still bounce) change nothing.

    `approved` opens the intent to take it.
    """
    match state.outcome:
        case "paid":
            return payments.succeeded(deal, state.payment_id, state.session_id, state.amount, state.reference, now)
        case "approved":
            return payments.approved(deal, state.payment_id, state.session_id)
        case "expired":
            return _expired(deal, state, now)
        case "failed":
            return payments.failed(deal, state.payment_id, "declined", state.reason)
        case _:
            return []


def _expired(deal: Deal, state: PaymentState, now: datetime) -> list[Event]:
    """A session that the vendor no longer knows (it cannot name our payment) has ended once its link has."""
    payment_id = state.payment_id
    if not payment_id:
        ended = [p for p in deal.payments if p.session_id == state.session_id and p.expires_at and p.expires_at <= now]
        if not ended:
            return []
        payment_id = ended[0].id
    return payments.failed(deal, payment_id, "expired", "the payment link expired unpaid")
