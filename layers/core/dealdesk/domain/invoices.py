"""The invoice: a draft that finance approves as it is, posted once to the ledger."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from datetime import date, datetime
from decimal import Decimal

from dealdesk.domain import events as e
from dealdesk.domain.certificate import gate
from dealdesk.domain.collected import ENDED, collected, difference, is_settled, still_differs
from dealdesk.domain.deal import Deal, Invoice
from dealdesk.domain.directory import Directory
from dealdesk.domain.entitlement import authority_of, decides_on_request
from dealdesk.domain.fold import fold
from dealdesk.domain.money import EXACT, Money, format_money, to_major
from dealdesk.domain.quote import Line
from dealdesk.domain.stages import InvoiceStatus, Stage
from dealdesk.domain.terms import Due, PaymentTerms, parse_terms
from dealdesk.errors import CertificateInvalid, Conflict, NotFound, WrongStage

INVOICE = e.StepAsked("invoice", "Invoice approval", "grp-finance")
DESK = "system:desk"


def stage(deal: Deal, now: datetime) -> list[e.Event]:
    """The draft of a paid deal; nothing while the gate is shut or a draft is there."""
    try:
        return draft(deal, now)
    except CertificateInvalid:
        return []


def follow_money(deal: Deal, now: datetime) -> list[e.Event]:
    """What money that has just arrived makes possible: the draft of a paid deal, the end of one that was short."""
    if deal.stage is Stage.PAID:
        return stage(deal, now)
    invoice = deal.invoice
    short = deal.stage is Stage.INVOICED and invoice is not None and invoice.differs
    return [closed(deal, now)] if short and invoice and not still_differs(deal, invoice) else []


def follow_correction(before: Deal, after: Deal, now: datetime) -> list[e.Event]:
    """As `follow_money`, for money that a bank gave again or that bounced back; a rejected draft stays rejected."""
    return [] if before.stage is after.stage is Stage.PAID else follow_money(after, now)


def draft(deal: Deal, now: datetime, ledger: str | None = None, by: str = DESK) -> list[e.Event]:
    """A draft from the approved quote; none when one is live. A rejected draft is followed by a new one.

    Raises `WrongStage` before the money has arrived, `CertificateInvalid` at the gate.
    """
    live = deal.invoice
    if live and live.status not in ENDED:
        return []
    if deal.stage is not Stage.PAID:
        raise WrongStage(f"deal {deal.id} is {deal.stage}; its invoice is staged once it is paid")
    gate(deal, "invoice", now, signed=True)
    return [e.InvoiceStaged(drafted(deal, ledger), by)]


def approve(
    deal: Deal, invoice_id: str, by: str, groups: frozenset[str], directory: Directory, now: datetime
) -> list[e.Event]:
    """Finance says yes to the draft; the intent to post follows at once.

    Raises `ApproverNotEntitled`, `ApproverConflicted`, `WrongStage`, `CertificateInvalid`, and `Conflict` for a draft
    whose total is not what was collected, until finance has accepted the difference.
    """
    invoice = find(deal, invoice_id)
    decides_on_request(deal, INVOICE, invoice.staged_by, by, groups, directory, now)
    if invoice.status in (InvoiceStatus.APPROVED, InvoiceStatus.POSTED):
        return []
    if invoice.status is not InvoiceStatus.DRAFT:
        raise WrongStage(f"invoice {invoice_id} is {invoice.status}; only a draft can be approved")
    _require_collected(deal, invoice)
    gate(deal, "posting", now, signed=True)
    approved: list[e.Event] = [e.InvoiceApproved(invoice_id, invoice.draft.digest, by)]
    return approved + post(fold(deal, approved, now), invoice_id)


def reject(
    deal: Deal, invoice_id: str, by: str, groups: frozenset[str], reason: str, directory: Directory, now: datetime
) -> list[e.Event]:
    invoice = find(deal, invoice_id)
    authority_of(deal, INVOICE, by, groups, directory, now)
    if invoice.status is InvoiceStatus.REJECTED:
        return []
    if invoice.status is not InvoiceStatus.DRAFT:
        raise WrongStage(f"invoice {invoice_id} is {invoice.status}; only a draft can be rejected")
    return [e.InvoiceRejected(invoice_id, by, reason)]


def post(deal: Deal, invoice_id: str) -> list[e.Event]:
    """The intent to post an approved invoice; a failed one is asked again under the same key."""
    invoice = find(deal, invoice_id)
    if invoice.status is InvoiceStatus.POSTED:
        return []
    if invoice.status is not InvoiceStatus.APPROVED:
        raise WrongStage(f"invoice {invoice_id} is {invoice.status}; finance must approve it before it is posted")
    key = f"invoice:{invoice_id}"
    known = deal.intent(key)
    if known and not known.failed:
        return []
    return [e.PostingRequested(key, invoice_id, invoice.draft.ledger)]


def posted(
    deal: Deal,
    key: str,
    ledger_id: str,
    number: str,
    total_minor: int,
    due_on: date,
    now: datetime,
    tolerance_minor: int = 0,
) -> list[e.Event]:
    """The ledger has the invoice; a deal that is paid and posted is closed.

    One whose total, with the ledger's tax, differs from what was collected by more than the tolerance stays open until
    finance accepts the difference. A deal is closed once, also when a second invoice replaces the first.
    """
    invoice = next((i for i in deal.invoices if f"invoice:{i.draft.invoice_id}" == key), None)
    if invoice is None or invoice.status is InvoiceStatus.POSTED:
        return []
    draft = invoice.draft
    happened: list[e.Event] = [
        e.InvoicePosted(key, draft.invoice_id, number, ledger_id, total_minor, due_on, draft.ledger)
    ]
    if collected(deal) is None:
        return happened
    after = find(fold(deal, happened, now), invoice.draft.invoice_id)
    if is_settled(deal, after, tolerance_minor):
        return happened if deal.stage is Stage.CLOSED else [*happened, closed(deal, now)]
    differs = difference(deal, after)
    has = total_minor - differs
    return [*happened, e.InvoiceDiffers(after.draft.invoice_id, total_minor, has, after.draft.currency, differs)]


def find(deal: Deal, invoice_id: str) -> Invoice:
    for invoice in deal.invoices:
        if invoice.draft.invoice_id == invoice_id:
            return invoice
    raise NotFound(f"deal {deal.id} has no invoice {invoice_id}")


def _require_collected(deal: Deal, invoice: Invoice) -> None:
    if not is_settled(deal, invoice):
        differs = difference(deal, invoice)
        total = Money(invoice.total_minor, invoice.draft.currency)
        has = format_money(Money(total.amount_minor - differs, total.currency))
        raise Conflict(
            f"invoice {invoice.draft.invoice_id} is over {format_money(total)} and {has} are collected; "
            "accept the difference first, or reject the draft"
        )


def closed(deal: Deal, now: datetime) -> e.DealClosed:
    seconds = (now - deal.submitted_at).total_seconds() if deal.submitted_at else 0.0
    return e.DealClosed(f"{seconds / 3600:.4f}")


def drafted(deal: Deal, ledger: str | None, replaces: Invoice | None = None) -> e.InvoiceDraft:
    """The approved quote as an invoice, under a number of its own; in the books of the one that it replaces, if any."""
    assert deal.quote is not None
    quote = deal.quote
    number = len(deal.invoices) + 1
    lines = tuple(_billed(line, quote.currency) for line in quote.lines)
    unsealed = e.InvoiceDraft(
        invoice_id=f"inv_{deal.id}_{number}",
        number=document_number(deal.id, number),
        ledger=ledger or (replaces.draft.ledger if replaces else quote.providers.ledger),
        customer_id=quote.customer.id,
        customer_name=quote.customer.name,
        currency=quote.currency,
        lines=lines,
        total_minor=sum(line.amount_minor for line in lines),
        terms_days=quote.payment_terms_days,
        digest="",
        terms=quote.payment_terms or "",
        replaces=replaces.draft.invoice_id if replaces else "",
        replaces_number=replaces.draft.number if replaces else "",
    )
    canonical = json.dumps(asdict(unsealed), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return replace(unsealed, digest=hashlib.sha256(canonical.encode()).hexdigest())


def _billed(line: Line, currency: str) -> e.InvoiceLine:
    """Ledgers refuse a line whose amount is not quantity x unit price to the minor unit.

    Where rounding, a ramp or an amount off stands between the two, the line goes out once, at its amount.
    """
    amount = line.net_minor(currency)
    quantity, price = line.volume, line.net_unit_price
    ramped = line.pricing is not None and line.pricing.segments
    if ramped or EXACT.multiply(quantity, price) != to_major(amount, currency):
        quantity, price = Decimal(1), to_major(amount, currency)
    return e.InvoiceLine(
        line_id=line.id,
        sku=line.sku,
        description=_description(line, billed_once=quantity != line.volume),
        quantity=f"{quantity:f}",
        unit_price=f"{price:f}",
        amount_minor=amount,
    )


def _description(line: Line, *, billed_once: bool) -> str:
    segments = line.pricing.segments if line.pricing else ()
    if segments:
        steps = "; ".join(f"{x.quantity:f} for {x.periods} periods at {x.net_unit_price:f}" for x in segments)
        return f"{line.sku}, {steps}"
    if line.periods == 1:
        return f"{line.sku}, {line.quantity:f}" if billed_once else line.sku
    free = f", {line.pricing.free_periods} of them free" if line.pricing and line.pricing.free_periods else ""
    return f"{line.sku}, {line.quantity:f} for {line.periods} periods{free}"


def terms_of(draft: e.InvoiceDraft) -> PaymentTerms:
    """How the due date of a draft is counted from the day of its posting."""
    return parse_terms(draft.terms) if draft.terms else PaymentTerms(Due.NET, draft.terms_days)


def document_number(deal_id: str, number: int, kind: str = "DD") -> str:
    """The ledger's document number: stable for a draft, at most 21 characters (QuickBooks' limit)."""
    return f"{kind}-{hashlib.sha256(deal_id.encode()).hexdigest()[:12].upper()}-{number}"
