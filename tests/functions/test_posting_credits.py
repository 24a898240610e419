"""From an approved credit memo to the ledger, once; and what the ledger refuses waits for finance."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.domain import credit_memos, invoices
from dealdesk.domain.deal import Credit, Deal, DealId
from dealdesk.domain.directory import NOBODY
from dealdesk.domain.stages import CreditStatus, Stage
from dealdesk.errors import LeaseHeld, VendorUnavailable
from dealdesk.ports import Cause
from dealdesk.usecases.post_credit_memo import post_credit_memo
from tests.fakes.ledger import FakeBooks, FakeLedger
from tests.unit.domain.deals import FINANCE, IN_FINANCE, NOW, OWNER, a_story


@pytest.fixture
def deals(table_name: str) -> DynamoDeals:
    story = a_story(Stage.CLOSED)
    story.then(credit_memos.request(story.deal, "inv_d-1_1", {"1": 40_000}, "less was sold", "person-sup"))
    story.then(credit_memos.approve(story.deal, "crd_d-1_1", FINANCE, IN_FINANCE, NOBODY, NOW))
    made = DynamoDeals(table_name, 1200)
    made.save(Deal(DealId("d-1")), story.events, cause=Cause("story", "d-1"), actor=OWNER, now=NOW)
    return made


@pytest.fixture
def books(deals: DynamoDeals) -> FakeBooks:
    books = FakeBooks(customers={"acct-1": "Acme Inc"}, skus=frozenset({"CORE-01"}))
    deal = deals.load("d-1")
    FakeLedger(books).post("invoice:inv_d-1_1", invoices.find(deal, "inv_d-1_1").draft, deal, NOW.date())
    return books


def work(deals: DynamoDeals, books: FakeBooks, **later: float) -> list[str]:
    return post_credit_memo(deals, lambda _: FakeLedger(books), "d-1", lambda: NOW + timedelta(**later))


def credit(deals: DynamoDeals) -> Credit:
    return deals.load("d-1").credits[0]


def test_many_workers_post_a_memo_once(deals: DynamoDeals, books: FakeBooks) -> None:
    def one(_: int) -> None:
        try:
            work(deals, books)
        except LeaseHeld:
            return

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(one, range(6)))
    work(deals, books, minutes=2)

    assert (credit(deals).status, len(books.credits)) == (CreditStatus.POSTED, 1)


def test_a_lost_answer_is_looked_up_and_no_second_memo_is_posted(deals: DynamoDeals, books: FakeBooks) -> None:
    books.after = VendorUnavailable("the answer was lost")

    with pytest.raises(VendorUnavailable):
        work(deals, books)
    work(deals, books)

    assert (credit(deals).status, len(books.credits)) == (CreditStatus.POSTED, 1)


def test_a_memo_that_the_ledger_refuses_waits_for_finance_and_is_posted_under_the_same_number(
    deals: DynamoDeals, books: FakeBooks
) -> None:
    books.closed = True
    work(deals, books)
    assert (credit(deals).status, credit(deals).reason) == (CreditStatus.FAILED, "the period is closed")
    assert work(deals, books) == []
    books.closed, deal = False, deals.load("d-1")
    again = credit_memos.approve(deal, "crd_d-1_1", "person-fin-2", IN_FINANCE, NOBODY, NOW)
    deals.save(deal, again, cause=Cause("api", "again"), actor="person-fin-2", now=NOW)

    work(deals, books)

    assert credit(deals).status is CreditStatus.POSTED
    assert list(books.credits) == [credit(deals).memo.number]
