"""What the desk has got for a deal, as entries that add up: money in, money back, money that the payer's bank took."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dealdesk.domain.deal import Deal, Invoice
from dealdesk.domain.money import Money
from dealdesk.domain.stages import DisputeStatus, PaymentStatus, RefundStatus

GONE = frozenset({RefundStatus.SUBMITTED, RefundStatus.SUCCEEDED})


@dataclass(frozen=True, slots=True)
class Entry:
    """`amount` is below zero for money that has left us; `id` is that of the payment, refund or dispute."""

    kind: str
    id: str
    reference: str
    amount: Money


def entries(deal: Deal) -> Iterator[Entry]:
    """Every movement by itself: none changes another, and their sum is what is left."""
    for payment in deal.payments:
        if payment.status is PaymentStatus.SUCCEEDED:
            yield Entry("received", payment.id, payment.reference or "", payment.amount)
    for money in deal.unapplied:
        yield Entry("unapplied", money.payment_id, money.reference, money.amount)
    for refund in deal.refunds:
        if refund.status in GONE:
            yield Entry("refund", refund.id, refund.reference, _less(refund.amount))
    for dispute in deal.disputes:
        yield Entry("dispute", dispute.id, dispute.reference, _less(dispute.amount))
        if dispute.status is DisputeStatus.WON:
            yield Entry("dispute_reversal", dispute.id, dispute.reference, dispute.amount)
        if dispute.fee:
            yield Entry("dispute_fee", dispute.id, dispute.reference, _less(dispute.fee))


def collected(deal: Deal) -> Money | None:
    """What is there of the settled payments; None before there is one.

    Refunds and disputes of a payment that was over take from what was over first; a dispute in another currency takes
    all. A bank's fee is our cost and leaves the customer's payment whole.
    """
    settled = [payment for payment in deal.payments if payment.status is PaymentStatus.SUCCEEDED]
    if not settled:
        return None
    moved = [entry for entry in entries(deal) if entry.kind != "dispute_fee"]
    kept = 0
    for payment in settled:
        mine = [entry.amount for entry in moved if payment.reference and entry.reference == payment.reference]
        foreign = any(amount.currency != payment.amount.currency for amount in mine)
        rest = 0 if foreign else sum(amount.amount_minor for amount in mine) if mine else payment.amount.amount_minor
        kept += min(payment.amount.amount_minor, max(0, rest))
    return Money(kept, settled[-1].amount.currency)


def difference(deal: Deal, invoice: Invoice) -> int:
    """How much the invoice's total is above what was collected for it; 0 before there is money."""
    money = collected(deal)
    return 0 if money is None else invoice.total_minor - money.amount_minor


def settlement(deal: Deal, invoice: Invoice) -> str:
    """`open`, `partially_paid` or `paid`: what is there, against the total less what credit memos took back."""
    money, memos = collected(deal), (c for c in deal.credits if c.memo.invoice_id == invoice.draft.invoice_id)
    due = invoice.total_minor - sum(memo.total_minor or 0 for memo in memos)
    has = money.amount_minor if money else 0
    if has >= due:
        return "paid"
    return "partially_paid" if has else "open"


def _less(amount: Money) -> Money:
    return Money(-amount.amount_minor, amount.currency)
