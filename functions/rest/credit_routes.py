"""REST about what puts an invoice right: credit memos, by two people, and differences that finance accepts."""

from __future__ import annotations

from http import HTTPStatus

from access import COLLECTS, DECIDES, READS
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayRouter
from desk import Ask, Key, approvers, caller, deal_of_credit, deal_of_invoice, deals, invoice_links
from replies import as_response

from dealdesk.contracts import money_rest as rest
from dealdesk.contracts import views
from dealdesk.contracts.rest import DifferenceIn, InvoiceOut, RejectIn
from dealdesk.domain import credit_memos, differences, invoices
from dealdesk.domain.deal import Credit, Deal

router = APIGatewayRouter()  # type: ignore[no-untyped-call]


@router.post("/invoices/<invoice_id>/difference", summary="Finance accepts that it is not what was collected")
def accept_difference(invoice_id: str, body: DifferenceIn, key: Key = None) -> Response[InvoiceOut]:
    ask = Ask(router, body, key, DECIDES)
    who, directory = ask.who, approvers().directory()
    minor, reason = body.difference_minor, body.reason
    deal = ask.change(
        deal_of_invoice(invoice_id),
        lambda deal, now: differences.accept(
            deal, invoice_id, minor, reason, who.person_id, who.groups, directory, now
        ),
    )
    return as_response(HTTPStatus.OK, views.invoice_view(deal, invoices.find(deal, invoice_id), invoice_links(router)))


@router.post("/invoices/<invoice_id>/credits", summary="Ask for a credit memo, in full or by line")
def ask_for_credit(invoice_id: str, body: rest.CreditIn, key: Key = None) -> Response[rest.CreditOut]:
    ask = Ask(router, body, key, COLLECTS)
    lines, refund_id = body.amounts(), body.refund_id or ""
    deal = ask.change(
        deal_of_invoice(invoice_id),
        lambda deal, _: credit_memos.request(deal, invoice_id, lines, body.reason, ask.who.person_id, refund_id),
    )
    return _answer(HTTPStatus.ACCEPTED, deal, deal.credits[-1])


@router.get("/credits/<memo_id>", summary="A credit memo: asked for, approved, posted")
def get_credit(memo_id: str) -> Response[rest.CreditOut]:
    deal = caller(router).may(READS).sees(deals().load(deal_of_credit(memo_id)))
    return _answer(HTTPStatus.OK, deal, credit_memos.find(deal, memo_id))


@router.post("/credits/<memo_id>/approve", summary="Finance agrees; the memo is then posted once")
def approve_credit(memo_id: str, key: Key = None) -> Response[rest.CreditOut]:
    ask = Ask(router, None, key, DECIDES)
    who, directory = ask.who, approvers().directory()
    deal = ask.change(
        deal_of_credit(memo_id),
        lambda deal, now: credit_memos.approve(deal, memo_id, who.person_id, who.groups, directory, now),
    )
    return _answer(HTTPStatus.OK, deal, credit_memos.find(deal, memo_id))


@router.post("/credits/<memo_id>/reject", summary="Finance says no, or who asked takes it back")
def reject_credit(memo_id: str, body: RejectIn, key: Key = None) -> Response[rest.CreditOut]:
    ask = Ask(router, body, key, DECIDES | COLLECTS)
    who, directory = ask.who, approvers().directory()
    deal = ask.change(
        deal_of_credit(memo_id),
        lambda deal, now: credit_memos.reject(deal, memo_id, who.person_id, who.groups, body.reason, directory, now),
    )
    return _answer(HTTPStatus.OK, deal, credit_memos.find(deal, memo_id))


def _answer(status: HTTPStatus, deal: Deal, credit: Credit) -> Response[rest.CreditOut]:
    return as_response(status, rest.credit_view(deal.id, credit))
