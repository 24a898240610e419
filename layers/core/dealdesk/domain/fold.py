"""How each event changes a deal. The snapshot in the table is nothing but this fold and can be rebuilt from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from dealdesk.domain import events as e
from dealdesk.domain.deal import Deal
from dealdesk.domain.fold_money import about_credit, about_invoice, about_money_back, about_payment
from dealdesk.domain.fold_parts import change_intent
from dealdesk.domain.fold_terms import about_approval, about_signature, about_the_quote

CRM = "crm"


def fold(deal: Deal, happened: Iterable[e.Event], at: datetime) -> Deal:
    """`deal` after `happened`; version and chain are the recorder's business (`domain/chain.py`)."""
    for event in happened:
        deal = replace(apply(deal, event, at), updated_at=at)
    return deal


def apply(deal: Deal, event: e.Event, at: datetime) -> Deal:
    if isinstance(event, e.QuoteEvent):
        return about_the_quote(deal, event, at)
    if isinstance(event, e.ApprovalEvent):
        return about_approval(deal, event, at)
    if isinstance(event, e.SignatureEvent):
        return about_signature(deal, event, at)
    if isinstance(event, e.PaymentEvent):
        return about_payment(deal, event, at)
    if isinstance(event, e.RefundEvent):
        return about_money_back(deal, event, at)
    if isinstance(event, e.InvoiceEvent):
        return about_invoice(deal, event, at)
    if isinstance(event, e.CreditEvent):
        return about_credit(deal, event, at)
    return _about_an_intent(deal, event)


def _about_an_intent(deal: Deal, event: e.IntentEvent) -> Deal:
    match event:
        case e.IntentAttempted():
            return change_intent(deal, event.key, attempts=event.attempt, lease_until=event.lease_until)
        case e.IntentInterrupted():
            return change_intent(deal, event.key, lease_until=event.retry_at)
        case e.EffectFailed():
            return change_intent(deal, event.key, failed=event.reason, lease_until=None)
        case e.VendorAsked():
            return replace(deal, unread=False) if event.vendor == CRM else deal
