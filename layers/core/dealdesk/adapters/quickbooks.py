"""QuickBooks Online by a thin client: each document once, by requestid, a stable number, and a look-up before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import msgspec
import requests

from dealdesk.adapters import ledger_notes
from dealdesk.domain.deal import Deal
from dealdesk.domain.events import CreditMemo, InvoiceDraft, InvoiceLine
from dealdesk.domain.invoices import terms_of
from dealdesk.domain.money import format_amount
from dealdesk.domain.terms import due_on
from dealdesk.errors import VendorRefused, VendorUnavailable
from dealdesk.ports import InvoiceReport, LedgerInvoice

MINOR_VERSION = "75"
TIMEOUT_SECONDS = (3.05, 8)
REQUEST_ID_LIMIT = 50
MOST_RESULTS = 1_000
# What a company without the feature of several currencies leaves out.
HOME_CURRENCY = "USD"
# QuickBooks rounds every amount to so many decimals, whatever the currency has.
DECIMALS = 2
# A number that is taken, and an object that somebody else has changed since it was read.
TRY_AGAIN = frozenset({"6140", "5010"})
KINDS = {"Invoice": "invoice", "CreditMemo": "credit memo"}

# Amounts go out as JSON numbers with exactly the digits that they have; no float is made on the way.
_JSON = msgspec.json.Encoder(decimal_format="number")


class QuickbooksLedger:
    """The `Ledger` port. `access_token` gives a valid token; asked with True it must be a new one."""

    def __init__(self, url: str, *, realm_id: str, access_token: Callable[[bool], str]) -> None:
        self._base = f"{url.rstrip('/')}/v3/company/{realm_id}"
        self._access_token = access_token
        self._http = requests.Session()

    def post(self, key: str, draft: InvoiceDraft, deal: Deal, on: date) -> LedgerInvoice:
        """Looks first: QuickBooks keeps numbers unique only where the company says so, request ids for a while.

        Raises `VendorRefused` for an unknown item, a closed period, a currency with more decimals than QuickBooks
        keeps, and a number that another invoice already has.
        """
        ledger_notes.require_decimals("QuickBooks", draft.currency, DECIMALS)
        if found := self.look_up(draft):
            return found
        body = {**self._document(draft, deal, on), "DueDate": due_on(terms_of(draft), on).isoformat()}
        return self._make("Invoice", key, body, draft.currency)

    def look_up(self, draft: InvoiceDraft) -> LedgerInvoice | None:
        return self._look_up("Invoice", draft)

    def credit(self, key: str, memo: CreditMemo, deal: Deal, on: date) -> LedgerInvoice:
        """QuickBooks ties no memo to an invoice: what was taken back before is known by the notes on the memos.

        Raises `VendorRefused` also when more is taken back than is left.
        """
        ledger_notes.require_decimals("QuickBooks", memo.currency, DECIMALS)
        if found := self.look_up_credit(memo):
            return found
        body = self._document(memo, deal, on)
        invoice = self._call("GET", f"/invoice/{quote(memo.invoice_ledger_id, safe='')}", params={}).get("Invoice")
        before = [
            row
            for row in self._query("CreditMemo", "CustomerRef", body["CustomerRef"]["value"])
            if memo.invoice_id in str(row.get("PrivateNote", "")).split()
        ]
        ledger_notes.require_rest("QuickBooks", memo, _net(invoice), [_net(row) for row in before])
        return self._make("CreditMemo", key, body, memo.currency)

    def look_up_credit(self, memo: CreditMemo) -> LedgerInvoice | None:
        return self._look_up("CreditMemo", memo)

    def report(self, ledger_id: str, operation: str) -> InvoiceReport | None:
        """What an invoice reads now that QuickBooks has reported it; None for one that the desk did not post."""
        row = self._call("GET", f"/invoice/{quote(ledger_id, safe='')}", params={}).get("Invoice")
        owner = ledger_notes.owner_of(row.get("PrivateNote")) if isinstance(row, dict) else None
        if row is None or owner is None:
            return None
        return InvoiceReport(*owner, ledger_id=ledger_id, said=f"{operation}: {_open_amount(row)} open")

    def _document(self, document: InvoiceDraft | CreditMemo, deal: Deal, on: date) -> dict[str, Any]:
        return {
            "DocNumber": document.number,
            "TxnDate": on.isoformat(),
            "CustomerRef": {"value": self._customer(document)},
            "CurrencyRef": {"value": document.currency},
            "PrivateNote": ledger_notes.note_on(document, deal.id),
            "Line": [self._line(line, document.currency) for line in document.lines],
        }

    def _make(self, entity: str, key: str, body: Mapping[str, object], currency: str) -> LedgerInvoice:
        answer = self._call("POST", f"/{entity.lower()}", params={"requestid": key[-REQUEST_ID_LIMIT:]}, body=body)
        return _read(answer.get(entity), currency)

    def _look_up(self, entity: str, document: InvoiceDraft | CreditMemo) -> LedgerInvoice | None:
        found = self._query(entity, "DocNumber", document.number)
        ours = [row for row in found if ledger_notes.is_note_on(row.get("PrivateNote"), document)]
        if found and not ours:
            raise VendorRefused(f"QuickBooks has another {KINDS[entity]} with the number {document.number}")
        return _read(ours[0], document.currency) if ours else None

    def _customer(self, document: InvoiceDraft | CreditMemo) -> str:
        """The customer's id at QuickBooks; made from the CRM's account when it is new."""
        found = self._query("Customer", "DisplayName", document.customer_name)
        if found:
            return _id(found[0])
        body = {
            "DisplayName": document.customer_name,
            "Notes": f"CRM account {document.customer_id}",
            "CurrencyRef": {"value": document.currency},
        }
        request_id = f"customer:{document.customer_id}"[:REQUEST_ID_LIMIT]
        return _id(self._call("POST", "/customer", params={"requestid": request_id}, body=body).get("Customer"))

    def _line(self, line: InvoiceLine, currency: str) -> dict[str, object]:
        items = self._query("Item", "Name", line.sku)
        if not items:
            raise VendorRefused(f"QuickBooks has no item {line.sku}; add it, then post the invoice again")
        return {
            "Amount": ledger_notes.amount_of(line, currency),
            "Description": line.description,
            "DetailType": "SalesItemLineDetail",
            "SalesItemLineDetail": {
                "ItemRef": {"value": _id(items[0])},
                "Qty": Decimal(line.quantity),
                "UnitPrice": Decimal(line.unit_price),
            },
        }

    def _query(self, entity: str, field: str, value: str) -> list[dict[str, Any]]:
        quoted = value.replace("\\", "\\\\").replace("'", "\\'")
        sql = f"select * from {entity} where {field} = '{quoted}' maxresults {MOST_RESULTS}"
        answer = self._call("GET", "/query", params={"query": sql}).get("QueryResponse")
        if not isinstance(answer, dict):
            raise VendorUnavailable("QuickBooks answered a query with something that is no result")
        return list(answer.get(entity, []))

    def _call(
        self, method: str, path: str, *, params: dict[str, str], body: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        response = self._send(method, path, params, body, renew=False)
        if response.status_code == 401:
            response = self._send(method, path, params, body, renew=True)
        if not response.ok:
            raise translated(response)
        try:
            document = response.json(parse_float=Decimal)
        except requests.JSONDecodeError as error:
            raise VendorUnavailable("QuickBooks answered with something that is no JSON") from error
        if not isinstance(document, dict) or "Fault" in document:
            raise VendorUnavailable("QuickBooks answered with something else than what it was asked for")
        return document

    def _send(
        self, method: str, path: str, params: dict[str, str], body: Mapping[str, object] | None, *, renew: bool
    ) -> requests.Response:
        headers = {"Authorization": f"Bearer {self._access_token(renew)}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            return self._http.request(
                method,
                self._base + path,
                params={**params, "minorversion": MINOR_VERSION},
                data=None if body is None else _JSON.encode(body),
                headers=headers,
                timeout=TIMEOUT_SECONDS,
            )
        except requests.RequestException as error:
            raise VendorUnavailable(f"QuickBooks did not answer: {type(error).__name__}") from error


def translated(response: requests.Response) -> VendorUnavailable | VendorRefused:
    """The one place that says what each failure of QuickBooks means for the desk."""
    status = response.status_code
    if status in (401, 403, 408, 429) or status >= 500:
        after = response.headers.get("Retry-After", "")
        return VendorUnavailable(
            f"QuickBooks did not answer: {status}",
            retry_after_seconds=int(after) if after.isdigit() else None,
        )
    codes, details = [], []
    try:
        for fault in response.json()["Fault"]["Error"]:
            codes.append(str(fault.get("code")))
            details.append(str(fault.get("Detail") or fault.get("Message")))
    except (ValueError, KeyError, TypeError):
        details.append(f"status {status}")
    if not TRY_AGAIN.isdisjoint(codes):
        # Possibly our own document, whose answer was lost: the next attempt looks it up, or reads it anew.
        return VendorUnavailable(f"QuickBooks has changed meanwhile: {' '.join(codes)}")
    return VendorRefused(f"QuickBooks refused: {' '.join(codes)} {'; '.join(details)}"[:300])


def _id(row: Any) -> str:
    try:
        return str(row["Id"])
    except (KeyError, TypeError) as error:
        raise VendorUnavailable("QuickBooks answered with something that has no id") from error


def _read(row: Any, currency: str) -> LedgerInvoice:
    try:
        total = Decimal(str(row["TotalAmt"]))
        found = LedgerInvoice(
            ledger_id=str(row["Id"]),
            number=str(row.get("DocNumber", "")),
            total_minor=ledger_notes.exact_minor("QuickBooks", total, currency),
            due_on=date.fromisoformat(str(row.get("DueDate") or row["TxnDate"])),
        )
        kept_in = str((row.get("CurrencyRef") or {}).get("value", currency))
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise VendorUnavailable("QuickBooks answered with something that is no invoice") from error
    if kept_in != currency:
        raise VendorRefused(f"QuickBooks has {found.number} in {kept_in}, not in {currency}")
    return found


def _open_amount(row: dict[str, Any]) -> str:
    """ "200.50 of 1200.50 USD"."""
    try:
        currency = str((row.get("CurrencyRef") or {}).get("value", HOME_CURRENCY))
        minors = [
            ledger_notes.exact_minor("QuickBooks", Decimal(str(row[n])), currency) for n in ("Balance", "TotalAmt")
        ]
    except (KeyError, ValueError, ArithmeticError) as error:
        raise VendorUnavailable("QuickBooks answered with something that is no invoice") from error
    balance, total = (format_amount(minor, currency) for minor in minors)
    return f"{balance} of {total} {currency}"


def _net(row: Any) -> Decimal:
    """What the lines of an invoice or a memo come to before tax."""
    try:
        lines = [line for line in row["Line"] if line["DetailType"] == "SalesItemLineDetail"]
        return sum((Decimal(str(line["Amount"])) for line in lines), Decimal(0))
    except (KeyError, TypeError, ArithmeticError) as error:
        raise VendorUnavailable("QuickBooks answered with something that is no invoice") from error
