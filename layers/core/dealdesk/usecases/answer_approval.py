"""An approver pressed a button in the CRM: read the answer back and let the deal decide what it is worth."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from dealdesk.domain import invoices
from dealdesk.domain.approvals import Answer, decide
from dealdesk.domain.condition_lines import read_conditions
from dealdesk.domain.deal import Deal
from dealdesk.domain.directory import Directory
from dealdesk.domain.events import Condition, Event
from dealdesk.errors import Conflict, Malformed
from dealdesk.ports import Approvers, Cause, Crm, CrmAnswer, Deals
from dealdesk.usecases.change import change

INVOICE_STEP = "invoice"

CrmOf = Callable[[str], Crm]
"""The CRM of this name. Raises `VendorRefused` for one that is not set up."""


def answer_approval(
    deals: Deals, crms: CrmOf, approvers: Approvers, deal_id: str, approval_key: str, *, cause: Cause, now: datetime
) -> Deal:
    """Applies the answer as the CRM has it now. Raises what the decision refuses."""
    known = deals.load(deal_id, cause)
    if known.crm is None:
        return known
    answer = crms(known.crm.system).read_answer(approval_key)
    if answer is None or answer.deal_id != deal_id:
        return deals.load(deal_id)
    directory = approvers.directory()
    return change(
        deals, deal_id, lambda deal: _events_of(deal, answer, directory, now), cause=cause, actor=answer.by, now=now
    )


def _events_of(deal: Deal, answer: CrmAnswer, directory: Directory, now: datetime) -> list[Event]:
    conditions = _conditions_of(answer)
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
        conditions=conditions,
        round=_round_of(answer.key),
    )
    return decide(deal, given, directory, now)


def _conditions_of(answer: CrmAnswer) -> tuple[Condition, ...]:
    """What the yes depends on. Raises `Conflict` for what cannot be enforced as it was meant: it is no yes at all."""
    if not answer.approve:
        return ()
    if answer.step == INVOICE_STEP and answer.conditional:
        raise Conflict(f"approval {answer.key}: an invoice is approved as it is, or rejected")
    if bool(answer.conditions.strip()) != answer.conditional:
        raise Conflict(f"approval {answer.key}: conditions go with a yes with conditions, and only with it")
    try:
        return read_conditions(answer.conditions) if answer.conditional else ()
    except Malformed as unreadable:
        raise Conflict(f"approval {answer.key}: {unreadable}") from unreadable


def _round_of(approval_key: str) -> int | None:
    """The round that the approver's button belongs to: `{deal}:{round}:{step}`."""
    number = approval_key.partition(":")[2].partition(":")[0]
    return int(number) if number.isdigit() else None
