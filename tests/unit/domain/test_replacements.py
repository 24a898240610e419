"""An invoice that was taken back in full is followed by a second one, of its own number, approved by another person."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdesk.domain import credit_memos, differences, invoices, payments, refunds, replacements
from dealdesk.domain import events as e
from dealdesk.domain.attention import waits_for_finance
from dealdesk.domain.collected import collected, difference, is_taken_back, outstanding, replaced_by, settlement
from dealdesk.domain.deal import Deal, waits_for
from dealdesk.domain.directory import NOBODY
from dealdesk.domain.money import Money
from dealdesk.domain.stages import CreditStatus, Effect, InvoiceStatus, Stage
from dealdesk.errors import (
    ApproverConflicted,
    ApproverNotEntitled,
    CertificateInvalid,
    Conflict,
    NotFound,
    Refusal,
    WrongStage,
)
from tests.unit.domain.deals import FINANCE, IN_FINANCE, NOW, Story, a_deal, a_story, linked, posting
from tests.unit.domain.quotes import a_line

STAGER, ASKER = "person-fin-2", "person-sup"
FIRST, SECOND, THIRD = "inv_d-1_1", "inv_d-1_2", "inv_d-1_3"
LINES = (a_line(unit="6000.00"), a_line("2", unit="4000.00"))
DUE, BILLED = 1_000_000, {"1": 600_000, "2": 400_000}


def types(happened: list[e.Event]) -> list[str]:
    return [event.TYPE for event in happened]


def credited(story: Story, lines: dict[str, int | None] | None = None, invoice_id: str = FIRST) -> Story:
    """A memo over these lines, or over all of it, that the ledger has."""
    story.then(credit_memos.request(story.deal, invoice_id, lines, "billed to the wrong company", ASKER))
    memo = story.deal.credits[-1].memo
    story.then(credit_memos.approve(story.deal, memo.memo_id, FINANCE, IN_FINANCE, NOBODY, NOW))
    return story.then(credit_memos.posted(story.deal, memo.memo_id, "73", memo.number, memo.total_minor, NOW))


def taken_back() -> Story:
    return credited(a_story(Stage.CLOSED, lines=LINES))


def stage(deal: Deal, invoice_id: str = FIRST, by: str = STAGER, ledger: str | None = None) -> list[e.Event]:
    return replacements.stage(deal, invoice_id, by, NOW, ledger)


def restaged() -> Story:
    story = taken_back()
    return story.then(stage(story.deal))


def given_back(story: Story) -> Story:
    money = Money(DUE, "USD")
    return story.then(refunds.told(story.deal, "pi_1", "", "re_1", "succeeded", money, ""))


def approve(deal: Deal, invoice_id: str = SECOND, by: str = FINANCE) -> list[e.Event]:
    return invoices.approve(deal, invoice_id, by, IN_FINANCE, NOBODY, NOW)


def post(deal: Deal, invoice_id: str = SECOND, total: int = DUE) -> list[e.Event]:
    number = invoices.find(deal, invoice_id).draft.number
    return invoices.posted(deal, f"invoice:{invoice_id}", "qb-2", number, total, NOW.date(), NOW)


# -- when


@pytest.mark.parametrize("stage_", [Stage.SIGNED, Stage.AWAITING_PAYMENT])
def test_there_is_nothing_to_replace_before_there_is_an_invoice(stage_: Stage) -> None:
    with pytest.raises(NotFound):
        stage(a_deal(stage_))


def test_a_draft_is_rejected_and_not_replaced() -> None:
    with pytest.raises(WrongStage, match="only a posted one"):
        stage(a_deal(Stage.PAID))


@pytest.mark.parametrize("lines", [{"1": None}, {"1": None, "2": 399_999}], ids=str)
def test_an_invoice_of_which_something_still_stands_is_not_billed_again(lines: dict[str, int | None]) -> None:
    story = credited(a_story(Stage.CLOSED, lines=LINES), lines)

    with pytest.raises(Conflict, match="still stands"):
        stage(story.deal)


@pytest.mark.parametrize("status", [CreditStatus.REQUESTED, CreditStatus.APPROVED, CreditStatus.FAILED])
def test_a_memo_that_the_ledger_does_not_have_takes_nothing_back(status: CreditStatus) -> None:
    story = taken_back()
    story.deal = replace(story.deal, credits=(replace(story.deal.credits[0], status=status),))

    with pytest.raises(Conflict, match="still stands"):
        stage(story.deal)


def test_several_memos_may_take_it_back_together() -> None:
    story = credited(credited(a_story(Stage.CLOSED, lines=LINES), {"1": None}), {"2": None})

    assert types(stage(story.deal)) == ["invoice.staged"]


def test_it_passes_the_same_gate_as_the_first() -> None:
    with pytest.raises(CertificateInvalid):
        stage(replace(taken_back().deal, certificate=None))


# -- what


def test_the_second_bills_the_approved_terms_under_a_number_and_a_key_of_its_own() -> None:
    story = taken_back()
    first = story.deal.invoices[0]
    story.then(stage(story.deal, ledger="netsuite"))

    second = story.deal.invoices[1]
    assert story.deal.invoices[0] == first
    assert (second.draft.invoice_id, second.draft.replaces, second.draft.replaces_number) == (
        SECOND,
        FIRST,
        first.draft.number,
    )
    assert (second.draft.lines, second.draft.ledger, second.staged_by) == (first.draft.lines, "netsuite", STAGER)
    assert len({first.draft.number, second.draft.number}) == 2
    assert second.draft.digest != first.draft.digest
    assert replaced_by(story.deal, first) == SECOND


def test_it_stays_in_the_books_of_the_first_unless_others_are_named() -> None:
    story = a_story(Stage.PAID, lines=LINES)
    story.deal = replace(story.deal, invoices=())
    story.then(invoices.draft(story.deal, NOW, "sap"))
    credited(story.then(posting(story.deal)))

    assert story.then(stage(story.deal)).deal.invoices[-1].draft.ledger == "sap"


def test_asking_again_makes_no_third_and_the_first_is_not_replaced_twice() -> None:
    story = restaged()
    assert stage(story.deal) == []
    story.then(approve(story.deal)).then(post(story.deal))
    assert stage(story.deal) == []

    credited(story, invoice_id=SECOND).then(stage(story.deal, SECOND))

    assert story.deal.invoices[-1].draft.invoice_id == THIRD
    with pytest.raises(Conflict, match="is not the newest"):
        stage(story.deal, FIRST)


def test_a_second_that_is_rejected_is_followed_by_a_third_in_place_of_the_first() -> None:
    story = restaged()
    story.then(invoices.reject(story.deal, SECOND, FINANCE, IN_FINANCE, "still wrong", NOBODY, NOW))

    story.then(stage(story.deal))

    assert (story.deal.invoices[-1].draft.invoice_id, story.deal.invoices[-1].draft.replaces) == (THIRD, FIRST)
    with pytest.raises(WrongStage):
        stage(story.deal, SECOND)


# -- the way of every draft


def test_who_staged_it_does_not_approve_it_and_neither_does_who_is_not_of_finance() -> None:
    story = restaged()

    with pytest.raises(ApproverConflicted):
        approve(story.deal, by=STAGER)
    with pytest.raises(ApproverNotEntitled):
        invoices.approve(story.deal, SECOND, FINANCE, frozenset(), NOBODY, NOW)


def test_it_is_posted_once_by_an_intent_of_its_own_and_the_deal_is_not_closed_again() -> None:
    story = restaged()
    story.then(approve(story.deal))

    [intent] = story.deal.intents
    assert (intent.key, intent.effect, waits_for(story.deal)) == (
        f"invoice:{SECOND}",
        Effect.POST_INVOICE,
        "post_invoice",
    )
    story.then(post(story.deal))

    assert post(story.deal) == []
    assert (story.deal.stage, story.deal.intents) == (Stage.CLOSED, ())
    assert Counter(types(story.events))["deal.closed"] == 1
    assert [invoice.status for invoice in story.deal.invoices] == [InvoiceStatus.POSTED] * 2


def test_the_money_of_the_first_pays_the_second() -> None:
    story = restaged()
    first, second = story.deal.invoices

    assert (difference(story.deal, first), difference(story.deal, second)) == (0, 0)
    assert (settlement(story.deal, first), settlement(story.deal, second)) == ("paid", "paid")
    assert outstanding(story.deal).amount_minor == 0
    assert payments.ask(story.deal, NOW) == []


def test_money_that_was_given_back_with_the_first_is_asked_for_again_by_the_second() -> None:
    story = given_back(taken_back())
    assert payments.ask(story.deal, NOW) == []
    story.then(stage(story.deal))
    with pytest.raises(Conflict, match=r"10,000\.00 USD and 0\.00 USD are collected"):
        approve(story.deal)

    story.then(payments.ask(story.deal, NOW))
    story.then(linked(story.deal))
    story.then(payments.succeeded(story.deal, "pay_d-1_2", "cs_2", Money(DUE, "USD"), "pi_2", NOW))
    story.then(approve(story.deal)).then(post(story.deal))

    assert (collected(story.deal), outstanding(story.deal)) == (Money(DUE, "USD"), Money(0, "USD"))
    assert settlement(story.deal, story.deal.invoices[1]) == "paid"


def test_a_total_with_tax_that_was_not_collected_waits_for_finance_and_closes_nothing_twice() -> None:
    story = restaged()
    story.then(approve(story.deal)).then(post(story.deal, total=DUE + 80_000))

    number = story.deal.invoices[1].draft.number
    assert waits_for_finance(story.deal) == (
        f"invoice {number} differs by 800.00 USD from what was collected: accept it or put it right",
    )
    story.then(differences.accept(story.deal, SECOND, 80_000, "agreed", FINANCE, IN_FINANCE, NOBODY, NOW))

    assert waits_for_finance(story.deal) == ()
    assert Counter(types(story.events))["deal.closed"] == 1


def test_a_first_that_stopped_at_its_tax_stops_nothing_once_it_is_taken_back() -> None:
    story = a_story(Stage.PAID, lines=LINES)
    story.then(approve(story.deal, FIRST)).then(post(story.deal, FIRST, DUE + 80_000))
    assert story.deal.stage is Stage.INVOICED
    credited(story).then(stage(story.deal))

    story.then(approve(story.deal)).then(post(story.deal))

    assert (story.deal.stage, waits_for_finance(story.deal)) == (Stage.CLOSED, ())


def test_a_deal_whose_money_went_back_ends_when_its_invoice_is_taken_back() -> None:
    story = a_story(Stage.PAID, lines=LINES)
    given_back(story.then(approve(story.deal, FIRST)))
    story.then(post(story.deal, FIRST, DUE))

    credited(story, {"1": None})
    assert story.deal.stage is Stage.INVOICED
    assert waits_for_finance(story.deal)
    credited(story, {"2": None})

    assert (story.deal.stage, waits_for_finance(story.deal)) == (Stage.CLOSED, ())


def test_money_without_an_invoice_is_told_to_finance_until_a_new_one_is_staged() -> None:
    story = taken_back()
    number = story.deal.invoices[0].draft.number

    assert waits_for_finance(story.deal) == (
        f"invoice {number} is taken back: stage a new one or give 10,000.00 USD back",
    )
    assert waits_for_finance(story.then(stage(story.deal)).deal) == ()


# -- in any order

ACTS = ["ask", "approve memo", "post memo", "fail memo", "reject memo", "stage", "approve", "post", "reject"]
steps = st.lists(
    st.tuples(st.sampled_from(ACTS), st.sampled_from([1, 1, 1, 2, 3]), st.sampled_from(["all", "1", "2", "part"]))
)


def do(story: Story, act: str, number: int, lines: str) -> None:
    """Does it to the newest memo or invoice, or to one of those before, unless the desk refuses."""
    deal = story.deal
    memo_id = f"crd_d-1_{max(1, len(deal.credits) + 1 - number)}"
    invoice_id = f"inv_d-1_{max(1, len(deal.invoices) + 1 - number)}"
    wanted: dict[str, dict[str, int | None] | None] = {"all": None, "1": {"1": None}, "2": {"2": None}}
    try:
        match act:
            case "ask":
                taken = wanted.get(lines, {"1": 100_000 * number})
                story.then(credit_memos.request(deal, deal.invoices[-1].draft.invoice_id, taken, "wrong", ASKER))
            case "approve memo":
                story.then(credit_memos.approve(deal, memo_id, FINANCE, IN_FINANCE, NOBODY, NOW))
            case "post memo":
                credit = credit_memos.find(deal, memo_id)
                if deal.intent(credit.key):
                    story.then(credit_memos.posted(deal, memo_id, f"7{number}", "CM", 1, NOW))
            case "fail memo":
                story.then(credit_memos.failed(deal, memo_id, "closed"))
            case "reject memo":
                story.then(credit_memos.reject(deal, memo_id, FINANCE, IN_FINANCE, "no", NOBODY, NOW))
            case "stage":
                story.then(stage(deal, invoice_id))
            case "approve":
                story.then(approve(deal, invoice_id))
            case "post":
                if deal.intent(f"invoice:{invoice_id}"):
                    story.then(post(deal, invoice_id))
            case _:
                story.then(invoices.reject(deal, invoice_id, FINANCE, IN_FINANCE, "no", NOBODY, NOW))
    except Refusal:
        return


@given(steps)
def test_no_line_is_ever_billed_beyond_the_contract_or_taken_back_beyond_its_invoice(
    happens: list[tuple[str, int, str]],
) -> None:
    story = a_story(Stage.CLOSED, lines=LINES)
    for act, number, lines in happens:
        do(story, act, number, lines)

        standing: Counter[str] = Counter()
        for invoice in story.deal.invoices:
            if invoice.status not in (InvoiceStatus.REJECTED, InvoiceStatus.VOIDED):
                left = credit_memos.left(story.deal, invoice)
                assert all(0 <= left[line.line_id] <= line.amount_minor for line in invoice.draft.lines)
                standing.update({} if is_taken_back(story.deal, invoice) else BILLED)
        assert all(standing[line_id] <= amount for line_id, amount in BILLED.items())


@given(steps)
def test_what_was_posted_stays_as_it_was_and_every_number_is_posted_once(happens: list[tuple[str, int, str]]) -> None:
    story = a_story(Stage.CLOSED, lines=LINES)
    for act, number, lines in happens:
        before = [invoice for invoice in story.deal.invoices if invoice.status is InvoiceStatus.POSTED]
        do(story, act, number, lines)
        assert [invoice for invoice in story.deal.invoices if invoice in before] == before

    told = [event for event in story.events if isinstance(event, e.InvoicePosted)]
    assert max(Counter(event.number for event in told).values()) == 1
    assert Counter(types(story.events))["deal.closed"] == 1
