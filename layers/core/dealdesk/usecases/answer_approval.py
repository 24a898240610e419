"""An approver pressed a button in the CRM: read the answer back and let the deal decide what it is worth."""

from __future__ import annotations

from datetime import datetime

from dealdesk.domain import invoices
from dealdesk.domain.approvals import Answer, decide
from dealdesk.domain.deal import Deal
from dealdesk.domain.events import Event
from dealdesk.ports import Cause, Crm, CrmAnswer, Deals
from dealdesk.usecases.change import change

INVOICE_STEP = "invoice"


def answer_approval(deals: Deals, crm: Crm, deal_id: str, approval_key: str, *, cause: Cause, now: datetime) -> Deal:
    """Applies the answer as the CRM has it now. Raises what the decision refuses."""
    deals.load(deal_id, cause)
    answer = crm.read_answer(approval_key)
    if answer is None or answer.deal_id != deal_id:
        return deals.load(deal_id)
    return change(deals, deal_id, lambda deal: _events_of(deal, answer, now), cause=cause, actor=answer.by, now=now)


def _events_of(deal: Deal, answer: CrmAnswer, now: datetime) -> list[Event]:
    if answer.step == INVOICE_STEP:
        invoice_id = answer.key.rsplit(":", 1)[1]
        if answer.approve:
            return invoices.approve(deal, invoice_id, answer.by, answer.groups, now)
        return invoices.reject(deal, invoice_id, answer.by, answer.groups, answer.comment)
    given = Answer(answer.step, answer.approve, answer.fingerprint, answer.by, answer.groups, comment=answer.comment)
    return decide(deal, given, now)
