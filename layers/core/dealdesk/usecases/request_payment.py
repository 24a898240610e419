"""Create the link that pays the deal once, take what its payer approved, withdraw it, ask what became of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import cast

from dealdesk.domain import payments
from dealdesk.domain.certificate import gate
from dealdesk.domain.deal import Deal, Intent
from dealdesk.domain.events import EffectFailed, Event, VendorAsked
from dealdesk.domain.stages import Effect, PaymentStatus
from dealdesk.errors import VendorRefused
from dealdesk.ports import Cause, Deals, PaymentLink, Payments, PaymentState
from dealdesk.usecases.carry_out import Work, carry_out
from dealdesk.usecases.change import change
from dealdesk.usecases.give_back import PaymentsOf, all_corrected, ask_about_money_back, give_back, money_back
from dealdesk.usecases.record_payment import events_of

ACTOR = "system:request_payment"


def request_payment(deals: Deals, providers: PaymentsOf, deal_id: str, clock: Callable[[], datetime]) -> list[str]:
    """Carries out the deal's open intents to collect, take, withdraw and give back; returns their keys."""
    works = {
        Effect.CREATE_PAYMENT: _create(providers),
        Effect.CAPTURE_PAYMENT: _capture(providers),
        Effect.CANCEL_PAYMENT: _cancel(providers),
        Effect.REFUND_PAYMENT: give_back(providers),
    }
    return carry_out(deals, deal_id, cast("dict[Effect, Work[object]]", works), clock)


def ask_about_payment(deals: Deals, providers: PaymentsOf, deal_id: str, *, cause: Cause, now: datetime) -> Deal:
    """The vendor's word on a payment that has been silent; `VendorAsked` when nothing moved."""
    known = deals.load(deal_id, cause)
    payment = known.payment
    out = payment if payment and payment.session_id and payment.status is PaymentStatus.PENDING else None
    state = providers(out.provider).state(out.session_id or "") if out else None
    if state is None or known.is_disputed:
        return ask_about_money_back(deals, providers, known, link=state, cause=cause, now=now)
    return change(
        deals,
        deal_id,
        lambda deal: events_of(deal, state, now) or [VendorAsked("payment", state.outcome)],
        cause=cause,
        actor="system:chase_stalled",
        now=now,
    )


def answer_report(
    deals: Deals, providers: PaymentsOf, deal_id: str, payment_id: str, session_id: str, *, cause: Cause, now: datetime
) -> Deal:
    """The vendor's word on a session, or on the refunds and disputes of its money, that a message only hinted at.

    A hint that names no session is about money that has arrived. Nothing is recorded when nothing moved.

    Raises `VendorRefused` for a session that pays something else.
    """
    known = deals.load(deal_id, cause)
    payment = payments.find(known, payment_id)
    asked = session_id or payment.session_id
    if asked is None:
        return known
    state = providers(payment.provider).state(asked)
    if state.payment_id not in ("", payment_id):
        raise VendorRefused(f"session {asked} pays {state.payment_id}, not {payment_id}")
    back = [] if session_id else money_back(providers, known, payment_id)
    return change(
        deals,
        deal_id,
        lambda deal: events_of(deal, state, now) or all_corrected(deal, back, now),
        cause=cause,
        actor=f"vendor:{payment.provider}",
        now=now,
    )


def _create(providers: PaymentsOf) -> Work[PaymentLink]:
    return Work(
        actor=ACTOR,
        gate=lambda deal, _, now: gate(deal, "payment", now, signed=True),
        look_up=lambda deal, intent: _of(providers, deal, intent).look_up(intent.key, intent.subject, intent.opened_at),
        call=lambda deal, intent, now: _of(providers, deal, intent).create_link(
            intent.key, intent.subject, deal, payments.find(deal, intent.subject).amount, now
        ),
        record=lambda deal, intent, link, _: payments.link_created(
            deal, intent.key, link.session_id, link.url, link.expires_at
        ),
        refused=_refused,
    )


def _capture(providers: PaymentsOf) -> Work[PaymentState]:
    return Work(
        actor=ACTOR,
        gate=lambda deal, _, now: gate(deal, "payment", now, signed=True),
        look_up=lambda deal, intent: _unless_untaken(_of(providers, deal, intent).state(_session_of(deal, intent))),
        call=lambda deal, intent, _: _of(providers, deal, intent).capture(_session_of(deal, intent), intent.key),
        record=lambda deal, intent, state, now: (
            payments.processing(deal, intent.key) if state.outcome == "processing" else events_of(deal, state, now)
        ),
        refused=_refused,
    )


def _cancel(providers: PaymentsOf) -> Work[PaymentState]:
    return Work(
        actor=ACTOR,
        gate=lambda *_: None,
        look_up=lambda *_: None,
        call=lambda deal, intent, _: _of(providers, deal, intent).cancel(_session_of(deal, intent), intent.key),
        record=lambda deal, _, state, now: events_of(deal, state, now),
    )


def _of(providers: PaymentsOf, deal: Deal, intent: Intent) -> Payments:
    return providers(payments.find(deal, intent.subject).provider)


def _unless_untaken(state: PaymentState) -> PaymentState | None:
    return None if state.outcome in ("open", "approved") else state


def _session_of(deal: Deal, intent: Intent) -> str:
    return payments.find(deal, intent.subject).session_id or ""


def _refused(deal: Deal, intent: Intent, reason: str) -> Sequence[Event]:
    """The refusal of one attempt never flips a payment that another report has settled meanwhile."""
    failed = payments.failed(deal, intent.subject, "refused", reason)
    return [EffectFailed(intent.key, intent.effect.value, reason), *failed]
