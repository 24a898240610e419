"""A ledger in memory, for tests of what stands in front of the port."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from dealdesk.domain.deal import Deal
from dealdesk.domain.events import CreditMemo, InvoiceDraft, InvoiceLine
from dealdesk.errors import VendorRefused, VendorUnavailable
from dealdesk.ports import LedgerInvoice


@dataclass
class FakeBooks:
    """What all workers see. `before` and `after` are raised once, around the next write."""

    customers: Mapping[str, str] = field(default_factory=dict)
    skus: frozenset[str] = frozenset()
    invoices: dict[str, tuple[object, LedgerInvoice]] = field(default_factory=dict)
    credits: dict[str, tuple[CreditMemo, LedgerInvoice]] = field(default_factory=dict)
    tax_percent: int = 0
    closed: bool = False
    before: VendorUnavailable | None = None
    after: VendorUnavailable | None = None

    def write(self, table: str, number: str, content: object, kept: LedgerInvoice) -> LedgerInvoice:
        if self.before:
            error, self.before = self.before, None
            raise error
        if self.closed:
            raise VendorRefused("the period is closed")
        getattr(self, table)[number] = (content, kept)
        if self.after:
            error, self.after = self.after, None
            raise error
        return kept


class FakeLedger:
    """The `Ledger` port over `books`: numbers are unique, and a number stands for one content."""

    def __init__(self, books: FakeBooks) -> None:
        self._books = books

    def post(self, key: str, draft: InvoiceDraft, deal: Deal, on: date) -> LedgerInvoice:
        if found := self.look_up(draft):
            return found
        if draft.customer_id not in self._books.customers:
            raise VendorRefused(f"no customer {draft.customer_name}")
        self._check_skus(draft.lines)
        total = draft.total_minor * (100 + self._books.tax_percent) // 100
        made = LedgerInvoice(
            f"inv-{len(self._books.invoices) + 1}", draft.number, total, on + timedelta(days=draft.terms_days)
        )
        return self._books.write("invoices", draft.number, draft, made)

    def look_up(self, draft: InvoiceDraft) -> LedgerInvoice | None:
        content, found = self._books.invoices.get(draft.number, (draft, None))
        if content != draft:
            raise VendorRefused(f"there is another invoice with the number {draft.number}")
        return found

    def credit(self, key: str, memo: CreditMemo, deal: Deal, on: date) -> LedgerInvoice:
        if found := self.look_up_credit(memo):
            return found
        invoice = self._books.invoices[memo.invoice_number][0]
        assert isinstance(invoice, InvoiceDraft)
        before = sum(made.total_minor for made, _ in self._books.credits.values() if made.invoice_id == memo.invoice_id)
        if before + memo.total_minor > invoice.total_minor:
            raise VendorRefused(f"more than is left of invoice {memo.invoice_number}")
        self._check_skus(memo.lines)
        total = memo.total_minor * (100 + self._books.tax_percent) // 100
        made = LedgerInvoice(f"cm-{len(self._books.credits) + 1}", memo.number, total, on)
        return self._books.write("credits", memo.number, memo, made)

    def look_up_credit(self, memo: CreditMemo) -> LedgerInvoice | None:
        content, found = self._books.credits.get(memo.number, (memo, None))
        if content != memo:
            raise VendorRefused(f"there is another credit memo with the number {memo.number}")
        return found

    def _check_skus(self, lines: tuple[InvoiceLine, ...]) -> None:
        for line in lines:
            if line.sku not in self._books.skus:
                raise VendorRefused(f"no item {line.sku}")
