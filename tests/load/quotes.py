"""Quotes for a crowd: records in the CRMs with the terms of the examples under events/, and bodies for REST."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local.people import HUBSPOT_RECORDS, PATHS, RITA, SALESFORCE_RECORDS

EVENTS = Path(__file__).resolve().parents[2] / "events"
PASSES, NEEDS_BOTH, BLOCKED = range(3)
HUBSPOT_RITA = 7001
Act = Callable[[str, str, dict[str, Any]], dict[str, Any]]
"""What a person does at a twin: its name, the action, and the action's body."""
LINE_FIELDS = frozenset({"ProductCode", "Quantity", "ListPrice", "UnitPrice", "SortOrder"})


def an_opportunity(act: Act, number: int, terms: int, ledger: str = "") -> str:
    """The id of a new Opportunity with the terms of an example; `ledger` names another than the usual one."""
    examples = _examples("salesforce")
    source = next(row for row in examples["Opportunity"] if row["Id"] == SALESFORCE_RECORDS[terms])
    fields = {name: value for name, value in source.items() if name.endswith("__c")}
    fields |= {name: source[name] for name in ("AccountId", "OwnerId", "CurrencyIsoCode", "StageName")}
    fields |= {"Name": f"Load {number}"} | ({"Ledger__c": ledger} if ledger else {})
    made = str(_create(act, "salesforce", {"type": "Opportunity", "fields": fields, "user_id": RITA})["Id"])
    for line in examples["OpportunityLineItem"]:
        if line["OpportunityId"] == source["Id"]:
            kept = {name: value for name, value in line.items() if name in LINE_FIELDS or name.endswith("__c")}
            fields = kept | {"OpportunityId": made}
            _create(act, "salesforce", {"type": "OpportunityLineItem", "fields": fields, "user_id": RITA})
    return made


def a_hubspot_deal(act: Act, number: int, terms: int) -> str:
    """The id of a new HubSpot deal with the terms of an example, for the vendors that go with HubSpot here."""
    examples, path = _examples("hubspot"), PATHS["hubspot"]
    source = next(row for row in examples["deals"] if row["id"] == HUBSPOT_RECORDS[terms])
    providers = {
        "deal_desk_signature_provider": path.signature,
        "deal_desk_payment_provider": path.payment,
        "deal_desk_ledger": path.ledger,
    }
    properties = source["properties"] | providers | {"dealname": f"Load {number}"}
    deal = {"type": "deals", "properties": properties, "associations": source["associations"], "user_id": HUBSPOT_RITA}
    made = str(_create(act, "hubspot", deal)["id"])
    for line in examples["line_items"]:
        if line["associations"][0]["id"] == source["id"]:
            linked = [{"type": "deals", "id": made}]
            body = {"type": "line_items", "properties": line["properties"], "associations": linked}
            _create(act, "hubspot", body | {"user_id": HUBSPOT_RITA})
    return made


def _create(act: Act, crm: str, body: dict[str, Any]) -> dict[str, Any]:
    made = act(crm, "create", body)
    if "error" in made:
        raise ValueError(f"{crm} made no record: {made['error']}")
    return made


def _examples(crm: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EVENTS / f"{crm}_records.json").read_text())
    return loaded
