"""REST about the contract that is out: the e-mail to its signer once more, and an address at which to sign it."""

from __future__ import annotations

from http import HTTPStatus

from access import SHOWS_CONTRACTS, WRITES
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayRouter
from desk import Ask, Key, invoice_links, signing_address
from replies import as_response

from dealdesk.contracts import rest, views
from dealdesk.domain import signature

router = APIGatewayRouter()  # type: ignore[no-untyped-call]


@router.post("/deals/<deal_id>/signature/resend", summary="Have the contract's e-mail sent to its signer again")
def resend_contract(deal_id: str, key: Key = None) -> Response[rest.DealOut]:
    ask = Ask(router, None, key, WRITES)
    deal = ask.change(deal_id, signature.resend)
    return as_response(HTTPStatus.ACCEPTED, views.deal_view(ask.who.shown(deal), invoice_links(router)))


@router.post("/deals/<deal_id>/signature/view", summary="An address at which the signer can sign, once and soon")
def show_contract(deal_id: str, key: Key = None) -> Response[rest.SigningOut]:
    """The address is not kept, so the same request again answers with another one."""
    ask = Ask(router, None, key, SHOWS_CONTRACTS)
    deal = ask.change(deal_id, signature.show)
    return as_response(HTTPStatus.OK, {"url": signing_address(router, deal.id)})
