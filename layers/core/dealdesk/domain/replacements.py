"""A second invoice in place of one that credit memos have taken back in full; the first stays as it was posted."""

from __future__ import annotations

from datetime import datetime

from dealdesk.domain import events as e
from dealdesk.domain import invoices
from dealdesk.domain.certificate import gate
from dealdesk.domain.collected import ENDED, is_taken_back
from dealdesk.domain.deal import Deal
from dealdesk.domain.stages import InvoiceStatus
from dealdesk.errors import Conflict, WrongStage


def stage(deal: Deal, invoice_id: str, by: str, now: datetime, ledger: str | None = None) -> list[e.Event]:
    """The draft that bills the approved quote anew; none when a live one replaces this invoice already.

    It has a number and a key of its own and takes the way of every draft: another person approves it, it is posted
    once. Raises `NotFound`, `WrongStage` for an invoice that is not posted, `Conflict` for one of which something still
    stands or that is not the newest, and `CertificateInvalid` at the gate.
    """
    invoice = invoices.find(deal, invoice_id)
    newest = next(one for one in reversed(deal.invoices) if one is invoice or one.status not in ENDED)
    if newest.draft.replaces == invoice_id:
        return []
    if invoice.status is not InvoiceStatus.POSTED:
        raise WrongStage(f"invoice {invoice_id} is {invoice.status}; only a posted one is replaced")
    if newest is not invoice:
        raise Conflict(f"invoice {invoice.draft.number} is not the newest; that is {newest.draft.number}")
    if not is_taken_back(deal, invoice):
        raise Conflict(f"invoice {invoice.draft.number} still stands; a posted credit memo must take it back in full")
    gate(deal, "invoice", now, signed=True)
    return [e.InvoiceStaged(invoices.drafted(deal, ledger, invoice), by)]
