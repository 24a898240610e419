"""Has contracts signed by DocuSign: sends, withdraws, and asks about silent envelopes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import msgspec

from dealdesk.adapters.docusign import DocusignSignatures
from dealdesk.adapters.dynamo_approvers import DynamoApprovers
from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.adapters.dynamo_people import DynamoPeople
from dealdesk.adapters.dynamo_policies import DynamoPolicies
from dealdesk.edge import clock, secrets, settings, telemetry
from dealdesk.edge.reactions import Message, Parked, QueueSettings, Silence, Sweep, react
from dealdesk.errors import Malformed
from dealdesk.ports import Cause
from dealdesk.usecases.request_signature import ask_about_signature, request_signature


@dataclass(frozen=True, slots=True)
class Settings:
    dealdesk_table: str
    dealdesk_silent_after_seconds: int
    docusign_secret: str
    docusign_oauth_url: str


class Secret(msgspec.Struct, frozen=True):
    integration_key: str
    user_id: str
    account_id: str
    private_key: str
    template_id: str


@cache
def config() -> Settings:
    return settings.read(Settings)


@cache
def deals() -> DynamoDeals:
    return DynamoDeals(config().dealdesk_table, config().dealdesk_silent_after_seconds)


def signatures() -> DocusignSignatures:
    """Made anew when the secret has been rotated."""
    return connected(secrets.secret(config().docusign_secret, Secret))


@lru_cache(maxsize=1)
def connected(secret: Secret) -> DocusignSignatures:
    return DocusignSignatures(
        config().docusign_oauth_url,
        integration_key=secret.integration_key,
        user_id=secret.user_id,
        account_id=secret.account_id,
        private_key=secret.private_key,
        template_id=secret.template_id,
    )


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return react(event, settings.read(QueueSettings), "request_signature", request)


def request(message: Message) -> None:
    if isinstance(message, Parked | Sweep):
        raise Malformed(f"request_signature takes no {message}")
    people = DynamoPeople(config().dealdesk_table)
    table = config().dealdesk_table
    done = request_signature(
        deals(),
        people,
        signatures(),
        DynamoPolicies(table),
        DynamoApprovers(table),
        message.deal_id,
        clock.now,
    )
    if isinstance(message, Silence) and not done:
        cause = Cause("chase", f"{message.deal_id}@{message.due_at}")
        ask_about_signature(deals(), signatures(), message.deal_id, cause=cause, now=clock.now())
    telemetry.said("signature requested", deal_id=message.deal_id, intents=done)
