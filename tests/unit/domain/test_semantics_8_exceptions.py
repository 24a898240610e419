"""Section 8 of the semantics, example by example: what becomes of money and invoices when things go another way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from dealdesk.domain import credit_memos, differences, invoices, payments, refunds, signature
from dealdesk.domain import events as e
from dealdesk.domain.attention import waits_for_finance
from dealdesk.domain.collected import collected, difference, entries, outstanding, settlement
from dealdesk.domain.deal import Deal, may_be_silent_for, waits_for
from dealdesk.domain.directory import NOBODY
from dealdesk.domain.money import Money
from dealdesk.domain.stages import (
    DisputeStatus,
    EnvelopeStatus,
    InvoiceStatus,
    PaymentStatus,
    RefundStatus,
    Stage,
)
from dealdesk.errors import ApproverConflicted, ApproverNotEntitled, Conflict, DealUnknown, WrongStage
from dealdesk.ports import PaymentState
from dealdesk.usecases.record_payment import events_of
from tests.unit.domain.deals import FINANCE, IN_FINANCE, LATER, NOW, OWNER, Story, a_deal, a_story, posting

DUE = 1_000_000
INVOICE, PAYMENT = "inv_d-1_1", "pay_d-1_1"
OPEN, WON, LOST = DisputeStatus


def usd(minor: int) -> Money:
    return Money(minor, "USD")


def types(happened: list[e.Event]) -> list[str]:
    return [event.TYPE for event in happened]


def unpaid() -> Story:
    return a_story(Stage.AWAITING_PAYMENT)


def arrived(story: Story, amount: Money, reference: str = "pi_1", payment_id: str = PAYMENT) -> Story:
    return story.then(payments.succeeded(story.deal, payment_id, "cs_1", amount, reference, NOW))


def has(deal: Deal) -> int:
    money = collected(deal)
    assert money is not None
    return money.amount_minor


def dispute(story: Story, status: DisputeStatus, minor: int = DUE, fee: Money | None = None) -> Story:
    return story.then(refunds.disputed(story.deal, "pi_1", "dp_1", status, usd(minor), "fraudulent", fee))


def refunded(story: Story, minor: int) -> Story:
    number = len(story.deal.refunds) + 1
    story.then(refunds.request(story.deal, "pi_1", usd(minor), "overpaid", "person-sup"))
    refund_id = f"ref_d-1_{number}"
    story.then(refunds.approve(story.deal, refund_id, FINANCE, IN_FINANCE, NOBODY, NOW))
    return story.then(
        refunds.told(story.deal, "pi_1", f"refund:{refund_id}", f"re_{number}", "succeeded", usd(minor), "")
    )


# -- payments that are not what was asked


def test_8_a_partial_payment_counts_towards_what_is_due_and_the_deal_is_not_cash_yet() -> None:
    story = arrived(unpaid(), usd(400_000))

    deal = story.deal
    assert deal.payment is not None
    assert (deal.payment.status, deal.stage) == (PaymentStatus.PARTIALLY_PAID, Stage.AWAITING_PAYMENT)
    assert (has(deal), outstanding(deal), deal.invoice) == (400_000, usd(600_000), None)
    assert (deal.unapplied, deal.refunds) == ((), ())
    assert waits_for_finance(deal) == ("6,000.00 USD are still to be collected: ask for the rest",)


def test_8_an_over_payment_settles_what_is_due_and_the_rest_is_the_customers_credit() -> None:
    story = arrived(unpaid(), usd(DUE + 1))

    deal = story.deal
    assert (deal.stage, has(deal)) == (Stage.PAID, DUE)
    assert [money.amount for money in deal.unapplied] == [usd(1)]
    assert deal.invoice is not None
    assert deal.invoice.draft.total_minor == DUE
    assert deal.refunds == ()
    assert waits_for_finance(deal)
    assert arrived(story, usd(DUE + 1)).deal == deal


def test_8_what_was_over_goes_back_first_and_the_invoice_stays_paid() -> None:
    story = refunded(arrived(unpaid(), usd(DUE + 500)), 500)

    assert (has(story.deal), refunds.left(story.deal, "pi_1")) == (DUE, usd(DUE))
    refunded(story, 1)
    assert has(story.deal) == DUE - 1


def test_8_a_wrong_currency_is_kept_apart_and_waits_for_a_person() -> None:
    story = arrived(unpaid(), Money(DUE, "EUR"))

    assert story.deal.stage is Stage.AWAITING_PAYMENT
    assert [money.amount for money in story.deal.unapplied] == [Money(DUE, "EUR")]
    assert any("EUR is unapplied" in sentence for sentence in waits_for_finance(story.deal))
    assert story.deal.refunds == ()


def test_8_money_for_a_payment_that_is_not_known_waits_and_is_never_dropped() -> None:
    with pytest.raises(DealUnknown):
        payments.succeeded(a_deal(Stage.SIGNED), PAYMENT, "cs_1", usd(DUE), "pi_1", NOW)


@pytest.mark.parametrize("how", ["expired", "withdrawn"])
def test_8_money_after_the_link_ended_is_accepted_as_credit_and_a_refund_is_offered(how: str) -> None:
    story = unpaid()
    if how == "withdrawn":
        story.then(payments.roll_back(story.deal, PAYMENT, FINANCE))
    story.then(payments.failed(story.deal, PAYMENT, "expired", "the payment link expired unpaid"))
    ended = story.deal.payments

    arrived(story, usd(DUE))

    [refund] = story.deal.refunds
    assert story.deal.payments == ended
    assert (refund.status, refund.amount, refund.requested_by) == (RefundStatus.REQUESTED, usd(DUE), "system:desk")
    assert story.deal.intents == ()
    assert any("decide on the refund of 10,000.00 USD" in sentence for sentence in waits_for_finance(story.deal))


def test_8_of_two_links_that_are_paid_the_second_is_credit_with_a_refund_that_needs_approval() -> None:
    story = arrived(unpaid(), usd(DUE), "pi_1")

    arrived(story, usd(DUE), "pi_2")

    [refund] = story.deal.refunds
    assert [(money.amount, money.reference) for money in story.deal.unapplied] == [(usd(DUE), "pi_2")]
    assert (refund.reference, refund.status, story.deal.intents) == ("pi_2", RefundStatus.REQUESTED, ())
    assert has(story.deal) == DUE
    story.then(refunds.approve(story.deal, refund.id, FINANCE, IN_FINANCE, NOBODY, NOW))
    assert [intent.subject for intent in story.deal.intents] == [refund.id]


def test_8_a_link_of_an_earlier_payment_that_is_paid_beside_the_new_one_settles_only_one() -> None:
    story = unpaid()
    story.then(payments.failed(story.deal, PAYMENT, "expired", "unpaid"))
    story.then(payments.ask(story.deal, NOW))

    arrived(story, usd(DUE), "pi_2", "pay_d-1_2")
    arrived(story, usd(DUE), "pi_1")

    assert [payment.status for payment in story.deal.payments] == [PaymentStatus.FAILED, PaymentStatus.SUCCEEDED]
    assert (has(story.deal), story.deal.refunds[0].reference) == (DUE, "pi_1")


@pytest.mark.parametrize("outcome", ["processing", "open", "approved"])
def test_8_a_debit_on_its_way_and_an_authorisation_are_not_cash(outcome: str) -> None:
    story = unpaid()
    story.then(events_of(story.deal, PaymentState("cs_1", PAYMENT, outcome, usd(DUE), "pi_1"), NOW))

    assert story.deal.stage is Stage.AWAITING_PAYMENT
    assert collected(story.deal) is None


# -- refunds


def test_8_a_refund_is_a_negative_entry_and_never_more_than_settled_less_disputed() -> None:
    story = refunded(arrived(unpaid(), usd(DUE)), 300_000)
    dispute(story, OPEN, 700_000)

    moved = [(entry.kind, entry.amount.amount_minor) for entry in entries(story.deal)]
    assert moved == [("received", DUE), ("refund", -300_000), ("dispute", -700_000)]
    with pytest.raises(Conflict):
        refunds.request(story.deal, "pi_1", usd(1), "overpaid", "person-sup")


def test_8_who_asked_for_a_refund_does_not_approve_it() -> None:
    story = arrived(unpaid(), usd(DUE))
    story.then(refunds.request(story.deal, "pi_1", usd(1), "overpaid", FINANCE))

    with pytest.raises(ApproverConflicted):
        refunds.approve(story.deal, "ref_d-1_1", FINANCE, IN_FINANCE, NOBODY, NOW)


# -- disputes


def test_8_a_dispute_withdraws_the_funds_and_the_fee_and_opens_the_invoice_again() -> None:
    story = dispute(a_story(Stage.CLOSED), OPEN, fee=usd(1_500))

    deal = story.deal
    moved = [(entry.kind, entry.amount.amount_minor) for entry in entries(deal)]
    assert moved == [("received", DUE), ("dispute", -DUE), ("dispute_fee", -1_500)]
    assert settlement(deal, invoices.find(deal, INVOICE)) == "open"
    assert invoices.find(deal, INVOICE).status is InvoiceStatus.POSTED
    assert deal.payments[0].status is PaymentStatus.SUCCEEDED
    assert deal.is_disputed
    assert any("is disputed" in sentence for sentence in waits_for_finance(deal))


def test_8_a_dispute_of_a_part_leaves_the_invoice_partially_paid() -> None:
    deal = dispute(a_story(Stage.CLOSED), OPEN, 400_000).deal

    assert settlement(deal, invoices.find(deal, INVOICE)) == "partially_paid"


def test_8_a_dispute_that_is_won_reverses_the_entry_and_keeps_the_fee() -> None:
    story = dispute(a_story(Stage.CLOSED), OPEN, fee=usd(1_500))
    dispute(story, WON)

    assert sum(entry.amount.amount_minor for entry in entries(story.deal)) == DUE - 1_500
    assert settlement(story.deal, invoices.find(story.deal, INVOICE)) == "paid"
    assert not story.deal.is_disputed
    assert waits_for_finance(story.deal) == ()


def test_8_a_dispute_that_is_lost_stays_open_for_a_person() -> None:
    story = dispute(a_story(Stage.CLOSED), OPEN)
    dispute(story, LOST)

    assert settlement(story.deal, invoices.find(story.deal, INVOICE)) == "open"
    assert (story.deal.credits, story.deal.refunds, story.deal.payments[0].status) == ((), (), "SUCCEEDED")
    assert waits_for_finance(story.deal) == (
        "the dispute over 10,000.00 USD is lost: collect it anew or write a credit memo",
    )


def test_8_nobody_is_chased_for_money_while_a_dispute_is_open() -> None:
    story = unpaid()
    story.then(payments.failed(story.deal, PAYMENT, "expired", "unpaid"))
    arrived(story, usd(DUE), "pi_1")
    story.then(payments.ask(story.deal, NOW))
    payment_id = "pay_d-1_2"
    key = f"payment:{payment_id}"
    story.then(payments.link_created(story.deal, key, "cs_2", "https://pay.test/cs_2", LATER))
    assert waits_for(story.deal) == "request_payment"

    assert may_be_silent_for(story.deal) == timedelta(0)

    dispute(story, OPEN)
    assert (waits_for(story.deal), may_be_silent_for(story.deal)) == ("request_payment", timedelta(days=1))
    dispute(story, WON)

    assert (waits_for(story.deal), may_be_silent_for(story.deal)) == ("request_payment", timedelta(0))


def test_8_only_an_open_dispute_is_asked_about() -> None:
    story = dispute(a_story(Stage.CLOSED), OPEN)
    assert waits_for(story.deal) == "request_payment"

    assert waits_for(dispute(story, LOST).deal) is None


def test_8_a_dispute_that_was_lost_shrinks_to_what_was_not_refunded_and_never_grows_again() -> None:
    story = dispute(a_story(Stage.CLOSED), OPEN, 400_000)
    dispute(story, LOST, 400_000)
    refunded(story, 400_000)
    dispute(story, LOST, 0)
    assert has(story.deal) == DUE - 400_000

    dispute(story, LOST, 400_000)
    dispute(story, OPEN, 400_000)
    dispute(story, WON, 400_000)

    assert has(story.deal) == DUE - 400_000
    assert [one.status for one in story.deal.disputes] == [LOST]


def test_8_disputed_and_refunded_at_once_is_not_counted_twice() -> None:
    story = refunded(a_story(Stage.CLOSED), 400_000)
    dispute(story, OPEN, DUE)

    assert has(story.deal) == 0


# -- the envelope


def test_8_a_completed_envelope_is_terminal() -> None:
    story = a_story(Stage.SIGNED)
    assert story.deal.envelope is not None
    key, envelope_id = f"envelope:{story.deal.id}:r1:1", story.deal.envelope.id

    for late in (EnvelopeStatus.SENT, EnvelopeStatus.VOIDED, EnvelopeStatus.DECLINED):
        assert signature.moved(story.deal, key, envelope_id, late, "", NOW, NOW) == []


# -- the invoice


def test_8_a_sale_that_gets_smaller_takes_a_credit_memo_and_a_refund_linked_and_the_invoice_is_paid() -> None:
    story = refunded(a_story(Stage.CLOSED), 400_000)
    assert settlement(story.deal, invoices.find(story.deal, INVOICE)) == "partially_paid"
    story.then(credit_memos.request(story.deal, INVOICE, {"1": 400_000}, "less was sold", "person-sup", "ref_d-1_1"))
    story.then(credit_memos.approve(story.deal, "crd_d-1_1", FINANCE, IN_FINANCE, NOBODY, NOW))

    story.then(credit_memos.posted(story.deal, "crd_d-1_1", "73", "CM-1", 400_000, NOW))

    assert story.deal.credits[0].refund_id == story.deal.refunds[0].id
    assert settlement(story.deal, invoices.find(story.deal, INVOICE)) == "paid"


def test_8_a_draft_that_is_not_what_was_collected_stops_before_it_is_posted() -> None:
    story = refunded(a_story(Stage.PAID), 400_000)

    with pytest.raises(Conflict, match=r"over 10,000\.00 USD and 6,000\.00 USD are collected"):
        invoices.approve(story.deal, INVOICE, FINANCE, IN_FINANCE, NOBODY, NOW)

    assert story.deal.intents == ()
    assert difference(story.deal, invoices.find(story.deal, INVOICE)) == 400_000
    assert any("differs by 4,000.00 USD" in sentence for sentence in waits_for_finance(story.deal))


def test_8_finance_accepts_the_difference_that_it_saw_and_the_draft_goes_on() -> None:
    story = refunded(a_story(Stage.PAID), 400_000)

    story.then(accepts(story, 400_000)).then(posting(story.deal))

    assert story.deal.stage is Stage.CLOSED
    assert waits_for_finance(story.deal) == ()


def accepts(story: Story, minor: int, by: str = FINANCE, groups: frozenset[str] = IN_FINANCE) -> list[e.Event]:
    return differences.accept(story.deal, INVOICE, minor, "the refund was agreed", by, groups, NOBODY, NOW)


def test_8_a_difference_that_has_moved_since_is_not_accepted() -> None:
    story = refunded(a_story(Stage.PAID), 400_000)
    story.then(accepts(story, 400_000))
    refunded(story, 1)

    with pytest.raises(Conflict, match=r"4,000\.01 USD now"):
        accepts(story, 400_000)
    with pytest.raises(Conflict, match="accept the difference first"):
        invoices.approve(story.deal, INVOICE, FINANCE, IN_FINANCE, NOBODY, NOW)


def test_8_only_finance_without_an_interest_accepts_a_difference() -> None:
    story = refunded(a_story(Stage.PAID), 400_000)

    with pytest.raises(ApproverConflicted):
        accepts(story, 400_000, by=OWNER)
    with pytest.raises(ApproverNotEntitled):
        accepts(story, 400_000, by="person-exe", groups=frozenset({"grp-executive"}))


# -- the tax boundary


def taxed(total_minor: int, tolerance_minor: int = 0) -> Story:
    story = a_story(Stage.PAID)
    story.then(invoices.approve(story.deal, INVOICE, FINANCE, IN_FINANCE, NOBODY, NOW))
    key, on = f"invoice:{INVOICE}", NOW.date()
    return story.then(invoices.posted(story.deal, key, "qb-1", "DD-1", total_minor, on, NOW, tolerance_minor))


@pytest.mark.parametrize(
    ("total", "tolerance", "closes"),
    [
        (DUE, 0, True),
        (DUE + 1, 0, False),
        (DUE - 1, 0, False),
        (DUE + 5, 5, True),
        (DUE - 5, 5, True),
        (DUE + 6, 5, False),
        (DUE + 80_000, 5, False),
    ],
)
def test_8_a_posted_total_beyond_the_tolerance_leaves_the_deal_open_with_the_difference_named(
    total: int, tolerance: int, closes: bool
) -> None:
    story = taxed(total, tolerance)

    invoice = invoices.find(story.deal, INVOICE)
    assert (invoice.status, invoice.posted_minor, invoice.differs) == (InvoiceStatus.POSTED, total, not closes)
    assert story.deal.stage is (Stage.CLOSED if closes else Stage.INVOICED)
    assert difference(story.deal, invoice) == total - DUE
    assert bool(waits_for_finance(story.deal)) is not closes


def test_8_a_difference_that_finance_accepts_closes_the_deal_once() -> None:
    story = taxed(DUE + 80_000)

    story.then(accepts(story, 80_000))

    assert types(story.events[-2:]) == ["invoice.difference_accepted", "deal.closed"]
    assert (story.deal.stage, waits_for_finance(story.deal)) == (Stage.CLOSED, ())
    with pytest.raises(WrongStage, match="no difference waits"):
        accepts(story, 80_000)


def test_8_a_posted_invoice_is_immutable() -> None:
    deal = replace(taxed(DUE).deal)

    with pytest.raises(WrongStage):
        invoices.reject(deal, INVOICE, FINANCE, IN_FINANCE, "wrong", NOBODY, NOW)
    assert invoices.approve(deal, INVOICE, FINANCE, IN_FINANCE, NOBODY, NOW) == []
    assert invoices.post(deal, INVOICE) == []
