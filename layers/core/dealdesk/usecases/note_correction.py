"""A payment provider hints that money which has arrived went back or is disputed: remember it, to be asked about."""

from __future__ import annotations

from datetime import datetime

from dealdesk.domain import refunds
from dealdesk.domain.deal import Deal
from dealdesk.domain.events import Event, PaymentReported
from dealdesk.errors import DealUnknown
from dealdesk.ports import Cause, Deals, References
from dealdesk.usecases.change import change


def note_correction(
    deals: Deals, references: References, reference: str, said: str, *, cause: Cause, vendor: str, now: datetime
) -> Deal:
    """The hint is kept with the payment that the money came by; it moves nothing.

    Raises `DealUnknown` for money that no deal has recorded yet.
    """
    deal_id = references.deal_of(vendor, reference)
    if deal_id is None:
        raise DealUnknown(f"no deal has recorded the money {reference} of {vendor} yet")

    def decide(deal: Deal) -> list[Event]:
        money = refunds.recorded(deal, reference)
        return [PaymentReported(money.payment_id, "", said)]

    return change(deals, deal_id, decide, cause=cause, actor=f"vendor:{vendor}", now=now)
