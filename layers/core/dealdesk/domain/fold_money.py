"""How events change a deal from the first request for money to the last credit memo."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from dealdesk.domain import events as e
from dealdesk.domain.collected import PAID_ONCE, is_covered
from dealdesk.domain.deal import (
    Credit,
    Deal,
    Dispute,
    Intent,
    Invoice,
    Payment,
    Refund,
    Unapplied,
)
from dealdesk.domain.fold_parts import (
    change_credit,
    change_intent,
    change_invoice,
    change_payment,
    change_refund,
    close_intent,
    open_intent,
    without,
)
from dealdesk.domain.stages import (
    CreditStatus,
    DisputeStatus,
    Effect,
    InvoiceStatus,
    PaymentStatus,
    RefundStatus,
    Stage,
)


def about_payment(deal: Deal, event: e.PaymentEvent, at: datetime) -> Deal:
    match event:
        case e.PaymentRequested():
            asked = Payment(event.payment_id, event.key, event.provider, event.amount, PaymentStatus.PENDING)
            stage = deal.stage if deal.stage in PAID_ONCE else Stage.AWAITING_PAYMENT
            deal = replace(deal, stage=stage, payments=(*deal.payments, asked))
            return open_intent(deal, Intent(event.key, Effect.CREATE_PAYMENT, event.payment_id, at))
        case e.PaymentLinkCreated():
            deal = close_intent(deal, event.key)
            return change_payment(
                deal,
                event.payment_id,
                session_id=event.session_id,
                url=event.url,
                expires_at=event.expires_at,
            )
        case e.PaymentSucceeded():
            return _arrived(deal, event, status=PaymentStatus.SUCCEEDED, reason="")
        case e.PaymentPartiallyPaid():
            return _arrived(deal, event, status=PaymentStatus.PARTIALLY_PAID)
        case e.PaymentFailed():
            deal = replace(deal, intents=without(deal, event.payment_id))
            return change_payment(deal, event.payment_id, status=PaymentStatus.FAILED, reason=event.reason)
        case e.PaymentApproved():
            return open_intent(deal, Intent(event.key, Effect.CAPTURE_PAYMENT, event.payment_id, at))
        case e.PaymentProcessing():
            return close_intent(deal, event.key)
        case e.PaymentCancelRequested():
            taking = deal.intent(f"capture:{event.key.removeprefix('cancel:')}")
            # Money that is just being taken may still arrive: what became of it is asked when that is over.
            cancel = Intent(event.key, Effect.CANCEL_PAYMENT, event.payment_id, at)
            if taking:
                deal, cancel = close_intent(deal, taking.key), replace(cancel, lease_until=taking.lease_until)
            return open_intent(deal, cancel)
        case e.PaymentRolledBack():
            deal = replace(deal, intents=without(deal, event.payment_id))
            return change_payment(deal, event.payment_id, status=PaymentStatus.ROLLED_BACK, reason=event.reason)
        case e.PaymentUnmatched():
            arrived = Unapplied(event.payment_id, event.amount, event.vendor_reference, event.reason)
            return replace(deal, unapplied=(*deal.unapplied, arrived))
        case e.PaymentReported():
            return deal


def _arrived(deal: Deal, event: e.PaymentSucceeded | e.PaymentPartiallyPaid, **changes: object) -> Deal:
    deal = replace(deal, intents=without(deal, event.payment_id))
    known = {"session_id": event.session_id, "reference": event.vendor_reference, "received": event.amount}
    return _paid_if_covered(change_payment(deal, event.payment_id, **known, **changes))


def _paid_if_covered(deal: Deal) -> Deal:
    """Several payments may bring the total; the last of them makes the deal cash."""
    return replace(deal, stage=Stage.PAID) if deal.stage not in PAID_ONCE and is_covered(deal) else deal


def about_money_back(deal: Deal, event: e.RefundEvent, at: datetime) -> Deal:
    """Refunds and disputes are entries of their own: none of them touches a payment.

    A refund that bounced may leave the deal with all that it needs after all.
    """
    match event:
        case e.RefundRequested():
            asked = Refund(
                event.refund_id,
                event.payment_id,
                event.reference,
                event.amount,
                RefundStatus.REQUESTED,
                requested_by=event.by,
                reason=event.reason,
            )
            return replace(deal, refunds=(*deal.refunds, asked))
        case e.RefundApproved():
            deal = change_refund(deal, event.refund_id, status=RefundStatus.APPROVED, approved_by=event.by)
            return open_intent(deal, Intent(event.key, Effect.REFUND_PAYMENT, event.refund_id, at))
        case e.RefundRejected():
            return change_refund(deal, event.refund_id, status=RefundStatus.REJECTED, reason=event.reason)
        case e.RefundFailed():
            deal = close_intent(deal, event.key)
            known = {"vendor_id": event.vendor_id} if event.vendor_id else {}
            failed = change_refund(deal, event.refund_id, status=RefundStatus.FAILED, reason=event.reason, **known)
            return _paid_if_covered(failed)
        case e.RefundSubmitted():
            return _refund_is(deal, event, RefundStatus.SUBMITTED)
        case e.PaymentRefunded():
            return _refund_is(deal, event, RefundStatus.SUCCEEDED)
        case e.PaymentDisputed():
            others = tuple(dispute for dispute in deal.disputes if dispute.id != event.dispute_id)
            status = DisputeStatus(event.outcome)
            told = Dispute(
                event.dispute_id, event.payment_id, event.reference, event.amount, status, event.reason, event.fee
            )
            return replace(deal, disputes=(*others, told))


def _refund_is(deal: Deal, event: e.RefundSubmitted | e.PaymentRefunded, status: RefundStatus) -> Deal:
    """What the vendor says of a refund counts, also of one that the desk did not ask for."""
    deal = close_intent(deal, event.key)
    if all(refund.id != event.refund_id for refund in deal.refunds):
        made = Refund(event.refund_id, event.payment_id, event.reference, event.amount, status)
        deal = replace(deal, refunds=(*deal.refunds, made))
    return change_refund(deal, event.refund_id, status=status, amount=event.amount, vendor_id=event.vendor_id)


def about_invoice(deal: Deal, event: e.InvoiceEvent, at: datetime) -> Deal:
    match event:
        case e.InvoiceStaged():
            return replace(deal, invoices=(*deal.invoices, Invoice(event.draft, InvoiceStatus.DRAFT, event.by)))
        case e.InvoiceApproved():
            return change_invoice(deal, event.invoice_id, status=InvoiceStatus.APPROVED, approved_by=event.by)
        case e.InvoiceRejected():
            return change_invoice(deal, event.invoice_id, status=InvoiceStatus.REJECTED, reason=event.reason)
        case e.PostingRequested():
            return open_intent(deal, Intent(event.key, Effect.POST_INVOICE, event.invoice_id, at))
        case e.InvoicePosted():
            stage = deal.stage if deal.stage is Stage.CLOSED else Stage.INVOICED
            deal = close_intent(replace(deal, stage=stage), event.key)
            posted = {"ledger_id": event.ledger_id, "posted_minor": event.total_minor, "reason": ""}
            return change_invoice(deal, event.invoice_id, status=InvoiceStatus.POSTED, **posted)
        case e.InvoiceFailed():
            deal = change_intent(deal, event.key, failed=event.reason, lease_until=None)
            return change_invoice(deal, event.invoice_id, reason=event.reason)
        case e.InvoiceDiffers():
            return change_invoice(deal, event.invoice_id, differs=True)
        case e.InvoiceDifferenceAccepted():
            return change_invoice(deal, event.invoice_id, differs=False, accepted_minor=event.difference_minor)
        case e.InvoiceReported():
            return deal


def about_credit(deal: Deal, event: e.CreditEvent, at: datetime) -> Deal:
    """A credit memo is an entry beside its invoice, which stays as it was posted."""
    match event:
        case e.CreditMemoRequested():
            asked = Credit(event.memo, CreditStatus.REQUESTED, event.by, refund_id=event.refund_id)
            return replace(deal, credits=(*deal.credits, asked))
        case e.CreditMemoApproved():
            deal = change_credit(deal, event.memo_id, status=CreditStatus.APPROVED, approved_by=event.by, reason="")
            return open_intent(deal, Intent(event.key, Effect.POST_CREDIT_MEMO, event.memo_id, at))
        case e.CreditMemoRejected():
            deal = replace(deal, intents=without(deal, event.memo_id))
            return change_credit(deal, event.memo_id, status=CreditStatus.REJECTED, reason=event.reason)
        case e.CreditMemoPosted():
            deal = close_intent(deal, event.key)
            posted = {"ledger_id": event.ledger_id, "total_minor": event.total_minor}
            return change_credit(deal, event.memo_id, status=CreditStatus.POSTED, **posted)
        case e.CreditMemoFailed():
            deal = change_intent(deal, event.key, failed=event.reason, lease_until=None)
            return change_credit(deal, event.memo_id, status=CreditStatus.FAILED, reason=event.reason)
