"""What is missing of a deal is asked for by another link: exactly the rest, one link at a time, and never too much."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdesk.domain import differences, invoices, payments, refunds
from dealdesk.domain import events as e
from dealdesk.domain.attention import waits_for_finance
from dealdesk.domain.collected import collected, difference, entries, outstanding, settlement
from dealdesk.domain.deal import Deal, waits_for
from dealdesk.domain.directory import NOBODY
from dealdesk.domain.money import Money
from dealdesk.domain.stages import DisputeStatus, InvoiceStatus, PaymentStatus, RefundStatus, Stage
from dealdesk.errors import CertificateInvalid, Conflict, Refusal, WrongStage
from tests.unit.domain.deals import FINANCE, IN_FINANCE, LATER, NOW, Story, a_story, linked

DUE, PART, REST = 1_000_000, 400_000, 600_000
FIRST, SECOND, THIRD = "pay_d-1_1", "pay_d-1_2", "pay_d-1_3"
OPEN, WON, LOST = DisputeStatus


def usd(minor: int) -> Money:
    return Money(minor, "USD")


def types(happened: list[e.Event]) -> list[str]:
    return [event.TYPE for event in happened]


def arrived(story: Story, minor: int, payment_id: str = "", reference: str = "") -> Story:
    payment_id = payment_id or story.deal.payments[-1].id
    reference = reference or f"pi_{payment_id[-1]}"
    return story.then(payments.succeeded(story.deal, payment_id, "cs_1", usd(minor), reference, NOW))


def asked(story: Story) -> Story:
    story.then(payments.ask(story.deal, NOW))
    return story.then(linked(story.deal))


def part_paid(minor: int = PART) -> Story:
    return arrived(a_story(Stage.AWAITING_PAYMENT), minor)


def ended(story: Story, how: str) -> Story:
    payment_id = story.deal.payments[-1].id
    if how == "withdrawn":
        story.then(payments.roll_back(story.deal, payment_id, FINANCE))
    return story.then(payments.failed(story.deal, payment_id, "expired", "unpaid"))


def refunded(story: Story, minor: int, outcome: str = "succeeded") -> Story:
    number = len(story.deal.refunds) + 1
    refund_id = f"ref_d-1_{number}"
    story.then(refunds.request(story.deal, "pi_1", usd(minor), "paid by transfer instead", "person-sup"))
    story.then(refunds.approve(story.deal, refund_id, FINANCE, IN_FINANCE, NOBODY, NOW))
    return story.then(refunds.told(story.deal, "pi_1", f"refund:{refund_id}", f"re_{number}", outcome, usd(minor), ""))


def taxed(total: int = DUE + 80_000) -> Story:
    """Posted by the ledger with tax on top of what was collected."""
    story = a_story(Stage.PAID)
    story.then(invoices.approve(story.deal, "inv_d-1_1", FINANCE, IN_FINANCE, NOBODY, NOW))
    return story.then(invoices.posted(story.deal, "invoice:inv_d-1_1", "71", "DD-1", total, NOW.date(), NOW))


# -- the rest


def test_the_rest_is_asked_for_by_another_payment_with_a_key_of_its_own() -> None:
    [request] = payments.ask(part_paid().deal, NOW)

    assert isinstance(request, e.PaymentRequested)
    assert (request.payment_id, request.key, request.amount) == (SECOND, f"payment:{SECOND}", usd(REST))


def test_nothing_asks_for_the_rest_by_itself() -> None:
    story = a_story(Stage.AWAITING_PAYMENT)
    happened = payments.succeeded(story.deal, FIRST, "cs_1", usd(PART), "pi_1", NOW)

    assert types(happened) == ["payment.partially_paid"]
    assert waits_for(story.then(happened).deal) is None


def test_the_last_money_makes_the_deal_cash_and_stages_one_invoice_over_all_of_it() -> None:
    story = arrived(asked(arrived(asked(part_paid()), 100_000)), 500_000)

    deal = story.deal
    assert [payment.status.value for payment in deal.payments] == ["PARTIALLY_PAID", "PARTIALLY_PAID", "SUCCEEDED"]
    assert [entry.amount.amount_minor for entry in entries(deal)] == [PART, 100_000, 500_000]
    assert (deal.stage, collected(deal), outstanding(deal)) == (Stage.PAID, usd(DUE), usd(0))
    assert [invoice.draft.total_minor for invoice in deal.invoices] == [DUE]
    assert difference(deal, deal.invoices[0]) == 0
    assert payments.ask(deal, NOW) == []


def test_one_link_is_out_at_a_time_and_asking_again_makes_no_second() -> None:
    story = asked(part_paid())

    assert payments.ask(story.deal, NOW) == []
    with pytest.raises(Conflict, match="through stripe"):
        payments.ask(story.deal, NOW, "paypal")


def test_the_link_that_is_out_is_the_one_that_is_chased() -> None:
    story = asked(part_paid())

    assert waits_for(story.deal) == "request_payment"
    assert story.deal.payments[-1].expires_at == LATER


@pytest.mark.parametrize("how", ["expired", "withdrawn"])
def test_a_link_that_has_ended_is_no_longer_out(how: str) -> None:
    story = ended(asked(part_paid()), how)

    [request] = payments.ask(story.deal, NOW)

    assert isinstance(request, e.PaymentRequested)
    assert (request.payment_id, request.amount) == (THIRD, usd(REST))


def test_the_rest_passes_the_same_gate_as_the_first_payment() -> None:
    with pytest.raises(CertificateInvalid):
        payments.ask(replace(part_paid().deal, certificate=None), NOW)


def test_the_same_money_told_again_changes_nothing() -> None:
    story = part_paid()

    assert payments.succeeded(story.deal, FIRST, "cs_1", usd(PART), "pi_1", NOW) == []
    arrived(asked(story), REST)
    assert payments.succeeded(story.deal, FIRST, "cs_1", usd(PART), "pi_1", NOW) == []
    assert payments.succeeded(story.deal, SECOND, "cs_1", usd(REST), "pi_2", NOW) == []


# -- more than the rest


def test_what_is_over_the_rest_is_the_customers_credit() -> None:
    story = arrived(asked(part_paid()), REST + 7)

    assert (story.deal.stage, collected(story.deal)) == (Stage.PAID, usd(DUE))
    assert [(money.amount, money.reference) for money in story.deal.unapplied] == [(usd(7), "pi_2")]
    assert story.deal.refunds == ()


@pytest.mark.parametrize("payment_id", [FIRST, SECOND])
def test_of_two_links_that_are_paid_the_second_is_credit_with_a_refund_that_waits_for_approval(payment_id: str) -> None:
    story = arrived(ended(asked(part_paid()), "expired"), REST, payment_id, "pi_late")

    [refund] = story.deal.refunds
    assert [money.reference for money in story.deal.unapplied] == ["pi_late"]
    assert (refund.reference, refund.status, story.deal.intents) == ("pi_late", RefundStatus.REQUESTED, ())
    assert (collected(story.deal), story.deal.stage) == (usd(PART), Stage.AWAITING_PAYMENT)


def test_a_refund_that_bounced_while_all_was_asked_for_leaves_the_surplus_as_credit() -> None:
    story = asked(refunded(part_paid(), PART, "pending"))
    assert story.deal.payments[-1].amount == usd(DUE)
    story.then(refunds.told(story.deal, "pi_1", "refund:ref_d-1_1", "re_1", "failed", usd(PART), "closed account"))

    arrived(story, DUE)

    assert (collected(story.deal), story.deal.stage) == (usd(DUE), Stage.PAID)
    assert [(money.amount, money.reason) for money in story.deal.unapplied] == [
        (usd(PART), "10,000.00 USD arrived where 6,000.00 USD was still due")
    ]


def test_money_for_which_nothing_is_due_any_more_is_kept_apart() -> None:
    story = asked(taxed())
    story.deal = replace(story.deal, invoices=(replace(story.deal.invoices[0], accepted_minor=80_000),))

    arrived(story, 80_000)

    assert (collected(story.deal), story.deal.payments[-1].status) == (usd(DUE), PaymentStatus.FAILED)
    assert [money.amount for money in story.deal.unapplied] == [usd(80_000)]


# -- money that goes back meanwhile


def test_a_part_that_was_given_back_is_missing_again() -> None:
    story = refunded(part_paid(), PART)

    assert outstanding(story.deal) == usd(DUE)
    arrived(asked(story), DUE)
    assert (story.deal.stage, collected(story.deal)) == (Stage.PAID, usd(DUE))


def test_a_part_that_goes_back_while_the_rest_is_out_leaves_the_deal_short() -> None:
    story = arrived(refunded(asked(part_paid()), PART), REST)

    assert (story.deal.stage, story.deal.invoice) == (Stage.AWAITING_PAYMENT, None)
    [request] = payments.ask(story.deal, NOW)
    assert isinstance(request, e.PaymentRequested)
    assert request.amount == usd(PART)


def test_a_refund_that_bounced_may_leave_the_deal_paid_and_its_invoice_can_be_staged() -> None:
    story = arrived(refunded(asked(part_paid()), PART, "pending"), REST)
    short = story.deal.stage

    story.then(refunds.told(story.deal, "pi_1", "refund:ref_d-1_1", "re_1", "failed", usd(PART), "closed account"))

    assert (short, story.deal.stage) == (Stage.AWAITING_PAYMENT, Stage.PAID)
    assert types(invoices.draft(story.deal, NOW)) == ["invoice.staged"]


def test_a_payment_that_brought_a_part_is_rolled_back_by_a_refund_of_that_part() -> None:
    [request] = payments.roll_back(part_paid().deal, FIRST, "person-sup")

    assert isinstance(request, e.RefundRequested)
    assert request.amount == usd(PART)


def test_nobody_is_asked_for_the_rest_while_a_part_is_disputed_and_for_all_of_it_once_that_is_lost() -> None:
    story = part_paid()
    story.then(refunds.disputed(story.deal, "pi_1", "dp_1", OPEN, usd(PART), "fraudulent"))
    with pytest.raises(Conflict, match="disputes"):
        payments.ask(story.deal, NOW)
    assert not any("ask for the rest" in sentence for sentence in waits_for_finance(story.deal))

    story.then(refunds.disputed(story.deal, "pi_1", "dp_1", LOST, usd(PART), "fraudulent"))

    [request] = payments.ask(story.deal, NOW)
    assert isinstance(request, e.PaymentRequested)
    assert request.amount == usd(DUE)


# -- what the ledger adds


def test_what_the_ledger_added_is_collected_by_a_link_of_its_own_and_closes_the_deal() -> None:
    story = taxed()
    assert (story.deal.stage, outstanding(story.deal)) == (Stage.INVOICED, usd(80_000))

    asked(story)
    assert (story.deal.stage, story.deal.payments[-1].amount) == (Stage.INVOICED, usd(80_000))
    arrived(story, 80_000)

    deal = story.deal
    assert (deal.stage, types(story.events[-2:])) == (Stage.CLOSED, ["payment.succeeded", "deal.closed"])
    assert (settlement(deal, deal.invoices[0]), waits_for_finance(deal)) == ("paid", ())
    with pytest.raises(WrongStage, match="no difference waits"):
        accept(story, 0)


def test_what_finance_tolerates_is_not_asked_for() -> None:
    story = a_story(Stage.PAID)
    story.then(invoices.approve(story.deal, "inv_d-1_1", FINANCE, IN_FINANCE, NOBODY, NOW))
    key, day = "invoice:inv_d-1_1", NOW.date()
    story.then(invoices.posted(story.deal, key, "71", "DD-1", DUE + 50, day, NOW, tolerance_minor=50))

    assert (story.deal.stage, outstanding(story.deal)) == (Stage.CLOSED, usd(0))
    assert payments.ask(story.deal, NOW) == []
    for status in (OPEN, LOST):
        story.then(refunds.disputed(story.deal, "pi_1", "dp_1", status, usd(PART), "fraudulent"))
    assert outstanding(story.deal) == usd(PART)


def test_a_part_of_what_the_ledger_added_closes_nothing() -> None:
    story = arrived(asked(taxed()), 30_000)

    assert (story.deal.stage, outstanding(story.deal)) == (Stage.INVOICED, usd(50_000))
    assert waits_for_finance(story.deal) == (
        f"invoice {story.deal.invoices[0].draft.number} differs by 500.00 USD from what was collected: accept it or "
        "put it right",
    )


def test_a_difference_is_not_accepted_while_a_link_for_it_is_out() -> None:
    story = asked(taxed())
    with pytest.raises(Conflict, match="withdraw it"):
        accept(story, 80_000)

    ended(story, "withdrawn")
    story.then(accept(story, 80_000))

    assert (story.deal.stage, outstanding(story.deal)) == (Stage.CLOSED, usd(0))
    assert payments.ask(story.deal, NOW) == []


def accept(story: Story, minor: int) -> list[e.Event]:
    return differences.accept(story.deal, "inv_d-1_1", minor, "agreed", FINANCE, IN_FINANCE, NOBODY, NOW)


def test_a_dispute_that_was_lost_after_the_deal_was_closed_can_be_collected_anew() -> None:
    story = a_story(Stage.CLOSED)
    for status in (OPEN, LOST):
        story.then(refunds.disputed(story.deal, "pi_1", "dp_1", status, usd(PART), "fraudulent"))

    arrived(asked(story), PART)

    assert (story.deal.stage, collected(story.deal)) == (Stage.CLOSED, usd(DUE))
    assert types(story.events).count("deal.closed") == 1
    assert settlement(story.deal, story.deal.invoices[0]) == "paid"


# -- in any order

ARRIVED = (e.PaymentSucceeded, e.PaymentPartiallyPaid, e.PaymentUnmatched)


def has(deal: Deal) -> int:
    money = collected(deal)
    return money.amount_minor if money else 0


@dataclass
class Customer:
    """A deal on which everything happens that can; what the desk lets happen is watched."""

    story: Story

    def try_to(self, act: str, number: int, minor: int) -> None:
        deal, story = self.story.deal, self.story
        payment_id = f"pay_d-1_{number}"
        try:
            match act:
                case "ask":
                    asked(story)
                case "pay":
                    story.then(payments.succeeded(deal, payment_id, "cs_1", usd(minor), f"pi_{number}_{minor}", NOW))
                case "pay what is asked":
                    amount = payments.find(deal, payment_id).amount
                    story.then(payments.succeeded(deal, payment_id, "cs_1", amount, f"pi_{number}", NOW))
                case "expire" | "withdraw":
                    ended(story, "withdrawn" if act == "withdraw" else "expired")
                case "refund":
                    refunded(story, minor)
                case dispute:
                    status = DisputeStatus(dispute.upper())
                    reference = deal.payments[number - 1].reference or ""
                    story.then(refunds.disputed(deal, reference, f"dp_{number}", status, usd(minor), "fraudulent"))
        except (Refusal, IndexError):
            return


ACTS = ["ask", "ask", "pay", "pay", "pay what is asked", "expire", "withdraw", "refund", "open", "won", "lost"]
steps = st.lists(st.tuples(st.sampled_from(ACTS), st.integers(1, 4), st.integers(1, DUE + 10)), max_size=25)


@given(steps)
def test_a_link_never_asks_for_more_than_is_due_and_no_two_are_out(happens: list[tuple[str, int, int]]) -> None:
    customer = Customer(a_story(Stage.AWAITING_PAYMENT))
    for act, number, minor in happens:
        before = len(customer.story.events)
        customer.try_to(act, number, minor)
        deal = customer.story.deal

        assert sum(payment.status is PaymentStatus.PENDING for payment in deal.payments) <= 1
        for event in customer.story.events[before:]:
            if isinstance(event, e.PaymentRequested):
                assert event.amount.amount_minor + has(deal) <= DUE


@given(steps)
def test_what_arrived_is_settled_or_kept_apart_to_the_last_cent(happens: list[tuple[str, int, int]]) -> None:
    customer, told = Customer(a_story(Stage.AWAITING_PAYMENT)), set()
    for act, number, minor in happens:
        known = len(customer.story.events)
        customer.try_to(act, number, minor)
        told |= {event for event in customer.story.events[known:] if isinstance(event, ARRIVED)}

    deal = customer.story.deal
    settled = sum(payment.settled.amount_minor for payment in deal.payments if payment.settled)
    unapplied = sum(money.amount.amount_minor for money in deal.unapplied)
    assert settled + unapplied == sum(event.amount.amount_minor for event in told)
    assert has(deal) <= DUE


@given(steps)
def test_a_deal_is_cash_only_when_all_of_it_has_arrived(happens: list[tuple[str, int, int]]) -> None:
    customer = Customer(a_story(Stage.AWAITING_PAYMENT))
    for act, number, minor in happens:
        before = customer.story.deal.stage
        customer.try_to(act, number, minor)
        deal = customer.story.deal

        if (before, deal.stage) == (Stage.AWAITING_PAYMENT, Stage.PAID):
            undisputed = collected(replace(deal, disputes=()))
            assert undisputed == usd(DUE)
            assert [invoice.status for invoice in deal.invoices] == [InvoiceStatus.DRAFT]
        if deal.stage is Stage.AWAITING_PAYMENT:
            assert not deal.invoices
