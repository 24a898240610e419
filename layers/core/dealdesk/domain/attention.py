"""What waits for somebody of finance: money and documents that no program may decide on."""

from __future__ import annotations

from collections.abc import Iterator

from dealdesk.domain.collected import (
    ENDED,
    collected,
    difference,
    is_settled,
    is_taken_back,
    outstanding,
    still_differs,
)
from dealdesk.domain.deal import Deal
from dealdesk.domain.money import Money, format_money
from dealdesk.domain.stages import CreditStatus, DisputeStatus, InvoiceStatus, PaymentStatus, RefundStatus, Stage


def waits_for_finance(deal: Deal) -> tuple[str, ...]:
    """Each as a sentence; empty when nothing does."""
    return (*_disputes(deal), *_rest(deal), *_invoices(deal), *_decisions(deal), *_unapplied(deal))


def _disputes(deal: Deal) -> Iterator[str]:
    for dispute in deal.disputes:
        if dispute.status is DisputeStatus.OPEN:
            amount = format_money(dispute.amount)
            yield f"{amount} of payment {dispute.payment_id} is disputed: answer at the provider"
    yield from _losses(deal)


def _losses(deal: Deal) -> Iterator[str]:
    """As long as something is missing: not once it is collected anew, credited, or accepted."""
    lost = [dispute for dispute in deal.disputes if dispute.status is DisputeStatus.LOST]
    missing = outstanding(deal) if lost else None
    for dispute in lost:
        if missing and missing.amount_minor:
            # What the provider has refunded to the payer is no part of the dispute any more.
            over = format_money(dispute.amount if dispute.amount.amount_minor else missing)
            yield f"the dispute over {over} is lost: collect it anew or write a credit memo"


def _rest(deal: Deal) -> Iterator[str]:
    """Money that is missing before there is an invoice; afterwards the invoice tells of it."""
    waits = deal.stage is Stage.AWAITING_PAYMENT and not deal.is_disputed
    if waits and deal.payment and deal.payment.status is not PaymentStatus.PENDING and collected(deal):
        yield f"{format_money(outstanding(deal))} are still to be collected: ask for the rest"


def _invoices(deal: Deal) -> Iterator[str]:
    for invoice in deal.invoices:
        draft, differs = invoice.draft, difference(deal, invoice)
        stops = still_differs(deal, invoice) or (
            invoice.status is InvoiceStatus.DRAFT and not is_settled(deal, invoice)
        )
        if stops:
            by = format_money(Money(differs, draft.currency))
            yield f"invoice {draft.number} differs by {by} from what was collected: accept it or put it right"
    newest = next((invoice for invoice in reversed(deal.invoices) if invoice.status not in ENDED), None)
    money = collected(deal)
    if newest and money and money.amount_minor and is_taken_back(deal, newest):
        yield f"invoice {newest.draft.number} is taken back: stage a new one or give {format_money(money)} back"


def _decisions(deal: Deal) -> Iterator[str]:
    for refund in deal.refunds:
        if refund.status is RefundStatus.REQUESTED:
            yield f"decide on the refund of {format_money(refund.amount)}: {refund.reason}"
    for credit in deal.credits:
        if credit.status is CreditStatus.REQUESTED:
            total = format_money(Money(credit.memo.total_minor, credit.memo.currency))
            yield f"decide on the credit memo over {total}: {credit.memo.reason}"


def _unapplied(deal: Deal) -> Iterator[str]:
    """Money that settles nothing, as long as nobody has asked to give it back."""
    asked = {refund.reference for refund in deal.refunds if refund.status is not RefundStatus.REJECTED}
    for money in deal.unapplied:
        if money.reference not in asked:
            yield f"{format_money(money.amount)} is unapplied credit of the customer: {money.reason}"
