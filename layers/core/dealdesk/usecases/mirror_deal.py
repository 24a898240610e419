"""Show the deal in the CRM as it stands: stage, reasons, what would pass, who is asked, links."""

from __future__ import annotations

from dealdesk.domain.attention import waits_for_finance
from dealdesk.domain.deal import Deal, Payment, Round
from dealdesk.domain.disclosure import disclosed, what_a_rep_may_try
from dealdesk.domain.events import StepAsked
from dealdesk.domain.grants import unmet
from dealdesk.domain.invoices import terms_of
from dealdesk.domain.money import Money, format_money
from dealdesk.domain.stages import InvoiceStatus, PaymentStatus, Stage
from dealdesk.ports import Deals
from dealdesk.usecases.answer_approval import INVOICE_STEP, CrmOf

TEXT_LIMIT = 30_000
# The field of one line that both CRMs show in lists.
FIELD_LIMIT = 255


def mirror_deal(deals: Deals, crms: CrmOf, deal_id: str) -> int:
    """Writes, then looks again: whoever writes last has seen the newest state, so late workers cannot leave
    old news behind. Returns the version that the CRM shows.
    """
    while True:
        deal = deals.load(deal_id)
        if deal.crm is None:
            return deal.version
        crms(deal.crm.system).mirror(deal.id, _fields(deal), _approvals(deal))
        if deals.load(deal_id).version == deal.version:
            return deal.version


def _fields(deal: Deal) -> dict[str, object]:
    decision = disclosed(deal.decision) if deal.decision else None
    payment, invoice = deal.payment, deal.invoice
    violations = decision.violations if decision else ()
    reasons = [deal.problem] if deal.problem else [violation.message for violation in violations]
    return {
        "record_id": deal.crm.record_id if deal.crm else None,
        "stage": deal.stage.value,
        "version": deal.version,
        "outcome": decision.outcome.value if decision else None,
        "reasons": "\n".join(reasons)[:TEXT_LIMIT],
        "what_would_pass": what_a_rep_may_try(deal.decision)[:TEXT_LIMIT] if deal.decision and violations else "",
        "waiting_for": _waiting_for(deal),
        "fingerprint": decision.fingerprint if decision else None,
        "envelope_id": deal.envelope.id if deal.envelope else None,
        "payment_status": _payment_status(payment) if payment else None,
        "payment_link": payment.url if payment else None,
        "invoice_status": invoice.status.value if invoice else None,
        "invoice_number": invoice.draft.number if invoice else None,
        "updated_at": deal.updated_at,
    }


def _payment_status(payment: Payment) -> str:
    said = payment.reason
    if payment.status is PaymentStatus.PARTIALLY_PAID and payment.settled:
        said = f"{format_money(payment.settled)} of {format_money(payment.amount)}"
    return payment.status.value + (f": {said}" if said else "")


def _waiting_for(deal: Deal) -> str:
    finance = [f"Finance: {sentence}" for sentence in waits_for_finance(deal)]
    return "; ".join([first for first in [_waiting_first(deal)] if first] + finance)[:FIELD_LIMIT]


def _waiting_first(deal: Deal) -> str:
    failed = [f"{intent.effect.value} failed: {intent.failed}" for intent in deal.intents if intent.failed]
    if failed:
        return "; ".join(failed)
    conditions = unmet(deal.round.grants, deal.decision) if deal.round and deal.decision else ()
    if deal.stage is Stage.PENDING_APPROVAL and conditions and deal.round and not deal.round.open_steps:
        return f"Owner: {'; '.join(conditions)}"
    if deal.round and deal.round.open_steps:
        labels = {step.id: step.label for stage in deal.round.stages for step in stage.steps}
        return ", ".join(labels[step] for step in deal.round.open_steps)
    if deal.invoice and deal.invoice.status is InvoiceStatus.DRAFT:
        return "Finance: approve the invoice"
    return ""


def _approvals(deal: Deal) -> list[dict[str, object]]:
    """One record for each answer that is asked for; the approver's button stands on it."""
    records: list[dict[str, object]] = []
    if deal.round:
        for step in deal.round.steps.values():
            records += [_seat(deal, deal.round, step, seat) for seat in range(1, step.seats + 1)]
    for invoice in deal.invoices:
        draft = invoice.draft
        total = format_money(Money(draft.total_minor, draft.currency))
        records.append(
            {
                "key": f"{deal.id}:{INVOICE_STEP}:{draft.invoice_id}",
                "step": INVOICE_STEP,
                "label": "Approve the invoice",
                "fingerprint": draft.digest,
                "status": "Pending" if invoice.status is InvoiceStatus.DRAFT else invoice.status.value.title(),
                "summary": f"Invoice {draft.number}: {total}, {terms_of(draft)}",
            }
        )
    return records


def _seat(deal: Deal, asked: Round, step: StepAsked, seat: int) -> dict[str, object]:
    """A step that needs several people has a record for each of them."""
    given = sum(grant.step == step.id for grant in asked.grants)
    if seat <= given or asked.is_granted(step.id):
        status = "Approved"
    elif asked.closed:
        status = "Closed"
    else:
        status = "Pending" if step.id in asked.open_steps else "Waiting"
    return {
        "key": f"{deal.id}:{asked.number}:{step.id}" + (f":{seat}" if seat > 1 else ""),
        "step": step.id,
        "label": step.label,
        "fingerprint": asked.fingerprint,
        "status": status,
        "summary": _summary(deal),
    }


def _summary(deal: Deal) -> str:
    if deal.quote is None or deal.decision is None:
        return ""
    reasons = "\n".join(violation.message for violation in deal.decision.violations)
    return f"{deal.quote.name}: {format_money(deal.quote.net_total)}\n{reasons}"[:TEXT_LIMIT]
