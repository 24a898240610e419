"""Who may decide what, when, on which terms; and when a quote can be taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dealdesk.domain import approvals, signature
from dealdesk.domain import events as e
from dealdesk.domain.deal import Deal
from dealdesk.domain.directory import NOBODY
from dealdesk.domain.fold import fold
from dealdesk.domain.stages import Effect, Stage
from dealdesk.domain.submission import OPEN_TO_CHANGE, judge
from dealdesk.errors import ApproverConflicted, ApproverNotEntitled, Forbidden, TermsChanged, WrongStage
from tests.unit.domain.deals import (
    CLASSIC,
    EXECUTIVE,
    FINANCE,
    IN_EXECUTIVE,
    IN_FINANCE,
    NOW,
    OWNER,
    Story,
    a_deal,
    a_story,
    decided,
)
from tests.unit.domain.quotes import a_quote

ASKED = Stage.PENDING_APPROVAL
RECALLABLE = (Stage.EVALUATED, Stage.PENDING_APPROVAL, Stage.APPROVED)


def types(happened: list[e.Event]) -> list[str]:
    return [event.TYPE for event in happened]


def granted_by_all() -> Story:
    story = a_story(ASKED)
    story.then(decided(story.deal))
    return story.then(decided(story.deal, "executive", by=EXECUTIVE, groups=IN_EXECUTIVE))


def test_the_last_grant_approves_the_deal_and_asks_for_the_signature() -> None:
    story = a_story(ASKED)

    first = decided(story.deal)
    last = decided(story.then(first).deal, "executive", by=EXECUTIVE, groups=IN_EXECUTIVE)

    assert types(first) == ["deal.touched", "approval.granted"]
    assert types(last) == ["approval.granted", "deal.approved", "document.requested"]


def test_the_certificate_names_who_granted_what() -> None:
    certificate = granted_by_all().deal.certificate

    assert certificate is not None
    assert [(grant.step, grant.by) for grant in certificate.grants] == [("finance", FINANCE), ("executive", EXECUTIVE)]


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not ASKED])
def test_only_a_deal_that_asks_for_approval_can_be_approved(stage: Stage) -> None:
    with pytest.raises(WrongStage):
        decided(a_deal(stage))


def test_a_later_step_is_not_decided_before_an_earlier_one() -> None:
    with pytest.raises(WrongStage, match="open steps: finance"):
        decided(a_deal(ASKED), "executive", by=EXECUTIVE, groups=IN_EXECUTIVE)


def test_a_step_that_the_route_does_not_have_cannot_be_decided() -> None:
    with pytest.raises(WrongStage, match="it asks for finance, executive"):
        decided(a_deal(ASKED), "legal")


@pytest.mark.parametrize("approve", [True, False])
@pytest.mark.parametrize("groups", [frozenset(), IN_EXECUTIVE, frozenset({"finance"})])
def test_nobody_outside_the_group_of_a_step_decides_it(groups: frozenset[str], approve: bool) -> None:
    with pytest.raises(ApproverNotEntitled):
        decided(a_deal(ASKED), groups=groups, approve=approve)


@pytest.mark.parametrize("approve", [True, False])
def test_the_owner_does_not_decide_on_their_own_deal_whatever_their_groups(approve: bool) -> None:
    with pytest.raises(ApproverConflicted):
        decided(a_deal(ASKED), by=OWNER, approve=approve)


def test_whoever_edited_any_revision_does_not_decide_on_a_later_one() -> None:
    story = a_story(Stage.DRAFT).quoted(a_quote(off="25"), editor=FINANCE)
    story.quoted(a_quote(off="25", payment_terms_days=40), editor=OWNER)

    with pytest.raises(ApproverConflicted):
        decided(story.deal)


def test_a_former_owner_does_not_decide_either() -> None:
    story = a_story(Stage.DRAFT).quoted(a_quote(off="25", owner_id=FINANCE), editor="person-desk")
    story.quoted(a_quote(off="25", payment_terms_days=40), editor="person-desk")

    with pytest.raises(ApproverConflicted):
        decided(story.deal)


@pytest.mark.parametrize("approve", [True, False])
def test_a_click_on_terms_that_changed_is_refused(approve: bool) -> None:
    story = a_story(ASKED)
    seen = story.deal.fingerprint
    story.quoted(a_quote(off="25", payment_terms_days=41))

    with pytest.raises(TermsChanged):
        decided(story.deal, fingerprint=seen, approve=approve)


def test_the_same_answer_twice_changes_nothing_also_after_the_deal_was_approved() -> None:
    story = a_story(ASKED)
    story.then(decided(story.deal))

    assert decided(story.deal) == []
    assert decided(granted_by_all().deal) == []


def test_a_second_approver_cannot_grant_a_granted_step() -> None:
    story = a_story(ASKED)
    story.then(decided(story.deal))

    with pytest.raises(WrongStage):
        decided(story.deal, by="person-fin-2")


def test_a_rejection_ends_the_round_for_everybody() -> None:
    deal = a_deal(Stage.REJECTED)

    assert deal.stage is Stage.REJECTED
    assert deal.round is not None
    assert deal.round.open_steps == ()
    for approve in (True, False):
        with pytest.raises(WrongStage):
            decided(deal, approve=approve)


def test_a_rejected_quote_that_comes_again_opens_a_new_round() -> None:
    story = a_story(Stage.REJECTED)
    story.quoted(a_quote(off="25", payment_terms_days=40))

    assert story.deal.stage is ASKED
    assert story.deal.round is not None
    assert (story.deal.round.number, story.deal.round.grants) == (2, ())


def test_only_the_first_human_decision_is_the_touch() -> None:
    story = a_story(ASKED)
    story.then(decided(story.deal))
    later = decided(story.deal, "executive", by=EXECUTIVE, groups=IN_EXECUTIVE)

    assert "deal.touched" not in types(later)


# -- edits


@pytest.mark.parametrize("stage", Stage)
def test_terms_change_until_the_customer_has_signed_and_then_no_more(stage: Stage) -> None:
    deal, better = a_deal(stage), a_quote(payment_terms_days=20)

    if stage in OPEN_TO_CHANGE:
        assert "deal.evaluated" in types(judge(deal, better, CLASSIC, {}, OWNER, NOBODY, NOW))
    else:
        with pytest.raises(WrongStage, match="can only be amended"):
            judge(deal, better, CLASSIC, {}, OWNER, NOBODY, NOW)


@pytest.mark.parametrize("stage", sorted(OPEN_TO_CHANGE - {Stage.DRAFT}))
def test_no_certificate_outlives_the_terms_it_was_given_for(stage: Stage) -> None:
    story = a_story(stage)
    before = story.deal.certificate

    story.quoted(a_quote(off="26", payment_terms_days=44))

    assert story.deal.certificate is None or story.deal.certificate != before
    assert story.deal.stage is ASKED


@pytest.mark.parametrize("stage", [Stage.EVALUATED, ASKED, Stage.APPROVED, Stage.OUT_FOR_SIGNATURE])
def test_the_same_terms_again_change_nothing(stage: Stage) -> None:
    deal = a_deal(stage)
    assert deal.quote is not None

    assert judge(deal, deal.quote, CLASSIC, {}, OWNER, NOBODY, NOW) == []


# -- recall


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.RECALLED])
def test_a_quote_is_recalled_until_its_contract_goes_out(stage: Stage) -> None:
    deal = a_deal(stage)
    owner = deal.owner_id or OWNER
    recallable = stage in RECALLABLE

    if recallable:
        after = fold(deal, approvals.recall(deal, owner, may_recall_any=False), NOW)
        assert (after.stage, after.certificate) == (Stage.RECALLED, None)
    else:
        with pytest.raises(WrongStage):
            approvals.recall(deal, owner, may_recall_any=True)


def test_a_recalled_quote_is_recalled() -> None:
    assert approvals.recall(a_deal(Stage.RECALLED), OWNER, may_recall_any=False) == []


def test_only_the_owner_recalls_unless_the_role_may_recall_any() -> None:
    with pytest.raises(Forbidden):
        approvals.recall(a_deal(ASKED), "person-2", may_recall_any=False)
    assert types(approvals.recall(a_deal(ASKED), "person-2", may_recall_any=True)) == ["deal.recalled"]


def test_a_quote_whose_contract_is_being_sent_cannot_be_recalled() -> None:
    story = a_story(Stage.APPROVED)
    story.then([e.IntentAttempted(story.deal.intents[0].key, 1, NOW)])

    with pytest.raises(WrongStage):
        approvals.recall(story.deal, OWNER, may_recall_any=False)


def overtaken_while_sending() -> Story:
    """The terms changed while the contract of the old ones was on its way: it has to be withdrawn."""
    story = a_story(Stage.APPROVED)
    key = story.deal.intents[0].key
    story.then([e.IntentAttempted(key, 1, NOW)]).quoted(a_quote(payment_terms_days=40))
    return story.then(signature.sent(story.deal, key, "env-old", NOW))


@pytest.mark.parametrize("end", [e.DealRecalled(OWNER), e.ApprovalExpired(NOW)], ids=["recalled", "expired"])
def test_an_overtaken_contract_is_withdrawn_even_if_the_deal_ends_first(end: e.Event) -> None:
    story = overtaken_while_sending().then([end])

    assert [(intent.effect, intent.subject) for intent in story.deal.intents] == [(Effect.VOID_ENVELOPE, "env-old")]


def test_after_a_recall_nothing_can_be_decided() -> None:
    story = a_story(ASKED)
    story.then(approvals.recall(story.deal, OWNER, may_recall_any=False))

    with pytest.raises(WrongStage):
        decided(story.deal)


def test_a_duplicated_approved_quote_needs_its_own_approval() -> None:
    approved = granted_by_all().deal
    assert approved.quote is not None

    copy = a_story(Stage.DRAFT, "d-2").quoted(replace(approved.quote, name="Copy")).deal

    assert copy.fingerprint == approved.fingerprint
    assert (copy.stage, copy.certificate) == (ASKED, None)


def test_parallel_steps_are_open_together_and_sequential_ones_one_by_one() -> None:
    deal = a_deal(ASKED)
    assert deal.round is not None
    steps = tuple(step for stage in deal.round.stages for step in stage.steps)

    def open_in(mode: str) -> tuple[str, ...]:
        assert deal.round is not None
        return replace(deal.round, stages=(e.StageAsked(mode, steps),)).open_steps

    assert open_in("parallel") == ("finance", "executive")
    assert open_in("sequential") == ("finance",)


def test_a_deal_without_a_quote_has_nothing_to_decide() -> None:
    with pytest.raises(WrongStage):
        decided(Deal(a_deal(Stage.DRAFT).id), groups=IN_FINANCE)
