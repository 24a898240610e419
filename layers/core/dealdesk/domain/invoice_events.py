"""What happens to invoices and to the credit memos that take them back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar


@dataclass(frozen=True, slots=True, repr=False)
class InvoiceLine:
    """A line of the draft; `amount_minor` is net of discount and before tax."""

    line_id: str
    sku: str
    description: str
    quantity: str
    unit_price: str
    amount_minor: int


@dataclass(frozen=True, slots=True, repr=False)
class InvoiceDraft:
    """What finance approves and the ledger gets; `digest` freezes the content.

    `terms` says how `terms_days` count where it is not plain "net N", like "EOM+15" (`invoices.terms_of`).
    `replaces` is the invoice in whose place it comes, and that one's number, where there is one.
    """

    invoice_id: str
    number: str
    ledger: str
    customer_id: str
    customer_name: str
    currency: str
    lines: tuple[InvoiceLine, ...]
    total_minor: int
    terms_days: int
    digest: str
    terms: str = ""
    replaces: str = ""
    replaces_number: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class CreditMemo:
    """What takes back lines of a posted invoice, in part or in full; amounts are positive, and before tax."""

    memo_id: str
    number: str
    invoice_id: str
    invoice_number: str
    invoice_ledger_id: str
    customer_id: str
    customer_name: str
    currency: str
    lines: tuple[InvoiceLine, ...]
    total_minor: int
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class InvoiceStaged:
    """`by` is the person who staged it, or `system:desk` when it followed the payment by itself."""

    TYPE: ClassVar[str] = "invoice.staged"
    draft: InvoiceDraft
    by: str


@dataclass(frozen=True, slots=True, repr=False)
class InvoiceApproved:
    TYPE: ClassVar[str] = "invoice.approved"
    invoice_id: str
    digest: str
    by: str


@dataclass(frozen=True, slots=True, repr=False)
class InvoiceRejected:
    TYPE: ClassVar[str] = "invoice.rejected"
    invoice_id: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class PostingRequested:
    TYPE: ClassVar[str] = "invoice.posting_requested"
    key: str
    invoice_id: str
    ledger: str


@dataclass(frozen=True, slots=True, repr=False)
class InvoicePosted:
    TYPE: ClassVar[str] = "invoice.posted"
    key: str
    invoice_id: str
    number: str
    ledger_id: str
    total_minor: int
    due_on: date
    ledger: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class InvoiceDiffers:
    """The ledger's total, with tax, is not what was collected; `difference_minor` is above zero where more is due."""

    TYPE: ClassVar[str] = "invoice.differs"
    invoice_id: str
    total_minor: int
    collected_minor: int
    currency: str
    difference_minor: int


@dataclass(frozen=True, slots=True, repr=False)
class InvoiceDifferenceAccepted:
    """Finance takes exactly this difference as it is."""

    TYPE: ClassVar[str] = "invoice.difference_accepted"
    invoice_id: str
    difference_minor: int
    by: str
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class InvoiceFailed:
    TYPE: ClassVar[str] = "invoice.failed"
    key: str
    invoice_id: str
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class InvoiceReported:
    """The ledger says that somebody has touched our invoice, and what it reads now: a hint that moves nothing."""

    TYPE: ClassVar[str] = "invoice.reported"
    invoice_id: str
    ledger_id: str
    said: str


@dataclass(frozen=True, slots=True, repr=False)
class CreditMemoRequested:
    """Somebody wants to take back lines of a posted invoice; `refund_id` is the refund that goes with it, if any."""

    TYPE: ClassVar[str] = "credit_memo.requested"
    memo: CreditMemo
    by: str
    refund_id: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class CreditMemoApproved:
    """Somebody else of finance has agreed; `key` is the intent to post the memo."""

    TYPE: ClassVar[str] = "credit_memo.approved"
    key: str
    memo_id: str
    by: str


@dataclass(frozen=True, slots=True, repr=False)
class CreditMemoRejected:
    TYPE: ClassVar[str] = "credit_memo.rejected"
    memo_id: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class CreditMemoPosted:
    """`total_minor` is what the ledger credits, with the tax of the lines."""

    TYPE: ClassVar[str] = "credit_memo.posted"
    key: str
    memo_id: str
    number: str
    ledger_id: str
    total_minor: int
    posted_on: date


@dataclass(frozen=True, slots=True, repr=False)
class CreditMemoFailed:
    TYPE: ClassVar[str] = "credit_memo.failed"
    key: str
    memo_id: str
    reason: str


InvoiceEvent = (
    InvoiceStaged
    | InvoiceApproved
    | InvoiceRejected
    | PostingRequested
    | InvoicePosted
    | InvoiceDiffers
    | InvoiceDifferenceAccepted
    | InvoiceFailed
    | InvoiceReported
)
CreditEvent = CreditMemoRequested | CreditMemoApproved | CreditMemoRejected | CreditMemoPosted | CreditMemoFailed
