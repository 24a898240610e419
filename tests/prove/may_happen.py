"""What may happen to a deal at all, and what must be there before an effect begins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from dealdesk.domain import events as e
from dealdesk.domain.deal import Credit, Deal, Intent, Refund
from dealdesk.domain.decision import Outcome
from dealdesk.domain.fingerprint import fingerprint
from dealdesk.domain.stages import (
    CreditStatus,
    Effect,
    EnvelopeStatus,
    InvoiceStatus,
)
from tests.prove import money_moves, sums
from tests.prove.broken import Broken

WITHDRAWS = (Effect.VOID_ENVELOPE, Effect.CANCEL_PAYMENT)


def require_allowed(deal: Deal, event: e.Event) -> None:
    """`deal` is what it was before. Raises `Broken`."""
    money_moves.require_allowed(deal, event)
    match event:
        case e.DealApproved(certificate=certificate):
            _require_everybody(deal, certificate)
        case e.InvoicePosted(invoice_id=invoice_id, total_minor=total):
            invoice = next(i for i in deal.invoices if i.draft.invoice_id == invoice_id)
            if invoice.status is not InvoiceStatus.APPROVED or invoice.draft.total_minor > total:
                raise Broken(f"invoice {invoice_id} was posted twice, unapproved, or over less than its lines")
        case e.InvoiceRejected(invoice_id=invoice_id) | e.InvoiceApproved(invoice_id=invoice_id):
            invoice = next(i for i in deal.invoices if i.draft.invoice_id == invoice_id)
            if invoice.status is InvoiceStatus.POSTED:
                raise Broken(f"invoice {invoice_id} was changed after it was posted")
        case e.RefundApproved(refund_id=refund_id, by=by):
            _require_second_person(deal, f"refund {refund_id}", _refund(deal, refund_id).requested_by, by)
        case e.CreditMemoRequested(memo=memo):
            _require_billed(deal, memo)
        case e.CreditMemoApproved(memo_id=memo_id, by=by):
            _require_second_person(deal, f"credit memo {memo_id}", _credit(deal, memo_id).requested_by, by)
        case e.CreditMemoPosted(memo_id=memo_id, total_minor=total):
            credit = _credit(deal, memo_id)
            if credit.status is not CreditStatus.APPROVED or credit.memo.total_minor > total:
                raise Broken(f"credit memo {memo_id} was posted twice, unapproved, or over less than its lines")
        case _:
            return


def require_permission(deal: Deal, key: str, at: datetime) -> None:
    """An effect needs an approval of exactly these terms; the customer's signature, if money moves in; and a second
    person's word, if it moves back or an invoice is taken back.

    Raises `Broken`.
    """
    intent = deal.intent(key)
    if intent is None:
        raise Broken(f"{key} was attempted, but deal {deal.id} did not want it")
    if intent.effect in WITHDRAWS:
        return
    if intent.effect is Effect.REFUND_PAYMENT:
        refund = _refund(deal, intent.subject)
        _require_second_person(deal, key, refund.requested_by, refund.approved_by)
    elif intent.effect is Effect.POST_CREDIT_MEMO:
        credit = _credit(deal, intent.subject)
        _require_second_person(deal, key, credit.requested_by, credit.approved_by)
    else:
        _require_certificate(deal, intent, at)
    if intent.effect is Effect.CREATE_PAYMENT and sums.is_disputed(deal):
        raise Broken(f"{intent.key} was attempted while a bank argues about what came")


def _require_certificate(deal: Deal, intent: Intent, at: datetime) -> None:
    terms, certificate = fingerprint(deal.quote) if deal.quote else None, deal.certificate
    if certificate is None or certificate.fingerprint != terms:
        raise Broken(f"{intent.key} was attempted without an approval of its terms")
    if intent.effect is Effect.SEND_ENVELOPE:
        if at > certificate.expires_at:
            raise Broken(f"{intent.key} was attempted after its approval had ended")
    elif deal.envelope is None or (deal.envelope.status, deal.envelope.fingerprint) != (
        EnvelopeStatus.COMPLETED,
        terms,
    ):
        raise Broken(f"{intent.key} was attempted before its terms were signed")


def _require_everybody(deal: Deal, certificate: e.Certificate) -> None:
    """The certificate is for these terms, and everybody whom the decision asks for has said yes."""
    if deal.quote is None or deal.decision is None or certificate.fingerprint != fingerprint(deal.quote):
        raise Broken(f"deal {deal.id} got a certificate for other terms than its own")
    if deal.decision.outcome is Outcome.BLOCKED:
        raise Broken(f"deal {deal.id} is blocked and was approved")
    granted = {grant.step for grant in certificate.grants}
    if not set(deal.decision.required_steps) <= granted:
        raise Broken(f"deal {deal.id} was approved by {sorted(granted)} only")
    if not granted.isdisjoint({deal.owner_id}) or {grant.by for grant in certificate.grants} & set(deal.editors):
        raise Broken(f"deal {deal.id} was approved by somebody with an interest in it")


def _require_second_person(deal: Deal, what: str, asked_by: str, decided_by: str | None) -> None:
    if decided_by in (None, asked_by, *deal.editors):
        raise Broken(f"{what} was asked for by {asked_by} and approved by {decided_by}")


def _require_billed(deal: Deal, memo: e.CreditMemo) -> None:
    """All that memos take back of a line, and were not rejected for, lies within what the invoice bills for it."""
    invoice = next(i for i in deal.invoices if i.draft.invoice_id == memo.invoice_id)
    if invoice.status is not InvoiceStatus.POSTED:
        raise Broken(f"credit memo {memo.memo_id} was asked for before its invoice was posted")
    billed = {line.line_id: line.amount_minor for line in invoice.draft.lines}
    for line_id, minor in _taken_back(deal.credits, memo).items():
        if minor > billed.get(line_id, 0):
            raise Broken(f"memos take {minor} of line {line_id} back, and {billed.get(line_id, 0)} were invoiced")


def _taken_back(credits: Iterable[Credit], new: e.CreditMemo) -> Counter[str]:
    memos = [c.memo for c in credits if c.status is not CreditStatus.REJECTED and c.memo.invoice_id == new.invoice_id]
    taken: Counter[str] = Counter()
    for memo in [*memos, new]:
        for line in memo.lines:
            taken[line.line_id] += line.amount_minor
    return taken


def _refund(deal: Deal, refund_id: str) -> Refund:
    return next(refund for refund in deal.refunds if refund.id == refund_id)


def _credit(deal: Deal, memo_id: str) -> Credit:
    return next(credit for credit in deal.credits if credit.memo.memo_id == memo_id)
