"""The bench of the ledger in memory: a fake is worth something only when it keeps the same rules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date

from dealdesk.domain.events import InvoiceDraft
from dealdesk.errors import VendorUnavailable
from dealdesk.ports import LedgerInvoice
from tests.contract.ledgers.bench import CUSTOMERS, SKUS, Bench, Effect, Kept, Trouble
from tests.fakes.ledger import FakeBooks, FakeLedger


class FakeBench(Bench):
    carries = frozenset(CUSTOMERS)
    makes_customers = False

    def __init__(self) -> None:
        self.books = FakeBooks(dict(CUSTOMERS.values()), frozenset(SKUS))

    def ledger(self) -> FakeLedger:
        return FakeLedger(self.books)

    def invoices(self) -> list[Kept]:
        return [
            Kept(number, getattr(content, "total_minor", 0)) for number, (content, _) in self.books.invoices.items()
        ]

    def credits(self) -> list[Kept]:
        return [Kept(number, memo.total_minor) for number, (memo, _) in self.books.credits.items()]

    def sent(self) -> str:
        return repr(
            [asdict(content) for content, _ in self.books.invoices.values() if isinstance(content, InvoiceDraft)]
        )

    def trouble(self, effect: Effect, trouble: Trouble) -> None:
        after = 7 if trouble is Trouble.BUSY else None
        error = VendorUnavailable(trouble.value, retry_after_seconds=after)
        if trouble in (Trouble.LOST, Trouble.GARBLED):
            self.books.after = error
        else:
            self.books.before = error

    def tax(self, percent: int) -> None:
        self.books.tax_percent = percent

    def close_books(self) -> None:
        self.books.closed = True

    def take_number(self, number: str) -> None:
        taken = LedgerInvoice("inv-99", number, 1, date(2026, 11, 22))
        self.books.invoices[number] = ("made by hand", taken)

    def expire_session(self) -> None:
        """Nobody signs in here."""


@contextmanager
def fake_books() -> Iterator[Bench]:
    yield FakeBench()
