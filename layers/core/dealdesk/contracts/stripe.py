"""Stripe's webhook: which of its events say something about a payment of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeVar

import msgspec

from dealdesk.contracts.stripe_money import from_stripe
from dealdesk.domain.money import Money
from dealdesk.errors import Malformed
from dealdesk.ports import PaymentState, RefundState

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


class Dispute(msgspec.Struct):
    """A chargeback: the card's bank has taken the amount back, at least until it is decided."""

    id: str
    amount: Amount
    currency: str
    status: str
    reason: str = ""
    payment_intent: str | None = None


class _Charge(msgspec.Struct):
    currency: str
    amount_refunded: Amount
    payment_intent: str | None = None


@dataclass(frozen=True, slots=True)
class RefundReport:
    """What an event says of one refund; `deal_id` is empty for one that was made at Stripe by hand."""

    deal_id: str
    reference: str
    refund: RefundState


@dataclass(frozen=True, slots=True)
class RefundedReport:
    """What an event says of a charge: so much of it has been given back in all."""

    reference: str
    refunded: Money


@dataclass(frozen=True, slots=True)
class DisputeReport:
    """What an event says of a dispute; `outcome` is `open`, `won` or `lost`."""

    reference: str
    dispute_id: str
    outcome: str
    amount: Money
    reason: str


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


def correction_of(event: StripeEvent) -> RefundReport | RefundedReport | DisputeReport | None:
    """What the event says of money that goes back; None for every other event, and for another system's payments."""
    match event.type:
        case "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated":
            refund = _object(event, Refund)
            deal_id = refund.metadata.get("deal_id", "")
            known = refund.payment_intent
            return RefundReport(deal_id, known, refund_state_of(refund)) if known else None
        case "charge.refunded":
            charge = _object(event, _Charge)
            total = from_stripe(charge.amount_refunded, charge.currency)
            return RefundedReport(charge.payment_intent, total) if charge.payment_intent else None
        case "charge.dispute.created" | "charge.dispute.updated" | "charge.dispute.closed":
            return _dispute_report(_object(event, Dispute))
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


def _dispute_report(dispute: Dispute) -> DisputeReport | None:
    """An inquiry that was closed by a warning moved no money: it counts as won."""
    if dispute.payment_intent is None:
        return None
    ended = {"won": "won", "warning_closed": "won", "lost": "lost"}
    amount = from_stripe(dispute.amount, dispute.currency)
    outcome = ended.get(dispute.status, "open")
    return DisputeReport(dispute.payment_intent, dispute.id, outcome, amount, dispute.reason)


def _object(event: StripeEvent, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(event.data.object, type=kind)
    except msgspec.DecodeError as error:
        raise Malformed(f"data.object is no {kind.__name__.strip('_').lower()}: {error}") from None
