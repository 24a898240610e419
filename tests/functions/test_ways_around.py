"""Four ways around the guardrails that sellers know, over REST: each ends at a gate."""

from __future__ import annotations

from typing import Any

import pytest

from dealdesk.domain.stages import Effect, Stage
from dealdesk.edge import clock
from tests.functions.messages import connect_message, docusign_request, given, happened, keep, rows, stored
from tests.functions.quotes import a_blocked_quote, a_line, a_quote, a_soft_breach
from tests.functions.test_rest import DESK, EXE, FIN, REP, approval, created, is_problem, seen
from tests.journeys.world import World
from tests.unit.domain.deals import OWNER

Json = dict[str, Any]


def asked_for(desk: World, deal_id: str) -> list[Effect]:
    """What the desk has promised to do outside for this deal."""
    return [intent.effect for intent in stored(desk, deal_id).intents]


def approved(desk: World, quote: Json) -> Json:
    deal = created(desk, quote)
    for step, who in (("finance", FIN), ("executive", EXE)):
        status, deal = desk.rest("POST", f"/deals/{deal['deal_id']}/approvals", approval(deal, step), **who)
        assert status == 200, deal
    assert deal["stage"] == "approved"
    return dict(deal)


def test_confirming_without_saving_a_preview_opens_no_gate(desk: World) -> None:
    before = rows()
    status, shown = desk.rest("POST", "/guardrails/preview", a_quote(), **REP)
    assert (status, shown["decision"]["outcome"]) == (200, "auto_approve")

    is_problem(desk.rest("POST", "/payments/process", {"deal_id": "api-00000000000000000000"}, **DESK), 404)
    is_problem(desk.rest("POST", "/invoices/stage", {"deal_id": "api-00000000000000000000"}, **DESK), 404)

    assert rows() == before


def test_confirming_a_deal_that_nobody_approved_opens_no_gate(desk: World) -> None:
    for quote in (a_blocked_quote(), a_soft_breach()):
        deal = created(desk, quote)

        is_problem(desk.rest("POST", "/payments/process", {"deal_id": deal["deal_id"]}, **DESK), 409)
        is_problem(desk.rest("POST", "/invoices/stage", {"deal_id": deal["deal_id"]}, **DESK), 409)

        assert asked_for(desk, deal["deal_id"]) == []


@pytest.mark.parametrize(
    "edit",
    [
        {"payment_terms_days": 41},
        {"lines": [a_line(net_unit_price="74.00")]},
        {"lines": [a_line(quantity="11", net_unit_price="75.00")]},
    ],
    ids=["terms", "discount", "size"],
)
def test_an_edit_above_what_was_granted_voids_the_approval_before_the_write_returns(desk: World, edit: Json) -> None:
    deal = approved(desk, a_soft_breach())
    assert asked_for(desk, deal["deal_id"]) == [Effect.SEND_ENVELOPE]

    status, after = desk.rest("PATCH", f"/deals/{deal['deal_id']}", edit, headers=seen(deal["version"]), **REP)

    assert (status, after["stage"]) == (200, "pending_approval")
    assert stored(desk, deal["deal_id"]).certificate is None
    assert asked_for(desk, deal["deal_id"]) == []
    is_problem(desk.rest("POST", "/payments/process", {"deal_id": deal["deal_id"]}, **DESK), 409)


def test_an_edit_and_its_inverse_do_not_bring_a_voided_approval_back_unasked(desk: World) -> None:
    deal = approved(desk, a_soft_breach())
    path = f"/deals/{deal['deal_id']}"

    _, worse = desk.rest(
        "PATCH", path, {"lines": [a_line(net_unit_price="70.00")]}, headers=seen(deal["version"]), **REP
    )
    back_to = {"lines": a_soft_breach()["lines"]}
    _, back = desk.rest("PATCH", path, back_to, headers=seen(worse["version"]), **REP)

    assert back["fingerprint"] == deal["fingerprint"]
    assert (worse["stage"], back["stage"]) == ("pending_approval", "pending_approval")


def test_duplicating_an_approved_quote_needs_an_approval_of_its_own(desk: World) -> None:
    original = approved(desk, a_soft_breach())

    copy = created(desk, a_soft_breach(name="Copy of it"))

    assert copy["deal_id"] != original["deal_id"]
    assert copy["fingerprint"] == original["fingerprint"]
    assert (copy["stage"], copy["open_steps"]) == ("pending_approval", ["finance"])
    assert asked_for(desk, copy["deal_id"]) == []
    is_problem(desk.rest("POST", "/payments/process", {"deal_id": copy["deal_id"]}, **DESK), 409)


def test_a_copy_is_told_that_it_lies_inside_what_was_granted_and_no_more(desk: World) -> None:
    original = approved(desk, a_soft_breach())

    inside = created(desk, a_soft_breach(copied_from=original["deal_id"]))
    outside = created(desk, a_quote(payment_terms_days=41, copied_from=original["deal_id"]))

    assert (inside["inside_approval_of"], inside["stage"]) == (original["deal_id"], "pending_approval")
    assert outside["inside_approval_of"] is None


def test_a_customer_who_signs_first_opens_no_gate(desk: World) -> None:
    """The envelope of the terms before was out and gets signed after the terms had changed."""
    deal = keep(desk, Stage.OUT_FOR_SIGNATURE, "signs-first")
    who: Json = {"user": OWNER, "role": "rep"}
    _, changed = desk.rest("PATCH", f"/deals/{deal.id}", {"payment_terms_days": 40}, headers=seen(deal.version), **who)
    assert changed["stage"] == "pending_approval"

    answer = given(desk, "docusign", docusign_request(desk, connect_message(deal, clock.now())))

    assert answer.status == 200
    assert "document.completed" in happened(desk, deal.id)
    assert "payment.requested" not in happened(desk, deal.id)
    is_problem(desk.rest("POST", "/payments/process", {"deal_id": deal.id}, **DESK), 409)
    is_problem(desk.rest("POST", "/invoices/stage", {"deal_id": deal.id}, **DESK), 409)
