"""The QuickBooks twin's books: what makes a document or a customer acceptable, and what is kept of it."""

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NoReturn

from local.twins.server import Json, Refused

CENT = Decimal("0.01")
HOME_CURRENCY = "USD"
DOC_NUMBER_LIMIT = 21
NET_DAYS = 30
INVOICE_FIELDS = {
    "CustomerRef", "Line", "DocNumber", "TxnDate", "DueDate", "CurrencyRef", "PrivateNote", "CustomerMemo",
    "CustomField", "BillEmail", "BillAddr", "EmailStatus", "SalesTermRef", "ExchangeRate", "sparse",
}  # fmt: skip
CREDIT_MEMO_FIELDS = INVOICE_FIELDS - {"DueDate", "SalesTermRef"}
LINE_FIELDS = {"Id", "LineNum", "Description", "Amount", "DetailType", "SalesItemLineDetail"}
DETAIL_FIELDS = {"ItemRef", "Qty", "UnitPrice", "ServiceDate", "TaxCodeRef", "ClassRef"}
CUSTOMER_FIELDS = {
    "DisplayName", "CompanyName", "GivenName", "FamilyName", "PrimaryEmailAddr", "PrimaryPhone", "BillAddr",
    "CurrencyRef", "Notes",
}  # fmt: skip


class Books:
    """Customers, items, invoices and credit memos of one company, by id."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.tables: dict[str, dict[str, Json]] = {}
        self._now = now
        self.clear()

    def clear(self) -> None:
        """Empty the books."""
        self.tables = {"Customer": {}, "Item": {}, "Invoice": {}, "CreditMemo": {}}
        self.closed_through = date.min
        self.tax_percent = Decimal(0)

    def keep(self, entity: str, fields: Json) -> Json:
        """Store a new object as it is, with its id and version."""
        stamp = self._now().isoformat(timespec="seconds")
        made = str(max((int(one) for table in self.tables.values() for one in table), default=0) + 1)
        meta = {"CreateTime": stamp, "LastUpdatedTime": stamp}
        kept = {"Id": made, "SyncToken": "0", "sparse": False, "MetaData": meta, **fields}
        self.tables[entity][kept["Id"]] = kept
        return kept

    def change(self, entity: str, record: Json, fields: Json) -> Json:
        """Change an object: its version goes up by one."""
        record.update(fields)
        record["SyncToken"] = str(int(record["SyncToken"]) + 1)
        record["MetaData"] = {
            **record["MetaData"],
            "LastUpdatedTime": self._now().isoformat(timespec="seconds"),
        }
        self.tables[entity][record["Id"]] = record
        return record

    def find(self, entity: str, record_id: Any) -> Json:
        """The object, or 610 Object Not Found."""
        if record_id not in self.tables[entity]:
            raise Refused(
                400,
                "610",
                f"Object Not Found : Something you're trying to use has been made inactive: {record_id}",
            )
        return self.tables[entity][record_id]

    def add_customer(self, body: Json) -> Json:
        """A new customer; its display name is unique in the company."""
        _only(body, CUSTOMER_FIELDS)
        name = _text(body, "DisplayName", 500)
        if not name:
            _required("DisplayName")
        for other in self.tables["Customer"].values():
            if other["DisplayName"].casefold() == name.casefold():
                raise Refused(400, "6240", f"The name supplied already exists. : Id={other['Id']}")
        currency = body.get("CurrencyRef") or {"value": HOME_CURRENCY}
        return self.keep("Customer", {"Active": True, "Balance": Decimal(0), **body, "CurrencyRef": currency})

    def add_invoice(self, body: Json) -> Json:
        """A new invoice; raises `Refused` with the code of QuickBooks' fault."""
        _only(body, INVOICE_FIELDS)
        fields = self._document("Invoice", body)
        issued = date.fromisoformat(fields["TxnDate"])
        due = (_day(body, "DueDate") or issued + timedelta(days=NET_DAYS)).isoformat()
        return self.keep("Invoice", {**fields, "DueDate": due, "Balance": fields["TotalAmt"]})

    def add_credit_memo(self, body: Json) -> Json:
        """A new credit memo: of the customer, not of an invoice, and of any amount."""
        _only(body, CREDIT_MEMO_FIELDS)
        fields = self._document("CreditMemo", body)
        return self.keep("CreditMemo", {**fields, "RemainingCredit": fields["TotalAmt"], "Balance": Decimal(0)})

    def _document(self, entity: str, body: Json) -> Json:
        if "CustomerRef" not in body:
            _required("CustomerRef")
        if not isinstance(body.get("Line"), list) or not body["Line"]:
            _required("Line")
        customer = self._referred("Customer", body["CustomerRef"], "Names")
        lines = [self._line(line, number) for number, line in enumerate(body["Line"], 1)]
        net = sum((line["Amount"] for line in lines if "Amount" in line), Decimal(0))
        if net < 0:
            raise Refused(
                400,
                "6000",
                "A business validation error has occurred: Transaction amount must be 0 or greater.",
            )
        issued = _day(body, "TxnDate") or self._now().date()
        if issued <= self.closed_through:
            raise Refused(400, "6210", "The account period has closed and the account books cannot be updated.")
        tax = (net * self.tax_percent / 100).quantize(CENT, ROUND_HALF_UP)
        number = self._document_number(entity, body)
        return {
            **{name: value for name, value in body.items() if name != "sparse"},
            **({"DocNumber": number} if number else {}),
            "CustomerRef": {"value": customer["Id"], "name": customer["DisplayName"]},
            "CurrencyRef": _currency(body, customer),
            "PrivateNote": _text(body, "PrivateNote", 4_000),
            "TxnDate": issued.isoformat(),
            "Line": [*lines, {"Amount": net, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}}],
            "TxnTaxDetail": {"TotalTax": tax},
            "TotalAmt": net + tax,
        }

    def void_invoice(self, body: Json) -> Json:
        """Void: the invoice stays with all amounts zero; refused for a stale version or a paid invoice."""
        invoice = self.find("Invoice", body.get("Id"))
        if "SyncToken" not in body:
            _required("SyncToken")
        if body["SyncToken"] != invoice["SyncToken"]:
            raise Refused(
                400,
                "5010",
                "Stale Object Error : You and another user were working on this at the same time.",
            )
        if invoice["Balance"] != invoice["TotalAmt"]:
            raise Refused(
                400,
                "6000",
                "A business validation error has occurred: a payment is applied to the transaction.",
            )
        note = f"Voided - {invoice['PrivateNote']}" if invoice["PrivateNote"] else "Voided"
        lines = [{**line, "Amount": Decimal(0)} for line in invoice["Line"]]
        zero = {"TotalAmt": Decimal(0), "Balance": Decimal(0), "Line": lines, "PrivateNote": note}
        return self.change("Invoice", invoice, zero)

    def _document_number(self, entity: str, body: Json) -> str:
        number = _text(body, "DocNumber", DOC_NUMBER_LIMIT)
        for other in self.tables[entity].values():
            if number and other.get("DocNumber") == number:
                raise Refused(
                    400,
                    "6140",
                    "Duplicate Document Number Error : You must specify a different number. "
                    f"This number has already been used. DocNumber={number} is assigned to "
                    f"TxnType={entity} with TxnId={other['Id']}",
                )
        return number

    def _line(self, line: Any, number: int) -> Json:
        if not isinstance(line, dict):
            _invalid("Line")
        _only(line, LINE_FIELDS)
        if line.get("DetailType") == "DescriptionOnly":
            return {"Id": str(number), "LineNum": number, **line}
        if line.get("DetailType") != "SalesItemLineDetail":
            _invalid("DetailType")
        detail = line.get("SalesItemLineDetail")
        if not isinstance(detail, dict):
            _required("SalesItemLineDetail")
        _only(detail, DETAIL_FIELDS)
        if "ItemRef" in detail:
            self._referred("Item", detail["ItemRef"], "Item")
        if "Amount" not in line:
            _required("Line.Amount")
        amount, quantity, price = (
            _number(line, "Amount"),
            _number(detail, "Qty"),
            _number(detail, "UnitPrice"),
        )
        if "Qty" in detail and "UnitPrice" in detail and abs(quantity * price - amount) > CENT:
            raise Refused(400, "6070", f"Amount is not equal to UnitPrice * Qty. Supplied value:{amount}")
        rounded = amount.quantize(CENT, ROUND_HALF_UP)
        return {"Id": str(number), "LineNum": number, **line, "Amount": rounded}

    def _referred(self, entity: str, reference: Any, called: str) -> Json:
        if not isinstance(reference, dict) or not isinstance(reference.get("value"), str):
            _required(f"{entity}Ref.value")
        if reference["value"] not in self.tables[entity]:
            raise Refused(400, "2500", f"Invalid Reference Id : {called} element id {reference['value']} not found")
        return self.tables[entity][reference["value"]]


def _currency(body: Json, customer: Json) -> Json:
    currency: Json = customer["CurrencyRef"]
    asked = body.get("CurrencyRef", currency)
    if not isinstance(asked, dict) or asked.get("value") != currency["value"]:
        raise Refused(400, "6000", "A business validation error has occurred: the customer has another currency.")
    return currency


def _only(body: Json, known: Iterable[str]) -> None:
    for name in body:
        if name not in known:
            _invalid(name)


def _invalid(name: str) -> NoReturn:
    raise Refused(400, "2010", f"Property Name:{name} specified is unsupported or invalid")


def _required(name: str) -> NoReturn:
    raise Refused(400, "2020", f"Required parameter {name} is missing in the request")


def _text(body: Json, name: str, limit: int) -> str:
    value = body.get(name, "")
    if not isinstance(value, str):
        _invalid(name)
    if len(value) > limit:
        raise Refused(400, "2050", f"{name}: Min:0 Max:{limit} supported. Supplied length:{len(value)}")
    return value


def _number(body: Json, name: str) -> Decimal:
    value = body.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Refused(400, "2090", f"Invalid Number : {name} is {value!r}")
    return Decimal(value)


def _day(body: Json, name: str) -> date | None:
    text = body.get(name)
    if text is None:
        return None
    if not isinstance(text, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        _invalid(name)
    try:
        return date.fromisoformat(text)
    except ValueError:
        _invalid(name)
