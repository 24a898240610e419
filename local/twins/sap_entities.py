"""The entities of S/4HANA's services that the twin has: their properties, as the services' metadata names them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from local.twins.server import Json, Refused

V2_DATE = re.compile(r"/Date\((-?\d+)\)/")
KEY_LENGTH, ITEM_LENGTH = 10, 6


@dataclass(frozen=True, slots=True)
class Entity:
    """`fields` are text lengths, or "date", "bool" or "amount"; `given` are those a caller may set on creation."""

    keys: tuple[str, ...]
    fields: Mapping[str, int | str]
    given: frozenset[str] = frozenset()


SALES_HEADER: dict[str, int | str] = {
    "SalesOrganization": 4, "DistributionChannel": 2, "OrganizationDivision": 2, "SoldToParty": 10,
    "PurchaseOrderByCustomer": 35, "AssignmentReference": 18, "TransactionCurrency": 5, "SDDocumentReason": 3,
    "CustomerPaymentTerms": 4, "PricingDate": "date", "BillingDocumentDate": "date", "ServicesRenderedDate": "date",
    "ReferenceSDDocument": 10, "HeaderBillingBlockReason": 2, "AccountingDocExternalReference": 16,
}  # fmt: skip
SALES_ITEM: dict[str, int | str] = {
    "Material": 40, "PurchaseOrderByCustomer": 35, "RequestedQuantity": "quantity", "RequestedQuantityUnit": 3,
    "ReferenceSDDocument": 10, "ReferenceSDDocumentItem": ITEM_LENGTH,
}  # fmt: skip
PRICE = Entity((), {"ConditionType": 4, "ConditionRateValue": "rate", "ConditionCurrency": 5})


def _sales(name: str, dated: str, extra: Mapping[str, int | str]) -> dict[str, Entity]:
    read_only: dict[str, int | str] = {"TotalNetAmount": "amount", "OverallSDDocumentRejectionSts": 1}
    header = {f"{name}Type": 4, dated: "date", **SALES_HEADER, **extra}
    item = {f"{name}Item": ITEM_LENGTH, f"{name}ItemText": 40, f"{name}ItemCategory": 4, **SALES_ITEM}
    return {
        f"A_{name}": Entity((name,), {name: KEY_LENGTH, **header, **read_only}, frozenset(header)),
        f"A_{name}Item": Entity(
            (name, f"{name}Item"),
            {name: KEY_LENGTH, **item, "NetAmount": "amount", "TransactionCurrency": 5},
            frozenset(item),
        ),
    }


ENTITIES: dict[str, Entity] = {
    **_sales("SalesOrder", "SalesOrderDate", {"PurchaseOrderByShipToParty": 35}),
    **_sales("CreditMemoRequest", "CreditMemoRequestDate", {}),
    "A_BusinessPartner": Entity(
        ("BusinessPartner",),
        {"BusinessPartner": 10, "Customer": 10, "BusinessPartnerFullName": 81, "BusinessPartnerIDByExtSystem": 20},
    ),
    "A_BillingDocument": Entity(
        ("BillingDocument",),
        {
            "BillingDocument": 10, "BillingDocumentType": 4, "SDDocumentCategory": 4, "BillingDocumentDate": "date",
            "BillingDocumentIsCancelled": "bool", "CancelledBillingDocument": 10, "SalesOrganization": 4,
            "SoldToParty": 10, "PurchaseOrderByCustomer": 35, "CustomerPaymentTerms": 4, "TotalNetAmount": "amount",
            "TaxAmount": "amount", "TransactionCurrency": 5, "AccountingTransferStatus": 1, "AccountingDocument": 10,
        },
    ),
    "A_BillingDocumentItem": Entity(
        ("BillingDocument", "BillingDocumentItem"),
        {
            "BillingDocument": 10, "BillingDocumentItem": 6, "SalesDocument": 10, "SalesDocumentItem": 6,
            "Material": 40, "NetAmount": "amount", "TransactionCurrency": 5,
        },
    ),
}  # fmt: skip


def given(entity: Entity, body: object, children: tuple[str, ...]) -> Json:
    """The properties of a creation as the twin keeps them; refuses what the service's metadata does not know."""
    if not isinstance(body, dict):
        raise Refused(400, "/IWBEP/CM_MGW_RT/021", "Invalid payload: an entry must be an object")
    allowed = entity.given or frozenset(entity.fields)
    kept: Json = {}
    for name, value in body.items():
        if name in children:
            continue
        if name not in allowed:
            raise Refused(400, "/IWBEP/CM_MGW_RT/021", f"Property '{name}' is invalid")
        kept[name] = _read(name, entity.fields[name], value)
    return kept


def _read(name: str, kind: int | str, value: Any) -> Any:
    wrong = Refused(400, "CX_SXML_PARSE_ERROR/001", f"Failed to read property '{name}' at offset '0'. Illegal value")
    if not isinstance(value, str):  # V2 sends numbers and dates as text too
        raise wrong
    if isinstance(kind, int):
        if len(value) > kind:
            message = f"Property '{name}' has value '{value}' with length {len(value)}, longer than {kind}"
            raise Refused(400, "/IWBEP/CM_MGW_RT/022", message)
        return value
    if kind == "date":
        found = V2_DATE.fullmatch(value)
        if found is None:
            raise wrong
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(found[1]))).date()
    places = {"quantity": 3, "rate": 9}[kind]
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise wrong from None
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -places:
        raise wrong
    return number


def shown_v2(value: Any) -> Any:
    """A value in the JSON of V2."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):
        return f"/Date({int(datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()) * 1000})/"
    return value
