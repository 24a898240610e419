"""Give approved refunds back, and ask what became of those that have not arrived."""

from __future__ import annotations

from datetime import datetime

from dealdesk.domain import refunds
from dealdesk.domain.deal import Deal, Intent, Refund
from dealdesk.domain.events import EffectFailed, Event, VendorAsked
from dealdesk.domain.stages import RefundStatus
from dealdesk.errors import Conflict, VendorRefused
from dealdesk.ports import Cause, Correction, Deals, Payments, RefundState
from dealdesk.usecases.carry_out import Work
from dealdesk.usecases.change import change


def give_back(provider: Payments) -> Work[RefundState]:
    """How a refund is done. Its gate stands behind the look-up: a refund that was made is found and not given up."""
    return Work(
        actor="system:request_payment",
        gate=lambda *_: None,
        look_up=lambda deal, intent: provider.look_up_refund(intent.key, refunds.find(deal, intent.subject).reference),
        call=lambda deal, intent, _: _call(provider, deal, refunds.find(deal, intent.subject)),
        record=lambda deal, intent, state, _: _told(deal, refunds.find(deal, intent.subject), state),
        refused=_refused,
    )


def ask_about_refunds(deals: Deals, provider: Payments, known: Deal, *, cause: Cause, now: datetime) -> Deal:
    """The vendor's word on refunds that it took and that have not arrived; `VendorAsked` when nothing moved."""
    waiting = [r for r in known.refunds if r.status is RefundStatus.SUBMITTED and r.requested_by]
    states = [(refund, provider.look_up_refund(refund.key, refund.reference)) for refund in waiting]
    if not states:
        return known

    def decide(deal: Deal) -> list[Event]:
        moved = [event for refund, state in states if state for event in _told(deal, refund, state)]
        return moved or [VendorAsked("refund", "pending")]

    return change(deals, known.id, decide, cause=cause, actor="system:chase_stalled", now=now)


def given_back(provider: Payments, known: Deal, payment_id: str) -> list[Correction]:
    """The vendor's word on every refund of the money that came by this payment, whoever made it."""
    arrived = [money.reference for money in refunds.received(known) if money.payment_id == payment_id]
    return [Correction(one, refund=state) for one in arrived for state in provider.refunds_of(one)]


def _call(provider: Payments, deal: Deal, refund: Refund) -> RefundState:
    try:
        refunds.require_cover(deal, refund)
    except Conflict as uncovered:
        raise VendorRefused(str(uncovered)) from uncovered
    return provider.refund(refund.key, refund.reference, refund.amount, deal.id)


def _told(deal: Deal, refund: Refund, state: RefundState) -> list[Event]:
    return refunds.told(deal, refund.reference, refund.key, state.refund_id, state.outcome, state.amount, state.reason)


def _refused(deal: Deal, intent: Intent, reason: str) -> list[Event]:
    return [EffectFailed(intent.key, intent.effect.value, reason), *refunds.refused(deal, intent.subject, reason)]
