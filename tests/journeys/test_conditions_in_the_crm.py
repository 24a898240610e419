"""An approver says yes with conditions in the CRM: they hold as if REST had been asked, or the yes is none."""

from __future__ import annotations

from typing import Any

import pytest

from local.people import APPROVERS, PATHS, People
from tests.journeys.test_paths import began
from tests.journeys.world import World

WITH = "Approve with conditions"


@pytest.fixture(params=["standard", "hubspot"])
def people(world: World, request: pytest.FixtureRequest) -> People:
    """The second deal waits for finance and executive."""
    people = began(world, PATHS[request.param])
    told(world)
    assert deal(world, people)["stage"] == "pending_approval"
    return people


def told(world: World) -> None:
    for _ in range(6):
        for letter in world.take_mail():
            world.post(letter)
        world.settle()


def deal(world: World, people: People) -> dict[str, Any]:
    return world.deal(people.path.deals[1])


def decide(world: World, people: People, step: str, decision: str, conditions: str = "") -> None:
    """Whoever is asked for this step picks this decision, and the CRM tells the desk."""
    crm, deal_id = people.path.crm, people.path.deals[1]
    (key,) = [one["key"] for one in people.pending_approvals() if (one["deal_id"], one["step"]) == (deal_id, step)]
    user = APPROVERS[crm][step]
    asked = {"approval_key": key, "decision": decision, "user_id": user, "conditions": conditions}
    world.twins[crm].act("decide", asked)
    told(world)


def again(world: World, people: People, step: str, decision: str, conditions: str = "") -> None:
    """Takes the decision back in the CRM and picks another."""
    crm = people.path.crm
    rows = world.twins[crm].state()["deal_desk_approval" if crm == "hubspot" else "Deal_Desk_Approval__c"]
    keys = [one["properties"]["approval_key"] if crm == "hubspot" else one["Approval_Key__c"] for one in rows]
    (key,) = [one for one in keys if one.startswith(people.path.deals[1]) and one.endswith(f":{step}")]
    user = APPROVERS[crm][step]
    if crm == "hubspot":
        world.twins[crm].act("decide", {"approval_key": key, "decision": "", "user_id": user})
    asked = {"approval_key": key, "decision": decision, "user_id": user, "conditions": conditions}
    world.twins[crm].act("decide", asked)
    told(world)


def grants(world: World, people: People) -> dict[str, list[dict[str, str]]]:
    _, timeline = world.rest("GET", f"/deals/{people.path.deals[1]}/timeline", user="person-aud", role="auditor")
    granted = [event["data"] for event in timeline["events"] if event["type"] == "approval.granted"]
    return {one["step"]: one["conditions"] for one in granted}


def test_terms_that_do_not_meet_a_condition_are_not_approved(world: World, people: People) -> None:
    decide(world, people, "finance", WITH, "payment_days max 10\nbilling same annual")
    decide(world, people, "executive", "Approve")

    now = deal(world, people)
    assert grants(world, people)["finance"] == [
        {"fact": "payment_days", "op": "max", "value": "10"},
        {"fact": "billing", "op": "same", "value": "annual"},
    ]
    assert any("payment_days" in sentence or "payment" in sentence for sentence in now["unmet_conditions"])
    assert (now["stage"] in ("approved", "out_for_signature"), now["envelope"]) == (False, None)


def test_terms_that_meet_every_condition_go_out_for_signature(world: World, people: People) -> None:
    decide(world, people, "finance", WITH, "payment_days max 60")
    decide(world, people, "executive", "Approve")

    assert deal(world, people)["stage"] == "out_for_signature"


@pytest.mark.parametrize(
    ("decision", "conditions"),
    [(WITH, "payment up to 10 days"), (WITH, ""), ("Approve", "payment_days max 10")],
    ids=["cannot be read", "names none", "a plain yes beside conditions"],
)
def test_a_yes_that_cannot_be_enforced_as_it_was_meant_is_none_until_it_is_put_right(
    world: World, people: People, decision: str, conditions: str
) -> None:
    decide(world, people, "finance", decision, conditions)
    assert grants(world, people) == {}
    assert "finance" in deal(world, people)["open_steps"]

    again(world, people, "finance", WITH, "payment_days max 60")

    assert grants(world, people) == {"finance": [{"fact": "payment_days", "op": "max", "value": "60"}]}


def test_with_the_message_lost_the_conditions_are_found_by_asking(world: World, people: People) -> None:
    crm, deal_id = people.path.crm, people.path.deals[1]
    (key,) = [o["key"] for o in people.pending_approvals() if (o["deal_id"], o["step"]) == (deal_id, "finance")]
    asked = {"approval_key": key, "decision": WITH, "conditions": "payment_days max 60"}
    world.twins[crm].act("decide", {**asked, "user_id": APPROVERS[crm]["finance"]})
    world.take_mail()

    world.sleep(minutes=21)
    world.invoke("chase_stalled", {})
    world.settle()

    assert grants(world, people) == {"finance": [{"fact": "payment_days", "op": "max", "value": "60"}]}


def test_an_invoice_is_approved_as_it_is_or_not_at_all(world: World, people: People) -> None:
    for _ in range(12):
        told(world)
        waiting = [one for one in people.pending_approvals() if one["step"] == "invoice"]
        if waiting:
            break
        people.everybody_acts()
    crm = people.path.crm
    asked = {"decision": WITH, "conditions": "payment_days max 60", "user_id": APPROVERS[crm]["invoice"]}

    world.twins[crm].act("decide", {"approval_key": waiting[0]["key"], **asked})
    told(world)

    assert [one["status"] for one in world.deal(waiting[0]["deal_id"])["invoices"]] == ["DRAFT"]
