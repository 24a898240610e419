"""REST about money that goes back: a payment that is withdrawn, and refunds, each decided by a second person."""

from __future__ import annotations

from http import HTTPStatus

from access import COLLECTS, DECIDES, READS
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayRouter
from desk import Ask, Key, approvers, caller, deal_of_payment, deal_of_refund, deals
from replies import as_response

from dealdesk.contracts import money_rest as rest
from dealdesk.contracts import views
from dealdesk.contracts.rest import PaymentOut, RejectIn
from dealdesk.domain import payments, refunds
from dealdesk.domain.deal import Deal, Refund
from dealdesk.domain.events import Event
from dealdesk.domain.money import Money

router = APIGatewayRouter()  # type: ignore[no-untyped-call]


@router.post("/payments/<payment_id>/rollback", summary="Withdraw a pending payment, or ask to give a settled one back")
def roll_back_payment(payment_id: str, key: Key = None) -> Response[PaymentOut | rest.RefundOut]:
    ask = Ask(router, None, key, COLLECTS)
    deal = ask.change(
        deal_of_payment(payment_id), lambda deal, _: payments.roll_back(deal, payment_id, ask.who.person_id)
    )
    payment = payments.find(deal, payment_id)
    if payment.settled:
        refund = refunds.newest(deal, refunds.reference_of(deal, payment_id))
        return as_response(HTTPStatus.ACCEPTED, rest.refund_view(deal.id, refund))
    return as_response(HTTPStatus.ACCEPTED, views.payment_view(deal, payment))


@router.post("/payments/<payment_id>/refunds", summary="Ask to give money back; somebody of finance has to approve")
def ask_for_refund(payment_id: str, body: rest.RefundIn, key: Key = None) -> Response[rest.RefundOut]:
    ask = Ask(router, body, key, COLLECTS)

    def decide(deal: Deal, _: object) -> list[Event]:
        reference = refunds.reference_of(deal, payments.find(deal, payment_id).id, body.reference)
        rest_of_it = refunds.left(deal, reference)
        amount = rest_of_it if body.amount_minor is None else Money(body.amount_minor, rest_of_it.currency)
        return refunds.request(deal, reference, amount, body.reason, ask.who.person_id)

    deal = ask.change(deal_of_payment(payment_id), decide)
    return _answer(HTTPStatus.ACCEPTED, deal, deal.refunds[-1])


@router.get("/refunds/<refund_id>", summary="A refund: asked for, approved, and what became of it")
def get_refund(refund_id: str) -> Response[rest.RefundOut]:
    deal = caller(router).may(READS).sees(deals().load(deal_of_refund(refund_id)))
    return _answer(HTTPStatus.OK, deal, refunds.find(deal, refund_id))


@router.post("/refunds/<refund_id>/approve", summary="Finance agrees; the money is then given back once")
def approve_refund(refund_id: str, key: Key = None) -> Response[rest.RefundOut]:
    ask = Ask(router, None, key, DECIDES)
    who, directory = ask.who, approvers().directory()
    deal = ask.change(
        deal_of_refund(refund_id),
        lambda deal, now: refunds.approve(deal, refund_id, who.person_id, who.groups, directory, now),
    )
    return _answer(HTTPStatus.OK, deal, refunds.find(deal, refund_id))


@router.post("/refunds/<refund_id>/reject", summary="Finance says no, or who asked takes it back")
def reject_refund(refund_id: str, body: RejectIn, key: Key = None) -> Response[rest.RefundOut]:
    ask = Ask(router, body, key, DECIDES | COLLECTS)
    who, directory = ask.who, approvers().directory()
    deal = ask.change(
        deal_of_refund(refund_id),
        lambda deal, now: refunds.reject(deal, refund_id, who.person_id, who.groups, body.reason, directory, now),
    )
    return _answer(HTTPStatus.OK, deal, refunds.find(deal, refund_id))


def _answer(status: HTTPStatus, deal: Deal, refund: Refund) -> Response[rest.RefundOut]:
    return as_response(status, rest.refund_view(deal.id, refund))
