"""A deal as it stands: what a fold of its events leaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NewType

from dealdesk.domain.decision import Decision
from dealdesk.domain.events import Certificate, CrmRecord, Grant, InvoiceDraft, StageAsked
from dealdesk.domain.money import Money
from dealdesk.domain.quote import Quote
from dealdesk.domain.stages import Effect, EnvelopeStatus, InvoiceStatus, PaymentStatus, Stage

DealId = NewType("DealId", str)


@dataclass(frozen=True, slots=True, repr=False)
class Round:
    """One live approval round of a revision; `closed` when it is granted, rejected or overtaken."""

    number: int
    fingerprint: str
    stages: tuple[StageAsked, ...]
    asked_at: datetime
    grants: tuple[Grant, ...] = ()
    closed: bool = False

    @property
    def open_steps(self) -> tuple[str, ...]:
        """Steps that may be decided now: those of the first stage that is not fully granted."""
        if self.closed:
            return ()
        granted = {grant.step for grant in self.grants}
        for stage in self.stages:
            waiting = tuple(step.id for step in stage.steps if step.id not in granted)
            if waiting:
                return waiting if stage.mode == "parallel" else waiting[:1]
        return ()


@dataclass(frozen=True, slots=True, repr=False)
class Envelope:
    id: str
    key: str
    status: EnvelopeStatus
    fingerprint: str
    reason: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Payment:
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


@dataclass(frozen=True, slots=True, repr=False)
class Invoice:
    draft: InvoiceDraft
    status: InvoiceStatus
    staged_by: str
    approved_by: str | None = None
    ledger_id: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Intent:
    """An outside effect that the desk has promised itself; `key` is made from the fact, never from the attempt."""

    key: str
    effect: Effect
    subject: str
    opened_at: datetime
    attempts: int = 0
    lease_until: datetime | None = None
    failed: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Deal:
    """`version` is the sequence number of the last event, and `last_hash` the end of the chain.

    `unread` is a submission that has not been read back from the CRM; `problem` is why one was refused.
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
    revision: int = 0
    quote: Quote | None = None
    decision: Decision | None = None
    problem: str = ""
    unread: bool = False
    round: Round | None = None
    certificate: Certificate | None = None
    envelope: Envelope | None = None
    payments: tuple[Payment, ...] = ()
    invoices: tuple[Invoice, ...] = ()
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

    def intent(self, key: str) -> Intent | None:
        return next((intent for intent in self.intents if intent.key == key), None)


def waits_for(deal: Deal) -> str | None:
    """The reaction that can move a silent deal on, or None when it waits for a person or for nothing."""
    for intent in deal.intents:
        if not intent.failed:
            return REACTION_OF[intent.effect]
    if deal.stage is Stage.OUT_FOR_SIGNATURE:
        return "request_signature"
    if deal.payment and deal.payment.status is PaymentStatus.PENDING and deal.payment.session_id:
        return "request_payment"
    draft = deal.invoice is not None and deal.invoice.status is InvoiceStatus.DRAFT
    asks_crm = deal.unread or deal.stage is Stage.PENDING_APPROVAL or draft
    return "read_crm" if deal.crm and asks_crm else None


REACTION_OF = {
    Effect.SEND_ENVELOPE: "request_signature",
    Effect.VOID_ENVELOPE: "request_signature",
    Effect.CREATE_PAYMENT: "request_payment",
    Effect.CANCEL_PAYMENT: "request_payment",
    Effect.POST_INVOICE: "post_invoice",
}
