"""Who signs: the contracts that stand at DocuSign or Dropbox Sign, and what customers and senders do with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from dealdesk.contracts.dropbox_sign import DEAL_FIELD, INTENT_FIELD

Act = Callable[[], object]
OUT = ("sent", "delivered")


@dataclass(frozen=True, slots=True)
class Contract:
    """`out` can be signed now; `live` is out or signed. `total` is what the customer reads."""

    id: str
    key: str
    deal_id: str
    total: str
    out: bool
    live: bool


class Signing(Protocol):
    def contracts(self) -> list[Contract]: ...

    def sign(self, contract_id: str) -> object: ...

    def mischief(self, contract_id: str) -> dict[str, Act]:
        """What a customer, a sender or the calendar does instead."""


class AtDocusign:
    def __init__(self, twin: Any) -> None:
        self._twin = twin

    def contracts(self) -> list[Contract]:
        return [_envelope(envelope) for envelope in self._twin.envelopes.values() if envelope.status != "created"]

    def sign(self, contract_id: str) -> object:
        return self._twin.act("complete", {"envelope_id": contract_id})

    def mischief(self, contract_id: str) -> dict[str, Act]:
        body = {"envelope_id": contract_id, "reason": "no longer wanted"}
        return {name: partial(self._twin.act, name, body) for name in ("decline", "expire", "void", "deliver")}


class AtDropboxSign:
    def __init__(self, twin: Any) -> None:
        self._twin = twin

    def contracts(self) -> list[Contract]:
        return [_request(request) for request in self._twin.signature_requests.values()]

    def sign(self, contract_id: str) -> object:
        return self._twin.act("sign", {"signature_request_id": contract_id})

    def mischief(self, contract_id: str) -> dict[str, Act]:
        body = {"signature_request_id": contract_id, "reason": "no longer wanted"}
        return {name: partial(self._twin.act, name, body) for name in ("decline", "expire", "view")}


def _envelope(envelope: Any) -> Contract:
    fields = {text["name"]: text["value"] for text in envelope.text_fields}
    shown = {tab["tabLabel"]: tab["value"] for tab in envelope.roles[0]["tabs"]["textTabs"]}
    out = envelope.status in OUT
    live = out or envelope.status == "completed"
    return Contract(envelope.id, fields["dealdesk_intent"], fields["deal_id"], shown["deal_total"], out, live)


def _request(request: Any) -> Contract:
    shown = {field["name"]: field["value"] for field in request.custom_fields}
    key, deal_id = request.metadata[INTENT_FIELD], request.metadata[DEAL_FIELD]
    return Contract(request.id, key, deal_id, shown["deal_total"], request.open, request.open or request.complete)


SIDES: dict[str, Callable[[Any], Signing]] = {"docusign": AtDocusign, "dropbox_sign": AtDropboxSign}
