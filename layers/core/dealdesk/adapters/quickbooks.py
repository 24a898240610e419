"""QuickBooks Online by a thin client: an invoice once, by requestid, a stable number, and a look-up after doubt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import requests

from dealdesk.domain.deal import Deal
from dealdesk.domain.events import InvoiceDraft
from dealdesk.domain.invoices import terms_of
from dealdesk.domain.money import minor_units
from dealdesk.domain.terms import due_on
from dealdesk.errors import VendorRefused, VendorUnavailable
from dealdesk.ports import LedgerInvoice

MINOR_VERSION = "75"
TIMEOUT_SECONDS = (3.05, 8)
REQUEST_ID_LIMIT = 50
DUPLICATE_NUMBER = "6140"

# Amounts go out as JSON numbers with exactly the digits that they have; no float is made on the way.
_JSON = msgspec.json.Encoder(decimal_format="number")


class QuickbooksLedger:
    """The `Ledger` port. `access_token` gives a valid token; asked with True it must be a new one."""

    def __init__(self, url: str, *, realm_id: str, access_token: Callable[[bool], str]) -> None:
        self._base = f"{url.rstrip('/')}/v3/company/{realm_id}"
        self._access_token = access_token
        self._http = requests.Session()

    def post(self, key: str, draft: InvoiceDraft, deal: Deal, on: date) -> LedgerInvoice:
        """Raises `VendorRefused` for an unknown item and for a number that another invoice already has."""
        body = {
            "DocNumber": draft.number,
            "TxnDate": on.isoformat(),
            "DueDate": due_on(terms_of(draft), on).isoformat(),
            "CustomerRef": {"value": self._customer(draft)},
            "CurrencyRef": {"value": draft.currency},
            "PrivateNote": f"Deal Desk {deal.id} {draft.invoice_id}",
            "Line": [self._line(line, draft.currency) for line in draft.lines],
        }
        answer = self._call("POST", "/invoice", params={"requestid": key[-REQUEST_ID_LIMIT:]}, body=body)
        return _invoice(answer["Invoice"])

    def look_up(self, draft: InvoiceDraft) -> LedgerInvoice | None:
        found = self._query("Invoice", "DocNumber", draft.number)
        ours = [row for row in found if draft.invoice_id in str(row.get("PrivateNote", "")).split()]
        if found and not ours:
            raise VendorRefused(f"QuickBooks has another invoice with the number {draft.number}")
        return _invoice(ours[0]) if ours else None

    def _customer(self, draft: InvoiceDraft) -> str:
        """The customer's id at QuickBooks; made from the CRM's account when it is new."""
        found = self._query("Customer", "DisplayName", draft.customer_name)
        if found:
            return str(found[0]["Id"])
        body = {"DisplayName": draft.customer_name, "Notes": f"CRM account {draft.customer_id}"}
        request_id = f"customer:{draft.customer_id}"[:REQUEST_ID_LIMIT]
        return str(self._call("POST", "/customer", params={"requestid": request_id}, body=body)["Customer"]["Id"])

    def _line(self, line: Any, currency: str) -> dict[str, object]:
        items = self._query("Item", "Name", line.sku)
        if not items:
            raise VendorRefused(f"QuickBooks has no item {line.sku}; add it, then post the invoice again")
        return {
            "Amount": Decimal(line.amount_minor).scaleb(-minor_units(currency)),
            "Description": line.description,
            "DetailType": "SalesItemLineDetail",
            "SalesItemLineDetail": {
                "ItemRef": {"value": str(items[0]["Id"])},
                "Qty": Decimal(line.quantity),
                "UnitPrice": Decimal(line.unit_price),
            },
        }

    def _query(self, entity: str, field: str, value: str) -> list[dict[str, Any]]:
        quoted = value.replace("\\", "\\\\").replace("'", "\\'")
        sql = f"select * from {entity} where {field} = '{quoted}'"
        answer = self._call("GET", "/query", params={"query": sql})
        return list(answer.get("QueryResponse", {}).get(entity, []))

    def _call(
        self, method: str, path: str, *, params: dict[str, str], body: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        response = self._send(method, path, params, body, renew=False)
        if response.status_code == 401:
            response = self._send(method, path, params, body, renew=True)
        if not response.ok:
            raise translated(response)
        try:
            document: dict[str, Any] = response.json(parse_float=Decimal)
        except requests.JSONDecodeError as error:
            raise VendorUnavailable("QuickBooks answered with something that is no JSON") from error
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
    if DUPLICATE_NUMBER in codes:
        # Possibly our own invoice, whose answer was lost: the next attempt looks it up by number.
        return VendorUnavailable("QuickBooks has an invoice with this number already")
    return VendorRefused(f"QuickBooks refused: {' '.join(codes)} {'; '.join(details)}"[:300])


def _invoice(row: dict[str, Any]) -> LedgerInvoice:
    currency = str((row.get("CurrencyRef") or {}).get("value", "USD"))
    total = Decimal(str(row["TotalAmt"])).scaleb(minor_units(currency))
    return LedgerInvoice(
        ledger_id=str(row["Id"]),
        number=str(row["DocNumber"]),
        total_minor=int(total),
        due_on=date.fromisoformat(str(row["DueDate"])),
    )
