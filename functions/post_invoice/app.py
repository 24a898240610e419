"""Posts approved invoices and credit memos to the deal's ledger, each once; reads back what somebody touched there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.adapters.quickbooks import QuickbooksLedger
from dealdesk.adapters.quickbooks_tokens import QuickbooksTokens
from dealdesk.contracts.quickbooks import Hint
from dealdesk.edge import clock, secrets, settings, telemetry
from dealdesk.edge.reactions import Message, Parked, QueueSettings, Sweep, react
from dealdesk.errors import AlreadyHandled, Malformed, VendorRefused
from dealdesk.ports import Cause, Ledger
from dealdesk.usecases.post_credit_memo import post_credit_memo
from dealdesk.usecases.post_invoice import post_invoice
from dealdesk.usecases.report_invoice import report_invoice


@dataclass(frozen=True, slots=True)
class Settings:
    dealdesk_table: str
    dealdesk_silent_after_seconds: int
    quickbooks_secret: str
    quickbooks_url: str
    quickbooks_oauth_url: str
    netsuite_secret: str
    netsuite_url: str
    sap_secret: str
    sap_url: str
    invoice_tolerance_minor: int = 0


class QuickbooksSecret(msgspec.Struct, frozen=True):
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


def ledgers(name: str) -> Ledger:
    """Raises `VendorRefused` for a ledger that is not set up."""
    match name:
        case "quickbooks":
            return quickbooks()
        case "netsuite" if config().netsuite_url:
            return _netsuite()
        case "sap" if config().sap_url:
            return _sap()
    raise VendorRefused(f"the ledger {name!r} is not set up; there are quickbooks, netsuite and sap")


def quickbooks() -> QuickbooksLedger:
    return secrets.connected(config().quickbooks_secret, QuickbooksSecret, _quickbooks)


def _quickbooks(secret: QuickbooksSecret) -> QuickbooksLedger:
    tokens = QuickbooksTokens(
        config().dealdesk_table,
        config().quickbooks_oauth_url,
        realm_id=secret.realm_id,
        client_id=secret.client_id,
        client_secret=secret.client_secret,
        first_token=secret.refresh_token,
    )
    return QuickbooksLedger(config().quickbooks_url, realm_id=secret.realm_id, access_token=tokens)


def _netsuite() -> Ledger:
    from dealdesk.adapters import netsuite_auth  # its libraries are read only where a deal needs them
    from dealdesk.adapters.netsuite import NetsuiteLedger
    from dealdesk.adapters.netsuite_rest import NetsuiteRest

    url = config().netsuite_url
    return secrets.connected(
        config().netsuite_secret,
        netsuite_auth.Secret,
        lambda secret: NetsuiteLedger(NetsuiteRest(url, netsuite_auth.sign_in(url, secret))),
    )


def _sap() -> Ledger:
    from dealdesk.adapters.sap import SapSecret, connected

    return secrets.connected(config().sap_secret, SapSecret, lambda secret: connected(config().sap_url, secret))


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return react(event, settings.read(QueueSettings), "post_invoice", post)


def post(message: Message) -> None:
    if isinstance(message, Parked) and message.kind == "quickbooks":
        _read_back(msgspec.convert(message.message, Hint))
        return
    if isinstance(message, Parked | Sweep):
        raise Malformed(f"post_invoice takes no {message}")
    done = post_invoice(deals(), ledgers, message.deal_id, clock.now, config().invoice_tolerance_minor)
    done += post_credit_memo(deals(), ledgers, message.deal_id, clock.now)
    telemetry.said("invoice posted", deal_id=message.deal_id, intents=done)


def _read_back(hint: Hint) -> None:
    """QuickBooks said that an invoice was touched: what it reads now is recorded, if it is one of the desk's."""
    found = quickbooks().report(hint.ledger_id, hint.operation)
    if found is None:
        telemetry.said("touched invoice is none of the desk's", cause=hint.cause)
        return
    cause = Cause("quickbooks", hint.cause.partition(":")[2])
    try:
        report_invoice(deals(), found, cause=cause, vendor="quickbooks", now=clock.now())
        telemetry.said("touched invoice read back", deal_id=found.deal_id, cause=hint.cause)
    except AlreadyHandled:
        telemetry.duplicate("quickbooks", found.deal_id, hint.cause)
