"""The Salesforce objects the desk reads and writes: standard ones trimmed, and the desk's own two."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

Kind = Literal["id", "string", "email", "long", "double", "int", "boolean", "date", "datetime", "reference"]

TEXT_LIMIT = 255
LONG_TEXT_LIMIT = 32_768
CHECKSUM_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)")


@dataclass(frozen=True, slots=True)
class Field:
    """One field; `refers_to` names the objects a reference may point at, `path` how SOQL walks along it."""

    name: str
    kind: Kind
    refers_to: tuple[str, ...] = ()
    path: str = ""
    required: bool = False
    read_only: bool = False
    external_id: bool = False

    @property
    def limit(self) -> int | None:
        """Characters that fit, for text."""
        return {"string": TEXT_LIMIT, "email": 80, "long": LONG_TEXT_LIMIT}.get(self.kind)


@dataclass(frozen=True, slots=True)
class SObject:
    """One object type; its ids start with `prefix`."""

    name: str
    prefix: str
    fields: dict[str, Field]

    def field(self, name: str) -> Field | None:
        """The field of that name; Salesforce ignores the case."""
        return next((field for field in self.fields.values() if field.name.lower() == name.lower()), None)

    def reference(self, path: str) -> Field | None:
        """The reference that a relationship name such as `Account` or `Deal__r` walks along."""
        fields = self.fields.values()
        return next((field for field in fields if field.path and field.path.lower() == path.lower()), None)


def _reference(name: str, *refers_to: str, required: bool = False, read_only: bool = False) -> Field:
    path = name.removesuffix("__c") + "__r" if name.endswith("__c") else name.removesuffix("Id")
    return Field(name, "reference", refers_to, path, required=required, read_only=read_only)


def _fields(kind: Kind, *names: str, required: bool = False) -> Iterator[Field]:
    return (Field(name, kind, required=required) for name in names)


def _sobject(name: str, prefix: str, *fields: Field) -> SObject:
    system = (
        Field("Id", "id", read_only=True),
        Field("CreatedDate", "datetime", read_only=True),
        Field("LastModifiedDate", "datetime", read_only=True),
        Field("SystemModstamp", "datetime", read_only=True),
        _reference("CreatedById", "User", read_only=True),
        _reference("LastModifiedById", "User", read_only=True),
    )
    return SObject(name, prefix, {field.name: field for field in (*system, *fields)})


_OBJECTS = (
    _sobject(
        "Opportunity",
        "006",
        *_fields("string", "Name", "StageName", required=True),
        *_fields("string", "CurrencyIsoCode", "Risk_Tier__c", "Segment__c", "Region__c", "Billing_Frequency__c"),
        *_fields("string", "Signature_Provider__c", "Payment_Provider__c", "Ledger__c"),
        *_fields("double", "Amount", "Payment_Terms_Days__c", "Term_Months__c"),
        *_fields("boolean", "New_Logo__c"),
        *_fields("date", "CloseDate", "Quote_Valid_Until__c"),
        *_fields("datetime", "Submitted_At__c"),
        _reference("AccountId", "Account"),
        _reference("OwnerId", "User"),
        _reference("Signer_Contact__c", "Contact"),
    ),
    _sobject(
        "OpportunityLineItem",
        "00k",
        _reference("OpportunityId", "Opportunity", required=True),
        *_fields("string", "ProductCode", "Charge_Type__c"),
        *_fields("double", "Quantity", "UnitPrice", required=True),
        *_fields("double", "ListPrice", "Periods__c", "Unit_Cost__c"),
        *_fields("int", "SortOrder"),
    ),
    _sobject("Account", "001", *_fields("string", "Name", required=True), *_fields("string", "BillingCountryCode")),
    _sobject(
        "Contact",
        "003",
        *_fields("string", "Name", required=True),
        *_fields("email", "Email"),
        _reference("AccountId", "Account"),
    ),
    _sobject(
        "User",
        "005",
        *_fields("string", "Name", required=True),
        *_fields("email", "Email", required=True),
        *_fields("boolean", "IsActive"),
    ),
    _sobject("Group", "00G", *_fields("string", "DeveloperName", required=True), *_fields("string", "Name")),
    _sobject(
        "GroupMember",
        "011",
        _reference("GroupId", "Group", required=True),
        _reference("UserOrGroupId", "User", "Group", required=True),
    ),
    _sobject(
        "Deal_Desk_Deal__c",
        "a0D",
        Field("Name", "string", read_only=True),
        Field("Deal_Id__c", "string", required=True, external_id=True),
        _reference("Opportunity__c", "Opportunity"),
        _reference("OwnerId", "User", "Group"),
        *_fields("string", "Stage__c", "Outcome__c", "Waiting_For__c", "Fingerprint__c", "Envelope_Id__c"),
        *_fields("string", "Payment_Status__c", "Payment_Link__c", "Invoice_Status__c", "Invoice_Number__c"),
        *_fields("long", "Reasons__c", "What_Would_Pass__c"),
        *_fields("double", "Version__c"),
        *_fields("datetime", "Updated_At__c"),
    ),
    _sobject(
        "Deal_Desk_Approval__c",
        "a0E",
        Field("Name", "string", read_only=True),
        Field("Approval_Key__c", "string", required=True, external_id=True),
        _reference("Deal__c", "Deal_Desk_Deal__c", required=True),
        *_fields("string", "Deal_Id__c", "Step__c", "Label__c", "Fingerprint__c", "Status__c", "Decision__c"),
        *_fields("long", "Summary__c", "Comment__c", "Conditions__c"),
        _reference("Decided_By__c", "User"),
        *_fields("datetime", "Decided_At__c"),
    ),
)
SCHEMA: dict[str, SObject] = {sobject.name: sobject for sobject in _OBJECTS}


def long_id(short_id: str) -> str:
    """The 18-character form of a 15-character id: three letters say which characters are capitals."""
    chunks = (short_id[at : at + 5] for at in (0, 5, 10))
    bits = (sum(1 << at for at, letter in enumerate(chunk) if "A" <= letter <= "Z") for chunk in chunks)
    return short_id + "".join(CHECKSUM_ALPHABET[value] for value in bits)


def as_id(text: Any) -> str | None:
    """The 18-character id that a 15- or 18-character one means; None where it is no id."""
    if not isinstance(text, str) or not text.isascii() or not text.isalnum() or len(text) not in (15, 18):
        return None
    full = long_id(text[:15])
    return full if len(text) == 15 or text == full else None


def as_moment(text: Any) -> datetime | None:
    """The UTC moment of an ISO 8601 text with an offset, else None."""
    if not isinstance(text, str) or not DATETIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None


def as_date(text: Any) -> str | None:
    """The text where it is a calendar date as YYYY-MM-DD, else None."""
    if not isinstance(text, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None


def rest_datetime(moment: datetime) -> str:
    """A moment as the REST API writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}+0000"
