"""The SAP twin's books: what makes a sales document acceptable, what is billed from it, and what accounting takes."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NoReturn

from local.twins.sap_entities import ENTITIES, PRICE, given
from local.twins.server import Json, Refused

DECIMALS = {"JPY": 0, "KRW": 0, "KWD": 3, "BHD": 3}
# The order's and the request's own names, the billing type and the category letter of what is billed from it.
SALES = {"A_SalesOrder": ("SalesOrder", "C"), "A_CreditMemoRequest": ("CreditMemoRequest", "K")}
BILLED_AS = {"C": ("F2", "M"), "K": ("G2", "O")}
FIRST = {"A_SalesOrder": 1, "A_CreditMemoRequest": 60_000_000, "A_BillingDocument": 90_000_000}
REQUIRED = ("SalesOrganization", "DistributionChannel", "OrganizationDivision", "SoldToParty")


class Books:
    """One company's customers, materials, sales documents and billing documents."""

    def __init__(self, now: Callable[[], datetime], *, area: tuple[str, str, str], condition_type: str) -> None:
        self._now = now
        self.area, self.condition_type = area, condition_type
        self.clear()

    def clear(self) -> None:
        """Empty the books."""
        self.tables: dict[str, list[Json]] = {name: [] for name in ENTITIES}
        self.materials: set[str] = set()
        self.locks: dict[str, str] = {}
        self.versions: dict[str, int] = {}
        self.closed_through = date.min
        self.holds_posting = False
        self.tax_percent = self.surcharge_percent = Decimal(0)

    def add_partner(self, number: str, name: str, external: str) -> None:
        """A business partner that is a customer of the sales area."""
        row = {"BusinessPartner": number, "Customer": number, "BusinessPartnerFullName": name}
        self.tables["A_BusinessPartner"].append({**row, "BusinessPartnerIDByExtSystem": external})

    def add_sales_document(self, name: str, body: Json) -> Json:
        """A new order or credit memo request from a deep insert; raises `Refused` with SAP's message."""
        key, _ = SALES[name]
        header = given(ENTITIES[name], body, ("to_Item",))
        for field in (f"{key}Type", *REQUIRED):
            if not header.get(field):
                raise Refused(400, "V1/801", f"Enter a value for {field}")
        if tuple(header[field] for field in REQUIRED[:3]) != self.area:
            raise Refused(400, "V1/327", f"Sales area {' '.join(header[f] for f in REQUIRED[:3])} is not defined")
        if not any(row["Customer"] == header["SoldToParty"] for row in self.tables["A_BusinessPartner"]):
            message = f"Customer {header['SoldToParty']} is not defined in sales area {' '.join(self.area)}"
            raise Refused(400, "VP/199", message)
        self._require_reference(header.get("ReferenceSDDocument"))
        items = [self._item(name, key, one, header) for one in _children(body, "to_Item")]
        number = str(FIRST[name] + len(self.tables[name]))
        for item in items:
            self.tables[f"{name}Item"].append({**_blank(f"{name}Item"), **item, key: number})
        total = sum((item["NetAmount"] for item in items), Decimal(0))
        kept = {**_blank(name), **header, key: number, "TotalNetAmount": total, "OverallSDDocumentRejectionSts": "A"}
        self.tables[name].append(kept)
        return kept

    def bill(self, body: Json) -> Json:
        """The billing document of one sales document, as `CreateFromSDDocument` makes it."""
        control, reference = _billing_request(body)
        name, header = self._billable(reference)
        key, category = SALES[name]
        number = header[key]
        billing_type, made_category = BILLED_AS[category]
        if control.get("DefaultBillingDocumentType", billing_type) != billing_type:
            raise Refused(400, "VF/016", f"Billing type {control['DefaultBillingDocumentType']} is not allowed")
        if number in self.locks:
            raise Refused(423, "V1/042", f"Document {number} is currently being processed by {self.locks[number]}")
        if header["HeaderBillingBlockReason"]:
            raise Refused(400, "VF/030", f"Sales document {number} is blocked for billing")
        if self.billed(number):
            raise Refused(400, "VF/018", f"Sales document {number} has already been billed completely")
        issued = date.fromisoformat(control["DefaultBillingDocumentDate"])
        if not self.holds_posting:
            self._require_open(issued)
        made = self._next_bill()
        return self._keep_bill(name, header, made, {
            "BillingDocument": made, "BillingDocumentType": billing_type, "SDDocumentCategory": made_category,
            "BillingDocumentDate": issued,
            "AccountingTransferStatus": "A" if self.holds_posting or control["AutomPostingToAcctgIsDisabled"] else "C",
        })  # fmt: skip

    def post_to_accounting(self, number: str) -> None:
        """Accounting takes a billing document that was kept back; refused while its period is closed."""
        row = self.billing_document(number)
        if row["AccountingTransferStatus"] == "C":
            raise Refused(400, "VF/063", f"Billing document {number} has already been posted to accounting")
        self._require_open(row["BillingDocumentDate"])
        self.change(row, {"AccountingTransferStatus": "C"})

    def cancel(self, number: str) -> Json:
        """A person cancels a billing document, by another one; the sales document can be billed again."""
        row = self.change(self.billing_document(number), {"BillingDocumentIsCancelled": True})
        made = self._next_bill()
        items = [item for item in self.tables["A_BillingDocumentItem"] if item["BillingDocument"] == number]
        self.tables["A_BillingDocumentItem"] += [{**item, "BillingDocument": made} for item in items]
        undoing = {"BillingDocument": made, "BillingDocumentType": "S1", "BillingDocumentIsCancelled": False}
        self.tables["A_BillingDocument"].append({**row, **undoing, "CancelledBillingDocument": number})
        return row

    def billed(self, sales_document: str) -> list[Json]:
        """The billing documents of a sales document that neither are cancelled nor cancel another."""
        items = self.tables["A_BillingDocumentItem"]
        numbers = {item["BillingDocument"] for item in items if item["SalesDocument"] == sales_document}
        rows = self.tables["A_BillingDocument"]
        undone = ("BillingDocumentIsCancelled", "CancelledBillingDocument")
        return [r for r in rows if r["BillingDocument"] in numbers and not any(r[name] for name in undone)]

    def billing_document(self, number: str) -> Json:
        for row in self.tables["A_BillingDocument"]:
            if row["BillingDocument"] == number:
                return row
        raise Refused(404, "SD_BIL_API/005", f"Billing document {number} does not exist")

    def change(self, row: Json, fields: Json) -> Json:
        """Change a billing document: its version moves."""
        row.update(fields)
        self.versions[row["BillingDocument"]] = self.versions.get(row["BillingDocument"], 0) + 1
        return row

    def etag(self, number: str) -> str:
        return f'W/"SADL-0000000000{self.versions.get(number, 0):04d}"'

    def _next_bill(self) -> str:
        return str(FIRST["A_BillingDocument"] + len(self.tables["A_BillingDocument"]))

    def _item(self, name: str, key: str, body: Json, header: Json) -> Json:
        item = given(ENTITIES[f"{name}Item"], body, ("to_PricingElement",))
        if item.get("Material") not in self.materials:
            organization, channel, _ = self.area
            raise Refused(
                400,
                "V1/382",
                f"Material {item.get('Material')} is not defined for sales org.{organization}, distr.chan.{channel}, "
                "language EN",
            )
        if item.get("RequestedQuantity", Decimal(0)) <= 0:
            raise Refused(400, "V1/115", "Enter an order quantity")
        self._require_reference(item.get("ReferenceSDDocument"), item.get("ReferenceSDDocumentItem"))
        price = Decimal(0)
        for one in _children(body, "to_PricingElement"):
            condition = given(PRICE, one, ())
            if condition.get("ConditionType") != self.condition_type:
                message = f"Condition type {condition.get('ConditionType')} is not allowed in the pricing procedure"
                raise Refused(400, "V1/260", message)
            if condition.get("ConditionCurrency") != header["TransactionCurrency"]:
                raise Refused(400, "VK/087", "No exchange rate is maintained for the currency of the condition")
            price += condition["ConditionRateValue"]
        net = _rounded(price * (100 + self.surcharge_percent) / 100, header["TransactionCurrency"])
        return {**item, "NetAmount": net, "TransactionCurrency": header["TransactionCurrency"]}

    def _keep_bill(self, name: str, header: Json, made: str, fields: Json) -> Json:
        key, _ = SALES[name]
        items = [item for item in self.tables[f"{name}Item"] if item[key] == header[key]]
        for item in items:
            billed = {
                "BillingDocument": made, "BillingDocumentItem": item[f"{key}Item"], "SalesDocument": header[key],
                "SalesDocumentItem": item[f"{key}Item"], "Material": item["Material"], "NetAmount": item["NetAmount"],
                "TransactionCurrency": item["TransactionCurrency"],
            }  # fmt: skip
            self.tables["A_BillingDocumentItem"].append(billed)
        net = sum((item["NetAmount"] for item in items), Decimal(0))
        copied = {one: header[one] for one in ("SalesOrganization", "SoldToParty", "PurchaseOrderByCustomer",
                                               "CustomerPaymentTerms", "TransactionCurrency")}  # fmt: skip
        tax = _rounded(net * self.tax_percent / 100, header["TransactionCurrency"])
        amounts = {"TotalNetAmount": net, "TaxAmount": tax, "BillingDocumentIsCancelled": False}
        kept = {**_blank("A_BillingDocument"), **copied, **fields, **amounts}
        self.tables["A_BillingDocument"].append(kept)
        return kept

    def _billable(self, reference: Json) -> tuple[str, Json]:
        category = reference.get("SDDocumentCategory")
        for name, (key, letter) in SALES.items():
            for row in self.tables[name]:
                if row[key] == reference.get("SDDocument") and category in (None, letter):
                    if row["OverallSDDocumentRejectionSts"] == "C":
                        raise Refused(400, "VF/019", f"Sales document {row[key]} is rejected and not billable")
                    return name, row
        raise Refused(400, "VF/045", f"SD document {reference.get('SDDocument')} does not exist")

    def _require_reference(self, number: str | None, item: str | None = None) -> None:
        if not number:
            return
        rows = [row for row in self.tables["A_BillingDocumentItem"] if row["BillingDocument"] == number]
        if not rows or (item and item not in [row["BillingDocumentItem"] for row in rows]):
            raise Refused(400, "V1/302", f"Reference document {number} {item or ''} does not exist".rstrip())

    def _require_open(self, day: date) -> None:
        if day <= self.closed_through:
            raise Refused(400, "F5/201", f"Posting period {day:%m %Y} is not open")


def _billing_request(body: Json) -> tuple[Json, Json]:
    control, references = body.get("_Control"), body.get("_Reference")
    if not isinstance(control, dict) or not isinstance(references, list) or set(body) - {"_Control", "_Reference"}:
        _malformed("the action takes _Control and _Reference")
    known = {"DefaultBillingDocumentDate", "DefaultBillingDocumentType", "AutomPostingToAcctgIsDisabled"}
    if set(control) != known or not isinstance(control["AutomPostingToAcctgIsDisabled"], bool):
        _malformed(f"_Control takes {sorted(known)}")
    if len(references) != 1 or set(references[0]) - {"SDDocument", "SDDocumentCategory"}:
        _malformed("_Reference takes SDDocument and SDDocumentCategory")
    try:
        date.fromisoformat(control["DefaultBillingDocumentDate"])
    except (TypeError, ValueError):
        _malformed("DefaultBillingDocumentDate is an Edm.Date")
    return control, references[0]


def _children(body: Json, name: str) -> list[Any]:
    rows = body.get(name)
    if isinstance(rows, dict):
        rows = rows.get("results")
    if not isinstance(rows, list) or not rows:
        raise Refused(400, "/IWBEP/CM_MGW_RT/021", f"Invalid payload: {name} must hold entries")
    return rows


def _blank(name: str) -> Json:
    return {field: None if kind == "date" else "" for field, kind in ENTITIES[name].fields.items()}


def _rounded(value: Decimal, currency: str) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-DECIMALS.get(currency, 2)), ROUND_HALF_UP)


def _malformed(message: str) -> NoReturn:
    raise Refused(400, "/IWBEP/CM_V4_RUNTIME/021", f"Invalid payload: {message}")
