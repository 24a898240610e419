"""Who keeps the books: the documents that stand at QuickBooks, NetSuite or SAP."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Protocol

from dealdesk.adapters.ledger_notes import owner_of
from dealdesk.domain.money import EXACT, minor_units

INVOICE, MEMO = "invoice", "credit memo"
# Every quote of the people in this proof is in this currency.
CURRENCY = "USD"
# What NetSuite itself moves on an invoice: when it was touched, and what memos have left of it.
MOVES_BY_ITSELF = ("lastModifiedDate", "amountRemaining")


@dataclass(frozen=True, slots=True)
class Document:
    """`name` is the desk's own, of which there must be one; `of` is the invoice, a memo's that which it is about.

    `net_minor` is before tax, `total_minor` with it. `content` is all that must never change once it is posted.
    """

    kind: str
    name: str
    of: str
    net_minor: int
    total_minor: int
    content: str


class Booking(Protocol):
    def documents(self) -> list[Document]: ...

    def charge_tax(self, percent: str) -> object:
        """New documents carry so much tax."""

    def close_books(self, through: date) -> object:
        """Nothing can be dated up to and with this day any more."""


class _Settings:
    """Each ledger's twin has these under one name."""

    _twin: Any

    def charge_tax(self, percent: str) -> object:
        return self._twin.act("charge_tax", {"percent": percent})

    def close_books(self, through: date) -> object:
        return self._twin.act("close_books", {"through": through.isoformat()})


class AtQuickbooks(_Settings):
    def __init__(self, twin: Any) -> None:
        self._twin, self._books = twin, twin.books

    def documents(self) -> list[Document]:
        tables = self._books.tables
        return [_quickbooks(INVOICE, row) for row in tables["Invoice"].values()] + [
            _quickbooks(MEMO, row) for row in tables["CreditMemo"].values()
        ]


class AtNetsuite(_Settings):
    def __init__(self, twin: Any) -> None:
        self._twin, self._books = twin, twin.books

    def documents(self) -> list[Document]:
        tables = self._books.tables
        return [_netsuite(INVOICE, row) for row in tables["invoice"].values()] + [
            _netsuite(MEMO, row) for row in tables["creditMemo"].values()
        ]


class AtSap(_Settings):
    """An invoice is a billing document (category M), a memo one of category O; what was billed counts as well."""

    def __init__(self, twin: Any) -> None:
        self._twin, self._books = twin, twin.books

    def documents(self) -> list[Document]:
        tables = self._books.tables
        requests = {row["PurchaseOrderByCustomer"]: row["ReferenceSDDocument"] for row in tables["A_CreditMemoRequest"]}
        found = []
        for table, kind in (("A_SalesOrder", "sales order"), ("A_CreditMemoRequest", "credit memo request")):
            found += [_sap(kind, row, "") for row in tables[table]]
        for row in tables["A_BillingDocument"]:
            memo = row["SDDocumentCategory"] == "O"
            of = requests[row["PurchaseOrderByCustomer"]] if memo else row["BillingDocument"]
            found.append(_sap(MEMO if memo else INVOICE, row, of))
        return found


def _quickbooks(kind: str, row: Any) -> Document:
    name, of = _named(kind, row["PrivateNote"], row.get("DocNumber", ""))
    net, total = row["TotalAmt"] - row["TxnTaxDetail"]["TotalTax"], row["TotalAmt"]
    return Document(kind, name, of, _minor(net), _minor(total), _frozen(row))


def _netsuite(kind: str, row: Any) -> Document:
    name, of = _named(kind, row["memo"], row["tranId"])
    content = {field: value for field, value in row.items() if field not in MOVES_BY_ITSELF}
    return Document(kind, name, of, _minor(row["subtotal"]), _minor(row["total"]), _frozen(content))


def _sap(kind: str, row: Any, of: str) -> Document:
    net = row["TotalNetAmount"]
    return Document(
        kind, row["PurchaseOrderByCustomer"], of, _minor(net), _minor(net + row.get("TaxAmount", 0)), _frozen(row)
    )


def _named(kind: str, note: str, number: str) -> tuple[str, str]:
    """From the desk's note: "Deal Desk deal invoice digest", "Deal Desk deal memo invoice digest"."""
    owner = owner_of(note)
    if owner is None:
        return number, number
    return owner[1], note.split()[4] if kind == MEMO else owner[1]


def _minor(amount: Decimal) -> int:
    return int(EXACT.scaleb(amount, minor_units(CURRENCY)))


def _frozen(row: Any) -> str:
    return json.dumps(row, sort_keys=True, default=str)


SIDES: dict[str, Callable[[Any], Booking]] = {"quickbooks": AtQuickbooks, "netsuite": AtNetsuite, "sap": AtSap}
