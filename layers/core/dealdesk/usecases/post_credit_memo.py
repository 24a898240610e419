"""Post approved credit memos to the ledger, each once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import cast

from dealdesk.domain import credit_memos, invoices
from dealdesk.domain.deal import Deal, Intent
from dealdesk.domain.events import CreditMemo, Event
from dealdesk.domain.stages import Effect
from dealdesk.ports import Deals, Ledger, LedgerInvoice
from dealdesk.usecases.carry_out import Work, carry_out
from dealdesk.usecases.post_invoice import LedgerOf


def post_credit_memo(deals: Deals, ledgers: LedgerOf, deal_id: str, clock: Callable[[], datetime]) -> list[str]:
    """Carries out the deal's open intents to post credit memos; returns their keys.

    A memo is dated today, whenever the invoice was: a closed period is not touched.
    """
    work: Work[LedgerInvoice] = Work(
        actor="system:post_invoice",
        # The approval that is asked of these is the memo's own: without it there is no intent.
        gate=lambda *_: None,
        look_up=lambda deal, intent: _ledger(ledgers, deal, intent).look_up_credit(_memo(deal, intent)),
        call=lambda deal, intent, now: _ledger(ledgers, deal, intent).credit(
            intent.key, _memo(deal, intent), deal, now.date()
        ),
        record=_record,
        refused=lambda deal, intent, reason: credit_memos.failed(deal, intent.subject, reason),
    )
    return carry_out(deals, deal_id, cast("dict[Effect, Work[object]]", {Effect.POST_CREDIT_MEMO: work}), clock)


def _memo(deal: Deal, intent: Intent) -> CreditMemo:
    return credit_memos.find(deal, intent.subject).memo


def _ledger(ledgers: LedgerOf, deal: Deal, intent: Intent) -> Ledger:
    """The one that has the invoice."""
    return ledgers(invoices.find(deal, _memo(deal, intent).invoice_id).draft.ledger)


def _record(deal: Deal, intent: Intent, answer: LedgerInvoice, now: datetime) -> Sequence[Event]:
    return credit_memos.posted(deal, intent.subject, answer.ledger_id, answer.number, answer.total_minor, now)
