"""DocuSign Connect says what became of an envelope: verify, record, answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import msgspec

from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.adapters.sqs_parking import SqsParking
from dealdesk.contracts import docusign
from dealdesk.edge import clock, proofs, secrets, settings
from dealdesk.edge.inbox import Report, answer_webhook
from dealdesk.errors import SignatureRefused
from dealdesk.ports import Cause
from dealdesk.usecases.record_signature import record_signature


@dataclass(frozen=True, slots=True)
class Settings:
    dealdesk_table: str
    dealdesk_silent_after_seconds: int
    docusign_secret: str
    parked_queue_url: str


class Secret(msgspec.Struct):
    account_id: str
    connect_keys: list[str]


@cache
def config() -> Settings:
    return settings.read(Settings)


@cache
def deals() -> DynamoDeals:
    return DynamoDeals(config().dealdesk_table, config().dealdesk_silent_after_seconds)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return answer_webhook("docusign", event, read, lambda: SqsParking(config().parked_queue_url), clock.now())


def read(headers: dict[str, str], body: bytes, now: datetime) -> Report | None:
    secret = secrets.secret(config().docusign_secret, Secret)
    proofs.docusign(headers, body, secret.connect_keys)
    message = docusign.parse_message(body)
    if message.data.account_id != secret.account_id:
        raise SignatureRefused(f"account {message.data.account_id[:40]} is not the desk's")
    docusign.require_fresh(message, now)
    state = docusign.state_of(message)
    if state is None:
        return None
    deal_id = docusign.deal_id_of(message)
    cause = Cause("docusign", message.cause_id)
    return Report(
        deal_id,
        str(cause),
        lambda: record_signature(deals(), deal_id, state, cause=cause, vendor="docusign", now=now),
        {"state": msgspec.to_builtins(state)},
    )
