"""The Salesforce twin signs in and answers queries as Salesforce does, judged by the desk's own client."""

from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import jwt
import pytest
import requests
from simple_salesforce.exceptions import SalesforceMalformedRequest, SalesforceResourceNotFound
from simple_salesforce.format import format_soql

from local.twins.salesforce import SalesforceTwin
from local.twins.salesforce_schema import as_id, long_id


class Statuses(Protocol):
    """The session beneath the client, of which a test asks the statuses of its answers."""

    statuses: list[int]


GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def sign_in(twin: SalesforceTwin, private_key: str, grant: str = GRANT, **changed: object) -> requests.Response:
    claims = {
        "iss": "3MVG9.deal-desk",
        "sub": "desk@acme.example",
        "aud": "https://login.salesforce.com",
        "exp": datetime.now(UTC) + timedelta(minutes=3),
    }
    assertion = jwt.encode({**claims, **changed}, private_key, algorithm="RS256")
    form = {"grant_type": grant, "assertion": assertion}
    return requests.post(f"{twin.url}/services/oauth2/token", data=form, timeout=5)


def test_a_signed_assertion_opens_a_session(salesforce: SalesforceTwin, key_pair: tuple[str, str]) -> None:
    answer = sign_in(salesforce, key_pair[0]).json()

    assert answer["token_type"] == "Bearer"
    assert answer["instance_url"] == salesforce.url
    assert answer["id"].endswith(f"{salesforce.organization_id}/{salesforce.login.user_id}")
    assert {"access_token", "scope"} <= answer.keys()


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"iss": "someone"}, "invalid_client_id"),
        ({"sub": "stranger@acme.example"}, "invalid_grant"),
        ({"aud": "https://example.com"}, "invalid_grant"),
        ({"exp": 1}, "invalid_grant"),
        ({"grant": "password"}, "unsupported_grant_type"),
    ],
)
def test_a_wrong_claim_opens_no_session(
    salesforce: SalesforceTwin, key_pair: tuple[str, str], changed: dict[str, str], error: str
) -> None:
    answer = sign_in(salesforce, key_pair[0], **changed)

    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert answer.json()["error_description"]


def test_an_assertion_signed_with_another_key_opens_no_session(salesforce: SalesforceTwin) -> None:
    form = {"grant_type": GRANT, "assertion": jwt.encode({"iss": "x"}, "k" * 32, algorithm="HS256")}

    answer = requests.post(f"{salesforce.url}/services/oauth2/token", data=form, timeout=5)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_a_session_that_ended_is_refused(client: Any, salesforce: SalesforceTwin) -> None:
    salesforce.login.tokens.clear()

    answer = requests.get(
        f"{salesforce.url}/services/data/v62.0/query",
        params={"q": "SELECT Id FROM Account"},
        headers={"Authorization": f"Bearer {client.session_id}"},
        timeout=5,
    )

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")


def test_the_desks_client_signs_in_again_after_its_session_ended(
    client: Any, salesforce: SalesforceTwin, session: Statuses
) -> None:
    salesforce.login.tokens.clear()

    assert client.query("SELECT Id FROM Account")["totalSize"] == 1
    assert session.statuses[-3:] == [401, 200, 200]


def test_a_query_walks_relationships_and_numbers_are_floats(client: Any) -> None:
    [found] = client.query(
        "SELECT Id, Amount, Account.Name, Owner.Email, Signer_Contact__r.Email, CreatedDate FROM Opportunity "
        "WHERE Account.BillingCountryCode = 'us' AND New_Logo__c = false AND Amount IN (120000, 5)"
    )["records"]

    assert found["attributes"]["type"] == "Opportunity"
    assert found["attributes"]["url"].endswith(f"/sobjects/Opportunity/{found['Id']}")
    assert isinstance(found["Amount"], float)
    assert found["Account"]["Name"] == "Express & Logistics"
    assert found["Owner"]["Email"] == "ren@acme.example"
    assert found["Signer_Contact__r"]["Email"] == "zoe@express.example"
    assert found["CreatedDate"].endswith(".000+0000")


def test_an_empty_relationship_is_null(client: Any) -> None:
    [found] = client.query("SELECT Account.Name FROM Opportunity WHERE AccountId = null")["records"]

    assert found["Account"] is None


def test_members_are_found_by_the_name_of_their_group(client: Any) -> None:
    [found] = client.query("SELECT UserOrGroupId FROM GroupMember WHERE Group.DeveloperName = 'Deal_Desk_Finance'")[
        "records"
    ]

    assert found["UserOrGroupId"] == long_id("0057F0000000202")


def test_escaped_quotes_are_read_back(client: Any) -> None:
    found = client.query(format_soql("SELECT Id FROM Opportunity WHERE Name = {}", "O'Neil renewal"))

    assert found["totalSize"] == 1


def test_ids_of_fifteen_and_eighteen_characters_are_the_same(client: Any) -> None:
    short = "0067F0000000101"

    for one in (short, long_id(short)):
        assert client.query(f"SELECT Name FROM Opportunity WHERE Id = '{one}'")["totalSize"] == 1
        assert client.Opportunity.get(one)["Id"] == long_id(short)


@pytest.mark.parametrize("known", ["00D7F00000107XsUAI", "0067F000003pmdWQAQ", "0017F000007ydJmQAI"])
def test_the_checksum_of_an_id_is_salesforces_own(known: str) -> None:
    assert as_id(known[:15]) == as_id(known) == known
    assert as_id(known[:15] + "AAA") is None


def test_order_and_limit_hold(client: Any) -> None:
    def amounts(rest: str) -> list[float]:
        found = client.query(f"SELECT Amount FROM Opportunity {rest}")["records"]
        return [one["Amount"] for one in found]

    assert amounts("ORDER BY Amount") == [10.0, 120000.0]
    assert amounts("ORDER BY Amount DESC LIMIT 1") == [120000.0]


def test_more_than_two_thousand_records_come_in_pages(client: Any, salesforce: SalesforceTwin) -> None:
    salesforce.load({"Account": [{"Name": f"Account {number}"} for number in range(2_001)]})

    first = client.query("SELECT Id FROM Account")
    second = client.query_more(first["nextRecordsUrl"], identifier_is_url=True)

    assert (first["totalSize"], first["done"], len(first["records"])) == (2_002, False, 2_000)
    assert (second["done"], len(second["records"])) == (True, 2)


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT FROM Opportunity", "MALFORMED_QUERY"),
        ("SELECT Id Opportunity", "MALFORMED_QUERY"),
        ("SELECT Id FROM Opportunity WHERE Name = 'O'Neil'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Opportunity WHERE Name = 'O\\qNeil'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Opportunity WHERE Name", "MALFORMED_QUERY"),
        ('SELECT Id FROM Opportunity WHERE Name = "x"', "MALFORMED_QUERY"),
        ("SELECT Id FROM Opportunity WHERE Name IN 'x'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Opportunity LIMIT x", "MALFORMED_QUERY"),
        ("SELECT Id FROM Opportunity GROUP BY Id", "MALFORMED_QUERY"),
        ("SELECT Id FROM Quote", "INVALID_TYPE"),
        ("SELECT Id, Colour__c FROM Opportunity", "INVALID_FIELD"),
        ("SELECT Owner.Colour__c FROM Opportunity", "INVALID_FIELD"),
        ("SELECT Boss.Name FROM Opportunity", "INVALID_FIELD"),
        ("SELECT Id, Id FROM Opportunity", "INVALID_FIELD"),
        ("SELECT Id FROM Opportunity WHERE Colour__c = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM Opportunity WHERE Amount = '10'", "INVALID_FIELD"),
        ("SELECT Id FROM Opportunity WHERE Name = 10", "INVALID_FIELD"),
        ("SELECT Id FROM Opportunity ORDER BY Colour__c", "INVALID_FIELD"),
        ("SELECT Id FROM Deal_Desk_Deal__c WHERE Reasons__c = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM Opportunity WHERE Id = 'D-1'", "INVALID_QUERY_FILTER_OPERATOR"),
    ],
)
def test_a_query_that_salesforce_would_refuse_is_refused(client: Any, soql: str, code: str) -> None:
    with pytest.raises(SalesforceMalformedRequest, match=f"'errorCode': '{code}'"):
        client.query(soql)


def test_an_unknown_record_and_an_unknown_object_are_not_found(client: Any) -> None:
    for missing in (client.Opportunity, client.Quote):
        with pytest.raises(SalesforceResourceNotFound):
            missing.get("0067F0000000999")


def test_a_read_can_ask_for_some_fields(client: Any) -> None:
    found = client.Opportunity.get("0067F0000000101", params={"fields": "Id,Name"})

    assert found.keys() == {"attributes", "Id", "Name"}


def test_every_answer_tells_the_api_usage(client: Any) -> None:
    client.query("SELECT Id FROM Account")

    assert client.api_usage["api-usage"].total == 100_000
