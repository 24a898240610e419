"""Where reps and approvers work: what they do in Salesforce or HubSpot, and what those have told the desk."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, Protocol

import msgspec

from dealdesk.contracts.hubspot import Change
from dealdesk.domain.deal import Deal
from local.people import APPROVERS, RITA
from local.twins.hubspot_schema import APPROVAL_TYPE
from local.twins.town import EVENTS

Act = Callable[[], object]
RITA_AT_HUBSPOT = 7001
LIST_PRICE = 100


class Crm(Protocol):
    def submit(self, deal_ids: Sequence[str]) -> object:
        """A rep submits quotes, all in one message."""

    def edit(self, deal: Deal, price: int) -> object:
        """A rep sells the first line at another price."""

    def approvals(self) -> list[Act]:
        """Whoever is asked and has not answered says yes."""

    def told(self, body: bytes) -> list[str]:
        """The causes that a message to the desk must have left, once it was acknowledged."""


class AtSalesforce:
    def __init__(self, twin: Any) -> None:
        self._twin = twin

    def submit(self, deal_ids: Sequence[str]) -> object:
        return self._twin.act("submit_many", {"opportunity_ids": [deal_id[3:] for deal_id in deal_ids]})

    def edit(self, deal: Deal, price: int) -> object:
        lines = self._twin.state()["OpportunityLineItem"]
        line = next(line for line in lines if line["OpportunityId"] == deal.id[3:])
        edit = {"type": "OpportunityLineItem", "id": line["Id"], "fields": {"UnitPrice": float(price)}, "user_id": RITA}
        return self._twin.act("edit", edit)

    def approvals(self) -> list[Act]:
        open_ = [
            record
            for record in self._twin.state().get("Deal_Desk_Approval__c", [])
            if record["Status__c"] == "Pending" and not record.get("Decision__c")
        ]
        return [self._approve(record["Approval_Key__c"], record["Step__c"]) for record in open_]

    def _approve(self, key: str, step: str) -> Act:
        body = {"approval_key": key, "decision": "Approve", "user_id": APPROVERS["salesforce"][step]}
        return partial(self._twin.act, "decide", body)

    def told(self, body: bytes) -> list[str]:
        own = f"<sf:LastModifiedById>{self._twin.login.user_id}<"
        parts = [part for part in body.decode().split("<Notification>")[1:] if own not in part]
        return [f"salesforce:{part.partition('<Id>')[2].partition('</Id>')[0]}" for part in parts]


class AtHubspot:
    def __init__(self, twin: Any) -> None:
        self._twin = twin

    def submit(self, deal_ids: Sequence[str]) -> object:
        return self._twin.act("submit_many", {"deal_ids": [deal_id[3:] for deal_id in deal_ids]})

    def edit(self, deal: Deal, price: int) -> object:
        discount = {"hs_discount_percentage": str(LIST_PRICE - price)}
        edit = {
            "type": "line_items",
            "id": _first_lines()[deal.id[3:]],
            "properties": discount,
            "user_id": RITA_AT_HUBSPOT,
        }
        return self._twin.act("edit", edit)

    def approvals(self) -> list[Act]:
        records = self._twin.records.tables[APPROVAL_TYPE].values()
        open_ = [one for one in records if one.value("status") == "Pending" and not one.value("decision")]
        return [self._approve(str(one.value("approval_key")), str(one.value("step"))) for one in open_]

    def _approve(self, key: str, step: str) -> Act:
        body = {"approval_key": key, "decision": "Approve", "user_id": APPROVERS["hubspot"][step]}
        return partial(self._twin.act, "decide", body)

    def told(self, body: bytes) -> list[str]:
        changes = msgspec.json.decode(body, type=list[Change])
        return [f"hubspot:{one.cause_id}" for one in changes if not one.is_made_by(self._twin.app_id)]


@cache
def _first_lines() -> dict[str, str]:
    """The first line item of each deal under events/, by the deal's record."""
    items = json.loads((EVENTS / "hubspot_records.json").read_text())["line_items"]
    return {other["id"]: item["id"] for item in reversed(items) for other in item["associations"]}


SIDES: dict[str, Callable[[Any], Crm]] = {"salesforce": AtSalesforce, "hubspot": AtHubspot}
