"""An approver pressed a button in the CRM: read the answer back and let the deal decide what it is worth."""

from __future__ import annotations

from datetime import datetime

from dealdesk.domain import invoices
from dealdesk.domain.approvals import Answer, decide
from dealdesk.domain.deal import Deal
from dealdesk.domain.directory import Directory
from dealdesk.domain.events import Event
from dealdesk.ports import Approvers, Cause, Crm, CrmAnswer, Deals
from dealdesk.usecases.change import change

INVOICE_STEP = "invoice"


def answer_approval(
    deals: Deals, crm: Crm, approvers: Approvers, deal_id: str, approval_key: str, *, cause: Cause, now: datetime
) -> Deal:
    """Applies the answer as the CRM has it now. Raises what the decision refuses."""
    deals.load(deal_id, cause)
    answer = crm.read_answer(approval_key)
    if answer is None or answer.deal_id != deal_id:
        return deals.load(deal_id)
    directory = approvers.directory()
    return change(
        deals, deal_id, lambda deal: _events_of(deal, answer, directory, now), cause=cause, actor=answer.by, now=now
    )


def _events_of(deal: Deal, answer: CrmAnswer, directory: Directory, now: datetime) -> list[Event]:
    if answer.step == INVOICE_STEP:
        invoice_id = answer.key.rsplit(":", 1)[1]
        if answer.approve:
            return invoices.approve(deal, invoice_id, answer.by, answer.groups, directory, now)
        return invoices.reject(deal, invoice_id, answer.by, answer.groups, answer.comment, directory, now)
    given = Answer(
        answer.step,
        answer.approve,
        answer.fingerprint,
        answer.by,
        answer.groups,
        comment=answer.comment,
        round=_round_of(answer.key),
    )
    return decide(deal, given, directory, now)


def _round_of(approval_key: str) -> int | None:
    """The round that the approver's button belongs to: `{deal}:{round}:{step}`."""
    number = approval_key.partition(":")[2].partition(":")[0]
    return int(number) if number.isdigit() else None
