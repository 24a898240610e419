"""When the world is quiet: every deal is finished or waits for a person, and the desk and its vendors agree."""

from __future__ import annotations

import json

from dealdesk.contracts.bus import public_data
from dealdesk.domain import events as e
from dealdesk.domain.attention import waits_for_finance
from dealdesk.domain.chain import first_break
from dealdesk.domain.deal import Deal
from dealdesk.domain.decision import Outcome
from dealdesk.domain.stages import CreditStatus, Effect, EnvelopeStatus, InvoiceStatus, RefundStatus, Stage
from tests.prove import money_at_the_end
from tests.prove.booking import INVOICE, MEMO, Document
from tests.prove.broken import Broken
from tests.prove.chronicle import Chronicle
from tests.prove.counting import figures_agree
from tests.prove.sums import is_disputed
from tests.prove.world import World

FINISHED = frozenset({Stage.CLOSED, Stage.REJECTED, Stage.RECALLED, Stage.EXPIRED, Stage.LOST})
ENDED = (EnvelopeStatus.DECLINED, EnvelopeStatus.VOIDED, EnvelopeStatus.COMPLETED)
AT_FINANCE = (Stage.PAID, Stage.INVOICED)
# On the way to a vendor: nobody is asked, so that it must not stay there.
ON_THE_WAY = (RefundStatus.APPROVED, RefundStatus.SUBMITTED, CreditStatus.APPROVED)


def check_the_end(world: World, chronicle: Chronicle) -> None:
    """Raises `Broken`."""
    for deal_id, history in chronicle.histories.items():
        if (broken := first_break(history)) is not None:
            raise Broken(f"the chain of deal {deal_id} breaks at event {broken}")
        if not world.work.hold(deal_id):  # an operator is told of a dead letter, and has not sent it back yet
            _is_finished(chronicle.deals[deal_id])
    _every_event_was_told_as_it_is(world, chronicle)
    money_at_the_end.check(world, chronicle)
    _books_agree(world, chronicle)
    _contracts_agree(world, chronicle)
    figures_agree(world, chronicle)


def money_recorded(chronicle: Chronicle, deal_id: str, session_id: str) -> list[e.Event]:
    events = chronicle.events(deal_id)
    return [event for event in events if isinstance(event, money_at_the_end.ARRIVED) and event.session_id == session_id]


def _is_finished(deal: Deal) -> None:
    """Finished, or waiting for a person who can be named."""
    held = (Effect.CREATE_PAYMENT,) if is_disputed(deal) else ()
    open_intents = [intent.key for intent in deal.intents if not intent.failed and intent.effect not in held]
    if open_intents:
        raise Broken(f"deal {deal.id} is {deal.stage} and has unfinished intents: {open_intents}")
    for intent in deal.intents:
        if "period" in intent.failed.lower():
            raise Broken(f"{intent.key} is refused for good: {intent.failed}")
    if deal.unread:
        raise Broken(f"deal {deal.id} was submitted and never read")
    under_way = [refund.key for refund in deal.refunds if refund.status in ON_THE_WAY]
    under_way += [credit.key for credit in deal.credits if credit.status in ON_THE_WAY]
    if under_way:
        raise Broken(f"{under_way} of deal {deal.id} are on their way for ever")
    blocked = deal.stage is Stage.EVALUATED and deal.decision and deal.decision.outcome is Outcome.BLOCKED
    refused = bool(deal.problem) or any(intent.failed for intent in deal.intents)
    stages = (Stage.AWAITING_PAYMENT, *AT_FINANCE) if is_disputed(deal) else AT_FINANCE
    at_finance = deal.stage in stages and waits_for_finance(deal)
    contract_ended = deal.stage is Stage.APPROVED and deal.envelope is not None and deal.envelope.status in ENDED
    if not (deal.stage in FINISHED or blocked or refused or contract_ended or at_finance):
        raise Broken(f"deal {deal.id} stays {deal.stage} for ever, and nobody is asked")


def _every_event_was_told_as_it_is(world: World, chronicle: Chronicle) -> None:
    told = {event["id"]: event for event in world.published}
    known = {record.id: record for history in chronicle.histories.values() for record in history}
    for id_, event in told.items():
        if id_ not in known or event["data"] != json.loads(
            json.dumps(public_data(known[id_].type, json.loads(known[id_].data)))
        ):
            raise Broken(f"{id_} was published as {event['type']} and never happened so")
    for id_ in known:
        if id_ not in told:
            raise Broken(f"{id_}, {known[id_].type}, was never published")
    heard = {call["body"]["id"] for call in world.twins["n8n"].state()["events"]}
    for id_, event in told.items():
        goes = event["deal_id"] and world.goes_to_n8n(event["type"])
        if goes and id_ not in heard and not world.work.hold(id_):
            raise Broken(f"n8n never heard of {id_}, {event['type']}")


def _books_agree(world: World, chronicle: Chronicle) -> None:
    there = {(document.kind, document.name): document for document in world.town.booking.documents()}
    for deal in chronicle.deals.values():
        for invoice in deal.invoices:
            draft = invoice.draft
            found = there.get((INVOICE, draft.invoice_id)) or there.get((INVOICE, draft.number))
            posted = invoice.posted_minor if invoice.status is InvoiceStatus.POSTED else None
            _require_same(f"invoice {draft.number} is {invoice.status}", posted, found)
        for credit in deal.credits:
            memo = credit.memo
            found = there.get((MEMO, memo.memo_id)) or there.get((MEMO, memo.number))
            posted = credit.total_minor if credit.status is CreditStatus.POSTED else None
            _require_same(f"credit memo {memo.number} is {credit.status}", posted, found)


def _require_same(what: str, posted_minor: int | None, found: Document | None) -> None:
    """The total is the ledger's, with its tax."""
    if posted_minor != (found.total_minor if found else None):
        raise Broken(f"{what}, over {posted_minor}; the ledger has another opinion")


def _contracts_agree(world: World, chronicle: Chronicle) -> None:
    for contract in world.town.signing.contracts():
        deal = chronicle.deals[contract.deal_id]
        current = deal.envelope is not None and deal.envelope.id == contract.id
        if contract.out and not current:
            raise Broken(f"{contract.key} is out, and deal {deal.id} does not know of it")
