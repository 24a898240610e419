"""Lines of a posted invoice go back by two people's word, never more than was billed; the invoice stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdesk.domain import credit_memos, invoices, refunds
from dealdesk.domain import events as e
from dealdesk.domain.deal import Deal, waits_for
from dealdesk.domain.directory import NOBODY, Directory, Member
from dealdesk.domain.stages import CreditStatus, Effect, Stage
from dealdesk.errors import (
    ApproverConflicted,
    ApproverNotEntitled,
    Conflict,
    Malformed,
    NotFound,
    Refusal,
    WrongStage,
)
from tests.unit.domain.deals import FINANCE, IN_FINANCE, NOW, OWNER, Story, a_deal, a_story
from tests.unit.domain.quotes import a_line

ASKER, OTHER = "person-sup", "person-fin-2"
INVOICE, FIRST, SECOND = "inv_d-1_1", "crd_d-1_1", "crd_d-1_2"
LINES = (a_line(unit="6000.00"), a_line("2", unit="4000.00"))
BILLED = {"1": 600_000, "2": 400_000}


def posted() -> Story:
    return a_story(Stage.CLOSED, lines=LINES)


def ask(deal: Deal, lines: dict[str, int | None] | None = None, by: str = ASKER) -> list[e.Event]:
    return credit_memos.request(deal, INVOICE, lines, "less was sold", by)


def agree(deal: Deal, memo_id: str = FIRST, by: str = FINANCE, directory: Directory = NOBODY) -> list[e.Event]:
    return credit_memos.approve(deal, memo_id, by, IN_FINANCE, directory, NOW)


def refuse(deal: Deal, memo_id: str = FIRST, by: str = OTHER) -> list[e.Event]:
    return credit_memos.reject(deal, memo_id, by, IN_FINANCE, "billed as agreed", NOBODY, NOW)


def kept(deal: Deal, memo_id: str = FIRST) -> list[e.Event]:
    return credit_memos.posted(deal, memo_id, "73", "CM-1", 10, NOW)


def left(deal: Deal) -> dict[str, int]:
    return credit_memos.left(deal, invoices.find(deal, INVOICE))


def asked(lines: dict[str, int | None] | None = None) -> Story:
    story = posted()
    return story.then(ask(story.deal, lines))


def agreed(lines: dict[str, int | None] | None = None) -> Story:
    story = asked(lines)
    return story.then(agree(story.deal))


def test_without_lines_the_whole_invoice_is_taken_back_as_it_was_billed() -> None:
    story = asked()

    memo = story.deal.credits[0].memo
    draft = invoices.find(story.deal, INVOICE).draft
    assert (memo.lines, memo.total_minor, memo.invoice_ledger_id) == (draft.lines, draft.total_minor, "qb-1")
    assert left(story.deal) == {"1": 0, "2": 0}


def test_part_of_a_line_goes_back_once_at_its_amount() -> None:
    [line] = asked({"2": 12_345}).deal.credits[0].memo.lines

    assert (line.line_id, line.quantity, line.unit_price, line.amount_minor) == ("2", "1", "123.45", 12_345)


def test_the_number_and_the_key_come_from_the_fact_and_fit_into_every_ledger() -> None:
    story = agreed()

    [intent] = story.deal.intents
    number = story.deal.credits[0].memo.number
    assert (intent.key, intent.effect, intent.subject) == (f"credit:{FIRST}", Effect.POST_CREDIT_MEMO, FIRST)
    assert waits_for(story.deal) == "post_invoice"
    assert number.endswith("-1")
    assert len(number) <= 21
    assert number != invoices.find(story.deal, INVOICE).draft.number
    assert number == asked().deal.credits[0].memo.number


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        ({"1": 600_001}, Conflict),
        ({"1": 0}, Malformed),
        ({"1": -1}, Malformed),
        ({"3": 1}, NotFound),
        ({"1": 1, "3": None}, NotFound),
    ],
    ids=str,
)
def test_more_than_was_billed_nothing_and_unknown_lines_are_refused(
    lines: dict[str, int | None], error: type[Refusal]
) -> None:
    with pytest.raises(error):
        ask(posted().deal, lines)


def test_a_memo_holds_its_amounts_from_the_moment_it_is_asked_for() -> None:
    story = asked({"1": 599_999})

    assert left(story.deal) == {"1": 1, "2": 400_000}
    with pytest.raises(Conflict, match=r"0\.02 USD of line 1 cannot be taken back: 0\.01 USD are left"):
        ask(story.deal, {"1": 2})


def test_nothing_is_left_of_an_invoice_that_was_taken_back_whole() -> None:
    with pytest.raises(Conflict, match="nothing of invoice"):
        ask(asked().deal)


def test_a_rejected_memo_gives_its_amounts_free_and_the_next_has_a_number_of_its_own() -> None:
    story = asked()
    story.then(refuse(story.deal))

    story.then(ask(story.deal))

    assert [credit.memo.memo_id for credit in story.deal.credits] == [FIRST, SECOND]
    assert len({credit.memo.number for credit in story.deal.credits}) == 2
    with pytest.raises(WrongStage, match="ask for a new one"):
        agree(story.deal)


@pytest.mark.parametrize("stage", [Stage.PAID])
def test_only_a_posted_invoice_needs_a_memo(stage: Stage) -> None:
    with pytest.raises(WrongStage, match="only a posted one"):
        ask(a_deal(stage))


def test_the_posted_invoice_and_the_deal_stay_as_they_are() -> None:
    story = posted()
    before = (story.deal.invoices, story.deal.payments, story.deal.stage)

    story.then(ask(story.deal)).then(agree(story.deal)).then(kept(story.deal))

    assert (story.deal.invoices, story.deal.payments, story.deal.stage) == before
    assert (story.deal.credits[0].status, story.deal.intents) == (CreditStatus.POSTED, ())
    assert kept(story.deal) == []
    assert agree(story.deal) == []


# -- two people


@pytest.mark.parametrize(
    ("by", "groups", "error"),
    [
        (ASKER, IN_FINANCE, ApproverConflicted),
        (OWNER, IN_FINANCE, ApproverConflicted),
        (OTHER, frozenset({"grp-executive"}), ApproverNotEntitled),
        ("system:desk", IN_FINANCE, ApproverNotEntitled),
    ],
)
def test_nobody_approves_their_own_memo_or_without_being_of_finance(
    by: str, groups: frozenset[str], error: type[Refusal]
) -> None:
    with pytest.raises(error):
        credit_memos.approve(asked().deal, FIRST, by, groups, NOBODY, NOW)


def test_one_person_under_two_names_is_one_person() -> None:
    directory = Directory((Member("person-fiona", ("grp-finance",), aliases=(ASKER, FINANCE)),))

    with pytest.raises(ApproverConflicted, match="somebody else"):
        agree(asked().deal, directory=directory)


def test_who_asked_may_take_it_back_until_it_is_approved() -> None:
    assert [event.TYPE for event in refuse(asked().deal, by=ASKER)] == ["credit_memo.rejected"]
    with pytest.raises(WrongStage):
        refuse(agreed().deal)


# -- what the ledger refuses


def test_a_memo_that_the_ledger_refused_is_asked_again_under_its_number_and_still_holds_its_amounts() -> None:
    story = agreed()
    story.then([e.IntentAttempted(f"credit:{FIRST}", 1, NOW)])
    story.then(credit_memos.failed(story.deal, FIRST, "the period is closed"))
    assert (story.deal.credits[0].status, story.deal.credits[0].reason) == (CreditStatus.FAILED, "the period is closed")
    assert left(story.deal) == {"1": 0, "2": 0}

    story.then(agree(story.deal, by=OTHER))

    [intent] = story.deal.intents
    assert (intent.key, intent.failed, intent.attempts) == (f"credit:{FIRST}", "", 1)


def test_a_memo_that_the_ledger_refused_can_be_given_up() -> None:
    story = agreed()
    story.then(credit_memos.failed(story.deal, FIRST, "the period is closed"))

    story.then(refuse(story.deal))

    assert (story.deal.intents, left(story.deal)) == ((), BILLED)


def test_a_late_refusal_does_not_undo_what_was_posted() -> None:
    story = agreed()
    story.then(kept(story.deal))

    assert credit_memos.failed(story.deal, FIRST, "no") == []


# -- with a refund


def test_a_refund_and_a_memo_are_linked_by_id_and_neither_forces_the_other() -> None:
    story = posted()
    story.then(refunds.request(story.deal, "pi_1", refunds.left(story.deal, "pi_1"), "less was sold", ASKER))

    story.then(credit_memos.request(story.deal, INVOICE, None, "less was sold", ASKER, "ref_d-1_1"))
    story.then(refuse(story.deal))

    assert story.deal.credits[0].refund_id == "ref_d-1_1"
    assert story.deal.refunds[0].status == "REQUESTED"
    with pytest.raises(NotFound):
        credit_memos.request(story.deal, INVOICE, None, "less was sold", ASKER, "ref_d-1_9")


steps = st.lists(
    st.tuples(
        st.sampled_from(["ask", "approve", "reject", "post", "fail"]), st.integers(1, 4), st.integers(1, 400_000)
    ),
    max_size=25,
)


@given(steps)
def test_in_any_order_the_memos_of_a_line_never_exceed_what_was_billed(happens: list[tuple[str, int, int]]) -> None:
    story = posted()
    for act, number, minor in happens:
        memo_id = f"crd_d-1_{number}"
        try:
            match act:
                case "ask":
                    story.then(ask(story.deal, {str(1 + number % 2): minor}))
                case "approve":
                    story.then(agree(story.deal, memo_id))
                case "reject":
                    story.then(refuse(story.deal, memo_id))
                case "post" if credit_memos.find(story.deal, memo_id).status is CreditStatus.APPROVED:
                    story.then(kept(story.deal, memo_id))
                case _:
                    story.then(credit_memos.failed(story.deal, memo_id, "no"))
        except Refusal:
            continue

    for line_id, billed in BILLED.items():
        taken = [
            line.amount_minor
            for credit in story.deal.credits
            for line in credit.memo.lines
            if line.line_id == line_id and credit.status is not CreditStatus.REJECTED
        ]
        assert sum(taken) <= billed
    for credit in story.deal.credits:
        if credit.status in (CreditStatus.APPROVED, CreditStatus.POSTED):
            assert credit.approved_by
            assert credit.approved_by != credit.requested_by
