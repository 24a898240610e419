"""Segregation of duties: who has an interest in a deal decides nothing about it, whatever hat they wear."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from dealdesk.domain import escalation, invoices
from dealdesk.domain.directory import Directory
from dealdesk.domain.entitlement import conflicted, seats
from dealdesk.domain.policy_book import draft, publish
from dealdesk.domain.stages import Stage
from dealdesk.errors import ApproverConflicted, ApproverNotEntitled, Conflict, PublisherIsAuthor
from dealdesk.policies import template_document
from tests.unit.domain.deals import IN_FINANCE, OWNER, Story, a_deal
from tests.unit.domain.people import (
    ANN,
    BOB,
    CAT,
    DAN,
    MONDAY,
    SAM,
    a_directory,
    a_member,
    a_policy,
    acts_for,
)
from tests.unit.domain.quotes import a_quote


def asked(directory: Directory | None = None, editor: str = OWNER, needs: object = "any", **quote: object) -> Story:
    policy = a_policy(needs=needs, backups=["grp-support"])
    story = Story(directory=directory or a_directory(), policy=policy)
    return story.quoted(a_quote(off="25", **quote), editor=editor, at=MONDAY)


@pytest.mark.parametrize("approve", [True, False])
@pytest.mark.parametrize("role", ["creator", "owner", "beneficiary", "later editor"])
def test_9_nobody_with_an_interest_decides_any_step(role: str, approve: bool) -> None:
    match role:
        case "creator":
            story = asked(editor=ANN)
        case "owner":
            story = asked(owner_id=ANN)
        case "beneficiary":
            story = asked(beneficiary_ids=(ANN,))
        case _:
            story = asked().quoted(a_quote(off="26"), editor=ANN, at=MONDAY)

    with pytest.raises(ApproverConflicted):
        story.decided(by=ANN, at=MONDAY, approve=approve, groups=IN_FINANCE)


def test_9_an_editor_of_an_earlier_revision_stays_in_the_conflict_set() -> None:
    story = asked(editor=ANN).quoted(a_quote(off="26"), editor=BOB, at=MONDAY).quoted(a_quote(off="25"), at=MONDAY)

    assert conflicted(story.deal, story.directory) == {OWNER, ANN, BOB}


def test_9_not_as_a_delegate() -> None:
    story = asked(a_directory(delegations=(acts_for(BOB, ANN),)), editor=ANN)

    with pytest.raises(ApproverConflicted):
        story.decided(by=ANN, at=MONDAY)


def test_9_nobody_acts_for_somebody_with_an_interest() -> None:
    story = asked(a_directory(delegations=(acts_for(ANN, SAM, "grp-finance"),)), editor=ANN)

    with pytest.raises(ApproverNotEntitled):
        story.decided(by=SAM, at=MONDAY)


def test_9_not_as_the_target_of_an_escalation() -> None:
    story = asked(editor=SAM)
    assert [event.TYPE for event in story.chased(MONDAY + timedelta(days=7))] == ["approval.escalated"]

    with pytest.raises(ApproverConflicted):
        story.decided(by=SAM, at=MONDAY + timedelta(days=7))


def test_9_not_by_being_named_for_the_step() -> None:
    story = asked(editor=ANN)

    with pytest.raises(ApproverConflicted, match=ANN):
        escalation.escalate(story.deal, "finance", (SAM, ANN), "person-admin", story.directory)


def test_9_a_group_of_three_with_one_member_in_conflict_needs_the_two_others() -> None:
    story = asked(editor=ANN, needs="all")
    assert story.deal.round is not None

    assert seats(story.deal, story.deal.round.steps["finance"], story.directory, MONDAY) == 2
    story.decided(by=BOB, at=MONDAY)
    assert story.deal.stage is Stage.PENDING_APPROVAL
    assert story.decided(by=CAT, at=MONDAY).deal.stage is Stage.APPROVED


def test_9_a_quorum_that_cannot_be_reached_goes_up_the_ladder() -> None:
    story = asked(editor=ANN, needs=3)

    story.decided(by=BOB, at=MONDAY).decided(by=CAT, at=MONDAY)
    assert story.deal.stage is Stage.PENDING_APPROVAL

    assert story.decided(by=SAM, at=MONDAY).deal.stage is Stage.APPROVED


def test_9_an_administrator_reassigns_and_does_not_approve() -> None:
    story = asked()
    story.then(escalation.escalate(story.deal, "finance", (SAM,), "person-admin", story.directory))

    with pytest.raises(ApproverNotEntitled):
        story.decided(by="person-admin", at=MONDAY)


@pytest.mark.parametrize("program", ["service:n8n", "system:desk", "vendor:salesforce"])
def test_9_a_program_never_holds_a_persons_authority(program: str) -> None:
    with pytest.raises(ApproverNotEntitled, match="only people approve"):
        asked().decided(by=program, at=MONDAY, groups=IN_FINANCE)


def test_9_a_service_in_the_directory_is_a_program_also_as_a_delegate() -> None:
    robot = a_member("person-robot", "grp-finance", service=True)
    story = asked(a_directory(robot, delegations=(acts_for(ANN, "person-robot"),)))

    with pytest.raises(ApproverNotEntitled, match="only people approve"):
        story.decided(by="person-robot", at=MONDAY, groups=IN_FINANCE)


# -- by person, not by address, across systems


def test_9_a_person_is_one_person_in_both_crms() -> None:
    directory = a_directory(a_member(ANN, "grp-finance", aliases=("person-sf-005A", "person-hs-77")))
    story = asked(directory, editor="person-sf-005A")

    for name in (ANN, "person-sf-005A", "person-hs-77"):
        with pytest.raises(ApproverConflicted):
            story.decided(by=name, at=MONDAY, groups=IN_FINANCE)


def test_9_one_person_under_two_names_is_not_two_answers() -> None:
    directory = a_directory(a_member(ANN, "grp-finance", aliases=("person-hs-77",)))
    story = asked(directory, needs=2).decided(by=ANN, at=MONDAY)

    story.decided(by="person-hs-77", at=MONDAY)

    assert story.deal.stage is Stage.PENDING_APPROVAL


def test_9_two_people_who_share_an_address_are_two_people() -> None:
    story = asked(editor="person-sf-shared-1")

    assert story.decided(by="person-sf-shared-2", at=MONDAY, groups=IN_FINANCE).deal.stage is Stage.APPROVED


def test_9_an_approver_who_edits_loses_their_grant() -> None:
    story = asked().decided(by=ANN, at=MONDAY)

    story.quoted(a_quote(off="24"), editor=ANN, at=MONDAY)

    assert (story.deal.stage, story.deal.certificate) == (Stage.PENDING_APPROVAL, None)


def test_9_an_approver_cannot_become_a_beneficiary_afterwards() -> None:
    story = asked().decided(by=ANN, at=MONDAY)

    with pytest.raises(Conflict, match=ANN):
        story.quoted(a_quote(off="25", beneficiary_ids=(ANN,)), at=MONDAY)


# -- the same split elsewhere


def test_9_who_wrote_a_policy_does_not_publish_it() -> None:
    version = draft([], "p", template_document("classic"), author=ANN, now=MONDAY)

    with pytest.raises(PublisherIsAuthor):
        publish([version], 1, by=ANN, now=MONDAY)


def test_9_who_staged_an_invoice_does_not_approve_it_under_any_name() -> None:
    directory = a_directory(a_member(ANN, "grp-finance", aliases=("person-hs-77",)))
    deal = a_deal(Stage.PAID)
    assert deal.invoice is not None
    staged = replace(deal, invoices=(replace(deal.invoice, staged_by=ANN),))

    for name in (ANN, "person-hs-77"):
        with pytest.raises(ApproverConflicted, match="staged"):
            invoices.approve(staged, "inv_d-1_1", name, IN_FINANCE, directory, MONDAY)


def test_9_a_manager_in_conflict_is_passed_over() -> None:
    gone = [a_member(person, "grp-finance", active=False, manager_id=DAN) for person in (ANN, BOB, CAT)]
    policy = a_policy()
    story = Story(directory=a_directory(*gone), policy=policy).quoted(a_quote(off="25"), editor=DAN, at=MONDAY)

    happened = story.chased(MONDAY)

    assert [event.TYPE for event in happened] == ["approval.escalated"]  # to an administrator: nobody is left
    with pytest.raises(ApproverConflicted):
        story.decided(by=DAN, at=MONDAY)
