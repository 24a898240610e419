"""What is HubSpot's own: how its line items are priced, whose decision counts, and what the desk writes there."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3
from hubspot.crm.associations.v4 import exceptions as links_errors
from hubspot.crm.objects import exceptions as objects_errors
from hubspot.crm.owners import exceptions as owners_errors

from dealdesk.adapters.hubspot import HubspotCrm
from dealdesk.adapters.hubspot_calls import Gone, translated
from dealdesk.adapters.hubspot_quote import Record, read_terms
from dealdesk.domain.provider_choice import NO_RULES
from dealdesk.domain.quote import ChargeType, Line
from dealdesk.errors import VendorRefused, VendorUnavailable
from local.twins.hubspot import HubspotTwin
from local.twins.hubspot_records import Author
from local.twins.hubspot_schema import APPROVAL_TYPE, TYPES
from local.twins.server import Fault, Refused, serve
from tests.contract.crm_benches import EVENTS

DEAL, DEAL_ID = "9100000002", "hs-9100000002"
FINANCE, REP = 7002, 7001
TOKEN = "pat-na1-x"


@pytest.fixture
def twin() -> Iterator[HubspotTwin]:
    twin = HubspotTwin(access_token=TOKEN, client_secret="secret", portal_id=1, app_id=2)
    twin.load(json.loads((EVENTS / "hubspot_records.json").read_text()))
    with closing(serve(twin)):
        yield twin


@pytest.fixture
def crm(twin: HubspotTwin) -> HubspotCrm:
    return HubspotCrm(twin.url, access_token=TOKEN, approval_type=APPROVAL_TYPE)


def fields(**changed: object) -> dict[str, object]:
    return {"record_id": DEAL, "stage": "pending_approval", "version": 1, "reasons": "", "updated_at": None} | changed


def approval(step: str = "finance", **changed: object) -> dict[str, object]:
    known = {"step": step, "label": "L", "fingerprint": "f", "status": "Pending", "summary": "s"}
    return {"key": f"{DEAL_ID}:1:{step}", **known} | changed


def calls(twin: HubspotTwin, since: int = 0) -> list[tuple[str, str]]:
    return [(call.method, call.path.partition("?")[0]) for call in twin.requests[since:]]


# -- line items


def a_line(**properties: str | None) -> Line:
    """The only line of a deal, 10 of CORE-01 at 100.00, unless the test says otherwise."""
    terms = {
        "dealname": "D",
        "deal_currency_code": "USD",
        "deal_desk_payment_terms_days": "30",
        "deal_desk_billing": "annual",
        "deal_desk_term_months": "12",
    }
    line = {"hs_sku": "CORE-01", "quantity": "10", "price": "100"} | properties
    deal, company = Record("1", terms), Record("2", {"name": "Northwind"})
    quote, _ = read_terms(deal, [Record("3", line)], company, None, [], "person-hs-1", NO_RULES)
    return quote.lines[0]


@pytest.mark.parametrize(
    ("given", "net"),
    [
        ({}, "100"),
        ({"discount": "15"}, "85"),
        ({"discount": "15.50"}, "84.5"),
        ({"hs_discount_percentage": "15"}, "85"),
        ({"hs_discount_percentage": "27.5"}, "72.5"),
        ({"hs_discount_percentage": "33.333333"}, "66.666667"),
        ({"hs_discount_percentage": "0", "discount": "15"}, "85"),
        ({"hs_discount_percentage": "100"}, "0"),
        ({"price": "0.001", "hs_discount_percentage": "12.5"}, "0.000875"),
        ({"price": "1E+2", "discount": "0.0"}, "100"),
    ],
    ids=str,
)
def test_a_discount_is_taken_off_the_unit_price_exactly(given: dict[str, str | None], net: str) -> None:
    assert str(a_line(**given).net_unit_price) == net


@pytest.mark.parametrize(
    ("given", "charge", "periods"),
    [
        ({}, ChargeType.ONE_TIME, 1),
        ({"recurringbillingfrequency": "monthly", "hs_recurring_billing_period": "P12M"}, ChargeType.RECURRING, 12),
        ({"recurringbillingfrequency": "monthly", "hs_recurring_billing_period": "P1Y6M"}, ChargeType.RECURRING, 18),
        ({"recurringbillingfrequency": "quarterly", "hs_recurring_billing_period": "P2Y"}, ChargeType.RECURRING, 8),
        ({"recurringbillingfrequency": "annually", "hs_term_in_months": "36"}, ChargeType.RECURRING, 3),
        ({"recurringbillingfrequency": "weekly", "deal_desk_periods": "52"}, ChargeType.RECURRING, 52),
        ({"deal_desk_charge_type": "usage", "deal_desk_periods": "12"}, ChargeType.USAGE, 12),
    ],
    ids=str,
)
def test_the_billing_frequency_and_the_term_say_how_often_the_price_is_charged(
    given: dict[str, str | None], charge: ChargeType, periods: int
) -> None:
    line = a_line(**given)

    assert (line.charge_type, line.periods) == (charge, periods)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"discount": "5", "hs_discount_percentage": "5"}, "both a discount"),
        ({"discount": "101"}, "more than its price"),
        ({"hs_line_item_currency_code": "EUR"}, "is in EUR and the deal in USD"),
        ({"recurringbillingfrequency": "weekly", "hs_recurring_billing_period": "P12M"}, "set deal_desk_periods"),
        ({"recurringbillingfrequency": "annually", "hs_recurring_billing_period": "P18M"}, "set deal_desk_periods"),
        ({"recurringbillingfrequency": "monthly"}, "no months"),
        ({"hs_sku": None}, "hs_sku is empty"),
        ({"price": "abc"}, "price is 'abc'"),
        ({"quantity": "NaN"}, "quantity is 'NaN'"),
        ({"deal_desk_periods": "1.5"}, "whole number"),
    ],
    ids=str,
)
def test_a_line_that_cannot_be_priced_is_refused_by_name(given: dict[str, str | None], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        a_line(**given)


def test_the_order_of_the_lines_is_that_on_the_quote(twin: HubspotTwin, crm: HubspotCrm) -> None:
    for line, position in (("4100000002", "9"), ("4100000003", "10")):
        edit = {"type": "line_items", "id": line, "properties": {"hs_position_on_quote": position}, "user_id": REP}
        twin.act("edit", edit)

    assert [line.sku for line in crm.read_quote(DEAL).quote.lines] == ["CORE-01", "ONBOARD-01"]


def test_whoever_changed_a_line_last_is_the_last_editor(twin: HubspotTwin, crm: HubspotCrm) -> None:
    twin.act("submit", {"deal_id": DEAL})
    edit = {"type": "line_items", "id": "4100000002", "properties": {"price": "99"}, "user_id": FINANCE}

    twin.act("edit", edit)

    assert crm.read_quote(DEAL).last_editor == f"person-hs-{FINANCE}"


def test_the_newest_quote_says_how_long_the_offer_stands_where_the_deal_does_not(
    twin: HubspotTwin, crm: HubspotCrm
) -> None:
    twin.act("edit", {"type": "deals", "id": DEAL, "properties": {"deal_desk_valid_until": ""}, "user_id": REP})
    for day in ("2027-01-31", "2027-03-31"):
        properties = {"hs_title": "Offer", "hs_expiration_date": f"{day}T00:00:00Z"}
        links = [{"type": "deals", "id": DEAL}]
        twin.act("create", {"type": "quotes", "properties": properties, "associations": links, "user_id": REP})
        twin.clock = lambda: datetime.now(UTC) + timedelta(minutes=1)

    valid_until = crm.read_quote(DEAL).quote.valid_until
    assert valid_until is not None
    assert valid_until.isoformat() == "2027-03-31"


def test_more_lines_than_one_batch_reads_are_all_read(twin: HubspotTwin, crm: HubspotCrm) -> None:
    for number in range(120):
        line = {"hs_sku": f"S{number}", "quantity": "1", "price": "1"}
        links = [{"type": "deals", "id": DEAL}]
        twin.act("create", {"type": "line_items", "properties": line, "associations": links, "user_id": REP})

    assert len(crm.read_quote(DEAL).quote.lines) == 122


def test_an_owner_who_has_left_is_still_the_owner(twin: HubspotTwin, crm: HubspotCrm) -> None:
    twin.rest.owners[0] |= {"archived": True, "userId": None}

    assert crm.read_quote(DEAL).quote.owner_id == "person-hs-7001"


@pytest.mark.parametrize("properties", [{"hubspot_owner_id": ""}, {"deal_desk_billing": ""}, {"dealname": ""}])
def test_a_deal_without_what_a_quote_needs_is_refused(
    twin: HubspotTwin, crm: HubspotCrm, properties: dict[str, str]
) -> None:
    twin.act("edit", {"type": "deals", "id": DEAL, "properties": properties, "user_id": REP})

    with pytest.raises(VendorRefused):
        crm.read_quote(DEAL)


# -- decisions


@pytest.mark.parametrize("source", ["INTEGRATION", "AUTOMATION_PLATFORM", "IMPORT", "API"])
def test_only_a_person_decides_and_no_app_workflow_or_import(twin: HubspotTwin, crm: HubspotCrm, source: str) -> None:
    crm.mirror(DEAL_ID, fields(), [approval()])
    key = f"{DEAL_ID}:1:finance"
    twin.act("decide", {"approval_key": key, "decision": "Reject", "user_id": FINANCE})
    record = twin.records.find(TYPES[APPROVAL_TYPE], key, "approval_key")
    assert record is not None

    twin.records.update(record, {"decision": "Approve"}, Author(source, "77", FINANCE))

    assert crm.read_answer(key) is None
    assert crm.answers_of(DEAL_ID) == []


@pytest.mark.parametrize("name", ["fingerprint", "step", "deal_id", "conditions"])
def test_a_decision_is_void_when_somebody_changes_what_it_was_about(
    twin: HubspotTwin, crm: HubspotCrm, name: str
) -> None:
    crm.mirror(DEAL_ID, fields(), [approval()])
    key = f"{DEAL_ID}:1:finance"
    record = twin.act("decide", {"approval_key": key, "decision": "Approve", "user_id": FINANCE})["id"]
    assert crm.read_answer(key) is not None

    forged = {"type": "deal_desk_approval", "id": record, "properties": {name: "x"}, "user_id": REP}
    twin.act("edit", forged)
    seen = crm.read_answer(key)
    crm.mirror(DEAL_ID, fields(), [approval()])

    assert seen is None
    assert crm.read_answer(key) is None
    twin.act("decide", {"approval_key": key, "decision": "Reject", "user_id": FINANCE})
    answer = crm.read_answer(key)
    assert answer is not None
    assert (answer.approve, answer.fingerprint, answer.step) == (False, "f", "finance")


def test_an_approval_that_somebody_made_by_hand_is_none(twin: HubspotTwin, crm: HubspotCrm) -> None:
    made = {"approval_key": f"{DEAL_ID}:1:finance", "deal_id": DEAL_ID, "step": "finance", "fingerprint": "f"}
    twin.act("create", {"type": "deal_desk_approval", "properties": made, "user_id": REP})
    twin.act("decide", {"approval_key": made["approval_key"], "decision": "Approve", "user_id": FINANCE})

    assert crm.read_answer(made["approval_key"]) is None


def test_a_decision_that_was_taken_back_is_none(twin: HubspotTwin, crm: HubspotCrm) -> None:
    crm.mirror(DEAL_ID, fields(), [approval()])
    key = f"{DEAL_ID}:1:finance"
    twin.act("decide", {"approval_key": key, "decision": "Approve", "user_id": FINANCE})

    twin.act("decide", {"approval_key": key, "decision": "", "user_id": FINANCE})

    assert crm.read_answer(key) is None


def test_whoever_has_left_the_account_answers_without_a_group(twin: HubspotTwin, crm: HubspotCrm) -> None:
    crm.mirror(DEAL_ID, fields(), [approval()])
    key = f"{DEAL_ID}:1:finance"
    twin.act("decide", {"approval_key": key, "decision": "Approve", "user_id": FINANCE})

    twin.rest.owners[1]["archived"] = True

    answer = crm.read_answer(key)
    assert answer is not None
    assert answer.groups == frozenset()


# -- what the desk writes


def test_our_own_write_back_does_not_call_us(
    twin: HubspotTwin, crm: HubspotCrm, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bytes] = []
    twin.webhook_url = "https://desk.example/webhooks/hubspot"
    monkeypatch.setattr(twin.webhooks, "deliver", lambda _url, body, _headers: told.append(body))
    twin.act("submit", {"deal_id": DEAL})

    crm.mirror(DEAL_ID, fields(), [approval()])
    crm.mirror(DEAL_ID, fields(version=2, stage="approved"), [approval(status="Approved")])

    assert len(told) == 1


def test_what_is_there_already_is_not_written_again(twin: HubspotTwin, crm: HubspotCrm) -> None:
    moment = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
    shown = fields(reasons="over the ceiling \n net 40", updated_at=moment)
    crm.mirror(DEAL_ID, shown, [approval(summary="two\nlines ")])
    seen = len(twin.requests)

    crm.mirror(DEAL_ID, shown, [approval(summary="two\nlines ")])

    writes = [(method, path) for method, path in calls(twin, seen) if method == "PATCH" or "upsert" in path]
    assert writes == []


def test_only_what_has_changed_is_written(twin: HubspotTwin, crm: HubspotCrm) -> None:
    crm.mirror(DEAL_ID, fields(), [approval(), approval("executive")])
    seen = len(twin.requests)

    crm.mirror(DEAL_ID, fields(version=2), [approval(), approval("executive", status="Approved")])

    bodies = [json.loads(call.body) for call in twin.requests[seen:] if call.method == "PATCH" or "upsert" in call.path]
    assert bodies[0] == {"properties": {"deal_desk_version": "2"}}
    assert [one["id"] for one in bodies[1]["inputs"]] == [f"{DEAL_ID}:1:executive"]


def test_nothing_is_searched_before_it_is_written_since_the_index_lags(twin: HubspotTwin, crm: HubspotCrm) -> None:
    twin.act("search_lag", {"seconds": 30})

    for _ in range(2):
        crm.mirror(DEAL_ID, fields(), [approval()])
    twin.act("decide", {"approval_key": f"{DEAL_ID}:1:finance", "decision": "Approve", "user_id": FINANCE})

    assert not any(path.endswith("/search") for _, path in calls(twin))
    assert len(crm.answers_of(DEAL_ID)) == 1
    assert crm.read_answer(f"{DEAL_ID}:1:finance") is not None


def test_a_submission_that_the_index_does_not_know_yet_is_found_by_a_later_sweep(
    twin: HubspotTwin, crm: HubspotCrm
) -> None:
    since = datetime.now(UTC) - timedelta(minutes=1)
    twin.act("search_lag", {"seconds": 30})
    twin.act("submit", {"deal_id": DEAL})
    assert crm.submitted_since(since) == []

    twin.clock = lambda: datetime.now(UTC) + timedelta(seconds=31)

    assert [record_id for record_id, _ in crm.submitted_since(since)] == [DEAL]


def test_more_submissions_than_a_page_are_all_found(twin: HubspotTwin, crm: HubspotCrm) -> None:
    since = datetime.now(UTC) - timedelta(minutes=1)
    for number in range(201):
        deal = {"dealname": f"D{number}", "deal_desk_submitted_at": datetime.now(UTC).isoformat()}
        twin.act("create", {"type": "deals", "properties": deal, "user_id": REP})

    assert len({record_id for record_id, _ in crm.submitted_since(since)}) == 201


def test_more_approvals_than_one_batch_takes_are_all_shown_and_linked(twin: HubspotTwin, crm: HubspotCrm) -> None:
    crm.mirror(DEAL_ID, fields(), [approval(f"step-{number}") for number in range(130)])
    for number in (0, 129):
        key = f"{DEAL_ID}:1:step-{number}"
        twin.act("decide", {"approval_key": key, "decision": "Approve", "user_id": FINANCE})

    assert {answer.step for answer in crm.answers_of(DEAL_ID)} == {"step-0", "step-129"}
    assert len(twin.state()["deal_desk_approval"]) == 130


def test_an_approval_that_was_written_and_not_linked_is_linked_by_the_next_mirror(
    twin: HubspotTwin, crm: HubspotCrm
) -> None:
    twin.faults = [Fault("associate/default", "status", status=500)]
    with pytest.raises(VendorUnavailable):
        crm.mirror(DEAL_ID, fields(), [approval()])

    crm.mirror(DEAL_ID, fields(), [approval()])
    twin.act("decide", {"approval_key": f"{DEAL_ID}:1:finance", "decision": "Approve", "user_id": FINANCE})

    assert len(crm.answers_of(DEAL_ID)) == 1


@pytest.mark.parametrize("errors", [[], [SimpleNamespace(message="no room")]])
def test_a_batch_that_hubspot_took_only_in_part_is_tried_again(
    crm: HubspotCrm, monkeypatch: pytest.MonkeyPatch, errors: list[Any]
) -> None:
    monkeypatch.setattr(crm._batch, "upsert", lambda *_, **__: SimpleNamespace(results=[], errors=errors))

    with pytest.raises(VendorUnavailable, match="only part"):
        crm.mirror(DEAL_ID, fields(), [approval()])


# -- failures


def an_error(kind: type[Exception], status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
    error = kind(status=status)  # type: ignore[call-arg]
    error.body, error.headers = json.dumps(body), urllib3.HTTPHeaderDict(headers or {})  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"Retry-After": "17"}, {"policyName": "DAILY"}, 17),
        ({"retry-after": "3"}, {}, 3),
        ({}, {"policyName": "SECONDLY"}, 1),
        ({}, {"policyName": "TEN_SECONDLY_ROLLING"}, 10),
        ({}, {"policyName": "DAILY"}, 900),
        ({}, {}, None),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, {}, None),
    ],
)
def test_a_limit_says_how_long_to_wait(headers: dict[str, str], body: dict[str, Any], seconds: int | None) -> None:
    error = translated(an_error(objects_errors.ApiException, 429, body, headers))

    assert isinstance(error, VendorUnavailable)
    assert error.retry_after_seconds == seconds


def test_the_limit_of_the_account_reaches_the_desk_with_its_policy(twin: HubspotTwin, crm: HubspotCrm) -> None:
    twin.act("limit", {"calls": 3})

    with pytest.raises(VendorUnavailable) as limited:
        crm.read_quote(DEAL)

    assert limited.value.retry_after_seconds == 10


def test_a_locked_record_is_tried_again_after_two_seconds() -> None:
    error = translated(an_error(objects_errors.ApiException, 423, {}))

    assert isinstance(error, VendorUnavailable)
    assert error.retry_after_seconds == 2


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, VendorRefused),
        (401, VendorUnavailable),
        (403, VendorUnavailable),
        (404, Gone),
        (408, VendorUnavailable),
        (409, VendorUnavailable),
        (415, VendorRefused),
        (423, VendorUnavailable),
        (429, VendorUnavailable),
        (500, VendorUnavailable),
        (502, VendorUnavailable),
        (503, VendorUnavailable),
        (504, VendorUnavailable),
        (521, VendorUnavailable),
        (0, VendorUnavailable),
    ],
)
def test_every_status_of_hubspot_has_a_meaning(status: int, kind: type[Exception]) -> None:
    error = translated(an_error(objects_errors.ApiException, status, {"message": "no", "category": "X"}))

    assert type(error) is kind


@pytest.mark.parametrize("module", [objects_errors, owners_errors, links_errors])
def test_every_error_class_of_the_library_is_translated(module: Any) -> None:
    kinds = [kind for _, kind in inspect.getmembers(module, inspect.isclass) if issubclass(kind, Exception)]
    with_status = [kind for kind in kinds if issubclass(kind, module.ApiException)]

    failures = [kind(500) for kind in with_status] + [kind("no") for kind in set(kinds) - set(with_status)]

    assert len(failures) == 10
    assert {type(translated(failure)) for failure in failures} == {VendorUnavailable}


def test_an_error_tells_nothing_of_the_token_or_the_headers() -> None:
    body = {"category": "VALIDATION_ERROR", "message": "Property values were not valid"}
    error = translated(an_error(objects_errors.ApiException, 400, body, {"Set-Cookie": "__cf_bm=private"}))

    assert str(error) == "HubSpot refused: 400 VALIDATION_ERROR Property values were not valid"


def test_a_refused_token_is_the_desks_fault_and_not_the_quotes(twin: HubspotTwin) -> None:
    crm = HubspotCrm(twin.url, access_token="another", approval_type=APPROVAL_TYPE)

    with pytest.raises(VendorUnavailable, match="token"):
        crm.read_quote(DEAL)


def test_a_property_that_the_account_lacks_is_refused_by_name(twin: HubspotTwin, crm: HubspotCrm) -> None:
    with pytest.raises(VendorRefused, match="deal_desk_unknown"):
        crm.mirror(DEAL_ID, fields(unknown="x"), [])


def test_nobody_decides_who_is_no_user(twin: HubspotTwin, crm: HubspotCrm) -> None:
    crm.mirror(DEAL_ID, fields(), [approval()])

    with pytest.raises(Refused):
        twin.act("decide", {"approval_key": f"{DEAL_ID}:1:finance", "decision": "Approve", "user_id": 1})
