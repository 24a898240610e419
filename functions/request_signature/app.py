"""Has contracts signed by the deal's provider: sends, withdraws, shows, and asks about silent envelopes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from dealdesk.adapters.dynamo_approvers import DynamoApprovers
from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.adapters.dynamo_people import DynamoPeople
from dealdesk.adapters.dynamo_policies import DynamoPolicies
from dealdesk.contracts.bus import BusEvent
from dealdesk.edge import clock, secrets, settings, telemetry
from dealdesk.edge.asking import answer_directly
from dealdesk.edge.reactions import Message, Parked, QueueSettings, Silence, Sweep, react
from dealdesk.errors import Malformed, VendorRefused
from dealdesk.ports import Cause, Signatures
from dealdesk.usecases.read_envelope import read_envelope
from dealdesk.usecases.request_signature import ask_about_signature, request_signature
from dealdesk.usecases.show_contract import show_contract


@dataclass(frozen=True, slots=True)
class Settings:
    dealdesk_table: str
    dealdesk_silent_after_seconds: int
    docusign_secret: str
    docusign_oauth_url: str
    dropbox_sign_secret: str
    dropbox_sign_url: str


class DocusignSecret(msgspec.Struct, frozen=True):
    integration_key: str
    user_id: str
    account_id: str
    private_key: str
    template_id: str


class DropboxSignSecret(msgspec.Struct, frozen=True):
    api_key: str
    template_id: str
    test_mode: bool = False


@cache
def config() -> Settings:
    return settings.read(Settings)


@cache
def deals() -> DynamoDeals:
    return DynamoDeals(config().dealdesk_table, config().dealdesk_silent_after_seconds)


def signatures(provider: str) -> Signatures:
    """Raises `VendorRefused` for a provider that is not set up."""
    match provider:
        case "docusign":
            return secrets.connected(config().docusign_secret, DocusignSecret, _docusign)
        case "dropbox_sign":
            return secrets.connected(config().dropbox_sign_secret, DropboxSignSecret, _dropbox_sign)
    raise VendorRefused(f"nobody signs at {provider!r}; the deal names docusign or dropbox_sign")


def _docusign(secret: DocusignSecret) -> Signatures:
    from dealdesk.adapters.docusign import DocusignSignatures  # its SDK is read only where a deal needs it

    return DocusignSignatures(
        config().docusign_oauth_url,
        integration_key=secret.integration_key,
        user_id=secret.user_id,
        account_id=secret.account_id,
        private_key=secret.private_key,
        template_id=secret.template_id,
    )


def _dropbox_sign(secret: DropboxSignSecret) -> Signatures:
    from dealdesk.adapters.dropbox_sign import DropboxSignSignatures

    return DropboxSignSignatures(
        config().dropbox_sign_url,
        api_key=secret.api_key,
        template_id=secret.template_id,
        test_mode=secret.test_mode,
    )


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """A batch of the queue, or one question of the REST function that cannot wait for a queue."""
    if "show" in event:
        return answer_directly(lambda: {"url": show(**event["show"])})
    return react(event, settings.read(QueueSettings), "request_signature", request)


def request(message: Message) -> None:
    if isinstance(message, Parked | Sweep):
        raise Malformed(f"request_signature takes no {message}")
    table = config().dealdesk_table
    done = request_signature(
        deals(),
        DynamoPeople(table),
        signatures,
        DynamoPolicies(table),
        DynamoApprovers(table),
        message.deal_id,
        clock.now,
    )
    if isinstance(message, BusEvent) and message.type == "document.reported":
        _read(message)
    elif isinstance(message, Silence) and not done:
        cause = Cause("chase", f"{message.deal_id}@{message.due_at}")
        ask_about_signature(deals(), signatures, message.deal_id, cause=cause, now=clock.now())
    telemetry.said("signature requested", deal_id=message.deal_id, intents=done)


def show(deal_id: str, return_url: str) -> str:
    people = DynamoPeople(config().dealdesk_table)
    url = show_contract(deals(), people, signatures, deal_id, return_url, clock.now())
    telemetry.said("signing view shown", deal_id=deal_id)
    return url


def _read(message: BusEvent) -> None:
    """A hint came; only Dropbox Sign sends hints, what DocuSign sends is proven."""
    read_envelope(
        deals(),
        signatures("dropbox_sign"),
        message.deal_id,
        message.data["envelope_id"],
        message.data["key"],
        cause=Cause("bus", message.id),
        vendor="dropbox_sign",
        now=clock.now(),
    )
