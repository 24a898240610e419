"""PayPal says that something happened to an order: verify, note, answer; PayPal is asked before money moves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import msgspec

from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.adapters.dynamo_references import DynamoReferences
from dealdesk.adapters.paypal_certificates import PaypalCertificates
from dealdesk.adapters.sqs_parking import SqsParking
from dealdesk.contracts import paypal
from dealdesk.edge import clock, paypal_proof, secrets, settings
from dealdesk.edge.inbox import Report, answer_webhook
from dealdesk.ports import Cause
from dealdesk.usecases.note_correction import note_correction
from dealdesk.usecases.note_payment import note_payment


@dataclass(frozen=True, slots=True)
class Settings:
    dealdesk_table: str
    dealdesk_silent_after_seconds: int
    paypal_secret: str
    paypal_url: str
    parked_queue_url: str


class Secret(msgspec.Struct):
    webhook_id: str


@cache
def config() -> Settings:
    return settings.read(Settings)


@cache
def deals() -> DynamoDeals:
    return DynamoDeals(config().dealdesk_table, config().dealdesk_silent_after_seconds)


@cache
def certificates() -> PaypalCertificates:
    return PaypalCertificates(config().paypal_url)


@cache
def references() -> DynamoReferences:
    return DynamoReferences(config().dealdesk_table)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return answer_webhook("paypal", event, read, lambda: SqsParking(config().parked_queue_url), clock.now())


def read(headers: dict[str, str], body: bytes, now: datetime) -> Report | None:
    webhook_id = secrets.secret(config().paypal_secret, Secret).webhook_id
    paypal_proof.verify(headers, body, webhook_id, certificates(), now)
    event = paypal.read(body, paypal.PaypalEvent, "PayPal event")
    cause = Cause("paypal", event.id)
    if corrected := paypal.correction_of(event):
        return _about_correction(corrected, cause, now)
    report = paypal.report_of(event)
    if report is None:
        return None
    return Report(
        report.deal_id,
        str(cause),
        lambda: note_payment(deals(), report.deal_id, report.payment, cause=cause, vendor="paypal", now=now),
        {"report": msgspec.to_builtins(report.payment)},
    )


def _about_correction(said: paypal.CorrectionReport, cause: Cause, now: datetime) -> Report:
    """A refund, a reversal or a dispute: the money's reference names the deal."""
    return Report(
        "",
        str(cause),
        lambda: note_correction(
            deals(), references(), said.reference, said.said, cause=cause, vendor="paypal", now=now
        ),
        {"reference": said.reference, "said": said.said},
    )
