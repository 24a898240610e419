"""Deals, payments and invoices as REST shows them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from dealdesk.contracts import rest
from dealdesk.contracts.money_rest import credit_out, dispute_out, refund_out, unapplied_out
from dealdesk.domain.attention import waits_for_finance
from dealdesk.domain.chain import Recorded
from dealdesk.domain.collected import collected, difference, outstanding, replaced_by, settlement, still_differs
from dealdesk.domain.deal import Deal, Invoice, Payment
from dealdesk.domain.expiries import expiries
from dealdesk.domain.grants import unmet
from dealdesk.domain.guardrails import to_json
from dealdesk.domain.invoices import terms_of
from dealdesk.domain.quote import Quote
from dealdesk.domain.terms import COST_OF_MONEY, STANDARD_DAYS, cost_of_waiting

Preview = Callable[[str], str]


def record_fields(record: Recorded) -> dict[str, Any]:
    fields = {name: getattr(record, name) for name in ("sequence", "type", "occurred_at", "cause", "actor")}
    chain = {"hash": record.hash, "previous_hash": record.previous_hash}
    return {"id": record.id, **fields, **chain, "data": json.loads(record.data)}


def deal_view(deal: Deal, preview: Preview, inside_approval_of: str | None = None) -> dict[str, Any]:
    envelope = deal.envelope
    return rest.DealOut(
        deal_id=deal.id,
        version=deal.version,
        stage=deal.stage.value,
        revision=deal.revision,
        name=deal.quote.name if deal.quote else None,
        owner_id=deal.owner_id,
        fingerprint=deal.fingerprint,
        decision=to_json(deal.decision) if deal.decision else None,
        open_steps=list(deal.round.open_steps) if deal.round else [],
        unmet_conditions=list(unmet(deal.round.grants, deal.decision)) if deal.round and deal.decision else [],
        inside_approval_of=inside_approval_of,
        envelope={"id": envelope.id, "status": envelope.status.value, "reason": envelope.reason} if envelope else None,
        outstanding_minor=outstanding(deal).amount_minor if deal.payment else None,
        payments=[_payment(deal, payment) for payment in deal.payments],
        refunds=[refund_out(deal.id, refund) for refund in deal.refunds],
        disputes=[dispute_out(dispute) for dispute in deal.disputes],
        unapplied=[unapplied_out(money) for money in deal.unapplied],
        invoices=[_invoice(deal, invoice, preview) for invoice in deal.invoices],
        expiries=_expiries(deal),
        disputed=deal.is_disputed,
        waits_for_finance=list(waits_for_finance(deal)),
        failures=[f"{intent.effect.value}: {intent.failed}" for intent in deal.intents if intent.failed],
        updated_at=deal.updated_at,
    ).model_dump(mode="json")


def payment_view(deal: Deal, payment: Payment) -> dict[str, Any]:
    return _payment(deal, payment).model_dump(mode="json")


def invoice_view(deal: Deal, invoice: Invoice, preview: Preview) -> dict[str, Any]:
    return _invoice(deal, invoice, preview).model_dump(mode="json")


def payment_terms_cost(quote: Quote) -> rest.PaymentTermsCostOut:
    total, days = quote.net_total, quote.payment_terms_days
    return rest.PaymentTermsCostOut(
        amount_minor=cost_of_waiting(total.amount_minor, days, COST_OF_MONEY),
        currency=total.currency,
        days=days,
        standard_days=STANDARD_DAYS,
        annual_percent=f"{COST_OF_MONEY:f}",
    )


def _expiries(deal: Deal) -> rest.ExpiriesOut:
    found = expiries(deal)
    return rest.ExpiriesOut(**found.ends, earliest=found.earliest)


def _payment(deal: Deal, payment: Payment) -> rest.PaymentOut:
    return rest.PaymentOut(
        payment_id=payment.id,
        deal_id=deal.id,
        provider=payment.provider,
        status=payment.status.value,
        amount_minor=payment.amount.amount_minor,
        received_minor=payment.settled.amount_minor if payment.settled else None,
        currency=payment.amount.currency,
        url=payment.url,
        reason=payment.reason,
        refunds=[refund_out(deal.id, refund) for refund in deal.refunds if refund.payment_id == payment.id],
        disputes=[dispute_out(dispute) for dispute in deal.disputes if dispute.payment_id == payment.id],
        unapplied=[unapplied_out(money) for money in deal.unapplied if money.payment_id == payment.id],
    )


def _invoice(deal: Deal, invoice: Invoice, preview: Preview) -> rest.InvoiceOut:
    draft, money = invoice.draft, collected(deal)
    return rest.InvoiceOut(
        invoice_id=draft.invoice_id,
        deal_id=deal.id,
        status=invoice.status.value,
        number=draft.number,
        ledger=draft.ledger,
        ledger_id=invoice.ledger_id,
        customer_name=draft.customer_name,
        currency=draft.currency,
        lines=[
            rest.InvoiceLineOut(
                line_id=line.line_id,
                sku=line.sku,
                description=line.description,
                quantity=line.quantity,
                unit_price=line.unit_price,
                amount_minor=line.amount_minor,
            )
            for line in draft.lines
        ],
        total_minor=draft.total_minor,
        terms_days=draft.terms_days,
        terms=str(terms_of(draft)),
        digest=draft.digest,
        reason=invoice.reason,
        preview_url=preview(draft.invoice_id),
        posted_total_minor=invoice.posted_minor,
        collected_minor=money.amount_minor if money else None,
        difference_minor=difference(deal, invoice),
        accepted_difference_minor=invoice.accepted_minor,
        differs=still_differs(deal, invoice),
        settlement=settlement(deal, invoice),
        credits=[credit_out(deal.id, c) for c in deal.credits if c.memo.invoice_id == draft.invoice_id],
        replaces=draft.replaces or None,
        replaced_by=replaced_by(deal, invoice),
    )
