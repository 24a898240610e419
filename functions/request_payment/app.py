"""Collects by the deal's provider: creates the link that pays once, takes, withdraws, gives back, and asks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.contracts.bus import BusEvent
from dealdesk.edge import clock, secrets, settings, telemetry
from dealdesk.edge.reactions import Message, Parked, QueueSettings, Silence, Sweep, react
from dealdesk.errors import AlreadyHandled, Malformed, VendorRefused
from dealdesk.ports import Cause, Payments
from dealdesk.usecases.request_payment import answer_report, ask_about_payment, request_payment


@dataclass(frozen=True, slots=True)
class Settings:
    dealdesk_table: str
    dealdesk_silent_after_seconds: int
    stripe_secret: str
    stripe_url: str
    paypal_secret: str
    paypal_url: str
    public_url: str


class StripeSecret(msgspec.Struct, frozen=True):
    api_key: str


class PaypalSecret(msgspec.Struct, frozen=True):
    client_id: str
    client_secret: str


@cache
def config() -> Settings:
    return settings.read(Settings)


@cache
def deals() -> DynamoDeals:
    return DynamoDeals(config().dealdesk_table, config().dealdesk_silent_after_seconds)


def payments(provider: str) -> Payments:
    """Raises `VendorRefused` for a provider that is not set up."""
    match provider:
        case "stripe":
            return secrets.connected(config().stripe_secret, StripeSecret, _stripe)
        case "paypal":
            return secrets.connected(config().paypal_secret, PaypalSecret, _paypal)
    raise VendorRefused(f"nobody collects by {provider!r}; the deal names stripe or paypal")


def _stripe(secret: StripeSecret) -> Payments:
    from dealdesk.adapters.stripe import StripePayments  # its SDK is read only where a deal needs it

    return StripePayments(secret.api_key, config().stripe_url, return_url=config().public_url)


def _paypal(secret: PaypalSecret) -> Payments:
    from dealdesk.adapters.paypal import PaypalPayments

    return PaypalPayments(
        config().paypal_url,
        client_id=secret.client_id,
        client_secret=secret.client_secret,
        return_url=config().public_url,
        clock=clock.now,
    )


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return react(event, settings.read(QueueSettings), "request_payment", request)


def request(message: Message) -> None:
    if isinstance(message, Parked | Sweep):
        raise Malformed(f"request_payment takes no {message}")
    if isinstance(message, BusEvent) and message.type == "payment.reported":
        _answer(message)
    done = request_payment(deals(), payments, message.deal_id, clock.now)
    if isinstance(message, Silence) and not done:
        cause = Cause("chase", f"{message.deal_id}@{message.due_at}")
        ask_about_payment(deals(), payments, message.deal_id, cause=cause, now=clock.now())
    telemetry.said("payment requested", deal_id=message.deal_id, intents=done)


def _answer(message: BusEvent) -> None:
    """A vendor hinted at a session: its word counts, once; what it says may open the intent to take the money."""
    data = message.data
    cause = Cause("bus", message.id)
    try:
        answer_report(
            deals(), payments, message.deal_id, data["payment_id"], data["session_id"], cause=cause, now=clock.now()
        )
    except AlreadyHandled:
        telemetry.duplicate("bus", message.deal_id, str(cause))
