"""A stricter policy is published while deals are in flight: they follow what its publisher chose."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from dealdesk.policies import template_document
from tests.functions.messages import happened
from tests.functions.quotes import a_line, a_quote
from tests.functions.test_rest import AUDITOR, REP, created
from tests.journeys.world import World

Json = dict[str, Any]
ANN: Json = {"user": "person-ann", "role": "revops"}
BEN: Json = {"user": "person-ben", "role": "revops"}


def publish(desk: World, executives_from: str, **in_flight: Any) -> None:
    """`classic` with another limit for executives."""
    document = deepcopy(template_document("classic"))
    document["rules"][1]["rows"][0]["limit"] = executives_from  # type: ignore[index]
    newest = desk.rest("GET", "/policies/pricing-guardrails", **ANN)[1]["version"]
    headers = {"If-Match": f'"{newest}"'}
    status, draft = desk.rest("PATCH", "/policies/pricing-guardrails", {"document": document}, headers=headers, **ANN)
    assert status == 200, draft
    body = {"version": draft["version"], **({"in_flight": in_flight} if in_flight else {})}
    status, published = desk.rest("POST", "/policies/pricing-guardrails/publish", body, **BEN)
    assert status == 200, published


def approved_at_fifteen_percent(desk: World) -> Json:
    publish(desk, "20.00", mode="re_evaluate")
    deal = created(desk, a_quote(lines=[a_line(net_unit_price="85.00")]))
    assert deal["stage"] == "approved"
    return deal


@pytest.mark.parametrize(
    ("choice", "stage"),
    [({"mode": "re_evaluate"}, "pending_approval"), ({}, "out_for_signature")],
    ids=["re-evaluate", "by default deals in flight are spared"],
)
def test_before_a_contract_goes_out_the_deal_follows_the_publishers_choice(
    desk: World, choice: Json, stage: str
) -> None:
    deal = approved_at_fifteen_percent(desk)
    publish(desk, "10.00", **choice)

    desk.settle()

    _, after = desk.rest("GET", f"/deals/{deal['deal_id']}", **AUDITOR)
    assert after["stage"] == stage
    assert ("document.sent" in happened(desk, deal["deal_id"])) is (stage == "out_for_signature")


def test_a_new_quote_is_judged_by_the_new_policy_at_once(desk: World) -> None:
    publish(desk, "10.00")

    deal = created(desk, a_quote(lines=[a_line(net_unit_price="85.00")]))

    assert (deal["stage"], deal["open_steps"]) == ("pending_approval", ["executive"])


def test_a_round_that_waits_follows_the_choice_as_well(desk: World) -> None:
    publish(desk, "20.00", mode="re_evaluate")
    deal = created(desk, a_quote(payment_terms_days=40, lines=[a_line(net_unit_price="85.00")]))
    assert deal["open_steps"] == ["finance"]
    publish(desk, "10.00", mode="re_evaluate")
    desk.sleep(hours=13)

    desk.invoke("escalate_approvals", {})

    _, after = desk.rest("GET", f"/deals/{deal['deal_id']}", **REP)
    assert after["decision"]["required_steps"] == ["finance", "executive"]
