"""A bench holds one ledger's adapter over its books, and can do to the books what happens in life."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, ClassVar, Literal

from dealdesk.domain.events import CreditMemo, InvoiceDraft, InvoiceLine
from dealdesk.domain.money import to_major
from dealdesk.ports import Ledger
from local.twins.server import Fault, Twin

# What every bench's books know before the first test: a customer in each currency, and three items.
CUSTOMERS = {"USD": ("acct-1", "Acme Inc"), "JPY": ("acct-2", "Acme KK"), "KWD": ("acct-3", "Acme WLL")}
SKUS = ("CORE-01", "SETUP-01", "SEAT-01")
# Long enough for a loaded machine, short enough for a test that waits for it.
PATIENCE_SECONDS = 0.5

Effect = Literal["post", "credit"]


class Trouble(StrEnum):
    """What can become of one call."""

    BUSY = "429 with Retry-After 7, nothing done"
    BROKEN = "500, nothing done"
    SILENT = "no answer in time, nothing done"
    GARBLED = "done, and answered with what nobody can read"
    LOST = "done, and the answer lost"


@dataclass(frozen=True, slots=True)
class Kept:
    """What the books have of an invoice or a credit memo; `net_minor` is before tax."""

    number: str
    net_minor: int


class Bench(ABC):
    """Fresh books for every test. `carries` are the currencies of CUSTOMERS in which they can keep amounts exactly."""

    carries: frozenset[str]
    makes_customers: bool

    @abstractmethod
    def ledger(self) -> Ledger:
        """The adapter as a new worker makes it: nothing is remembered from before."""

    @abstractmethod
    def invoices(self) -> list[Kept]: ...

    @abstractmethod
    def credits(self) -> list[Kept]: ...

    @abstractmethod
    def sent(self) -> str:
        """Everything that the adapter has told the ledger so far."""

    @abstractmethod
    def trouble(self, effect: Effect, trouble: Trouble) -> None:
        """The next call that would make an invoice or a credit memo ends like this."""

    @abstractmethod
    def tax(self, percent: int) -> None:
        """From now on the ledger adds so much tax."""

    @abstractmethod
    def close_books(self) -> None:
        """The period of today is closed."""

    @abstractmethod
    def take_number(self, number: str) -> None:
        """A person makes an invoice with this number; it must stay as it is."""

    @abstractmethod
    def expire_session(self) -> None:
        """Tokens or session cookies that were good are so no longer."""


class TwinBench(Bench):
    """What the benches on twins share: faults by the line of the call."""

    twin: Twin
    calls: ClassVar[dict[Effect, str]]

    def sent(self) -> str:
        return "\n".join(f"{record.path} {record.body}" for record in self.twin.requests)

    def trouble(self, effect: Effect, trouble: Trouble) -> None:
        match = self.calls[effect]
        match trouble:
            case Trouble.BUSY:
                fault = Fault(match, "status", 429, {"Retry-After": "7"})
            case Trouble.BROKEN:
                fault = Fault(match, "status", 500)
            case Trouble.SILENT:
                fault = Fault(match, "timeout", seconds=PATIENCE_SECONDS * 3)
            case Trouble.GARBLED:
                fault = Fault(match, "garble")
            case Trouble.LOST:
                fault = Fault(match, "drop_answer", 0)
        self.twin.faults = [fault]


def a_line(line_id: str = "1", amount_minor: int = 100_050, currency: str = "USD", **fields: Any) -> InvoiceLine:
    """One of CORE-01 for 1,000.50 USD, unless the test says otherwise."""
    quantity = fields.pop("quantity", "1")
    known = {
        "sku": "CORE-01",
        "description": "CORE-01",
        "quantity": quantity,
        "unit_price": f"{to_major(amount_minor, currency) / int(quantity):f}",
    }
    return InvoiceLine(line_id=line_id, amount_minor=amount_minor, **(known | fields))


def a_draft(*lines: InvoiceLine, currency: str = "USD", **fields: Any) -> InvoiceDraft:
    wanted = lines or (a_line(currency=currency),)
    customer_id, customer_name = CUSTOMERS[currency]
    draft = InvoiceDraft(
        invoice_id="inv_d-1_1",
        number="DD-0123456789AB-1",
        ledger="any",
        customer_id=customer_id,
        customer_name=customer_name,
        currency=currency,
        lines=wanted,
        total_minor=sum(line.amount_minor for line in wanted),
        terms_days=30,
        digest="",
    )
    return sealed(replace(draft, **fields))


def sealed(draft: InvoiceDraft) -> InvoiceDraft:
    """The draft with the digest of what it says now."""
    canonical = json.dumps(asdict(replace(draft, digest="")), sort_keys=True)
    return replace(draft, digest=hashlib.sha256(canonical.encode()).hexdigest())


def a_memo(draft: InvoiceDraft, ledger_id: str, *lines: InvoiceLine, number: int = 1) -> CreditMemo:
    """Takes back these lines of the posted invoice; all of them, unless the test says otherwise."""
    wanted = lines or draft.lines
    return CreditMemo(
        memo_id=f"cm_d-1_{number}",
        number=f"DC-0123456789AB-{number}",
        invoice_id=draft.invoice_id,
        invoice_number=draft.number,
        invoice_ledger_id=ledger_id,
        customer_id=draft.customer_id,
        customer_name=draft.customer_name,
        currency=draft.currency,
        lines=wanted,
        total_minor=sum(line.amount_minor for line in wanted),
        reason="one seat too many",
    )
