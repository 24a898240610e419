"""Reads quotes and answers back from the CRMs: what a message said is a hint, what the record says counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import msgspec

from dealdesk.adapters.dynamo_approvers import DynamoApprovers
from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.adapters.dynamo_people import DynamoPeople
from dealdesk.adapters.dynamo_policies import DynamoPolicies
from dealdesk.contracts import hubspot, salesforce_ids
from dealdesk.contracts.bus import BusEvent
from dealdesk.domain.provider_choice import read_rules
from dealdesk.edge import clock, secrets, settings, telemetry
from dealdesk.edge.reactions import Message, QueueSettings, Silence, Sweep, react
from dealdesk.errors import Malformed, VendorRefused
from dealdesk.ports import Cause, Crm
from dealdesk.usecases.answer_approval import answer_approval
from dealdesk.usecases.evaluate_quote import evaluate_quote
from dealdesk.usecases.sweep_crm import ask_crm, sweep_submissions


@dataclass(frozen=True, slots=True)
class Settings:
    dealdesk_table: str
    dealdesk_silent_after_seconds: int
    salesforce_secret: str
    salesforce_url: str
    hubspot_secret: str
    hubspot_url: str
    crm_systems: str
    provider_rules: str = ""


class SalesforceSecret(msgspec.Struct, frozen=True):
    consumer_key: str
    private_key: str
    username: str


class HubspotSecret(msgspec.Struct, frozen=True):
    access_token: str
    approval_type: str


DEAL_ID_OF = {"salesforce": salesforce_ids.deal_id_of, "hubspot": hubspot.deal_id_of}


@cache
def config() -> Settings:
    return settings.read(Settings)


@cache
def deals() -> DynamoDeals:
    return DynamoDeals(config().dealdesk_table, config().dealdesk_silent_after_seconds)


@cache
def policies() -> DynamoPolicies:
    return DynamoPolicies(config().dealdesk_table)


@cache
def approvers() -> DynamoApprovers:
    return DynamoApprovers(config().dealdesk_table)


def crms(system: str) -> Crm:
    """Raises `VendorRefused` for a CRM that is not set up."""
    match system:
        case "salesforce":
            return secrets.connected(config().salesforce_secret, SalesforceSecret, _salesforce)
        case "hubspot":
            return secrets.connected(config().hubspot_secret, HubspotSecret, _hubspot)
    raise VendorRefused(f"no deal lives in {system!r}; the CRMs are salesforce and hubspot")


def _salesforce(secret: SalesforceSecret) -> Crm:
    from dealdesk.adapters.salesforce import SalesforceCrm  # its SDK is read only where a deal needs it

    return SalesforceCrm(
        config().salesforce_url,
        consumer_key=secret.consumer_key,
        private_key=secret.private_key,
        username=secret.username,
        rules=read_rules(config().provider_rules),
    )


def _hubspot(secret: HubspotSecret) -> Crm:
    from dealdesk.adapters.hubspot import HubspotCrm

    return HubspotCrm(
        config().hubspot_url,
        access_token=secret.access_token,
        approval_type=secret.approval_type,
        rules=read_rules(config().provider_rules),
    )


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return react(event, settings.read(QueueSettings), "read_crm", read)


def read(message: Message) -> None:
    match message:
        case BusEvent(type="deal.received"):
            evaluate(message.deal_id, Cause("bus", message.id), datetime.fromisoformat(message.occurred_at))
        case BusEvent(type="approval.answered"):
            deal = answer_approval(
                deals(),
                crms,
                approvers(),
                message.deal_id,
                message.data["approval_key"],
                cause=Cause("bus", message.id),
                now=clock.now(),
            )
            telemetry.said("answer applied", deal_id=deal.id, cause=f"bus:{message.id}", stage=deal.stage.value)
        case Silence():
            cause = Cause("chase", f"{message.deal_id}@{message.due_at}")
            if deals().load(message.deal_id).unread:
                evaluate(message.deal_id, cause)
            else:
                ask_crm(deals(), crms, approvers(), message.deal_id, cause=cause, now=clock.now())
            telemetry.said("CRM asked about a silent deal", deal_id=message.deal_id, cause=str(cause))
        case Sweep():
            for system in config().crm_systems.split():
                found = sweep_submissions(deals(), crms(system), system, DEAL_ID_OF[system], clock.now())
                telemetry.said("submissions swept", source=system, found=len(found))
        case _:
            raise Malformed(f"read_crm takes no {message}")


def evaluate(deal_id: str, cause: Cause, received_at: datetime | None = None) -> None:
    people = DynamoPeople(config().dealdesk_table)
    deal = evaluate_quote(
        deals(),
        crms,
        people,
        policies(),
        approvers(),
        deal_id,
        cause=cause,
        clock=clock.now,
        received_at=received_at,
    )
    outcome = deal.decision.outcome.value if deal.decision else None
    telemetry.said("quote evaluated", deal_id=deal_id, cause=str(cause), outcome=outcome, stage=deal.stage.value)
