"""What a deal's money comes to, added up here once more: not by the desk's own sums."""

from __future__ import annotations

from dealdesk.domain.deal import Deal, Invoice, Payment
from dealdesk.domain.stages import CreditStatus, DisputeStatus, InvoiceStatus, RefundStatus

GONE = (RefundStatus.SUBMITTED, RefundStatus.SUCCEEDED)
NOT_BILLED = (InvoiceStatus.REJECTED, InvoiceStatus.VOIDED)


def came(deal: Deal, reference: str) -> int:
    """All that arrived under one of the vendor's references."""
    settled = [p.settled for p in deal.payments if p.settled and p.reference == reference]
    over = [money.amount for money in deal.unapplied if money.reference == reference]
    return sum(amount.amount_minor for amount in settled + over)


def given_back(deal: Deal, reference: str, *, by_disputes_only: bool = False) -> int:
    """What went back; `by_disputes_only` leaves out what people of the desk have asked for."""
    about = [r for r in deal.refunds if r.reference == reference and r.status in GONE]
    lost = any(d.reference == reference and d.status is DisputeStatus.LOST for d in deal.disputes)
    if by_disputes_only:
        about = [refund for refund in about if lost and not refund.requested_by]
    return sum(refund.amount.amount_minor for refund in about)


def at_the_bank(deal: Deal, reference: str) -> int:
    """What a payer's bank has: for now, or for good."""
    about = [d for d in deal.disputes if d.reference == reference and d.status is not DisputeStatus.WON]
    return sum(dispute.amount.amount_minor for dispute in about)


def is_disputed(deal: Deal) -> bool:
    return any(dispute.status is DisputeStatus.OPEN for dispute in deal.disputes)


def kept(deal: Deal, *, by_disputes_only: bool = False) -> int:
    """What is there of the payments that settled something; what was over goes first."""
    return sum(_kept_of(deal, payment, by_disputes_only) for payment in deal.payments if payment.settled)


def billed(deal: Deal) -> int:
    """What the customer is asked for in all: by the newest invoice less its memos, or by the quote."""
    live = [invoice for invoice in deal.invoices if invoice.status not in NOT_BILLED]
    if not live:
        return deal.quote.net_total.amount_minor if deal.quote else 0
    newest = live[-1]
    memos = [credit for credit in deal.credits if credit.memo.invoice_id == newest.draft.invoice_id]
    return newest.total_minor - sum(credit.total_minor or 0 for credit in memos)


def accepted(deal: Deal) -> int:
    """By how much the newest invoice may fall short, as finance has said."""
    live = [invoice for invoice in deal.invoices if invoice.status not in NOT_BILLED]
    return live[-1].accepted_minor if live else 0


def stands(deal: Deal, invoice: Invoice) -> bool:
    """Whether something of an invoice is left that no posted memo has taken back."""
    memos = [credit.memo for credit in deal.credits if credit.status is CreditStatus.POSTED]
    taken = sum(memo.total_minor for memo in memos if memo.invoice_id == invoice.draft.invoice_id)
    return taken < invoice.draft.total_minor


def _kept_of(deal: Deal, payment: Payment, by_disputes_only: bool) -> int:
    assert payment.settled is not None
    brought, reference = payment.settled.amount_minor, payment.reference
    if not reference:
        return brought
    left = came(deal, reference) - at_the_bank(deal, reference)
    left -= given_back(deal, reference, by_disputes_only=by_disputes_only)
    return min(brought, max(0, left))
