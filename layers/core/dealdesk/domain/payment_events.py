"""What happens to money: asked for, arrived, taken back, given back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from dealdesk.domain.money import Money


@dataclass(frozen=True, slots=True, repr=False)
class PaymentRequested:
    TYPE: ClassVar[str] = "payment.requested"
    key: str
    payment_id: str
    provider: str
    amount: Money
    fingerprint: str


@dataclass(frozen=True, slots=True, repr=False)
class PaymentLinkCreated:
    TYPE: ClassVar[str] = "payment.link_created"
    key: str
    payment_id: str
    session_id: str
    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class PaymentReported:
    """The vendor says that something happened to a payment; it is asked before money moves. `said` is its word."""

    TYPE: ClassVar[str] = "payment.reported"
    payment_id: str
    session_id: str
    said: str


@dataclass(frozen=True, slots=True, repr=False)
class PaymentApproved:
    """The payer has agreed at the vendor; `key` is the intent to take the money, of which none has moved yet."""

    TYPE: ClassVar[str] = "payment.approved"
    key: str
    payment_id: str
    session_id: str


@dataclass(frozen=True, slots=True, repr=False)
class PaymentProcessing:
    """The money was taken and is on its way; it may still bounce."""

    TYPE: ClassVar[str] = "payment.processing"
    key: str
    payment_id: str


@dataclass(frozen=True, slots=True, repr=False)
class PaymentSucceeded:
    TYPE: ClassVar[str] = "payment.succeeded"
    payment_id: str
    session_id: str
    amount: Money
    vendor_reference: str


@dataclass(frozen=True, slots=True, repr=False)
class PaymentPartiallyPaid:
    """Less has arrived than was asked: it counts towards what is due, and the rest is asked for by another payment."""

    TYPE: ClassVar[str] = "payment.partially_paid"
    payment_id: str
    session_id: str
    amount: Money
    vendor_reference: str


@dataclass(frozen=True, slots=True, repr=False)
class PaymentFailed:
    """`code` is `expired`, `declined`, `refused`, or `mismatched` for a link that brought money which does not fit.

    A new attempt is a new payment.
    """

    TYPE: ClassVar[str] = "payment.failed"
    payment_id: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class PaymentUnmatched:
    """Money arrived that does not settle the deal: kept as unapplied credit, for a person to decide.

    `duplicate` says that the payment had been settled before; by `vendor_reference` the same money is known again.
    """

    TYPE: ClassVar[str] = "payment.unmatched"
    payment_id: str
    session_id: str
    amount: Money
    reason: str
    duplicate: bool
    vendor_reference: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class PaymentCancelRequested:
    TYPE: ClassVar[str] = "payment.cancel_requested"
    key: str
    payment_id: str
    session_id: str
    by: str


@dataclass(frozen=True, slots=True, repr=False)
class PaymentRolledBack:
    TYPE: ClassVar[str] = "payment.rolled_back"
    payment_id: str
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class RefundRequested:
    """Somebody wants to give back part or all of the money that the vendor knows by `reference`."""

    TYPE: ClassVar[str] = "refund.requested"
    refund_id: str
    payment_id: str
    reference: str
    amount: Money
    reason: str
    by: str


@dataclass(frozen=True, slots=True, repr=False)
class RefundApproved:
    """Somebody else has agreed; `key` is the intent to give the money back."""

    TYPE: ClassVar[str] = "refund.approved"
    key: str
    refund_id: str
    by: str


@dataclass(frozen=True, slots=True, repr=False)
class RefundRejected:
    TYPE: ClassVar[str] = "refund.rejected"
    refund_id: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class RefundSubmitted:
    """The vendor has taken the refund, and the customer has not got it yet."""

    TYPE: ClassVar[str] = "refund.submitted"
    key: str
    refund_id: str
    payment_id: str
    reference: str
    amount: Money
    vendor_id: str


@dataclass(frozen=True, slots=True, repr=False)
class RefundFailed:
    """No money has gone back: the vendor refused, the refund bounced, or a dispute took the money first."""

    TYPE: ClassVar[str] = "refund.failed"
    key: str
    refund_id: str
    reason: str
    vendor_id: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class PaymentRefunded:
    """Money has gone back: an entry beside the payment, which stays as it is.

    One that was made at the vendor by hand has the vendor's id as its `refund_id`.
    """

    TYPE: ClassVar[str] = "payment.refunded"
    key: str
    refund_id: str
    payment_id: str
    reference: str
    amount: Money
    vendor_id: str


@dataclass(frozen=True, slots=True, repr=False)
class PaymentDisputed:
    """The payer's bank disputes the payment; `outcome` is `OPEN`, and then `WON` or `LOST`.

    `fee` is what the provider has taken for it, where it said so.
    """

    TYPE: ClassVar[str] = "payment.disputed"
    dispute_id: str
    payment_id: str
    reference: str
    amount: Money
    outcome: str
    reason: str
    fee: Money | None = None


PaymentEvent = (
    PaymentRequested
    | PaymentLinkCreated
    | PaymentReported
    | PaymentApproved
    | PaymentProcessing
    | PaymentSucceeded
    | PaymentPartiallyPaid
    | PaymentFailed
    | PaymentUnmatched
    | PaymentCancelRequested
    | PaymentRolledBack
)
RefundEvent = (
    RefundRequested
    | RefundApproved
    | RefundRejected
    | RefundSubmitted
    | RefundFailed
    | PaymentRefunded
    | PaymentDisputed
)
