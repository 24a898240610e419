"""The names of the states that people and other systems hold on to."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    DRAFT = "draft"
    EVALUATED = "evaluated"
    PENDING_APPROVAL = "pending_approval"
    APPROVED = "approved"
    OUT_FOR_SIGNATURE = "out_for_signature"
    SIGNED = "signed"
    AWAITING_PAYMENT = "awaiting_payment"
    PAID = "paid"
    INVOICED = "invoiced"
    CLOSED = "closed"
    REJECTED = "rejected"
    RECALLED = "recalled"
    EXPIRED = "expired"
    LOST = "lost"


class EnvelopeStatus(StrEnum):
    SENT = "sent"
    COMPLETED = "completed"
    DECLINED = "declined"
    VOIDED = "voided"


class PaymentStatus(StrEnum):
    """`PARTIALLY_PAID` has ended: its link was used, and less arrived than was asked. The rest is another payment."""

    PENDING = "PENDING"
    PARTIALLY_PAID = "PARTIALLY_PAID"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    ROLLED_BACK = "ROLLED_BACK"


class RefundStatus(StrEnum):
    """`SUBMITTED` is with the provider and has not arrived; `FAILED` also for one that bounced."""

    REQUESTED = "REQUESTED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    SUBMITTED = "SUBMITTED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class DisputeStatus(StrEnum):
    OPEN = "OPEN"
    WON = "WON"
    LOST = "LOST"


class InvoiceStatus(StrEnum):
    DRAFT = "DRAFT"
    APPROVED = "APPROVED"
    POSTED = "POSTED"
    REJECTED = "REJECTED"
    VOIDED = "VOIDED"


class CreditStatus(StrEnum):
    """`FAILED` was refused by the ledger: it can be approved again, under the same number, or rejected."""

    REQUESTED = "REQUESTED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    POSTED = "POSTED"
    FAILED = "FAILED"


class Effect(StrEnum):
    """What the desk does outside; the value names the reaction that does it."""

    SEND_ENVELOPE = "send_envelope"
    VOID_ENVELOPE = "void_envelope"
    RESEND_ENVELOPE = "resend_envelope"
    CREATE_PAYMENT = "create_payment"
    CAPTURE_PAYMENT = "capture_payment"
    CANCEL_PAYMENT = "cancel_payment"
    REFUND_PAYMENT = "refund_payment"
    POST_INVOICE = "post_invoice"
    POST_CREDIT_MEMO = "post_credit_memo"
