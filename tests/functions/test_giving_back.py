"""From an approved refund to the money that is back, once; and what Stripe says of it in between."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.domain import payments, refunds
from dealdesk.domain.collected import collected
from dealdesk.domain.deal import Deal, DealId, Refund, may_be_silent_for
from dealdesk.domain.directory import NOBODY
from dealdesk.domain.events import Event
from dealdesk.domain.money import Money
from dealdesk.domain.stages import DisputeStatus, PaymentStatus, RefundStatus, Stage
from dealdesk.errors import LeaseHeld, VendorUnavailable
from dealdesk.ports import Cause, DisputeState, PaymentLink, PaymentState, RefundState
from dealdesk.usecases import request_payment as reaction
from dealdesk.usecases.change import change
from tests.fakes.payments import FakePayments, Session
from tests.functions.messages import given, happened, keep, parked, stored, stripe_event, stripe_request
from tests.journeys.world import World
from tests.unit.domain.deals import FINANCE, IN_FINANCE, LATER, NOW, OWNER, Story, a_story

DEAL, REFUND, KEY = "d-1", "ref_d-1_1", "refund:ref_d-1_1"
GIVEN = Money(40_000, "USD")


def approved(deal_id: str = DEAL) -> Story:
    story = a_story(Stage.CLOSED, deal_id)
    story.then(refunds.request(story.deal, "pi_1", GIVEN, "overpaid", "person-sup"))
    return story.then(refunds.approve(story.deal, f"ref_{deal_id}_1", FINANCE, IN_FINANCE, NOBODY, NOW))


@pytest.fixture
def deals(table_name: str) -> DynamoDeals:
    made = DynamoDeals(table_name, 1200)
    made.save(Deal(DealId(DEAL)), approved().events, cause=Cause("story", DEAL), actor=OWNER, now=NOW)
    return made


@pytest.fixture
def provider() -> FakePayments:
    amount = Money(1_000_000, "USD")
    state = PaymentState("cs_1", "pay_d-1_1", "paid", amount, "pi_1")
    link = PaymentLink("cs_1", "https://pay.test/cs_1", LATER)
    return FakePayments(sessions={"cs_1": Session("payment:pay_d-1_1", amount, link, state)})


def work(deals: DynamoDeals, provider: FakePayments, **later: float) -> list[str]:
    return reaction.request_payment(deals, lambda _: provider, DEAL, lambda: NOW + timedelta(**later))


def refund(deals: DynamoDeals) -> Refund:
    return deals.load(DEAL).refunds[0]


def decided(deals: DynamoDeals, events: list[Event]) -> None:
    change(deals, DEAL, lambda _: events, cause=Cause("test", "decided"), actor="vendor:stripe", now=NOW)


def test_an_approved_refund_is_given_back_and_the_closed_deal_stays_paid(
    deals: DynamoDeals, provider: FakePayments
) -> None:
    assert work(deals, provider) == [KEY]

    deal = deals.load(DEAL)
    assert (refund(deals).status, refund(deals).amount) == (RefundStatus.SUCCEEDED, GIVEN)
    assert (deal.stage, deal.payments[0].status, deal.intents) == (Stage.CLOSED, PaymentStatus.SUCCEEDED, ())
    assert work(deals, provider) == []
    assert list(provider.refunds) == [KEY]


def test_a_lost_answer_is_looked_up_and_nothing_is_given_back_twice(deals: DynamoDeals, provider: FakePayments) -> None:
    provider.doubt, provider.lose_answer = VendorUnavailable("the answer was lost"), True

    with pytest.raises(VendorUnavailable):
        work(deals, provider)
    work(deals, provider)

    assert refund(deals).status is RefundStatus.SUCCEEDED
    assert provider.calls == ["refund", "look up refund"]


class Crash(BaseException):
    """The worker is gone in the middle of its call."""


def test_a_worker_that_dies_leaves_a_lease_and_then_a_look_up(
    deals: DynamoDeals, provider: FakePayments, monkeypatch: pytest.MonkeyPatch
) -> None:
    give = provider.refund

    def die(key: str, reference: str, amount: Money, deal_id: str) -> RefundState:
        give(key, reference, amount, deal_id)
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(provider, "refund", die)
        with pytest.raises(Crash):
            work(deals, provider)
    with pytest.raises(LeaseHeld):
        work(deals, provider, seconds=74)
    work(deals, provider, seconds=76)

    assert refund(deals).status is RefundStatus.SUCCEEDED
    assert len(provider.refunds) == 1


def test_a_refund_that_the_provider_refuses_fails_with_its_reason_and_can_be_asked_for_anew(
    deals: DynamoDeals, provider: FakePayments
) -> None:
    provider.refunds["refund:by-hand"] = RefundState("r-0", "refund:by-hand", "succeeded", Money(1_000_000, "USD"))

    work(deals, provider)

    assert (refund(deals).status, refund(deals).reason) == (RefundStatus.FAILED, "that is more than was paid")
    assert deals.load(DEAL).intents == ()
    assert refunds.left(deals.load(DEAL), "pi_1") == Money(1_000_000, "USD")


def test_money_that_the_bank_took_meanwhile_is_not_given_back_as_well(
    deals: DynamoDeals, provider: FakePayments
) -> None:
    deal = deals.load(DEAL)
    decided(deals, refunds.disputed(deal, "pi_1", "dp_1", DisputeStatus.OPEN, Money(1_000_000, "USD"), "fraudulent"))

    work(deals, provider)

    assert refund(deals).status is RefundStatus.FAILED
    assert provider.refunds == {}


def test_a_refund_in_doubt_when_the_bank_takes_the_money_is_looked_up_twice_and_only_then_given_up(
    deals: DynamoDeals, provider: FakePayments
) -> None:
    provider.doubt = VendorUnavailable("busy")
    with pytest.raises(VendorUnavailable):
        work(deals, provider)
    deal = deals.load(DEAL)
    decided(deals, refunds.disputed(deal, "pi_1", "dp_1", DisputeStatus.OPEN, Money(1_000_000, "USD"), "fraudulent"))

    work(deals, provider)

    assert provider.calls == ["refund", "look up refund", "look up refund"]
    assert (refund(deals).status, provider.refunds) == (RefundStatus.FAILED, {})


def test_a_refund_on_its_way_is_asked_about_when_it_is_silent(deals: DynamoDeals, provider: FakePayments) -> None:
    provider.refund_outcome = "pending"
    work(deals, provider)
    assert refund(deals).status is RefundStatus.SUBMITTED

    def ask(due: str) -> None:
        reaction.ask_about_payment(deals, lambda _: provider, DEAL, cause=Cause("chase", due), now=LATER)

    ask("first")
    assert [record.type for record in deals.history(DEAL)][-1] == "vendor.asked"
    provider.refunds[KEY] = replace(provider.refunds[KEY], outcome="succeeded")
    ask("second")

    assert refund(deals).status is RefundStatus.SUCCEEDED


def test_a_refund_and_a_dispute_of_one_sum_are_asked_about_at_once_and_the_refund_is_told_once(
    deals: DynamoDeals, provider: FakePayments
) -> None:
    provider.refund_outcome = "pending"
    work(deals, provider)
    taken = Money(500_000, "USD")
    provider.disputes["pi_1"] = [DisputeState("dp_1", "open", taken, "fraudulent")]
    decided(deals, refunds.disputed(deals.load(DEAL), "pi_1", "dp_1", DisputeStatus.OPEN, taken, "fraudulent"))
    provider.refunds[KEY] = replace(provider.refunds[KEY], outcome="succeeded")

    reaction.ask_about_payment(deals, lambda _: provider, DEAL, cause=Cause("chase", "first"), now=LATER)

    assert [record.type for record in deals.history(DEAL)].count("payment.refunded") == 1
    assert collected(deals.load(DEAL)) == Money(1_000_000 - 500_000 - 40_000, "USD")


def test_while_money_is_disputed_the_link_that_is_out_is_asked_about_as_well(
    deals: DynamoDeals, provider: FakePayments
) -> None:
    taken = Money(500_000, "USD")
    decided(deals, refunds.disputed(deals.load(DEAL), "pi_1", "dp_0", DisputeStatus.LOST, taken, "fraudulent"))
    change(deals, DEAL, lambda deal: payments.ask(deal, NOW), cause=Cause("api", "ask"), actor=FINANCE, now=NOW)
    work(deals, provider)
    provider.disputes["pi_1"] = [DisputeState("dp_1", "open", GIVEN, "fraudulent")]
    happened_now = refunds.disputed(deals.load(DEAL), "pi_1", "dp_1", DisputeStatus.OPEN, GIVEN, "fraudulent")
    change(deals, DEAL, lambda _: happened_now, cause=Cause("test", "again"), actor="vendor:stripe", now=NOW)
    second = deals.load(DEAL).payments[1]
    assert second.session_id is not None
    provider.become(second.session_id, "paid", reference="pi_2")

    reaction.ask_about_payment(deals, lambda _: provider, DEAL, cause=Cause("chase", "first"), now=LATER)

    assert deals.load(DEAL).payments[1].status is PaymentStatus.SUCCEEDED


def test_a_link_that_was_asked_for_before_a_dispute_is_made_once_that_has_ended(
    deals: DynamoDeals, provider: FakePayments
) -> None:
    work(deals, provider)

    def told(dispute_id: str, status: DisputeStatus) -> None:
        taken = Money(500_000, "USD")
        happened_now = refunds.disputed(deals.load(DEAL), "pi_1", dispute_id, status, taken, "fraudulent")
        cause = Cause("test", f"{dispute_id} {status}")
        change(deals, DEAL, lambda _: happened_now, cause=cause, actor="vendor:stripe", now=NOW)

    told("dp_0", DisputeStatus.LOST)
    change(deals, DEAL, lambda deal: payments.ask(deal, NOW), cause=Cause("api", "ask"), actor=FINANCE, now=NOW)
    told("dp_1", DisputeStatus.OPEN)

    assert work(deals, provider) == []
    assert may_be_silent_for(deals.load(DEAL)) == timedelta(days=1)
    told("dp_1", DisputeStatus.WON)

    assert work(deals, provider) == ["payment:pay_d-1_2"]
    assert len(provider.sessions) == 2


def test_a_hint_that_money_went_back_is_asked_about_and_a_refund_made_by_hand_becomes_an_entry_once(
    deals: DynamoDeals, provider: FakePayments
) -> None:
    provider.refunds["by hand"] = RefundState("r-hand", "", "succeeded", Money(7, "USD"))

    for hint in ("m-1", "m-2"):
        cause = Cause("bus", hint)
        reaction.answer_report(deals, lambda _: provider, DEAL, "pay_d-1_1", "", cause=cause, now=NOW)

    assert [entry.amount for entry in deals.load(DEAL).refunds if not entry.requested_by] == [Money(7, "USD")]
    assert deals.load(DEAL).payments[0].status is PaymentStatus.SUCCEEDED


# -- what Stripe says


def refund_event(deal_id: str, event_id: str, kind: str = "refund.updated", **changes: Any) -> bytes:
    about = {
        "id": f"re_{deal_id}",
        "object": "refund",
        "amount": 40_000,
        "currency": "usd",
        "status": "succeeded",
        "payment_intent": "pi_1",
        "metadata": {"deal_id": deal_id, "intent": f"refund:ref_{deal_id}_1"},
        **changes,
    }
    event = {"id": event_id, "object": "event", "type": kind, "created": 1_795_378_476, "data": {"object": about}}
    return json.dumps(event).encode()


def kept(desk: World, deal_id: str) -> DynamoDeals:
    made: DynamoDeals = desk.port("receive_stripe", "deals")
    made.save(Deal(DealId(deal_id)), approved(deal_id).events, cause=Cause("story", deal_id), actor=OWNER, now=NOW)
    return made


def tell(desk: World, body: bytes) -> str:
    answer = given(desk, "stripe", stripe_request(desk, body))
    assert answer.status == 200, answer.body
    return str(answer.document["status"])


def test_a_refund_that_stripe_tells_of_is_recorded_once(desk: World) -> None:
    deals = kept(desk, "told")

    said = [tell(desk, refund_event("told", "evt_told")) for _ in range(2)]
    tell(desk, refund_event("told", "evt_told_again", "refund.created"))

    assert said == ["recorded", "duplicate"]
    assert happened(desk, "told").count("payment.refunded") == 1
    assert deals.load("told").intents == ()


def test_a_refund_that_bounced_is_told_after_it_had_succeeded(desk: World) -> None:
    deals = kept(desk, "bounced")
    tell(desk, refund_event("bounced", "evt_b1"))

    tell(desk, refund_event("bounced", "evt_b2", "refund.failed", status="failed", failure_reason="lost_card"))

    assert (deals.load("bounced").refunds[0].status, deals.load("bounced").refunds[0].reason) == ("FAILED", "lost_card")
    assert deals.load("bounced").payments[0].status is PaymentStatus.SUCCEEDED


@pytest.mark.parametrize("kind", ["refund.updated", "charge.refunded", "charge.dispute.created"])
def test_what_names_no_deal_and_money_that_nobody_recorded_is_parked(desk: World, kind: str) -> None:
    body = refund_event("nobody", f"evt_{kind}", kind, metadata={}, amount_refunded=1, payment_intent="pi_nobody")

    answer = given(desk, "stripe", stripe_request(desk, body))

    assert answer.status == 202
    assert any(f"stripe:evt_{kind}" in message for message in parked(desk))


# -- what was done at Stripe by hand, and what the payer's bank does: no message names a deal


def received(desk: World, deal_id: str, stage: Stage = Stage.AWAITING_PAYMENT) -> Deal:
    """A deal whose customer has paid through the webhook, so that the desk knows the money by Stripe's id."""
    deal = keep(desk, stage, deal_id)
    assert tell(desk, stripe_event(deal)) == "recorded"
    return stored(desk, deal_id)


def by_hand(deal_id: str, event_id: str, kind: str = "refund.created", **changes: Any) -> bytes:
    return refund_event(deal_id, event_id, kind, metadata={}, payment_intent=f"pi_{deal_id}", **changes)


def dispute_event(deal_id: str, event_id: str, kind: str, status: str, **changes: Any) -> bytes:
    about = {"status": status, "reason": "fraudulent", "amount": 1_000_000, "id": f"dp_{deal_id}"}
    return by_hand(deal_id, event_id, f"charge.dispute.{kind}", **about, **changes)


def test_a_refund_made_by_hand_finds_its_deal_by_the_money_and_is_an_entry_once(desk: World) -> None:
    received(desk, "hand")

    said = [tell(desk, by_hand("hand", event_id)) for event_id in ("evt_h1", "evt_h2", "evt_h1")]

    deal = stored(desk, "hand")
    assert said == ["recorded", "recorded", "duplicate"]
    assert [(entry.id, entry.amount, entry.requested_by) for entry in deal.refunds] == [("re_hand", GIVEN, "")]
    assert (deal.payments[0].status, deal.stage) == (PaymentStatus.SUCCEEDED, Stage.PAID)


def test_a_charge_that_was_refunded_waits_until_every_refund_was_told_and_counts_none_twice(desk: World) -> None:
    received(desk, "counted")
    total = by_hand("counted", "evt_c1", "charge.refunded", amount_refunded=40_000)

    assert given(desk, "stripe", stripe_request(desk, total)).status == 202
    tell(desk, by_hand("counted", "evt_c2"))
    tell(desk, total)

    assert happened(desk, "counted").count("payment.refunded") == 1


def test_a_parked_word_about_a_refund_or_a_dispute_is_recorded_once_its_money_is(desk: World) -> None:
    deal = keep(desk, Stage.AWAITING_PAYMENT, "early")
    for body in (by_hand("early", "evt_e1", amount=1), dispute_event("early", "evt_e2", "created", "needs_response")):
        assert given(desk, "stripe", stripe_request(desk, body)).status == 202

    tell(desk, stripe_event(deal))
    desk.settle()

    assert [refund.id for refund in stored(desk, "early").refunds] == ["re_early"]
    assert [dispute.id for dispute in stored(desk, "early").disputes] == ["dp_early"]


def test_a_dispute_takes_the_money_with_its_fee_and_gives_it_back_when_won(desk: World) -> None:
    received(desk, "won")
    fee = [{"currency": "usd", "amount": -1_000_000, "fee": 1_500}]

    tell(desk, dispute_event("won", "evt_w1", "created", "needs_response"))
    tell(desk, dispute_event("won", "evt_w2", "funds_withdrawn", "needs_response", balance_transactions=fee))
    _, shown = desk.rest("GET", "/deals/won", user="person-aud", role="auditor")
    [dispute] = shown["disputes"]
    assert (dispute["status"], dispute["amount_minor"], dispute["fee_minor"]) == ("OPEN", 1_000_000, 1_500)
    assert refunds.left(stored(desk, "won"), "pi_won") == Money(0, "USD")
    tell(desk, dispute_event("won", "evt_w3", "closed", "won"))
    tell(desk, dispute_event("won", "evt_w4", "updated", "under_review"))

    deal = stored(desk, "won")
    assert [entry.status for entry in deal.disputes] == [DisputeStatus.WON]
    assert refunds.left(deal, "pi_won") == Money(1_000_000, "USD")
    assert (deal.payments[0].status, deal.stage) == (PaymentStatus.SUCCEEDED, Stage.PAID)


def test_a_lost_dispute_stays_for_a_person_and_the_payment_is_never_flipped(desk: World) -> None:
    received(desk, "lost")
    tell(desk, dispute_event("lost", "evt_l1", "created", "needs_response"))

    tell(desk, dispute_event("lost", "evt_l2", "closed", "lost"))

    deal = stored(desk, "lost")
    assert [entry.status for entry in deal.disputes] == [DisputeStatus.LOST]
    assert deal.payments[0].status is PaymentStatus.SUCCEEDED
    assert deal.credits == ()
