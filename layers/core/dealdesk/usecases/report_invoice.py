"""The ledger says that somebody has touched an invoice of ours: remember what it reads now."""

from __future__ import annotations

from datetime import datetime

from dealdesk.domain import invoices
from dealdesk.domain.deal import Deal
from dealdesk.domain.events import Event, InvoiceReported
from dealdesk.ports import Cause, Deals, InvoiceReport
from dealdesk.usecases.change import change


def report_invoice(deals: Deals, report: InvoiceReport, *, cause: Cause, vendor: str, now: datetime) -> Deal:
    """Moves nothing. Raises `DealUnknown`, `NotFound` for an invoice that the deal has not, `AlreadyHandled`."""

    def decide(deal: Deal) -> list[Event]:
        invoices.find(deal, report.invoice_id)
        return [InvoiceReported(report.invoice_id, report.ledger_id, report.said)]

    return change(deals, report.deal_id, decide, cause=cause, actor=f"vendor:{vendor}", now=now)
