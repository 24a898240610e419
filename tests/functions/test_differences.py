"""An invoice that is not what was collected: where finance sees it, who accepts it, and that nothing closes before."""

from __future__ import annotations

from typing import Any

import pytest

from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.domain import invoices, refunds
from dealdesk.domain.deal import Deal, DealId
from dealdesk.domain.directory import NOBODY
from dealdesk.domain.money import Money
from dealdesk.domain.stages import Stage
from dealdesk.ports import Cause
from tests.functions.messages import happened, rows, stored
from tests.functions.test_rest import DECIDES, FIN, ROLES, is_problem
from tests.journeys.world import World
from tests.unit.domain.deals import FINANCE, IN_FINANCE, NOW, OWNER, Story, a_story

Json = dict[str, Any]
ACCEPT = {"difference_minor": 40_000, "reason": "the refund was agreed"}


def store(desk: World, story: Story) -> Deal:
    deals: DynamoDeals = desk.port("receive_stripe", "deals")
    deal_id = story.deal.id
    return deals.save(Deal(DealId(deal_id)), story.events, cause=Cause("story", deal_id), actor=OWNER, now=NOW)


def partly_refunded(desk: World, deal_id: str) -> Deal:
    """A draft over 10,000.00 of which 400.00 went back before it was approved."""
    story = a_story(Stage.PAID, deal_id)
    return store(desk, story.then(refunds.told(story.deal, "pi_1", "", "re_1", "succeeded", Money(40_000, "USD"), "")))


def taxed(desk: World, deal_id: str) -> Deal:
    """Posted by the ledger with 400.00 of tax that nobody has collected."""
    story = a_story(Stage.PAID, deal_id)
    invoice_id = f"inv_{deal_id}_1"
    story.then(invoices.approve(story.deal, invoice_id, FINANCE, IN_FINANCE, NOBODY, NOW))
    key, total = f"invoice:{invoice_id}", 1_040_000
    return store(desk, story.then(invoices.posted(story.deal, key, "71", "DD-1", total, NOW.date(), NOW)))


def call(desk: World, deal: Deal, act: str, body: Json | None = None, who: Json = FIN) -> tuple[int, Any]:
    return desk.rest("POST", f"/invoices/inv_{deal.id}_1/{act}", body, **who)


def test_only_roles_that_decide_may_accept(desk: World) -> None:
    before = rows()

    for role in (*ROLES, "owner"):
        answer = desk.rest("POST", "/invoices/inv_nowhere_1/difference", ACCEPT, user="person-x", role=role)
        is_problem(answer, 404 if role in DECIDES else 403)

    assert rows() == before


def test_a_draft_that_is_not_what_was_collected_is_not_posted_until_finance_accepts_it(desk: World) -> None:
    deal = partly_refunded(desk, "draft-differs")
    before = rows()

    is_problem(call(desk, deal, "approve"), 409, "10,000.00 USD and 9,600.00 USD are collected")
    is_problem(call(desk, deal, "difference", {**ACCEPT, "difference_minor": 39_999}), 409, "400.00 USD now")
    assert rows() == before
    status, invoice = call(desk, deal, "difference", ACCEPT)
    approved, _ = call(desk, deal, "approve")

    assert (status, invoice["status"], invoice["accepted_difference_minor"]) == (200, "DRAFT", 40_000)
    assert approved == 200
    assert happened(desk, deal.id)[-1] == "invoice.posting_requested"


def test_a_posted_total_with_tax_is_shown_and_closes_nothing_until_finance_accepts_it(desk: World) -> None:
    deal = taxed(desk, "tax-differs")

    _, invoice = desk.rest("GET", f"/invoices/inv_{deal.id}_1", **FIN)
    _, whole = desk.rest("GET", f"/deals/{deal.id}", **FIN)

    assert invoice["differs"]
    assert (invoice["posted_total_minor"], invoice["collected_minor"]) == (1_040_000, 1_000_000)
    assert (invoice["difference_minor"], invoice["settlement"]) == (40_000, "partially_paid")
    assert (whole["stage"], len(whole["waits_for_finance"])) == ("invoiced", 1)
    assert call(desk, deal, "difference", ACCEPT)[0] == 200
    assert stored(desk, deal.id).stage is Stage.CLOSED
    is_problem(call(desk, deal, "difference", ACCEPT), 409, "no difference waits")


@pytest.mark.parametrize("minor", ["40000", 1.5, True, None, 10**15])
def test_a_difference_that_is_no_amount_is_refused(desk: World, minor: Any) -> None:
    answer = desk.rest("POST", "/invoices/inv_x_1/difference", {**ACCEPT, "difference_minor": minor}, **FIN)

    is_problem(answer, 422)
