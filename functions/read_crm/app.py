"""Reads quotes and answers back from Salesforce: what a message said is a hint, what the record says counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import msgspec

from dealdesk.adapters.dynamo_approvers import DynamoApprovers
from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.adapters.dynamo_people import DynamoPeople
from dealdesk.adapters.dynamo_policies import DynamoPolicies
from dealdesk.adapters.salesforce import SalesforceCrm
from dealdesk.contracts.bus import BusEvent
from dealdesk.contracts.salesforce_ids import deal_id_of
from dealdesk.edge import clock, secrets, settings, telemetry
from dealdesk.edge.reactions import Message, QueueSettings, Silence, Sweep, react
from dealdesk.errors import Malformed
from dealdesk.ports import Cause
from dealdesk.usecases.answer_approval import answer_approval
from dealdesk.usecases.evaluate_quote import evaluate_quote
from dealdesk.usecases.sweep_crm import ask_crm, sweep_submissions


@dataclass(frozen=True, slots=True)
class Settings:
    dealdesk_table: str
    dealdesk_silent_after_seconds: int
    salesforce_secret: str
    salesforce_url: str


class Secret(msgspec.Struct, frozen=True):
    consumer_key: str
    private_key: str
    username: str


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


def crm() -> SalesforceCrm:
    """Made anew when the secret has been rotated."""
    return connected(secrets.secret(config().salesforce_secret, Secret))


@lru_cache(maxsize=1)
def connected(secret: Secret) -> SalesforceCrm:
    return SalesforceCrm(
        config().salesforce_url,
        consumer_key=secret.consumer_key,
        private_key=secret.private_key,
        username=secret.username,
    )


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return react(event, settings.read(QueueSettings), "read_crm", read)


def read(message: Message) -> None:
    match message:
        case BusEvent(type="deal.received"):
            evaluate(message.deal_id, Cause("bus", message.id))
        case BusEvent(type="approval.answered"):
            deal = answer_approval(
                deals(),
                crm(),
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
                ask_crm(deals(), crm(), approvers(), message.deal_id, cause=cause, now=clock.now())
            telemetry.said("CRM asked about a silent deal", deal_id=message.deal_id, cause=str(cause))
        case Sweep():
            found = sweep_submissions(deals(), crm(), "salesforce", deal_id_of, clock.now())
            telemetry.said("submissions swept", found=len(found))
        case _:
            raise Malformed(f"read_crm takes no {message}")


def evaluate(deal_id: str, cause: Cause) -> None:
    people = DynamoPeople(config().dealdesk_table)
    deal = evaluate_quote(deals(), crm(), people, policies(), approvers(), deal_id, cause=cause, clock=clock.now)
    outcome = deal.decision.outcome.value if deal.decision else None
    telemetry.said("quote evaluated", deal_id=deal_id, cause=str(cause), outcome=outcome, stage=deal.stage.value)
