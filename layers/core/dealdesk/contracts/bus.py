"""The shape in which events leave the desk: on the bus, and in what n8n receives."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

SOURCE = "dealdesk"
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class BusEvent:
    """`sequence` orders the events of one deal; `id` is unique over all deals and the key for deduplication.

    An event of a policy has no `deal_id`: its data names the policy, whose events `sequence` then orders.
    """

    id: str
    type: str
    version: int
    occurred_at: str
    deal_id: str
    sequence: int
    data: dict[str, Any]


def public_data(type_: str, data: dict[str, Any]) -> dict[str, Any]:
    """What of a recorded event goes out: the whole, but for a quote of hundreds of lines, its figures only."""
    if type_ == "deal.details_changed":
        return {"editor": data["editor"], "name": data["quote"]["name"], "owner_id": data["quote"]["owner_id"]}
    if type_ != "deal.evaluated":
        return data
    decision, quote = data["decision"], data["quote"]
    return {
        "revision": data["revision"],
        "editor": data["editor"],
        "outcome": decision["outcome"],
        "policy": {
            "id": decision["policy_id"],
            "version": decision["policy_version"],
            "hash": decision["policy_hash"],
        },
        "fingerprint": decision["fingerprint"],
        "required_steps": decision["required_steps"],
        "facts": dict(decision["facts"]),
        "violations": len(decision["violations"]),
        "quote": {"name": quote["name"], "currency": quote["currency"], "lines": len(quote["lines"])},
    }


def parse(detail: dict[str, Any]) -> BusEvent:
    """Raises `KeyError` or `TypeError` for something that is not an event of ours."""
    return BusEvent(**{name: detail[name] for name in BusEvent.__slots__})


def dump(event: BusEvent) -> str:
    document = {name: getattr(event, name) for name in BusEvent.__slots__}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
