"""The Salesforce twin accepts and refuses writes as Salesforce does, judged by the client that the desk uses."""

from datetime import UTC, datetime
from typing import Any

import pytest
from simple_salesforce.exceptions import (
    SalesforceError,
    SalesforceGeneralError,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceResourceNotFound,
)

from local.twins.salesforce import SalesforceTwin
from local.twins.salesforce_schema import long_id
from local.twins.server import Fault

FIN = long_id("0057F0000000202")
OPPORTUNITY = long_id("0067F0000000101")


def upsert_deal(client: Any, deal_id: str = "D-1", **fields: Any) -> Any:
    return client.Deal_Desk_Deal__c.upsert(f"Deal_Id__c/{deal_id}", fields, raw_response=True)


def a_deal(client: Any, deal_id: str = "D-1") -> Any:
    return client.Deal_Desk_Deal__c.get_by_custom_id("Deal_Id__c", deal_id)


def first_error(refused: SalesforceError) -> dict[str, Any]:
    errors: Any = refused.content
    return dict(errors[0])


def refusal(client: Any, **fields: Any) -> dict[str, Any]:
    with pytest.raises(SalesforceMalformedRequest) as refused:
        upsert_deal(client, **fields)
    return first_error(refused.value)


def test_an_upsert_creates_once_and_then_updates(client: Any, salesforce: SalesforceTwin) -> None:
    first = upsert_deal(client, Stage__c="quoted", Version__c=1, Opportunity__c=OPPORTUNITY[:15])
    second = upsert_deal(client, Stage__c="signed", Version__c=2)

    assert (first.status_code, first.json()["created"], first.json()["success"]) == (201, True, True)
    assert (second.status_code, second.json()["created"]) == (200, False)
    assert first.json()["id"] == second.json()["id"]
    kept = a_deal(client)
    assert (kept["Stage__c"], kept["Version__c"], kept["Opportunity__c"]) == ("signed", 2.0, OPPORTUNITY)
    assert kept["LastModifiedById"] == salesforce.login.user_id


def test_a_key_with_reserved_characters_is_one_key(client: Any) -> None:
    upsert_deal(client, "D%2F1%3Aa", Stage__c="quoted")

    assert a_deal(client, "D/1:a")["Deal_Id__c"] == "D/1:a"


def test_a_datetime_is_kept_in_utc(client: Any) -> None:
    upsert_deal(client, Updated_At__c="2026-11-22T22:00:00+02:00")

    assert a_deal(client)["Updated_At__c"] == "2026-11-22T20:00:00.000+0000"


def test_several_matches_are_not_guessed_between(client: Any, salesforce: SalesforceTwin) -> None:
    salesforce.load({"Deal_Desk_Deal__c": [{"Deal_Id__c": "D-2"}, {"Deal_Id__c": "D-2"}]})

    with pytest.raises(SalesforceMoreThanOneRecord) as refused:
        upsert_deal(client, "D-2", Stage__c="quoted")

    assert len(refused.value.content) == 2


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Colour__c": "red"}, "INVALID_FIELD"),
        ({"Deal_Id__c": "D-1"}, "INVALID_FIELD"),
        ({"Id": "a0D7F0000000001"}, "INVALID_FIELD"),
        ({"LastModifiedById": FIN}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"Name": "x"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"Version__c": "2"}, "JSON_PARSER_ERROR"),
        ({"Version__c": True}, "JSON_PARSER_ERROR"),
        ({"Stage__c": 5}, "JSON_PARSER_ERROR"),
        ({"Updated_At__c": "2026-11-22 20:00"}, "JSON_PARSER_ERROR"),
        ({"Updated_At__c": "2026-11-22T20:00:00"}, "JSON_PARSER_ERROR"),
        ({"Updated_At__c": "2026-13-22T20:00:00Z"}, "JSON_PARSER_ERROR"),
        ({"Stage__c": "x" * 256}, "STRING_TOO_LONG"),
        ({"Reasons__c": "x" * 32_769}, "STRING_TOO_LONG"),
        ({"Opportunity__c": "D-1"}, "MALFORMED_ID"),
        ({"Opportunity__c": OPPORTUNITY[:15] + "AAA"}, "MALFORMED_ID"),
        ({"Opportunity__c": FIN}, "FIELD_INTEGRITY_EXCEPTION"),
        ({"Opportunity__c": "0067F0000000999"}, "INVALID_CROSS_REFERENCE_KEY"),
        ({"Opportunity__r": {"Name": "x"}}, "INVALID_FIELD"),
    ],
)
def test_a_write_that_salesforce_would_refuse_is_refused(client: Any, fields: dict[str, Any], code: str) -> None:
    error = refusal(client, **fields)

    assert error["errorCode"] == code
    assert error["message"]


def test_text_of_the_greatest_length_fits(client: Any) -> None:
    assert upsert_deal(client, Stage__c="x" * 255, Reasons__c="x" * 32_768).status_code == 201


def test_a_refused_write_changes_nothing(client: Any) -> None:
    upsert_deal(client, Stage__c="quoted")

    refusal(client, Stage__c="signed", Version__c="two")

    assert a_deal(client)["Stage__c"] == "quoted"


def test_a_boolean_is_no_text_and_a_date_is_no_datetime(client: Any) -> None:
    for fields in ({"New_Logo__c": "true"}, {"Quote_Valid_Until__c": "2026-02-30"}):
        with pytest.raises(SalesforceMalformedRequest, match="JSON_PARSER_ERROR"):
            client.Opportunity.update(OPPORTUNITY, fields)

    assert client.Opportunity.update(OPPORTUNITY, {"New_Logo__c": True, "Amount": 1.5}) == 204


def test_a_missing_field_is_named(client: Any) -> None:
    with pytest.raises(SalesforceMalformedRequest) as refused:
        client.Opportunity.create({"Name": "x"})

    assert first_error(refused.value)["errorCode"] == "REQUIRED_FIELD_MISSING"
    assert first_error(refused.value)["fields"] == ["StageName"]


def test_a_required_field_can_not_be_cleared(client: Any) -> None:
    with pytest.raises(SalesforceMalformedRequest, match="REQUIRED_FIELD_MISSING"):
        client.Opportunity.update(OPPORTUNITY, {"Name": None})


def test_an_external_id_is_unique(client: Any) -> None:
    client.Deal_Desk_Deal__c.create({"Deal_Id__c": "D-1"})

    with pytest.raises(SalesforceMalformedRequest, match="DUPLICATE_VALUE"):
        client.Deal_Desk_Deal__c.create({"Deal_Id__c": "D-1"})


def test_only_an_external_id_can_key_an_upsert(client: Any) -> None:
    with pytest.raises(SalesforceResourceNotFound):
        client.Deal_Desk_Deal__c.upsert("Stage__c/quoted", {"Version__c": 1})


def test_an_approval_finds_its_deal_by_the_deals_external_id(client: Any) -> None:
    made = upsert_deal(client, Stage__c="quoted").json()["id"]

    client.Deal_Desk_Approval__c.upsert("Approval_Key__c/D-1:finance", {"Deal__r": {"Deal_Id__c": "D-1"}})

    found = client.query("SELECT Deal__c, Deal__r.Stage__c FROM Deal_Desk_Approval__c")["records"][0]
    assert (found["Deal__c"], found["Deal__r"]["Stage__c"]) == (made, "quoted")


def test_an_approval_of_an_unknown_deal_is_refused(client: Any) -> None:
    with pytest.raises(SalesforceMalformedRequest, match="Foreign key external ID"):
        client.Deal_Desk_Approval__c.upsert("Approval_Key__c/k", {"Deal__r": {"Deal_Id__c": "D-9"}})


def test_an_approval_needs_a_deal(client: Any) -> None:
    with pytest.raises(SalesforceMalformedRequest, match="REQUIRED_FIELD_MISSING"):
        client.Deal_Desk_Approval__c.upsert("Approval_Key__c/k", {"Step__c": "finance"})


def composite(client: Any, all_or_none: bool, *parts: dict[str, Any]) -> list[dict[str, Any]]:
    body = {"allOrNone": all_or_none, "compositeRequest": list(parts)}
    answers: list[dict[str, Any]] = client.restful("composite", method="POST", json=body)["compositeResponse"]
    return answers


def a_part(name: str, path: str, **fields: Any) -> dict[str, Any]:
    return {
        "method": "PATCH",
        "url": f"/services/data/v62.0/sobjects/{path}",
        "referenceId": name,
        "body": fields,
    }


def test_a_composite_writes_all_and_hands_ids_on(client: Any) -> None:
    answers = composite(
        client,
        True,
        a_part("deal", "Deal_Desk_Deal__c/Deal_Id__c/D-1", Stage__c="quoted"),
        a_part("step", "Deal_Desk_Approval__c/Approval_Key__c/D-1:finance", Deal__c="@{deal.id}"),
    )

    assert [(one["referenceId"], one["httpStatusCode"]) for one in answers] == [("deal", 201), ("step", 201)]


@pytest.mark.parametrize(("all_or_none", "kept"), [(True, 0), (False, 1)])
def test_a_failed_part_undoes_the_others_only_if_asked(client: Any, all_or_none: bool, kept: int) -> None:
    good, bad = composite(
        client,
        all_or_none,
        a_part("good", "Deal_Desk_Deal__c/Deal_Id__c/D-1", Stage__c="quoted"),
        a_part("bad", "Deal_Desk_Deal__c/Deal_Id__c/D-2", Colour__c="red"),
    )

    assert client.query("SELECT Id FROM Deal_Desk_Deal__c")["totalSize"] == kept
    assert (bad["httpStatusCode"], bad["body"][0]["errorCode"]) == (400, "INVALID_FIELD")
    if all_or_none:
        assert (good["httpStatusCode"], good["body"][0]["errorCode"]) == (400, "PROCESSING_HALTED")


def test_a_composite_of_too_many_parts_is_refused(client: Any) -> None:
    part = a_part("deal", "Deal_Desk_Deal__c/Deal_Id__c/D-1")

    with pytest.raises(SalesforceMalformedRequest):
        composite(client, True, *[part] * 26)


def test_a_person_edits_as_themselves_and_in_whole_seconds(client: Any, salesforce: SalesforceTwin) -> None:
    salesforce.clock = lambda: datetime(2026, 11, 22, 20, 0, 0, 999_000, UTC)
    order = {"type": "Opportunity", "id": OPPORTUNITY, "fields": {"Amount": 99000}, "user_id": FIN}

    salesforce.act("edit", order)

    found = client.Opportunity.get(OPPORTUNITY)
    assert (found["Amount"], found["LastModifiedById"]) == (99000.0, FIN)
    assert found["LastModifiedDate"] == found["SystemModstamp"] == "2026-11-22T20:00:00.000+0000"
    assert found["CreatedDate"] != found["LastModifiedDate"]


def test_a_locked_row_looks_like_salesforces_own(client: Any, salesforce: SalesforceTwin) -> None:
    salesforce.faults = [Fault("PATCH", "status", 400, code="UNABLE_TO_LOCK_ROW", message="unable to lock")]

    assert refusal(client, Stage__c="quoted")["errorCode"] == "UNABLE_TO_LOCK_ROW"


def test_a_lost_answer_has_written_and_the_same_upsert_heals_it(client: Any, salesforce: SalesforceTwin) -> None:
    salesforce.faults = [Fault("PATCH", "drop_answer")]

    with pytest.raises(SalesforceGeneralError):
        upsert_deal(client, Stage__c="quoted")

    assert upsert_deal(client, Stage__c="quoted").status_code == 200


def test_a_reset_leaves_what_was_loaded(client: Any, salesforce: SalesforceTwin) -> None:
    upsert_deal(client, Stage__c="quoted")
    client.Opportunity.update(OPPORTUNITY, {"Amount": 1})

    salesforce.reset()

    assert salesforce.state()["Deal_Desk_Deal__c"] == []
    assert salesforce.records.tables["Opportunity"][OPPORTUNITY]["Amount"] == 120000.0
