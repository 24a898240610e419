"""Money goes back by two people's word, never more than is there; a dispute is an entry, and no payment is flipped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdesk.domain import events as e
from dealdesk.domain import payments, refunds
from dealdesk.domain.deal import Deal, waits_for
from dealdesk.domain.directory import NOBODY
from dealdesk.domain.fold import fold
from dealdesk.domain.money import Money
from dealdesk.domain.stages import DisputeStatus, Effect, PaymentStatus, RefundStatus, Stage
from dealdesk.errors import (
    ApproverConflicted,
    ApproverNotEntitled,
    Conflict,
    DealUnknown,
    Malformed,
    NotFound,
    Refusal,
    WrongStage,
)
from tests.unit.domain.deals import FINANCE, IN_FINANCE, LATER, NOW, OWNER, Story, a_deal, a_story, paid

ASKER, OTHER = "person-sup", "person-fin-2"
PAID = 1_000_000
REQUESTED, APPROVED, REJECTED, SUBMITTED, SUCCEEDED, FAILED = RefundStatus
OPEN, WON, LOST = DisputeStatus
FIRST = "ref_d-1_1"


def usd(minor: int) -> Money:
    return Money(minor, "USD")


def types(happened: list[e.Event]) -> list[str]:
    return [event.TYPE for event in happened]


def ask(deal: Deal, minor: int = 40_000, reference: str = "pi_1") -> list[e.Event]:
    return refunds.request(deal, reference, usd(minor), "overpaid", ASKER)


def agree(deal: Deal, refund_id: str = FIRST) -> list[e.Event]:
    return refunds.approve(deal, refund_id, FINANCE, IN_FINANCE, NOBODY, NOW)


def said(
    deal: Deal, outcome: str, minor: int = 40_000, key: str = f"refund:{FIRST}", vendor_id: str = "re_1"
) -> list[e.Event]:
    return refunds.told(deal, "pi_1", key, vendor_id, outcome, usd(minor), "")


def dispute(deal: Deal, status: DisputeStatus, minor: int = PAID, dispute_id: str = "dp_1") -> list[e.Event]:
    return refunds.disputed(deal, "pi_1", dispute_id, status, usd(minor), "fraudulent")


def asked(minor: int = 40_000) -> Story:
    story = a_story(Stage.PAID)
    return story.then(ask(story.deal, minor))


def agreed(minor: int = 40_000) -> Story:
    story = asked(minor)
    return story.then(agree(story.deal))


def attempted(story: Story, refund_id: str = FIRST) -> Story:
    return story.then([e.IntentAttempted(f"refund:{refund_id}", 1, LATER)])


def status(story: Story) -> RefundStatus:
    return story.deal.refunds[0].status


# -- two people


def test_a_refund_waits_for_somebody_else_and_does_nothing_by_itself() -> None:
    story = asked()

    assert status(story) is REQUESTED
    assert story.deal.intents == ()


def test_an_approval_opens_the_intent_to_give_the_money_back() -> None:
    story = agreed()

    [intent] = story.deal.intents
    assert (intent.key, intent.effect, intent.subject) == (f"refund:{FIRST}", Effect.REFUND_PAYMENT, FIRST)
    assert waits_for(story.deal) == "request_payment"
    assert agree(story.deal) == []


DECIDE: dict[str, Callable[[Deal, str, frozenset[str]], list[e.Event]]] = {
    "approve": lambda deal, by, groups: refunds.approve(deal, FIRST, by, groups, NOBODY, NOW),
    "reject": lambda deal, by, groups: refunds.reject(deal, FIRST, by, groups, "no", NOBODY, NOW),
}


@pytest.mark.parametrize("act", DECIDE)
@pytest.mark.parametrize(
    ("by", "groups", "error"),
    [
        (ASKER, IN_FINANCE, ApproverConflicted),
        (OWNER, IN_FINANCE, ApproverConflicted),
        (OTHER, frozenset({"grp-executive"}), ApproverNotEntitled),
        (OTHER, frozenset(), ApproverNotEntitled),
    ],
)
def test_nobody_decides_on_their_own_refund_or_without_being_of_finance(
    act: str, by: str, groups: frozenset[str], error: type[Refusal]
) -> None:
    deal = asked().deal
    decide = DECIDE[act]
    if act == "reject" and by == ASKER:
        assert types(decide(deal, by, groups)) == ["refund.rejected"]
        return

    with pytest.raises(error):
        decide(deal, by, groups)


def test_a_rejected_refund_cannot_be_approved_and_gives_its_amount_free() -> None:
    story = asked(PAID)
    story.then(refunds.reject(story.deal, FIRST, FINANCE, IN_FINANCE, "no", NOBODY, NOW))

    assert refunds.reject(story.deal, FIRST, FINANCE, IN_FINANCE, "no", NOBODY, NOW) == []
    assert refunds.left(story.deal, "pi_1") == usd(PAID)
    with pytest.raises(WrongStage, match="ask for a new one"):
        agree(story.deal)


def test_an_approved_refund_is_not_rejected_any_more() -> None:
    with pytest.raises(WrongStage):
        refunds.reject(agreed().deal, FIRST, OTHER, IN_FINANCE, "no", NOBODY, NOW)


# -- never more than is there


@pytest.mark.parametrize("minor", [1, PAID])
def test_up_to_all_of_it_can_be_asked_for(minor: int) -> None:
    assert types(ask(a_deal(Stage.PAID), minor)) == ["refund.requested"]


@pytest.mark.parametrize(
    ("amount", "error"),
    [
        (usd(PAID + 1), Conflict),
        (usd(0), Malformed),
        (usd(-1), Malformed),
        (Money(1, "EUR"), Conflict),
        (Money(1, "JPY"), Conflict),
    ],
    ids=str,
)
def test_more_than_was_paid_nothing_and_another_currency_are_refused(amount: Money, error: type[Refusal]) -> None:
    with pytest.raises(error):
        refunds.request(a_deal(Stage.PAID), "pi_1", amount, "overpaid", ASKER)


@pytest.mark.parametrize("stage", [Stage.SIGNED, Stage.AWAITING_PAYMENT])
def test_what_has_not_arrived_is_not_given_back(stage: Stage) -> None:
    with pytest.raises(NotFound, match="has received no money"):
        ask(a_deal(stage))


def test_a_refund_holds_its_amount_from_the_moment_it_is_asked_for() -> None:
    story = asked(PAID - 1)

    assert refunds.left(story.deal, "pi_1") == usd(1)
    with pytest.raises(Conflict, match=r"0\.02 USD cannot be given back: 0\.01 USD"):
        ask(story.deal, 2)


def test_a_refund_that_failed_gives_its_amount_free_and_the_next_has_a_key_of_its_own() -> None:
    story = agreed(PAID)
    story.then(said(story.deal, "failed", PAID))

    [again] = ask(story.deal, PAID)
    assert isinstance(again, e.RefundRequested)
    assert again.refund_id == "ref_d-1_2"


def test_unapplied_money_is_given_back_by_its_own_reference_and_leaves_the_payment_alone() -> None:
    story = a_story(Stage.PAID)
    story.then(paid(story.deal, reference="pi_2"))
    story.then(refunds.reject(story.deal, FIRST, FINANCE, IN_FINANCE, "not all of it", NOBODY, NOW))

    story.then(ask(story.deal, PAID, "pi_2"))

    assert refunds.left(story.deal, "pi_2") == usd(0)
    assert refunds.left(story.deal, "pi_1") == usd(PAID)


# -- the vendor's word


def test_money_that_went_back_is_an_entry_and_the_payment_stays_paid() -> None:
    story = agreed()
    before = story.deal.payments
    story.then(said(story.deal, "succeeded"))

    assert (status(story), story.deal.intents) == (SUCCEEDED, ())
    assert (story.deal.payments, story.deal.stage) == (before, Stage.PAID)


@pytest.mark.parametrize("outcome", ["succeeded", "pending", "failed"])
def test_the_same_word_twice_is_one_entry(outcome: str) -> None:
    story = agreed()
    story.then(said(story.deal, outcome))

    assert said(story.deal, outcome) == []


@pytest.mark.parametrize(
    ("words", "end"),
    [
        (["pending", "succeeded"], SUCCEEDED),
        (["succeeded", "pending"], SUCCEEDED),
        (["pending", "failed"], FAILED),
        (["failed", "pending"], FAILED),
        (["failed", "succeeded"], FAILED),
        (["succeeded", "failed"], FAILED),
        (["succeeded", "failed", "succeeded"], FAILED),
    ],
    ids=str,
)
def test_words_in_any_order_end_where_the_refund_ended(words: list[str], end: RefundStatus) -> None:
    story = agreed()
    for word in words:
        story.then(said(story.deal, word))

    assert status(story) is end


@pytest.mark.parametrize(("word", "end"), [("succeeded", SUCCEEDED), ("pending", SUBMITTED), ("failed", FAILED)])
def test_a_refusal_that_comes_late_does_not_undo_what_the_vendor_said(word: str, end: RefundStatus) -> None:
    story = agreed()
    story.then(said(story.deal, word))

    assert refunds.refused(story.deal, FIRST, "no") == []
    assert status(story) is end
    assert types(refunds.refused(agreed().deal, FIRST, "no")) == ["refund.failed"]


def test_a_refund_on_its_way_is_asked_about_until_it_has_arrived() -> None:
    story = agreed()
    story.then(said(story.deal, "pending"))

    assert waits_for(story.deal) == "request_payment"
    assert waits_for(story.then(said(story.deal, "succeeded")).deal) != "request_payment"


def test_a_refund_that_was_given_up_but_was_made_after_all_counts() -> None:
    story = agreed()
    story.then([e.RefundFailed(f"refund:{FIRST}", FIRST, "refused")]).then(said(story.deal, "succeeded"))

    assert status(story) is SUCCEEDED


def test_a_refund_that_was_made_at_the_vendor_by_hand_is_an_entry_too() -> None:
    story = a_story(Stage.PAID)
    story.then(said(story.deal, "succeeded", key="", vendor_id="re_hand"))

    assert said(story.deal, "succeeded", key="", vendor_id="re_hand") == []
    assert [(refund.id, refund.amount) for refund in story.deal.refunds] == [("re_hand", usd(40_000))]
    assert refunds.left(story.deal, "pi_1") == usd(PAID - 40_000)


def test_a_word_about_money_that_is_not_recorded_yet_is_awaited() -> None:
    with pytest.raises(DealUnknown):
        said(a_deal(Stage.AWAITING_PAYMENT), "succeeded")
    with pytest.raises(DealUnknown):
        dispute(a_deal(Stage.AWAITING_PAYMENT), OPEN)


# -- disputes


def test_a_dispute_is_an_entry_and_never_flips_the_payment() -> None:
    story = a_story(Stage.CLOSED)
    before = (story.deal.payments, story.deal.stage, story.deal.invoices)
    for outcome in (OPEN, LOST):
        story.then(dispute(story.deal, outcome))

    assert (story.deal.payments, story.deal.stage, story.deal.invoices) == before
    assert [entry.status for entry in story.deal.disputes] == [LOST]


@pytest.mark.parametrize(("outcome", "rest"), [(OPEN, 0), (WON, PAID), (LOST, 0)])
def test_disputed_money_cannot_be_given_back_unless_the_dispute_is_won(outcome: DisputeStatus, rest: int) -> None:
    story = a_story(Stage.PAID)
    story.then(dispute(story.deal, OPEN))
    story.then(dispute(story.deal, outcome))

    assert refunds.left(story.deal, "pi_1") == usd(rest)


@pytest.mark.parametrize("ended", [WON, LOST])
def test_a_late_word_does_not_open_a_dispute_that_has_ended(ended: DisputeStatus) -> None:
    story = a_story(Stage.PAID)
    story.then(dispute(story.deal, OPEN))
    assert dispute(story.deal, OPEN) == []
    story.then(dispute(story.deal, ended))

    assert [dispute(story.deal, word) for word in DisputeStatus] == [[], [], []]


def test_a_dispute_of_what_is_left_does_not_count_the_refund_twice() -> None:
    story = agreed()
    story.then(said(story.deal, "succeeded"))
    happened = dispute(story.deal, OPEN, PAID - 40_000)

    assert types(happened) == ["payment.disputed"]
    assert refunds.left(story.then(happened).deal, "pi_1") == usd(0)


def test_refunds_that_a_dispute_leaves_uncovered_fail_the_newest_first() -> None:
    story = asked(40_000)
    story.then(ask(story.deal, 50_000))
    story.then(agree(story.deal, "ref_d-1_2"))

    story.then(dispute(story.deal, OPEN, PAID - 60_000))

    assert [refund.status for refund in story.deal.refunds] == [REQUESTED, FAILED]
    assert story.deal.intents == ()


def test_a_refund_that_may_have_been_made_is_not_given_up_for_a_dispute() -> None:
    story = attempted(agreed(PAID))

    story.then(dispute(story.deal, OPEN))

    assert (status(story), len(story.deal.intents)) == (APPROVED, 1)
    with pytest.raises(Conflict, match="not covered"):
        refunds.require_cover(story.deal, story.deal.refunds[0])


def test_a_dispute_in_another_currency_binds_all_of_the_money() -> None:
    story = a_story(Stage.PAID)
    story.then(refunds.disputed(story.deal, "pi_1", "dp_1", OPEN, Money(1, "EUR"), "fraudulent"))

    assert refunds.left(story.deal, "pi_1") == usd(0)


# -- in any order


@dataclass
class Ledger:
    """A deal on which everything happens that can; the desk's own decisions are watched."""

    story: Story

    def held(self) -> int:
        return sum(r.amount.amount_minor for r in self.story.deal.refunds if r.status in refunds.HOLDS)

    def disputed(self) -> int:
        return sum(d.amount.amount_minor for d in self.story.deal.disputes if d.status is not WON)

    def try_to(self, act: str, number: int, minor: int) -> None:
        """Does it, unless the desk refuses."""
        deal = self.story.deal
        refund_id = f"ref_d-1_{number}"
        try:
            match act:
                case "ask":
                    self.story.then(ask(deal, minor))
                case "approve":
                    self.story.then(agree(deal, refund_id))
                case "reject":
                    self.story.then(refunds.reject(deal, refund_id, OTHER, IN_FINANCE, "no", NOBODY, NOW))
                case "open" | "won" | "lost":
                    self.story.then(dispute(deal, DisputeStatus(act.upper()), minor, f"dp_{number}"))
                case word:
                    refund = refunds.find(deal, refund_id)
                    if refund.approved_by is None:
                        return
                    amount = refund.amount.amount_minor
                    self.story.then(said(deal, word, amount, refund.key, f"re_{number}"))
        except Refusal:
            return


ACTS = ["ask", "approve", "reject", "pending", "succeeded", "failed", "open", "won", "lost"]
steps = st.lists(st.tuples(st.sampled_from(ACTS), st.integers(1, 4), st.integers(1, PAID)), max_size=25)


@given(steps)
def test_the_desk_never_agrees_to_give_back_more_than_settled_less_disputed(
    happens: list[tuple[str, int, int]],
) -> None:
    ledger = Ledger(a_story(Stage.PAID))
    for act, number, minor in happens:
        before = len(ledger.story.events)
        ledger.try_to(act, number, minor)
        if any(isinstance(event, e.RefundRequested | e.RefundApproved) for event in ledger.story.events[before:]):
            assert ledger.held() + ledger.disputed() <= PAID


@given(steps)
def test_no_refund_and_no_dispute_ever_touches_a_payment(happens: list[tuple[str, int, int]]) -> None:
    ledger = Ledger(a_story(Stage.CLOSED))
    before = (ledger.story.deal.payments, ledger.story.deal.stage, ledger.story.deal.invoices)

    for act, number, minor in happens:
        ledger.try_to(act, number, minor)

    assert (ledger.story.deal.payments, ledger.story.deal.stage, ledger.story.deal.invoices) == before
    assert all(payment.status is PaymentStatus.SUCCEEDED for payment in ledger.story.deal.payments)


@given(steps)
def test_everything_that_is_told_again_changes_nothing(happens: list[tuple[str, int, int]]) -> None:
    ledger = Ledger(a_story(Stage.PAID))
    for act, number, minor in happens:
        ledger.try_to(act, number, minor)
        if act in ("pending", "succeeded", "failed", "open", "won", "lost"):
            before = ledger.story.deal
            ledger.try_to(act, number, minor)
            assert (ledger.story.deal.refunds, ledger.story.deal.disputes) == (before.refunds, before.disputes)


@given(steps)
def test_every_refund_that_went_out_was_asked_and_approved_by_two_people(happens: list[tuple[str, int, int]]) -> None:
    ledger = Ledger(a_story(Stage.PAID))
    for act, number, minor in happens:
        ledger.try_to(act, number, minor)

    for refund in ledger.story.deal.refunds:
        if refund.status in (APPROVED, SUBMITTED, SUCCEEDED):
            assert refund.requested_by
            assert refund.approved_by
            assert refund.requested_by != refund.approved_by
    opened = {intent.subject for intent in ledger.story.deal.intents}
    assert opened == {refund.id for refund in ledger.story.deal.refunds if refund.status is APPROVED}


def test_a_payment_that_is_given_back_is_not_asked_for_again() -> None:
    story = agreed(PAID)
    story.then(said(story.deal, "succeeded", PAID))

    assert payments.ask(story.deal, NOW) == []
    assert fold(story.deal, [], NOW) == story.deal
