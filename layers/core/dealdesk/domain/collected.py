"""What the desk has got for a deal, as entries that add up: money in, money back, money that the payer's bank took."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dealdesk.domain.deal import Deal, Invoice, Refund
from dealdesk.domain.money import Money
from dealdesk.domain.stages import CreditStatus, DisputeStatus, InvoiceStatus, RefundStatus, Stage

GONE = frozenset({RefundStatus.SUBMITTED, RefundStatus.SUCCEEDED})
PAID_ONCE = frozenset({Stage.PAID, Stage.INVOICED, Stage.CLOSED})
ENDED = frozenset({InvoiceStatus.REJECTED, InvoiceStatus.VOIDED})


@dataclass(frozen=True, slots=True)
class Entry:
    """`amount` is below zero for money that has left us; `id` is that of the payment, refund or dispute."""

    kind: str
    id: str
    reference: str
    amount: Money


def entries(deal: Deal) -> Iterator[Entry]:
    """Every movement by itself: none changes another, and their sum is what is left."""
    for payment in deal.payments:
        if payment.settled:
            yield Entry("received", payment.id, payment.reference or "", payment.settled)
    for money in deal.unapplied:
        yield Entry("unapplied", money.payment_id, money.reference, money.amount)
    for refund in deal.refunds:
        if refund.status in GONE:
            yield Entry("refund", refund.id, refund.reference, _less(refund.amount))
    for dispute in deal.disputes:
        yield Entry("dispute", dispute.id, dispute.reference, _less(dispute.amount))
        if dispute.status is DisputeStatus.WON:
            yield Entry("dispute_reversal", dispute.id, dispute.reference, dispute.amount)
        if dispute.fee:
            yield Entry("dispute_fee", dispute.id, dispute.reference, _less(dispute.fee))


def collected(deal: Deal) -> Money | None:
    """What is there of the settled payments; None before there is one.

    Refunds and disputes of a payment that was over take from what was over first; a dispute in another currency takes
    all. A bank's fee is our cost and leaves the customer's payment whole.
    """
    settled = [(payment.reference, payment.settled) for payment in deal.payments if payment.settled]
    if not settled:
        return None
    moved = [entry for entry in entries(deal) if entry.kind != "dispute_fee"]
    kept = 0
    for reference, brought in settled:
        mine = [entry.amount for entry in moved if reference and entry.reference == reference]
        foreign = any(amount.currency != brought.currency for amount in mine)
        rest = 0 if foreign else sum(amount.amount_minor for amount in mine) if mine else brought.amount_minor
        kept += min(brought.amount_minor, max(0, rest))
    return Money(kept, settled[-1][1].currency)


def is_covered(deal: Deal) -> bool:
    """Whether what arrived, less refunds that went out, comes to the quote's total; a dispute is argued about later."""
    money = collected(replace(deal, disputes=()))
    return money is not None and deal.quote is not None and money.amount_minor >= deal.quote.net_total.amount_minor


def outstanding(deal: Deal) -> Money:
    """What the customer still owes: of the newest invoice, less what memos took back and what finance accepted.

    Before there is an invoice, of the quote, which the deal must have. What was given back once the deal was paid is
    not asked for again, unless a new invoice asks for it, or nobody here has decided it: PayPal's payer of a lost
    dispute is paid by a refund.
    """
    assert deal.quote is not None
    live = [invoice for invoice in deal.invoices if invoice.status not in ENDED]
    given_back = deal.stage in PAID_ONCE and not _is_billed_anew(live)
    counted = replace(deal, refunds=_of_disputes(deal)) if given_back else deal
    due = _asked_by(counted, live[-1]) if live else deal.quote.net_total.amount_minor
    return Money(max(0, due - _minor(collected(counted))), deal.quote.currency)


def difference(deal: Deal, invoice: Invoice) -> int:
    """How much the invoice's total is above what was collected for it; 0 before there is money.

    One that was taken back in full asks for nothing any more: what was collected is for the one that replaces it.
    """
    money = collected(deal)
    return 0 if money is None or is_taken_back(deal, invoice) else invoice.total_minor - money.amount_minor


def still_differs(deal: Deal, invoice: Invoice) -> bool:
    """Whether the posted total is not what was collected, and finance has not accepted by how much."""
    return invoice.differs and not is_settled(deal, invoice)


def is_settled(deal: Deal, invoice: Invoice, tolerance_minor: int = 0) -> bool:
    """Whether its total is what was collected, or differs by what finance has accepted."""
    differs = difference(deal, invoice)
    return min(abs(differs), abs(differs - invoice.accepted_minor)) <= tolerance_minor


def settlement(deal: Deal, invoice: Invoice) -> str:
    """`open`, `partially_paid` or `paid`: what is there, against the total less what credit memos took back."""
    has, due = _minor(collected(deal)), _billed(deal, invoice)
    if has >= due:
        return "paid"
    return "partially_paid" if has else "open"


def is_taken_back(deal: Deal, invoice: Invoice) -> bool:
    """Whether posted credit memos have taken back all of it, which is all of every line: none goes beyond its line."""
    about = [credit for credit in deal.credits if credit.memo.invoice_id == invoice.draft.invoice_id]
    return 0 < invoice.draft.total_minor == sum(c.memo.total_minor for c in about if c.status is CreditStatus.POSTED)


def replaced_by(deal: Deal, invoice: Invoice) -> str | None:
    """The id of the live invoice in its place, if there is one."""
    live = (one.draft for one in deal.invoices if one.status not in ENDED)
    return next((draft.invoice_id for draft in live if draft.replaces == invoice.draft.invoice_id), None)


def _of_disputes(deal: Deal) -> tuple[Refund, ...]:
    """Refunds that nobody here asked for, of money about which a dispute was lost."""
    lost = {dispute.reference for dispute in deal.disputes if dispute.status is DisputeStatus.LOST}
    return tuple(refund for refund in deal.refunds if not refund.requested_by and refund.reference in lost)


def _is_billed_anew(live: Sequence[Invoice]) -> bool:
    """Whether an invoice that replaces another still has to be settled."""
    newest = live[-1] if live else None
    return newest is not None and bool(newest.draft.replaces) and (newest.differs or newest.posted_minor is None)


def _asked_by(deal: Deal, invoice: Invoice) -> int:
    """One that was posted and does not differ asks for no more than it was closed with: finance tolerates the rest."""
    due = _billed(deal, invoice) - invoice.accepted_minor
    if invoice.posted_minor is None or invoice.differs:
        return due
    return min(due, _minor(collected(replace(deal, disputes=(), refunds=()))))


def _billed(deal: Deal, invoice: Invoice) -> int:
    memos = (credit for credit in deal.credits if credit.memo.invoice_id == invoice.draft.invoice_id)
    return invoice.total_minor - sum(memo.total_minor or 0 for memo in memos)


def _minor(money: Money | None) -> int:
    return money.amount_minor if money else 0


def _less(amount: Money) -> Money:
    return Money(-amount.amount_minor, amount.currency)
