"""Outbound messages: what Salesforce's workflow tells the desk, in SOAP, until it is acknowledged."""

import time
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any
from xml.sax.saxutils import escape

import defusedxml
from defusedxml import ElementTree

from local.twins.salesforce_schema import SObject, long_id

MESSAGE_LIMIT = 100
FIELDS = {
    "Opportunity": (
        "Id",
        "AccountId",
        "LastModifiedById",
        "LastModifiedDate",
        "Name",
        "OwnerId",
        "StageName",
        "Submitted_At__c",
    ),
    "Deal_Desk_Approval__c": (
        "Id",
        "Approval_Key__c",
        "Deal_Id__c",
        "LastModifiedById",
        "LastModifiedDate",
        "Step__c",
    ),
}
ACTION_IDS = {
    "Opportunity": long_id("04k7F0000000001"),
    "Deal_Desk_Approval__c": long_id("04k7F0000000002"),
}
HEADERS = {
    "Content-Type": "text/xml; charset=UTF-8",
    "SOAPAction": '""',
    "User-Agent": "SFDC-OutboundMessage",
}
ACK = ".//{http://soap.sforce.com/2005/09/outbound}Ack"

# Ids go on where an earlier run stopped: the desk remembers every id that it has seen.
_notifications = count(time.time_ns() // 1_000_000 % 10**10)


def acknowledged(status: int, body: bytes) -> bool:
    """Whether the receiver took the whole message: 200 and Ack true, nothing else."""
    if status != 200:
        return False
    try:
        ack = ElementTree.fromstring(body).find(ACK)
    except (ElementTree.ParseError, defusedxml.DefusedXmlException):
        return False
    return ack is not None and (ack.text or "").strip() in ("true", "1")


def envelope(
    organization_id: str,
    host: str,
    sobject: SObject,
    records: Sequence[dict[str, Any]],
    numbers: Iterator[int] | None = None,
) -> bytes:
    """One SOAP message with a notification a record; empty fields are left out.

    `numbers` are for a sender beside the twin, whose notifications must not have the ids of the twin's.
    """
    numbers = numbers or _notifications
    notifications = "".join(_notification(sobject, record, next(numbers)) for record in records)
    partner = f"{host}/services/Soap/{{}}/62.0/{organization_id[:15]}"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:xsd="http://www.w3.org/2001/XMLSchema"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
        '<notifications xmlns="http://soap.sforce.com/2005/09/outbound">'
        f"<OrganizationId>{escape(organization_id)}</OrganizationId>"
        f"<ActionId>{ACTION_IDS[sobject.name]}</ActionId>"
        '<SessionId xsi:nil="true"/>'
        f"<EnterpriseUrl>{escape(partner.format('c'))}</EnterpriseUrl>"
        f"<PartnerUrl>{escape(partner.format('u'))}</PartnerUrl>"
        f"{notifications}</notifications></soapenv:Body></soapenv:Envelope>"
    ).encode()


def _notification(sobject: SObject, record: dict[str, Any], number: int) -> str:
    fields = "".join(
        f"<sf:{name}>{_text(record[name], sobject.fields[name].kind)}</sf:{name}>"
        for name in FIELDS[sobject.name]
        if record[name] is not None
    )
    return (
        f"<Notification><Id>{long_id(f'04l7F{number:010d}')}</Id>"
        f'<sObject xsi:type="sf:{sobject.name}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">'
        f"{fields}</sObject></Notification>"
    )


def _text(value: Any, kind: str) -> str:
    return escape(str(value).replace("+0000", "Z") if kind == "datetime" else str(value))
