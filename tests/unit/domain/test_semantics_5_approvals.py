"""The approval machinery as the semantics state it: requirements, rounds, delegation, escalation, expiry."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from dealdesk.domain import approvals, escalation
from dealdesk.domain import events as e
from dealdesk.domain.directory import Directory
from dealdesk.domain.entitlement import asked_rungs, can_be_answered, who_can
from dealdesk.domain.fold import fold
from dealdesk.domain.policy import parse_policy
from dealdesk.domain.stages import Stage
from dealdesk.errors import ApproverConflicted, ApproverNotEntitled, TermsChanged, WrongStage
from tests.unit.domain.deals import OWNER, Story
from tests.unit.domain.people import (
    ANN,
    BOB,
    CAT,
    DAN,
    EVE,
    MONDAY,
    PAT,
    SAM,
    a_directory,
    a_member,
    a_policy,
    acts_for,
)
from tests.unit.domain.quotes import a_document, a_quote, a_rule

HOURS_8 = timedelta(hours=8)


def asked(directory: Directory | None = None, off: str = "25", **finance: Any) -> Story:
    """A quote at 25% that finance is asked about on Monday morning in New York."""
    story = Story(directory=directory or a_directory(), policy=a_policy(**finance))
    return story.quoted(a_quote(off=off), at=MONDAY)


def kinds(happened: list[e.Event]) -> list[str]:
    return [event.TYPE for event in happened]


# -- requirements


def test_5_requirements_are_the_union_over_all_violated_rules() -> None:
    policy = parse_policy(a_document(a_rule("A"), a_rule("B", action={"approve": "executive"})))
    story = Story(directory=a_directory(), policy=policy).quoted(a_quote(off="25"))

    assert story.deal.decision is not None
    assert story.deal.decision.required_steps == ("finance", "executive")


def test_5_an_executive_answers_for_finance_only_if_the_policy_says_so() -> None:
    rules = (a_rule("A"), a_rule("B", action={"approve": "executive"}))
    document = a_document(*rules)
    document["approvals"]["steps"]["executive"]["covers"] = ["finance"]
    story = Story(directory=a_directory(), policy=parse_policy(document)).quoted(a_quote(off="25"), at=MONDAY)

    story.decided("executive", EVE, MONDAY)

    assert story.deal.stage is Stage.APPROVED
    assert story.deal.certificate is not None
    limits = story.deal.certificate.grants[0].limits
    assert {limit.rule for limit in limits} == {"A", "B"}


# -- several answers to one step


def test_5_any_of_the_group_is_enough_unless_the_step_says_otherwise() -> None:
    assert asked().decided(by=BOB, at=MONDAY).deal.stage is Stage.APPROVED


def test_5_two_of_three_are_two_different_people() -> None:
    story = asked(needs=2)

    story.decided(by=ANN, at=MONDAY)
    assert story.deal.stage is Stage.PENDING_APPROVAL
    assert (
        approvals.decide(
            story.deal,
            approvals.Answer("finance", True, story.deal.fingerprint or "", ANN, frozenset()),
            story.directory,
            MONDAY,
        )
        == []
    )

    assert story.decided(by=CAT, at=MONDAY).deal.stage is Stage.APPROVED


def test_5_all_of_the_group_are_all_who_can_answer() -> None:
    story = asked(a_directory(a_member(CAT, "grp-finance", active=False)), needs="all")

    story.decided(by=ANN, at=MONDAY)
    assert story.deal.stage is Stage.PENDING_APPROVAL

    assert story.decided(by=BOB, at=MONDAY).deal.stage is Stage.APPROVED


def test_5_a_grant_that_falls_away_reopens_a_step_that_needed_it() -> None:
    story = asked(needs=2).decided(by=ANN, at=MONDAY).decided(by=BOB, at=MONDAY)

    story.quoted(a_quote(off="24"), editor=ANN, at=MONDAY)

    assert story.deal.stage is Stage.PENDING_APPROVAL
    assert story.deal.round is not None
    assert [grant.by for grant in story.deal.round.grants] == [BOB]
    assert story.decided(by=CAT, at=MONDAY).deal.stage is Stage.APPROVED


# -- rounds


def test_5_a_decision_compares_round_step_and_fingerprint() -> None:
    story = asked()
    story.then(approvals.recall(story.deal, OWNER, may_recall_any=False)).quoted(a_quote(off="25"), at=MONDAY)

    with pytest.raises(TermsChanged, match="terms of deal d-1 changed since you looked"):
        story.decided(by=ANN, at=MONDAY, round=1)
    with pytest.raises(TermsChanged):
        story.decided(by=ANN, at=MONDAY, fingerprint="0" * 64)
    with pytest.raises(WrongStage):
        story.decided("executive", EVE, MONDAY)
    assert story.decided(by=ANN, at=MONDAY, round=2).deal.stage is Stage.APPROVED


def test_5_there_is_one_live_round_a_revision() -> None:
    story = asked()
    first = story.deal.round
    story.quoted(a_quote(off="26"), at=MONDAY)

    assert first is not None
    assert story.deal.round is not None
    assert (first.number, story.deal.round.number) == (1, 2)
    assert story.deal.revision == 2


def test_5_one_rejection_ends_the_round_and_cancels_the_siblings() -> None:
    story = asked(needs=2).decided(by=ANN, at=MONDAY).decided(by=BOB, at=MONDAY, approve=False)

    assert story.deal.stage is Stage.REJECTED
    assert story.deal.round is not None
    assert story.deal.round.open_steps == ()
    assert [grant.by for grant in story.deal.round.grants] == [ANN]  # kept as history


def test_5_a_recall_is_possible_until_the_first_effect_and_voids_the_certificate() -> None:
    story = asked().decided(by=ANN, at=MONDAY)
    assert story.deal.certificate is not None

    after = fold(story.deal, approvals.recall(story.deal, OWNER, may_recall_any=False), MONDAY)

    assert (after.stage, after.certificate) == (Stage.RECALLED, None)


def both_asked() -> Story:
    policy = parse_policy(a_document(a_rule("A"), a_rule("B", action={"approve": "executive"})))
    return Story(directory=a_directory(), policy=policy).quoted(a_quote(off="25"), at=MONDAY)


def test_5_a_recalled_quote_that_comes_back_no_worse_remembers_who_said_yes() -> None:
    story = both_asked().decided(by=ANN, at=MONDAY)
    story.then(approvals.recall(story.deal, OWNER, may_recall_any=False))

    story.quoted(a_quote(off="24"), at=MONDAY + timedelta(days=1))

    assert story.deal.round is not None
    assert (story.deal.stage, story.deal.round.open_steps) == (Stage.PENDING_APPROVAL, ("executive",))


def test_5_a_recalled_quote_that_comes_back_worse_asks_everybody_again() -> None:
    story = both_asked().decided(by=ANN, at=MONDAY)
    story.then(approvals.recall(story.deal, OWNER, may_recall_any=False))

    story.quoted(a_quote(off="26"), at=MONDAY)

    assert story.deal.round is not None
    assert story.deal.round.open_steps == ("finance",)


def test_5_a_rejected_quote_asks_the_step_that_said_no_again_and_keeps_the_other() -> None:
    story = both_asked().decided(by=ANN, at=MONDAY).decided("executive", EVE, MONDAY, approve=False)

    story.quoted(a_quote(off="25"), at=MONDAY)

    assert story.deal.round is not None
    assert story.deal.round.open_steps == ("executive",)


def test_5_what_was_granted_too_long_ago_is_not_remembered() -> None:
    story = both_asked().decided(by=ANN, at=MONDAY)
    story.then(approvals.recall(story.deal, OWNER, may_recall_any=False))

    story.quoted(a_quote(off="25"), at=MONDAY + timedelta(days=14))

    assert story.deal.round is not None
    assert story.deal.round.open_steps == ("finance",)


# -- delegation


def test_5_a_delegate_acts_for_somebody_and_both_are_recorded() -> None:
    story = asked(a_directory(delegations=(acts_for(ANN, SAM),)))

    story.decided(by=SAM, at=MONDAY)

    assert story.deal.certificate is not None
    grant = story.deal.certificate.grants[0]
    assert (grant.by, grant.acting_for) == (SAM, (ANN,))


def test_5_nobody_acts_for_anybody_outside_the_window() -> None:
    directory = a_directory(delegations=(acts_for(ANN, SAM, begins=MONDAY, days=1),))

    for moment in (MONDAY - timedelta(seconds=1), MONDAY + timedelta(days=1)):
        with pytest.raises(ApproverNotEntitled):
            asked(directory).decided(by=SAM, at=moment)
    assert asked(directory).decided(by=SAM, at=MONDAY).deal.stage is Stage.APPROVED


def test_5_a_delegation_holds_for_its_groups_only() -> None:
    with pytest.raises(ApproverNotEntitled):
        asked(a_directory(delegations=(acts_for(ANN, SAM, "grp-legal"),))).decided(by=SAM, at=MONDAY)
    assert asked(a_directory(delegations=(acts_for(ANN, SAM, "grp-finance"),))).decided(by=SAM, at=MONDAY).deal.stage


def test_5_a_delegation_gives_no_more_than_its_giver_has() -> None:
    with pytest.raises(ApproverNotEntitled):
        asked(a_directory(delegations=(acts_for(EVE, SAM, "grp-finance"),))).decided(by=SAM, at=MONDAY)


@pytest.mark.parametrize("hops", [1, 2, 3, 4])
def test_5_a_chain_of_delegates_has_at_most_three_hops(hops: int) -> None:
    people = [ANN, *(f"delegate-{number}" for number in range(1, hops + 1))]
    links = tuple(acts_for(giver, taker) for giver, taker in pairwise(people))
    story = asked(a_directory(delegations=links))

    if hops <= 3:
        assert story.decided(by=people[-1], at=MONDAY).deal.certificate is not None
    else:
        with pytest.raises(ApproverNotEntitled):
            story.decided(by=people[-1], at=MONDAY)


def test_5_a_loop_of_delegations_ends() -> None:
    loop = (acts_for(SAM, PAT), acts_for(PAT, SAM))

    with pytest.raises(ApproverNotEntitled):
        asked(a_directory(delegations=loop)).decided(by=SAM, at=MONDAY)
    assert list(a_directory(delegations=loop).acting_for(SAM, "grp-finance", MONDAY)) == [(PAT,)]


def test_5_a_delegation_that_was_made_after_the_assignment_applies_too() -> None:
    story = asked()
    story.directory = a_directory(delegations=(acts_for(ANN, SAM, made=MONDAY + HOURS_8),))

    assert story.decided(by=SAM, at=MONDAY + HOURS_8).deal.stage is Stage.APPROVED


def test_5_delegating_to_the_requester_is_skipped_and_the_group_still_decides() -> None:
    story = asked(a_directory(delegations=(acts_for(ANN, OWNER),)))

    with pytest.raises(ApproverConflicted):
        story.decided(by=OWNER, at=MONDAY)
    assert story.decided(by=BOB, at=MONDAY).deal.stage is Stage.APPROVED


# -- the ladder


def without_finance(*further: Any) -> Directory:
    gone = {"active": False, "manager_id": DAN}
    return a_directory(*(a_member(person, "grp-finance", **gone) for person in (ANN, BOB, CAT)), *further)


def reach(story: Story, at: datetime = MONDAY) -> tuple[str, ...]:
    assert story.deal.round is not None
    rungs = asked_rungs(story.deal, story.deal.round.steps["finance"], story.directory, at)
    return who_can(story.deal, rungs, story.directory, at)


def test_5_an_absent_approver_is_stood_in_for_by_their_delegate() -> None:
    away = [a_member(person, "grp-finance", away_from=MONDAY - HOURS_8) for person in (ANN, BOB, CAT)]
    story = asked(a_directory(*away, delegations=(acts_for(BOB, SAM),)))

    assert reach(story) == (BOB,)
    assert story.decided(by=SAM, at=MONDAY).deal.stage is Stage.APPROVED


def test_5_then_the_backup_then_the_managers_then_the_duty_pool_is_asked() -> None:
    backups = ["grp-support", "grp-duty"]

    assert reach(asked(without_finance(), backups=backups)) == (SAM,)
    no_backup = a_member(SAM, "grp-support", active=False)
    assert reach(asked(without_finance(no_backup), backups=backups)) == (DAN,)
    no_manager = a_member(DAN, away_from=MONDAY - HOURS_8)
    assert reach(asked(without_finance(no_backup, no_manager), backups=backups)) == (PAT,)


def test_5_in_the_end_an_administrator_is_told_once() -> None:
    story = asked(without_finance(a_member(DAN, active=False)))

    happened = story.chased(MONDAY)

    assert [
        (type(event), event.group, event.people, event.reason)
        for event in happened
        if isinstance(event, e.ApprovalEscalated)
    ] == [(e.ApprovalEscalated, None, (), escalation.NOBODY_LEFT)]
    assert story.chased(MONDAY + HOURS_8) == []


def test_5_a_manager_decides_for_a_group_that_cannot() -> None:
    assert asked(without_finance()).decided(by=DAN, at=MONDAY).deal.stage is Stage.APPROVED


def test_5_a_manager_does_not_decide_while_the_group_can() -> None:
    with pytest.raises(ApproverNotEntitled):
        asked().decided(by=DAN, at=MONDAY)


def test_5_managers_in_a_circle_are_each_asked_once() -> None:
    circle = a_directory(
        *(a_member(person, "grp-finance", active=False, manager_id=DAN) for person in (ANN, BOB, CAT)),
        a_member(DAN, manager_id=SAM),
        a_member(SAM, "grp-support", manager_id=DAN),
    )

    assert reach(asked(circle)) == (DAN, SAM)


# -- escalation


def test_5_half_of_the_business_time_reminds_and_all_of_it_escalates() -> None:
    story = asked(sla_hours=16, backups=["grp-support"])

    assert story.chased(MONDAY + HOURS_8 - timedelta(seconds=1)) == []
    assert story.chased(MONDAY + HOURS_8) == [e.ApprovalReminded(1, "finance", (ANN, BOB, CAT))]
    assert story.chased(MONDAY + timedelta(hours=20)) == []  # the night does not count
    tuesday_evening = MONDAY + timedelta(days=1) + HOURS_8
    assert story.chased(tuesday_evening - timedelta(seconds=1)) == []
    assert kinds(story.chased(tuesday_evening)) == ["approval.escalated"]
    assert story.chased(tuesday_evening) == []


def test_5_escalation_adds_people_and_takes_nobody_away() -> None:
    late = MONDAY + timedelta(days=1)

    for person in (SAM, ANN):
        story = asked(sla_hours=8, backups=["grp-support"])
        with pytest.raises(ApproverNotEntitled):
            story.decided(by=SAM, at=MONDAY)
        story.chased(late)
        assert story.decided(by=person, at=late).deal.stage is Stage.APPROVED


def test_5_silence_never_approves() -> None:
    story = asked(sla_hours=1, backups=["grp-support", "grp-duty"])

    for day in range(13):
        story.chased(MONDAY + timedelta(days=day))

    assert story.deal.stage is Stage.PENDING_APPROVAL
    assert story.deal.round is not None
    assert story.deal.round.grants == ()


def test_5_the_clock_of_a_later_step_starts_when_the_one_before_is_granted() -> None:
    story = both_asked()
    story.decided(by=ANN, at=MONDAY + timedelta(days=2))

    assert story.deal.round is not None
    assert story.deal.round.opened_at("finance") == MONDAY
    assert story.deal.round.opened_at("executive") == MONDAY + timedelta(days=2)


def test_5_an_administrator_reassigns_but_names_nobody_with_an_interest() -> None:
    story = asked()

    with pytest.raises(ApproverConflicted):
        escalation.escalate(story.deal, "finance", (OWNER,), "person-admin", story.directory)
    story.then(escalation.escalate(story.deal, "finance", (SAM,), "person-admin", story.directory))

    with pytest.raises(ApproverNotEntitled):
        story.decided(by="person-admin", at=MONDAY)
    assert story.decided(by=SAM, at=MONDAY).deal.stage is Stage.APPROVED


# -- expiry


def test_5_a_round_ends_after_fourteen_days() -> None:
    story = asked(backups=["grp-support"])
    story.chased(MONDAY + timedelta(days=13))

    assert kinds(story.chased(MONDAY + timedelta(days=14))) == ["approval.expired"]
    assert story.deal.stage is Stage.EXPIRED
    with pytest.raises(WrongStage):
        story.decided(by=ANN, at=MONDAY + timedelta(days=14))


def test_5_or_with_the_validity_of_the_quote_whichever_is_first() -> None:
    story = Story(directory=a_directory(), policy=a_policy())
    story.quoted(a_quote(off="25", valid_until=date(2026, 11, 25)), at=MONDAY)

    assert "approval.expired" not in kinds(story.chased(datetime(2026, 11, 25, 23, 59, tzinfo=UTC)))
    assert kinds(story.chased(datetime(2026, 11, 26, tzinfo=UTC))) == ["approval.expired"]


def test_5_losing_authority_voids_no_past_grant_but_blocks_new_ones() -> None:
    story = both_asked().decided(by=ANN, at=MONDAY)
    story.directory = a_directory(a_member(ANN, "grp-finance", active=False))

    story.decided("executive", EVE, MONDAY)
    assert story.deal.stage is Stage.APPROVED

    other = asked(story.directory)
    with pytest.raises(ApproverNotEntitled, match="no longer active"):
        other.decided(by=ANN, at=MONDAY)


def test_5_a_group_that_the_directory_does_not_know_is_never_stranded() -> None:
    story = asked(Directory())
    assert story.deal.round is not None

    assert can_be_answered(story.deal, story.deal.round.steps["finance"], Directory(), MONDAY)
    assert story.decided(by=ANN, at=MONDAY, groups=frozenset({"grp-finance"})).deal.stage is Stage.APPROVED
