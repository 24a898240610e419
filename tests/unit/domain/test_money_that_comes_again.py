"""Money that a bank gives again, or that bounces back, ends what waited for it; whoever is waited for is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dealdesk.domain import differences, invoices, payments, refunds
from dealdesk.domain import events as e
from dealdesk.domain.attention import waits_for_finance
from dealdesk.domain.collected import collected, outstanding
from dealdesk.domain.deal import may_be_silent_for, waits_for
from dealdesk.domain.directory import NOBODY
from dealdesk.domain.money import Money
from dealdesk.domain.stages import DisputeStatus, InvoiceStatus, RefundStatus, Stage
from dealdesk.ports import Correction, DisputeState, RefundState
from dealdesk.usecases.record_correction import corrected
from tests.unit.domain.deals import FINANCE, IN_FINANCE, NOW, Story, a_story

DUE, INVOICE = 1_000_000, "inv_d-1_1"
CRM = e.CrmRecord("salesforce", "0061")


def usd(minor: int) -> Money:
    return Money(minor, "USD")


def told(story: Story, outcome: str, minor: int = DUE) -> list[str]:
    """The provider's word on a dispute; what happens to the deal, by name."""
    happened = corrected(story.deal, Correction("pi_1", dispute=DisputeState("dp_1", outcome, usd(minor), "")), NOW)
    story.then(happened)
    return [event.TYPE for event in happened]


def accepted(story: Story, minor: int = DUE) -> Story:
    return story.then(
        differences.accept(story.deal, INVOICE, minor, "we write it off", FINANCE, IN_FINANCE, NOBODY, NOW)
    )


def approved(story: Story) -> Story:
    return story.then(invoices.approve(story.deal, INVOICE, FINANCE, IN_FINANCE, NOBODY, NOW))


def posted(story: Story, total: int = DUE) -> list[str]:
    happened = invoices.posted(story.deal, f"invoice:{INVOICE}", "71", "DD-1", total, NOW.date(), NOW)
    story.then(happened)
    return [event.TYPE for event in happened]


def test_a_deal_that_waited_for_disputed_money_ends_when_the_dispute_is_won() -> None:
    story = approved(a_story(Stage.PAID))
    told(story, "open")
    assert posted(story) == ["invoice.posted", "invoice.differs"]

    assert told(story, "won") == ["payment.disputed", "deal.closed"]

    assert story.deal.stage is Stage.CLOSED
    assert waits_for_finance(story.deal) == ()


def test_a_deal_that_waits_for_more_than_the_disputed_money_goes_on_waiting() -> None:
    story = approved(a_story(Stage.PAID))
    told(story, "open")
    posted(story, DUE + 80_000)

    assert told(story, "won") == ["payment.disputed"]

    [sentence] = waits_for_finance(story.deal)
    assert "differs by 800.00 USD" in sentence


def test_a_deal_that_waited_for_money_on_its_way_back_ends_when_the_refund_bounces() -> None:
    story = approved(a_story(Stage.PAID))
    story.then(refunds.request(story.deal, "pi_1", usd(5_000), "goodwill", "person-sup"))
    story.then(refunds.approve(story.deal, "ref_d-1_1", FINANCE, IN_FINANCE, NOBODY, NOW))
    story.then(refunds.told(story.deal, "pi_1", "refund:ref_d-1_1", "re_1", "pending", usd(5_000), ""))
    posted(story)

    bounced = RefundState("re_1", "refund:ref_d-1_1", "failed", usd(5_000), "the account is closed")
    happened = corrected(story.deal, Correction("pi_1", refund=bounced), NOW)

    assert [event.TYPE for event in happened] == ["refund.failed", "deal.closed"]


def test_a_correction_stages_no_draft_in_place_of_one_that_finance_rejected() -> None:
    story = a_story(Stage.PAID)
    told(story, "open")
    story.then(invoices.reject(story.deal, INVOICE, FINANCE, IN_FINANCE, "wrong address", NOBODY, NOW))

    assert told(story, "won") == ["payment.disputed"]

    assert [invoice.status for invoice in story.deal.invoices] == [InvoiceStatus.REJECTED]


def test_a_draft_over_what_is_there_again_needs_no_second_word_on_the_difference() -> None:
    story = a_story(Stage.PAID)
    told(story, "open")
    accepted(story)

    told(story, "won")

    assert waits_for_finance(story.deal) == ()
    assert posted(approved(story)) == ["invoice.posted", "deal.closed"]


def test_a_loss_that_finance_accepted_is_not_asked_for_again() -> None:
    story = a_story(Stage.PAID)
    told(story, "open")
    accepted(story)
    told(story, "lost")

    assert outstanding(story.deal) == usd(0)
    assert payments.ask(story.deal, NOW) == []
    assert collected(story.deal) == usd(0)


def paid_back_by_paypal(story: Story, minor: int = DUE) -> Story:
    """The payer of a lost dispute is paid by a refund that nobody here asked for."""
    told(story, "open", minor)
    refund = RefundState("r-1", "", "succeeded", usd(minor), "")
    story.then(corrected(story.deal, Correction("pi_1", refund=refund), NOW))
    told(story, "lost", 0)
    return story


def test_a_loss_that_is_shown_as_a_refund_can_be_collected_anew() -> None:
    story = paid_back_by_paypal(a_story(Stage.CLOSED), 400_000)

    assert waits_for_finance(story.deal) == (
        "the dispute over 4,000.00 USD is lost: collect it anew or write a credit memo",
    )
    [asked] = payments.ask(story.deal, NOW)
    assert isinstance(asked, e.PaymentRequested)
    assert asked.amount == usd(400_000)


def test_what_two_people_gave_back_beside_a_lost_dispute_is_not_asked_for_again() -> None:
    story = a_story(Stage.CLOSED)
    story.then(refunds.request(story.deal, "pi_1", usd(5_000), "goodwill", "person-sup"))
    story.then(refunds.approve(story.deal, "ref_d-1_1", FINANCE, IN_FINANCE, NOBODY, NOW))
    story.then(refunds.told(story.deal, "pi_1", "refund:ref_d-1_1", "re_1", "succeeded", usd(5_000), ""))

    paid_back_by_paypal(story, 400_000)

    assert outstanding(story.deal) == usd(400_000)


def test_finance_is_not_told_of_a_loss_that_was_collected_anew() -> None:
    story = a_story(Stage.CLOSED)
    told(story, "open")
    told(story, "lost")
    assert waits_for_finance(story.deal) != ()
    story.then(payments.ask(story.deal, NOW))
    story.then(payments.succeeded(story.deal, "pay_d-1_2", "cs_2", usd(DUE), "pi_2", NOW))

    assert waits_for_finance(story.deal) == ()
    assert collected(story.deal) == usd(DUE)


def test_a_disputed_deal_whose_draft_waits_in_the_crm_is_asked_about_at_both_in_turn() -> None:
    story = a_story(Stage.PAID)
    told(story, "open")
    deal = replace(story.deal, crm=CRM)

    asked = [waits_for(replace(deal, version=version)) for version in range(20, 24)]

    assert set(asked) == {"read_crm", "request_payment"}
    assert asked[:2] == asked[2:]
    assert may_be_silent_for(deal).total_seconds() == 0


@pytest.mark.parametrize("status", [DisputeStatus.WON, DisputeStatus.LOST])
def test_a_dispute_that_has_ended_is_nobodys_turn(status: DisputeStatus) -> None:
    story = a_story(Stage.PAID)
    told(story, "open")
    told(story, status.value.lower())
    deal = replace(story.deal, crm=CRM)

    assert {waits_for(replace(deal, version=version)) for version in range(4)} == {"read_crm"}


def test_a_refund_on_its_way_is_asked_about_while_a_draft_waits_in_the_crm() -> None:
    story = a_story(Stage.PAID)
    story.then(refunds.request(story.deal, "pi_1", usd(5_000), "goodwill", "person-sup"))
    story.then(refunds.approve(story.deal, "ref_d-1_1", FINANCE, IN_FINANCE, NOBODY, NOW))
    story.then(refunds.told(story.deal, "pi_1", "refund:ref_d-1_1", "re_1", "pending", usd(5_000), ""))
    assert story.deal.refunds[0].status is RefundStatus.SUBMITTED
    deal = replace(story.deal, crm=CRM)

    assert {waits_for(replace(deal, version=version)) for version in range(4)} == {"read_crm", "request_payment"}
