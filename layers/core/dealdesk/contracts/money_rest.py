"""What REST takes and gives about money that goes back: refunds, disputes, and money that settles nothing."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from dealdesk.contracts.fields import Note, Strict
from dealdesk.domain.deal import Dispute, Refund, Unapplied

# Stripe's own largest amount has twelve digits.
AmountMinor = Annotated[int, Field(strict=True, gt=0, lt=10**15)]
Reference = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]


class RefundIn(Strict):
    """Without an amount, all that is left of it. `reference` names the money where several sums have arrived."""

    amount_minor: AmountMinor | None = None
    reason: Annotated[Note, Field(min_length=1)]
    reference: Reference | None = None


class RefundOut(BaseModel):
    """One that was made at the provider by hand has the provider's id, and was asked for by nobody."""

    refund_id: str
    deal_id: str
    payment_id: str
    reference: str
    amount_minor: int
    currency: str
    status: str
    requested_by: str
    approved_by: str | None
    vendor_id: str | None
    reason: str


class DisputeOut(BaseModel):
    """`amount_minor` is gone from our account unless the dispute is `WON`."""

    dispute_id: str
    payment_id: str
    reference: str
    amount_minor: int
    currency: str
    status: str
    reason: str


class UnappliedOut(BaseModel):
    """The customer's money, until a person decides."""

    payment_id: str
    reference: str
    amount_minor: int
    currency: str
    reason: str


def refund_view(deal_id: str, refund: Refund) -> dict[str, Any]:
    return refund_out(deal_id, refund).model_dump(mode="json")


def refund_out(deal_id: str, refund: Refund) -> RefundOut:
    return RefundOut(
        refund_id=refund.id,
        deal_id=deal_id,
        payment_id=refund.payment_id,
        reference=refund.reference,
        amount_minor=refund.amount.amount_minor,
        currency=refund.amount.currency,
        status=refund.status.value,
        requested_by=refund.requested_by,
        approved_by=refund.approved_by,
        vendor_id=refund.vendor_id,
        reason=refund.reason,
    )


def dispute_out(dispute: Dispute) -> DisputeOut:
    return DisputeOut(
        dispute_id=dispute.id,
        payment_id=dispute.payment_id,
        reference=dispute.reference,
        amount_minor=dispute.amount.amount_minor,
        currency=dispute.amount.currency,
        status=dispute.status.value,
        reason=dispute.reason,
    )


def unapplied_out(money: Unapplied) -> UnappliedOut:
    return UnappliedOut(
        payment_id=money.payment_id,
        reference=money.reference,
        amount_minor=money.amount.amount_minor,
        currency=money.amount.currency,
        reason=money.reason,
    )
