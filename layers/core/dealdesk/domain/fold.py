"""How each event changes a deal. The snapshot in the table is nothing but this fold and can be rebuilt from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from dealdesk.domain import events as e
from dealdesk.domain.deal import (
    Credit,
    Deal,
    Dispute,
    Envelope,
    Escalation,
    Intent,
    Invoice,
    Payment,
    Refund,
    Round,
    Unapplied,
)
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

CRM = "crm"


def fold(deal: Deal, happened: Iterable[e.Event], at: datetime) -> Deal:
    """`deal` after `happened`; version and chain are the recorder's business (`domain/chain.py`)."""
    for event in happened:
        deal = replace(apply(deal, event, at), updated_at=at)
    return deal


def apply(deal: Deal, event: e.Event, at: datetime) -> Deal:
    match event:
        case (
            e.QuoteReceived()
            | e.QuoteEvaluated()
            | e.DetailsChanged()
            | e.QuoteRefused()
            | e.GuardrailViolated()
            | e.DealTouched()
            | e.DealClosed()
        ):
            return _about_the_quote(deal, event, at)
        case (
            e.ApprovalRequested()
            | e.ApprovalAnswered()
            | e.ApprovalGranted()
            | e.ApprovalRejected()
            | e.ApprovalReminded()
            | e.ApprovalEscalated()
            | e.ApprovalExpired()
            | e.DealApproved()
            | e.DealRecalled()
        ):
            return _about_approval(deal, event, at)
        case (
            e.EnvelopeRequested()
            | e.EnvelopeSent()
            | e.EnvelopeReported()
            | e.EnvelopeCompleted()
            | e.EnvelopeDeclined()
            | e.EnvelopeVoided()
            | e.EnvelopeVoidRequested()
        ):
            return _about_signature(deal, event, at)
        case (
            e.PaymentRequested()
            | e.PaymentLinkCreated()
            | e.PaymentReported()
            | e.PaymentApproved()
            | e.PaymentProcessing()
            | e.PaymentSucceeded()
            | e.PaymentFailed()
            | e.PaymentUnmatched()
            | e.PaymentCancelRequested()
            | e.PaymentRolledBack()
        ):
            return _about_payment(deal, event, at)
        case (
            e.RefundRequested()
            | e.RefundApproved()
            | e.RefundRejected()
            | e.RefundSubmitted()
            | e.RefundFailed()
            | e.PaymentRefunded()
            | e.PaymentDisputed()
        ):
            return _about_money_back(deal, event, at)
        case (
            e.InvoiceStaged()
            | e.InvoiceApproved()
            | e.InvoiceRejected()
            | e.PostingRequested()
            | e.InvoicePosted()
            | e.InvoiceFailed()
            | e.InvoiceDiffers()
            | e.InvoiceDifferenceAccepted()
        ):
            return _about_invoice(deal, event, at)
        case (
            e.CreditMemoRequested()
            | e.CreditMemoApproved()
            | e.CreditMemoRejected()
            | e.CreditMemoPosted()
            | e.CreditMemoFailed()
        ):
            return _about_credit(deal, event, at)
        case e.IntentAttempted():
            return _change_intent(deal, event.key, attempts=event.attempt, lease_until=event.lease_until)
        case e.IntentInterrupted():
            return _change_intent(deal, event.key, lease_until=event.retry_at)
        case e.EffectFailed():
            return _change_intent(deal, event.key, failed=event.reason, lease_until=None)
        case e.InvoiceReported():
            return deal
        case e.VendorAsked():
            return replace(deal, unread=False) if event.vendor == CRM else deal
        case _:
            assert_never(event)


def _about_the_quote(
    deal: Deal,
    event: e.QuoteReceived
    | e.QuoteEvaluated
    | e.DetailsChanged
    | e.QuoteRefused
    | e.GuardrailViolated
    | e.DealTouched
    | e.DealClosed,
    at: datetime,
) -> Deal:
    match event:
        case e.QuoteReceived():
            return replace(deal, crm=event.crm or deal.crm, submitted_at=event.submitted_at, unread=True)
        case e.QuoteEvaluated():
            editors = tuple(sorted({*deal.editors, event.editor, event.quote.owner_id}))
            return replace(
                deal,
                stage=Stage.EVALUATED,
                owner_id=event.quote.owner_id,
                editors=editors,
                revision=event.revision,
                quote=event.quote,
                decision=event.decision,
                problem="",
                unread=False,
                round=replace(deal.round, closed=True) if deal.round else None,
                certificate=None,
                intents=_unsent(deal),
            )
        case e.DetailsChanged():
            editors = tuple(sorted({*deal.editors, event.editor, event.quote.owner_id}))
            return replace(deal, quote=event.quote, owner_id=event.quote.owner_id, editors=editors, unread=False)
        case e.QuoteRefused():
            return replace(deal, problem=event.reason, unread=False)
        case e.DealTouched():
            return replace(deal, touched_at=at)
        case e.DealClosed():
            return replace(deal, stage=Stage.CLOSED)
        case e.GuardrailViolated():
            return deal


def _about_approval(
    deal: Deal,
    event: e.ApprovalRequested
    | e.ApprovalAnswered
    | e.ApprovalGranted
    | e.ApprovalRejected
    | e.ApprovalReminded
    | e.ApprovalEscalated
    | e.ApprovalExpired
    | e.DealApproved
    | e.DealRecalled,
    at: datetime,
) -> Deal:
    match event:
        case e.ApprovalRequested():
            asked = Round(event.round, event.fingerprint, event.stages, asked_at=at, grants=event.carried)
            return replace(deal, stage=Stage.PENDING_APPROVAL, round=asked)
        case e.ApprovalGranted() if deal.round:
            return replace(deal, round=replace(deal.round, grants=(*deal.round.grants, _grant(event, at))))
        case e.ApprovalRejected() if deal.round:
            ended = replace(deal.round, closed=True, rejected=event.step)
            return replace(deal, stage=Stage.REJECTED, round=ended)
        case e.ApprovalReminded() if deal.round:
            return replace(deal, round=replace(deal.round, reminded=(*deal.round.reminded, event.step)))
        case e.ApprovalEscalated() if deal.round:
            named = () if event.group else event.people  # of a group, the directory says who is in it
            escalations = (*deal.round.escalations, Escalation(event.step, event.rung, named))
            return replace(deal, round=replace(deal.round, escalations=escalations))
        case e.ApprovalExpired():
            closed = replace(deal.round, closed=True) if deal.round else None
            return replace(deal, stage=Stage.EXPIRED, round=closed, certificate=None, intents=_unsent(deal))
        case e.DealApproved():
            closed = replace(deal.round, closed=True) if deal.round else None
            return replace(deal, stage=Stage.APPROVED, round=closed, certificate=event.certificate)
        case e.DealRecalled():
            closed = replace(deal.round, closed=True) if deal.round else None
            return replace(deal, stage=Stage.RECALLED, round=closed, certificate=None, intents=_unsent(deal))
        case _:
            return deal


def _grant(event: e.ApprovalGranted, at: datetime) -> e.Grant:
    return e.Grant(
        step=event.step,
        by=event.by,
        at=at,
        comment=event.comment,
        limits=event.limits,
        scope=event.scope,
        conditions=event.conditions,
        acting_for=event.acting_for,
        seats=event.seats,
    )


def _about_signature(
    deal: Deal,
    event: e.EnvelopeRequested
    | e.EnvelopeSent
    | e.EnvelopeReported
    | e.EnvelopeCompleted
    | e.EnvelopeDeclined
    | e.EnvelopeVoided
    | e.EnvelopeVoidRequested,
    at: datetime,
) -> Deal:
    match event:
        case e.EnvelopeRequested():
            asked = Intent(event.key, Effect.SEND_ENVELOPE, event.fingerprint, at, provider=event.provider)
            return _open_intent(deal, asked)
        case e.EnvelopeSent():
            intent = deal.intent(event.key)
            fingerprint, provider = (intent.subject, intent.provider) if intent else ("", "")
            sent = Envelope(event.envelope_id, event.key, EnvelopeStatus.SENT, fingerprint, provider=provider)
            return _close_intent(replace(deal, stage=Stage.OUT_FOR_SIGNATURE, envelope=sent), event.key)
        case e.EnvelopeReported():
            return deal
        case e.EnvelopeVoidRequested():
            unwanted = Intent(event.key, Effect.VOID_ENVELOPE, event.envelope_id, at, provider=event.provider)
            return _open_intent(deal, unwanted)
        case e.EnvelopeCompleted():
            return _envelope_is(deal, event.envelope_id, EnvelopeStatus.COMPLETED, Stage.SIGNED)
        case e.EnvelopeDeclined():
            return _envelope_is(deal, event.envelope_id, EnvelopeStatus.DECLINED, Stage.APPROVED, event.reason)
        case e.EnvelopeVoided():
            return _envelope_is(deal, event.envelope_id, EnvelopeStatus.VOIDED, Stage.APPROVED, event.reason)


def _envelope_is(deal: Deal, envelope_id: str, status: EnvelopeStatus, stage: Stage, reason: str = "") -> Deal:
    deal = replace(deal, intents=_without(deal, envelope_id))
    if deal.envelope is None or deal.envelope.id != envelope_id:
        return deal
    moved = stage if deal.stage is Stage.OUT_FOR_SIGNATURE else deal.stage
    return replace(deal, stage=moved, envelope=replace(deal.envelope, status=status, reason=reason))


def _about_payment(
    deal: Deal,
    event: e.PaymentRequested
    | e.PaymentLinkCreated
    | e.PaymentReported
    | e.PaymentApproved
    | e.PaymentProcessing
    | e.PaymentSucceeded
    | e.PaymentFailed
    | e.PaymentUnmatched
    | e.PaymentCancelRequested
    | e.PaymentRolledBack,
    at: datetime,
) -> Deal:
    match event:
        case e.PaymentRequested():
            asked = Payment(event.payment_id, event.key, event.provider, event.amount, PaymentStatus.PENDING)
            deal = replace(deal, stage=Stage.AWAITING_PAYMENT, payments=(*deal.payments, asked))
            return _open_intent(deal, Intent(event.key, Effect.CREATE_PAYMENT, event.payment_id, at))
        case e.PaymentLinkCreated():
            deal = _close_intent(deal, event.key)
            return _change_payment(
                deal,
                event.payment_id,
                session_id=event.session_id,
                url=event.url,
                expires_at=event.expires_at,
            )
        case e.PaymentSucceeded():
            deal = replace(deal, stage=Stage.PAID, intents=_without(deal, event.payment_id))
            return _change_payment(
                deal,
                event.payment_id,
                status=PaymentStatus.SUCCEEDED,
                session_id=event.session_id,
                reference=event.vendor_reference,
                reason="",
            )
        case e.PaymentFailed():
            deal = replace(deal, intents=_without(deal, event.payment_id))
            return _change_payment(deal, event.payment_id, status=PaymentStatus.FAILED, reason=event.reason)
        case e.PaymentApproved():
            return _open_intent(deal, Intent(event.key, Effect.CAPTURE_PAYMENT, event.payment_id, at))
        case e.PaymentProcessing():
            return _close_intent(deal, event.key)
        case e.PaymentCancelRequested():
            deal = _close_intent(deal, f"capture:{event.key.removeprefix('cancel:')}")
            return _open_intent(deal, Intent(event.key, Effect.CANCEL_PAYMENT, event.payment_id, at))
        case e.PaymentRolledBack():
            deal = replace(deal, intents=_without(deal, event.payment_id))
            return _change_payment(deal, event.payment_id, status=PaymentStatus.ROLLED_BACK, reason=event.reason)
        case e.PaymentUnmatched():
            arrived = Unapplied(event.payment_id, event.amount, event.vendor_reference, event.reason)
            return replace(deal, unapplied=(*deal.unapplied, arrived))
        case e.PaymentReported():
            return deal


def _about_money_back(
    deal: Deal,
    event: e.RefundRequested
    | e.RefundApproved
    | e.RefundRejected
    | e.RefundSubmitted
    | e.RefundFailed
    | e.PaymentRefunded
    | e.PaymentDisputed,
    at: datetime,
) -> Deal:
    """Refunds and disputes are entries of their own: none of them touches a payment."""
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
            deal = _change_refund(deal, event.refund_id, status=RefundStatus.APPROVED, approved_by=event.by)
            return _open_intent(deal, Intent(event.key, Effect.REFUND_PAYMENT, event.refund_id, at))
        case e.RefundRejected():
            return _change_refund(deal, event.refund_id, status=RefundStatus.REJECTED, reason=event.reason)
        case e.RefundFailed():
            deal = _close_intent(deal, event.key)
            known = {"vendor_id": event.vendor_id} if event.vendor_id else {}
            return _change_refund(deal, event.refund_id, status=RefundStatus.FAILED, reason=event.reason, **known)
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
    deal = _close_intent(deal, event.key)
    if all(refund.id != event.refund_id for refund in deal.refunds):
        made = Refund(event.refund_id, event.payment_id, event.reference, event.amount, status)
        deal = replace(deal, refunds=(*deal.refunds, made))
    return _change_refund(deal, event.refund_id, status=status, amount=event.amount, vendor_id=event.vendor_id)


def _about_invoice(
    deal: Deal,
    event: e.InvoiceStaged
    | e.InvoiceApproved
    | e.InvoiceRejected
    | e.PostingRequested
    | e.InvoicePosted
    | e.InvoiceFailed
    | e.InvoiceDiffers
    | e.InvoiceDifferenceAccepted,
    at: datetime,
) -> Deal:
    match event:
        case e.InvoiceStaged():
            return replace(deal, invoices=(*deal.invoices, Invoice(event.draft, InvoiceStatus.DRAFT, event.by)))
        case e.InvoiceApproved():
            return _change_invoice(deal, event.invoice_id, status=InvoiceStatus.APPROVED, approved_by=event.by)
        case e.InvoiceRejected():
            return _change_invoice(deal, event.invoice_id, status=InvoiceStatus.REJECTED, reason=event.reason)
        case e.PostingRequested():
            return _open_intent(deal, Intent(event.key, Effect.POST_INVOICE, event.invoice_id, at))
        case e.InvoicePosted():
            deal = _close_intent(replace(deal, stage=Stage.INVOICED), event.key)
            posted = {"ledger_id": event.ledger_id, "posted_minor": event.total_minor, "reason": ""}
            return _change_invoice(deal, event.invoice_id, status=InvoiceStatus.POSTED, **posted)
        case e.InvoiceFailed():
            deal = _change_intent(deal, event.key, failed=event.reason, lease_until=None)
            return _change_invoice(deal, event.invoice_id, reason=event.reason)
        case e.InvoiceDiffers():
            return _change_invoice(deal, event.invoice_id, differs=True)
        case e.InvoiceDifferenceAccepted():
            return _change_invoice(deal, event.invoice_id, differs=False, accepted_minor=event.difference_minor)


def _about_credit(
    deal: Deal,
    event: e.CreditMemoRequested
    | e.CreditMemoApproved
    | e.CreditMemoRejected
    | e.CreditMemoPosted
    | e.CreditMemoFailed,
    at: datetime,
) -> Deal:
    """A credit memo is an entry beside its invoice, which stays as it was posted."""
    match event:
        case e.CreditMemoRequested():
            asked = Credit(event.memo, CreditStatus.REQUESTED, event.by, refund_id=event.refund_id)
            return replace(deal, credits=(*deal.credits, asked))
        case e.CreditMemoApproved():
            deal = _change_credit(deal, event.memo_id, status=CreditStatus.APPROVED, approved_by=event.by, reason="")
            return _open_intent(deal, Intent(event.key, Effect.POST_CREDIT_MEMO, event.memo_id, at))
        case e.CreditMemoRejected():
            deal = replace(deal, intents=_without(deal, event.memo_id))
            return _change_credit(deal, event.memo_id, status=CreditStatus.REJECTED, reason=event.reason)
        case e.CreditMemoPosted():
            deal = _close_intent(deal, event.key)
            posted = {"ledger_id": event.ledger_id, "total_minor": event.total_minor}
            return _change_credit(deal, event.memo_id, status=CreditStatus.POSTED, **posted)
        case e.CreditMemoFailed():
            deal = _change_intent(deal, event.key, failed=event.reason, lease_until=None)
            return _change_credit(deal, event.memo_id, status=CreditStatus.FAILED, reason=event.reason)


def _open_intent(deal: Deal, intent: Intent) -> Deal:
    """A failed intent that is asked for again starts afresh but keeps its count, so that it looks up first."""
    known = deal.intent(intent.key)
    if known:
        return _change_intent(deal, intent.key, failed="", lease_until=None)
    return replace(deal, intents=(*deal.intents, intent))


def _close_intent(deal: Deal, key: str) -> Deal:
    return replace(deal, intents=tuple(intent for intent in deal.intents if intent.key != key))


def _unsent(deal: Deal) -> tuple[Intent, ...]:
    """The intents without that to send; one to withdraw an overtaken contract outlives the terms."""
    return tuple(intent for intent in deal.intents if intent.effect is not Effect.SEND_ENVELOPE)


def _without(deal: Deal, subject: str) -> tuple[Intent, ...]:
    return tuple(intent for intent in deal.intents if intent.subject != subject)


def _change_intent(deal: Deal, key: str, **changes: object) -> Deal:
    changed = (replace(i, **changes) if i.key == key else i for i in deal.intents)  # type: ignore[arg-type]
    return replace(deal, intents=tuple(changed))


def _change_payment(deal: Deal, payment_id: str, **changes: object) -> Deal:
    changed = (replace(p, **changes) if p.id == payment_id else p for p in deal.payments)  # type: ignore[arg-type]
    return replace(deal, payments=tuple(changed))


def _change_refund(deal: Deal, refund_id: str, **changes: object) -> Deal:
    changed = (replace(r, **changes) if r.id == refund_id else r for r in deal.refunds)  # type: ignore[arg-type]
    return replace(deal, refunds=tuple(changed))


def _change_credit(deal: Deal, memo_id: str, **changes: object) -> Deal:
    changed = (replace(c, **changes) if c.memo.memo_id == memo_id else c for c in deal.credits)  # type: ignore[arg-type]
    return replace(deal, credits=tuple(changed))


def _change_invoice(deal: Deal, invoice_id: str, **changes: object) -> Deal:
    changed = (
        replace(i, **changes) if i.draft.invoice_id == invoice_id else i  # type: ignore[arg-type]
        for i in deal.invoices
    )
    return replace(deal, invoices=tuple(changed))
