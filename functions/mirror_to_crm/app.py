"""Shows each deal in its CRM as it stands now."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.contracts.bus import BusEvent
from dealdesk.edge import secrets, settings, telemetry
from dealdesk.edge.reactions import Message, QueueSettings, react
from dealdesk.errors import Malformed, VendorRefused
from dealdesk.ports import Crm
from dealdesk.usecases.mirror_deal import mirror_deal


@dataclass(frozen=True, slots=True)
class Settings:
    dealdesk_table: str
    dealdesk_silent_after_seconds: int
    salesforce_secret: str
    salesforce_url: str
    hubspot_secret: str
    hubspot_url: str


class SalesforceSecret(msgspec.Struct, frozen=True):
    consumer_key: str
    private_key: str
    username: str


class HubspotSecret(msgspec.Struct, frozen=True):
    access_token: str
    approval_type: str


@cache
def config() -> Settings:
    return settings.read(Settings)


@cache
def deals() -> DynamoDeals:
    return DynamoDeals(config().dealdesk_table, config().dealdesk_silent_after_seconds)


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
    )


def _hubspot(secret: HubspotSecret) -> Crm:
    from dealdesk.adapters.hubspot import HubspotCrm

    return HubspotCrm(config().hubspot_url, access_token=secret.access_token, approval_type=secret.approval_type)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return react(event, settings.read(QueueSettings), "mirror_to_crm", mirror)


def mirror(message: Message) -> None:
    if not isinstance(message, BusEvent):
        raise Malformed(f"mirror_to_crm takes no {message}")
    version = mirror_deal(deals(), crms, message.deal_id)
    telemetry.said("deal mirrored", deal_id=message.deal_id, version=version, cause=f"bus:{message.id}")
