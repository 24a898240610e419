"""SAP S/4HANA: an invoice is a sales order with its billing document, a credit memo a request with its own."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec

from dealdesk.adapters.ledger_notes import exact_minor, require_rest
from dealdesk.adapters.sap_answers import Row, amount, from_v2_date
from dealdesk.adapters.sap_auth import SapClient, SapUser
from dealdesk.adapters.sap_billing import CREDIT_REQUEST, ORDER, SapBilling, is_posted
from dealdesk.adapters.sap_orders import Known, SalesDocument, SapCustomizing, SapOrders, line_reference, require_priced
from dealdesk.adapters.sap_session import SapSession
from dealdesk.domain.deal import Deal
from dealdesk.domain.events import CreditMemo, InvoiceDraft
from dealdesk.domain.invoices import terms_of
from dealdesk.domain.terms import due_on
from dealdesk.errors import VendorRefused
from dealdesk.ports import LedgerInvoice


class SapSecret(msgspec.Struct, frozen=True):
    """How to sign in, and the company's settings; with a `token_url`, `user` and `password` are an OAuth client's."""

    user: str
    password: str
    customizing: SapCustomizing
    token_url: str = ""
    client: str = ""


def connected(url: str, secret: SapSecret) -> SapLedger:
    authorization = (
        SapClient(secret.token_url, secret.user, secret.password)
        if secret.token_url
        else SapUser(secret.user, secret.password)
    )
    return SapLedger(SapSession(url, authorization=authorization, client=secret.client), secret.customizing)


class SapLedger:
    """The `Ledger` port. Every step looks for what an earlier attempt has left before it makes anything."""

    def __init__(self, session: SapSession, customizing: SapCustomizing) -> None:
        self._customizing = customizing
        self._orders = SapOrders(session, customizing)
        self._billing = SapBilling(session)

    def post(self, key: str, draft: InvoiceDraft, deal: Deal, on: date) -> LedgerInvoice:
        """Raises `VendorRefused` for an unknown customer or material, a closed period, and a number in use.

        What SAP has by then stays: the order is billed by the next attempt, there is never a second one.
        """
        known = self._orders.find(draft)
        row = self._billed(known, ORDER)
        if row is None:
            order = known.live or self._orders.order(_fact(key, known), draft, deal.id, on)
            require_priced(draft, order)
            row = self._billing.bill(order.id, ORDER, self._customizing.billing_type, on)
        return _invoice(draft, self._billing.posted(row))

    def look_up(self, draft: InvoiceDraft) -> LedgerInvoice | None:
        """None also for an order that is not billed, or not in accounting: `post` goes on with it."""
        row = self._billed(self._orders.find(draft), ORDER)
        return _invoice(draft, row) if row and is_posted(row) else None

    def credit(self, key: str, memo: CreditMemo, deal: Deal, on: date) -> LedgerInvoice:
        known = self._orders.find(memo)
        row = self._billed(known, CREDIT_REQUEST)
        if row is None:
            request = known.live or self._request(_fact(key, known), memo, on)
            require_priced(memo, request)
            row = self._billing.bill(request.id, CREDIT_REQUEST, self._customizing.credit_billing_type, on)
        return _credit(memo, self._billing.posted(row))

    def look_up_credit(self, memo: CreditMemo) -> LedgerInvoice | None:
        row = self._billed(self._orders.find(memo), CREDIT_REQUEST)
        return _credit(memo, row) if row and is_posted(row) else None

    def _billed(self, known: Known, category: str) -> Row | None:
        """What was billed of ours; rejecting a sales document takes nothing back that was billed before."""
        ids = ([known.live.id] if known.live else []) + list(known.rejected)
        return next((row for one in ids if (row := self._billing.of(one, category))), None)

    def _request(self, fact: str, memo: CreditMemo, on: date) -> SalesDocument:
        invoice = self._billing.read(memo.invoice_ledger_id)
        if invoice is None:
            raise VendorRefused(f"SAP has no billing document {memo.invoice_ledger_id}")
        require_rest("SAP", memo, amount(invoice, "TotalNetAmount"), self._credited(memo.invoice_ledger_id))
        return self._orders.credit_request(fact, memo, invoice, self._items(memo), on)

    def _credited(self, billing_document: str) -> list[Decimal]:
        """What has been taken back of a billing document, or is about to be; each before tax."""
        requests = self._orders.requests_for(billing_document)
        return [one.net for one in requests if not one.rejected or self._billing.of(one.id, CREDIT_REQUEST)]

    def _items(self, memo: CreditMemo) -> dict[str, str]:
        """The billing document's item for each line of the memo, by the line's reference."""
        billed = self._billing.items_of(memo.invoice_ledger_id)
        item_of = {str(row["SalesDocumentItem"]): str(row["BillingDocumentItem"]) for row in billed}
        orders = {str(row["SalesDocument"]) for row in billed}
        ordered = [pair for order in orders for pair in self._orders.lines_of(order).items()]
        lines = {line: item_of[item] for line, item in ordered if item in item_of}
        for line in memo.lines:
            if line_reference(line.line_id) not in lines:
                raise VendorRefused(f"SAP's billing document {memo.invoice_ledger_id} has no line {line.line_id}")
        return lines


def _fact(key: str, known: Known) -> str:
    """SAP repeats the answer to a fact for hours: when its document was rejected, the next one is another fact."""
    return " ".join((key, *known.rejected))


def _invoice(draft: InvoiceDraft, row: Row) -> LedgerInvoice:
    billed_on = from_v2_date(row["BillingDocumentDate"])
    return _as_kept(draft, row, due_on=due_on(terms_of(draft), billed_on))


def _credit(memo: CreditMemo, row: Row) -> LedgerInvoice:
    return _as_kept(memo, row, due_on=from_v2_date(row["BillingDocumentDate"]))


def _as_kept(document: InvoiceDraft | CreditMemo, row: Row, *, due_on: date) -> LedgerInvoice:
    """SAP's total with SAP's tax; raises `VendorRefused` when it was billed at another price than ours."""
    net, number = amount(row, "TotalNetAmount"), str(row["BillingDocument"])
    if row["TransactionCurrency"] != document.currency or (
        exact_minor("SAP", net, document.currency) != document.total_minor
    ):
        raise VendorRefused(
            f"SAP billed {document.number} at {net} {row['TransactionCurrency']} before tax; cancel billing document "
            f"{number}, correct the pricing, then post again"
        )
    total = exact_minor("SAP", net + amount(row, "TaxAmount"), document.currency)
    return LedgerInvoice(ledger_id=number, number=document.number, total_minor=total, due_on=due_on)
