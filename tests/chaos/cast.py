"""The deals of one run and the people around them: quotes like the examples, for every set of vendors."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.people import HUBSPOT_RECORDS, PATHS, RITA, SALESFORCE_RECORDS, Json, People
from local.people import Path as Vendors
from tests.chaos.plan import BLOCKED, Submitted

EVENTS = Path(__file__).resolve().parents[2] / "events"
HUBSPOT_RITA = 7001
LINE_FIELDS = frozenset({"ProductCode", "Quantity", "ListPrice", "UnitPrice", "SortOrder"})
PROVIDERS = {
    "salesforce": ("Signature_Provider__c", "Payment_Provider__c", "Ledger__c"),
    "hubspot": ("deal_desk_signature_provider", "deal_desk_payment_provider", "deal_desk_ledger"),
}

Act = Callable[[str, str, Json], Json]
State = Callable[[str], Json]


class RecordNotMade(Exception):
    """A CRM did not take a record for this run; says why."""


@dataclass
class Cast:
    """`deals` are the ids of all deals, with what was submitted and the vendors that it goes through."""

    act: Act
    state: State
    deals: dict[str, Submitted] = field(default_factory=dict)

    def submit(self, what: Submitted) -> str:
        """Rita makes a record with the terms of an example and submits it; the id of its deal."""
        path = PATHS[what.path]
        if path.crm == "hubspot":
            record, prefix = self._hubspot_deal(path, what.terms), "hs-"
            self.act("hubspot", "submit", {"deal_id": record})
        else:
            record, prefix = self._opportunity(path, what.terms), "sf-"
            self.act("salesforce", "submit", {"opportunity_id": record})
        self.deals[prefix + record] = what
        return prefix + record

    def everybody_acts(self) -> int:
        """Who is asked approves, signs or pays; how often that was. Two sets of vendors reach all of them."""
        return sum(self.people(name).everybody_acts() for name in ("standard", "hubspot"))

    def people(self, path: str, state: State | None = None) -> People:
        return People(PATHS[path], state=state or self.state, act=self.act)

    def effects_wanted(self, deal_id: str) -> int:
        """How many contracts, payments and invoices a deal comes to, of each."""
        return 0 if self.deals[deal_id].terms == BLOCKED else 1

    def _opportunity(self, path: Vendors, terms: int) -> str:
        examples = _examples("salesforce")
        source = next(row for row in examples["Opportunity"] if row["Id"] == SALESFORCE_RECORDS[terms])
        fields = {name: value for name, value in source.items() if name.endswith("__c")}
        fields |= {name: source[name] for name in ("AccountId", "OwnerId", "CurrencyIsoCode", "StageName")}
        fields |= {"Name": self._name()} | _providers(path)
        made = str(self._make("salesforce", {"type": "Opportunity", "fields": fields, "user_id": RITA})["Id"])
        for line in examples["OpportunityLineItem"]:
            if line["OpportunityId"] == source["Id"]:
                kept = {name: value for name, value in line.items() if name in LINE_FIELDS or name.endswith("__c")}
                fields = kept | {"OpportunityId": made}
                self._make("salesforce", {"type": "OpportunityLineItem", "fields": fields, "user_id": RITA})
        return made

    def _hubspot_deal(self, path: Vendors, terms: int) -> str:
        examples = _examples("hubspot")
        source = next(row for row in examples["deals"] if row["id"] == HUBSPOT_RECORDS[terms])
        properties = source["properties"] | _providers(path) | {"dealname": self._name()}
        deal = {"type": "deals", "properties": properties, "associations": source["associations"]}
        made = str(self._make("hubspot", deal | {"user_id": HUBSPOT_RITA})["id"])
        for line in examples["line_items"]:
            if line["associations"][0]["id"] == source["id"]:
                linked = [{"type": "deals", "id": made}]
                body = {"type": "line_items", "properties": line["properties"], "associations": linked}
                self._make("hubspot", body | {"user_id": HUBSPOT_RITA})
        return made

    def _name(self) -> str:
        return f"Chaos {len(self.deals) + 1}"

    def _make(self, crm: str, body: Json) -> Mapping[str, Any]:
        made = self.act(crm, "create", body)
        if "error" in made:
            raise RecordNotMade(f"{crm} made no record: {made['error']}")
        return made


def _providers(path: Vendors) -> dict[str, str]:
    return dict(zip(PROVIDERS[path.crm], (path.signature, path.payment, path.ledger), strict=True))


def _examples(crm: str) -> Json:
    loaded: Json = json.loads((EVENTS / f"{crm}_records.json").read_text())
    return loaded
