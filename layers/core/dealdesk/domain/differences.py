"""An invoice that is not what was collected waits for finance, who takes exactly the difference that they saw."""

from __future__ import annotations

from datetime import datetime

from dealdesk.domain import events as e
from dealdesk.domain.collected import difference, still_differs
from dealdesk.domain.deal import Deal
from dealdesk.domain.directory import Directory
from dealdesk.domain.entitlement import decides_on_request
from dealdesk.domain.invoices import INVOICE, closed, find
from dealdesk.domain.money import Money, format_money
from dealdesk.domain.stages import InvoiceStatus, PaymentStatus, Stage
from dealdesk.errors import Conflict, WrongStage


def accept(
    deal: Deal,
    invoice_id: str,
    difference_minor: int,
    reason: str,
    by: str,
    groups: frozenset[str],
    directory: Directory,
    now: datetime,
) -> list[e.Event]:
    """Of a draft, which can then be approved; of a posted invoice, which closes the deal.

    Raises `Conflict` when the difference is no longer the one that was seen, or while a link for the rest is out, and
    `WrongStage` when none waits.
    """
    invoice = find(deal, invoice_id)
    decides_on_request(deal, INVOICE, invoice.staged_by, by, groups, directory, now)
    if invoice.status is not InvoiceStatus.DRAFT and not still_differs(deal, invoice):
        raise WrongStage(f"invoice {invoice_id} is {invoice.status} and no difference waits")
    if deal.payment and deal.payment.status is PaymentStatus.PENDING:
        raise Conflict(f"payment {deal.payment.id} asks for the rest; withdraw it, then accept the difference")
    differs = difference(deal, invoice)
    if difference_minor != differs:
        now_is = format_money(Money(differs, invoice.draft.currency))
        raise Conflict(f"the difference of invoice {invoice_id} is {now_is} now; look again")
    accepted: list[e.Event] = [e.InvoiceDifferenceAccepted(invoice_id, differs, by, reason)]
    closes = invoice.differs and deal.stage is not Stage.CLOSED
    return [*accepted, closed(deal, now)] if closes else accepted
