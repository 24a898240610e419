"""Money comes in once: the amount comes from the deal, one link is out at a time, and the vendor's word settles it."""

from __future__ import annotations

from datetime import datetime

from dealdesk.domain import events as e
from dealdesk.domain import invoices, refunds
from dealdesk.domain.certificate import gate
from dealdesk.domain.collected import outstanding
from dealdesk.domain.deal import Deal, Payment
from dealdesk.domain.fold import fold
from dealdesk.domain.money import Money, format_money
from dealdesk.domain.stages import Effect, PaymentStatus, Stage
from dealdesk.errors import CertificateInvalid, Conflict, DealUnknown, NotFound, WrongStage

PAYABLE = frozenset({Stage.SIGNED, Stage.AWAITING_PAYMENT, Stage.PAID, Stage.INVOICED, Stage.CLOSED})


def request(deal: Deal, now: datetime) -> list[e.Event]:
    """The intent to collect, as soon as the approved terms are signed; nothing while the gate is shut."""
    try:
        return ask(deal, now)
    except (CertificateInvalid, WrongStage):
        return []


def ask(deal: Deal, now: datetime, provider: str | None = None) -> list[e.Event]:
    """The intent to collect what is outstanding; none while a link is out, or when nothing is.

    Before money has arrived that is the deal's total, and then exactly the rest. Every payment has a key of its own,
    and one is asked at a time: no two links can bring more than is due.
    Raises `CertificateInvalid` at the gate, `WrongStage` before signature, and `Conflict` for another provider, or
    while the payer's bank disputes what has arrived.
    """
    live = deal.payment
    if live and (live.status is PaymentStatus.PENDING or not outstanding(deal).amount_minor):
        if provider and provider != live.provider:
            raise Conflict(f"deal {deal.id} is already being paid through {live.provider}")
        return []
    if deal.stage not in PAYABLE:
        raise WrongStage(f"deal {deal.id} is {deal.stage}; it can be paid once it is signed")
    certified = gate(deal, "payment", now, signed=True)
    assert deal.quote is not None
    if deal.is_disputed:
        raise Conflict(f"the payer's bank disputes money of deal {deal.id}; nobody is asked to pay meanwhile")
    payment_id = f"pay_{deal.id}_{len(deal.payments) + 1}"
    chosen = provider or deal.quote.providers.payment
    return [e.PaymentRequested(f"payment:{payment_id}", payment_id, chosen, outstanding(deal), certified)]


def link_created(deal: Deal, key: str, session_id: str, url: str, expires_at: datetime) -> list[e.Event]:
    payment = _by_key(deal, key)
    if payment is None or payment.session_id or payment.status is not PaymentStatus.PENDING:
        return []
    return [e.PaymentLinkCreated(key, payment.id, session_id, url, expires_at)]


def approved(deal: Deal, payment_id: str, session_id: str) -> list[e.Event]:
    """The intent to take what the payer has approved: once, from the session that the desk itself made for it.

    None for a payment that was given up or is being withdrawn; what its payer approved then lapses by itself.
    """
    payment = find(deal, payment_id)
    key = f"capture:{payment.key}"
    wanted = payment.status is PaymentStatus.PENDING and payment.session_id == session_id
    if not wanted or deal.intent(key) or _is_withdrawn(deal, payment_id):
        return []
    return [e.PaymentApproved(key, payment_id, session_id)]


def processing(deal: Deal, key: str) -> list[e.Event]:
    """The money behind the intent `key` has been taken and has not arrived: nothing is left to be done for it."""
    intent = deal.intent(key)
    return [e.PaymentProcessing(key, intent.subject)] if intent else []


def succeeded(
    deal: Deal, payment_id: str, session_id: str, paid: Money, reference: str, now: datetime
) -> list[e.Event]:
    """The vendor says that money has arrived; with the last of it the invoice draft is staged.

    Too little counts towards what is due. What is over settles the payment and leaves the rest as the customer's
    credit. Money that settles nothing (another currency, a payment that has ended) is kept as unapplied and never
    flips what is there; for money that nobody asked for, giving it back is proposed, and waits for finance.
    """
    payment = find(deal, payment_id)
    settled_by_it = payment.settled is not None and payment.reference == reference
    if settled_by_it or any(money.reference == reference for money in deal.unapplied):
        return []
    if payment.status is not PaymentStatus.PENDING:
        settled_before = payment.settled is not None
        unasked = [e.PaymentUnmatched(payment_id, session_id, paid, _unasked(payment), settled_before, reference)]
        return [*unasked, *refunds.propose(fold(deal, unasked, now), reference, _unasked(payment))]
    happened = _applied(payment, outstanding(deal), session_id, paid, reference)
    return happened + invoices.follow_money(fold(deal, happened, now), now)


def failed(deal: Deal, payment_id: str, code: str, reason: str) -> list[e.Event]:
    payment = find(deal, payment_id)
    if payment.status is not PaymentStatus.PENDING:
        return []
    if _is_withdrawn(deal, payment_id):
        return [e.PaymentRolledBack(payment_id, "the payment link was withdrawn")]
    return [e.PaymentFailed(payment_id, code, reason)]


def roll_back(deal: Deal, payment_id: str, by: str) -> list[e.Event]:
    """The intent to withdraw a payment that nobody has paid; of one that is settled, the wish for a refund.

    Raises `WrongStage` for a payment that failed or has no link yet, `Conflict` when nothing is left to give back.
    """
    payment = find(deal, payment_id)
    if payment.settled:
        return refunds.give_all(deal, payment_id, by)
    if payment.status is PaymentStatus.ROLLED_BACK:
        return []
    if payment.status is not PaymentStatus.PENDING or payment.session_id is None:
        raise WrongStage(f"payment {payment_id} is {payment.status}; only a pending one with a link can be withdrawn")
    return [e.PaymentCancelRequested(f"cancel:{payment.key}", payment_id, payment.session_id, by)]


def find(deal: Deal, payment_id: str) -> Payment:
    for payment in deal.payments:
        if payment.id == payment_id:
            return payment
    if payment_id.startswith(f"pay_{deal.id}_"):
        raise DealUnknown(f"deal {deal.id} has not recorded payment {payment_id} yet")
    raise NotFound(f"deal {deal.id} has no payment {payment_id}")


def _is_withdrawn(deal: Deal, payment_id: str) -> bool:
    return any(i.subject == payment_id and i.effect is Effect.CANCEL_PAYMENT for i in deal.intents)


def _by_key(deal: Deal, key: str) -> Payment | None:
    return next((payment for payment in deal.payments if payment.key == key), None)


def _applied(payment: Payment, owed: Money, session_id: str, paid: Money, reference: str) -> list[e.Event]:
    """What becomes of money for a pending payment, of which no more than `owed` is still due."""
    due = payment.amount if payment.amount.amount_minor <= owed.amount_minor else owed
    was = "asked" if due == payment.amount else "still due"
    arrived = f"{format_money(paid)} arrived where {format_money(due)} was {was}"
    over = paid.amount_minor - due.amount_minor
    if paid.currency != due.currency or min(paid.amount_minor, due.amount_minor) <= 0:
        unfit = e.PaymentUnmatched(payment.id, session_id, paid, arrived, False, reference)
        return [unfit, e.PaymentFailed(payment.id, "mismatched", arrived)]
    if over < 0:
        return [e.PaymentPartiallyPaid(payment.id, session_id, paid, reference)]
    settled: list[e.Event] = [e.PaymentSucceeded(payment.id, session_id, due, reference)]
    if not over:
        return settled
    rest = Money(over, due.currency)
    return [*settled, e.PaymentUnmatched(payment.id, session_id, rest, arrived, False, reference)]


def _unasked(payment: Payment) -> str:
    if payment.settled:
        return "the payment was settled before; this is a second one"
    return f"the payment was {payment.status} before the money arrived"
