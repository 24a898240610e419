"""What the people of the three example deals do: submit, approve, sign, pay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.journeys.world import API, Mail, World

EVENTS = Path(__file__).resolve().parents[2] / "events"
FIONA, ERIC, RITA = "0057F000001finAQAQ", "0057F000001exeAQAQ", "0057F000001repAQAQ"
APPROVERS = {"finance": FIONA, "executive": ERIC, "invoice": FIONA}
PASSES, NEEDS_BOTH, BLOCKED = (f"sf-0067F00000deal{number}QAA" for number in (1, 2, 3))
DEALS = (PASSES, NEEDS_BOTH, BLOCKED)


def submit(world: World) -> Mail:
    """The three quotes come in one message, as in events/."""
    secret = world.secrets["salesforce"]["path_secret"]
    body = (EVENTS / "salesforce_quotes_submitted.xml").read_bytes()
    return Mail(f"{API}/webhooks/salesforce/{secret}", body, {"Content-Type": "text/xml; charset=UTF-8"})


def answer_approvals(world: World) -> int:
    """Every approver presses the button on what is pending for them in the CRM."""
    pending = [
        record
        for record in world.twins["salesforce"].state()["Deal_Desk_Approval__c"]
        if record["Status__c"] == "Pending" and not record.get("Decision__c")
    ]
    for record in pending:
        decision = {
            "approval_key": record["Approval_Key__c"],
            "decision": "Approve",
            "user_id": APPROVERS[record["Step__c"]],
        }
        world.twins["salesforce"].act("decide", decision)
    return len(pending)


def sign(world: World) -> int:
    """Every customer signs what lies before them."""
    docusign = world.twins["docusign"]
    sent = [e for e in docusign.state()["envelopes"] if e["status"] == "sent"]
    for envelope in sent:
        docusign.act("complete", {"envelope_id": envelope["envelopeId"]})
    return len(sent)


def pay(world: World) -> int:
    """Every customer pays by card."""
    stripe = world.twins["stripe"]
    unpaid: list[dict[str, Any]] = [s for s in stripe.state()["sessions"] if s["status"] == "open"]
    for session in unpaid:
        stripe.act("pay", {"session_id": session["id"], "method": "card"})
    return len(unpaid)


def everybody_acts(world: World) -> int:
    return answer_approvals(world) + sign(world) + pay(world)
