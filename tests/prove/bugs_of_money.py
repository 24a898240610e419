"""Bugs that somebody might write where money goes back, an invoice is taken back, or dead letters are sent back."""

from __future__ import annotations

import uuid
from typing import Any

from dealdesk.adapters import quickbooks, stripe
from dealdesk.domain import credit_memos, refunds
from dealdesk.domain.money import Money
from dealdesk.edge import aws
from operate import dead_letters

Patches = list[tuple[object, str, Any]]


def refund_twice() -> Patches:
    """After doubt Stripe is asked to give back again: without a look, and under a key of its own."""
    real = stripe.StripePayments._made_once

    def made_once(self: Any, key: str, make: Any, look_up: Any) -> Any:
        return real(self, f"{key}-{uuid.uuid4()}" if key.startswith("refund:") else key, make, look_up)

    return [
        (stripe.StripePayments, "_made_once", made_once),
        (stripe.StripePayments, "look_up_refund", lambda *_: None),
    ]


def refund_more_than_came() -> Patches:
    """What other refunds hold of the money is not looked at."""

    def left(deal: Any, reference: str) -> Money:
        return refunds._money(deal, reference).amount

    return [(refunds, "left", left), (refunds, "require_cover", lambda *_: None)]


def one_person_refunds() -> Patches:
    """Whoever asked may approve."""
    return [(refunds, "decides_on_request", lambda *_: None), (credit_memos, "decides_on_request", lambda *_: None)]


def memo_beyond_the_invoice() -> Patches:
    """What earlier memos took back is not looked at."""

    def left(_: Any, invoice: Any) -> dict[str, int]:
        return {line.line_id: line.amount_minor for line in invoice.draft.lines}

    return [(credit_memos, "left", left)]


def memo_posted_twice() -> Patches:
    """Each attempt at QuickBooks is a memo of its own: with a number of its own, without a look at the others."""
    real = quickbooks.QuickbooksLedger._make

    def make(self: Any, entity: str, key: str, body: Any, currency: str) -> Any:
        if entity == "CreditMemo":
            attempt = uuid.uuid4().hex[:3]
            return real(
                self, entity, f"{key}-{attempt}", {**body, "DocNumber": f"{body['DocNumber']}-{attempt}"}, currency
            )
        return real(self, entity, key, body, currency)

    return [
        (quickbooks.QuickbooksLedger, "_make", make),
        (quickbooks.QuickbooksLedger, "look_up_credit", lambda *_: None),
    ]


def redrive_loses() -> Patches:
    """An operator's redrive deletes what it should send back."""

    def delete(queue: Any, *_: Any) -> int:
        letters = dead_letters._receive(queue.dead_url, dead_letters.SAMPLE, set())
        for letter in letters:
            aws.client("sqs").delete_message(QueueUrl=queue.dead_url, ReceiptHandle=letter.receipt)
        return len(letters)

    return [(dead_letters, "redrive_some", delete), (dead_letters, "redrive_all", delete)]


BUGS = (
    refund_twice,
    refund_more_than_came,
    one_person_refunds,
    memo_beyond_the_invoice,
    memo_posted_twice,
    redrive_loses,
)
