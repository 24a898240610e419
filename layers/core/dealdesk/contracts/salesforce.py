"""Salesforce's outbound message: up to 100 notifications in one SOAP envelope, answered by one Ack.

Source: Salesforce, "Outbound Messaging Notifications" and its WSDL.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from dealdesk.contracts.salesforce_ids import ID, long_id
from dealdesk.errors import Malformed

_OUTBOUND = "{http://soap.sforce.com/2005/09/outbound}"
_SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
MOST_NOTIFICATIONS = 100


@dataclass(frozen=True, slots=True)
class Notification:
    """One record that changed; `fields` are those that the outbound message was set up to send."""

    id: str
    object_type: str
    record_id: str
    fields: dict[str, str]

    def moment(self, field: str) -> datetime | None:
        """The field as an aware time; raises `Malformed` when it is none."""
        text = self.fields.get(field)
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise Malformed(f"{field} of {self.record_id} is not a time: {text[:40]!r}") from None
        if moment.tzinfo is None:
            raise Malformed(f"{field} of {self.record_id} has no time zone: {text[:40]!r}")
        return moment


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    organization_id: str
    notifications: tuple[Notification, ...]


def parse_outbound(body: bytes) -> OutboundMessage:
    """Raises `Malformed` for anything but one well-formed outbound message; entities are refused."""
    try:
        root = fromstring(body, forbid_dtd=True)
    except DefusedXmlException:
        raise Malformed("the message declares a DTD or entities, which are not accepted") from None
    except (ParseError, ValueError, LookupError) as error:
        raise Malformed(f"the message is not well-formed XML: {error}") from None
    message = root.find(f"{_SOAP}Body/{_OUTBOUND}notifications")
    if root.tag != f"{_SOAP}Envelope" or message is None:
        raise Malformed("the message is no SOAP envelope with outbound notifications")
    notifications = tuple(_notification(element) for element in message.findall(f"{_OUTBOUND}Notification"))
    if not 1 <= len(notifications) <= MOST_NOTIFICATIONS:
        raise Malformed(f"a message has 1 to {MOST_NOTIFICATIONS} notifications, not {len(notifications)}")
    return OutboundMessage(_salesforce_id(message, "OrganizationId"), notifications)


def acknowledgement(accepted: bool) -> str:
    return _envelope(
        '<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound">'
        f"<Ack>{'true' if accepted else 'false'}</Ack></notificationsResponse>"
    )


def fault(code: str, text: str) -> str:
    """A SOAP 1.1 fault; `code` is `Client` or `Server`."""
    return _envelope(
        f"<soapenv:Fault><faultcode>soapenv:{code}</faultcode><faultstring>{escape(text)}</faultstring></soapenv:Fault>"
    )


def _envelope(body: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">'
        f"<soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    )


def _notification(element: Element) -> Notification:
    record = element.find(f"{_OUTBOUND}sObject")
    if record is None:
        raise Malformed("a notification has no sObject")
    object_type = (record.get(_TYPE) or "").rpartition(":")[2]
    fields = {child.tag.rpartition("}")[2]: (child.text or "").strip() for child in record}
    record_id = fields.get("Id", "")
    if not object_type or not ID.fullmatch(record_id):
        raise Malformed("a notification's sObject needs an xsi:type and an Id of 15 or 18 letters and digits")
    return Notification(_salesforce_id(element, "Id"), object_type, long_id(record_id), fields)


def _salesforce_id(parent: Element, name: str) -> str:
    text = (parent.findtext(f"{_OUTBOUND}{name}") or "").strip()
    if not ID.fullmatch(text):
        raise Malformed(f"{name} is no Salesforce id of 15 or 18 letters and digits")
    return text
