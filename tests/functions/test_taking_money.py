"""From a payer's approval to the money: asked, taken once, and not at all when the payment is no longer wanted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.domain import payments
from dealdesk.domain.deal import Deal, DealId
from dealdesk.domain.events import PaymentReported
from dealdesk.domain.money import Money
from dealdesk.domain.stages import PaymentStatus, Stage
from dealdesk.errors import AlreadyHandled, CertificateInvalid, LeaseHeld, VendorRefused, VendorUnavailable
from dealdesk.ports import Cause, PaymentLink, PaymentState
from dealdesk.usecases import request_payment as reaction
from dealdesk.usecases.change import change
from dealdesk.usecases.note_payment import note_payment
from tests.fakes.payments import FakePayments, Session
from tests.unit.domain.deals import LATER, NOW, OWNER, a_story

DEAL, PAYMENT, SESSION = "d-1", "pay_d-1_1", "cs_1"
KEY = "capture:payment:pay_d-1_1"


@pytest.fixture
def deals(table_name: str) -> DynamoDeals:
    """The table, with a deal that waits for its payer."""
    made = DynamoDeals(table_name, 1200)
    events = a_story(Stage.AWAITING_PAYMENT).events
    made.save(Deal(DealId(DEAL)), events, cause=Cause("story", DEAL), actor=OWNER, now=NOW)
    return made


@pytest.fixture
def provider() -> FakePayments:
    amount = Money(1_000_000, "USD")
    link = PaymentLink(SESSION, "https://pay.test/cs_1", LATER)
    state = PaymentState(SESSION, PAYMENT, "open", amount, SESSION)
    return FakePayments(sessions={SESSION: Session("payment:pay_d-1_1", amount, link, state)})


def told(deals: DynamoDeals, provider: FakePayments, message: str = "m-1", now: datetime = NOW) -> Deal:
    """The provider's message is noted, and its reaction asks."""
    report = PaymentReported(PAYMENT, SESSION, "CHECKOUT.ORDER.APPROVED")
    note_payment(deals, DEAL, report, cause=Cause("paypal", message), vendor="paypal", now=now)
    cause = Cause("bus", message)
    return reaction.answer_report(deals, provider, DEAL, PAYMENT, SESSION, cause=cause, now=now)


def work(deals: DynamoDeals, provider: FakePayments, now: datetime = NOW) -> list[str]:
    return reaction.request_payment(deals, provider, DEAL, lambda: now)


def payment(deals: DynamoDeals) -> Any:
    return deals.load(DEAL).payments[0]


def types(deals: DynamoDeals) -> list[str]:
    return [record.type for record in deals.history(DEAL)]


def test_what_the_payer_approved_is_taken_and_settles_the_deal(deals: DynamoDeals, provider: FakePayments) -> None:
    provider.become(SESSION, "approved")

    told(deals, provider)
    assert payment(deals).status is PaymentStatus.PENDING
    done = work(deals, provider)

    assert done == [KEY]
    assert (payment(deals).status, deals.load(DEAL).stage) == (PaymentStatus.SUCCEEDED, Stage.PAID)
    assert deals.load(DEAL).intents == ()
    assert types(deals)[-5:] == [
        "payment.reported",
        "payment.approved",
        "intent.attempted",
        "payment.succeeded",
        "invoice.staged",
    ]


def test_a_message_that_claims_an_approval_which_the_provider_denies_takes_nothing(
    deals: DynamoDeals, provider: FakePayments
) -> None:
    told(deals, provider)

    assert work(deals, provider) == []
    assert provider.captured == []


def test_many_messages_and_many_workers_take_the_money_once(deals: DynamoDeals, provider: FakePayments) -> None:
    provider.become(SESSION, "approved")
    for number in range(3):
        told(deals, provider, f"m-{number}")

    def one(_: int) -> None:
        try:
            work(deals, provider)
        except LeaseHeld:
            return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(8)))
    work(deals, provider, NOW + timedelta(minutes=2))

    assert provider.captured == [SESSION]
    assert types(deals).count("payment.succeeded") == 1


def test_a_message_that_comes_again_is_not_asked_about_again(deals: DynamoDeals, provider: FakePayments) -> None:
    provider.become(SESSION, "approved")
    told(deals, provider)

    with pytest.raises(AlreadyHandled):
        reaction.answer_report(deals, provider, DEAL, PAYMENT, SESSION, cause=Cause("bus", "m-1"), now=NOW)


def test_a_lost_answer_is_looked_up_and_the_money_is_not_taken_again(
    deals: DynamoDeals, provider: FakePayments
) -> None:
    provider.become(SESSION, "approved")
    told(deals, provider)
    provider.doubt, provider.lose_answer = VendorUnavailable("the answer was lost"), True

    with pytest.raises(VendorUnavailable):
        work(deals, provider)
    assert payment(deals).status is PaymentStatus.PENDING
    work(deals, provider)

    assert payment(deals).status is PaymentStatus.SUCCEEDED
    assert provider.captured == [SESSION]
    assert provider.calls.count("capture") == 1


class Crash(BaseException):
    """The worker is gone in the middle of its call."""


def test_a_worker_that_dies_while_taking_leaves_a_lease_and_then_a_look_up(
    deals: DynamoDeals, provider: FakePayments, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.become(SESSION, "approved")
    told(deals, provider)
    taken = provider.capture

    def die(session_id: str, key: str) -> PaymentState:
        taken(session_id, key)
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(provider, "capture", die)
        with pytest.raises(Crash):
            work(deals, provider)
    with pytest.raises(LeaseHeld):
        work(deals, provider, NOW + timedelta(seconds=74))
    work(deals, provider, NOW + timedelta(seconds=76))

    assert payment(deals).status is PaymentStatus.SUCCEEDED
    assert provider.captured == [SESSION]


def test_a_provider_that_is_busy_before_it_took_is_asked_again(deals: DynamoDeals, provider: FakePayments) -> None:
    provider.become(SESSION, "approved")
    told(deals, provider)
    provider.doubt = VendorUnavailable("busy")

    with pytest.raises(VendorUnavailable):
        work(deals, provider)
    work(deals, provider)

    assert provider.captured == [SESSION]


def test_nothing_is_taken_when_the_terms_are_no_longer_those_that_were_approved(
    deals: DynamoDeals, provider: FakePayments, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.become(SESSION, "approved")
    told(deals, provider)
    load = deals.load
    monkeypatch.setattr(deals, "load", lambda *given, **more: replace(load(*given, **more), certificate=None))

    with pytest.raises(CertificateInvalid):
        work(deals, provider)

    assert provider.captured == []


def withdraw(deals: DynamoDeals) -> None:
    change(
        deals,
        DEAL,
        lambda deal: payments.roll_back(deal, PAYMENT, "person-fin"),
        cause=Cause("api", "withdraw"),
        actor="person-fin",
        now=NOW,
    )


def test_a_withdrawal_before_the_money_was_taken_leaves_it_with_the_payer(
    deals: DynamoDeals, provider: FakePayments
) -> None:
    provider.become(SESSION, "approved")
    told(deals, provider)
    withdraw(deals)

    work(deals, provider)
    provider.become(SESSION, "approved")
    told(deals, provider, "m-2")
    work(deals, provider)

    assert payment(deals).status is PaymentStatus.ROLLED_BACK
    assert provider.captured == []


def test_money_that_arrives_after_a_withdrawal_is_kept_unapplied_once(
    deals: DynamoDeals, provider: FakePayments
) -> None:
    withdraw(deals)
    work(deals, provider)
    provider.become(SESSION, "paid", reference="money-1")

    for number in range(3):
        told(deals, provider, f"m-{number}")

    assert payment(deals).status is PaymentStatus.ROLLED_BACK
    assert [money.reference for money in deals.load(DEAL).unapplied] == ["money-1"]


def test_money_on_its_way_is_waited_for_and_settles_when_it_arrives(deals: DynamoDeals, provider: FakePayments) -> None:
    provider.become(SESSION, "approved")
    told(deals, provider)
    provider.become(SESSION, "processing", reference="money-1")
    work(deals, provider)
    waiting = deals.load(DEAL)
    provider.become(SESSION, "paid", reference="money-1")
    told(deals, provider, "m-2")

    assert (waiting.intents, waiting.payments[0].status) == ((), PaymentStatus.PENDING)
    assert payment(deals).status is PaymentStatus.SUCCEEDED
    assert "payment.processing" in types(deals)


def test_a_payer_who_is_declined_fails_the_payment_and_the_next_one_has_a_key_of_its_own(
    deals: DynamoDeals, provider: FakePayments
) -> None:
    provider.become(SESSION, "approved")
    told(deals, provider)
    provider.become(SESSION, "failed")

    work(deals, provider)

    assert payment(deals).status is PaymentStatus.FAILED
    (again,) = payments.ask(deals.load(DEAL), NOW)
    assert again.key == "payment:pay_d-1_2"  # type: ignore[union-attr]


def test_a_refusal_does_not_flip_a_payment_that_was_settled_meanwhile(
    deals: DynamoDeals, provider: FakePayments, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.become(SESSION, "approved")
    told(deals, provider)

    def settled_meanwhile(session_id: str, key: str) -> PaymentState:
        provider.become(SESSION, "paid", reference="money-1")
        told(deals, provider, "m-2")
        raise VendorRefused("the order has ended")

    monkeypatch.setattr(provider, "capture", settled_meanwhile)
    work(deals, provider)

    assert payment(deals).status is PaymentStatus.SUCCEEDED
    assert deals.load(DEAL).stage is Stage.PAID


def test_a_session_that_pays_something_else_is_refused(deals: DynamoDeals, provider: FakePayments) -> None:
    provider.sessions[SESSION].state = replace(provider.sessions[SESSION].state, payment_id="pay_d-2_1")

    with pytest.raises(VendorRefused, match="pays pay_d-2_1"):
        told(deals, provider)
