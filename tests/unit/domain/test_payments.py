"""Money comes in once, in the amount of the deal, after signature; and what does not fit is kept apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from dealdesk.domain import events as e
from dealdesk.domain import payments
from dealdesk.domain.collected import collected
from dealdesk.domain.deal import Deal
from dealdesk.domain.fingerprint import fingerprint
from dealdesk.domain.fold import fold
from dealdesk.domain.money import Money
from dealdesk.domain.stages import Effect, PaymentStatus, Stage
from dealdesk.errors import CertificateInvalid, Conflict, DealUnknown, NotFound, WrongStage
from dealdesk.ports import PaymentState
from dealdesk.usecases.record_payment import events_of
from tests.unit.domain.deals import LATER, NOW, a_deal, a_story, linked, paid
from tests.unit.domain.quotes import a_line

PENDING, PART, SUCCEEDED, FAILED, ROLLED_BACK = PaymentStatus
WAITING = Stage.AWAITING_PAYMENT


def types(happened: list[e.Event]) -> list[str]:
    return [event.TYPE for event in happened]


def a_deal_with_payment(status: PaymentStatus) -> Deal:
    story = a_story(WAITING)
    payment_id = "pay_d-1_1"
    match status:
        case PaymentStatus.SUCCEEDED:
            story.then(paid(story.deal))
        case PaymentStatus.FAILED:
            story.then(payments.failed(story.deal, payment_id, "expired", "unpaid"))
        case PaymentStatus.ROLLED_BACK:
            story.then(payments.roll_back(story.deal, payment_id, "person-fin"))
            story.then(payments.failed(story.deal, payment_id, "expired", "cancelled"))
        case PaymentStatus.PARTIALLY_PAID:
            story.then(paid(story.deal, Money(400_000, "USD")))
        case PaymentStatus.PENDING:
            pass
    assert story.deal.payment is not None
    assert story.deal.payment.status is status
    return story.deal


@pytest.mark.parametrize("stage", Stage)
def test_a_deal_pays_at_no_stage_but_after_signature(stage: Stage) -> None:
    deal = a_deal(stage)

    if stage is Stage.SIGNED:
        assert types(payments.ask(deal, NOW)) == ["payment.requested"]
    elif stage in (WAITING, Stage.PAID, Stage.INVOICED, Stage.CLOSED):
        assert payments.ask(deal, NOW) == []
    else:
        with pytest.raises(WrongStage, match="once it is signed"):
            payments.ask(deal, NOW)


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.SIGNED])
def test_what_asks_by_itself_is_never_in_the_way(stage: Stage) -> None:
    assert payments.request(a_deal(stage), NOW) == []


def test_no_payment_passes_a_shut_gate() -> None:
    with pytest.raises(CertificateInvalid):
        payments.ask(replace(a_deal(Stage.SIGNED), certificate=None), NOW)


@pytest.mark.parametrize(
    ("currency", "unit", "minor"),
    [("USD", "10000.00", 1_000_000), ("JPY", "2000000", 2_000_000), ("KWD", "5000.000", 5_000_000)],
)
def test_the_amount_is_the_deals_total_in_the_currencys_own_minor_unit(currency: str, unit: str, minor: int) -> None:
    deal = a_deal(Stage.SIGNED)
    assert deal.quote is not None
    assert deal.certificate is not None
    assert deal.envelope is not None
    quote = replace(deal.quote, currency=currency, lines=(a_line(unit=unit),))
    known = fingerprint(quote)
    deal = replace(
        deal,
        quote=quote,
        certificate=replace(deal.certificate, fingerprint=known),
        envelope=replace(deal.envelope, fingerprint=known),
    )

    [asked] = payments.ask(deal, NOW)

    assert isinstance(asked, e.PaymentRequested)
    assert asked.amount == Money(minor, currency)


def test_the_key_comes_from_the_fact_and_not_from_the_attempt() -> None:
    assert payments.ask(a_deal(Stage.SIGNED), NOW) == payments.ask(a_deal(Stage.SIGNED), LATER)


@pytest.mark.parametrize(("status", "asks"), [(PENDING, 0), (PART, 1), (SUCCEEDED, 0), (FAILED, 1), (ROLLED_BACK, 1)])
def test_only_a_payment_that_was_given_up_or_brought_too_little_is_followed_by_another(
    status: PaymentStatus, asks: int
) -> None:
    happened = payments.ask(a_deal_with_payment(status), NOW)

    assert len(happened) == asks
    for event in happened:
        assert isinstance(event, e.PaymentRequested)
        assert (event.payment_id, event.key) == ("pay_d-1_2", "payment:pay_d-1_2")


@pytest.mark.parametrize("status", [PENDING, SUCCEEDED])
def test_a_live_payment_cannot_be_asked_of_another_provider(status: PaymentStatus) -> None:
    with pytest.raises(Conflict, match="through stripe"):
        payments.ask(a_deal_with_payment(status), NOW, "paypal")


@pytest.mark.parametrize("status", PaymentStatus)
def test_only_a_pending_payment_fails(status: PaymentStatus) -> None:
    happened = payments.failed(a_deal_with_payment(status), "pay_d-1_1", "expired", "unpaid")

    assert types(happened) == (["payment.failed"] if status is PENDING else [])


@pytest.mark.parametrize("status", PaymentStatus)
def test_only_a_pending_payment_is_withdrawn(status: PaymentStatus) -> None:
    deal = a_deal_with_payment(status)

    if status is PENDING:
        assert types(payments.roll_back(deal, "pay_d-1_1", "person-fin")) == ["payment.cancel_requested"]
    elif status is ROLLED_BACK:
        assert payments.roll_back(deal, "pay_d-1_1", "person-fin") == []
    elif status in (PART, SUCCEEDED):
        assert types(payments.roll_back(deal, "pay_d-1_1", "person-fin")) == ["refund.requested"]
    else:
        with pytest.raises(WrongStage):
            payments.roll_back(deal, "pay_d-1_1", "person-fin")


def test_a_payment_without_a_link_yet_cannot_be_withdrawn() -> None:
    story = a_story(Stage.SIGNED)
    story.then(payments.ask(story.deal, NOW))

    with pytest.raises(WrongStage, match="with a link"):
        payments.roll_back(story.deal, "pay_d-1_1", "person-fin")


def test_money_settles_the_deal_and_stages_its_invoice() -> None:
    happened = paid(a_deal(WAITING))

    assert types(happened) == ["payment.succeeded", "invoice.staged"]
    assert fold(a_deal(WAITING), happened, NOW).stage is Stage.PAID


def test_the_same_money_told_twice_changes_nothing() -> None:
    assert paid(a_deal(Stage.PAID)) == []


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (Money(0, "USD"), "0.00 USD arrived"),
        (Money(1_000_000, "EUR"), "10,000.00 EUR arrived where 10,000.00 USD was asked"),
        (Money(1_000_000, "JPY"), "1,000,000 JPY arrived"),
    ],
)
def test_money_that_does_not_fit_is_kept_apart_and_its_link_is_used_up(amount: Money, words: str) -> None:
    deal = a_deal(WAITING)

    [unmatched, failed] = paid(deal, amount)

    assert isinstance(unmatched, e.PaymentUnmatched)
    assert words in unmatched.reason
    assert not unmatched.duplicate
    assert isinstance(failed, e.PaymentFailed)
    assert failed.code == "mismatched"
    after = fold(deal, [unmatched, failed], NOW)
    assert [(money.amount, money.reference) for money in after.unapplied] == [(amount, "pi_1")]
    assert (after.stage, collected(after), paid(after, amount)) == (WAITING, None, [])
    assert types(payments.ask(after, NOW)) == ["payment.requested"]


def test_a_second_payment_of_a_settled_one_is_kept_apart_and_flips_nothing() -> None:
    deal = a_deal(Stage.PAID)

    [unmatched, _] = paid(deal, reference="pi_2")

    assert isinstance(unmatched, e.PaymentUnmatched)
    assert unmatched.duplicate
    assert fold(deal, [unmatched], NOW).payments == deal.payments


@pytest.mark.parametrize("status", [FAILED, ROLLED_BACK])
def test_unapplied_money_that_is_told_of_twice_is_counted_once(status: PaymentStatus) -> None:
    deal = a_deal_with_payment(status)
    deal = fold(deal, paid(deal), NOW)

    assert paid(deal) == []
    assert types(paid(deal, reference="pi_2")) == ["payment.unmatched", "refund.requested"]


@pytest.mark.parametrize("status", [FAILED, ROLLED_BACK])
def test_money_for_a_payment_whose_place_was_taken_is_kept_apart(status: PaymentStatus) -> None:
    deal = a_deal_with_payment(status)
    deal = fold(deal, payments.ask(deal, NOW), NOW)

    happened = payments.succeeded(deal, "pay_d-1_1", "cs_1", Money(1_000_000, "USD"), "pi_1", NOW)

    assert types(happened) == ["payment.unmatched", "refund.requested"]


def test_money_that_comes_after_the_link_expired_is_kept_unapplied() -> None:
    assert types(paid(a_deal_with_payment(FAILED))) == ["payment.unmatched", "refund.requested"]


@pytest.mark.parametrize("report", ["paid", "failed", "roll back"])
def test_a_payment_that_is_not_recorded_yet_is_awaited_and_one_of_another_deal_is_not_found(report: str) -> None:
    def tell(payment_id: str) -> object:
        deal = a_deal(Stage.SIGNED)
        match report:
            case "paid":
                return payments.succeeded(deal, payment_id, "cs_1", Money(1, "USD"), "pi_1", NOW)
            case "failed":
                return payments.failed(deal, payment_id, "expired", "unpaid")
            case _:
                return payments.roll_back(deal, payment_id, "person-fin")

    with pytest.raises(DealUnknown):
        tell("pay_d-1_1")
    with pytest.raises(NotFound, match="has no payment") as refused:
        tell("pay_d-2_1")
    assert not isinstance(refused.value, DealUnknown)


def test_a_link_is_recorded_once_and_never_after_the_payment_ended() -> None:
    asked = a_story(Stage.SIGNED)
    asked.then(payments.ask(asked.deal, NOW))

    assert types(linked(asked.deal)) == ["payment.link_created"]
    assert linked(asked.then(linked(asked.deal)).deal) == []
    for status in PaymentStatus:
        assert linked(a_deal_with_payment(status)) == []
    assert payments.link_created(a_deal(WAITING), "payment:other", "cs_2", "https://pay.test", LATER) == []


@pytest.mark.parametrize("status", [PART, SUCCEEDED, FAILED, ROLLED_BACK])
def test_an_ended_payment_leaves_no_intent_behind(status: PaymentStatus) -> None:
    deal = a_deal_with_payment(status)

    assert [intent for intent in deal.intents if intent.effect in (Effect.CREATE_PAYMENT, Effect.CANCEL_PAYMENT)] == []


def test_a_withdrawal_that_comes_too_late_takes_the_money() -> None:
    story = a_story(WAITING)
    story.then(payments.roll_back(story.deal, "pay_d-1_1", "person-fin")).then(paid(story.deal))

    assert story.deal.payment is not None
    assert (story.deal.payment.status, story.deal.intents) == (SUCCEEDED, ())


@pytest.mark.parametrize("status", PaymentStatus)
def test_only_a_pending_payment_is_taken_when_its_payer_approves(status: PaymentStatus) -> None:
    happened = payments.approved(a_deal_with_payment(status), "pay_d-1_1", "cs_1")

    assert types(happened) == (["payment.approved"] if status is PENDING else [])


def test_an_approval_opens_one_intent_to_take_the_money_with_a_key_of_its_own() -> None:
    story = a_story(WAITING)
    story.then(payments.approved(story.deal, "pay_d-1_1", "cs_1"))

    [intent] = story.deal.intents
    assert (intent.key, intent.effect) == ("capture:payment:pay_d-1_1", Effect.CAPTURE_PAYMENT)
    assert intent.subject == "pay_d-1_1"
    assert payments.approved(story.deal, "pay_d-1_1", "cs_1") == []


def test_only_the_session_that_the_desk_made_for_the_payment_is_ever_taken() -> None:
    assert payments.approved(a_deal(WAITING), "pay_d-1_1", "cs_2") == []


def test_a_payment_that_is_being_withdrawn_is_not_taken() -> None:
    story = a_story(WAITING)
    story.then(payments.roll_back(story.deal, "pay_d-1_1", "person-fin"))

    assert payments.approved(story.deal, "pay_d-1_1", "cs_1") == []


def test_a_withdrawal_ends_the_intent_to_take_the_money() -> None:
    story = a_story(WAITING)
    story.then(payments.approved(story.deal, "pay_d-1_1", "cs_1"))
    story.then(payments.roll_back(story.deal, "pay_d-1_1", "person-fin"))

    assert [intent.effect for intent in story.deal.intents] == [Effect.CANCEL_PAYMENT]


def test_nothing_is_withdrawn_while_the_money_may_still_be_taken() -> None:
    story = a_story(WAITING)
    story.then(payments.approved(story.deal, "pay_d-1_1", "cs_1"))
    story.then([e.IntentAttempted("capture:payment:pay_d-1_1", 1, LATER)])
    story.then(payments.roll_back(story.deal, "pay_d-1_1", "person-fin"))

    [withdrawal] = story.deal.intents
    assert (withdrawal.effect, withdrawal.lease_until) == (Effect.CANCEL_PAYMENT, LATER)


def test_money_on_its_way_leaves_nothing_to_be_done_and_settles_nothing() -> None:
    story = a_story(WAITING)
    story.then(payments.approved(story.deal, "pay_d-1_1", "cs_1"))
    key = story.deal.intents[0].key
    story.then(payments.processing(story.deal, key))

    assert story.deal.payment is not None
    assert (story.deal.intents, story.deal.payment.status) == ((), PENDING)
    assert payments.processing(story.deal, key) == []


@pytest.mark.parametrize(("after", "ended"), [(LATER, ["payment.failed"]), (NOW, [])])
def test_a_session_that_the_vendor_forgot_has_ended_only_once_its_link_has(after: datetime, ended: list[str]) -> None:
    forgotten = PaymentState("cs_1", "", "expired", Money(0, "USD"), "cs_1")

    assert types(events_of(a_deal(WAITING), forgotten, after)) == ended
    assert types(events_of(a_deal(WAITING), replace(forgotten, session_id="cs_2"), after)) == []


def test_the_quoted_price_is_what_is_asked_to_the_cent() -> None:
    [asked] = payments.ask(a_deal(Stage.SIGNED, lines=(a_line(unit="99999.99", net="79999.992"),)), NOW)

    assert isinstance(asked, e.PaymentRequested)
    assert asked.amount == Money(7_999_999, "USD")
