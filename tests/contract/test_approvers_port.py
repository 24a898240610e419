"""What every implementation of the Approvers port must hold; here the one on DynamoDB."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from dealdesk.adapters.dynamo_approvers import DynamoApprovers
from dealdesk.domain.calendar import weekdays
from dealdesk.domain.directory import Delegation, Member
from dealdesk.errors import AlreadyHandled, CauseReused, TooLarge, VersionMoved
from dealdesk.ports import Cause

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
ANN = Member("person-ann", groups=("grp-finance",), aliases=("person-sf-1",), away_from=NOW)
CALENDARS = {"ny": weekdays("America/New_York", time(9), time(17), frozenset({date(2026, 12, 25)}))}
LENT = Delegation(
    "dlg-1", "person-ann", "person-bob", NOW, NOW + timedelta(days=1), "person-ann", NOW, ("grp-finance",)
)


@pytest.fixture
def approvers(table_name: str) -> DynamoApprovers:
    return DynamoApprovers(table_name)


def keep(
    approvers: DynamoApprovers, *members: Member, seen: int = 0, key: str = "k", payload: str | None = None
) -> int:
    cause = Cause("api", key, payload)
    return approvers.keep_members(members, CALENDARS, seen=seen, cause=cause, by="person-admin", now=NOW)


def test_before_anything_is_written_nobody_is_known(approvers: DynamoApprovers) -> None:
    assert (approvers.directory().members, approvers.version()) == ((), 0)


def test_what_was_written_is_read_back_whole(approvers: DynamoApprovers) -> None:
    assert keep(approvers, ANN) == 1
    approvers.keep_delegation(LENT, cause=Cause("api", "lend"), now=NOW)

    found = approvers.directory()

    assert (found.members, found.delegations, dict(found.calendars)) == ((ANN,), (LENT,), CALENDARS)
    assert approvers.version() == 1


def test_another_process_sees_a_change_at_once(approvers: DynamoApprovers, table_name: str) -> None:
    elsewhere = DynamoApprovers(table_name)
    assert elsewhere.directory().members == ()

    keep(approvers, ANN)
    keep(approvers, replace(ANN, active=False), seen=1, key="k2")

    assert [member.active for member in elsewhere.directory().members] == [False]


def test_an_ended_delegation_is_read_with_its_new_end(approvers: DynamoApprovers) -> None:
    approvers.keep_delegation(LENT, cause=Cause("api", "lend"), now=NOW)
    approvers.keep_delegation(replace(LENT, ends_at=NOW), cause=Cause("api", "end"), now=NOW)

    assert [delegation.ends_at for delegation in approvers.directory().delegations] == [NOW]


def test_a_directory_that_moved_is_not_overwritten(approvers: DynamoApprovers) -> None:
    keep(approvers, ANN)

    with pytest.raises(VersionMoved):
        keep(approvers, seen=0, key="late")

    assert approvers.directory().members == (ANN,)


def test_a_cause_has_one_effect_and_is_refused_for_another_payload(approvers: DynamoApprovers) -> None:
    keep(approvers, ANN, key="once", payload="a")

    with pytest.raises(AlreadyHandled):
        keep(approvers, key="once", payload="a", seen=1)
    with pytest.raises(AlreadyHandled):
        approvers.directory(Cause("api", "once", "a"))
    with pytest.raises(CauseReused):
        approvers.directory(Cause("api", "once", "b"))
    assert approvers.version() == 1


def test_of_many_writers_on_one_version_one_wins(approvers: DynamoApprovers) -> None:
    def write(number: int) -> bool:
        try:
            return keep(approvers, replace(ANN, person_id=f"person-{number}"), key=f"k{number}") == 1
        except VersionMoved:
            return False

    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(write, range(32)))

    assert won.count(True) == 1
    assert [member.person_id for member in approvers.directory().members] == [f"person-{won.index(True)}"]


def test_more_people_than_one_item_holds_are_refused_before_anything_is_written(approvers: DynamoApprovers) -> None:
    crowd = [replace(ANN, person_id=f"person-{number}-{'x' * 200}") for number in range(2_000)]

    with pytest.raises(TooLarge):
        keep(approvers, *crowd)

    assert approvers.version() == 0
