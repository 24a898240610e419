"""Less than the total has arrived: a person asks for a link over exactly the rest, and the customer pays that."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dealdesk.domain.deal import Deal
from dealdesk.domain.money import Money
from dealdesk.domain.stages import PaymentStatus, Stage
from tests.functions.messages import given, happened, keep, rows, stored, stripe_event, stripe_request
from tests.functions.test_rest import AUDITOR, DESK, FIN, is_problem, key
from tests.journeys.world import World

PART, REST = 400_000, 600_000


def told(desk: World, deal: Deal, **changes: Any) -> int:
    """Stripe says that money has arrived; what else is delivered, the test says."""
    return given(desk, "stripe", stripe_request(desk, stripe_event(deal, **changes))).status


def part_paid(desk: World, deal_id: str) -> Deal:
    deal = keep(desk, Stage.AWAITING_PAYMENT, deal_id)
    assert told(desk, deal, amount_total=PART) == 200
    return stored(desk, deal_id)


def process(desk: World, deal_id: str, name: str, who: dict[str, Any] = FIN, **more: Any) -> tuple[int, Any]:
    return desk.rest("POST", "/payments/process", {"deal_id": deal_id, **more}, headers=key(name), **who)


def customer_pays(desk: World, deal_id: str) -> None:
    """The newest link, at Stripe's own page; its webhook arrives twice."""
    session = stored(desk, deal_id).payments[-1].session_id
    desk.twins["stripe"].act("pay", {"session_id": session, "method": "card"})
    for letter in desk.take_mail() * 2:
        assert desk.post(letter)["statusCode"] == 200
    desk.settle()


def test_a_part_is_shown_as_such_and_closes_nothing(desk: World) -> None:
    deal = part_paid(desk, "part-1")

    assert told(desk, deal, amount_total=PART, id="evt_again") == 200

    _, shown = desk.rest("GET", f"/deals/{deal.id}", **AUDITOR)
    [payment] = shown["payments"]
    assert (shown["stage"], shown["outstanding_minor"]) == ("awaiting_payment", REST)
    assert (payment["status"], payment["amount_minor"], payment["received_minor"]) == (
        "PARTIALLY_PAID",
        1_000_000,
        PART,
    )
    assert shown["waits_for_finance"] == ["6,000.00 USD are still to be collected: ask for the rest"]
    assert (shown["invoices"], shown["unapplied"]) == ([], [])
    assert happened(desk, deal.id).count("payment.partially_paid") == 1


def test_the_rest_is_collected_by_a_link_of_its_own_and_the_deal_is_invoiced_once(desk: World) -> None:
    deal = part_paid(desk, "part-2")

    status, asked = process(desk, deal.id, "rest-2", DESK)
    desk.settle()
    customer_pays(desk, deal.id)

    after = stored(desk, deal.id)
    [session] = [s for s in desk.twins["stripe"].state()["sessions"] if s["metadata"]["deal_id"] == deal.id]
    assert (status, asked["payment_id"], asked["amount_minor"]) == (200, f"pay_{deal.id}_2", REST)
    assert (session["amount_total"], session["metadata"]["payment_id"]) == (REST, f"pay_{deal.id}_2")
    assert [payment.settled for payment in after.payments] == [Money(PART, "USD"), Money(REST, "USD")]
    assert (after.stage, [invoice.draft.total_minor for invoice in after.invoices]) == (Stage.PAID, [1_000_000])


def test_the_same_key_and_body_get_the_same_answer_also_when_the_deal_has_moved_on(desk: World) -> None:
    deal = part_paid(desk, "part-3")
    _, first = process(desk, deal.id, "rest-3")
    payment = {"deal_id": deal.id, "payment_id": first["payment_id"]}
    told(desk, deal, id="evt_more", amount_total=1, payment_intent="pi_more", metadata=payment)
    _, third = process(desk, deal.id, "rest-3-more")

    _, replay = process(desk, deal.id, "rest-3")

    assert (third["payment_id"], third["amount_minor"]) == (f"pay_{deal.id}_3", REST - 1)
    assert replay == first
    is_problem(process(desk, deal.id, "rest-3", provider="stripe"), 409)
    assert len(stored(desk, deal.id).payments) == 3


def test_while_a_link_is_out_another_key_gets_that_one(desk: World) -> None:
    deal = part_paid(desk, "part-4")

    answers = [process(desk, deal.id, f"rest-4-{number}") for number in range(3)]

    assert {(status, answer["payment_id"]) for status, answer in answers} == {(200, f"pay_{deal.id}_2")}
    is_problem(process(desk, deal.id, "rest-4-paypal", provider="paypal"), 409, "through stripe")
    assert happened(desk, deal.id).count("payment.requested") == 2


def test_a_link_that_was_withdrawn_is_followed_by_one_over_the_same_rest(desk: World) -> None:
    deal = part_paid(desk, "part-5")
    process(desk, deal.id, "rest-5")
    desk.settle()
    desk.rest("POST", f"/payments/pay_{deal.id}_2/rollback", **FIN)
    desk.settle()

    _, third = process(desk, deal.id, "rest-5-again")
    desk.settle()

    sessions = [s for s in desk.twins["stripe"].state()["sessions"] if s["metadata"]["deal_id"] == deal.id]
    assert (third["payment_id"], third["amount_minor"]) == (f"pay_{deal.id}_3", REST)
    assert [(session["status"], session["amount_total"]) for session in sessions] == [("expired", REST), ("open", REST)]


def test_many_who_ask_at_once_make_one_link(desk: World) -> None:
    deal = part_paid(desk, "part-6")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: process(desk, deal.id, f"rest-6-{number}"), range(8)))
    desk.settle()

    known = stored(desk, deal.id).payments
    sessions = [s for s in desk.twins["stripe"].state()["sessions"] if s["metadata"]["deal_id"] == deal.id]
    assert {status for status, _ in answers} == {200}
    assert [payment.status for payment in known] == [PaymentStatus.PARTIALLY_PAID, PaymentStatus.PENDING]
    assert len(sessions) == 1


def test_refunds_and_disputes_of_a_part_find_their_deal_by_its_reference(desk: World) -> None:
    deal = part_paid(desk, "part-7")

    found = desk.port("receive_stripe", "references").deal_of("stripe", f"pi_{deal.id}")
    status, refund = desk.rest("POST", f"/payments/pay_{deal.id}_1/rollback", **FIN)

    assert found == deal.id
    assert (status, refund["amount_minor"], refund["status"]) == (202, PART, "REQUESTED")


@pytest.mark.parametrize("role", ["rep", "executive", "revops", "auditor"])
def test_who_does_not_collect_does_not_ask_for_the_rest(desk: World, role: str) -> None:
    before = rows()

    is_problem(process(desk, "part-1", f"rest-{role}", {"user": "person-x", "role": role}), 403)

    assert rows() == before
