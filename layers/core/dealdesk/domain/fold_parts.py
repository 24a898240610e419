"""Changes that several events make in the same way: to an intent, a payment, a refund, an invoice, a credit memo."""

from __future__ import annotations

from dataclasses import replace

from dealdesk.domain.deal import (
    Deal,
    Intent,
)
from dealdesk.domain.stages import (
    Effect,
)

SENDS = frozenset({Effect.SEND_ENVELOPE, Effect.RESEND_ENVELOPE})


def open_intent(deal: Deal, intent: Intent) -> Deal:
    """A failed intent that is asked for again starts afresh but keeps its count, so that it looks up first."""
    known = deal.intent(intent.key)
    if known:
        return change_intent(deal, intent.key, failed="", lease_until=None)
    return replace(deal, intents=(*deal.intents, intent))


def close_intent(deal: Deal, key: str) -> Deal:
    return replace(deal, intents=tuple(intent for intent in deal.intents if intent.key != key))


def unsent(deal: Deal) -> tuple[Intent, ...]:
    """The intents without those to send; one to withdraw an overtaken contract outlives the terms."""
    return tuple(intent for intent in deal.intents if intent.effect not in SENDS)


def without(deal: Deal, subject: str) -> tuple[Intent, ...]:
    return tuple(intent for intent in deal.intents if intent.subject != subject)


def change_intent(deal: Deal, key: str, **changes: object) -> Deal:
    changed = (replace(i, **changes) if i.key == key else i for i in deal.intents)  # type: ignore[arg-type]
    return replace(deal, intents=tuple(changed))


def change_payment(deal: Deal, payment_id: str, **changes: object) -> Deal:
    changed = (replace(p, **changes) if p.id == payment_id else p for p in deal.payments)  # type: ignore[arg-type]
    return replace(deal, payments=tuple(changed))


def change_refund(deal: Deal, refund_id: str, **changes: object) -> Deal:
    changed = (replace(r, **changes) if r.id == refund_id else r for r in deal.refunds)  # type: ignore[arg-type]
    return replace(deal, refunds=tuple(changed))


def change_credit(deal: Deal, memo_id: str, **changes: object) -> Deal:
    changed = (replace(c, **changes) if c.memo.memo_id == memo_id else c for c in deal.credits)  # type: ignore[arg-type]
    return replace(deal, credits=tuple(changed))


def change_invoice(deal: Deal, invoice_id: str, **changes: object) -> Deal:
    changed = (
        replace(i, **changes) if i.draft.invoice_id == invoice_id else i  # type: ignore[arg-type]
        for i in deal.invoices
    )
    return replace(deal, invoices=tuple(changed))
