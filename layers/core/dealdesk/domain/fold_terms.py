"""How events change a deal up to the signed contract: the quote, its approval, its envelope."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from dealdesk.domain import events as e
from dealdesk.domain.deal import (
    Deal,
    Envelope,
    Escalation,
    Intent,
    Round,
)
from dealdesk.domain.fold_parts import (
    close_intent,
    open_intent,
    unsent,
    without,
)
from dealdesk.domain.stages import (
    Effect,
    EnvelopeStatus,
    Stage,
)


def about_the_quote(deal: Deal, event: e.QuoteEvent, at: datetime) -> Deal:
    match event:
        case e.QuoteReceived():
            return replace(
                deal, crm=event.crm or deal.crm, submitted_at=event.submitted_at, received_at=at, unread=True
            )
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
                intents=unsent(deal),
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


def about_approval(deal: Deal, event: e.ApprovalEvent, at: datetime) -> Deal:
    match event:
        case e.ApprovalRequested():
            asked = Round(event.round, event.fingerprint, event.stages, asked_at=at, grants=event.carried)
            late = deal.breached and event.clock is None
            return replace(
                deal, stage=Stage.PENDING_APPROVAL, round=asked, clock=event.clock or deal.clock, breached=late
            )
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
        case e.SlaBreached():
            return replace(deal, breached=True)
        case e.ApprovalExpired():
            closed = replace(deal.round, closed=True) if deal.round else None
            return replace(deal, stage=Stage.EXPIRED, round=closed, certificate=None, intents=unsent(deal))
        case e.DealApproved():
            closed = replace(deal.round, closed=True) if deal.round else None
            return replace(deal, stage=Stage.APPROVED, round=closed, certificate=event.certificate)
        case e.DealRecalled():
            closed = replace(deal.round, closed=True) if deal.round else None
            return replace(deal, stage=Stage.RECALLED, round=closed, certificate=None, intents=unsent(deal))
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


def about_signature(deal: Deal, event: e.SignatureEvent, at: datetime) -> Deal:
    match event:
        case e.EnvelopeRequested():
            asked = Intent(event.key, Effect.SEND_ENVELOPE, event.fingerprint, at, provider=event.provider)
            return open_intent(deal, asked)
        case e.EnvelopeSent():
            intent = deal.intent(event.key)
            fingerprint, provider = (intent.subject, intent.provider) if intent else ("", "")
            sent = Envelope(event.envelope_id, event.key, EnvelopeStatus.SENT, fingerprint, provider=provider)
            return close_intent(replace(deal, stage=Stage.OUT_FOR_SIGNATURE, envelope=sent), event.key)
        case e.EnvelopeExpirySet() if deal.envelope and deal.envelope.id == event.envelope_id:
            return replace(deal, envelope=replace(deal.envelope, expires_at=event.expires_at))
        case e.EnvelopeExpirySet() | e.EnvelopeReported() | e.SigningViewRequested():
            return deal
        case e.EnvelopeResendRequested():
            provider = deal.envelope.provider if deal.envelope else ""
            return open_intent(
                deal, Intent(event.key, Effect.RESEND_ENVELOPE, event.envelope_id, at, provider=provider)
            )
        case e.EnvelopeResent():
            return close_intent(deal, event.key)
        case e.EnvelopeVoidRequested():
            unwanted = Intent(event.key, Effect.VOID_ENVELOPE, event.envelope_id, at, provider=event.provider)
            return open_intent(deal, unwanted)
        case e.EnvelopeCompleted():
            return _envelope_is(deal, event.envelope_id, EnvelopeStatus.COMPLETED, Stage.SIGNED)
        case e.EnvelopeDeclined():
            return _envelope_is(deal, event.envelope_id, EnvelopeStatus.DECLINED, Stage.APPROVED, event.reason)
        case e.EnvelopeVoided():
            return _envelope_is(deal, event.envelope_id, EnvelopeStatus.VOIDED, Stage.APPROVED, event.reason)


def _envelope_is(deal: Deal, envelope_id: str, status: EnvelopeStatus, stage: Stage, reason: str = "") -> Deal:
    deal = replace(deal, intents=without(deal, envelope_id))
    if deal.envelope is None or deal.envelope.id != envelope_id:
        return deal
    moved = stage if deal.stage is Stage.OUT_FOR_SIGNATURE else deal.stage
    return replace(deal, stage=moved, envelope=replace(deal.envelope, status=status, reason=reason))
