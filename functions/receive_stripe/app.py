"""Stripe says what became of a checkout session or a refund: verify, record, answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import msgspec

from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.adapters.sqs_parking import SqsParking
from dealdesk.contracts import stripe
from dealdesk.edge import clock, proofs, secrets, settings
from dealdesk.edge.inbox import Report, answer_webhook
from dealdesk.ports import Cause
from dealdesk.usecases.record_payment import record_payment
from dealdesk.usecases.record_refund import record_refund


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
    return _about_session(event, now) or _about_refund(event, now)


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


def _about_refund(event: stripe.StripeEvent, now: datetime) -> Report | None:
    """A refund that the desk asked for: others name no deal, and a person sees them at Stripe."""
    report = stripe.correction_of(event)
    if not isinstance(report, stripe.RefundReport) or not report.deal_id:
        return None
    deal_id, reference, state = report.deal_id, report.reference, report.refund
    cause = Cause("stripe", event.id)
    return Report(
        deal_id,
        str(cause),
        lambda: record_refund(deals(), deal_id, reference, state, cause=cause, vendor="stripe", now=now),
        {"refund": msgspec.to_builtins(state), "reference": reference},
    )
