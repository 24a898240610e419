"""Give approved refunds back, and ask what became of those that have not arrived."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from dealdesk.domain import payments, refunds
from dealdesk.domain.deal import Deal, Intent, Refund
from dealdesk.domain.events import EffectFailed, Event, VendorAsked
from dealdesk.domain.stages import RefundStatus
from dealdesk.errors import Conflict, VendorRefused
from dealdesk.ports import Cause, Correction, Deals, Payments, RefundState
from dealdesk.usecases.carry_out import Work
from dealdesk.usecases.change import change

PaymentsOf = Callable[[str], Payments]
"""The provider of this name. Raises `VendorRefused` for one that is not set up."""


def give_back(providers: PaymentsOf) -> Work[RefundState]:
    """How a refund is done. Its gate stands behind the look-up: a refund that was made is found and not given up."""
    return Work(
        actor="system:request_payment",
        gate=lambda *_: None,
        look_up=lambda deal, intent: _look_up(providers, deal, refunds.find(deal, intent.subject)),
        call=lambda deal, intent, _: _call(providers, deal, refunds.find(deal, intent.subject)),
        record=lambda deal, intent, state, _: _told(deal, refunds.find(deal, intent.subject), state),
        refused=_refused,
    )


def ask_about_refunds(deals: Deals, providers: PaymentsOf, known: Deal, *, cause: Cause, now: datetime) -> Deal:
    """The vendor's word on refunds that it took and that have not arrived; `VendorAsked` when nothing moved."""
    waiting = [r for r in known.refunds if r.status is RefundStatus.SUBMITTED and r.requested_by]
    states = [(refund, _look_up(providers, known, refund)) for refund in waiting]
    if not states:
        return known

    def decide(deal: Deal) -> list[Event]:
        moved = [event for refund, state in states if state for event in _told(deal, refund, state)]
        return moved or [VendorAsked("refund", "pending")]

    return change(deals, known.id, decide, cause=cause, actor="system:chase_stalled", now=now)


def given_back(providers: PaymentsOf, known: Deal, payment_id: str) -> list[Correction]:
    """The vendor's word on every refund of the money that came by this payment, whoever made it."""
    vendor = providers(payments.find(known, payment_id).provider)
    arrived = [money.reference for money in refunds.received(known) if money.payment_id == payment_id]
    return [Correction(one, refund=state) for one in arrived for state in vendor.refunds_of(one)]


def _call(providers: PaymentsOf, deal: Deal, refund: Refund) -> RefundState:
    try:
        refunds.require_cover(deal, refund)
    except Conflict as uncovered:
        raise VendorRefused(str(uncovered)) from uncovered
    return _of(providers, deal, refund).refund(refund.key, refund.reference, refund.amount, deal.id)


def _look_up(providers: PaymentsOf, deal: Deal, refund: Refund) -> RefundState | None:
    return _of(providers, deal, refund).look_up_refund(refund.key, refund.reference)


def _of(providers: PaymentsOf, deal: Deal, refund: Refund) -> Payments:
    """Money goes back the way that it came."""
    return providers(payments.find(deal, refund.payment_id).provider)


def _told(deal: Deal, refund: Refund, state: RefundState) -> list[Event]:
    return refunds.told(deal, refund.reference, refund.key, state.refund_id, state.outcome, state.amount, state.reason)


def _refused(deal: Deal, intent: Intent, reason: str) -> list[Event]:
    return [EffectFailed(intent.key, intent.effect.value, reason), *refunds.refused(deal, intent.subject, reason)]
