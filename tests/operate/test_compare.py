"""The desk and the vendors of a deal are compared by reading alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import pytest

from dealdesk.domain.deal import Deal, DealId, Intent, Payment, Refund
from dealdesk.domain.money import Money
from dealdesk.domain.stages import Effect, EnvelopeStatus, PaymentStatus, RefundStatus
from dealdesk.edge import aws
from dealdesk.ports import EnvelopeState, PaymentLink, PaymentState, RefundState
from functions.post_invoice import app as post_invoice
from functions.request_payment import app as request_payment
from functions.request_signature import app as request_signature
from local.people import PATHS, People
from local.people import Path as Vendors
from operate.compare import compare as compared
from operate.vendors import Vendors as At
from tests.journeys.people import people_of
from tests.journeys.world import World
from tests.operate.conftest import Operate, rows
from tests.table import TABLE

FOLDERS = {
    "RequestSignature": "request_signature",
    "RequestPayment": "request_payment",
    "PostInvoice": "post_invoice",
}
PARTS = ("envelope", "payment", "invoice")
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def compare(world: World, in_the_world: Operate, capsys: Captured) -> Iterator[Any]:
    """Compares a deal in the world; the exit code, and a verdict for each thing."""

    def configuration(FunctionName: str) -> dict[str, Any]:
        function = world._resource_of(FOLDERS[FunctionName])
        return {"Environment": {"Variables": world._environment_of(function)}}

    aws.clients["lambda"] = SimpleNamespace(get_function_configuration=configuration)
    for app in (post_invoice, request_payment, request_signature):
        app.config.cache_clear()

    def run(deal_id: str) -> tuple[int, dict[str, str]]:
        code = in_the_world("compare", deal_id)
        shown = capsys.readouterr()
        lines = [line.split() for line in shown.out.splitlines()]
        return code, {words[1]: words[0] for words in lines if words[0] in ("same", "DIFFERS", "UNKNOWN")}

    with patch.dict(os.environ):
        yield run


def run_until(world: World, path: Vendors, stage: str) -> People:
    """The first deal goes on until it is there; webhooks are delivered."""
    people = people_of(world, path)
    people.name_providers()
    world.take_mail()
    people.submit()
    for _ in range(24):
        for letter in world.take_mail():
            world.post(letter)
        world.settle()
        if world.deal(path.deals[0])["stage"] == stage:
            return people
        people.everybody_acts()
    raise AssertionError(f"the deal never is {stage}")


@pytest.mark.parametrize("name", PATHS)
def test_a_deal_that_was_closed_is_the_same_at_every_vendor(world: World, compare: Any, name: str) -> None:
    run_until(world, PATHS[name], "closed")

    code, verdicts = compare(PATHS[name].deals[0])

    assert tuple(verdicts) == PARTS
    assert set(verdicts.values()) == {"same"}
    assert code == 0


@pytest.mark.parametrize("name", ["standard", "hubspot"])
def test_a_contract_whose_signing_nobody_told_differs(world: World, compare: Any, name: str) -> None:
    path = PATHS[name]
    people = run_until(world, path, "out_for_signature")

    before = compare(path.deals[0])
    people.sign()
    after = compare(path.deals[0])

    assert before == (0, {"envelope": "same"})
    assert after == (1, {"envelope": "DIFFERS"})


def test_money_that_nobody_told_of_differs(world: World, compare: Any) -> None:
    path = PATHS["standard"]
    people = run_until(world, path, "awaiting_payment")

    before = compare(path.deals[0])
    people.pay()
    after = compare(path.deals[0])

    assert before == (0, {"envelope": "same", "payment": "same"})
    assert after == (1, {"envelope": "same", "payment": "DIFFERS"})


@pytest.mark.parametrize("name", ["standard", "hubspot"])
def test_a_dispute_that_nobody_told_of_differs_until_it_is_told(world: World, compare: Any, name: str) -> None:
    path = PATHS[name]
    run_until(world, path, "closed")
    world.take_mail()
    _dispute(world, path)
    letters = world.take_mail()

    before = compare(path.deals[0])
    for letter in letters:
        world.post(letter)
    world.settle()
    after = compare(path.deals[0])

    rest = {"envelope": "same", "payment": "same", "invoice": "same"}
    assert before == (1, {**rest, "disputes": "DIFFERS"})
    assert after == (0, {**rest, "disputes": "same"})


def _dispute(world: World, path: Vendors) -> None:
    """The bank of the first deal's customer asks the money back."""
    twin, deal_id = world.twins[path.payment], path.deals[0]
    if path.payment == "paypal":
        capture = next(one for one in twin.state()["captures"] if deal_id in one["custom_id"])
        twin.act("dispute", {"capture_id": capture["id"]})
    else:
        intent = next(one for one in twin.state()["payment_intents"] if one["metadata"]["deal_id"] == deal_id)
        twin.act("dispute", {"payment_intent": intent["id"]})


def test_an_invoice_that_is_no_longer_in_the_ledger_differs(world: World, compare: Any) -> None:
    path = PATHS["standard"]
    run_until(world, path, "closed")
    world.twins["quickbooks"].books.tables["Invoice"].clear()  # type: ignore[attr-defined]

    code, verdicts = compare(path.deals[0])

    assert verdicts == {"envelope": "same", "payment": "same", "invoice": "DIFFERS"}
    assert code == 1


def test_a_vendor_that_does_not_answer_leaves_its_part_unknown(world: World, compare: Any) -> None:
    path = PATHS["standard"]
    run_until(world, path, "closed")
    world.fail("stripe", match="GET /v1/checkout/sessions", kind="status", status=503)

    code, verdicts = compare(path.deals[0])

    assert verdicts == {"envelope": "same", "payment": "UNKNOWN", "invoice": "same"}
    assert code == 2


def test_comparing_changes_nothing_and_takes_no_look_at_an_envelope(world: World, compare: Any) -> None:
    path = PATHS["standard"]
    run_until(world, path, "out_for_signature")
    before, known = rows(TABLE), len(world.twins["docusign"].requests)

    for _ in range(3):
        assert compare(path.deals[0])[0] == 0

    since = world.twins["docusign"].requests[known:]
    assert rows(TABLE) == before
    assert world.twins["docusign"].state()["polls_too_often"] == 0
    assert [asked.path for asked in since if "/envelopes/" in asked.path] == []
    assert [asked.path for asked in since if "/envelopes?" in asked.path]


def test_a_deal_without_anything_at_a_vendor_is_said_to_be_so(
    world: World, in_the_world: Operate, compare: Any, capsys: Captured
) -> None:
    path = PATHS["standard"]
    run_until(world, path, "closed")
    capsys.readouterr()

    code = in_the_world("compare", path.deals[2])

    assert code == 0
    assert capsys.readouterr().out == f"{path.deals[2]} has nothing at a vendor yet\n"


NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
USD = Money(10_000, "USD")
PAYMENT = Payment("pay_d-1_1", "payment:pay_d-1_1", "stripe", USD, PaymentStatus.PENDING)
REFUND = Refund("re-1", PAYMENT.id, "pi_1", USD, RefundStatus.SUBMITTED, requested_by="person-1")


def vendors(**answers: Any) -> At:
    """Every vendor gives these answers, by the port's method; nothing is disputed unless the test says so."""
    given = {"disputes_of": [], **answers}
    port = SimpleNamespace(**{name: lambda *_, answer=answer: answer for name, answer in given.items()})
    return At(*(lambda _name: cast("Any", port),) * 3)


def verdicts_on(deal: Deal, **answers: Any) -> dict[str, bool | None]:
    return {line.what: line.agrees for line in compared(deal, [], vendors(**answers))}


def test_a_contract_that_was_tried_and_is_out_differs() -> None:
    key = "envelope:d-1:r1:1"
    tried = Intent(key, Effect.SEND_ENVELOPE, "fingerprint", NOW, attempts=1, provider="docusign")
    deal = Deal(DealId("d-1"), intents=(tried,))
    out = EnvelopeState("envelope-1", EnvelopeStatus.SENT, key, "", NOW)

    assert verdicts_on(deal, look_up=None) == {f"envelope of {key}": True}
    assert verdicts_on(deal, look_up=out) == {f"envelope of {key}": False}


def test_a_session_that_the_desk_does_not_know_differs() -> None:
    deal = Deal(DealId("d-1"), updated_at=NOW, payments=(PAYMENT,))
    made = PaymentLink("cs_1", "https://pay.example", NOW)

    assert verdicts_on(deal, look_up=None) == {"payment pay_d-1_1": True}
    assert verdicts_on(deal, look_up=made) == {"payment pay_d-1_1": False}


@pytest.mark.parametrize(
    ("amount", "reference", "same"),
    [(USD, "pi_1", True), (Money(9_999, "USD"), "pi_1", False), (USD, "pi_2", False)],
)
def test_settled_money_is_the_same_only_by_amount_and_reference(amount: Money, reference: str, same: bool) -> None:
    paid = replace(PAYMENT, status=PaymentStatus.SUCCEEDED, session_id="cs_1", reference="pi_1")
    told = PaymentState("cs_1", paid.id, "paid", amount, reference)

    assert verdicts_on(Deal(DealId("d-1"), payments=(paid,)), state=told) == {"payment pay_d-1_1": same}


@pytest.mark.parametrize(("arrived", "same"), [(Money(4_000, "USD"), True), (USD, False)])
def test_a_part_is_the_same_only_by_what_arrived(arrived: Money, same: bool) -> None:
    part = replace(
        PAYMENT,
        status=PaymentStatus.PARTIALLY_PAID,
        session_id="cs_1",
        reference="pi_1",
        received=Money(4_000, "USD"),
    )
    told = PaymentState("cs_1", part.id, "paid", arrived, "pi_1")

    assert verdicts_on(Deal(DealId("d-1"), payments=(part,)), state=told) == {"payment pay_d-1_1": same}


@pytest.mark.parametrize("status", RefundStatus)
def test_a_refund_is_the_same_only_where_its_provider_says_so(status: RefundStatus) -> None:
    paid = replace(PAYMENT, status=PaymentStatus.SUCCEEDED, session_id="cs_1", reference="pi_1")
    deal = Deal(DealId("d-1"), payments=(paid,), refunds=(replace(REFUND, status=status),))
    said = {outcome: RefundState("re_1", REFUND.key, outcome, USD) for outcome in ("pending", "succeeded", "failed")}
    settled = PaymentState("cs_1", paid.id, "paid", USD, "pi_1")

    same = {
        outcome
        for outcome, answer in {**said, "nothing": None}.items()
        if verdicts_on(deal, state=settled, look_up_refund=answer)["refund re-1"]
    }

    assert (
        same
        == {
            RefundStatus.REQUESTED: {"nothing"},
            RefundStatus.APPROVED: {"nothing"},
            RefundStatus.REJECTED: {"nothing"},
            RefundStatus.SUBMITTED: {"pending"},
            RefundStatus.SUCCEEDED: {"succeeded"},
            RefundStatus.FAILED: {"failed", "nothing"},
        }[status]
    )
