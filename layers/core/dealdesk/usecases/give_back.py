"""Give approved refunds back, and ask what became of those that have not arrived, and of disputes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from dealdesk.domain import payments, refunds
from dealdesk.domain.deal import Deal, Intent, Refund
from dealdesk.domain.events import EffectFailed, Event, VendorAsked
from dealdesk.domain.fold import fold
from dealdesk.domain.stages import DisputeStatus, RefundStatus
from dealdesk.errors import Conflict, VendorRefused
from dealdesk.ports import Cause, Correction, Deals, Payments, PaymentState, RefundState
from dealdesk.usecases.carry_out import Work
from dealdesk.usecases.change import change
from dealdesk.usecases.record_correction import corrected
from dealdesk.usecases.record_payment import events_of

PaymentsOf = Callable[[str], Payments]
"""The provider of this name. Raises `VendorRefused` for one that is not set up."""


def give_back(providers: PaymentsOf) -> Work[RefundState]:
    """How a refund is done. Its gate stands behind the look-up: a refund that was made is found and not given up."""
    return Work(
        actor="system:request_payment",
        gate=lambda *_: None,
        look_up=lambda deal, intent: _look_up(providers, deal, refunds.find(deal, intent.subject)),
        call=lambda deal, intent, _: _call(providers, deal, refunds.find(deal, intent.subject)),
        record=lambda deal, intent, state, now: corrected(
            deal, _word_on(refunds.find(deal, intent.subject), state), now
        ),
        refused=_refused,
    )


def ask_about_money_back(
    deals: Deals,
    providers: PaymentsOf,
    known: Deal,
    *,
    link: PaymentState | None,
    cause: Cause,
    now: datetime,
) -> Deal:
    """The vendor's word on refunds that have not arrived and on open disputes; `VendorAsked` when nothing moved.

    Money that is disputed is asked about as a whole: a refund by hand may have settled the dispute. `link` is its word
    on a link that was out before: what that brings is recorded all the same.
    """
    waiting = [r for r in known.refunds if r.status is RefundStatus.SUBMITTED and r.requested_by]
    looked_up = [(refund, _look_up(providers, known, refund)) for refund in waiting]
    disputed = {d.payment_id for d in known.disputes if d.status is DisputeStatus.OPEN}
    back = [said for payment_id in sorted(disputed) for said in money_back(providers, known, payment_id)]
    if not (looked_up or disputed):
        return known
    said = [_word_on(refund, state) for refund, state in looked_up if state] + back

    def decide(deal: Deal) -> list[Event]:
        arrived = events_of(deal, link, now) if link else []
        moved = arrived + all_corrected(fold(deal, arrived, now), said, now)
        return moved or [VendorAsked("dispute", "open") if disputed else VendorAsked("refund", "pending")]

    return change(deals, known.id, decide, cause=cause, actor="system:chase_stalled", now=now)


def money_back(providers: PaymentsOf, known: Deal, payment_id: str) -> list[Correction]:
    """The vendor's word on every refund of the money that came by this payment, whoever made it, and every dispute."""
    vendor = providers(payments.find(known, payment_id).provider)
    arrived = [money.reference for money in refunds.received(known) if money.payment_id == payment_id]
    told = [Correction(one, refund=state) for one in arrived for state in vendor.refunds_of(one)]
    return told + [Correction(one, dispute=state) for one in arrived for state in vendor.disputes_of(one)]


def all_corrected(deal: Deal, said: Sequence[Correction], now: datetime) -> list[Event]:
    """The entries that several words of the vendor make, each after those before it."""
    happened: list[Event] = []
    for one in said:
        told = corrected(deal, one, now)
        happened += told
        deal = fold(deal, told, now)
    return happened


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


def _word_on(refund: Refund, state: RefundState) -> Correction:
    return Correction(refund.reference, refund=replace(state, key=refund.key))


def _refused(deal: Deal, intent: Intent, reason: str) -> list[Event]:
    return [EffectFailed(intent.key, intent.effect.value, reason), *refunds.refused(deal, intent.subject, reason)]
