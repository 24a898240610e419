"""What may happen to a deal's money: nobody is asked twice, nothing goes back twice, and a difference has one end."""

from __future__ import annotations

from dealdesk.domain import events as e
from dealdesk.domain.collected import PAID_ONCE
from dealdesk.domain.deal import Deal, Refund
from dealdesk.domain.stages import DisputeStatus, InvoiceStatus, PaymentStatus, RefundStatus
from tests.prove import sums
from tests.prove.broken import Broken

GIVEN_UP = (RefundStatus.FAILED, RefundStatus.REJECTED)


def require_allowed(deal: Deal, event: e.Event) -> None:
    """`deal` is what it was before. Raises `Broken`."""
    match event:
        case e.PaymentRequested():
            _require_due(deal, event)
        case e.PaymentSucceeded(payment_id=payment_id, amount=amount):
            payment = next(p for p in deal.payments if p.id == payment_id)
            asked = min(payment.amount.amount_minor, _due(deal))
            if payment.status is not PaymentStatus.PENDING or amount.amount_minor != asked:
                raise Broken(f"payment {payment_id} was settled twice, or with another amount than {asked}")
        case e.PaymentDisputed(dispute_id=dispute_id, outcome=outcome):
            known = next((one for one in deal.disputes if one.id == dispute_id), None)
            if known and known.status not in (DisputeStatus.OPEN, outcome):
                raise Broken(f"dispute {dispute_id} was {known.status} and became {outcome}")
        case e.RefundRequested():
            _require_money_for(deal, event)
        case e.RefundApproved(refund_id=refund_id):
            _require_cover(deal, next(refund for refund in deal.refunds if refund.id == refund_id))
        case e.PaymentRefunded(refund_id=refund_id, amount=amount):
            told = [r for r in deal.refunds if r.id == refund_id]
            if any(r.status is RefundStatus.SUCCEEDED or r.amount != amount for r in told):
                raise Broken(f"refund {refund_id} was recorded twice, or with another amount")
        case e.InvoiceDifferenceAccepted():
            _require_one_end(deal, event)
        case e.DealClosed():
            _require_settled(deal)
        case _:
            return


def require_unflipped(before: Deal, after: Deal) -> None:
    """A payment that has brought money stays what it is, whatever becomes of the money. Raises `Broken`."""
    now = {payment.id: (payment.status, payment.settled, payment.reference) for payment in after.payments}
    for payment in before.payments:
        was = (payment.status, payment.settled, payment.reference)
        if payment.settled and now.get(payment.id) != was:
            raise Broken(f"payment {payment.id} was {was[0]} and was flipped: {now.get(payment.id)}")


def _require_due(deal: Deal, asked: e.PaymentRequested) -> None:
    """One link at a time, for no more than is due, and none while a bank argues about what came."""
    if sums.is_disputed(deal):
        raise Broken(f"the customer of deal {deal.id} was asked to pay while money is disputed")
    if any(payment.status is PaymentStatus.PENDING for payment in deal.payments):
        raise Broken(f"the customer of deal {deal.id} was asked to pay while another link is out")
    due = _due(deal)
    if not 0 < asked.amount.amount_minor <= due:
        raise Broken(f"{asked.payment_id} asks for {asked.amount.amount_minor}, and {due} are due")


def _due(deal: Deal) -> int:
    """What two people gave back once the deal was paid is not asked for again, nor what finance accepted."""
    accepted = sums.accepted(deal)
    return sums.billed(deal) - accepted - sums.kept(deal, by_disputes_only=deal.stage in PAID_ONCE)


def _require_money_for(deal: Deal, asked: e.RefundRequested) -> None:
    """All that is asked back of one sum, and was not given up, lies within what no bank has of it."""
    arrived = [p.settled for p in deal.payments if p.settled and p.reference == asked.reference]
    arrived += [money.amount for money in deal.unapplied if money.reference == asked.reference]
    held = [r.amount for r in deal.refunds if r.reference == asked.reference and r.status not in GIVEN_UP]
    held.append(asked.amount)
    if len({amount.currency for amount in arrived + held}) != 1:
        raise Broken(f"refund {asked.refund_id} is in another currency than the money {asked.reference}")
    has, asked_back = (sum(amount.amount_minor for amount in amounts) for amounts in (arrived, held))
    if asked_back > has:
        raise Broken(f"refunds of {asked_back} were asked for of the money {asked.reference}, which is {has}")
    if asked_back > has - sums.at_the_bank(deal, asked.reference):
        raise Broken(f"refund {asked.refund_id} was asked for of money that a bank has: {asked.reference}")


def _require_cover(deal: Deal, refund: Refund) -> None:
    held = [r.amount for r in deal.refunds if r.reference == refund.reference and r.status not in GIVEN_UP]
    left = sums.came(deal, refund.reference) - sums.at_the_bank(deal, refund.reference)
    if sum(amount.amount_minor for amount in held) > left:
        raise Broken(f"refund {refund.id} was approved of money that a bank has: {refund.reference}")


def _require_one_end(deal: Deal, accepted: e.InvoiceDifferenceAccepted) -> None:
    """Exactly the difference that there is, by somebody who did not stage the invoice; a posted one's only once."""
    invoice = next(one for one in deal.invoices if one.draft.invoice_id == accepted.invoice_id)
    if invoice.status is not InvoiceStatus.DRAFT and not invoice.differs:
        raise Broken(f"the difference of invoice {accepted.invoice_id} was decided on twice, or never told")
    if any(payment.status is PaymentStatus.PENDING for payment in deal.payments):
        raise Broken(f"the difference of invoice {accepted.invoice_id} was accepted while a link asks for it")
    if accepted.by == invoice.staged_by or accepted.by in deal.editors:
        raise Broken(f"the difference of invoice {accepted.invoice_id} was accepted by {accepted.by}")
    differs = invoice.total_minor - sums.kept(deal)
    if sums.stands(deal, invoice) and accepted.difference_minor != differs:
        raise Broken(f"{accepted.difference_minor} of invoice {accepted.invoice_id} were accepted; it is {differs}")


def _require_settled(deal: Deal) -> None:
    """A deal ends with an invoice that comes to what is there, or to what somebody of finance said is enough."""
    invoice = next((one for one in reversed(deal.invoices) if one.status is InvoiceStatus.POSTED), None)
    if invoice is None:
        raise Broken(f"deal {deal.id} was closed without an invoice")
    differs = invoice.total_minor - sums.kept(deal)
    if sums.stands(deal, invoice) and differs not in (0, invoice.accepted_minor):
        raise Broken(f"deal {deal.id} was closed with a difference of {differs} that nobody accepted")
