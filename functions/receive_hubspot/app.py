"""HubSpot says that a quote was submitted or an approval decided: verify, note each change, answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import msgspec

from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.adapters.hubspot_approvals import ApprovalRecord, HubspotApprovals
from dealdesk.adapters.sqs_parking import SqsParking
from dealdesk.contracts import hubspot
from dealdesk.contracts.hubspot import Change, deal_id_of, person_id_of
from dealdesk.domain.events import CrmRecord
from dealdesk.edge import answers, clock, proofs, secrets, settings, telemetry, webhooks
from dealdesk.errors import AlreadyHandled, DealUnknown, Malformed, Refusal
from dealdesk.ports import Cause
from dealdesk.usecases.note_answer import note_answer
from dealdesk.usecases.receive_quote import receive_quote


@dataclass(frozen=True, slots=True)
class Settings:
    dealdesk_table: str
    dealdesk_silent_after_seconds: int
    hubspot_secret: str
    hubspot_url: str
    parked_queue_url: str
    public_url: str = ""


class Secret(msgspec.Struct, frozen=True):
    """`signature` is the one version that is accepted, whatever headers a message comes with."""

    portal_id: int
    app_id: int
    approval_type: str
    access_token: str
    client_secrets: tuple[str, ...]
    signature: proofs.HubspotVersion = "v3"


@cache
def config() -> Settings:
    return settings.read(Settings)


@cache
def deals() -> DynamoDeals:
    return DynamoDeals(config().dealdesk_table, config().dealdesk_silent_after_seconds)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    now = clock.now()
    try:
        secret = secrets.secret(config().hubspot_secret, Secret)
        changes = _verified(event, secret, now)
        _note_all(changes, secret, now)
    except Refusal as refusal:
        telemetry.rejected("hubspot", refusal)
        return answers.problem_of(refusal, to_vendor=True)
    except Exception as error:
        telemetry.failed("hubspot", error)
        return answers.problem_of(error)
    return answers.answer(200, {"status": "noted", "changes": len(changes)})


def _verified(event: dict[str, Any], secret: Secret, now: datetime) -> list[msgspec.Raw]:
    body, headers = webhooks.body_of(event), webhooks.headers_of(event)
    webhooks.require_content_type(headers, "application/json")
    method, uri = str(event.get("httpMethod") or "POST"), webhooks.uri_of(event, config().public_url)
    proofs.hubspot(secret.signature, headers, method, uri, body, secret.client_secrets, now)
    return hubspot.parse_changes(body)


def _note_all(raw: Iterable[msgspec.Raw], secret: Secret, now: datetime) -> None:
    """Notes every change that can be noted, then raises the gravest reason why the others could not.

    One answer stands for all: they will all come again, and what was noted is then a duplicate.
    """
    failures: list[Exception] = []
    decided: list[Change] = []
    for one in raw:
        try:
            change = _ours(hubspot.change_of(one), secret, now)
            if change and change.changed_type == hubspot.DEAL_TYPE:
                _receive(change, now)
            elif change:
                decided.append(change)
        except Exception as failure:
            failures.append(failure)
    failures.extend(_note_answers(decided, secret, now))
    for why in failures:
        telemetry.warned("change not noted", source="hubspot", reason=type(why).__name__, detail=str(why)[:300])
    if failures:
        raise max(failures, key=lambda why: not isinstance(why, Malformed))


def _ours(change: Change, secret: Secret, now: datetime) -> Change | None:
    """The change, if the desk has to act on it. Raises `Malformed` for one of another account or time."""
    if change.portal_id != secret.portal_id:
        raise Malformed(f"account {change.portal_id} is not the desk's")
    change.moment(now)
    listened = {hubspot.DEAL_TYPE: hubspot.SUBMITTED, secret.approval_type: hubspot.DECISION}
    if listened.get(change.changed_type) != change.property_name or not change.property_value:
        telemetry.said("change concerns no deal of the desk", source="hubspot")
        return None
    if change.is_made_by(secret.app_id):
        telemetry.said("own write came back and changed nothing", cause=f"hubspot:{change.cause_id}")
        return None
    return change


def _receive(change: Change, now: datetime) -> None:
    record_id = str(change.object_id)
    deal_id, cause = deal_id_of(record_id), Cause("hubspot", change.cause_id)
    submitted_at = hubspot.moment_of(change.property_value) or change.moment(now)
    try:
        receive_quote(
            deals(),
            deal_id,
            CrmRecord("hubspot", record_id),
            submitted_at=min(submitted_at, now),
            submitted_by=person_id_of(change.editor_id) if change.editor_id else None,
            cause=cause,
            now=now,
        )
        telemetry.said("submission noted", deal_id=deal_id, cause=str(cause))
    except AlreadyHandled:
        telemetry.duplicate("hubspot", deal_id, str(cause))


def _note_answers(changes: list[Change], secret: Secret, now: datetime) -> Iterable[Exception]:
    """Notes the decisions and yields why some could not be."""
    try:
        crm = HubspotApprovals(
            config().hubspot_url, access_token=secret.access_token, approval_type=secret.approval_type
        )
        records = crm.read([str(change.object_id) for change in changes])
    except Refusal as refusal:
        yield refusal
        return
    for change in changes:
        try:
            _note_answer(change, records.get(str(change.object_id), ApprovalRecord()), now)
        except Exception as failure:
            yield failure


def _note_answer(change: Change, record: ApprovalRecord, now: datetime) -> None:
    record_id, cause = str(change.object_id), Cause("hubspot", change.cause_id)
    key, deal_id = record.approval_key, record.deal_id
    if not key or not deal_id:
        telemetry.said("decided record is no approval of the desk", cause=str(cause))
        return
    try:
        note_answer(deals(), deal_id, key, record_id, cause=cause, now=now)
        telemetry.said("decision noted", deal_id=deal_id, cause=str(cause))
    except AlreadyHandled:
        telemetry.duplicate("hubspot", deal_id, str(cause))
    except DealUnknown as unknown:
        telemetry.rejected("hubspot", unknown)
        waiting = {"deal_id": deal_id, "approval_key": key, "record_id": record_id, "cause": str(cause)}
        SqsParking(config().parked_queue_url).park({"kind": "hubspot", "message": waiting})
