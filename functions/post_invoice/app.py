"""Posts approved invoices and credit memos to QuickBooks, each once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import msgspec

from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.adapters.quickbooks import QuickbooksLedger
from dealdesk.adapters.quickbooks_tokens import QuickbooksTokens
from dealdesk.edge import clock, secrets, settings, telemetry
from dealdesk.edge.reactions import Message, Parked, QueueSettings, Sweep, react
from dealdesk.errors import Malformed
from dealdesk.usecases.post_credit_memo import post_credit_memo
from dealdesk.usecases.post_invoice import post_invoice


@dataclass(frozen=True, slots=True)
class Settings:
    dealdesk_table: str
    dealdesk_silent_after_seconds: int
    quickbooks_secret: str
    quickbooks_url: str
    quickbooks_oauth_url: str
    invoice_tolerance_minor: int = 0


class Secret(msgspec.Struct, frozen=True):
    client_id: str
    client_secret: str
    realm_id: str
    refresh_token: str


@cache
def config() -> Settings:
    return settings.read(Settings)


@cache
def deals() -> DynamoDeals:
    return DynamoDeals(config().dealdesk_table, config().dealdesk_silent_after_seconds)


def ledger() -> QuickbooksLedger:
    """Made anew when the secret has been rotated."""
    return connected(secrets.secret(config().quickbooks_secret, Secret))


@lru_cache(maxsize=1)
def connected(secret: Secret) -> QuickbooksLedger:
    tokens = QuickbooksTokens(
        config().dealdesk_table,
        config().quickbooks_oauth_url,
        realm_id=secret.realm_id,
        client_id=secret.client_id,
        client_secret=secret.client_secret,
        first_token=secret.refresh_token,
    )
    return QuickbooksLedger(config().quickbooks_url, realm_id=secret.realm_id, access_token=tokens)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return react(event, settings.read(QueueSettings), "post_invoice", post)


def post(message: Message) -> None:
    if isinstance(message, Parked | Sweep):
        raise Malformed(f"post_invoice takes no {message}")
    done = post_invoice(deals(), ledger(), message.deal_id, clock.now, config().invoice_tolerance_minor)
    done += post_credit_memo(deals(), ledger(), message.deal_id, clock.now)
    telemetry.said("invoice posted", deal_id=message.deal_id, intents=done)
