"""The directory, delegations and escalation over REST: who may write them, and that decisions follow them at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from tests.functions.messages import happened, rows
from tests.functions.quotes import a_soft_breach
from tests.functions.test_rest import EXE, FIN, REP, approval, created, is_problem, key, seen
from tests.journeys.world import World
from tests.table import TABLE
from tests.unit.domain.deals import EXECUTIVE, FINANCE

Json = dict[str, Any]
ADMIN: Json = {"user": "person-admin", "role": "admin"}
SAM: Json = {"user": "person-sam", "role": "deal_desk"}


@pytest.fixture(autouse=True)
def nobody_known(desk: World) -> Iterator[None]:
    """Each test begins without a directory: who stands in it holds for every deal of the table."""
    yield
    table = boto3.client("dynamodb")
    for item in table.scan(TableName=TABLE, ConsistentRead=True)["Items"]:
        if item["pk"]["S"] == "APPROVERS":
            table.delete_item(TableName=TABLE, Key={"pk": item["pk"], "sk": item["sk"]})


def a_person(person_id: str, *groups: str, **fields: Any) -> Json:
    return {"person_id": person_id, "groups": list(groups), **fields}


def put(desk: World, *members: Json, version: int = 0, **fields: Any) -> tuple[int, Any]:
    body = {"members": list(members), **fields}
    return desk.rest("PUT", "/directory", body, headers=seen(version), **ADMIN)


def window(days: float = 1) -> Json:
    now = datetime.now(UTC)
    return {"begins_at": (now - timedelta(hours=1)).isoformat(), "ends_at": (now + timedelta(days=days)).isoformat()}


def decide(desk: World, deal: Json, step: str, who: Json, **fields: Any) -> tuple[int, Any]:
    return desk.rest("POST", f"/deals/{deal['deal_id']}/approvals", approval(deal, step, **fields), **who)


# -- the directory


def test_a_directory_that_is_put_is_read_back_with_its_version(desk: World) -> None:
    calendar = {"zone": "America/New_York", "hours": {"mon": [["09:00", "17:00"]]}, "days": {"2026-12-25": []}}
    member = a_person(FINANCE, "grp-finance", aliases=["person-sf-1"], calendar="ny")

    status, document = put(desk, member, calendars={"ny": calendar})

    assert (status, document["version"]) == (200, 1)
    assert desk.rest("GET", "/directory", **ADMIN) == (200, document)
    assert document["members"][0]["aliases"] == ["person-sf-1"]
    assert document["calendars"]["ny"]["days"] == {"2026-12-25": []}


def test_a_directory_is_replaced_only_on_the_version_that_was_seen(desk: World) -> None:
    put(desk, a_person(FINANCE, "grp-finance"))
    before = rows()

    is_problem(put(desk, version=0), 409, "version 1, not 0")
    is_problem(desk.rest("PUT", "/directory", {"members": []}, **ADMIN), 428)

    assert rows() == before


@pytest.mark.parametrize("role", ["rep", "finance", "executive", "deal_desk", "revops", "auditor", "service"])
def test_only_an_administrator_writes_the_directory(desk: World, role: str) -> None:
    answer = desk.rest("PUT", "/directory", {"members": []}, user="person-x", role=role, headers=seen(0))

    is_problem(answer, 403)


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ([a_person("a", aliases=["x"]), a_person("b", aliases=["x"])], "/members/1/aliases"),
        ([a_person("a"), a_person("a")], "/members/1/aliases"),
        ([a_person("a", calendar="mars")], "/members/0/calendar"),
        ([a_person("a", manager_id="nobody")], "/members/0/manager_id"),
    ],
)
def test_a_directory_that_contradicts_itself_is_refused_with_the_place(
    desk: World, members: list[Json], pointer: str
) -> None:
    status, problem = put(desk, *members)

    assert (status, problem["errors"][0]["pointer"]) == (422, pointer)


def test_a_time_zone_that_is_none_is_refused(desk: World) -> None:
    is_problem(put(desk, calendars={"x": {"zone": "Mars/Base", "hours": {}}}), 422, "Mars/Base")


def test_who_left_decides_nothing_from_then_on(desk: World) -> None:
    deal = created(desk, a_soft_breach())
    put(desk, a_person(FINANCE, "grp-finance", active=False), a_person("person-fin-2", "grp-finance"))

    is_problem(decide(desk, deal, "finance", FIN), 403, "no longer active")


def test_a_person_of_the_directory_decides_in_groups_that_no_role_gives(desk: World) -> None:
    deal = created(desk, a_soft_breach())
    is_problem(decide(desk, deal, "finance", SAM), 403, "grp-finance")

    put(desk, a_person("person-sam", "grp-finance"))

    assert decide(desk, deal, "finance", SAM)[0] == 200


def test_one_person_in_both_crms_does_not_approve_their_own_deal(desk: World) -> None:
    put(desk, a_person(FINANCE, "grp-finance", aliases=["person-sf-005"]))
    deal = created(desk, a_soft_breach(owner_id="person-sf-005"))

    is_problem(decide(desk, deal, "finance", FIN), 403, "cannot approve it")


def test_who_earns_by_a_deal_does_not_approve_it(desk: World) -> None:
    deal = created(desk, a_soft_breach(beneficiary_ids=[FINANCE]))

    is_problem(decide(desk, deal, "finance", FIN), 403, "earns by it")


# -- delegations


def test_a_delegate_decides_for_the_giver_until_the_delegation_ends(desk: World) -> None:
    put(desk, a_person(FINANCE, "grp-finance"))
    status, made = desk.rest("POST", "/delegations", {"to": "person-sam", **window()}, headers=key("dlg-1"), **FIN)
    assert (status, made["from"], made["to"]) == (201, FINANCE, "person-sam")

    deal = created(desk, a_soft_breach())
    assert decide(desk, deal, "finance", SAM)[0] == 200
    _, timeline = desk.rest("GET", f"/deals/{deal['deal_id']}/timeline", **ADMIN)
    granted = next(event for event in timeline["events"] if event["type"] == "approval.granted")
    assert (granted["data"]["by"], granted["data"]["acting_for"]) == ("person-sam", [FINANCE])

    assert desk.rest("DELETE", f"/delegations/{made['id']}", **FIN)[0] == 200
    is_problem(decide(desk, created(desk, a_soft_breach()), "finance", SAM), 403, "acts for nobody")


def test_a_delegation_with_its_key_is_made_once(desk: World) -> None:
    body = {"to": "person-sam", **window()}

    answers = [desk.rest("POST", "/delegations", body, headers=key("dlg-once"), **FIN) for _ in range(3)]

    assert [status for status, _ in answers] == [201] * 3
    assert len({made["id"] for _, made in answers}) == 1
    _, listed = desk.rest("GET", "/delegations", **FIN)
    assert len(listed["delegations"]) == 1


def test_nobody_gives_away_what_is_somebody_elses_but_an_administrator(desk: World) -> None:
    body = {"from": EXECUTIVE, "to": "person-sam", **window()}

    is_problem(desk.rest("POST", "/delegations", body, **FIN), 403, "only an administrator")
    assert desk.rest("POST", "/delegations", body, **ADMIN)[0] == 201


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"to": FINANCE}, "/to"),
        ({"to": "x", "ends_at": "2020-01-01T00:00:00Z"}, "/"),
        ({"to": "x", "ends_at": "2099-01-01T00:00:00Z"}, "/"),
        ({"to": "x", "begins_at": "2026-01-01T00:00:00"}, "/begins_at"),
    ],
)
def test_a_delegation_that_makes_no_sense_is_refused(desk: World, body: Json, pointer: str) -> None:
    status, problem = desk.rest("POST", "/delegations", {**window(), **body}, **FIN)

    assert (status, problem["errors"][0]["pointer"]) == (422, pointer)


def test_people_see_the_delegations_in_which_they_are_named(desk: World) -> None:
    desk.rest("POST", "/delegations", {"to": "person-sam", **window()}, **FIN)

    def shown(who: Json) -> int:
        _, document = desk.rest("GET", "/delegations", **who)
        return len(document["delegations"])

    assert (shown(FIN), shown(SAM), shown(ADMIN), shown(EXE)) == (1, 1, 1, 0)
    is_problem(desk.rest("GET", "/delegations", **REP), 403)


def test_a_delegation_that_one_is_not_named_in_is_not_there(desk: World) -> None:
    _, made = desk.rest("POST", "/delegations", {"to": "person-sam", **window()}, **FIN)

    is_problem(desk.rest("DELETE", f"/delegations/{made['id']}", **EXE), 404)


# -- time passes


def test_an_approval_that_nobody_gives_is_reminded_escalated_and_ends(desk: World) -> None:
    around = [
        {
            "zone": "UTC",
            "hours": {day: [["00:00", "00:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")},
        }
    ]
    boss = a_person("person-boss", calendar="always")
    finance = a_person(FINANCE, "grp-finance", manager_id="person-boss", calendar="always")
    assert put(desk, finance, boss, calendars={"always": around[0]})[0] == 200
    deal = created(desk, a_soft_breach())

    def after(**span: float) -> list[str]:
        desk.sleep(**span)
        desk.invoke("escalate_approvals", {})
        desk.invoke("escalate_approvals", {})
        return [type_ for type_ in happened(desk, deal["deal_id"]) if type_.startswith("approval.")][1:]

    assert after(hours=11) == []
    assert after(hours=1, minutes=1) == ["approval.reminded"]
    assert after(hours=12) == ["approval.reminded", "approval.escalated"]
    is_problem(decide(desk, deal, "executive", EXE), 409)  # silence approved nothing
    boss_caller: Json = {"user": "person-boss", "role": "executive"}
    assert decide(desk, deal, "finance", boss_caller)[0] == 200


def test_a_round_that_nobody_finishes_ends_and_can_be_submitted_again(desk: World) -> None:
    deal = created(desk, a_soft_breach())
    desk.sleep(days=14, minutes=1)

    desk.invoke("escalate_approvals", {})

    _, ended = desk.rest("GET", f"/deals/{deal['deal_id']}", **REP)
    assert ended["stage"] == "expired"
    is_problem(decide(desk, deal, "finance", FIN), 409)
    _, again = desk.rest("PATCH", f"/deals/{deal['deal_id']}", {"name": "Again"}, headers=seen(ended["version"]), **REP)
    assert again["stage"] == "pending_approval"


def test_an_administrator_opens_a_step_to_somebody_and_decides_nothing(desk: World) -> None:
    deal = created(desk, a_soft_breach())
    path = f"/deals/{deal['deal_id']}/escalate"

    is_problem(desk.rest("POST", path, {"step": "finance", "people": ["person-sam"]}, **FIN), 403)
    assert desk.rest("POST", path, {"step": "finance", "people": ["person-sam"]}, **ADMIN)[0] == 200
    is_problem(desk.rest("POST", path, {"step": "finance", "people": ["person-rep"]}, **ADMIN), 403, "interest")

    assert decide(desk, deal, "finance", SAM)[0] == 200
    is_problem(decide(desk, deal, "executive", ADMIN), 403)
