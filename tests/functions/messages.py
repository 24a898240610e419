"""Messages of the vendors as API Gateway hands them in, and what can be seen of the desk afterwards."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import boto3

from dealdesk.domain.deal import Deal, DealId
from dealdesk.domain.stages import Stage
from dealdesk.ports import Cause
from tests.functions.conftest import Said
from tests.journeys.world import World
from tests.table import TABLE
from tests.unit.domain.deals import NOW, OWNER, a_story

ORGANISATION = "00D7F00000107XsUAI"
ACCOUNT = "a0000000-0000-4000-8000-000000000001"
RITA, DESK = "0057F000001repAQAQ", "0057F000001deskQAA"
XML = {"Content-Type": "text/xml; charset=UTF-8"}
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Answer:
    status: int
    kind: str
    body: str

    @property
    def document(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.body)
        return loaded


def keep(desk: World, stage: Stage, deal_id: str, **terms: Any) -> Deal:
    """A deal at `stage`, stored as the desk stores it."""
    deals = desk.port("receive_stripe", "deals")
    story = a_story(stage, deal_id, **terms)
    cause = Cause("story", deal_id)
    kept: Deal = deals.save(Deal(DealId(deal_id)), story.events, cause=cause, actor=OWNER, now=NOW)
    return kept


def stored(desk: World, deal_id: str) -> Deal:
    deal: Deal = desk.port("receive_stripe", "deals").load(deal_id)
    return deal


def happened(desk: World, deal_id: str) -> list[str]:
    return [record.type for record in desk.port("receive_stripe", "deals").history(deal_id)]


def rows() -> list[str]:
    """Every row of the table, as text."""
    pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName=TABLE, ConsistentRead=True)
    return sorted(json.dumps(item, sort_keys=True) for page in pages for item in page["Items"])


def parked(desk: World) -> list[str]:
    return [message.body for message in desk.queues["ParkedQueue"].messages]


def deliver(
    desk: World, vendor: str, body: bytes, headers: dict[str, str], *, secret: str | None = None, encoded: bool = False
) -> Answer:
    event = {
        "httpMethod": "POST",
        "headers": headers,
        "pathParameters": None if secret is None else {"path_secret": secret},
        "body": base64.b64encode(body).decode() if encoded else body.decode(),
        "isBase64Encoded": encoded,
    }
    return given(desk, vendor, event)


def given(desk: World, vendor: str, event: dict[str, Any]) -> Answer:
    answer = desk.invoke(f"receive_{vendor}", event)
    return Answer(answer["statusCode"], answer["headers"]["Content-Type"], answer["body"])


def refused(desk: World, said: Said, vendor: str, event: dict[str, Any]) -> Answer:
    """The answer to a message that must change nothing, be logged once and be counted once."""
    before, waiting = rows(), parked(desk)
    said.lines()

    answer = given(desk, vendor, event)

    lines = said.lines()
    logged = [line for line in lines if "_aws" not in line]
    counted = [line for line in lines if "_aws" in line and "WebhookRejected" in line]
    assert rows() == before
    assert parked(desk) == waiting
    assert len(logged) == 1, logged
    assert logged[0]["level"] in ("WARNING", "ERROR")
    assert [line["source"] for line in counted] == [vendor]
    return answer


# -- Stripe


def stripe_event(deal: Deal | str, **changes: Any) -> bytes:
    """The customer has paid the deal's newest payment, unless the test says otherwise."""
    known = deal if isinstance(deal, Deal) else None
    deal_id = deal.id if isinstance(deal, Deal) else deal
    payment = known.payment if known else None
    session: dict[str, Any] = {
        "id": f"cs_{deal_id}",
        "object": "checkout.session",
        "payment_status": "paid",
        "status": "complete",
        "amount_total": payment.amount.amount_minor if payment else 1_000_000,
        "currency": "usd",
        "payment_intent": f"pi_{deal_id}",
        "metadata": {"deal_id": deal_id, "payment_id": f"pay_{deal_id}_1"},
    }
    event = {"id": f"evt_{deal_id}", "object": "event", "type": "checkout.session.completed", "created": 1_795_378_476}
    event |= {name: value for name, value in changes.items() if name in event}
    session |= {name: value for name, value in changes.items() if name not in event}
    return json.dumps({**event, "data": {"object": session}}, indent=1).encode()


def stripe_signature(secret: str, body: bytes, at: datetime | int) -> str:
    seconds = at if isinstance(at, int) else int(at.timestamp())
    return f"t={seconds},v1={hmac.new(secret.encode(), str(seconds).encode() + b'.' + body, sha256).hexdigest()}"


def stripe_request(desk: World, body: bytes, *, seconds: int = 0, **changes: Any) -> dict[str, Any]:
    """A signed event, as API Gateway hands it in; `changes` replace parts of the request."""
    secret = desk.secrets["stripe"]["webhook_secrets"][0]
    header = stripe_signature(secret, body, desk.now() + timedelta(seconds=seconds))
    return _request(body, {**JSON, "Stripe-Signature": header}, changes)


# -- DocuSign


def connect_message(deal: Deal | str, moment: datetime, **changes: Any) -> bytes:
    """The customer has signed the deal's envelope, unless the test says otherwise."""
    deal_id = deal.id if isinstance(deal, Deal) else deal
    stamp = moment.isoformat().replace("+00:00", "Z")
    fields = {"deal_id": deal_id, "dealdesk_intent": f"envelope:{deal_id}:r1:1"}
    summary = {
        "status": changes.pop("status", "completed"),
        "completedDateTime": stamp,
        "statusChangedDateTime": stamp,
        "customFields": {"textCustomFields": [{"name": name, "value": value} for name, value in fields.items()]},
    }
    data = {"accountId": ACCOUNT, "envelopeId": f"env-{deal_id}", "envelopeSummary": summary}
    message = {"event": "envelope-completed", "generatedDateTime": stamp, "configurationId": 12345, "data": data}
    for name, value in changes.items():
        for part in (message, data, summary):
            if name in part:
                part[name] = value
    return json.dumps(message).encode()


def connect_signature(key: str, body: bytes) -> str:
    return base64.b64encode(hmac.new(key.encode(), body, sha256).digest()).decode()


def docusign_request(desk: World, body: bytes, **changes: Any) -> dict[str, Any]:
    key = desk.secrets["docusign"]["connect_keys"][0]
    return _request(body, {**JSON, "X-DocuSign-Signature-1": connect_signature(key, body)}, changes)


# -- Salesforce


def quote_submitted(record: str, note: str, *, editor: str = RITA, fields: str = "", kind: str = "Opportunity") -> str:
    return (
        f'<Notification><Id>{note}</Id><sObject xsi:type="sf:{kind}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">'
        f"<sf:Id>{record}</sf:Id><sf:LastModifiedById>{editor}</sf:LastModifiedById>"
        f"<sf:Submitted_At__c>2026-11-22T20:00:00.000Z</sf:Submitted_At__c>{fields}</sObject></Notification>"
    )


def approval_decided(deal_id: str, note: str, key: str = "") -> str:
    fields = (
        f"<sf:Deal_Id__c>{deal_id}</sf:Deal_Id__c>"
        f"<sf:Approval_Key__c>{key or f'{deal_id}:1:finance'}</sf:Approval_Key__c>"
    )
    return quote_submitted("a0B7F00000appr1", note, fields=fields, kind="Deal_Desk_Approval__c")


def outbound(notifications: Sequence[str], *, organisation: str = ORGANISATION, prolog: str = "") -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{prolog}'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
        '<notifications xmlns="http://soap.sforce.com/2005/09/outbound">'
        f"<OrganizationId>{organisation}</OrganizationId><ActionId>04k7F00000actioQAA</ActionId>"
        f"{''.join(notifications)}</notifications></soapenv:Body></soapenv:Envelope>"
    ).encode()


def salesforce_request(desk: World, body: bytes, **changes: Any) -> dict[str, Any]:
    event = _request(body, XML, changes)
    return {"pathParameters": {"path_secret": desk.secrets["salesforce"]["path_secret"]}, **event}


def _request(body: bytes, headers: dict[str, str], changes: dict[str, Any]) -> dict[str, Any]:
    try:
        sent, encoded = body.decode(), False
    except UnicodeDecodeError:
        sent, encoded = base64.b64encode(body).decode(), True
    event = {"httpMethod": "POST", "headers": headers, "body": sent, "isBase64Encoded": encoded}
    return event | changes
