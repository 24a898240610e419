"""What REST takes and gives about money that goes back: refunds, disputes, credit memos, unapplied money."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from dealdesk.contracts.fields import Id, Note, Strict
from dealdesk.domain.deal import Credit, Dispute, Refund, Unapplied
from dealdesk.errors import Malformed

# Stripe's own largest amount has twelve digits.
AmountMinor = Annotated[int, Field(strict=True, gt=0, lt=10**15)]
Reference = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]


class RefundIn(Strict):
    """Without an amount, all that is left of it. `reference` names the money where several sums have arrived."""

    amount_minor: AmountMinor | None = None
    reason: Annotated[Note, Field(min_length=1)]
    reference: Reference | None = None


class CreditLineIn(Strict):
    """Without an amount, all that is left of the line."""

    line_id: Id
    amount_minor: AmountMinor | None = None


class CreditIn(Strict):
    """Without lines, all that is left of the invoice. `refund_id` is the refund that goes with it, if there is one."""

    lines: Annotated[list[CreditLineIn], Field(min_length=1, max_length=1000)] | None = None
    reason: Annotated[Note, Field(min_length=1)]
    refund_id: Id | None = None

    def amounts(self) -> dict[str, int | None] | None:
        """Raises `Malformed` for a line that is named twice."""
        if self.lines is None:
            return None
        named = {line.line_id: line.amount_minor for line in self.lines}
        if len(named) < len(self.lines):
            raise Malformed("a line is named twice; name it once, with all that is to be taken back", pointer="/lines")
        return named


class CreditLineOut(BaseModel):
    line_id: str
    sku: str
    description: str
    amount_minor: int


class CreditOut(BaseModel):
    """`total_minor` is before tax, `posted_total_minor` what the ledger credits with it."""

    memo_id: str
    deal_id: str
    invoice_id: str
    number: str
    status: str
    currency: str
    lines: list[CreditLineOut]
    total_minor: int
    posted_total_minor: int | None
    ledger_id: str | None
    requested_by: str
    approved_by: str | None
    refund_id: str | None
    reason: str
    problem: str


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
    """`amount_minor` cannot be counted on unless the dispute is `WON`; `fee_minor` is gone in any case."""

    dispute_id: str
    payment_id: str
    reference: str
    amount_minor: int
    currency: str
    status: str
    reason: str
    fee_minor: int | None


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


def credit_view(deal_id: str, credit: Credit) -> dict[str, Any]:
    return credit_out(deal_id, credit).model_dump(mode="json")


def credit_out(deal_id: str, credit: Credit) -> CreditOut:
    memo = credit.memo
    return CreditOut(
        memo_id=memo.memo_id,
        deal_id=deal_id,
        invoice_id=memo.invoice_id,
        number=memo.number,
        status=credit.status.value,
        currency=memo.currency,
        lines=[CreditLineOut.model_validate(line, from_attributes=True) for line in memo.lines],
        total_minor=memo.total_minor,
        posted_total_minor=credit.total_minor,
        ledger_id=credit.ledger_id,
        requested_by=credit.requested_by,
        approved_by=credit.approved_by,
        refund_id=credit.refund_id or None,
        reason=memo.reason,
        problem=credit.reason,
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
        fee_minor=dispute.fee.amount_minor if dispute.fee else None,
    )


def unapplied_out(money: Unapplied) -> UnappliedOut:
    return UnappliedOut(
        payment_id=money.payment_id,
        reference=money.reference,
        amount_minor=money.amount.amount_minor,
        currency=money.amount.currency,
        reason=money.reason,
    )
