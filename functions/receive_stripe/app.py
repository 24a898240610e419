"""Stripe says what became of a checkout session, a refund or a dispute: verify, record, answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import msgspec

from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.adapters.dynamo_references import DynamoReferences
from dealdesk.adapters.sqs_parking import SqsParking
from dealdesk.contracts import stripe
from dealdesk.edge import clock, proofs, secrets, settings
from dealdesk.edge.inbox import Report, answer_webhook
from dealdesk.ports import Cause
from dealdesk.usecases.record_correction import record_correction
from dealdesk.usecases.record_payment import record_payment


@dataclass(frozen=True, slots=True)
class Settings:
    dealdesk_table: str
    dealdesk_silent_after_seconds: int
    stripe_secret: str
    parked_queue_url: str


class Secret(msgspec.Struct):
    webhook_secrets: list[str]


@cache
def config() -> Settings:
    return settings.read(Settings)


@cache
def deals() -> DynamoDeals:
    return DynamoDeals(config().dealdesk_table, config().dealdesk_silent_after_seconds)


@cache
def references() -> DynamoReferences:
    return DynamoReferences(config().dealdesk_table)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return answer_webhook("stripe", event, read, lambda: SqsParking(config().parked_queue_url), clock.now())


def read(headers: dict[str, str], body: bytes, now: datetime) -> Report | None:
    proofs.stripe(
        headers.get("stripe-signature"),
        body,
        secrets.secret(config().stripe_secret, Secret).webhook_secrets,
        now,
    )
    event = stripe.parse_event(body)
    return _about_session(event, now) or _about_correction(event, now)


def _about_session(event: stripe.StripeEvent, now: datetime) -> Report | None:
    session = stripe.session_of(event)
    state = stripe.state_of(session, event.type) if session else None
    if session is None or state is None:
        return None
    deal_id = session.metadata.get("deal_id", "")
    cause = Cause("stripe", event.id)
    return Report(
        deal_id,
        str(cause),
        lambda: record_payment(deals(), deal_id, state, cause=cause, vendor="stripe", now=now),
        {"state": msgspec.to_builtins(state)},
    )


def _about_correction(event: stripe.StripeEvent, now: datetime) -> Report | None:
    """A refund or a dispute; where it names no deal, the money's reference does."""
    said = stripe.correction_of(event)
    if said is None:
        return None
    cause = Cause("stripe", event.id)
    return Report(
        said.deal_id,
        str(cause),
        lambda: record_correction(deals(), references(), said, cause=cause, vendor="stripe", now=now),
        {"correction": msgspec.to_builtins(said)},
    )
