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
    """One approval step of a round: whom it asks."""

    id: str
    label: str
    group: str


@dataclass(frozen=True, slots=True, repr=False)
class StageAsked:
    """Steps that are asked together; a stage opens when the stage before it is granted."""

    mode: str
    steps: tuple[StepAsked, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Limit:
    """What an approver accepted of one rule; `op` is `max`, `min` or `same`, `value` as the decision shows it."""

    rule: str
    line: str | None
    fact: str
    op: str
    value: str


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
    """One approver's yes: to which limits, within which scope, and on which conditions."""

    step: str
    by: str
    at: datetime
    comment: str
    limits: tuple[Limit, ...]
    scope: Scope
    conditions: tuple[Condition, ...] = ()


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


@dataclass(frozen=True, slots=True, repr=False)
class ApprovalExpired:
    """The approval ended before the contract went out; the quote can be submitted again."""

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

    `duplicate` says that the payment had been settled before.
    """

    TYPE: ClassVar[str] = "payment.unmatched"
    payment_id: str
    session_id: str
    amount: Money
    reason: str
    duplicate: bool


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
    """The vendor did not answer clearly; the lease is given back and the next attempt looks up first."""

    TYPE: ClassVar[str] = "intent.interrupted"
    key: str
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class VendorAsked:
    """The deal was silent, the vendor was asked, and nothing had changed."""

    TYPE: ClassVar[str] = "vendor.asked"
    vendor: str
    answer: str


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
    | ApprovalExpired
    | DealApproved
    | DealRecalled
    | EnvelopeRequested
    | EnvelopeSent
    | EnvelopeCompleted
    | EnvelopeDeclined
    | EnvelopeVoided
    | EnvelopeVoidRequested
    | PaymentRequested
    | PaymentLinkCreated
    | PaymentSucceeded
    | PaymentFailed
    | PaymentUnmatched
    | PaymentCancelRequested
    | PaymentRolledBack
    | InvoiceStaged
    | InvoiceApproved
    | InvoiceRejected
    | PostingRequested
    | InvoicePosted
    | InvoiceFailed
    | EffectFailed
    | DealClosed
    | IntentAttempted
    | IntentInterrupted
    | VendorAsked
)

EVENT_TYPES: dict[str, type[Event]] = {event.TYPE: event for event in Event.__args__}
