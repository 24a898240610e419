"""What can happen to a deal, in the past tense; the deal itself is the fold of these.

Each class carries its public name as `TYPE`. Events hold person ids, never names or addresses.
Times are aware UTC, amounts are `Money` in minor units. Without `repr`: to generate it for every class here would take
a third of the time that this module adds to each cold start (make bench: `cold.*`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar

from dealdesk.domain.decision import Decision
from dealdesk.domain.money import Money
from dealdesk.domain.quote import Quote


@dataclass(frozen=True, slots=True, repr=False)
class CrmRecord:
    """The record in the CRM that a deal was made from."""

    system: str
    record_id: str


@dataclass(frozen=True, slots=True, repr=False)
class StepAsked:
    """One approval step of a round: whom it asks, and whom next.

    `needs` is how many people must say yes, None for all of the group; `seats` is what that came to when it was asked.
    """

    id: str
    label: str
    group: str
    needs: int | None = 1
    seats: int = 1
    backups: tuple[str, ...] = ()
    sla_hours: int = 24


@dataclass(frozen=True, slots=True, repr=False)
class StageAsked:
    """Steps that are asked together; a stage opens when the stage before it is granted."""

    mode: str
    steps: tuple[StepAsked, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Limit:
    """What an approver accepted of one rule; `op` is `max`, `min` or `same`, `value` as the decision shows it.

    `group` is what the lines have in common which the rule judges together.
    """

    rule: str
    line: str | None
    fact: str
    op: str
    value: str
    group: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Scope:
    """What a grant covers besides its limits: who buys, what, and how much of it at list price."""

    customer_id: str
    currency: str
    list_total_minor: int
    skus: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Condition:
    """What an approver wants to see first: a fact of the decision at most, at least, or exactly this."""

    fact: str
    op: str
    value: str


@dataclass(frozen=True, slots=True, repr=False)
class Grant:
    """One approver's yes: to which limits, within which scope, and on which conditions.

    `acting_for` are the people in whose place they decided, the one whose right it is last; `seats` is how many
    people the step needed then.
    """

    step: str
    by: str
    at: datetime
    comment: str
    limits: tuple[Limit, ...]
    scope: Scope
    conditions: tuple[Condition, ...] = ()
    acting_for: tuple[str, ...] = ()
    seats: int = 1


@dataclass(frozen=True, slots=True, repr=False)
class Certificate:
    """Permission for outside effects, bound to the terms by their fingerprint."""

    fingerprint: str
    policy_id: str
    policy_version: int
    policy_hash: str
    grants: tuple[Grant, ...]
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class InvoiceLine:
    """A line of the draft; `amount_minor` is net of discount and before tax."""

    line_id: str
    sku: str
    description: str
    quantity: str
    unit_price: str
    amount_minor: int


@dataclass(frozen=True, slots=True, repr=False)
class InvoiceDraft:
    """What finance approves and the ledger gets; `digest` freezes the content.

    `terms` says how `terms_days` count where it is not plain "net N", like "EOM+15" (`invoices.terms_of`).
    """

    invoice_id: str
    number: str
    ledger: str
    customer_id: str
    customer_name: str
    currency: str
    lines: tuple[InvoiceLine, ...]
    total_minor: int
    terms_days: int
    digest: str
    terms: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class CreditMemo:
    """What takes back lines of a posted invoice, in part or in full; amounts are positive, and before tax."""

    memo_id: str
    number: str
    invoice_id: str
    invoice_number: str
    invoice_ledger_id: str
    customer_id: str
    customer_name: str
    currency: str
    lines: tuple[InvoiceLine, ...]
    total_minor: int
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class QuoteReceived:
    TYPE: ClassVar[str] = "deal.received"
    crm: CrmRecord | None
    submitted_at: datetime
    submitted_by: str | None


@dataclass(frozen=True, slots=True, repr=False)
class QuoteEvaluated:
    TYPE: ClassVar[str] = "deal.evaluated"
    revision: int
    quote: Quote
    decision: Decision
    editor: str


@dataclass(frozen=True, slots=True, repr=False)
class DetailsChanged:
    """The name, the contact or the owner changed; the terms are as they were."""

    TYPE: ClassVar[str] = "deal.details_changed"
    quote: Quote
    editor: str


@dataclass(frozen=True, slots=True, repr=False)
class QuoteRefused:
    """A quote that the CRM sent cannot be judged, or comes too late; the rep is told why."""

    TYPE: ClassVar[str] = "deal.quote_refused"
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class DealTouched:
    """The first act of a person other than those who asked; `wait_seconds` is calendar time since submission."""

    TYPE: ClassVar[str] = "deal.touched"
    by: str
    wait_seconds: int


@dataclass(frozen=True, slots=True, repr=False)
class GuardrailViolated:
    TYPE: ClassVar[str] = "guardrail.violated"
    revision: int
    outcome: str
    rules: tuple[str, ...]
    messages: tuple[str, ...]
    what_would_pass: str


@dataclass(frozen=True, slots=True, repr=False)
class ApprovalRequested:
    """`carried` are grants of earlier terms that these terms are no worse than."""

    TYPE: ClassVar[str] = "approval.requested"
    round: int
    fingerprint: str
    stages: tuple[StageAsked, ...]
    carried: tuple[Grant, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class ApprovalAnswered:
    """The CRM says that an approval record was decided; it is read back before anything moves."""

    TYPE: ClassVar[str] = "approval.answered"
    approval_key: str
    record_id: str


@dataclass(frozen=True, slots=True, repr=False)
class ApprovalGranted:
    """`wait_seconds` is calendar time since the round was asked for."""

    TYPE: ClassVar[str] = "approval.granted"
    round: int
    step: str
    by: str
    fingerprint: str
    comment: str
    wait_seconds: int
    limits: tuple[Limit, ...]
    scope: Scope
    conditions: tuple[Condition, ...] = ()
    acting_for: tuple[str, ...] = ()
    seats: int = 1


@dataclass(frozen=True, slots=True, repr=False)
class ApprovalReminded:
    """Half of the step's time has passed without an answer; `people` are those who can give it, where known."""

    TYPE: ClassVar[str] = "approval.reminded"
    round: int
    step: str
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class ApprovalEscalated:
    """The step is open to more people: the next `rung` of its ladder, which is `group` or `people`.

    Nobody is taken away, and silence approves nothing. With neither group nor people, an administrator has to act.
    """

    TYPE: ClassVar[str] = "approval.escalated"
    round: int
    step: str
    rung: int
    group: str | None
    people: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class ApprovalExpired:
    """The approval, or the wait for it, ended before the contract went out; the quote can be submitted again."""

    TYPE: ClassVar[str] = "approval.expired"
    expired_at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class ApprovalRejected:
    TYPE: ClassVar[str] = "approval.rejected"
    round: int
    step: str
    by: str
    fingerprint: str
    comment: str


@dataclass(frozen=True, slots=True, repr=False)
class DealApproved:
    TYPE: ClassVar[str] = "deal.approved"
    certificate: Certificate


@dataclass(frozen=True, slots=True, repr=False)
class DealRecalled:
    TYPE: ClassVar[str] = "deal.recalled"
    by: str


@dataclass(frozen=True, slots=True, repr=False)
class EnvelopeRequested:
    TYPE: ClassVar[str] = "document.requested"
    key: str
    provider: str
    fingerprint: str


@dataclass(frozen=True, slots=True, repr=False)
class EnvelopeSent:
    TYPE: ClassVar[str] = "document.sent"
    key: str
    envelope_id: str


@dataclass(frozen=True, slots=True, repr=False)
class EnvelopeReported:
    """The vendor says, without proof, that something became of this envelope; it is asked before anything moves."""

    TYPE: ClassVar[str] = "document.reported"
    envelope_id: str
    key: str
    said: str


@dataclass(frozen=True, slots=True, repr=False)
class EnvelopeCompleted:
    TYPE: ClassVar[str] = "document.completed"
    envelope_id: str
    completed_at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class EnvelopeDeclined:
    TYPE: ClassVar[str] = "document.declined"
    envelope_id: str
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class EnvelopeVoided:
    TYPE: ClassVar[str] = "document.voided"
    envelope_id: str
    reason: str
    expired: bool


@dataclass(frozen=True, slots=True, repr=False)
class EnvelopeVoidRequested:
    TYPE: ClassVar[str] = "document.void_requested"
    key: str
    envelope_id: str
    reason: str
    provider: str = ""


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
class PaymentFailed:
    """`code` is `expired`, `declined` or `refused`; a new attempt is a new payment."""

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


@dataclass(frozen=True, slots=True, repr=False)
class InvoiceStaged:
    """`by` is the person who staged it, or `system:desk` when it followed the payment by itself."""

    TYPE: ClassVar[str] = "invoice.staged"
    draft: InvoiceDraft
    by: str


@dataclass(frozen=True, slots=True, repr=False)
class InvoiceApproved:
    TYPE: ClassVar[str] = "invoice.approved"
    invoice_id: str
    digest: str
    by: str


@dataclass(frozen=True, slots=True, repr=False)
class InvoiceRejected:
    TYPE: ClassVar[str] = "invoice.rejected"
    invoice_id: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class PostingRequested:
    TYPE: ClassVar[str] = "invoice.posting_requested"
    key: str
    invoice_id: str
    ledger: str


@dataclass(frozen=True, slots=True, repr=False)
class InvoicePosted:
    TYPE: ClassVar[str] = "invoice.posted"
    key: str
    invoice_id: str
    number: str
    ledger_id: str
    total_minor: int
    due_on: date


@dataclass(frozen=True, slots=True, repr=False)
class InvoiceDiffers:
    """The ledger's total, with tax, is not what was collected; `difference_minor` is above zero where more is due."""

    TYPE: ClassVar[str] = "invoice.differs"
    invoice_id: str
    total_minor: int
    collected_minor: int
    currency: str
    difference_minor: int


@dataclass(frozen=True, slots=True, repr=False)
class InvoiceDifferenceAccepted:
    """Finance takes exactly this difference as it is."""

    TYPE: ClassVar[str] = "invoice.difference_accepted"
    invoice_id: str
    difference_minor: int
    by: str
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class CreditMemoRequested:
    """Somebody wants to take back lines of a posted invoice; `refund_id` is the refund that goes with it, if any."""

    TYPE: ClassVar[str] = "credit_memo.requested"
    memo: CreditMemo
    by: str
    refund_id: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class CreditMemoApproved:
    """Somebody else of finance has agreed; `key` is the intent to post the memo."""

    TYPE: ClassVar[str] = "credit_memo.approved"
    key: str
    memo_id: str
    by: str


@dataclass(frozen=True, slots=True, repr=False)
class CreditMemoRejected:
    TYPE: ClassVar[str] = "credit_memo.rejected"
    memo_id: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class CreditMemoPosted:
    """`total_minor` is what the ledger credits, with the tax of the lines."""

    TYPE: ClassVar[str] = "credit_memo.posted"
    key: str
    memo_id: str
    number: str
    ledger_id: str
    total_minor: int
    posted_on: date


@dataclass(frozen=True, slots=True, repr=False)
class CreditMemoFailed:
    TYPE: ClassVar[str] = "credit_memo.failed"
    key: str
    memo_id: str
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class EffectFailed:
    """A vendor refused for good; a person must change something before it is asked again."""

    TYPE: ClassVar[str] = "intent.failed"
    key: str
    effect: str
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class InvoiceFailed:
    TYPE: ClassVar[str] = "invoice.failed"
    key: str
    invoice_id: str
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class DealClosed:
    TYPE: ClassVar[str] = "deal.closed"
    quote_to_cash_hours: str


@dataclass(frozen=True, slots=True, repr=False)
class IntentAttempted:
    """A worker took the lease of an intent and is about to call the vendor."""

    TYPE: ClassVar[str] = "intent.attempted"
    key: str
    attempt: int
    lease_until: datetime


@dataclass(frozen=True, slots=True, repr=False)
class IntentInterrupted:
    """The vendor did not answer clearly; the lease ends at `retry_at`, or at once, and the next attempt looks up first.

    A vendor that shows what it has made only after a while must not be looked up before.
    """

    TYPE: ClassVar[str] = "intent.interrupted"
    key: str
    reason: str
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True, repr=False)
class VendorAsked:
    """The deal was silent, the vendor was asked, and nothing had changed."""

    TYPE: ClassVar[str] = "vendor.asked"
    vendor: str
    answer: str


@dataclass(frozen=True, slots=True, repr=False)
class InvoiceReported:
    """The ledger says that somebody has touched our invoice, and what it reads now: a hint that moves nothing."""

    TYPE: ClassVar[str] = "invoice.reported"
    invoice_id: str
    ledger_id: str
    said: str


Event = (
    QuoteReceived
    | QuoteEvaluated
    | DetailsChanged
    | QuoteRefused
    | DealTouched
    | GuardrailViolated
    | ApprovalRequested
    | ApprovalAnswered
    | ApprovalGranted
    | ApprovalRejected
    | ApprovalReminded
    | ApprovalEscalated
    | ApprovalExpired
    | DealApproved
    | DealRecalled
    | EnvelopeRequested
    | EnvelopeSent
    | EnvelopeReported
    | EnvelopeCompleted
    | EnvelopeDeclined
    | EnvelopeVoided
    | EnvelopeVoidRequested
    | PaymentRequested
    | PaymentLinkCreated
    | PaymentReported
    | PaymentApproved
    | PaymentProcessing
    | PaymentSucceeded
    | PaymentFailed
    | PaymentUnmatched
    | PaymentCancelRequested
    | PaymentRolledBack
    | RefundRequested
    | RefundApproved
    | RefundRejected
    | RefundSubmitted
    | RefundFailed
    | PaymentRefunded
    | PaymentDisputed
    | InvoiceStaged
    | InvoiceApproved
    | InvoiceRejected
    | PostingRequested
    | InvoicePosted
    | InvoiceFailed
    | InvoiceDiffers
    | InvoiceDifferenceAccepted
    | CreditMemoRequested
    | CreditMemoApproved
    | CreditMemoRejected
    | CreditMemoPosted
    | CreditMemoFailed
    | EffectFailed
    | DealClosed
    | IntentAttempted
    | IntentInterrupted
    | VendorAsked
    | InvoiceReported
)

EVENT_TYPES: dict[str, type[Event]] = {event.TYPE: event for event in Event.__args__}
