"""Post the approved invoice to the ledger, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import cast

from dealdesk.domain import invoices
from dealdesk.domain.certificate import gate
from dealdesk.domain.deal import Deal, Intent
from dealdesk.domain.events import Event, InvoiceDraft, InvoiceFailed
from dealdesk.domain.stages import Effect
from dealdesk.ports import Deals, Ledger, LedgerInvoice
from dealdesk.usecases.carry_out import Work, carry_out

LedgerOf = Callable[[str], Ledger]
"""The ledger of this name. Raises `VendorRefused` for one that is not set up."""


def post_invoice(
    deals: Deals, ledgers: LedgerOf, deal_id: str, clock: Callable[[], datetime], tolerance_minor: int = 0
) -> list[str]:
    """Carries out the deal's open intent to post; returns its key.

    A total that differs from what was collected by more than `tolerance_minor` leaves the deal open, for finance.
    """
    work: Work[LedgerInvoice] = Work(
        actor="system:post_invoice",
        gate=lambda deal, _, now: gate(deal, "posting", now, signed=True),
        look_up=lambda deal, intent: _look_up(ledgers, invoices.find(deal, intent.subject).draft),
        call=lambda deal, intent, now: _post(ledgers, intent, invoices.find(deal, intent.subject).draft, deal, now),
        record=lambda deal, intent, answer, now: _record(deal, intent, answer, now, tolerance_minor),
        refused=_refused,
    )
    return carry_out(deals, deal_id, cast("dict[Effect, Work[object]]", {Effect.POST_INVOICE: work}), clock)


def _look_up(ledgers: LedgerOf, draft: InvoiceDraft) -> LedgerInvoice | None:
    return ledgers(draft.ledger).look_up(draft)


def _post(ledgers: LedgerOf, intent: Intent, draft: InvoiceDraft, deal: Deal, now: datetime) -> LedgerInvoice:
    return ledgers(draft.ledger).post(intent.key, draft, deal, now.date())


def _record(deal: Deal, intent: Intent, answer: LedgerInvoice, now: datetime, tolerance_minor: int) -> Sequence[Event]:
    ledger_id, number, total_minor = answer.ledger_id, answer.number, answer.total_minor
    return invoices.posted(deal, intent.key, ledger_id, number, total_minor, answer.due_on, now, tolerance_minor)


def _refused(_: Deal, intent: Intent, reason: str) -> Sequence[Event]:
    return [InvoiceFailed(intent.key, intent.subject, reason)]
