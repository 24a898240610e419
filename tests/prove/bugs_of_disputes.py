"""Bugs that somebody might write where a payer's bank takes money back, the ledger adds tax, or a period is closed."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from dealdesk.adapters import dynamo_deals
from dealdesk.contracts import paypal_disputes
from dealdesk.domain import fold, invoices, payments, refunds
from dealdesk.domain.deal import waits_for
from dealdesk.domain.events import PaymentDisputed
from dealdesk.domain.fold_money import about_money_back
from dealdesk.domain.fold_parts import change_payment
from dealdesk.domain.stages import DisputeStatus, PaymentStatus
from dealdesk.usecases import post_credit_memo

Patches = list[tuple[object, str, Any]]


def count_a_dispute_and_its_refund() -> Patches:
    """What PayPal refunded to the payer of a lost dispute is taken from the deal a second time, as the dispute."""
    return [(paypal_disputes, "_less", lambda state, _: state)]


def lost_is_failed() -> Patches:
    """A dispute that is lost makes its payment one that failed."""

    def about(deal: Any, event: Any, at: Any) -> Any:
        after = about_money_back(deal, event, at)
        if isinstance(event, PaymentDisputed) and event.outcome == DisputeStatus.LOST:
            return change_payment(after, event.payment_id, status=PaymentStatus.FAILED)
        return after

    return [(fold, "about_money_back", about)]


def give_back_what_the_bank_has() -> Patches:
    """A refund looks at other refunds, and at no dispute."""
    real = refunds._bound
    return [(refunds, "_bound", lambda deal, money: real(replace(deal, disputes=()), money))]


def dun_while_the_bank_argues() -> Patches:
    """What a bank has taken is asked for at once."""
    real = payments.ask

    def ask(deal: Any, *given: Any) -> Any:
        lost = tuple(
            replace(d, status=DisputeStatus.LOST) if d.status is DisputeStatus.OPEN else d for d in deal.disputes
        )
        return real(replace(deal, disputes=lost), *given)

    return [(payments, "ask", ask)]


def nobody_asks_the_bank() -> Patches:
    """A dispute of which no end is told is never asked about."""
    return [(dynamo_deals, "waits_for", lambda deal: waits_for(replace(deal, disputes=())))]


def swallow_the_tax() -> Patches:
    """The deal ends with its posting, whatever the ledger has added."""
    return [(invoices, "is_settled", lambda *_: True)]


def forget_who_waited() -> Patches:
    """Money that is there again changes nothing for the deal that waited for it."""
    return [(invoices, "follow_correction", lambda *_: [])]


def memo_of_the_day_of_the_sale() -> Patches:
    """A credit memo is dated as the sale was: into a period that may be closed."""
    real = post_credit_memo._ledger

    def ledger(ledgers: Any, deal: Any, intent: Any) -> Any:
        there = real(ledgers, deal, intent)
        day = deal.submitted_at.date()
        return SimpleNamespace(
            look_up_credit=there.look_up_credit,
            credit=lambda key, memo, about, _: there.credit(key, memo, about, day),
        )

    return [(post_credit_memo, "_ledger", ledger)]


BUGS = (
    count_a_dispute_and_its_refund,
    lost_is_failed,
    give_back_what_the_bank_has,
    dun_while_the_bank_argues,
    nobody_asks_the_bank,
    swallow_the_tax,
    forget_who_waited,
    memo_of_the_day_of_the_sale,
)
