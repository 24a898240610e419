"""Every ledger that must hold the port's contract, by name."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from tests.contract.ledgers.bench import Bench
from tests.contract.ledgers.fake import fake_books
from tests.contract.ledgers.netsuite import netsuite_books
from tests.contract.ledgers.quickbooks import quickbooks_books
from tests.contract.ledgers.sap import sap_books

BENCHES: dict[str, Callable[[], AbstractContextManager[Bench]]] = {
    "fake": fake_books,
    "netsuite": netsuite_books,
    "quickbooks": quickbooks_books,
    "sap": sap_books,
}
