"""Salesforce says that a quote was submitted or an approval decided: note it, acknowledge it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from zlib import crc32

import msgspec

from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.adapters.sqs_parking import SqsParking
from dealdesk.contracts import salesforce
from dealdesk.contracts.salesforce_ids import deal_id_of, long_id, person_id_of, same_id
from dealdesk.domain.events import CrmRecord
from dealdesk.edge import answers, clock, proofs, secrets, settings, telemetry, webhooks
from dealdesk.errors import AlreadyHandled, DealUnknown, Forbidden, Malformed, Refusal, Unavailable
from dealdesk.ports import Cause
from dealdesk.usecases.note_answer import note_answer
from dealdesk.usecases.receive_quote import receive_quote

# Well within the function's own time (template.yaml): who is ended in the middle answers 502 and starts cold again.
TAKES_AT_MOST = timedelta(seconds=18)


@dataclass(frozen=True, slots=True)
class Settings:
    dealdesk_table: str
    dealdesk_silent_after_seconds: int
    salesforce_secret: str
    parked_queue_url: str


class Secret(msgspec.Struct):
    organization_ids: list[str]
    path_secret: str
    integration_user_id: str


@cache
def config() -> Settings:
    return settings.read(Settings)


@cache
def deals() -> DynamoDeals:
    return DynamoDeals(config().dealdesk_table, config().dealdesk_silent_after_seconds)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    now = clock.now()
    try:
        secret = secrets.secret(config().salesforce_secret, Secret)
        complete = _note_all(_verified(event, secret).notifications, secret, now)
    except Refusal as refusal:
        telemetry.rejected("salesforce", refusal)
        row = answers.reply_to(refusal)
        status = answers.status_to_vendor(row) if row else 500
        return answers.text(status, salesforce.fault("Client" if status < 500 else "Server", str(refusal)), "text/xml")
    except Exception as error:
        telemetry.failed("salesforce", error)
        return answers.text(500, salesforce.fault("Server", "the desk failed; send it again"), "text/xml")
    return answers.text(200, salesforce.acknowledgement(complete), "text/xml")


def _verified(event: dict[str, Any], secret: Secret) -> salesforce.OutboundMessage:
    """The messages are unsigned: the secret in the path and the organisation are all the proof there is."""
    if not (secret.path_secret and secret.organization_ids):
        raise Unavailable("no path secret or no organisation is configured")
    given = (event.get("pathParameters") or {}).get("path_secret") or ""
    if not proofs.same(given, secret.path_secret):
        raise Forbidden("the path of this address is not the desk's")
    webhooks.require_content_type(webhooks.headers_of(event), "text/xml", "application/xml", "application/soap+xml")
    message = salesforce.parse_outbound(webhooks.body_of(event))
    if not any(same_id(message.organization_id, known) for known in secret.organization_ids):
        raise Forbidden(f"organisation {message.organization_id} is not one of the desk's")
    return message


def _note_all(notifications: Collection[salesforce.Notification], secret: Secret, now: datetime) -> bool:
    """Notes every notification that can be noted, then raises what the first of the others was refused for.

    False when the time was over before the last of them; Salesforce sends the message again after `Ack` false.

    One Ack answers for all: they will all come again, and what was noted is then a duplicate. Each message goes
    through its notifications in an order of its own: many at once about the same records would else go in step, and
    meet at every one of them.
    """
    refused: Malformed | None = None
    for number, notification in enumerate(sorted(notifications, key=lambda one: crc32(one.id.encode()))):
        if clock.now() - now > TAKES_AT_MOST:
            telemetry.warned("message put off", source="salesforce", noted=number, notifications=len(notifications))
            return False
        try:
            _note(notification, secret, now)
        except Malformed as malformed:
            refused = refused or malformed
    if refused:
        raise refused
    return True


def _note(notification: salesforce.Notification, secret: Secret, now: datetime) -> None:
    cause = Cause("salesforce", long_id(notification.id))
    if same_id(notification.fields.get("LastModifiedById", ""), secret.integration_user_id):
        telemetry.said("own write came back and changed nothing", cause=str(cause))
        return
    match notification.object_type:
        case "Opportunity":
            deal_id = deal_id_of(notification.record_id)
        case "Deal_Desk_Approval__c":
            deal_id = _field(notification, "Deal_Id__c")
        case other:
            raise Malformed(f"the desk does not take messages about {other[:80]}; see the Salesforce guide")
    try:
        if notification.object_type == "Opportunity":
            receive_quote(
                deals(),
                deal_id,
                CrmRecord("salesforce", notification.record_id),
                submitted_at=min(notification.moment("Submitted_At__c") or now, now),
                submitted_by=_editor(notification),
                cause=cause,
                now=now,
            )
        else:
            key = _field(notification, "Approval_Key__c")
            note_answer(deals(), deal_id, key, notification.record_id, cause=cause, now=now)
        telemetry.said("outbound message noted", deal_id=deal_id, cause=str(cause))
    except AlreadyHandled:
        telemetry.duplicate("salesforce", deal_id, str(cause))
    except DealUnknown as unknown:
        telemetry.rejected("salesforce", unknown)
        SqsParking(config().parked_queue_url).park(
            {
                "kind": "salesforce",
                "message": {
                    "deal_id": deal_id,
                    "approval_key": _field(notification, "Approval_Key__c"),
                    "record_id": notification.record_id,
                    "cause": str(cause),
                },
            }
        )


def _field(notification: salesforce.Notification, name: str) -> str:
    value = notification.fields.get(name)
    if not value:
        raise Malformed(f"{notification.object_type} {notification.record_id} comes without {name}")
    return value


def _editor(notification: salesforce.Notification) -> str | None:
    user = notification.fields.get("LastModifiedById")
    return person_id_of(user) if user else None
