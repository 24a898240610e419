"""Collects by Stripe: creates the link that pays once, withdraws it, and asks about silent payments."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import msgspec

from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.adapters.stripe import StripePayments
from dealdesk.edge import clock, secrets, settings, telemetry
from dealdesk.edge.reactions import Message, Parked, QueueSettings, Silence, Sweep, react
from dealdesk.errors import Malformed
from dealdesk.ports import Cause
from dealdesk.usecases.request_payment import ask_about_payment, request_payment


@dataclass(frozen=True, slots=True)
class Settings:
    dealdesk_table: str
    dealdesk_silent_after_seconds: int
    stripe_secret: str
    stripe_url: str
    public_url: str


class Secret(msgspec.Struct, frozen=True):
    api_key: str


@cache
def config() -> Settings:
    return settings.read(Settings)


@cache
def deals() -> DynamoDeals:
    return DynamoDeals(config().dealdesk_table, config().dealdesk_silent_after_seconds)


def payments() -> StripePayments:
    """Made anew when the secret has been rotated."""
    return connected(secrets.secret(config().stripe_secret, Secret))


@lru_cache(maxsize=1)
def connected(secret: Secret) -> StripePayments:
    return StripePayments(secret.api_key, config().stripe_url, return_url=config().public_url)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return react(event, settings.read(QueueSettings), "request_payment", request)


def request(message: Message) -> None:
    if isinstance(message, Parked | Sweep):
        raise Malformed(f"request_payment takes no {message}")
    done = request_payment(deals(), payments(), message.deal_id, clock.now)
    if isinstance(message, Silence) and not done:
        cause = Cause("chase", f"{message.deal_id}@{message.due_at}")
        ask_about_payment(deals(), payments(), message.deal_id, cause=cause, now=clock.now())
    telemetry.said("payment requested", deal_id=message.deal_id, intents=done)
