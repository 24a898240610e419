"""Closed deals whose money is disputed or given back at PayPal, through the vendors and back into the deal."""

from __future__ import annotations

from typing import Any

import pytest

from local.people import PATHS, People
from tests.journeys.test_paths import began, run_to_the_end
from tests.journeys.world import World

Json = dict[str, Any]
DEAL = PATHS["hubspot"].deals[0]
FEE_MINOR = 1_500


@pytest.fixture
def capture(world: World) -> Json:
    """What PayPal took from the customer of a deal that is closed."""
    people = began(world, PATHS["hubspot"])
    run_to_the_end(world, people)
    world.take_mail()
    return next(one for one in world.twins["paypal"].state()["captures"] if DEAL in one["custom_id"])


def disputed(world: World, capture: Json, value: str | None = None) -> str:
    asked = {"capture_id": capture["id"], "value": value}
    return str(world.twins["paypal"].act("dispute", asked)["dispute_id"])


def resolved(world: World, dispute_id: str, outcome: str, **how: Any) -> None:
    world.twins["paypal"].act("resolve", {"dispute_id": dispute_id, "outcome": outcome, **how})


def told(world: World, *, times: int = 1) -> None:
    for letter in world.take_mail() * times:
        assert world.post(letter)["statusCode"] == 200
    world.settle()


def collected(world: World) -> tuple[int, int]:
    """What the deal has of the customer's money, and what was taken for its invoice at first."""
    (invoice,) = world.deal(DEAL)["invoices"]
    (payment,) = world.deal(DEAL)["payments"]
    return invoice["collected_minor"], payment["amount_minor"]


def test_a_dispute_at_paypal_takes_the_money_with_its_fee(world: World, capture: Json) -> None:
    disputed(world, capture)

    told(world, times=2)

    deal, (has, total) = world.deal(DEAL), collected(world)
    (dispute,) = deal["disputes"]
    assert (dispute["status"], dispute["amount_minor"], dispute["fee_minor"]) == ("OPEN", total, FEE_MINOR)
    assert (has, deal["disputed"], deal["invoices"][0]["settlement"]) == (0, True, "open")
    assert deal["payments"][0]["status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("outcome", "status", "left"), [("RESOLVED_SELLER_FAVOUR", "WON", 1), ("RESOLVED_BUYER_FAVOUR", "LOST", 0)]
)
def test_a_dispute_is_decided_by_paypals_own_message(
    world: World, capture: Json, outcome: str, status: str, left: int
) -> None:
    dispute_id = disputed(world, capture)
    told(world)

    resolved(world, dispute_id, outcome)
    told(world, times=2)

    has, total = collected(world)
    assert [one["status"] for one in world.deal(DEAL)["disputes"]] == [status]
    assert (has, world.deal(DEAL)["disputed"]) == (left * total, False)


def test_what_paypal_refunds_for_a_lost_dispute_is_not_counted_twice(world: World, capture: Json) -> None:
    dispute_id = disputed(world, capture, "100.00")
    told(world)

    resolved(world, dispute_id, "ACCEPTED", by_refund=True)
    told(world)

    has, total = collected(world)
    assert has == total - 10_000
    assert [one["status"] for one in world.deal(DEAL)["disputes"]] == ["LOST"]


@pytest.mark.parametrize("order", ["dispute first", "refund first"])
def test_a_refund_by_hand_during_a_dispute_counts_once_in_any_order(world: World, capture: Json, order: str) -> None:
    disputed(world, capture, "100.00")
    world.twins["paypal"].held.refund(capture["id"], {"amount": _usd("100.00")}, world.twins["paypal"].url)  # type: ignore[attr-defined]
    letters = world.take_mail()

    for letter in letters if order == "dispute first" else reversed(letters):
        world.post(letter)
        world.settle()

    has, total = collected(world)
    assert has == total - 10_000


def test_with_the_decision_lost_on_its_way_the_deal_learns_it_by_asking_once_a_day(world: World, capture: Json) -> None:
    dispute_id = disputed(world, capture)
    told(world)
    resolved(world, dispute_id, "RESOLVED_SELLER_FAVOUR")
    world.take_mail()

    chased(world, hours=23)
    assert world.deal(DEAL)["disputed"]
    chased(world, hours=2)

    has, total = collected(world)
    assert (has, world.deal(DEAL)["disputed"]) == (total, False)


def test_with_the_first_message_lost_any_later_one_tells_the_dispute(world: World, capture: Json) -> None:
    dispute_id = disputed(world, capture)
    world.take_mail()

    resolved(world, dispute_id, "RESOLVED_BUYER_FAVOUR")
    told(world)

    assert [one["status"] for one in world.deal(DEAL)["disputes"]] == ["LOST"]
    assert collected(world)[0] == 0


def test_a_dispute_that_nothing_moves_is_asked_about_once_a_day(world: World, capture: Json) -> None:
    disputed(world, capture)
    told(world)

    for _ in range(48):
        chased(world, hours=1)

    _, timeline = world.rest("GET", f"/deals/{DEAL}/timeline", user="person-aud", role="auditor")
    asked = [event for event in timeline["events"] if event["type"] == "vendor.asked"]
    assert [event["data"] for event in asked] == [{"vendor": "dispute", "answer": "open"}] * len(asked)
    assert len(asked) in (1, 2)


def test_a_dispute_is_asked_about_also_while_the_draft_waits_for_finance_in_the_crm(world: World) -> None:
    people = began(world, PATHS["hubspot"])
    run_until_paid(world, people)
    capture = next(one for one in world.twins["paypal"].state()["captures"] if DEAL in one["custom_id"])
    dispute_id = disputed(world, capture)
    told(world)
    resolved(world, dispute_id, "RESOLVED_SELLER_FAVOUR")
    world.take_mail()

    for _ in range(4):
        chased(world, minutes=25)

    deal = world.deal(DEAL)
    assert (deal["stage"], deal["invoices"][0]["status"]) == ("paid", "DRAFT")
    assert [one["status"] for one in deal["disputes"]] == ["WON"]


def run_until_paid(world: World, people: People) -> None:
    for _ in range(24):
        for letter in world.take_mail():
            world.post(letter)
        world.settle()
        if world.deal(DEAL)["stage"] == "paid":
            return
        people.everybody_acts()
    raise AssertionError("the deal is never paid")


def chased(world: World, **span: float) -> None:
    world.sleep(**span)
    world.invoke("chase_stalled", {})
    world.settle()


def _usd(value: str) -> Json:
    return {"currency_code": "USD", "value": value}
