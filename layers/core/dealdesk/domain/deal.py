"""A deal as it stands: what a fold of its events leaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NewType

from dealdesk.domain.decision import Decision
from dealdesk.domain.events import (
    Certificate,
    CreditMemo,
    CrmRecord,
    Grant,
    InvoiceDraft,
    StageAsked,
    StepAsked,
    TouchClock,
)
from dealdesk.domain.money import Money
from dealdesk.domain.quote import Quote
from dealdesk.domain.stages import (
    CreditStatus,
    DisputeStatus,
    Effect,
    EnvelopeStatus,
    InvoiceStatus,
    PaymentStatus,
    RefundStatus,
    Stage,
)

DealId = NewType("DealId", str)
DISPUTES_ASKED_EVERY = timedelta(days=1)


@dataclass(frozen=True, slots=True, repr=False)
class Escalation:
    """How far up its ladder a step was taken, rung 0 being the group that it asks first, or who was named for it."""

    step: str
    rung: int
    people: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Round:
    """One live approval round of a revision; `closed` when it is granted, rejected or overtaken.

    `rejected` is the step that said no.
    """

    number: int
    fingerprint: str
    stages: tuple[StageAsked, ...]
    asked_at: datetime
    grants: tuple[Grant, ...] = ()
    closed: bool = False
    reminded: tuple[str, ...] = ()
    escalations: tuple[Escalation, ...] = ()
    rejected: str = ""

    @property
    def open_steps(self) -> tuple[str, ...]:
        """Steps that may be decided now: those of the first stage that is not fully granted."""
        if self.closed:
            return ()
        for stage in self.stages:
            waiting = tuple(step.id for step in stage.steps if not self.is_granted(step.id))
            if waiting:
                return waiting if stage.mode == "parallel" else waiting[:1]
        return ()

    @property
    def steps(self) -> dict[str, StepAsked]:
        """Every step that is asked, in the order of the route."""
        return {step.id: step for stage in self.stages for step in stage.steps}

    def is_granted(self, step: str) -> bool:
        """Whether as many people said yes as the step needed when the last of them did."""
        given = [grant for grant in self.grants if grant.step == step]
        return bool(given) and len(given) >= given[-1].seats

    def escalated(self, step: str) -> int:
        """The highest rung to which the step was escalated, 0 for none."""
        return max((escalation.rung for escalation in self.escalations if escalation.step == step), default=0)

    def named_for(self, step: str) -> tuple[str, ...]:
        """The people to whom the step was opened by name."""
        return tuple(person for asked in self.escalations if asked.step == step for person in asked.people)

    def opened_at(self, step: str) -> datetime:
        """When the step could first be decided: when the round began, or the step before it was granted."""
        began = self.asked_at
        for stage in self.stages:
            ids = [asked.id for asked in stage.steps]
            before = ids[: ids.index(step)] if step in ids else ids
            if stage.mode == "parallel" and step in ids:
                before = []
            began = max([began, *(grant.at for grant in self.grants if grant.step in before)])
            if step in ids:
                break
        return began


@dataclass(frozen=True, slots=True, repr=False)
class Envelope:
    id: str
    key: str
    status: EnvelopeStatus
    fingerprint: str
    reason: str = ""
    expires_at: datetime | None = None
    provider: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Payment:
    """`amount` is what was asked, `received` what arrived and counts towards what is due."""

    id: str
    key: str
    provider: str
    amount: Money
    status: PaymentStatus
    session_id: str | None = None
    url: str | None = None
    expires_at: datetime | None = None
    reference: str | None = None
    reason: str = ""
    received: Money | None = None

    @property
    def settled(self) -> Money | None:
        """What it has brought of what is due; None for one that has brought nothing."""
        if self.received is None and self.status is PaymentStatus.SUCCEEDED:
            return self.amount
        return self.received


@dataclass(frozen=True, slots=True, repr=False)
class Unapplied:
    """Money that arrived and settles nothing: the customer's, until a person decides."""

    payment_id: str
    amount: Money
    reference: str
    reason: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Refund:
    """An entry of its own beside the money with `reference`; one that was made at the provider was asked by nobody."""

    id: str
    payment_id: str
    reference: str
    amount: Money
    status: RefundStatus
    requested_by: str = ""
    approved_by: str | None = None
    vendor_id: str | None = None
    reason: str = ""

    @property
    def key(self) -> str:
        return f"refund:{self.id}"


@dataclass(frozen=True, slots=True, repr=False)
class Dispute:
    """A chargeback: the payer's bank has taken the amount back, for good when it is lost."""

    id: str
    payment_id: str
    reference: str
    amount: Money
    status: DisputeStatus
    reason: str = ""
    fee: Money | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Invoice:
    """`posted_minor` is the ledger's total, with tax; `accepted_minor` the difference to what was collected that
    finance has accepted.
    """

    draft: InvoiceDraft
    status: InvoiceStatus
    staged_by: str
    approved_by: str | None = None
    ledger_id: str | None = None
    reason: str = ""
    posted_minor: int | None = None
    accepted_minor: int = 0
    differs: bool = False

    @property
    def total_minor(self) -> int:
        return self.draft.total_minor if self.posted_minor is None else self.posted_minor


@dataclass(frozen=True, slots=True, repr=False)
class Credit:
    """A credit memo and where it stands; the invoice that it takes lines of back stays as it was posted."""

    memo: CreditMemo
    status: CreditStatus
    requested_by: str
    approved_by: str | None = None
    refund_id: str = ""
    ledger_id: str | None = None
    total_minor: int | None = None
    reason: str = ""

    @property
    def key(self) -> str:
        return f"credit:{self.memo.memo_id}"


@dataclass(frozen=True, slots=True, repr=False)
class Intent:
    """An outside effect that the desk has promised itself; `key` is made from the fact, never from the attempt.

    `provider` is who signs; the provider of a payment or of an invoice stands there.
    """

    key: str
    effect: Effect
    subject: str
    opened_at: datetime
    attempts: int = 0
    lease_until: datetime | None = None
    failed: str = ""
    provider: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Deal:
    """`version` is the sequence number of the last event, and `last_hash` the end of the chain.

    `unread` is a submission that has not been read back from the CRM, `received_at` when the newest was recorded;
    `problem` is why one was refused. `clock` runs from when the deal first needed people until somebody touches it;
    `breached` when that was too late.
    """

    id: DealId
    version: int = 0
    last_hash: str = ""
    stage: Stage = Stage.DRAFT
    crm: CrmRecord | None = None
    owner_id: str | None = None
    editors: tuple[str, ...] = ()
    submitted_at: datetime | None = None
    updated_at: datetime | None = None
    touched_at: datetime | None = None
    clock: TouchClock | None = None
    breached: bool = False
    revision: int = 0
    quote: Quote | None = None
    decision: Decision | None = None
    problem: str = ""
    unread: bool = False
    received_at: datetime | None = None
    round: Round | None = None
    certificate: Certificate | None = None
    envelope: Envelope | None = None
    payments: tuple[Payment, ...] = ()
    unapplied: tuple[Unapplied, ...] = ()
    refunds: tuple[Refund, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    invoices: tuple[Invoice, ...] = ()
    credits: tuple[Credit, ...] = ()
    intents: tuple[Intent, ...] = field(default=())

    @property
    def fingerprint(self) -> str | None:
        return self.decision.fingerprint if self.decision else None

    @property
    def payment(self) -> Payment | None:
        """The payment that counts: the newest."""
        return self.payments[-1] if self.payments else None

    @property
    def invoice(self) -> Invoice | None:
        return self.invoices[-1] if self.invoices else None

    @property
    def is_disputed(self) -> bool:
        """Whether the payer's bank has money that is still argued about: nobody is asked to pay meanwhile."""
        return any(dispute.status is DisputeStatus.OPEN for dispute in self.disputes)

    def wants(self, intent: Intent) -> bool:
        """Whether it is to be carried out now: it has not failed, and asks nobody to pay while money is disputed."""
        return not intent.failed and not (intent.effect is Effect.CREATE_PAYMENT and self.is_disputed)

    def intent(self, key: str) -> Intent | None:
        return next((intent for intent in self.intents if intent.key == key), None)


def look_again_at(deal: Deal) -> datetime | None:
    """When a round that waits for people first needs a look: its touch is late, a reminder falls due, at the earliest,
    or the round ends.

    By the clock on the wall: business time runs no faster. None when nobody is asked.
    """
    live = deal.round
    if live is None or live.closed or deal.stage is not Stage.PENDING_APPROVAL or deal.decision is None:
        return None
    steps = live.steps
    halves = [live.opened_at(step) + timedelta(hours=steps[step].sla_hours) / 2 for step in live.open_steps]
    touch = [deal.clock.due_at] if deal.clock and not deal.touched_at and not deal.breached else []
    return min([live.asked_at + timedelta(days=deal.decision.valid_days), *halves, *touch])


def waits_for(deal: Deal) -> str | None:
    """The reaction that can move a silent deal on, or None when it waits for a person or for nothing.

    One that waits for several has them asked in turn: every asking is a change, which moves the version.
    """
    reactions = list(dict.fromkeys([*_moved_by(deal), *(["request_payment"] if deal.is_disputed else [])]))
    return reactions[deal.version % len(reactions)] if reactions else None


def may_be_silent_for(deal: Deal) -> timedelta:
    """How long at least nobody asks: only a dispute is open, which takes weeks."""
    return timedelta(0) if _moved_by(deal) else DISPUTES_ASKED_EVERY


def _moved_by(deal: Deal) -> list[str]:
    """What is asked about soon; an open dispute alone can wait for a day."""
    for intent in deal.intents:
        if deal.wants(intent):
            return [REACTION_OF[intent.effect]]
    if deal.stage is Stage.OUT_FOR_SIGNATURE:
        return ["request_signature"]
    unpaid = deal.payment and deal.payment.status is PaymentStatus.PENDING and deal.payment.session_id
    draft = deal.invoice is not None and deal.invoice.status is InvoiceStatus.DRAFT
    asks_crm = deal.unread or deal.stage is Stage.PENDING_APPROVAL or draft
    on_its_way = any(refund.status is RefundStatus.SUBMITTED and refund.requested_by for refund in deal.refunds)
    of_payment = ["request_payment"] if (unpaid and not deal.is_disputed) or on_its_way else []
    return [*of_payment, *(["read_crm"] if deal.crm and asks_crm else [])]


REACTION_OF = {
    Effect.SEND_ENVELOPE: "request_signature",
    Effect.VOID_ENVELOPE: "request_signature",
    Effect.RESEND_ENVELOPE: "request_signature",
    Effect.CREATE_PAYMENT: "request_payment",
    Effect.CAPTURE_PAYMENT: "request_payment",
    Effect.CANCEL_PAYMENT: "request_payment",
    Effect.REFUND_PAYMENT: "request_payment",
    Effect.POST_INVOICE: "post_invoice",
    Effect.POST_CREDIT_MEMO: "post_invoice",
}
