"""Stripe's webhook: which of its events say something about a payment of ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, TypeVar

import msgspec

from dealdesk.contracts.stripe_money import from_stripe
from dealdesk.errors import Malformed
from dealdesk.ports import Correction, DisputeState, PaymentState, RefundState

T = TypeVar("T")
# Stripe's own largest amount has twelve digits.
Amount = Annotated[int, msgspec.Meta(ge=0, lt=10**15)]


class Session(msgspec.Struct):
    """A checkout session, as far as the desk reads it."""

    id: str
    payment_status: str = "unpaid"
    status: str | None = None
    amount_total: Amount | None = None
    currency: str | None = None
    payment_intent: str | None = None
    url: str | None = None
    expires_at: int = 0
    metadata: dict[str, str] = {}


class Refund(msgspec.Struct):
    """A refund; the key of its intent is in its metadata when the desk asked for it."""

    id: str
    amount: Amount
    currency: str
    status: str | None = None
    payment_intent: str | None = None
    failure_reason: str | None = None
    metadata: dict[str, str] = {}


class _Booking(msgspec.Struct):
    """What a dispute has moved on our account; the fee stands beside the amount."""

    currency: str
    fee: int = 0


class Dispute(msgspec.Struct):
    """A chargeback: the card's bank has taken the amount back, at least until it is decided."""

    id: str
    amount: Amount
    currency: str
    status: str
    reason: str = ""
    payment_intent: str | None = None
    balance_transactions: list[_Booking] = []


class _Charge(msgspec.Struct):
    currency: str
    amount_refunded: Amount
    payment_intent: str | None = None
    metadata: dict[str, str] = {}


class _Data(msgspec.Struct):
    object: msgspec.Raw


class StripeEvent(msgspec.Struct):
    id: str
    type: str
    created: int
    data: _Data


_EVENT = msgspec.json.Decoder(StripeEvent)
_SESSION = msgspec.json.Decoder(Session)
_REFUND_OUTCOMES = {"succeeded": "succeeded", "failed": "failed", "canceled": "failed"}


def parse_event(body: bytes) -> StripeEvent:
    """Raises `Malformed`, naming the place, for a body that is no Stripe event."""
    try:
        return _EVENT.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"the body is no Stripe event: {error}") from None
    except RecursionError:
        raise Malformed("the body is nested too deeply") from None


def session_of(event: StripeEvent) -> Session | None:
    """The checkout session that the event is about; None for every other kind of object."""
    if not event.type.startswith("checkout.session."):
        return None
    try:
        return _SESSION.decode(event.data.object)
    except msgspec.DecodeError as error:
        raise Malformed(f"data.object is no checkout session: {error}") from None


def state_of(session: Session, event_type: str = "") -> PaymentState | None:
    """What the session says of our payment; None for a session that the desk did not make.

    Money has arrived only when `payment_status` is `paid`: a session may complete with a debit still pending.
    """
    payment_id = session.metadata.get("payment_id")
    if payment_id is None:
        return None
    if session.payment_status == "paid":
        outcome = "paid"
    elif event_type == "checkout.session.async_payment_failed":
        outcome = "failed"
    elif session.status == "expired" or event_type == "checkout.session.expired":
        outcome = "expired"
    else:
        outcome = "processing" if session.status == "complete" else "open"
    return PaymentState(
        session_id=session.id,
        payment_id=payment_id,
        outcome=outcome,
        amount=from_stripe(session.amount_total or 0, session.currency or "usd"),
        reference=session.payment_intent or session.id,
        reason="the bank refused the debit" if outcome == "failed" else "",
    )


def correction_of(event: StripeEvent) -> Correction | None:
    """What the event says of money that goes back; None for every other event.

    Only a refund that the desk asked for, and the charge of a payment of the desk, name the deal.
    """
    match event.type:
        case "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated":
            refund = _object(event, Refund)
            deal_id, known = refund.metadata.get("deal_id", ""), refund.payment_intent
            return Correction(known, deal_id, refund=refund_state_of(refund)) if known else None
        case "charge.refunded":
            charge = _object(event, _Charge)
            deal_id, known = charge.metadata.get("deal_id", ""), charge.payment_intent
            total = from_stripe(charge.amount_refunded, charge.currency)
            return Correction(known, deal_id, refunded=total) if known else None
        case kind if kind.startswith("charge.dispute."):
            dispute = _object(event, Dispute)
            known = dispute.payment_intent
            return Correction(known, dispute=dispute_state_of(dispute)) if known else None
        case _:
            return None


def refund_state_of(refund: Refund) -> RefundState:
    return RefundState(
        refund_id=refund.id,
        key=refund.metadata.get("intent", ""),
        outcome=_REFUND_OUTCOMES.get(refund.status or "", "pending"),
        amount=from_stripe(refund.amount, refund.currency),
        reason=refund.failure_reason or "",
    )


def dispute_state_of(dispute: Dispute) -> DisputeState:
    """An inquiry that was closed by a warning moved no money: it counts as won."""
    ended = {"won": "won", "warning_closed": "won", "lost": "lost"}
    amount = from_stripe(dispute.amount, dispute.currency)
    fees = [from_stripe(booking.fee, booking.currency) for booking in dispute.balance_transactions if booking.fee > 0]
    fee = replace(fees[0], amount_minor=sum(fee.amount_minor for fee in fees)) if fees else None
    return DisputeState(dispute.id, ended.get(dispute.status, "open"), amount, dispute.reason, fee)


def _object(event: StripeEvent, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(event.data.object, type=kind)
    except msgspec.DecodeError as error:
        raise Malformed(f"data.object is no {kind.__name__.strip('_').lower()}: {error}") from None
