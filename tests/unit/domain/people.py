"""A small company: who is in which group, who leads whom, and which policy asks them."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

from dealdesk.domain.calendar import weekdays
from dealdesk.domain.directory import Delegation, Directory, Member
from dealdesk.domain.policy import Policy, parse_policy
from tests.unit.domain.quotes import a_document

MONDAY = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)  # 9:00 in New York
NEW_YORK = weekdays("America/New_York", time(9), time(17))
ANN, BOB, CAT = "person-ann", "person-bob", "person-cat"  # finance
EVE, DAN, PAT, SAM = "person-eve", "person-dan", "person-pat", "person-sam"  # executive, their boss, duty pool, support


def a_member(person_id: str, *groups: str, **fields: Any) -> Member:
    return Member(person_id, groups=groups, **({"calendar": "ny"} | fields))


def a_directory(*changed: Member, delegations: tuple[Delegation, ...] = ()) -> Directory:
    """Everybody, with `changed` members in place of those of the same id."""
    members = {
        member.person_id: member
        for member in (
            a_member(ANN, "grp-finance", manager_id=DAN),
            a_member(BOB, "grp-finance", manager_id=DAN),
            a_member(CAT, "grp-finance", manager_id=DAN),
            a_member(EVE, "grp-executive"),
            a_member(DAN),
            a_member(PAT, "grp-duty"),
            a_member(SAM, "grp-support"),
            *changed,
        )
    }
    return Directory(tuple(members.values()), delegations, {"ny": NEW_YORK})


def acts_for(
    giver: str, taker: str, *groups: str, begins: datetime = MONDAY, days: float = 7, made: datetime = MONDAY
) -> Delegation:
    ends = begins + timedelta(days=days)
    return Delegation(f"dlg-{giver}-{taker}", giver, taker, begins, ends, giver, made, groups)


def a_policy(**finance: Any) -> Policy:
    """Finance above 20%, with changes to its step: `needs`, `backups`, `sla_hours`."""
    document = a_document()
    document["approvals"]["steps"]["finance"] |= finance
    return parse_policy(document)
