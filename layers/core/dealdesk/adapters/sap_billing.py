"""Billing documents at S/4HANA: made from a sales document, posted to accounting, and read back with their tax."""

from __future__ import annotations

from datetime import date

from dealdesk.adapters.sap_answers import Row, quoted
from dealdesk.adapters.sap_session import SapSession
from dealdesk.errors import VendorRefused, VendorUnavailable

READING = "/sap/opu/odata/sap/API_BILLING_DOCUMENT_SRV"
BILLING = "/sap/opu/odata4/sap/api_billingdocument/srvd_a2x/sap/billingdocument/0001"
HEADER = (
    "BillingDocument,BillingDocumentDate,BillingDocumentIsCancelled,CancelledBillingDocument,SoldToParty,"
    "SDDocumentCategory,TotalNetAmount,TaxAmount,TransactionCurrency,AccountingTransferStatus"
)
# SAP's letters for kinds of documents: an order is billed as an invoice, a credit memo request as a credit memo.
ORDER, CREDIT_REQUEST = "C", "K"
BILLED_AS = {ORDER: "M", CREDIT_REQUEST: "O"}
POSTED = "C"


class SapBilling:
    def __init__(self, session: SapSession) -> None:
        self._session = session

    def bill(self, document_id: str, category: str, billing_type: str, on: date) -> Row:
        """The billing document of a sales document, made now unless somebody was faster."""
        body = {
            "_Control": {
                "DefaultBillingDocumentDate": on.isoformat(),
                "DefaultBillingDocumentType": billing_type,
                "AutomPostingToAcctgIsDisabled": False,
            },
            "_Reference": [{"SDDocument": document_id, "SDDocumentCategory": category}],
        }
        try:
            answer = self._session.act(BILLING, "BillingDocument/SAP__self.CreateFromSDDocument", body)
        except VendorRefused:
            # A billing run, or an earlier call of ours whose answer was lost, may have billed it meanwhile.
            if found := self.of(document_id, category):
                return found
            raise
        if not answer.get("value"):
            raise VendorUnavailable(f"SAP answered without the billing document of {document_id}")
        return self._certain(document_id, category)

    def of(self, document_id: str, category: str) -> Row | None:
        """The live billing document of a sales document; cancelled ones do not count, nor what corrects them."""
        where = f"SalesDocument eq {quoted(document_id)}"
        items = self._session.rows(READING, "A_BillingDocumentItem", where=where, select="BillingDocument")
        numbers = dict.fromkeys(str(row["BillingDocument"]) for row in items)
        rows = [row for number in numbers if (row := self.read(number)) and not _is_cancelled(row)]
        live = [row for row in rows if row["SDDocumentCategory"] == BILLED_AS[category]]
        if len(live) > 1:
            split = ", ".join(str(row["BillingDocument"]) for row in live)
            raise VendorRefused(f"SAP split document {document_id} into {split}; cancel all, then post again")
        return live[0] if live else None

    def read(self, number: str) -> Row | None:
        where = f"BillingDocument eq {quoted(number)}"
        rows = self._session.rows(READING, "A_BillingDocument", where=where, select=HEADER)
        return rows[0] if rows else None

    def items_of(self, number: str) -> list[Row]:
        where = f"BillingDocument eq {quoted(number)}"
        select = "BillingDocumentItem,SalesDocument,SalesDocumentItem"
        return self._session.rows(READING, "A_BillingDocumentItem", where=where, select=select)

    def posted(self, row: Row) -> Row:
        """The document once it is in accounting; SAP keeps one that accounting did not take, and is asked again."""
        if is_posted(row):
            return row
        number = str(row["BillingDocument"])
        path = f"BillingDocument({quoted(number)})"
        etag = str(self._session.read(BILLING, path).get("@odata.etag") or "")
        if not etag:
            raise VendorUnavailable(f"SAP answered without the version of billing document {number}")
        self._session.act(BILLING, f"{path}/SAP__self.PostToAccounting", {}, etag=etag)
        again = self.read(number)
        if again is None or not is_posted(again):
            raise VendorUnavailable(f"SAP has not posted billing document {number} to accounting yet")
        return again

    def _certain(self, document_id: str, category: str) -> Row:
        row = self.of(document_id, category)
        if row is None:
            raise VendorUnavailable(f"SAP does not show the billing document of {document_id} yet")
        return row


def is_posted(row: Row) -> bool:
    return str(row["AccountingTransferStatus"]) == POSTED


def _is_cancelled(row: Row) -> bool:
    return row["BillingDocumentIsCancelled"] is True or bool(row["CancelledBillingDocument"])
