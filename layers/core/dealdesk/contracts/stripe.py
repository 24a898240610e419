"""Stripe's webhook: which of its events say something about a payment of ours."""

from __future__ import annotations

from typing import Annotated

import msgspec

from dealdesk.domain.money import MINOR_UNITS, Money
from dealdesk.errors import Malformed
from dealdesk.ports import PaymentState

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
    currency = (session.currency or "usd").upper()
    if currency not in MINOR_UNITS:
        raise Malformed(f"{currency[:40]!r} is no currency; data.object.currency must be an ISO 4217 code")
    return PaymentState(
        session_id=session.id,
        payment_id=payment_id,
        outcome=outcome,
        amount=Money(session.amount_total or 0, currency),
        reference=session.payment_intent or session.id,
        reason="the bank refused the debit" if outcome == "failed" else "",
    )
