"""Shows each deal in Salesforce as it stands now."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import msgspec

from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.adapters.salesforce import SalesforceCrm
from dealdesk.contracts.bus import BusEvent
from dealdesk.edge import secrets, settings, telemetry
from dealdesk.edge.reactions import Message, QueueSettings, react
from dealdesk.errors import Malformed
from dealdesk.usecases.mirror_deal import mirror_deal


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
    return react(event, settings.read(QueueSettings), "mirror_to_crm", mirror)


def mirror(message: Message) -> None:
    if not isinstance(message, BusEvent):
        raise Malformed(f"mirror_to_crm takes no {message}")
    version = mirror_deal(deals(), crm(), message.deal_id)
    telemetry.said("deal mirrored", deal_id=message.deal_id, version=version, cause=f"bus:{message.id}")
