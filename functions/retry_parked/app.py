"""A message waited for its deal: try again, and again later; after a dozen tries it is a dead letter."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.adapters.dynamo_references import DynamoReferences
from dealdesk.domain.events import PaymentReported
from dealdesk.edge import clock, settings
from dealdesk.edge.reactions import Message, Parked, QueueSettings, react
from dealdesk.errors import Malformed
from dealdesk.ports import Cause, Correction, EnvelopeState, PaymentState
from dealdesk.usecases.note_answer import note_answer
from dealdesk.usecases.note_correction import note_correction
from dealdesk.usecases.note_envelope import note_envelope
from dealdesk.usecases.note_payment import note_payment
from dealdesk.usecases.record_correction import record_correction
from dealdesk.usecases.record_payment import record_payment
from dealdesk.usecases.record_signature import record_signature


@dataclass(frozen=True, slots=True)
class Settings:
    dealdesk_table: str
    dealdesk_silent_after_seconds: int


@cache
def deals() -> DynamoDeals:
    config = settings.read(Settings)
    return DynamoDeals(config.dealdesk_table, config.dealdesk_silent_after_seconds)


@cache
def references() -> DynamoReferences:
    return DynamoReferences(settings.read(Settings).dealdesk_table)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return react(event, settings.read(QueueSettings), "retry_parked", retry)


def retry(message: Message) -> None:
    if not isinstance(message, Parked):
        raise Malformed("only parked messages belong here")
    now, content = clock.now(), message.message
    source, _, cause_id = content["cause"].partition(":")
    deal_id, cause = content["deal_id"], Cause(source, cause_id)
    match message.kind:
        case "paypal" if "reference" in content:
            reference, hint = content["reference"], content["said"]
            note_correction(deals(), references(), reference, hint, cause=cause, vendor=source, now=now)
        case "stripe" if "correction" in content:
            said = msgspec.convert(content["correction"], Correction)
            record_correction(deals(), references(), said, cause=cause, vendor=source, now=now)
        case "stripe":
            paid = msgspec.convert(content["state"], PaymentState)
            record_payment(deals(), deal_id, paid, cause=cause, vendor="stripe", now=now)
        case "docusign":
            envelope = msgspec.convert(content["state"], EnvelopeState)
            record_signature(deals(), deal_id, envelope, cause=cause, vendor="docusign", now=now)
        case "dropbox_sign":
            about = [content[name] for name in ("envelope_id", "key", "said")]
            note_envelope(deals(), deal_id, *about, cause=cause, vendor="dropbox_sign", now=now)
        case "paypal":
            report = msgspec.convert(content["report"], PaymentReported)
            note_payment(deals(), deal_id, report, cause=cause, vendor="paypal", now=now)
        case "salesforce" | "hubspot":
            note_answer(deals(), deal_id, content["approval_key"], content["record_id"], cause=cause, now=now)
        case other:
            raise Malformed(f"nothing is known about parked messages of kind {other}")
