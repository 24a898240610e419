"""QuickBooks says that invoices were touched: verify, keep the hints, answer; what they say is read back later."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from dealdesk.adapters.sqs_parking import SqsParking
from dealdesk.contracts import quickbooks
from dealdesk.edge import answers, proofs, secrets, settings, telemetry, webhooks
from dealdesk.errors import Refusal


@dataclass(frozen=True, slots=True)
class Settings:
    quickbooks_secret: str
    post_invoice_queue_url: str


class Secret(msgspec.Struct):
    realm_id: str
    verifier_tokens: list[str] = []


@cache
def config() -> Settings:
    return settings.read(Settings)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    try:
        return answers.answer(200, {"status": "kept", "hints": keep(event)})
    except Refusal as refusal:
        telemetry.rejected("quickbooks", refusal)
        return answers.problem_of(refusal)
    except Exception as error:
        telemetry.failed("quickbooks", error)
        return answers.problem_of(error)


def keep(event: dict[str, Any]) -> int:
    """Puts a hint for each touched invoice of ours into the queue of `post_invoice`; returns how many.

    QuickBooks waits for three seconds and sends nothing more until it is answered, so nobody is called here.
    """
    body, headers = webhooks.body_of(event), webhooks.headers_of(event)
    webhooks.require_content_type(headers, "application/json", "application/cloudevents-batch+json")
    secret = secrets.secret(config().quickbooks_secret, Secret)
    proofs.intuit(headers.get("intuit-signature"), body, secret.verifier_tokens)
    hints = list(quickbooks.hints_of(quickbooks.parse_events(body), secret.realm_id))
    parking = SqsParking(config().post_invoice_queue_url)
    for hint in hints:
        parking.park({"kind": "quickbooks", "message": msgspec.to_builtins(hint)})
    telemetry.said("message kept", source="quickbooks", hints=len(hints))
    return len(hints)
