"""A CRM with the three quotes under events/, and what people do there: one bench for each that fills the port."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from dealdesk.adapters.hubspot import HubspotCrm
from dealdesk.adapters.salesforce import SalesforceCrm
from dealdesk.contracts import hubspot, salesforce_ids
from dealdesk.ports import Crm, Person, SubmittedQuote
from local.twins.hubspot import HubspotTwin
from local.twins.hubspot_schema import APPROVAL_TYPE
from local.twins.salesforce import SalesforceTwin
from local.twins.server import Fault, RunningTwin, Twin
from tests.fakes.crm import FakeCrm, Trouble

EVENTS = Path(__file__).resolve().parents[2] / "events"
SALESFORCE_USERS = {
    "rep": "0057F000001repAQAQ",
    "finance": "0057F000001finAQAQ",
    "executive": "0057F000001exeAQAQ",
}
HUBSPOT_USERS = {"rep": 7001, "finance": 7002, "executive": 7003}
FIELDS = ("stage", "version", "outcome", "reasons", "waiting_for", "payment_link")

Running = Callable[[Twin], RunningTwin]


class Bench(Protocol):
    """`records` are the ids of the three quotes; people are `rep`, `finance`, `executive`, by person id."""

    port: Crm
    records: tuple[str, str, str]
    gone: str

    def deal_id(self, record_id: str) -> str: ...

    def person(self, role: str) -> str: ...

    def contact(self, number: int) -> str:
        """The id of the signer of quote `number`."""
        ...

    def submit(self, record_id: str, role: str = "rep") -> None: ...

    def rename(self, record_id: str, name: str, role: str) -> None: ...

    def strip(self) -> str:
        """The id of a quote without lines."""
        ...

    def decide(self, key: str, approve: bool, role: str, comment: str = "", conditions: str | None = None) -> None: ...

    def shown(self, deal_id: str) -> dict[str, object]:
        """What the CRM shows of the deal: some fields of the mirror, None for empty ones."""
        ...

    def shown_approvals(self) -> list[tuple[str, str]]:
        """Key and status of every approval record there is."""
        ...

    def suffer(self, trouble: Trouble, *, on_write: bool = False) -> None: ...


class SalesforceBench:
    records = ("0067F00000deal1QAA", "0067F00000deal2QAA", "0067F00000deal3QAA")
    gone = "0067F00000deal9QAA"

    def __init__(self, running: Running, key_pair: tuple[str, str]) -> None:
        self.twin = SalesforceTwin(consumer_key="3MVG9", public_key_pem=key_pair[1], username="desk@acme.example")
        self.twin.load(json.loads((EVENTS / "salesforce_records.json").read_text()))
        url = running(self.twin).url
        self.port: Crm = SalesforceCrm(url, consumer_key="3MVG9", private_key=key_pair[0], username="desk@acme.example")

    def deal_id(self, record_id: str) -> str:
        return salesforce_ids.deal_id_of(record_id)

    def person(self, role: str) -> str:
        return salesforce_ids.person_id_of(SALESFORCE_USERS[role])

    def contact(self, number: int) -> str:
        return f"contact-sf-0037F00000sign{number}QAA"

    def submit(self, record_id: str, role: str = "rep") -> None:
        self.twin.act("submit", {"opportunity_id": record_id, "user_id": SALESFORCE_USERS[role]})

    def rename(self, record_id: str, name: str, role: str) -> None:
        edit = {"type": "Opportunity", "id": record_id, "fields": {"Name": name}, "user_id": SALESFORCE_USERS[role]}
        self.twin.act("edit", edit)

    def strip(self) -> str:
        known = self.twin.state()["Opportunity"][0]
        unwritable = ("Id", "CreatedDate", "LastModifiedDate", "SystemModstamp", "CreatedById", "LastModifiedById")
        fields = {name: value for name, value in known.items() if name not in unwritable}
        made = self.twin.act("create", {"type": "Opportunity", "fields": fields, "user_id": SALESFORCE_USERS["rep"]})
        return str(made["Id"])

    def decide(self, key: str, approve: bool, role: str, comment: str = "", conditions: str | None = None) -> None:
        yes = "Approve" if conditions is None else "Approve with conditions"
        decision = yes if approve else "Reject"
        user = SALESFORCE_USERS[role]
        said = {"comment": comment, "conditions": conditions or ""}
        self.twin.act("decide", {"approval_key": key, "decision": decision, "user_id": user, **said})

    def shown(self, deal_id: str) -> dict[str, object]:
        [found] = [one for one in self.twin.state()["Deal_Desk_Deal__c"] if one["Deal_Id__c"] == deal_id]
        return {name: found[f"{name.title()}__c"] or None for name in FIELDS}

    def shown_approvals(self) -> list[tuple[str, str]]:
        records = self.twin.state()["Deal_Desk_Approval__c"]
        return sorted((one["Approval_Key__c"], one["Status__c"]) for one in records)

    def suffer(self, trouble: Trouble, *, on_write: bool = False) -> None:
        limit: dict[str, Any] = {"kind": "status", "status": 403, "code": "REQUEST_LIMIT_EXCEEDED"}
        self.twin.faults = [fault(trouble, "PATCH" if on_write else "/services/data", limit)]


class HubspotBench:
    records = ("9100000001", "9100000002", "9100000003")
    gone = "9100000009"

    def __init__(self, running: Running) -> None:
        self.twin = HubspotTwin(access_token="pat-na1-x", client_secret="secret", portal_id=1, app_id=2)
        self.twin.load(json.loads((EVENTS / "hubspot_records.json").read_text()))
        url = running(self.twin).url
        self.port: Crm = HubspotCrm(url, access_token="pat-na1-x", approval_type=APPROVAL_TYPE)

    def deal_id(self, record_id: str) -> str:
        return hubspot.deal_id_of(record_id)

    def person(self, role: str) -> str:
        return hubspot.person_id_of(HUBSPOT_USERS[role])

    def contact(self, number: int) -> str:
        return f"contact-hs-21000000{number}"

    def submit(self, record_id: str, role: str = "rep") -> None:
        self.twin.act("submit", {"deal_id": record_id, "user_id": HUBSPOT_USERS[role]})

    def rename(self, record_id: str, name: str, role: str) -> None:
        edit = {"type": "deals", "id": record_id, "properties": {"dealname": name}, "user_id": HUBSPOT_USERS[role]}
        self.twin.act("edit", edit)

    def strip(self) -> str:
        known = self.twin.state()["deals"][0]["properties"]
        properties = {name: value for name, value in known.items() if value and not name.startswith("hs_")}
        links = [{"type": "companies", "id": "310000001", "label": "Primary"}]
        made = self.twin.act(
            "create",
            {"type": "deals", "properties": properties, "associations": links, "user_id": HUBSPOT_USERS["rep"]},
        )
        return str(made["id"])

    def decide(self, key: str, approve: bool, role: str, comment: str = "", conditions: str | None = None) -> None:
        yes = "Approve" if conditions is None else "Approve with conditions"
        decision = yes if approve else "Reject"
        user = HUBSPOT_USERS[role]
        said = {"comment": comment, "conditions": conditions or ""}
        self.twin.act("decide", {"approval_key": key, "decision": decision, "user_id": user, **said})

    def shown(self, deal_id: str) -> dict[str, object]:
        deals = [one["properties"] for one in self.twin.state()["deals"]]
        [found] = [one for one in deals if one["deal_desk_deal_id"] == deal_id]
        shown: dict[str, object] = {name: found[f"deal_desk_{name}"] for name in FIELDS}
        return shown | {"version": int(found["deal_desk_version"])}

    def shown_approvals(self) -> list[tuple[str, str]]:
        records = [one["properties"] for one in self.twin.state()["deal_desk_approval"]]
        return sorted((one["approval_key"], one["status"]) for one in records)

    def suffer(self, trouble: Trouble, *, on_write: bool = False) -> None:
        limit: dict[str, Any] = {"kind": "status", "status": 429}
        self.twin.faults = [fault(trouble, "/batch/upsert" if on_write else "/crm/", limit)]


class FakeBench:
    """The fake, filled with what the other two read."""

    records = ("1", "2", "3")
    gone = "9"

    def __init__(self, quotes: dict[str, SubmittedQuote]) -> None:
        groups = {"finance": frozenset({"grp-finance"}), "executive": frozenset({"grp-executive"})}
        self.crm = FakeCrm(quotes, groups)
        self.port: Crm = self.crm

    def deal_id(self, record_id: str) -> str:
        return f"fake-{record_id}"

    def person(self, role: str) -> str:
        return role

    def contact(self, number: int) -> str:
        return f"contact-{number}"

    def submit(self, record_id: str, role: str = "rep") -> None:
        self.crm.submit(record_id, datetime.now(UTC), role)

    def rename(self, record_id: str, name: str, role: str) -> None:
        known = self.crm.quotes[record_id]
        self.crm.quotes[record_id] = replace(known, quote=replace(known.quote, name=name), last_editor=role)

    def strip(self) -> str:
        """A quote that cannot be read is one that a fake does not have."""
        return self.gone

    def decide(self, key: str, approve: bool, role: str, comment: str = "", conditions: str | None = None) -> None:
        self.crm.decide(key, approve, role, comment, conditions)

    def shown(self, deal_id: str) -> dict[str, object]:
        return {name: self.crm.shown[deal_id].get(name) or None for name in FIELDS}

    def shown_approvals(self) -> list[tuple[str, str]]:
        return sorted((key, str(one["status"])) for key, one in self.crm.approvals.items())

    def suffer(self, trouble: Trouble, *, on_write: bool = False) -> None:
        self.crm.trouble = trouble


def fault(trouble: Trouble, match: str, limit: dict[str, Any]) -> Fault:
    """The twin's fault for a trouble; `limit` is how this vendor says that it is asked too much."""
    match trouble:
        case Trouble.LOST_ANSWER:
            return Fault(match, "drop_answer", status=0)
        case Trouble.UNREADABLE:
            return Fault(match, "status", status=200)
        case Trouble.FAILED:
            return Fault(match, "status", status=500)
        case Trouble.TIMEOUT:
            return Fault(match, "timeout", seconds=0.6)
        case Trouble.SLOW_DOWN:
            return Fault(match, **limit)


def signer(number: int, contact_id: str) -> Person:
    names = ("Nadia North", "Hans Hafen", "Olive Orr")
    name = names[number - 1]
    return Person(contact_id, name, f"{name.lower().replace(' ', '.')}@customer.example")
