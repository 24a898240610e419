"""NetSuite by its REST record service: each document once, by an external id that is ours, and read before written."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from dealdesk.adapters import ledger_notes
from dealdesk.adapters.netsuite_auth import Method
from dealdesk.adapters.netsuite_rest import NetsuiteRest, quoted
from dealdesk.domain.deal import Deal
from dealdesk.domain.events import CreditMemo, InvoiceDraft, InvoiceLine
from dealdesk.domain.invoices import terms_of
from dealdesk.domain.money import minor_units
from dealdesk.domain.terms import due_on
from dealdesk.errors import VendorRefused, VendorUnavailable
from dealdesk.ports import LedgerInvoice

EXTERNAL_ID = re.compile(r"[A-Za-z0-9_-]{1,60}")
# "Custom": the rate on the line is the price, not one of the item's price levels.
CUSTOM_PRICE = {"id": "-1"}
# What NetSuite keeps of a currency that does not say more.
DECIMALS = 2
KINDS = {"invoice": ("invoice", "CustInvc"), "creditMemo": ("credit memo", "CustCred")}


class NetsuiteLedger:
    """The `Ledger` port."""

    def __init__(self, rest: NetsuiteRest) -> None:
        self._rest = rest

    def post(self, key: str, draft: InvoiceDraft, deal: Deal, on: date) -> LedgerInvoice:
        """A PUT by external id would edit a posted invoice, so it is sent only when a GET found none.

        Raises `VendorRefused` for an unknown customer or item, a closed period, a currency that the account does not
        keep exactly, and a number that another invoice already has.
        """
        if found := self.look_up(draft):
            return found
        body = {
            **self._document(draft, deal, on),
            "entity": {"id": self._customer(draft)},
            "currency": {"id": self._currency(draft.currency)},
            "dueDate": due_on(terms_of(draft), on).isoformat(),
        }
        path = f"/invoice/eid:{external_id(draft.invoice_id)}?replace=item"
        return self._make("PUT", path, body, "invoice", draft)

    def look_up(self, draft: InvoiceDraft) -> LedgerInvoice | None:
        return self._look_up("invoice", draft)

    def credit(self, key: str, memo: CreditMemo, deal: Deal, on: date) -> LedgerInvoice:
        """The invoice transformed, with lines of the memo in place of its own.

        Raises `VendorRefused` also when more is taken back than is left.
        """
        if found := self.look_up_credit(memo):
            return found
        invoice_id = quote(memo.invoice_ledger_id, safe="")
        invoice = self._rest.read(f"/invoice/{invoice_id}")
        before = [self._rest.read(f"/creditMemo/{row['id']}") for row in self._memos_of(memo.invoice_id)]
        ledger_notes.require_rest("NetSuite", memo, _net(invoice), [_net(row) for row in before])
        body = {**self._document(memo, deal, on), "externalId": external_id(memo.memo_id)}
        path = f"/invoice/{invoice_id}/!transform/creditMemo?replace=item"
        return self._make("POST", path, body, "creditMemo", memo)

    def look_up_credit(self, memo: CreditMemo) -> LedgerInvoice | None:
        return self._look_up("creditMemo", memo)

    def _document(self, document: InvoiceDraft | CreditMemo, deal: Deal, on: date) -> dict[str, object]:
        items = self._items(document.lines)
        return {
            "tranId": document.number,
            "tranDate": on.isoformat(),
            "memo": ledger_notes.note_on(document, deal.id),
            "item": {"items": [_line(line, items[line.sku], document.currency) for line in document.lines]},
        }

    def _make(
        self, method: Method, path: str, body: Mapping[str, object], kind: str, document: InvoiceDraft | CreditMemo
    ) -> LedgerInvoice:
        """Sends it and reads back what NetSuite has made of it: it answers without a body, and the tax is its own."""
        refusal: VendorRefused | None = None
        try:
            self._rest.write(method, path, body)
        except VendorRefused as error:
            # Another worker may have been faster by a moment; then its document is ours too.
            refusal = error
        made = self._look_up(kind, document)
        if made is None:
            raise refusal or VendorUnavailable(f"NetSuite took the {KINDS[kind][0]} and does not show it yet")
        return made

    def _look_up(self, kind: str, document: InvoiceDraft | CreditMemo) -> LedgerInvoice | None:
        name = document.memo_id if isinstance(document, CreditMemo) else document.invoice_id
        called, type_ = KINDS[kind]
        record = self._rest.read(f"/{kind}/eid:{external_id(name)}")
        if record:
            if not ledger_notes.is_note_on(record.get("memo"), document):
                raise VendorRefused(f"NetSuite has {called} {document.number} with another content")
            return _read(record, document.currency)
        where = f"type = {quoted(type_)} AND tranid = {quoted(document.number)}"
        if self._rest.query(f"SELECT id FROM transaction WHERE {where}"):
            raise VendorRefused(f"NetSuite has another {called} with the number {document.number}")
        return None

    def _memos_of(self, invoice_id: str) -> list[dict[str, Any]]:
        where = f"type = 'CustCred' AND memo LIKE {quoted(f'%{invoice_id}%')}"
        rows = self._rest.query(f"SELECT id, memo FROM transaction WHERE {where}")
        return [row for row in rows if invoice_id in str(row.get("memo", "")).split()]

    def _customer(self, draft: InvoiceDraft) -> str:
        """By the external id, which is the CRM's account; else by the name, if it is the only one."""
        names = f"externalid = {quoted(draft.customer_id)} OR companyname = {quoted(draft.customer_name)}"
        rows = self._rest.query(f"SELECT id, externalid FROM customer WHERE isinactive = 'F' AND ({names})")
        ours = [row for row in rows if row.get("externalid") == draft.customer_id] or rows
        if len(ours) != 1:
            found = f"{len(ours)} customers" if ours else "no customer"
            raise VendorRefused(
                f"NetSuite has {found} {draft.customer_name}; give one the external id {draft.customer_id}"
            )
        return str(ours[0]["id"])

    def _items(self, lines: Iterable[InvoiceLine]) -> dict[str, str]:
        wanted = sorted({line.sku for line in lines})
        listed = ", ".join(map(quoted, wanted))
        rows = self._rest.query(f"SELECT id, itemid FROM item WHERE isinactive = 'F' AND itemid IN ({listed})")
        known = {str(row["itemid"]): str(row["id"]) for row in rows}
        for sku in wanted:
            if sku not in known:
                raise VendorRefused(f"NetSuite has no item {sku}; add it, then post the invoice again")
        return known

    def _currency(self, currency: str) -> str:
        rows = self._rest.query(f"SELECT id FROM currency WHERE symbol = {quoted(currency)}")
        if not rows:
            raise VendorRefused(f"NetSuite has no currency {currency}; add it, then post the invoice again")
        currency_id = str(rows[0]["id"])
        if minor_units(currency) > DECIMALS:
            record = self._rest.read(f"/currency/{currency_id}") or {}
            ledger_notes.require_decimals("NetSuite", currency, _precision(record))
        return currency_id


def external_id(name: str) -> str:
    """The name itself where NetSuite allows it: letters, digits, underscores and hyphens."""
    if EXTERNAL_ID.fullmatch(name):
        return name
    return f"dd-{hashlib.sha256(name.encode()).hexdigest()[:40]}"


def _line(line: InvoiceLine, item_id: str, currency: str) -> dict[str, object]:
    return {
        "item": {"id": item_id},
        "description": line.description,
        "quantity": Decimal(line.quantity),
        "price": CUSTOM_PRICE,
        "rate": Decimal(line.unit_price),
        "amount": ledger_notes.amount_of(line, currency),
    }


def _precision(currency: dict[str, Any]) -> int:
    """The decimals that the account keeps of a currency, a setting of its record."""
    kept = currency.get("currencyPrecision")
    told = str(kept.get("id") if isinstance(kept, dict) else kept)
    return int(told) if told.isdigit() else DECIMALS


def _read(record: dict[str, Any], currency: str) -> LedgerInvoice:
    try:
        return LedgerInvoice(
            ledger_id=str(record["id"]),
            number=str(record["tranId"]),
            total_minor=ledger_notes.exact_minor("NetSuite", Decimal(str(record["total"])), currency),
            due_on=date.fromisoformat(str(record.get("dueDate") or record["tranDate"])),
        )
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise VendorUnavailable("NetSuite answered with something that is no invoice") from error


def _net(record: dict[str, Any] | None) -> Decimal:
    """What an invoice or a memo comes to before tax."""
    try:
        return Decimal(str((record or {})["subtotal"]))
    except (KeyError, ArithmeticError) as error:
        raise VendorUnavailable("NetSuite answered with something that is no invoice") from error
