"""Sales documents at S/4HANA: the order that an invoice is billed from, the request that a credit memo is.

Each carries our number as the customer's reference, and the digest of its content as the assignment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from dealdesk.adapters.ledger_notes import amount_of, digest_of, exact_minor
from dealdesk.adapters.sap_answers import Row, amount, complete, quoted, to_v2_date
from dealdesk.adapters.sap_session import SapSession
from dealdesk.domain.events import CreditMemo, InvoiceDraft, InvoiceLine
from dealdesk.domain.invoices import terms_of
from dealdesk.domain.terms import Due
from dealdesk.errors import VendorRefused

ORDER_SERVICE = "/sap/opu/odata/sap/API_SALES_ORDER_SRV"
CREDIT_SERVICE = "/sap/opu/odata/sap/API_CREDIT_MEMO_REQUEST_SRV"
PARTNER_SERVICE = "/sap/opu/odata/sap/API_BUSINESS_PARTNER"
REFERENCE_LIMIT = 35
TEXT_LIMIT = 40
EXTERNAL_NUMBER_LIMIT = 20
QUANTITY_DECIMALS = 3
REJECTED = "C"


@dataclass(frozen=True, slots=True)
class SapCustomizing:
    """What the desk has to know of the company's settings; docs/guides/sap.md says what each must be.

    `condition_type` is a manual price that holds for the item as a whole; `payment_terms` are keys by net days.
    """

    sales_organization: str
    distribution_channel: str
    division: str
    order_type: str
    billing_type: str
    credit_request_type: str
    credit_billing_type: str
    credit_reason: str
    condition_type: str
    payment_terms: Mapping[int, str] = field(hash=False)


@dataclass(frozen=True, slots=True)
class SalesDocument:
    """An order, or a credit memo request, as SAP has priced it before tax."""

    id: str
    net: Decimal
    rejected: bool


@dataclass(frozen=True, slots=True)
class Known:
    """What SAP has of ours under a number: the live document, and those that people have rejected."""

    live: SalesDocument | None
    rejected: tuple[str, ...]


class SapOrders:
    def __init__(self, session: SapSession, customizing: SapCustomizing) -> None:
        self._session = session
        self._customizing = customizing

    def find(self, document: InvoiceDraft | CreditMemo) -> Known:
        """The sales documents of ours with this number; raises `VendorRefused` for one with another content."""
        service, entities, key = _kind(document)
        rows = self._session.rows(
            service,
            entities,
            where=f"PurchaseOrderByCustomer eq {quoted(document.number)}",
            select=f"{key},AssignmentReference,TotalNetAmount,OverallSDDocumentRejectionSts",
        )
        ours = [row for row in rows if str(row["AssignmentReference"]).lower() == digest_of(document).lower()]
        others = [one for row in rows if row not in ours and not (one := _sales_document(row, key)).rejected]
        if others:
            raise VendorRefused(f"SAP has another document with the reference {document.number}: {others[0].id}")
        known = [_sales_document(row, key) for row in ours]
        live = [one for one in known if not one.rejected]
        if len(live) > 1:
            numbers = ", ".join(one.id for one in live)
            raise VendorRefused(f"SAP has {document.number} more than once: {numbers}; reject all but one, post again")
        return Known(live[0] if live else None, tuple(sorted(one.id for one in known if one.rejected)))

    def order(self, fact: str, draft: InvoiceDraft, deal_id: str, on: date) -> SalesDocument:
        """A new sales order; SAP says when a material or the customer is not for sale in the sales area."""
        terms = terms_of(draft)
        if terms.due is not Due.NET or draft.terms_days not in self._customizing.payment_terms:
            raise VendorRefused(f"no SAP terms of payment are set for {terms} days; name their key in the secret")
        body = {
            "SalesOrderType": self._customizing.order_type,
            **self._header(draft),
            "SoldToParty": self._customer(draft),
            "PurchaseOrderByShipToParty": deal_id[:REFERENCE_LIMIT],
            "CustomerPaymentTerms": self._customizing.payment_terms[draft.terms_days],
            "SalesOrderDate": to_v2_date(on),
            "PricingDate": to_v2_date(on),
            "BillingDocumentDate": to_v2_date(on),
            "to_Item": [
                {"SalesOrderItem": number, "SalesOrderItemText": line.description[:TEXT_LIMIT], **item}
                for number, line, item in self._items(draft)
            ],
        }
        return _made(self._session.create(ORDER_SERVICE, "A_SalesOrder", body, fact=fact), "SalesOrder")

    def credit_request(
        self, fact: str, memo: CreditMemo, invoice: Row, items: Mapping[str, str], on: date
    ) -> SalesDocument:
        """A new credit memo request; `items` says which item of the billing document each line's reference is."""
        body = {
            "CreditMemoRequestType": self._customizing.credit_request_type,
            **self._header(memo),
            "SoldToParty": invoice["SoldToParty"],
            "SDDocumentReason": self._customizing.credit_reason,
            "ReferenceSDDocument": memo.invoice_ledger_id,
            "CreditMemoRequestDate": to_v2_date(on),
            # The tax is that of the day of the invoice.
            "PricingDate": invoice["BillingDocumentDate"],
            "ServicesRenderedDate": invoice["BillingDocumentDate"],
            "BillingDocumentDate": to_v2_date(on),
            "to_Item": [
                {
                    "CreditMemoRequestItem": number,
                    "CreditMemoRequestItemText": line.description[:TEXT_LIMIT],
                    "ReferenceSDDocument": memo.invoice_ledger_id,
                    "ReferenceSDDocumentItem": items[line_reference(line.line_id)],
                    **item,
                }
                for number, line, item in self._items(memo)
            ],
        }
        return _made(self._session.create(CREDIT_SERVICE, "A_CreditMemoRequest", body, fact=fact), "CreditMemoRequest")

    def lines_of(self, order_id: str) -> dict[str, str]:
        """The item of each line's reference."""
        where, select = f"SalesOrder eq {quoted(order_id)}", "SalesOrderItem,PurchaseOrderByCustomer"
        rows = self._session.rows(ORDER_SERVICE, "A_SalesOrderItem", where=where, select=select)
        return {str(row["PurchaseOrderByCustomer"]): str(row["SalesOrderItem"]) for row in rows}

    def requests_for(self, billing_document: str) -> list[SalesDocument]:
        """The credit memo requests that refer to a billing document, ours and those of people."""
        rows = self._session.rows(
            CREDIT_SERVICE,
            "A_CreditMemoRequest",
            where=f"ReferenceSDDocument eq {quoted(billing_document)}",
            select="CreditMemoRequest,TotalNetAmount,OverallSDDocumentRejectionSts",
        )
        return [_sales_document(row, "CreditMemoRequest") for row in rows]

    def _header(self, document: InvoiceDraft | CreditMemo) -> Row:
        return {
            "SalesOrganization": self._customizing.sales_organization,
            "DistributionChannel": self._customizing.distribution_channel,
            "OrganizationDivision": self._customizing.division,
            "PurchaseOrderByCustomer": document.number,
            "AssignmentReference": digest_of(document),
            "TransactionCurrency": document.currency,
        }

    def _items(self, document: InvoiceDraft | CreditMemo) -> Iterator[tuple[str, InvoiceLine, Row]]:
        for index, line in enumerate(document.lines, 1):
            price = {
                "ConditionType": self._customizing.condition_type,
                "ConditionRateValue": f"{amount_of(line, document.currency):f}",
                "ConditionCurrency": document.currency,
            }
            item = {
                "Material": line.sku,
                "PurchaseOrderByCustomer": line_reference(line.line_id),
                "RequestedQuantity": _quantity(line),
                "to_PricingElement": [price],
            }
            yield str(index * 10), line, item

    def _customer(self, draft: InvoiceDraft) -> str:
        """SAP's number of the customer whose external number is the CRM's account id."""
        rows: list[Row] = []
        if len(draft.customer_id) <= EXTERNAL_NUMBER_LIMIT:
            where = f"BusinessPartnerIDByExtSystem eq {quoted(draft.customer_id)}"
            rows = self._session.rows(PARTNER_SERVICE, "A_BusinessPartner", where=where, select="Customer")
        customers = {str(row["Customer"]) for row in rows if row.get("Customer")}
        if len(customers) != 1:
            raise VendorRefused(
                f"SAP has {len(customers) or 'no'} customers for {draft.customer_name}; give the right one's business "
                f"partner the external number {draft.customer_id}, then post again"
            )
        return customers.pop()


def require_priced(document: InvoiceDraft | CreditMemo, made: SalesDocument) -> None:
    """Raises `VendorRefused` when SAP's price is not ours: nothing is billed that the customer did not agree to."""
    if exact_minor("SAP", made.net, document.currency) != document.total_minor:
        raise VendorRefused(
            f"SAP priced {document.number} (document {made.id}) at {made.net} {document.currency} before tax; reject "
            "it, correct the pricing of its condition type, then post again"
        )


def line_reference(line_id: str) -> str:
    return (
        line_id if len(line_id) <= REFERENCE_LIMIT else hashlib.sha256(line_id.encode()).hexdigest()[:REFERENCE_LIMIT]
    )


def _quantity(line: InvoiceLine) -> str:
    exponent = Decimal(line.quantity).normalize().as_tuple().exponent
    if isinstance(exponent, int) and exponent < -QUANTITY_DECIMALS:
        raise VendorRefused(f"SAP keeps {QUANTITY_DECIMALS} decimals of a quantity, {line.sku} has {line.quantity}")
    return line.quantity


def _kind(document: InvoiceDraft | CreditMemo) -> tuple[str, str, str]:
    if isinstance(document, CreditMemo):
        return CREDIT_SERVICE, "A_CreditMemoRequest", "CreditMemoRequest"
    return ORDER_SERVICE, "A_SalesOrder", "SalesOrder"


def _made(answer: Row, key: str) -> SalesDocument:
    return _sales_document(complete(answer.get("d"), (key, "TotalNetAmount", "OverallSDDocumentRejectionSts")), key)


def _sales_document(row: Row, key: str) -> SalesDocument:
    rejected = row["OverallSDDocumentRejectionSts"] == REJECTED
    return SalesDocument(str(row[key]), amount(row, "TotalNetAmount"), rejected)
