"""Where the desk and a deal's vendors say different things. It only reads, on both sides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from dealdesk.adapters import codec
from dealdesk.domain.chain import Recorded
from dealdesk.domain.deal import Deal, Invoice, Payment, Refund
from dealdesk.domain.events import EnvelopeRequested, InvoicePosted
from dealdesk.domain.money import Money, format_money
from dealdesk.domain.refunds import Received, received
from dealdesk.domain.stages import Effect, EnvelopeStatus, InvoiceStatus, PaymentStatus, RefundStatus
from dealdesk.edge.secrets import SecretUnusable
from dealdesk.errors import VendorRefused, VendorUnavailable
from dealdesk.ports import EnvelopeState, PaymentLink, PaymentState, RefundState
from operate.vendors import Vendors

Kind = TypeVar("Kind", EnvelopeRequested, InvoicePosted)

NOTHING = "nothing"
# What a vendor may say of a payment that the desk has in this state.
PAYMENT_SAYS = {
    PaymentStatus.PENDING: {"open", "approved", "processing"},
    PaymentStatus.PARTIALLY_PAID: {"paid"},
    PaymentStatus.SUCCEEDED: {"paid"},
    PaymentStatus.FAILED: {"expired", "failed"},
    PaymentStatus.ROLLED_BACK: {"expired", "failed"},
}
REFUND_SAYS = {
    RefundStatus.SUBMITTED: {"pending"},
    RefundStatus.SUCCEEDED: {"succeeded"},
    RefundStatus.FAILED: {"failed", NOTHING},
    RefundStatus.APPROVED: {NOTHING},
    RefundStatus.REQUESTED: {NOTHING},
    RefundStatus.REJECTED: {NOTHING},
}


@dataclass(frozen=True, slots=True)
class Compared:
    """One thing, as the desk has it and as the vendor has it. `agrees` is None when the vendor could not be asked."""

    what: str
    desk: str
    vendor: str
    agrees: bool | None


def compare(deal: Deal, history: list[Recorded], vendors: Vendors) -> Iterator[Compared]:
    """Everything of the deal that is, or may be, at a vendor."""
    if deal.envelope:
        yield _asked(f"envelope {deal.envelope.id}", deal.envelope.status.value, _envelope(deal, history, vendors))
    yield from _unsure_envelopes(deal, vendors)
    for payment in deal.payments:
        yield _asked(f"payment {payment.id}", _desk_payment(payment), _payment(deal, payment, vendors))
    for refund in deal.refunds:
        if refund.requested_by:  # one that was made at the provider carries no key of ours
            yield _asked(f"refund {refund.id}", _desk_refund(refund), _refund(deal, refund, vendors))
    for money in received(deal):
        yield from _disputes(deal, money, vendors)
    for invoice in deal.invoices:
        yield _asked(
            f"invoice {invoice.draft.number}", _desk_invoice(invoice, history), _invoice(invoice, history, vendors)
        )


Answer = Callable[[], tuple[str, bool]]
"""The vendor's word, and whether it is what the desk has."""


def _asked(what: str, desk: str, ask: Answer) -> Compared:
    try:
        vendor, agrees = ask()
    except (VendorUnavailable, SecretUnusable) as silent:
        return Compared(what, desk, str(silent), None)
    except VendorRefused as refusal:
        return Compared(what, desk, str(refusal), False)
    return Compared(what, desk, vendor, agrees)


def _envelope(deal: Deal, history: list[Recorded], vendors: Vendors) -> Answer:
    """By the list, found by our key: DocuSign allows one look at an envelope itself in 15 minutes, and the chase
    may just have had it. A cancelled one may have left the list.
    """
    envelope = deal.envelope
    assert envelope is not None
    name = envelope.provider or (deal.quote.providers.signature if deal.quote else "")

    def ask() -> tuple[str, bool]:
        found = vendors.signatures(name).look_up(envelope.key, _asked_at(history, envelope.key))
        if found is None:
            return f"{name}: {NOTHING} with our key", envelope.status is EnvelopeStatus.VOIDED
        same = (found.envelope_id, found.status) == (envelope.id, envelope.status)
        return f"{name}: {_told(found, envelope.id)}", same

    return ask


def _told(found: EnvelopeState, known_id: str) -> str:
    return found.status.value if found.envelope_id == known_id else f"{found.status.value}, as {found.envelope_id}"


def _asked_at(history: list[Recorded], key: str) -> datetime:
    """When the desk decided to send this envelope; nothing older can be it."""
    for record in history:
        if any(event.key == key for event in _events([record], EnvelopeRequested)):
            return record.occurred_at
    return history[0].occurred_at


def _unsure_envelopes(deal: Deal, vendors: Vendors) -> Iterator[Compared]:
    """Contracts that were tried: whether they went out, only the vendor knows."""
    for intent in deal.intents:
        if intent.effect is Effect.SEND_ENVELOPE and intent.attempts:
            name = intent.provider or (deal.quote.providers.signature if deal.quote else "")

            def ask(name: str = name, key: str = intent.key, since: datetime = intent.opened_at) -> tuple[str, bool]:
                found = vendors.signatures(name).look_up(key, since)
                said = f"{found.status.value}, as {found.envelope_id}" if found else NOTHING
                return f"{name}: {said}", found is None

            yield _asked(f"envelope of {intent.key}", "not known to be sent", ask)


def _desk_payment(payment: Payment) -> str:
    link = "" if payment.session_id else ", without a link"
    return f"{payment.status.value} {format_money(payment.amount)}{link}"


def _payment(deal: Deal, payment: Payment, vendors: Vendors) -> Answer:
    intent = deal.intent(payment.key)

    def ask() -> tuple[str, bool]:
        provider = vendors.payments(payment.provider)
        if payment.session_id is None:
            since = intent.opened_at if intent else deal.updated_at
            assert since is not None
            return _session(payment.provider, provider.look_up(payment.key, payment.id, since))
        state = provider.state(payment.session_id)
        return f"{payment.provider}: {_paid(state)}", _same_payment(payment, state)

    return ask


def _session(provider: str, found: PaymentLink | None) -> tuple[str, bool]:
    return f"{provider}: session {found.session_id}" if found else f"{provider}: {NOTHING}", found is None


def _paid(state: PaymentState) -> str:
    return f"{state.outcome} {format_money(state.amount)}" if state.payment_id else f"{state.outcome}, no longer known"


def _same_payment(payment: Payment, state: PaymentState) -> bool:
    if state.outcome not in PAYMENT_SAYS[payment.status]:
        return False
    if payment.settled is None:
        return state.payment_id in ("", payment.id)
    told = (state.payment_id, state.amount, state.reference)
    return told == (payment.id, payment.settled, payment.reference)


def _desk_refund(refund: Refund) -> str:
    return f"{refund.status.value} {format_money(refund.amount)}"


def _refund(deal: Deal, refund: Refund, vendors: Vendors) -> Answer:
    provider = next(payment.provider for payment in deal.payments if payment.id == refund.payment_id)

    def ask() -> tuple[str, bool]:
        found = vendors.payments(provider).look_up_refund(refund.key, refund.reference)
        said, amount = _given_back(found)
        same = said in REFUND_SAYS[refund.status] and amount in (None, refund.amount)
        return f"{provider}: {said}{f' {format_money(amount)}' if amount else ''}", same

    return ask


def _disputes(deal: Deal, money: Received, vendors: Vendors) -> Iterator[Compared]:
    """What the payer's bank has asked back of this money; nothing where neither side knows of a dispute."""
    provider = next(payment.provider for payment in deal.payments if payment.id == money.payment_id)
    mine = [dispute for dispute in deal.disputes if dispute.reference == money.reference]
    desk = sorted(f"{one.id} {one.status.value.lower()} {format_money(one.amount)}" for one in mine)

    def ask() -> tuple[str, bool]:
        found = vendors.payments(provider).disputes_of(money.reference)
        said = sorted(f"{one.dispute_id} {one.outcome} {format_money(one.amount)}" for one in found)
        return f"{provider}: {', '.join(said) or NOTHING}", said == desk

    compared = _asked(f"disputes of {money.reference}", ", ".join(desk) or NOTHING, ask)
    if desk or not compared.agrees:
        yield compared


def _given_back(found: RefundState | None) -> tuple[str, Money | None]:
    return (found.outcome, found.amount) if found else (NOTHING, None)


def _invoice(invoice: Invoice, history: list[Recorded], vendors: Vendors) -> Answer:
    """Against what the ledger said when it was posted: its total has the ledger's own tax."""
    draft = invoice.draft
    booked = _as_posted(history, draft.invoice_id) if invoice.status is InvoiceStatus.POSTED else None

    def ask() -> tuple[str, bool]:
        found = vendors.ledgers(draft.ledger).look_up(draft)
        if found is None:
            return f"{draft.ledger}: {NOTHING}", booked is None
        said = f"{draft.ledger}: {_total(found.total_minor, draft.currency)} as {found.ledger_id}"
        return said, (found.ledger_id, found.total_minor) == booked

    return ask


def _desk_invoice(invoice: Invoice, history: list[Recorded]) -> str:
    posted = _as_posted(history, invoice.draft.invoice_id)
    if posted is None:
        return f"{invoice.status.value} {_total(invoice.draft.total_minor, invoice.draft.currency)} before tax"
    return f"{invoice.status.value} {_total(posted[1], invoice.draft.currency)} as {posted[0]}"


def _as_posted(history: list[Recorded], invoice_id: str) -> tuple[str, int] | None:
    """The ledger's id and total when it was posted."""
    for event in _events(history, InvoicePosted):
        if event.invoice_id == invoice_id:
            return event.ledger_id, event.total_minor
    return None


def _total(minor: int, currency: str) -> str:
    return format_money(Money(minor, currency))


def _events(history: list[Recorded], kind: type[Kind]) -> Iterator[Kind]:
    for record in history:
        event = codec.parse_event(record.type, record.data) if record.type == kind.TYPE else None
        if isinstance(event, kind):
            yield event
