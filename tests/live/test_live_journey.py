"""The main job on the running system: MiniStack, template.yaml, real HTTP, twins that misbehave."""

from __future__ import annotations

import itertools
import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from local.stack import Stack

pytestmark = pytest.mark.live

RITA, FIONA, ERIC = "0057F000001repAQAQ", "0057F000001finAQAQ", "0057F000001exeAQAQ"
APPROVERS = {"finance": FIONA, "executive": ERIC, "invoice": FIONA}
TEMPLATES = {"passes": "0067F00000deal1QAA", "needs both": "0067F00000deal2QAA", "blocked": "0067F00000deal3QAA"}
PATIENCE_SECONDS = 120
_numbers = itertools.count(1)


class People:
    """Everybody around the desk, acting through their own vendor's twin."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.done: set[str] = set()

    def act(self, deals: list[str]) -> None:
        for approval in self.state("salesforce").get("Deal_Desk_Approval__c", []):
            key = approval["Approval_Key__c"]
            mine = approval["Deal_Id__c"] in deals and approval.get("Status__c") == "Pending"
            if mine and self._first(key):
                self.do(
                    "salesforce", "decide", approval_key=key, decision="Approve", user_id=APPROVERS[approval["Step__c"]]
                )
        for envelope in self.state("docusign")["envelopes"]:
            if envelope["status"] == "sent" and self._first(envelope["envelopeId"]):
                self.do("docusign", "complete", envelope_id=envelope["envelopeId"])
        for session in self.state("stripe")["sessions"]:
            if session["status"] == "open" and self._first(session["id"]):
                self.do("stripe", "pay", session_id=session["id"], method="card")

    def do(self, twin: str, action: str, **body: Any) -> Any:
        return self.stack.twin(twin, f"act/{action}", "POST", body)

    def state(self, twin: str) -> Any:
        return self.stack.twin(twin, "state")

    def _first(self, what: str) -> bool:
        new = what not in self.done
        self.done.add(what)
        return new


@pytest.fixture
def people(stack: Stack) -> People:
    for twin in ("salesforce", "docusign", "stripe"):
        stack.twin(twin, "delivery", "POST", {})
        stack.twin(twin, "faults", "POST", [])
    return People(stack)


def deal(stack: Stack, deal_id: str) -> dict[str, Any]:
    answer = stack.request("GET", f"/deals/{deal_id}", token=stack.token("person-test", "auditor"))
    return dict(answer.json()) if answer.status == 200 else {}


def a_quote_like(people: People, kind: str) -> str:
    """A new Opportunity with the terms of one of the examples; its id."""
    number = next(_numbers)
    records = people.state("salesforce")
    source = next(r for r in records["Opportunity"] if r["Id"] == TEMPLATES[kind])
    lines = [r for r in records["OpportunityLineItem"] if r["OpportunityId"] == source["Id"]]
    kept = {name: value for name, value in source.items() if name.endswith("__c") and name != "Submitted_At__c"}
    kept |= {name: source[name] for name in ("AccountId", "OwnerId", "CurrencyIsoCode", "StageName")}
    made: str = people.do(
        "salesforce", "create", type="Opportunity", fields={**kept, "Name": f"Live {number}"}, user_id=RITA
    )["Id"]
    for line in lines:
        fields = {
            n: v for n, v in line.items() if n in {"ProductCode", "Quantity", "ListPrice", "UnitPrice", "SortOrder"}
        }
        fields |= {n: v for n, v in line.items() if n.endswith("__c")} | {"OpportunityId": made}
        people.do("salesforce", "create", type="OpportunityLineItem", fields=fields, user_id=RITA)
    return made


def until(what: str, true: Callable[[], bool], act: Callable[[], None]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS} s: {what}"
        act()
        time.sleep(0.2)


def effects(people: People, deal_id: str) -> tuple[int, int, int]:
    """Envelopes sent, payments made and invoices posted for this deal, as the vendors have them."""
    envelopes = json.dumps(people.state("docusign")["envelopes"])
    paid = [s for s in people.state("stripe")["sessions"] if s["client_reference_id"] == deal_id]
    invoices = [i for i in people.state("quickbooks")["Invoice"] if deal_id in str(i.get("PrivateNote")).split()]
    sessions_paid = sum(session["payment_status"] == "paid" for session in paid)
    return envelopes.count(f'"value": "{deal_id}"'), sessions_paid, len(invoices)


def run(stack: Stack, people: People, kinds: list[str], *, chase: bool = False) -> list[str]:
    """Submits one quote of each kind and lets everybody act until those that can be are closed."""
    records = [a_quote_like(people, kind) for kind in kinds]
    deals = [f"sf-{record}" for record in records]
    ends = ["evaluated" if kind == "blocked" else "closed" for kind in kinds]
    people.do("salesforce", "submit_many", opportunity_ids=records)
    chased = time.monotonic()

    def act() -> None:
        nonlocal chased
        people.act(deals)
        if chase and time.monotonic() - chased > 2:
            stack.boto("lambda").invoke(FunctionName=_chase_function(stack))
            chased = time.monotonic()

    until(f"{deals} at {ends}", lambda: [deal(stack, d).get("stage") for d in deals] == ends, act)
    return deals


def _chase_function(stack: Stack) -> str:
    names = [function["FunctionName"] for function in stack.boto("lambda").list_functions()["Functions"]]
    return str(next(name for name in names if "ChaseStalled" in name))


def test_the_three_example_quotes_end_as_they_should_on_the_running_system(stack: Stack, people: People) -> None:
    deals = run(stack, people, ["passes", "needs both", "blocked"])

    assert [effects(people, deal_id) for deal_id in deals] == [(1, 1, 1), (1, 1, 1), (0, 0, 0)]


def test_duplicated_and_reordered_webhooks_change_nothing_on_the_running_system(stack: Stack, people: People) -> None:
    for twin in ("salesforce", "docusign", "stripe"):
        stack.twin(twin, "delivery", "POST", {"duplicate": 3, "shuffle": True})

    deals = run(stack, people, ["passes", "needs both"])

    assert [effects(people, deal_id) for deal_id in deals] == [(1, 1, 1), (1, 1, 1)]


def test_vendors_that_fail_and_lose_answers_are_survived_on_the_running_system(stack: Stack, people: People) -> None:
    lost = {"kind": "drop_answer", "seconds": 0.1}
    stack.twin("docusign", "faults", "POST", [{"match": "POST /restapi", **lost}])
    stack.twin("stripe", "faults", "POST", [{"match": "POST /v1/checkout/sessions", "kind": "status", "status": 500}])
    stack.twin("quickbooks", "faults", "POST", [{"match": "/invoice", **lost}])
    stack.twin(
        "salesforce", "faults", "POST", [{"match": "GET /services/data", "kind": "status", "status": 503, "times": 2}]
    )

    deals = run(stack, people, ["passes"])

    assert [effects(people, deal_id) for deal_id in deals] == [(1, 1, 1)]


def test_a_deal_whose_webhooks_are_all_lost_is_posted_on_the_running_system(stack: Stack, people: People) -> None:
    for twin in ("salesforce", "docusign", "stripe"):
        stack.twin(twin, "delivery", "POST", {"drop": True})

    deals = run(stack, people, ["needs both"], chase=True)

    assert [effects(people, deal_id) for deal_id in deals] == [(1, 1, 1)]


def test_a_forged_webhook_is_refused_by_the_running_system(stack: Stack) -> None:
    answer = stack.request("POST", "/webhooks/stripe", json={"id": "evt_1"}, headers={"Stripe-Signature": "t=1,v1=00"})

    assert answer.status == 401
    assert answer.json()["title"] == "Signature refused"


def test_nobody_without_a_token_gets_past_the_authorizer(stack: Stack) -> None:
    expired = stack.token("person-x", "admin", minutes=-5)

    assert stack.request("GET", "/deals").status == 401
    assert stack.request("GET", "/deals", token=expired).status == 401
    assert stack.request("GET", "/health").status == 200


def test_a_contract_that_is_out_is_shown_to_its_signer_and_sent_again(stack: Stack, people: People) -> None:
    line = {"id": "1", "sku": "CORE-01", "quantity": "10", "periods": 12, "list_unit_price": "100.00"}
    quote = {
        "name": "To be signed at once",
        "owner_id": "person-rita",
        "customer": {"id": "acct-8", "name": "Eighth Inc", "country": "US"},
        "contact": {"name": "Eve Eighth", "email": "eve@eighth.example"},
        "currency": "USD",
        "risk": "low",
        "payment_terms_days": 30,
        "term_months": 12,
        "lines": [{**line, "discount_percent": "10"}],
    }
    made = stack.request("POST", "/deals", json=quote, token=stack.token("person-rita", "rep"))
    assert made.status == 201, made.body
    deal_id, token = made.json()["deal_id"], stack.token("person-desk", "deal_desk")
    until("out for signature", lambda: deal(stack, deal_id).get("stage") == "out_for_signature", lambda: None)

    again = stack.request("POST", f"/deals/{deal_id}/signature/resend", token=token)
    shown = stack.request("POST", f"/deals/{deal_id}/signature/view", token=token)
    refused = stack.request("POST", f"/deals/{deal_id}/signature/view", token=stack.token("person-rita", "rep"))

    assert (again.status, shown.status, refused.status) == (202, 200, 403), shown.body
    with urllib.request.urlopen(shown.json()["url"], timeout=5) as page:
        assert b"Please review and sign: Please sign: To be signed at once" in page.read()
    until(
        "sent again",
        lambda: any("resend_envelope=true" in r["path"] for r in stack.twin("docusign", "requests")),
        lambda: None,
    )


def test_a_deal_made_by_rest_answers_with_its_decision(stack: Stack) -> None:
    quote = {
        "name": "By REST",
        "owner_id": "person-rita",
        "customer": {"id": "acct-9", "name": "Ninth Inc", "country": "US"},
        "contact": {"name": "Nina Ninth", "email": "nina@ninth.example"},
        "currency": "USD",
        "risk": "low",
        "payment_terms_days": 40,
        "billing": "annual",
        "term_months": 12,
        "lines": [
            {
                "id": "1",
                "sku": "CORE-01",
                "quantity": "10",
                "periods": 12,
                "list_unit_price": "100.00",
                "discount_percent": "25",
            }
        ],
    }
    token = stack.token("person-rita", "rep")

    first = stack.request("POST", "/deals", json=quote, token=token, headers={"Idempotency-Key": "live-1"})
    again = stack.request("POST", "/deals", json=quote, token=token, headers={"Idempotency-Key": "live-1"})

    assert first.status == 201, first.body
    assert first.json()["decision"]["outcome"] == "needs_approval"
    assert first.json()["open_steps"] == ["finance"]
    assert again.json() == first.json()
