"""Dropbox Sign says that something became of a signature request: verify, note it, acknowledge it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import msgspec

from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.adapters.sqs_parking import SqsParking
from dealdesk.contracts import dropbox_sign
from dealdesk.edge import clock, proofs, secrets, settings, webhooks
from dealdesk.edge.inbox import Report, answer_webhook
from dealdesk.ports import Cause
from dealdesk.usecases.note_envelope import note_envelope

# Anything else is a failure to Dropbox Sign, which repeats it and in the end switches the callback off.
ACKNOWLEDGEMENT = "Hello API Event Received"


@dataclass(frozen=True, slots=True)
class Settings:
    dealdesk_table: str
    dealdesk_silent_after_seconds: int
    dropbox_sign_secret: str
    parked_queue_url: str


class Secret(msgspec.Struct):
    callback_keys: list[str]


@cache
def config() -> Settings:
    return settings.read(Settings)


@cache
def deals() -> DynamoDeals:
    return DynamoDeals(config().dealdesk_table, config().dealdesk_silent_after_seconds)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return answer_webhook(
        "dropbox_sign",
        event,
        read,
        lambda: SqsParking(config().parked_queue_url),
        clock.now(),
        content_type="multipart/form-data",
        acknowledgement=ACKNOWLEDGEMENT,
    )


def read(headers: dict[str, str], body: bytes, now: datetime) -> Report | None:
    callback = dropbox_sign.parse_callback(webhooks.form_field(headers, body, "json"))
    said = callback.event
    keys = secrets.secret(config().dropbox_sign_secret, Secret).callback_keys
    proofs.dropbox_sign(said.event_time, said.event_type, said.event_hash, keys)
    dropbox_sign.require_fresh(callback, now)
    hint = dropbox_sign.hint_of(callback)
    if hint is None:
        return None
    cause = Cause("dropbox_sign", callback.cause_id)
    about = {"envelope_id": hint.envelope_id, "key": hint.key, "said": hint.said}
    return Report(
        hint.deal_id,
        str(cause),
        lambda: note_envelope(deals(), hint.deal_id, **about, cause=cause, vendor="dropbox_sign", now=now),
        about,
    )
