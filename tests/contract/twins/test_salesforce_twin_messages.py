"""The Salesforce twin tells the desk by outbound messages, and asks again until the acknowledgement is right."""

from typing import Any, Protocol
from xml.etree.ElementTree import Element

import pytest
from defusedxml import ElementTree

from local.twins.salesforce import SalesforceTwin
from local.twins.salesforce_schema import long_id
from local.twins.server import Delivery, Refused

OUTBOUND = "{http://soap.sforce.com/2005/09/outbound}"
SOBJECT = "{urn:sobject.enterprise.soap.sforce.com}"
TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
REN, FIN = long_id("0057F0000000201"), long_id("0057F0000000202")
OPPORTUNITIES = [long_id("0067F0000000101"), long_id("0067F0000000102")]


def ack(answer: str) -> str:
    return (
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
        '<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound">'
        f"<Ack>{answer}</Ack></notificationsResponse></soapenv:Body></soapenv:Envelope>"
    )


class Receiver(Protocol):
    """The product's endpoint of conftest: what it answers, and what it was sent."""

    url: str
    answers: list[tuple[int, str]]
    default: tuple[int, str]
    bodies: list[bytes]
    headers: list[dict[str, str]]


@pytest.fixture
def desk(salesforce: SalesforceTwin, receiver: Receiver) -> Receiver:
    """The desk's endpoint, which acknowledges."""
    receiver.default = (200, ack("true"))
    salesforce.outbound_url = receiver.url
    return receiver


def notifications(body: bytes) -> list[Element]:
    found: list[Element] = ElementTree.fromstring(body).findall(f".//{OUTBOUND}Notification")
    return found


def fields(notification: Element) -> dict[str, str]:
    return {one.tag.removeprefix(SOBJECT): one.text or "" for one in notification[1]}


def test_a_submitted_quote_is_told_in_salesforces_own_structure(salesforce: SalesforceTwin, desk: Receiver) -> None:
    salesforce.act("submit", {"opportunity_id": OPPORTUNITIES[0][:15]})

    assert salesforce.webhooks.drain()
    [body] = desk.bodies
    message = ElementTree.fromstring(body)[0][0]
    assert [one.tag.removeprefix(OUTBOUND) for one in message] == [
        "OrganizationId",
        "ActionId",
        "SessionId",
        "EnterpriseUrl",
        "PartnerUrl",
        "Notification",
    ]
    assert message[0].text == salesforce.organization_id
    [notification] = notifications(body)
    assert (notification[0].text or "")[:3] == "04l"
    assert len(notification[0].text or "") == 18
    assert notification[1].attrib[TYPE] == "sf:Opportunity"
    assert list(fields(notification)) == [
        "Id",
        "AccountId",
        "LastModifiedById",
        "LastModifiedDate",
        "Name",
        "OwnerId",
        "StageName",
        "Submitted_At__c",
    ]
    assert desk.headers[0]["Content-Type"] == "text/xml; charset=UTF-8"
    assert desk.headers[0]["Soapaction"] == '""'


def test_what_is_told_is_what_a_read_finds(salesforce: SalesforceTwin, desk: Receiver, client: Any) -> None:
    salesforce.act("submit", {"opportunity_id": OPPORTUNITIES[0]})

    assert salesforce.webhooks.drain()
    told, read = fields(notifications(desk.bodies[0])[0]), client.Opportunity.get(OPPORTUNITIES[0])
    assert told["Name"] == read["Name"] == "Express <SLA> & more"
    assert told["LastModifiedById"] == read["LastModifiedById"] == REN
    assert told["Submitted_At__c"].replace("Z", "+0000") == read["Submitted_At__c"]


def test_many_quotes_travel_in_one_message(salesforce: SalesforceTwin, desk: Receiver) -> None:
    order = {"opportunity_ids": OPPORTUNITIES, "user_id": FIN, "stage_name": "Proposal"}

    salesforce.act("submit_many", order)

    assert salesforce.webhooks.drain()
    told = notifications(desk.bodies[0])
    assert [fields(one)["Id"] for one in told] == OPPORTUNITIES
    assert {fields(one)["StageName"] for one in told} == {"Proposal"}
    assert len({one[0].text for one in told}) == 2
    assert "AccountId" not in fields(told[1])


def test_more_than_a_hundred_quotes_are_too_many_for_one_message(salesforce: SalesforceTwin) -> None:
    with pytest.raises(Refused):
        salesforce.act("submit_many", {"opportunity_ids": OPPORTUNITIES * 51})


def test_a_decision_is_written_as_the_approver_and_told(
    salesforce: SalesforceTwin, desk: Receiver, client: Any
) -> None:
    client.Deal_Desk_Deal__c.upsert("Deal_Id__c/D-1", {})
    approval = {"Deal__r": {"Deal_Id__c": "D-1"}, "Deal_Id__c": "D-1", "Step__c": "finance"}
    client.Deal_Desk_Approval__c.upsert("Approval_Key__c/k", approval)
    order = {"approval_key": "k", "decision": "Approve", "user_id": FIN, "comment": "fine & good"}

    salesforce.act("decide", order)

    assert salesforce.webhooks.drain()
    kept = client.Deal_Desk_Approval__c.get_by_custom_id("Approval_Key__c", "k")
    assert (kept["Decision__c"], kept["Decided_By__c"], kept["Comment__c"]) == ("Approve", FIN, "fine & good")
    assert kept["Decided_At__c"]
    told = fields(notifications(desk.bodies[0])[0])
    assert told == {
        "Id": kept["Id"],
        "Approval_Key__c": "k",
        "Deal_Id__c": "D-1",
        "LastModifiedById": FIN,
        "LastModifiedDate": told["LastModifiedDate"],
        "Step__c": "finance",
    }


@pytest.mark.parametrize("wrong", [{"decision": "Maybe"}, {"approval_key": "x"}, {"user_id": "0057F0000000999"}])
def test_a_decision_that_nobody_could_make_is_refused(
    salesforce: SalesforceTwin, client: Any, wrong: dict[str, str]
) -> None:
    client.Deal_Desk_Deal__c.upsert("Deal_Id__c/D-1", {})
    client.Deal_Desk_Approval__c.upsert("Approval_Key__c/k", {"Deal__r": {"Deal_Id__c": "D-1"}})

    with pytest.raises(Refused):
        salesforce.act("decide", {"approval_key": "k", "decision": "Reject", "user_id": FIN, **wrong})


@pytest.mark.parametrize(
    "answer",
    [(200, ack("false")), (500, ack("true")), (202, ack("true")), (200, "OK"), (200, ""), (200, "<a/>")],
)
def test_only_a_true_acknowledgement_stops_the_message(
    salesforce: SalesforceTwin, desk: Receiver, answer: tuple[int, str]
) -> None:
    desk.answers = [answer]

    salesforce.act("submit", {"opportunity_id": OPPORTUNITIES[0]})

    assert salesforce.webhooks.drain()
    assert [one.accepted for one in salesforce.webhooks.log] == [False, True]
    assert desk.bodies[0] == desk.bodies[1]


def test_a_duplicate_carries_the_same_notification_id(salesforce: SalesforceTwin, desk: Receiver) -> None:
    salesforce.webhooks.mode = Delivery(duplicate=2)

    salesforce.act("submit", {"opportunity_id": OPPORTUNITIES[0]})

    assert salesforce.webhooks.drain()
    assert len({notifications(body)[0][0].text for body in desk.bodies}) == 1
    assert len(desk.bodies) == 2
