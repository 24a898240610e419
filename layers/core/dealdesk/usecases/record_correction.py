"""The payment provider reports on money that has arrived: some of it went back, or the payer's bank disputes it."""

from __future__ import annotations

from datetime import datetime

from dealdesk.domain import invoices, refunds
from dealdesk.domain.deal import Deal
from dealdesk.domain.events import Event
from dealdesk.domain.fold import fold
from dealdesk.domain.stages import DisputeStatus
from dealdesk.errors import DealUnknown
from dealdesk.ports import Cause, Correction, Deals, References
from dealdesk.usecases.change import change


def record_correction(
    deals: Deals, references: References, said: Correction, *, cause: Cause, vendor: str, now: datetime
) -> Deal:
    """Entries beside the payment; nothing for what is known already.

    Raises `DealUnknown` for money that no deal has recorded yet, and for refunds that were counted but not told yet.
    """
    deal_id = said.deal_id or references.deal_of(vendor, said.reference)
    if deal_id is None:
        raise DealUnknown(f"no deal has recorded the money {said.reference} of {vendor} yet")
    return change(
        deals, deal_id, lambda deal: corrected(deal, said, now), cause=cause, actor=f"vendor:{vendor}", now=now
    )


def corrected(deal: Deal, said: Correction, now: datetime) -> list[Event]:
    """The entries, and what they make possible: money that is there again may be all that the deal waited for."""
    happened = _entries(deal, said)
    return happened + invoices.follow_correction(deal, fold(deal, happened, now), now) if happened else []


def _entries(deal: Deal, said: Correction) -> list[Event]:
    happened: list[Event] = []
    if said.refunded:
        refunds.require_told(deal, said.reference, said.refunded)
    if (back := said.refund) is not None:
        happened += refunds.told(deal, said.reference, back.key, back.refund_id, back.outcome, back.amount, back.reason)
    if (taken := said.dispute) is not None:
        status = DisputeStatus(taken.outcome.upper())
        happened += refunds.disputed(
            deal, said.reference, taken.dispute_id, status, taken.amount, taken.reason, taken.fee
        )
    return happened
