"""A posted invoice is put right by a credit memo: asked by one, approved by another, never above what was billed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from dealdesk.domain import events as e
from dealdesk.domain import invoices, refunds
from dealdesk.domain.deal import Credit, Deal, Invoice
from dealdesk.domain.directory import Directory
from dealdesk.domain.entitlement import decides_on_request
from dealdesk.domain.fold import fold
from dealdesk.domain.money import Money, format_money, to_major
from dealdesk.domain.stages import CreditStatus, InvoiceStatus
from dealdesk.errors import Conflict, Malformed, NotFound, WrongStage

CREDIT = e.StepAsked("credit_memo", "Credit memo approval", "grp-finance")
# A memo that the ledger refused still holds its amount: it may be approved again under its number.
HOLDS = frozenset(CreditStatus) - {CreditStatus.REJECTED}
Lines = Mapping[str, int | None]


def left(deal: Deal, invoice: Invoice) -> dict[str, int]:
    """What can still be taken back of each line, in minor units and before tax."""
    rest = {line.line_id: line.amount_minor for line in invoice.draft.lines}
    for credit in deal.credits:
        if credit.memo.invoice_id == invoice.draft.invoice_id and credit.status in HOLDS:
            for line in credit.memo.lines:
                rest[line.line_id] -= line.amount_minor
    return rest


def request(
    deal: Deal, invoice_id: str, lines: Lines | None, reason: str, by: str, refund_id: str = ""
) -> list[e.Event]:
    """The wish to take back these amounts of these lines; None for an amount is all that is left, None for all lines.

    Raises `WrongStage` for an invoice that is not posted, `NotFound` for a line or refund that is not there,
    `Malformed` for an amount below one, and `Conflict` for more than is left.
    """
    invoice = invoices.find(deal, invoice_id)
    if invoice.status is not InvoiceStatus.POSTED:
        raise WrongStage(f"invoice {invoice_id} is {invoice.status}; only a posted one needs a credit memo")
    if refund_id:
        refunds.find(deal, refund_id)
    rest = left(deal, invoice)
    wanted = {line_id: None for line_id, minor in rest.items() if minor > 0} if lines is None else lines
    if not wanted:
        raise Conflict(f"nothing of invoice {invoice.draft.number} is left to be taken back")
    credited = tuple(_line(invoice, rest, line_id, amount) for line_id, amount in wanted.items())
    return [e.CreditMemoRequested(_memo(deal, invoice, credited, reason), by, refund_id)]


def approve(
    deal: Deal, memo_id: str, by: str, groups: frozenset[str], directory: Directory, now: datetime
) -> list[e.Event]:
    """Somebody of finance, who did not ask for it, agrees; the intent to post it follows at once.

    A memo that the ledger refused is asked again under the same key. Raises as `refunds.approve` does.
    """
    credit = find(deal, memo_id)
    decides_on_request(deal, CREDIT, credit.requested_by, by, groups, directory, now)
    if credit.status in (CreditStatus.APPROVED, CreditStatus.POSTED):
        return []
    if credit.status is CreditStatus.REJECTED:
        raise WrongStage(f"credit memo {memo_id} is rejected; ask for a new one")
    return [e.CreditMemoApproved(credit.key, memo_id, by)]


def reject(
    deal: Deal, memo_id: str, by: str, groups: frozenset[str], reason: str, directory: Directory, now: datetime
) -> list[e.Event]:
    """Finance says no, or whoever asked takes it back; a memo that is on its way to the ledger is not stopped."""
    credit = find(deal, memo_id)
    if directory.identity(by) != directory.identity(credit.requested_by):
        decides_on_request(deal, CREDIT, credit.requested_by, by, groups, directory, now)
    if credit.status is CreditStatus.REJECTED:
        return []
    if credit.status not in (CreditStatus.REQUESTED, CreditStatus.FAILED):
        raise WrongStage(f"credit memo {memo_id} is {credit.status}; it cannot be rejected any more")
    return [e.CreditMemoRejected(memo_id, by, reason)]


def posted(deal: Deal, memo_id: str, ledger_id: str, number: str, total_minor: int, now: datetime) -> list[e.Event]:
    """The ledger has the memo, in the period that is open today.

    An invoice that is taken back in full asks for nothing any more: a deal that waited for its money ends.
    """
    credit = find(deal, memo_id)
    if credit.status is CreditStatus.POSTED:
        return []
    happened: list[e.Event] = [e.CreditMemoPosted(credit.key, memo_id, number, ledger_id, total_minor, now.date())]
    return [*happened, *invoices.follow_money(fold(deal, happened, now), now)]


def failed(deal: Deal, memo_id: str, reason: str) -> list[e.Event]:
    """The ledger will not take it as it is; nothing for one that has moved on meanwhile."""
    credit = find(deal, memo_id)
    return [e.CreditMemoFailed(credit.key, memo_id, reason)] if credit.status is CreditStatus.APPROVED else []


def find(deal: Deal, memo_id: str) -> Credit:
    for credit in deal.credits:
        if credit.memo.memo_id == memo_id:
            return credit
    raise NotFound(f"deal {deal.id} has no credit memo {memo_id}")


def _line(invoice: Invoice, rest: Mapping[str, int], line_id: str, amount: int | None) -> e.InvoiceLine:
    """The line once at the amount that is taken back; taken back whole, as it was billed."""
    line = next((line for line in invoice.draft.lines if line.line_id == line_id), None)
    currency = invoice.draft.currency
    if line is None:
        raise NotFound(f"invoice {invoice.draft.number} has no line {line_id}")
    minor = rest[line_id] if amount is None else amount
    if minor > rest[line_id] or not rest[line_id]:
        over, has = format_money(Money(minor, currency)), format_money(Money(rest[line_id], currency))
        raise Conflict(f"{over} of line {line_id} cannot be taken back: {has} are left")
    if minor <= 0:
        raise Malformed(f"line {line_id} needs an amount above zero", pointer="/lines")
    if minor == line.amount_minor:
        return line
    price = f"{to_major(minor, currency):f}"
    return replace(line, quantity="1", unit_price=price, amount_minor=minor)


def _memo(deal: Deal, invoice: Invoice, lines: tuple[e.InvoiceLine, ...], reason: str) -> e.CreditMemo:
    draft, number = invoice.draft, len(deal.credits) + 1
    return e.CreditMemo(
        memo_id=f"crd_{deal.id}_{number}",
        number=invoices.document_number(deal.id, number, "CM"),
        invoice_id=draft.invoice_id,
        invoice_number=draft.number,
        invoice_ledger_id=invoice.ledger_id or "",
        customer_id=draft.customer_id,
        customer_name=draft.customer_name,
        currency=draft.currency,
        lines=lines,
        total_minor=sum(line.amount_minor for line in lines),
        reason=reason,
    )
