"""HubSpot's messages: what is genuine is noted change by change, what is not changes nothing and says so."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from unittest.mock import patch

import pytest

from dealdesk.domain.stages import Stage
from dealdesk.edge import aws, secrets
from dealdesk.errors import TableBusy
from local.tokens import HUBSPOT_APP, HUBSPOT_APPROVAL_TYPE, HUBSPOT_PORTAL
from tests.functions.conftest import Said
from tests.functions.messages import JSON, Answer, given, happened, keep, parked, refused, rows, stored
from tests.journeys.world import API, World

URI = f"{API}/webhooks/hubspot"
Event = dict[str, Any]


def submitted(desk: World, deal: int, **changes: Any) -> Event:
    """Rita submitted the deal just now, unless the test says otherwise."""
    moment = int(desk.now().timestamp() * 1000)
    change = {
        "eventId": 100,
        "subscriptionId": 3_100_001,
        "portalId": HUBSPOT_PORTAL,
        "appId": HUBSPOT_APP,
        "occurredAt": moment,
        "subscriptionType": "object.propertyChange",
        "attemptNumber": 0,
        "objectId": deal,
        "objectTypeId": "0-3",
        "propertyName": "deal_desk_submitted_at",
        "propertyValue": str(moment),
        "changeSource": "CRM_UI",
        "sourceId": "userId:7001",
    }
    return change | changes


def decided(desk: World, record: str, **changes: Any) -> Event:
    named = {"subscriptionId": 3_100_002, "objectTypeId": HUBSPOT_APPROVAL_TYPE, "propertyName": "decision"}
    return submitted(desk, int(record), **named, propertyValue="Approve", sourceId="userId:7002") | changes


def v3(secret: str, body: bytes, at: datetime, *, uri: str = URI, method: str = "POST") -> dict[str, str]:
    timestamp = str(int(at.timestamp() * 1000))
    signed = method.encode() + uri.encode() + body + timestamp.encode()
    signature = base64.b64encode(hmac.digest(secret.encode(), signed, "sha256")).decode()
    return {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": timestamp}


def v1(secret: str, body: bytes) -> dict[str, str]:
    signature = sha256(secret.encode() + body).hexdigest()
    return {"X-HubSpot-Signature": signature, "X-HubSpot-Signature-Version": "v1"}


def secret_of(desk: World) -> str:
    return str(desk.secrets["hubspot"]["client_secrets"][0])


def request(desk: World, *changes: Event, body: bytes | None = None, seconds: int = 0) -> Event:
    sent = json.dumps(changes, separators=(",", ":")).encode() if body is None else body
    signed = v3(secret_of(desk), sent, desk.now() + timedelta(seconds=seconds))
    return {
        "httpMethod": "POST",
        "path": "/webhooks/hubspot",
        "headers": {**JSON, **signed},
        "body": base64.b64encode(sent).decode(),
        "isBase64Encoded": True,
    }


def send(desk: World, *changes: Event) -> Answer:
    return given(desk, "hubspot", request(desk, *changes))


@contextmanager
def configured(desk: World, **changes: Any) -> Iterator[None]:
    """The secret with other values, for a while."""
    changed = json.dumps(desk.secrets["hubspot"] | changes)
    real = aws.clients["secretsmanager"].get_secret_value

    def answer(SecretId: str) -> dict[str, str]:
        return {"SecretString": changed} if SecretId.endswith("/hubspot") else real(SecretId=SecretId)

    secrets.forget()
    with patch.object(aws.clients["secretsmanager"], "get_secret_value", answer):
        yield
    secrets.forget()


def is_problem(answer: Answer, status: int, words: str) -> None:
    assert (answer.status, answer.kind) == (status, "application/problem+json"), answer.body
    assert words in answer.document["detail"]


# -- what is noted


def test_a_submitted_deal_is_received_with_its_time_and_person(desk: World) -> None:
    change = submitted(desk, 5001)

    answer = send(desk, change)

    deal = stored(desk, "hs-5001")
    assert (answer.status, answer.document["changes"]) == (200, 1)
    assert happened(desk, "hs-5001") == ["deal.received"]
    assert deal.crm is not None
    assert (deal.crm.system, deal.crm.record_id) == ("hubspot", "5001")
    assert deal.submitted_at is not None
    assert int(deal.submitted_at.timestamp() * 1000) == change["occurredAt"]
    assert deal.version == 1


def test_an_older_subscription_that_names_the_object_in_its_type_is_read_too(desk: World) -> None:
    change = submitted(desk, 5002, subscriptionType="deal.propertyChange")
    del change["objectTypeId"]

    assert send(desk, change).status == 200
    assert happened(desk, "hs-5002") == ["deal.received"]


def test_a_replayed_message_changes_nothing(desk: World) -> None:
    event = request(desk, submitted(desk, 5003))
    given(desk, "hubspot", event)
    before = rows()

    again = given(desk, "hubspot", event)

    assert again.status == 200
    assert rows() == before


def test_a_second_delivery_with_another_attempt_number_is_the_same_change(desk: World) -> None:
    change = submitted(desk, 5004)
    send(desk, change)

    send(desk, change | {"attemptNumber": 1})

    assert happened(desk, "hs-5004") == ["deal.received"]


@pytest.mark.parametrize(
    ("deal", "name", "off"), [(5101, "eventId", 1), (5102, "occurredAt", -1), (5103, "subscriptionId", 9)]
)
def test_two_changes_that_share_all_but_one_part_of_their_key_are_two(
    desk: World, deal: int, name: str, off: int
) -> None:
    change = submitted(desk, deal)

    send(desk, change, change | {name: change[name] + off})

    assert happened(desk, f"hs-{deal}") == ["deal.received", "deal.received"]


def test_a_hundred_changes_in_one_message_are_noted_within_the_five_seconds_that_hubspot_waits(desk: World) -> None:
    started = desk.now()

    answer = send(desk, *(submitted(desk, 6_000 + number) for number in range(100)))

    assert answer.document["changes"] == 100
    assert desk.now() - started < timedelta(seconds=5)
    assert {len(happened(desk, f"hs-{6_000 + number}")) for number in range(100)} == {1}


def test_a_decided_approval_is_noted_by_the_key_that_its_record_has(desk: World) -> None:
    keep(desk, Stage.PENDING_APPROVAL, "hs-5005")
    record = approval_record(desk, "hs-5005")
    before = happened(desk, "hs-5005")

    answer = send(desk, decided(desk, record))

    assert answer.status == 200
    assert happened(desk, "hs-5005") == [*before, "approval.answered"]


def test_a_decision_on_a_deal_that_is_not_known_yet_is_parked_and_not_lost(desk: World) -> None:
    record = approval_record(desk, "hs-5006")
    waiting = len(parked(desk))

    answer = send(desk, decided(desk, record))

    [message] = parked(desk)[waiting:]
    assert answer.status == 200
    content = json.loads(message)["parked"]
    assert content["kind"] == "hubspot"
    assert (content["message"]["deal_id"], content["message"]["approval_key"]) == ("hs-5006", "hs-5006:1:finance")
    assert content["message"]["cause"].startswith("hubspot:")


def test_a_decision_on_a_record_that_is_no_approval_of_the_desk_is_left_alone(desk: World) -> None:
    before = rows()

    assert send(desk, decided(desk, "999")).status == 200
    assert rows() == before


def approval_record(desk: World, deal_id: str) -> str:
    record = {"approval_key": f"{deal_id}:1:finance", "deal_id": deal_id}
    made = desk.twins["hubspot"].act("create", {"type": "deal_desk_approval", "properties": record, "user_id": 7001})
    return str(made["id"])


# -- one message, many changes


@pytest.mark.parametrize(
    ("deal", "bad"),
    [
        (7001, {}),
        (7003, []),
        (7005, None),
        (7007, "x"),
        (7009, {"eventId": "one"}),
        (7011, {"portalId": 1}),
        (7013, {"occurredAt": 1}),
        (7015, {"objectId": -5}),
        (7017, {"occurredAt": 99_999_999_999_999}),
    ],
    ids=str,
)
def test_a_bad_change_does_not_take_the_others_of_its_message_with_it(
    desk: World, said: Said, deal: int, bad: Any
) -> None:
    wrong = submitted(desk, 1) | bad if isinstance(bad, dict) and bad else bad

    answer = send(desk, submitted(desk, deal), wrong, submitted(desk, deal + 1))

    assert answer.status == 422
    assert [happened(desk, f"hs-{one}") for one in (deal, deal + 1)] == [["deal.received"]] * 2
    assert [line["reason"] for line in said.lines() if "WebhookRejected" in line] == ["Malformed"]


def test_when_the_table_fails_for_one_change_the_rest_is_noted_and_hubspot_is_asked_to_come_again(desk: World) -> None:
    deals = desk.port("receive_hubspot", "deals")
    real = deals.save

    def busy(deal: Any, *args: Any, **kwargs: Any) -> Any:
        if deal.id == "hs-8001":
            raise TableBusy("throttled")
        return real(deal, *args, **kwargs)

    event = request(desk, {}, submitted(desk, 8001), submitted(desk, 8002))
    with patch.object(deals, "save", busy):
        answer = given(desk, "hubspot", event)
    again = given(desk, "hubspot", event)

    assert (answer.status, again.status) == (503, 422)
    assert happened(desk, "hs-8001") == happened(desk, "hs-8002") == ["deal.received"]


@pytest.mark.parametrize("status", [0, 401, 429, 500, 503])
def test_when_hubspot_cannot_say_what_was_decided_it_is_asked_to_come_again(desk: World, status: int) -> None:
    keep(desk, Stage.PENDING_APPROVAL, f"hs-{8_100_000 + status}")
    record = approval_record(desk, f"hs-{8_100_000 + status}")
    kind = "status" if status else "drop_answer"
    desk.fail("hubspot", match="batch/read", kind=kind, status=status)
    event = request(desk, submitted(desk, 8_200 + status), decided(desk, record))

    answer, again = given(desk, "hubspot", event), given(desk, "hubspot", event)

    assert (answer.status, again.status) == (503, 200)
    assert happened(desk, f"hs-{8_200 + status}") == ["deal.received"]
    assert happened(desk, f"hs-{8_100_000 + status}")[-1] == "approval.answered"


# -- what the desk itself wrote


@pytest.mark.parametrize("source", [str(HUBSPOT_APP), f"appId:{HUBSPOT_APP}", "", None])
def test_our_own_write_that_comes_back_changes_nothing(desk: World, source: str | None) -> None:
    before = rows()

    answer = send(desk, submitted(desk, 9001, changeSource="INTEGRATION", sourceId=source))

    assert answer.status == 200
    assert rows() == before


def test_another_app_may_submit_a_deal(desk: World) -> None:
    send(desk, submitted(desk, 9002, changeSource="INTEGRATION", sourceId="77"))

    assert happened(desk, "hs-9002") == ["deal.received"]


@pytest.mark.parametrize(
    "change",
    [
        {"propertyName": "deal_desk_stage"},
        {"propertyName": "dealname"},
        {"propertyName": "decision"},
        {"propertyValue": ""},
        {"propertyValue": None},
        {"objectTypeId": "0-1"},
        {"objectTypeId": HUBSPOT_APPROVAL_TYPE},
        {"subscriptionType": "deal.creation", "propertyName": ""},
    ],
    ids=str,
)
def test_a_change_that_is_none_of_the_desks_is_acknowledged_and_ignored(desk: World, change: Event) -> None:
    before = rows()

    assert send(desk, submitted(desk, 9003, **change)).status == 200
    assert rows() == before


def test_an_empty_message_is_acknowledged(desk: World) -> None:
    assert send(desk).status == 200


# -- what is refused


@pytest.mark.parametrize(
    ("parts", "status", "words"),
    [
        ({"body": None}, 422, "no body"),
        ({"body": "%%%"}, 422, "not valid base64"),
        ({"body": base64.b64encode(b"x" * (1024 * 1024 + 1)).decode()}, 413, "larger"),
        ({"headers": {"Content-Type": "text/plain"}}, 415, "send application/json"),
        ({"headers": JSON}, 401, "X-HubSpot-Signature-v3 header is missing"),
        ({"httpMethod": "PUT"}, 401, "does not match"),
        ({"path": "/webhooks/elsewhere"}, 401, "does not match"),
        ({"multiValueQueryStringParameters": {"a": ["1"]}}, 401, "does not match"),
    ],
    ids=["no body", "no base64", "large", "text", "unsigned", "method", "path", "query"],
)
def test_a_request_that_is_wrong_from_outside_is_refused(
    desk: World, said: Said, parts: Event, status: int, words: str
) -> None:
    answer = refused(desk, said, "hubspot", request(desk, submitted(desk, 1)) | parts)

    is_problem(answer, status, words)


@pytest.mark.parametrize(
    "body",
    [b"{", b"not json", b"{}", b"null", b"\xff", b'["\xff"]', b"[" * 50_000 + b"]" * 50_000],
    ids=lambda body: str(body)[:16],
)
def test_a_signed_body_that_is_no_message_is_refused(desk: World, said: Said, body: bytes) -> None:
    assert refused(desk, said, "hubspot", request(desk, body=body)).status == 422


def test_more_changes_than_hubspot_sends_are_refused(desk: World, said: Said) -> None:
    event = request(desk, *(submitted(desk, number) for number in range(101)))

    is_problem(refused(desk, said, "hubspot", event), 422, "up to 100 changes")


def test_a_signature_over_a_reserialised_body_is_refused(desk: World, said: Said) -> None:
    spaced = json.dumps([submitted(desk, 1)], indent=1).encode()
    event = request(desk, submitted(desk, 1)) | {"body": base64.b64encode(spaced).decode()}

    is_problem(refused(desk, said, "hubspot", event), 401, "does not match")


def test_a_signature_in_hex_is_refused_where_hubspot_sends_base64(desk: World, said: Said) -> None:
    event = request(desk, submitted(desk, 1))
    signature = base64.b64decode(event["headers"]["X-HubSpot-Signature-v3"]).hex()
    event["headers"]["X-HubSpot-Signature-v3"] = signature

    is_problem(refused(desk, said, "hubspot", event), 401, "does not match")


@pytest.mark.parametrize("seconds", [-301, 62, 86_400])
def test_a_stale_message_and_one_from_the_future_are_refused(desk: World, said: Said, seconds: int) -> None:
    event = request(desk, submitted(desk, 1), seconds=seconds)

    is_problem(refused(desk, said, "hubspot", event), 401, "last 300 s")


def test_a_message_with_only_a_v1_signature_is_refused_where_v3_is_configured(desk: World, said: Said) -> None:
    event = request(desk, submitted(desk, 1))
    body = base64.b64decode(event["body"])
    event["headers"] = {**JSON, **v1(secret_of(desk), body)}

    is_problem(refused(desk, said, "hubspot", event), 401, "v3 header is missing")


def test_a_private_app_that_sends_v1_is_heard_where_v1_is_configured_and_v3_alone_is_not(desk: World) -> None:
    event = request(desk, submitted(desk, 9101))
    body = base64.b64decode(event["body"])
    old = event | {"headers": {**JSON, **v1(secret_of(desk), body)}}

    with configured(desk, signature="v1"):
        only_v3, only_v1 = given(desk, "hubspot", event), given(desk, "hubspot", old)

    assert (only_v3.status, only_v1.status) == (401, 200)
    assert happened(desk, "hs-9101") == ["deal.received"]


@pytest.mark.parametrize("broken", [{"client_secrets": []}, {"client_secrets": [""]}, {"portal_id": "x"}], ids=str)
def test_when_our_own_secret_is_unusable_hubspot_is_told_to_come_again_and_never_401(
    desk: World, broken: Event
) -> None:
    with configured(desk, **broken):
        answer = send(desk, submitted(desk, 9102))

    assert answer.status >= 500
    assert send(desk, submitted(desk, 9102)).status == 200


def test_the_twin_is_heard_when_a_rep_submits(desk: World) -> None:
    desk.twins["hubspot"].act("submit", {"deal_id": "9100000003"})

    [letter] = desk.take_mail()

    assert desk.post(letter)["statusCode"] == 200
    assert happened(desk, "hs-9100000003") == ["deal.received"]
