"""REST: what people and programs ask of the desk. One function, about three lines a route."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

import approver_routes
import credit_routes
import figure_routes
import money_routes
import policy_routes
import signature_routes
from access import COLLECTS, DECIDES, READS, SEES_ALL, WRITES
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Query
from desk import (
    Ask,
    Key,
    approvers,
    as_a_rep_sees,
    caller,
    contact_of,
    deal_of_invoice,
    deal_of_payment,
    deals,
    guardrails,
    index,
    invoice_links,
    lies_inside,
    open_invoice,
    people,
    provider_rules,
    version_seen,
    wait_for_link,
)
from pages import payment_page, signature_page
from replies import as_response, guarded, install

from dealdesk.contracts import rest, views
from dealdesk.domain import approvals, invoices, payments, replacements
from dealdesk.domain.advice import what_would_pass
from dealdesk.domain.approvals import Answer
from dealdesk.domain.chain import first_break
from dealdesk.domain.disclosure import what_a_rep_may_try
from dealdesk.domain.events import QuoteReceived
from dealdesk.domain.guardrails import evaluate, to_json
from dealdesk.domain.submission import judge
from dealdesk.edge import answers, clock, telemetry
from dealdesk.errors import Conflict, DealUnknown, VersionMoved

app = APIGatewayRestResolver(enable_validation=True, serializer=answers.written)
app.enable_swagger(path="/docs", title="Deal Desk OS", version="1.0.0")
install(app)
app.include_router(policy_routes.router)
app.include_router(approver_routes.router)
app.include_router(money_routes.router)
app.include_router(credit_routes.router)
app.include_router(signature_routes.router)
app.include_router(figure_routes.router)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return guarded(app, event, context)


@app.get("/deals", summary="List deals, newest change first")
def list_deals(
    stage: Annotated[str | None, Query()] = None,
    owner: Annotated[str | None, Query()] = None,
    crm: Annotated[str | None, Query()] = None,
    updated_since: Annotated[str | None, Query()] = None,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> rest.DealsOut:
    who = caller(app).may(READS)
    owner = owner if who.role in SEES_ALL else who.person_id
    since = clock.parse(updated_since, "updated_since").isoformat() if updated_since else None
    page, after = index().page(stage=stage, owner=owner, crm=crm, updated_since=since, cursor=cursor, limit=limit)
    rows = [rest.DealLineOut.model_validate(row, from_attributes=True) for row in page]
    return rest.DealsOut(deals=rows, next_cursor=after)


@app.post("/deals", summary="A new deal with its quote, evaluated at once")
def create_deal(body: rest.QuoteIn, key: Key = None) -> Response[rest.DealOut]:
    ask = Ask(app, body, key, WRITES)
    deal_id = ask.deal_id(body.crm)
    contact = contact_of(deal_id, body.contact)
    quote = body.to_quote(contact.id if contact else None, provider_rules())
    crm, directory = ask.crm_record(body.crm), approvers().directory()
    original = ask.who.sees(deals().load(body.copied_from)) if body.copied_from else None

    def decide(deal: Any, now: Any) -> Any:
        received = [] if deal.version else [QuoteReceived(crm, now, ask.who.person_id)]
        judged = judge(deal, quote, *guardrails(now), ask.who.person_id, directory, now)
        # Only now is the caller known to be allowed; and the signer must be there before the deal asks for them.
        if contact:
            people().remember(contact)
        return [*received, *judged]

    deal = ask.change(deal_id, decide, or_new=True)
    inside = original.id if original and lies_inside(deal, original) else None
    return as_response(HTTPStatus.CREATED, views.deal_view(ask.who.shown(deal), invoice_links(app), inside))


@app.get("/deals/<deal_id>", summary="A deal, as it is or as it was")
def get_deal(deal_id: str, as_of: Annotated[str | None, Query()] = None) -> Response[rest.DealOut]:
    who = caller(app).may(READS)
    now = who.sees(deals().load(deal_id))
    deal = deals().as_of(deal_id, at=clock.parse(as_of, "as_of")) if as_of else now
    if not deal.version:
        raise DealUnknown(f"there was no deal {deal_id} yet at that time")
    return as_response(HTTPStatus.OK, views.deal_view(who.shown(deal), invoice_links(app)), etag=deal.version)


@app.patch("/deals/<deal_id>", summary="Change terms; they are judged again, and an approval may end")
def change_deal(
    deal_id: str,
    body: rest.QuotePatch,
    if_match: Annotated[str | None, Header(alias="If-Match")] = None,
    key: Key = None,
) -> Response[rest.DealOut]:
    ask = Ask(app, body, key, WRITES)
    seen, directory = version_seen(if_match), approvers().directory()

    def decide(deal: Any, now: Any) -> Any:
        if deal.version != seen:
            raise VersionMoved(f"deal {deal_id} is at version {deal.version}, not {seen}; read it again")
        if deal.quote is None:
            raise Conflict(f"deal {deal_id} has no quote yet")
        quote = body.applied_to(deal.quote)
        return judge(deal, quote, *guardrails(now), ask.who.person_id, directory, now)

    deal = ask.change(deal_id, decide)
    return as_response(HTTPStatus.OK, views.deal_view(ask.who.shown(deal), invoice_links(app)), etag=deal.version)


@app.post("/deals/<deal_id>/approvals", summary="Decide an approval step, on the terms that were seen")
def decide_approval(deal_id: str, body: rest.ApprovalIn, key: Key = None) -> Response[rest.DealOut]:
    ask = Ask(app, body, key, DECIDES)
    answer = Answer(
        step=body.step,
        approve=body.decision != "reject",
        fingerprint=body.fingerprint,
        by=ask.who.person_id,
        groups=ask.who.groups,
        comment=body.comment,
        conditions=body.to_conditions(),
        round=body.round,
    )
    directory = approvers().directory()
    deal = ask.change(deal_id, lambda deal, now: approvals.decide(deal, answer, directory, now))
    return as_response(HTTPStatus.OK, views.deal_view(ask.who.shown(deal), invoice_links(app)))


@app.post("/deals/<deal_id>/claim", summary="Say that you are looking at it; it decides nothing")
def claim_deal(deal_id: str, key: Key = None) -> Response[rest.DealOut]:
    ask = Ask(app, None, key, DECIDES)
    who, directory = ask.who, approvers().directory()
    deal = ask.change(deal_id, lambda deal, now: approvals.claim(deal, who.person_id, who.groups, directory, now))
    return as_response(HTTPStatus.OK, views.deal_view(ask.who.shown(deal), invoice_links(app)))


@app.post("/deals/<deal_id>/recall", summary="Take the quote back before the contract goes out")
def recall_deal(deal_id: str, key: Key = None) -> Response[rest.DealOut]:
    ask = Ask(app, None, key, WRITES)
    any_deal = ask.who.role in ("deal_desk", "admin")
    deal = ask.change(deal_id, lambda deal, _: approvals.recall(deal, ask.who.person_id, any_deal))
    return as_response(HTTPStatus.OK, views.deal_view(ask.who.shown(deal), invoice_links(app)))


@app.get("/deals/<deal_id>/timeline", summary="Everything that happened, in order, with its cause")
def get_timeline(deal_id: str) -> rest.TimelineOut:
    who = caller(app).may(READS)
    who.sees(deals().load(deal_id))
    records = deals().history(deal_id)
    shown = records if who.sees_limits else map(as_a_rep_sees, records)
    events = [rest.EventOut.model_validate(views.record_fields(record)) for record in shown]
    return rest.TimelineOut(deal_id=deal_id, complete=first_break(records) is None, events=events)


@app.post("/guardrails/preview", summary="What the guardrails would say, without saving anything")
def preview(body: rest.QuoteIn) -> rest.DecisionOut:
    who = caller(app).may(READS)
    now = clock.now()
    quote = body.to_quote(None, provider_rules())
    decision = evaluate(quote, *guardrails(now))
    telemetry.said("quote previewed", outcome=decision.outcome.value)
    passes = what_would_pass(decision) if who.sees_limits else what_a_rep_may_try(decision)
    return rest.DecisionOut(
        decision=to_json(who.told(decision)),
        fingerprint=decision.fingerprint,
        what_would_pass=passes,
        payment_terms_cost=views.payment_terms_cost(quote),
    )


@app.post("/payments/process", summary="Collect the deal's total, or the rest of it; the amount comes from the deal")
def process_payment(body: rest.ProcessIn, key: Key = None) -> Response[rest.PaymentOut]:
    ask = Ask(app, body, key, COLLECTS)
    deal = ask.change(body.deal_id, lambda deal, now: payments.ask(deal, now, body.provider))
    assert deal.payment is not None
    payment_id = deal.payment.id
    deal = wait_for_link(deal, payment_id)
    return as_response(HTTPStatus.OK, views.payment_view(deal, payments.find(deal, payment_id)))


@app.get("/payments/<payment_id>", summary="A payment")
def get_payment(payment_id: str) -> Response[rest.PaymentOut]:
    deal = caller(app).may(READS).sees(deals().load(deal_of_payment(payment_id)))
    return as_response(HTTPStatus.OK, views.payment_view(deal, payments.find(deal, payment_id)))


@app.post("/invoices/stage", summary="The draft invoice of a paid deal, or one in place of another")
def stage_invoice(body: rest.StageIn, key: Key = None) -> Response[rest.InvoiceOut]:
    ask, replaces = Ask(app, body, key, COLLECTS), body.replaces
    by, ledger = ask.who.person_id, body.ledger

    def decide(deal: Any, now: Any) -> Any:
        if replaces:
            return replacements.stage(deal, replaces, by, now, ledger)
        return invoices.draft(deal, now, ledger, by)

    deal = ask.change(body.deal_id, decide)
    assert deal.invoice is not None
    return as_response(HTTPStatus.OK, views.invoice_view(deal, deal.invoice, invoice_links(app)))


@app.get("/invoices/<invoice_id>", summary="An invoice, as staged, approved or posted")
def get_invoice(invoice_id: str) -> Response[rest.InvoiceOut]:
    deal = caller(app).may(READS).sees(deals().load(deal_of_invoice(invoice_id)))
    return as_response(HTTPStatus.OK, views.invoice_view(deal, invoices.find(deal, invoice_id), invoice_links(app)))


@app.post("/invoices/<invoice_id>/approve", summary="Finance approves the draft; it is then posted once")
def approve_invoice(invoice_id: str, key: Key = None) -> Response[rest.InvoiceOut]:
    ask = Ask(app, None, key, DECIDES)
    who, directory = ask.who, approvers().directory()
    deal = ask.change(
        deal_of_invoice(invoice_id),
        lambda deal, now: invoices.approve(deal, invoice_id, who.person_id, who.groups, directory, now),
    )
    return as_response(HTTPStatus.OK, views.invoice_view(deal, invoices.find(deal, invoice_id), invoice_links(app)))


@app.post("/invoices/<invoice_id>/reject", summary="Finance rejects the draft, and says why")
def reject_invoice(invoice_id: str, body: rest.RejectIn, key: Key = None) -> Response[rest.InvoiceOut]:
    ask = Ask(app, body, key, DECIDES)
    who, directory = ask.who, approvers().directory()
    deal = ask.change(
        deal_of_invoice(invoice_id),
        lambda deal, now: invoices.reject(deal, invoice_id, who.person_id, who.groups, body.reason, directory, now),
    )
    return as_response(HTTPStatus.OK, views.invoice_view(deal, invoices.find(deal, invoice_id), invoice_links(app)))


@app.post("/invoices/<invoice_id>/post", summary="Ask again for the posting of an approved invoice")
def post_invoice(invoice_id: str, key: Key = None) -> Response[rest.InvoiceOut]:
    ask = Ask(app, None, key, COLLECTS)
    deal = ask.change(deal_of_invoice(invoice_id), lambda deal, _: invoices.post(deal, invoice_id))
    return as_response(
        HTTPStatus.ACCEPTED, views.invoice_view(deal, invoices.find(deal, invoice_id), invoice_links(app))
    )


@app.get("/console/invoices/<invoice_id>", summary="The invoice as a page, by a signed link", include_in_schema=False)
def show_invoice(
    invoice_id: str, expires: Annotated[str, Query()] = "", signature: Annotated[str, Query()] = ""
) -> Response[Any]:
    return Response(HTTPStatus.OK, "text/html; charset=utf-8", open_invoice(invoice_id, expires, signature))


@app.get("/console/payments/<outcome>", summary="Where a customer lands after paying", include_in_schema=False)
def show_payment(outcome: str) -> Response[Any]:
    telemetry.said("payment page opened", outcome=outcome[:20])
    return Response(HTTPStatus.OK, "text/html; charset=utf-8", payment_page(paid=outcome == "done"))


@app.get("/console/signatures/done", summary="Where a signer lands after signing", include_in_schema=False)
def show_signature() -> Response[Any]:
    telemetry.said("signature page opened")
    return Response(HTTPStatus.OK, "text/html; charset=utf-8", signature_page())


@app.get("/health", summary="Whether the desk answers")
@app.get("/liveness", summary="Whether the process runs")
def health() -> rest.HealthOut:
    telemetry.said("health asked")
    return rest.HealthOut(status="ok")


@app.get("/readiness", summary="Whether the desk can reach its table")
def readiness() -> rest.HealthOut:
    deals().load("readiness", or_new=True)
    telemetry.said("readiness asked")
    return rest.HealthOut(status="ready")


@app.get("/openapi.json", include_in_schema=False)
def openapi() -> Response[Any]:
    telemetry.said("schema asked")
    return Response(
        HTTPStatus.OK, "application/json", app.get_openapi_json_schema(title="Deal Desk OS", version="1.0.0")
    )
