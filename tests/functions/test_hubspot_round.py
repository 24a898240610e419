"""A quote goes round in HubSpot: submitted, judged, shown, decided by those who may, and approved."""

from __future__ import annotations

from typing import Any

import pytest

from dealdesk.adapters.dynamo_approvers import DynamoApprovers
from dealdesk.adapters.dynamo_people import DynamoPeople
from dealdesk.adapters.dynamo_policies import DynamoPolicies
from dealdesk.adapters.hubspot import HubspotCrm
from dealdesk.domain.deal import Deal
from dealdesk.domain.stages import Stage
from dealdesk.errors import ApproverConflicted, ApproverNotEntitled
from dealdesk.ports import Cause
from dealdesk.usecases.answer_approval import answer_approval
from dealdesk.usecases.evaluate_quote import evaluate_quote
from dealdesk.usecases.mirror_deal import mirror_deal
from local.twins.hubspot import HubspotTwin
from tests.functions.messages import stored
from tests.journeys.world import World
from tests.table import TABLE

RECORD, DEAL = "9100000002", "hs-9100000002"
REP, FINANCE, EXECUTIVE = 7001, 7002, 7003


def crm_of(desk: World) -> HubspotCrm:
    secret = desk.secrets["hubspot"]
    url = desk.twins["hubspot"].url
    return HubspotCrm(url, access_token=secret["access_token"], approval_type=secret["approval_type"])


def deliver_mail(desk: World) -> int:
    letters = desk.take_mail()
    assert {desk.post(letter)["statusCode"] for letter in letters} <= {200}
    return len(letters)


def judged(desk: World, cause: str) -> Deal:
    people, policies = DynamoPeople(TABLE), DynamoPolicies(TABLE)
    port, crm = desk.port("receive_hubspot", "deals"), crm_of(desk)
    return evaluate_quote(
        port, crm, people, policies, DynamoApprovers(TABLE), DEAL, cause=Cause("bus", cause), clock=desk.now
    )


def answered(desk: World, key: str, cause: str) -> Deal:
    port, crm = desk.port("receive_hubspot", "deals"), crm_of(desk)
    return answer_approval(port, crm, DynamoApprovers(TABLE), DEAL, key, cause=Cause("bus", cause), now=desk.now())


def shown(twin: HubspotTwin) -> dict[str, Any]:
    [deal] = [one["properties"] for one in twin.state()["deals"] if one["id"] == RECORD]
    return dict(deal)


def test_a_quote_is_submitted_judged_shown_decided_and_approved_in_hubspot(desk: World) -> None:
    twin, port = desk.twins["hubspot"], desk.port("receive_hubspot", "deals")
    assert isinstance(twin, HubspotTwin)
    twin.act("submit", {"deal_id": RECORD})
    assert deliver_mail(desk) == 1

    deal = judged(desk, "1")
    mirror_deal(port, crm_of(desk), DEAL)

    assert deal.stage is Stage.PENDING_APPROVAL
    assert deal.owner_id == f"person-hs-{REP}"
    assert shown(twin)["deal_desk_stage"] == "pending_approval"
    assert deliver_mail(desk) == 0

    for user, step in ((FINANCE, "finance"), (EXECUTIVE, "executive")):
        key = f"{DEAL}:1:{step}"
        twin.act("decide", {"approval_key": key, "decision": "Approve", "user_id": user})
        assert deliver_mail(desk) == 1
        answered(desk, key, step)
    mirror_deal(port, crm_of(desk), DEAL)

    deal = stored(desk, DEAL)
    assert deal.round is not None
    assert {grant.by for grant in deal.round.grants} == {f"person-hs-{FINANCE}", f"person-hs-{EXECUTIVE}"}
    assert shown(twin)["deal_desk_stage"] == deal.stage.value == Stage.APPROVED.value


@pytest.mark.parametrize(("user", "refused"), [(REP, ApproverConflicted), (EXECUTIVE, ApproverNotEntitled)])
def test_a_person_who_may_not_decide_picks_approve_and_approves_nothing(
    desk: World, user: int, refused: type[Exception]
) -> None:
    twin, port = desk.twins["hubspot"], desk.port("receive_hubspot", "deals")
    desk.sleep(seconds=1)
    terms = {"deal_desk_payment_terms_days": str(40 + user % 10)}
    twin.act("edit", {"type": "deals", "id": RECORD, "properties": terms, "user_id": REP})
    twin.act("submit", {"deal_id": RECORD})
    deliver_mail(desk)
    deal = judged(desk, f"judged-{user}")
    mirror_deal(port, crm_of(desk), DEAL)
    assert deal.round is not None
    key = f"{DEAL}:{deal.round.number}:finance"

    twin.act("decide", {"approval_key": key, "decision": "Approve", "user_id": user})
    deliver_mail(desk)

    with pytest.raises(refused):
        answered(desk, key, f"decided-{user}")
    assert stored(desk, DEAL).stage is Stage.PENDING_APPROVAL
