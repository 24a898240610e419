"""What every implementation of the Payments port must hold: Stripe, PayPal, and the fake that other tests trust."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest

from dealdesk.adapters.paypal import PaypalPayments
from dealdesk.adapters.stripe import StripePayments
from dealdesk.domain import payments
from dealdesk.domain.deal import Deal
from dealdesk.domain.fold import fold
from dealdesk.domain.money import Money
from dealdesk.domain.stages import Stage
from dealdesk.errors import VendorRefused, VendorUnavailable
from dealdesk.ports import DisputeState, PaymentLink, Payments, PaymentState
from local.twins.paypal import PayPalTwin
from local.twins.server import Fault, Twin, serve
from local.twins.stripe import StripeTwin
from tests.fakes.payments import FakePayments
from tests.unit.domain.deals import a_deal

DESK = "https://desk.test"
LOST, BUSY, BROKEN, SLOW, GARBLED = "lost answer", "busy", "broken", "slow", "garbled"
DOUBTS = [LOST, BUSY, BROKEN, SLOW, GARBLED]


class Provider(Protocol):
    """One implementation, and the world around it that a test moves."""

    port: Payments

    def another(self) -> Payments:
        """The port as another worker has it."""
        ...

    def payer_agrees(self, session_id: str) -> None: ...

    def next_call(self, how: str) -> None:
        """Makes the next call that changes something go wrong."""
        ...

    def sleep(self, span: timedelta) -> None: ...

    def sessions(self) -> int: ...

    def taken(self) -> int:
        """How often money was taken from the payer."""
        ...

    def refunds(self) -> int: ...

    def dispute(self, reference: str, minor: int) -> str:
        """The payer's bank asks for this much of the money; the id of the dispute."""
        ...

    def decide(self, dispute_id: str, *, won: bool) -> None: ...


def fault(how: str) -> Fault:
    match how:
        case "lost answer":
            return Fault("POST /v", "drop_answer", status=0)
        case "busy":
            return Fault("POST /v", "status", status=429, headers={"Retry-After": "7"})
        case "broken":
            return Fault("POST /v", "status", status=500)
        case "slow":
            return Fault("POST /v", "timeout")
        case _:
            return Fault("POST /v", "status", status=200)


class _Twinned:
    twin: Twin

    def next_call(self, how: str) -> None:
        self.twin.faults.append(fault(how))

    def sleep(self, span: timedelta) -> None:
        self.twin.clock = lambda: datetime.now(UTC) + span

    def refunds(self) -> int:
        return len(self.twin.state()["refunds"])


class StripeProvider(_Twinned):
    def __init__(self) -> None:
        self.twin = StripeTwin(api_key="sk_test", webhook_secret="whsec")
        self.running = serve(self.twin)
        self.port = self.another()

    def another(self) -> Payments:
        return StripePayments("sk_test", self.twin.url, return_url=DESK)

    def payer_agrees(self, session_id: str) -> None:
        self.twin.act("pay", {"session_id": session_id})

    def sessions(self) -> int:
        return len(self.twin.state()["sessions"])

    def taken(self) -> int:
        return len([i for i in self.twin.state()["payment_intents"] if i["status"] == "succeeded"])

    def dispute(self, reference: str, minor: int) -> str:
        return str(self.twin.act("dispute", {"payment_intent": reference, "amount": minor})["id"])

    def decide(self, dispute_id: str, *, won: bool) -> None:
        self.twin.act("close_dispute", {"dispute_id": dispute_id, "won": won})


class PaypalProvider(_Twinned):
    def __init__(self) -> None:
        self.twin = PayPalTwin(client_id="app", client_secret="s3cret", webhook_id="4JH86294D6297924G")
        self.running = serve(self.twin)
        self.port = self.another()
        # Signed in before any test breaks a call, as a worker is that has worked before.
        self.port._login.token()  # type: ignore[attr-defined]

    def another(self) -> Payments:
        def clock() -> datetime:
            return self.twin.clock()

        return PaypalPayments(self.twin.url, client_id="app", client_secret="s3cret", return_url=DESK, clock=clock)

    def payer_agrees(self, session_id: str) -> None:
        self.twin.act("approve", {"order_id": session_id})

    def sessions(self) -> int:
        return len(self.twin.state()["orders"])

    def taken(self) -> int:
        return len(self.twin.state()["captures"])

    def dispute(self, reference: str, minor: int) -> str:
        value = f"{minor // 100}.{minor % 100:02d}"
        return str(self.twin.act("dispute", {"capture_id": reference, "value": value})["dispute_id"])

    def decide(self, dispute_id: str, *, won: bool) -> None:
        outcome = "RESOLVED_SELLER_FAVOUR" if won else "RESOLVED_BUYER_FAVOUR"
        self.twin.act("resolve", {"dispute_id": dispute_id, "outcome": outcome})


class FakeProvider:
    def __init__(self) -> None:
        self.fake = FakePayments()
        self.port: Payments = self.fake

    def another(self) -> Payments:
        return self.fake

    def payer_agrees(self, session_id: str) -> None:
        self.fake.become(session_id, "approved")

    def next_call(self, how: str) -> None:
        self.fake.doubt = VendorUnavailable(how, retry_after_seconds=7 if how == BUSY else None)
        self.fake.lose_answer = how == LOST

    def sleep(self, span: timedelta) -> None:
        for session_id, session in self.fake.sessions.items():
            if session.link.expires_at <= datetime.now(UTC) + span:
                self.fake.become(session_id, "expired")

    def sessions(self) -> int:
        return len(self.fake.sessions)

    def taken(self) -> int:
        return len(self.fake.captured)

    def refunds(self) -> int:
        return len(self.fake.refunds)

    def dispute(self, reference: str, minor: int) -> str:
        made = DisputeState(f"dispute-{reference}", "open", Money(minor, "USD"), "fraudulent", Money(1_500, "USD"))
        self.fake.disputes[reference] = [made]
        return made.dispute_id

    def decide(self, dispute_id: str, *, won: bool) -> None:
        for reference, (dispute,) in self.fake.disputes.items():
            if dispute.dispute_id == dispute_id:
                self.fake.disputes[reference] = [replace(dispute, outcome="won" if won else "lost")]


@pytest.fixture(params=[StripeProvider, PaypalProvider, FakeProvider], ids=["stripe", "paypal", "fake"])
def provider(request: pytest.FixtureRequest) -> Iterator[Provider]:
    made = request.param()
    if isinstance(made, FakeProvider):
        yield made
    else:
        with closing(made.running):
            yield made


@dataclass(frozen=True)
class Asked:
    """A deal whose payment has been asked for, and the payment's own words."""

    deal: Deal
    key: str
    payment_id: str
    amount: Money


def asked(amount: Money | None = None, **terms: Any) -> Asked:
    now = datetime.now(UTC)
    deal = a_deal(Stage.SIGNED, **terms)
    deal = fold(deal, payments.ask(deal, now), now)
    assert deal.payment is not None
    return Asked(deal, deal.payment.key, deal.payment.id, amount or deal.payment.amount)


def create(port: Payments, of: Asked) -> PaymentLink:
    return port.create_link(of.key, of.payment_id, of.deal, of.amount, datetime.now(UTC))


def found_or_made(port: Payments, of: Asked) -> PaymentLink:
    """What a worker does after any doubt."""
    return port.look_up(of.key, of.payment_id, datetime.now(UTC)) or create(port, of)


def paid(provider: Provider, of: Asked) -> PaymentState:
    session_id = create(provider.port, of).session_id
    provider.payer_agrees(session_id)
    return provider.port.capture(session_id, f"capture:{of.key}")


# -- the link


def test_a_new_link_waits_for_its_payer_with_our_payment_and_amount(provider: Provider) -> None:
    of = asked()

    link = create(provider.port, of)

    state = provider.port.state(link.session_id)
    assert (state.outcome, state.payment_id, state.amount) == ("open", of.payment_id, of.amount)
    assert link.url.startswith("http")
    assert link.expires_at > datetime.now(UTC)


def test_the_same_key_again_gives_the_same_session(provider: Provider) -> None:
    of = asked()

    links = [create(provider.another(), of) for _ in range(3)]

    assert len({link.session_id for link in links}) == 1
    assert provider.sessions() == 1


def test_eight_workers_at_once_with_one_key_make_one_session(provider: Provider) -> None:
    of = asked()

    def work(port: Payments) -> str | None:
        try:
            return found_or_made(port, of).session_id
        except VendorUnavailable:
            return None

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(work, [provider.another() for _ in range(8)])) - {None}

    assert len(found) == 1
    assert provider.sessions() == 1


def test_a_key_that_comes_with_another_amount_is_refused_and_makes_nothing(provider: Provider) -> None:
    of = asked()
    create(provider.port, of)

    with pytest.raises(VendorRefused):
        create(provider.port, replace(of, amount=Money(of.amount.amount_minor - 100, of.amount.currency)))

    assert provider.sessions() == 1


def test_a_key_that_comes_with_another_payment_is_refused_and_does_not_give_its_session_away(
    provider: Provider,
) -> None:
    of = asked()
    create(provider.port, of)

    with pytest.raises(VendorRefused):
        create(provider.port, replace(of, payment_id="pay_d-2_1"))

    assert provider.sessions() == 1


@pytest.mark.parametrize("how", DOUBTS)
def test_after_any_doubt_the_payment_has_one_session(provider: Provider, how: str) -> None:
    of = asked()
    provider.next_call(how)

    with pytest.raises(VendorUnavailable):
        create(provider.port, of)
    link = found_or_made(provider.another(), of)

    assert provider.port.state(link.session_id).outcome == "open"
    assert provider.sessions() == 1


def test_a_worker_that_dies_after_the_answer_leaves_a_session_that_is_found(provider: Provider) -> None:
    of = asked()
    lost = create(provider.port, of)

    assert found_or_made(provider.another(), of).session_id == lost.session_id
    assert provider.sessions() == 1


def test_a_busy_provider_says_when_to_come_again(provider: Provider) -> None:
    provider.next_call(BUSY)

    with pytest.raises(VendorUnavailable) as busy:
        create(provider.port, asked())

    assert busy.value.retry_after_seconds == 7


def test_five_thousand_yen_are_asked_as_five_thousand_yen(provider: Provider) -> None:
    link = create(provider.port, asked(Money(5_000, "JPY")))

    assert provider.port.state(link.session_id).amount == Money(5_000, "JPY")


def test_a_link_that_nobody_used_is_expired_in_the_end(provider: Provider) -> None:
    link = create(provider.port, asked())

    provider.sleep(timedelta(hours=25))

    assert provider.port.state(link.session_id).outcome == "expired"


# -- the money


def test_what_the_payer_agreed_to_is_taken_once(provider: Provider) -> None:
    of = asked()

    state = paid(provider, of)

    assert (state.outcome, state.payment_id, state.amount) == ("paid", of.payment_id, of.amount)
    assert state.reference != state.session_id
    assert provider.port.state(state.session_id) == state


def test_taking_again_takes_nothing_with_the_same_key_and_with_another(provider: Provider) -> None:
    of = asked()
    state = paid(provider, of)

    again = [provider.another().capture(state.session_id, key) for key in (f"capture:{of.key}", "capture:another")]

    assert again == [state, state]
    assert provider.taken() == 1


@pytest.mark.parametrize("how", DOUBTS)
def test_after_any_doubt_the_money_is_taken_once(provider: Provider, how: str) -> None:
    of = asked()
    session_id = create(provider.port, of).session_id
    provider.payer_agrees(session_id)
    provider.next_call(how)

    # Stripe takes by itself, so its answer to this is a read and cannot be in doubt.
    if not isinstance(provider, StripeProvider):
        with pytest.raises(VendorUnavailable):
            provider.port.capture(session_id, f"capture:{of.key}")
    state = provider.another().state(session_id)
    if state.outcome == "approved":
        state = provider.another().capture(session_id, f"capture:{of.key}")

    assert (state.outcome, provider.taken()) == ("paid", 1)


def test_nothing_is_taken_that_the_payer_has_not_agreed_to(provider: Provider) -> None:
    session_id = create(provider.port, asked()).session_id

    try:
        outcome = provider.port.capture(session_id, "capture:k").outcome
    except VendorRefused:
        outcome = provider.port.state(session_id).outcome

    assert (outcome, provider.taken()) == ("open", 0)


def test_a_withdrawn_session_has_ended(provider: Provider) -> None:
    session_id = create(provider.port, asked()).session_id

    assert provider.port.cancel(session_id, "cancel:k").outcome == "expired"
    assert provider.port.cancel(session_id, "cancel:k").outcome == "expired"
    assert provider.taken() == 0


def test_money_that_was_faster_than_the_withdrawal_stays(provider: Provider) -> None:
    state = paid(provider, asked())

    assert provider.port.cancel(state.session_id, "cancel:k") == state


# -- the way back


def refund(port: Payments, of: PaymentState, minor: int, key: str = "refund:pay_d-1_1:1") -> Any:
    return port.refund(key, of.reference, Money(minor, of.amount.currency), "d-1")


def test_a_part_is_given_back_and_the_payment_stays_paid(provider: Provider) -> None:
    state = paid(provider, asked())

    back = refund(provider.port, state, 12_345)

    assert (back.outcome, back.amount, back.key) == ("succeeded", Money(12_345, "USD"), "refund:pay_d-1_1:1")
    assert provider.port.state(state.session_id) == state


def test_the_same_key_gives_back_once(provider: Provider) -> None:
    state = paid(provider, asked())

    backs = [refund(provider.another(), state, 12_345) for _ in range(3)]

    assert backs[0] == backs[1] == backs[2]
    assert provider.refunds() == 1


@pytest.mark.parametrize("how", DOUBTS)
def test_after_any_doubt_it_is_given_back_once(provider: Provider, how: str) -> None:
    state = paid(provider, asked())
    provider.next_call(how)

    with pytest.raises(VendorUnavailable):
        refund(provider.port, state, 12_345)
    other = provider.another()
    back = other.look_up_refund("refund:pay_d-1_1:1", state.reference) or refund(other, state, 12_345)

    assert (back.outcome, provider.refunds()) == ("succeeded", 1)


def test_a_refund_is_found_by_its_key_alone(provider: Provider) -> None:
    state = paid(provider, asked())
    first, second = (refund(provider.port, state, 100, f"refund:pay_d-1_1:{number}") for number in (1, 2))

    look_up: Callable[[str], Any] = lambda key: provider.another().look_up_refund(key, state.reference)  # noqa: E731

    assert look_up("refund:pay_d-1_1:1") == first
    assert look_up("refund:pay_d-1_1:2") == second
    assert look_up("refund:pay_d-1_1:3") is None


def test_more_than_was_paid_is_never_given_back(provider: Provider) -> None:
    state = paid(provider, asked())
    refund(provider.port, state, state.amount.amount_minor - 1, "refund:pay_d-1_1:1")

    with pytest.raises(VendorRefused):
        refund(provider.port, state, 2, "refund:pay_d-1_1:2")

    assert provider.refunds() == 1


# -- disputes


def test_money_that_nobody_disputes_has_no_dispute(provider: Provider) -> None:
    assert provider.port.disputes_of(paid(provider, asked()).reference) == []


def test_a_dispute_is_open_over_its_amount_with_the_providers_fee(provider: Provider) -> None:
    state = paid(provider, asked())
    dispute_id = provider.dispute(state.reference, 40_000)

    (dispute,) = provider.another().disputes_of(state.reference)

    assert (dispute.dispute_id, dispute.outcome, dispute.amount) == (dispute_id, "open", Money(40_000, "USD"))
    assert dispute.fee == Money(1_500, "USD")
    assert dispute.reason


@pytest.mark.parametrize(("won", "outcome"), [(True, "won"), (False, "lost")])
def test_a_dispute_tells_how_it_was_decided(provider: Provider, won: bool, outcome: str) -> None:
    state = paid(provider, asked())
    provider.decide(provider.dispute(state.reference, 40_000), won=won)

    (dispute,) = provider.port.disputes_of(state.reference)

    assert (dispute.outcome, dispute.amount) == (outcome, Money(40_000, "USD"))


def test_a_dispute_is_about_its_own_money_only(provider: Provider) -> None:
    first = paid(provider, asked())
    other = paid(provider, replace(asked(), key="payment:pay_d-2_1", payment_id="pay_d-2_1"))

    provider.dispute(first.reference, 40_000)

    assert provider.port.disputes_of(other.reference) == []


def test_a_refund_that_the_desk_asked_for_leaves_the_dispute_about_the_rest_as_it_is(provider: Provider) -> None:
    state = paid(provider, asked())
    refund(provider.port, state, 1_000)
    provider.dispute(state.reference, 40_000)

    (dispute,) = provider.port.disputes_of(state.reference)

    assert (dispute.outcome, dispute.amount) == ("open", Money(40_000, "USD"))


@pytest.mark.parametrize("decided", [None, "lost"])
def test_money_that_a_bank_has_is_not_given_back_as_well(provider: Provider, decided: str | None) -> None:
    state = paid(provider, asked())
    dispute_id = provider.dispute(state.reference, 40_000)
    if decided:
        provider.decide(dispute_id, won=False)

    with pytest.raises(VendorRefused):
        refund(provider.port, state, 1_000)

    assert provider.refunds() == 0


def test_money_that_a_bank_gave_again_can_be_given_back(provider: Provider) -> None:
    state = paid(provider, asked())
    provider.decide(provider.dispute(state.reference, 40_000), won=True)

    assert refund(provider.port, state, 1_000).outcome == "succeeded"
