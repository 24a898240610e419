"""The HubSpot twin, driven by HubSpot's own library: records, batches, search, associations, owners, webhooks."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import hubspot
import pytest
import requests
from hubspot.crm.objects.exceptions import ApiException, NotFoundException, UnauthorizedException
from hubspot.utils.signature import Signature

from local.twins.hubspot import HubspotTwin
from local.twins.hubspot_schema import APPROVAL_TYPE
from local.twins.server import Delivery, Fault, Json, Refused, RunningTwin

TOKEN, SECRET, PORTAL, APP = "pat-na1-desk", "client-secret", 62515, 54321
REN, FIN = 301, 302
SEED: dict[str, list[Json]] = {
    "owners": [
        {"id": "31", "userId": REN, "email": "ren@acme.example", "firstName": "Ren", "lastName": "Rep"},
        {"id": "32", "userId": FIN, "email": "fin@acme.example", "teams": [{"id": "1", "name": "Finance"}]},
    ],
    "companies": [{"id": "201", "properties": {"name": "Express & Logistics"}}],
    "contacts": [{"id": "101", "properties": {"firstname": "Zoë", "email": "zoe@express.example"}}],
    "deals": [
        {
            "id": "1001",
            "properties": {"dealname": "Express <SLA> & more", "hubspot_owner_id": "31"},
            "associations": [
                {"type": "companies", "id": "201", "label": "Primary"},
                {"type": "contacts", "id": "101", "label": "Signer"},
            ],
        },
        {"id": "1002", "properties": {"dealname": "Renewal", "hubspot_owner_id": "31"}},
    ],
    "line_items": [
        {"id": "4001", "properties": {"hs_sku": "CORE-01"}, "associations": [{"type": "deals", "id": "1001"}]}
    ],
}


class Receiver(Protocol):
    """The product's endpoint of conftest: what it answers, and what it was sent."""

    url: str
    answers: list[tuple[int, str]]
    bodies: list[bytes]
    headers: list[dict[str, str]]


@pytest.fixture
def twin(running: Callable[..., RunningTwin], receiver: Receiver) -> HubspotTwin:
    twin = HubspotTwin(access_token=TOKEN, client_secret=SECRET, portal_id=PORTAL, app_id=APP, webhook_url=receiver.url)
    twin.load(SEED)
    running(twin)
    return twin


@pytest.fixture
def crm(twin: HubspotTwin) -> Any:
    return hubspot.Client.create(access_token=TOKEN, host=twin.url, retry=False).crm


def refusal(error: ApiException) -> Json:
    body: Json = json.loads(error.body)
    return body


def upsert(crm: Any, *inputs: Json) -> Any:
    return crm.objects.batch_api.upsert(APPROVAL_TYPE, {"inputs": list(inputs)})


def an_approval(key: str, **properties: str) -> Json:
    return {"idProperty": "approval_key", "id": key, "properties": properties}


def test_a_token_that_is_not_the_apps_is_refused(twin: HubspotTwin) -> None:
    crm = hubspot.Client.create(access_token="another", host=twin.url, retry=False).crm

    with pytest.raises(UnauthorizedException) as refused:
        crm.objects.basic_api.get_by_id("deals", "1001")

    body = refusal(refused.value)
    assert (body["status"], body["category"]) == ("error", "INVALID_AUTHENTICATION")
    assert body["correlationId"]
    with pytest.raises(Exception, match="401"):
        crm.owners.owners_api.get_by_id("31")


def test_a_record_is_read_with_what_was_asked_for_and_unknown_names_are_left_out(crm: Any) -> None:
    found = crm.objects.basic_api.get_by_id("deals", "1001", properties=["dealname", "dealtype", "nonsense"])

    assert found.id == "1001"
    assert found.properties["dealname"] == "Express <SLA> & more"
    assert found.properties["dealtype"] is None
    assert "nonsense" not in found.properties


def test_a_type_may_be_called_by_its_id_or_its_names(crm: Any) -> None:
    names = [crm.objects.basic_api.get_by_id(kind, "1001").id for kind in ("deals", "deal", "0-3", "DEALS")]

    assert names == ["1001"] * 4


@pytest.mark.parametrize(
    ("kind", "key", "status"), [("deals", "9999", 404), ("deals", "x", 404), ("dreams", "1001", 400)]
)
def test_what_is_not_there_is_refused_in_hubspots_shape(crm: Any, kind: str, key: str, status: int) -> None:
    with pytest.raises(ApiException) as refused:
        crm.objects.basic_api.get_by_id(kind, key)

    assert refused.value.status == status
    assert set(refusal(refused.value)) >= {"status", "message", "correlationId", "category"}


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"nonsense": "x"}, "PROPERTY_DOESNT_EXIST"),
        ({"hs_object_id": "7"}, "READ_ONLY_VALUE"),
        ({"amount": "much"}, "INVALID_NUMBER"),
        ({"dealtype": "oldbusiness"}, "INVALID_ENUMERATION"),
        ({"deal_desk_submitted_at": "yesterday"}, "INVALID_DATETIME"),
        ({"deal_desk_submitted_at": "2026-11-22T20:00:00"}, "INVALID_DATETIME"),
        ({"deal_desk_valid_until": "2026-11-22T20:00:00Z"}, "INVALID_DATE"),
        ({"dealname": "x" * 65_537}, "INVALID_STRING"),
    ],
)
def test_a_value_that_the_property_does_not_take_is_refused_by_name(
    crm: Any, properties: dict[str, str], code: str
) -> None:
    with pytest.raises(ApiException) as refused:
        crm.objects.basic_api.update("deals", "1001", {"properties": properties})

    body = refusal(refused.value)
    assert (refused.value.status, body["category"]) == (400, "VALIDATION_ERROR")
    assert body["errors"][0]["code"] == code
    assert body["errors"][0]["context"] == {"propertyName": list(properties)}


def test_a_change_is_kept_in_the_history_with_who_made_it(twin: HubspotTwin, crm: Any) -> None:
    twin.act("edit", {"type": "deals", "id": "1001", "properties": {"dealname": "By hand"}, "user_id": REN})
    crm.objects.basic_api.update("deals", "1001", {"properties": {"dealname": "By an app"}})
    crm.objects.basic_api.update("deals", "1001", {"properties": {"dealname": "By an app"}})

    found = crm.objects.basic_api.get_by_id("deals", "1001", properties_with_history=["dealname"])

    history = found.properties_with_history["dealname"]
    told = [(one.value, one.source_type, one.source_id, one.updated_by_user_id) for one in history]
    assert told == [
        ("By an app", "INTEGRATION", str(APP), None),
        ("By hand", "CRM_UI", f"userId:{REN}", REN),
        ("Express <SLA> & more", "IMPORT", "import", None),
    ]


def test_a_time_is_written_back_without_zeros_and_milliseconds_are_taken(crm: Any) -> None:
    given = {"1795377600000": "2026-11-22T20:00:00Z", "2026-11-22T20:00:00.500Z": "2026-11-22T20:00:00.500Z"}

    for value, shown in given.items():
        crm.objects.basic_api.update("deals", "1001", {"properties": {"deal_desk_updated_at": value}})
        found = crm.objects.basic_api.get_by_id("deals", "1001", properties=["deal_desk_updated_at"])
        assert found.properties["deal_desk_updated_at"] == shown


def test_an_upsert_makes_a_record_once_and_changes_it_after_that(twin: HubspotTwin, crm: Any) -> None:
    first = upsert(crm, an_approval("k-1", status="Pending"), an_approval("k-2", status="Pending"))
    second = upsert(crm, an_approval("K-1", status="Approved"))

    assert [one.new for one in first.results] == [True, True]
    assert [(one.new, one.id) for one in second.results] == [(False, first.results[0].id)]
    statuses = [one["properties"]["status"] for one in twin.state()["deal_desk_approval"]]
    assert statuses == ["Approved", "Pending"]


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([an_approval("k"), an_approval("k")], "Duplicate"),
        ([{"idProperty": "status", "id": "x", "properties": {}}], "non-unique"),
        ([{"idProperty": "hs_object_id", "id": "1", "properties": {}}], "non-unique"),
        ([{"id": "1", "properties": {}}], "non-unique"),
        ([], "maximum number of inputs"),
        ([an_approval(str(number)) for number in range(101)], "maximum number of inputs"),
        ([an_approval("k") | {"associations": []}], "takes no"),
    ],
    ids=["twice", "not unique", "record id", "no property", "none", "too many", "associations"],
)
def test_a_batch_that_hubspot_does_not_take_is_refused_whole(
    twin: HubspotTwin, crm: Any, inputs: list[Json], words: str
) -> None:
    with pytest.raises(ApiException) as refused:
        upsert(crm, *inputs)

    assert words in refusal(refused.value)["message"]
    assert twin.state()["deal_desk_approval"] == []


def test_a_batch_read_says_what_it_did_not_find(crm: Any) -> None:
    upsert(crm, an_approval("k-1"))
    asked = {"idProperty": "approval_key", "inputs": [{"id": "k-1"}, {"id": "k-9"}]}
    lists: dict[str, list[str]] = {"properties": ["approval_key"], "propertiesWithHistory": []}

    found, status, _ = crm.objects.batch_api.read_with_http_info(APPROVAL_TYPE, {**asked, **lists})

    assert status == 207
    assert [one.properties["approval_key"] for one in found.results] == ["k-1"]
    assert found.errors[0].category == "OBJECT_NOT_FOUND"
    assert found.errors[0].context == {"ids": ["k-9"]}


def test_a_batch_with_history_reads_fewer_records(crm: Any) -> None:
    asked = {"inputs": [{"id": str(number)} for number in range(51)], "properties": []}
    crm.objects.batch_api.read("deals", {**asked, "propertiesWithHistory": []})

    with pytest.raises(ApiException):
        crm.objects.batch_api.read("deals", {**asked, "propertiesWithHistory": ["dealname"]})


def test_a_second_record_with_the_same_unique_value_is_refused(crm: Any) -> None:
    with pytest.raises(ApiException) as refused:
        crm.objects.basic_api.create("contacts", {"properties": {"email": "ZOE@express.example"}})

    assert "already has that value" in refusal(refused.value)["message"]


def search(crm: Any, **asked: Any) -> Any:
    wanted = {"propertyName": "deal_desk_submitted_at", "operator": "GTE", "value": "1"}
    return crm.objects.search_api.do_search("deals", {"filterGroups": [{"filters": [wanted]}]} | asked)


def test_a_search_finds_by_time_and_gives_pages(twin: HubspotTwin, crm: Any) -> None:
    twin.act("submit_many", {"deal_ids": ["1001", "1002"]})

    first = search(crm, limit=1)
    second = search(crm, limit=1, after=first.paging.next.after)

    assert first.total == 2
    assert [first.results[0].id, second.results[0].id] == ["1001", "1002"]
    assert second.paging is None


def test_the_index_of_the_search_lags_behind_the_records(twin: HubspotTwin, crm: Any) -> None:
    twin.act("search_lag", {"seconds": 10})
    twin.act("submit", {"deal_id": "1001"})
    found = crm.objects.basic_api.get_by_id("deals", "1001", properties=["deal_desk_submitted_at"])
    assert found.properties["deal_desk_submitted_at"]
    assert search(crm).total == 0

    twin.clock = lambda: datetime.now(UTC) + timedelta(seconds=11)

    assert search(crm).total == 1


@pytest.mark.parametrize(
    "asked",
    [
        {"limit": 201},
        {"limit": 1, "after": 10_000},
        {"filterGroups": [{"filters": []}] * 6},
        {"filterGroups": [{"filters": [{"propertyName": "dealname", "operator": "EQ", "value": "x"}] * 7}]},
        {"filterGroups": [{"filters": [{"propertyName": "nonsense", "operator": "EQ", "value": "x"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "dealname", "operator": "LIKE", "value": "x"}]}]},
        {"nonsense": 1},
    ],
    ids=["page", "depth", "groups", "filters", "property", "operator", "field"],
)
def test_a_search_beyond_its_limits_is_refused(crm: Any, asked: Json) -> None:
    with pytest.raises(ApiException) as refused:
        search(crm, **asked)

    assert refused.value.status == 400


def test_associations_have_labels_and_work_in_both_directions(crm: Any) -> None:
    [company] = crm.associations.v4.basic_api.get_page("deals", "1001", "companies").results
    [deal] = crm.associations.v4.basic_api.get_page("line_items", "4001", "deals").results

    told = {(one.category, one.type_id, one.label) for one in company.association_types}
    assert told == {("HUBSPOT_DEFINED", 341, None), ("HUBSPOT_DEFINED", 5, "Primary")}
    assert str(deal.to_object_id) == "1001"


def test_to_associate_what_is_associated_changes_nothing(crm: Any) -> None:
    made = upsert(crm, an_approval("k-1")).results[0].id
    pair = {"from": {"id": made}, "to": {"id": "1001"}}

    for _ in range(2):
        crm.associations.v4.batch_api.create_default(APPROVAL_TYPE, "deals", {"inputs": [pair]})

    [found] = crm.associations.v4.basic_api.get_page("deals", "1001", APPROVAL_TYPE).results
    assert str(found.to_object_id) == made


def test_an_owner_is_found_by_either_number_and_has_teams(twin: HubspotTwin, crm: Any) -> None:
    by_id = crm.owners.owners_api.get_by_id("32", id_property="id")
    by_user = crm.owners.owners_api.get_by_id(FIN, id_property="userId")
    twin.rest.owners[1]["archived"] = True

    assert by_id.id == by_user.id == "32"
    assert [team.name for team in by_user.teams] == ["Finance"]
    with pytest.raises(Exception, match="404"):
        crm.owners.owners_api.get_by_id("32", id_property="id")
    assert crm.owners.owners_api.get_by_id("32", id_property="id", archived=True).archived


def test_a_limit_is_told_with_its_policy(twin: HubspotTwin, crm: Any) -> None:
    twin.act("limit", {"calls": 1})
    _, _, headers = crm.objects.basic_api.get_by_id_with_http_info("deals", "1001")
    assert (headers["X-HubSpot-RateLimit-Max"], headers["X-HubSpot-RateLimit-Remaining"]) == ("1", "0")

    with pytest.raises(ApiException) as limited:
        crm.objects.basic_api.get_by_id("deals", "1001")

    body = refusal(limited.value)
    assert (limited.value.status, body["errorType"]) == (429, "RATE_LIMIT")
    assert body["policyName"] == "TEN_SECONDLY_ROLLING"


def test_a_fault_of_the_operator_has_hubspots_shape(twin: HubspotTwin, crm: Any) -> None:
    twin.faults = [Fault("/crm/", "status", status=500)]

    with pytest.raises(ApiException) as failed:
        crm.objects.basic_api.get_by_id("deals", "1001")

    assert refusal(failed.value)["category"] == "INTERNAL_ERROR"


# -- webhooks


def told(receiver: Receiver) -> list[Json]:
    changes: list[Json] = [change for body in receiver.bodies for change in json.loads(body)]
    return changes


def test_a_submitted_deal_is_told_in_hubspots_own_structure(twin: HubspotTwin, receiver: Receiver) -> None:
    twin.act("submit", {"deal_id": "1001"})

    assert twin.webhooks.drain()
    [change] = told(receiver)
    assert change["subscriptionType"] == "object.propertyChange"
    assert (change["portalId"], change["appId"], change["objectId"]) == (PORTAL, APP, 1001)
    assert (change["objectTypeId"], change["propertyName"]) == ("0-3", "deal_desk_submitted_at")
    assert (change["changeSource"], change["sourceId"]) == ("CRM_UI", f"userId:{REN}")
    assert abs(int(change["propertyValue"]) - change["occurredAt"]) < 1_000
    assert change["attemptNumber"] == 0


def test_a_message_bears_both_signatures_and_hubspots_library_takes_them(twin: HubspotTwin, receiver: Receiver) -> None:
    twin.act("submit", {"deal_id": "1001"})

    assert twin.webhooks.drain()
    body, headers = receiver.bodies[0].decode(), {name.lower(): value for name, value in receiver.headers[0].items()}
    timestamp = headers["x-hubspot-request-timestamp"]
    v3 = headers["x-hubspot-signature-v3"]
    assert Signature.is_valid(v3, SECRET, body, receiver.url, "POST", "v3", timestamp)
    assert headers["x-hubspot-signature-version"] == "v1"
    assert Signature.is_valid(headers["x-hubspot-signature"], SECRET, body, signature_version="v1")


def test_many_deals_travel_in_one_message(twin: HubspotTwin, receiver: Receiver) -> None:
    twin.act("submit_many", {"deal_ids": ["1001", "1002"], "user_id": FIN})

    assert twin.webhooks.drain()
    assert len(receiver.bodies) == 1
    assert [(one["objectId"], one["sourceId"]) for one in told(receiver)] == [
        (1001, "userId:302"),
        (1002, "userId:302"),
    ]


def test_a_decision_is_told_by_number_without_the_key(twin: HubspotTwin, receiver: Receiver, crm: Any) -> None:
    made = upsert(crm, an_approval("k-1")).results[0].id

    twin.act("decide", {"approval_key": "k-1", "decision": "Approve", "user_id": FIN, "comment": "fine & good"})

    assert twin.webhooks.drain()
    [change] = told(receiver)
    assert (change["objectId"], change["objectTypeId"]) == (int(made), APPROVAL_TYPE)
    assert (change["propertyName"], change["propertyValue"]) == ("decision", "Approve")
    assert "k-1" not in json.dumps(change)


def test_a_change_by_the_api_is_told_as_the_apps_own(twin: HubspotTwin, receiver: Receiver, crm: Any) -> None:
    crm.objects.basic_api.update("deals", "1001", {"properties": {"deal_desk_submitted_at": "2026-11-22T20:00:00Z"}})

    assert twin.webhooks.drain()
    [change] = told(receiver)
    assert (change["changeSource"], change["sourceId"]) == ("INTEGRATION", str(APP))


def test_what_nobody_subscribed_to_is_not_told(twin: HubspotTwin, receiver: Receiver, crm: Any) -> None:
    crm.objects.basic_api.update("deals", "1001", {"properties": {"deal_desk_stage": "approved"}})
    twin.act("edit", {"type": "line_items", "id": "4001", "properties": {"price": "9"}, "user_id": REN})

    assert twin.webhooks.drain()
    assert receiver.bodies == []


@pytest.mark.parametrize("status", [400, 401, 500, 503])
def test_a_message_that_is_not_accepted_comes_again(twin: HubspotTwin, receiver: Receiver, status: int) -> None:
    receiver.answers = [(status, "no")]

    twin.act("submit", {"deal_id": "1001"})

    assert twin.webhooks.drain()
    assert [attempt.accepted for attempt in twin.webhooks.log] == [False, True]
    assert receiver.bodies[0] == receiver.bodies[1]


def test_a_duplicate_is_the_same_change(twin: HubspotTwin, receiver: Receiver) -> None:
    twin.webhooks.mode = Delivery(duplicate=2)

    twin.act("submit", {"deal_id": "1001"})

    assert twin.webhooks.drain()
    assert len(set(receiver.bodies)) == 1
    assert len(receiver.bodies) == 2


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("submit", {"deal_id": "9"}),
        ("submit_many", {"deal_ids": ["1001"] * 101}),
        ("submit", {"deal_id": "1001", "user_id": 9}),
        ("decide", {"approval_key": "nothing", "decision": "Approve", "user_id": FIN}),
        ("edit", {"type": "dreams", "id": "1", "properties": {}, "user_id": REN}),
    ],
)
def test_what_nobody_could_do_is_refused(twin: HubspotTwin, action: str, body: Json) -> None:
    with pytest.raises(Refused):
        twin.act(action, body)


def test_a_reset_brings_back_the_first_day(twin: HubspotTwin, crm: Any) -> None:
    first = twin.state()
    upsert(crm, an_approval("k-1"))
    crm.objects.basic_api.update("deals", "1001", {"properties": {"dealname": "Changed"}})

    requests.post(f"{twin.url}/_twin/reset", timeout=5)

    names = [one["properties"]["dealname"] for one in twin.state()["deals"]]
    assert names == [one["properties"]["dealname"] for one in first["deals"]]
    assert twin.state()["deal_desk_approval"] == []
    with pytest.raises(NotFoundException):
        crm.objects.basic_api.get_by_id(APPROVAL_TYPE, "k-1", id_property="approval_key")
