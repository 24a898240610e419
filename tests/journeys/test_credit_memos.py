"""A posted invoice is put right by credit memos, through each of the three ledgers, and every memo is booked once."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from local.people import PATHS
from tests.journeys.test_paths import began, run_to_the_end
from tests.journeys.world import World, crashing

Json = dict[str, Any]
SUPPORT: Json = {"user": "person-sup", "role": "deal_desk"}
FIN: Json = {"user": "person-fin-2", "role": "finance"}
# The call that makes the document, at each ledger.
CALLS = {
    "quickbooks": "/creditmemo",
    "netsuite": "!transform/creditMemo",
    "sap": "SAP__self.CreateFromSDDocument",
}


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def invoice(world: World, path: str) -> Json:
    """The posted invoice of the first deal, which is closed."""
    people = began(world, PATHS[path])
    run_to_the_end(world, people)
    world.take_mail()
    deal = world.deal(PATHS[path].deals[0])
    assert deal["stage"] == "closed"
    return dict(deal["invoices"][0])


def rest(world: World, method: str, path: str, body: Json | None = None, *, who: Json = SUPPORT) -> Json:
    status, answer = world.rest(method, path, body, **who)
    assert status in (200, 202), answer
    return dict(answer)


def asked(world: World, invoice: Json, **body: Any) -> Json:
    return rest(world, "POST", f"/invoices/{invoice['invoice_id']}/credits", {"reason": "less was sold", **body})


def approved(world: World, memo: Json) -> None:
    rest(world, "POST", f"/credits/{memo['memo_id']}/approve", who=FIN)


def credited(world: World, invoice: Json, **body: Any) -> Json:
    """Somebody asks, somebody else approves, the ledger books it."""
    memo = asked(world, invoice, **body)
    approved(world, memo)
    world.settle()
    return rest(world, "GET", f"/credits/{memo['memo_id']}")


def booked(world: World, ledger: str) -> tuple[list[int], list[int]]:
    """What the ledger has of invoices and of credit memos, in minor units before tax, in the order of their making."""
    return BOOKS[ledger](world.twins[ledger].state())


def _quickbooks(state: Json) -> tuple[list[int], list[int]]:
    return _totals(state["Invoice"], "TotalAmt"), _totals(state["CreditMemo"], "TotalAmt")


def _netsuite(state: Json) -> tuple[list[int], list[int]]:
    return _totals(state["invoice"], "subtotal"), _totals(state["creditMemo"], "subtotal")


def _sap(state: Json) -> tuple[list[int], list[int]]:
    rows: list[Json] = state["A_BillingDocument"]
    invoices, memos = ([row for row in rows if row["BillingDocumentType"] == kind] for kind in ("F2", "G2"))
    return _totals(invoices, "TotalNetAmount"), _totals(memos, "TotalNetAmount")


def _totals(rows: list[Json], name: str) -> list[int]:
    return [_minor(row[name]) for row in rows]


def _minor(amount: Any) -> int:
    return int(Decimal(str(amount)) * 100)


BOOKS: dict[str, Callable[[Json], tuple[list[int], list[int]]]] = {
    "quickbooks": _quickbooks,
    "netsuite": _netsuite,
    "sap": _sap,
}


def test_a_memo_for_a_part_of_a_line_is_booked_once_and_the_invoice_stays(
    world: World, path: str, invoice: Json
) -> None:
    ledger = PATHS[path].ledger
    invoices, _ = booked(world, ledger)
    line = invoice["lines"][0]["line_id"]

    memo = credited(world, invoice, lines=[{"line_id": line, "amount_minor": 40_000}])

    assert (memo["status"], memo["posted_total_minor"]) == ("POSTED", 40_000)
    assert memo["ledger_id"]
    assert booked(world, ledger) == (invoices, [40_000])
    (now,) = world.deal(PATHS[path].deals[0])["invoices"]
    assert (now["status"], now["ledger_id"]) == ("POSTED", invoice["ledger_id"])
    assert [one["memo_id"] for one in now["credits"]] == [memo["memo_id"]]


def test_everything_told_twice_books_one_memo(world: World, path: str, invoice: Json) -> None:
    memo = asked(world, invoice)
    approved(world, memo)

    world.settle(times=2)

    assert booked(world, PATHS[path].ledger)[1] == [invoice["total_minor"]]
    assert rest(world, "GET", f"/credits/{memo['memo_id']}")["status"] == "POSTED"


def test_memos_never_take_back_more_than_was_billed(world: World, path: str, invoice: Json) -> None:
    line = invoice["lines"][0]["line_id"]
    credited(world, invoice, lines=[{"line_id": line, "amount_minor": 40_000}])
    rest_of_it = credited(world, invoice)

    status, _ = world.rest("POST", f"/invoices/{invoice['invoice_id']}/credits", {"reason": "once more"}, **SUPPORT)

    assert rest_of_it["posted_total_minor"] == invoice["total_minor"] - 40_000
    assert status == 409
    assert sum(booked(world, PATHS[path].ledger)[1]) == invoice["total_minor"]


@pytest.mark.parametrize(
    "trouble",
    [{"kind": "drop_answer", "status": 0}, {"kind": "garble"}, {"kind": "status", "status": 500}],
    ids=["lost answer", "unreadable answer", "500"],
)
def test_after_any_doubt_one_memo_is_booked(world: World, path: str, invoice: Json, trouble: Json) -> None:
    ledger = PATHS[path].ledger
    world.fail(ledger, match=CALLS[ledger], **trouble)

    memo = credited(world, invoice)

    assert not world.twins[ledger].faults
    assert (memo["status"], booked(world, ledger)[1]) == ("POSTED", [invoice["total_minor"]])


@pytest.mark.parametrize("before", [True, False], ids=["before the call", "after the call"])
def test_a_worker_that_dies_around_the_call_leaves_one_memo(
    world: World, path: str, invoice: Json, before: bool
) -> None:
    ledger = PATHS[path].ledger
    memo = asked(world, invoice)
    approved(world, memo)

    with crashing(type(world.port("post_invoice", "ledgers", ledger)), "credit", before=before):
        world.settle()

    assert rest(world, "GET", f"/credits/{memo['memo_id']}")["status"] == "POSTED"
    assert booked(world, ledger)[1] == [invoice["total_minor"]]


def test_a_memo_that_nobody_heard_of_is_booked_when_the_deal_is_asked_about(
    world: World, path: str, invoice: Json
) -> None:
    memo = asked(world, invoice)
    approved(world, memo)
    world.relay()
    for queue in world.queues.values():
        queue.messages.clear()

    world.sleep(minutes=21)
    world.invoke("chase_stalled", {})
    world.settle()

    assert rest(world, "GET", f"/credits/{memo['memo_id']}")["status"] == "POSTED"
    assert booked(world, PATHS[path].ledger)[1] == [invoice["total_minor"]]


def test_a_sale_that_got_smaller_is_refunded_and_credited_and_is_then_even(
    world: World, path: str, invoice: Json
) -> None:
    (payment,) = world.deal(PATHS[path].deals[0])["payments"]
    asked_back = {"amount_minor": 40_000, "reason": "less was sold"}
    refund = rest(world, "POST", f"/payments/{payment['payment_id']}/refunds", asked_back)
    line = invoice["lines"][0]["line_id"]
    memo = asked(world, invoice, lines=[{"line_id": line, "amount_minor": 40_000}], refund_id=refund["refund_id"])
    rest(world, "POST", f"/refunds/{refund['refund_id']}/approve", who=FIN)
    approved(world, memo)

    for _ in range(3):
        world.settle()
        for letter in world.take_mail():
            world.post(letter)

    (now,) = world.deal(PATHS[path].deals[0])["invoices"]
    assert (now["collected_minor"], now["settlement"]) == (invoice["total_minor"] - 40_000, "paid")
    assert booked(world, PATHS[path].ledger)[1] == [40_000]
