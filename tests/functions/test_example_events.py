"""Every file under events/ is what it says: the function that it is for reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dealdesk.contracts import docusign, dropbox_sign, hubspot, paypal, quickbooks, salesforce, stripe
from dealdesk.contracts.bus import BusEvent
from dealdesk.contracts.rest import QuoteIn
from dealdesk.domain.events import PaymentReported
from dealdesk.domain.money import Money
from dealdesk.domain.stages import EnvelopeStatus
from dealdesk.edge import proofs
from dealdesk.edge.reactions import parse_message
from local.tokens import HUBSPOT_APPROVAL_TYPE, QUICKBOOKS_REALM, issue_token
from local.twins.hubspot_schema import type_named
from local.twins.salesforce_schema import SCHEMA
from tests.journeys.world import World

EVENTS = Path(__file__).resolve().parents[2] / "events"
# The key of the vendor's published examples.
PUBLISHED_KEY = "324e3b0840f065eb51f3fd63231d0d33daa35d4ed10d27718839e81737065782"
PASSES, NEEDS_BOTH = "sf-0067F00000deal1QAA", "sf-0067F00000deal2QAA"


def raw(name: str) -> bytes:
    return (EVENTS / name).read_bytes()


def document(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(raw(name))
    return loaded


def quotes_submitted(_: World) -> None:
    message = salesforce.parse_outbound(raw("salesforce_quotes_submitted.xml"))

    assert [note.object_type for note in message.notifications] == ["Opportunity"] * 3
    assert all(note.moment("Submitted_At__c") for note in message.notifications)


def approval_decided(_: World) -> None:
    (note,) = salesforce.parse_outbound(raw("salesforce_approval_decided.xml")).notifications

    assert note.object_type == "Deal_Desk_Approval__c"
    assert note.fields["Deal_Id__c"] == NEEDS_BOTH
    assert note.fields["Approval_Key__c"] == f"{NEEDS_BOTH}:1:finance"


def deal_submitted(_: World) -> None:
    changes = [hubspot.change_of(one) for one in hubspot.parse_changes(raw("hubspot_deal_submitted.json"))]

    records = {deal["id"] for deal in document("hubspot_records.json")["deals"]}
    assert {str(change.object_id) for change in changes} == records
    assert {(change.changed_type, change.property_name) for change in changes} == {
        (hubspot.DEAL_TYPE, hubspot.SUBMITTED)
    }
    assert all(hubspot.moment_of(change.property_value) for change in changes)


def decision_made(_: World) -> None:
    (change,) = (hubspot.change_of(one) for one in hubspot.parse_changes(raw("hubspot_approval_decided.json")))

    assert (change.changed_type, change.property_name) == (HUBSPOT_APPROVAL_TYPE, hubspot.DECISION)
    assert (change.property_value, change.editor_id) == ("Approve", "7002")


def envelope_completed(_: World) -> None:
    message = docusign.parse_message(raw("docusign_envelope_completed.json"))
    state = docusign.state_of(message)

    docusign.require_fresh(message, datetime(2026, 11, 22, 20, 10, tzinfo=UTC))
    assert docusign.deal_id_of(message) == PASSES
    assert state is not None
    assert (state.status, state.key) == (EnvelopeStatus.COMPLETED, f"envelope:{PASSES}:r1:1")


def signature_request_all_signed(_: World) -> None:
    callback = dropbox_sign.parse_callback(raw("dropbox_sign_all_signed.json"))

    proofs.dropbox_sign(
        callback.event.event_time, callback.event.event_type, callback.event.event_hash, [PUBLISHED_KEY]
    )
    dropbox_sign.require_fresh(callback, datetime(2026, 11, 22, 20, 10, tzinfo=UTC))
    assert dropbox_sign.hint_of(callback) == dropbox_sign.Hint(
        PASSES,
        "fa5c8a0b0f492d768749333ad6fcc214c111e967",
        f"envelope:{PASSES}:r1:1",
        "signature_request_all_signed",
    )


def checkout_session_completed(_: World) -> None:
    event = stripe.parse_event(raw("stripe_checkout_session_completed.json"))
    session = stripe.session_of(event)
    assert session is not None
    state = stripe.state_of(session, event.type)

    assert session.metadata["deal_id"] == PASSES
    assert state is not None
    assert (state.outcome, state.amount) == ("paid", Money(1_020_000, "USD"))


def invoice_updated(_: World) -> None:
    (hint,) = quickbooks.hints_of(quickbooks.parse_events(raw("quickbooks_invoice_updated.json")), QUICKBOOKS_REALM)

    assert (hint.cause, hint.ledger_id) == ("quickbooks:88cd52aa-33b6-4351-9aa4-47572edbd068", "1234")


def checkout_order_approved(_: World) -> None:
    event = paypal.read(raw("paypal_checkout_order_approved.json"), paypal.PaypalEvent, "PayPal event")
    report = paypal.report_of(event)

    assert report is not None
    assert report.deal_id == PASSES
    assert report.payment == PaymentReported(f"pay_{PASSES}_1", "5O190127TN364715T", "CHECKOUT.ORDER.APPROVED")


def quote(_: World) -> None:
    assert QuoteIn.model_validate(document("api_quote.json")).to_quote(None).net_total == Money(1_200_000, "USD")


def create_deal(desk: World) -> None:
    request = document("api_create_deal.json")
    assert json.loads(request["body"]) == document("api_quote.json")

    answer = desk.invoke("rest", request)

    assert answer["statusCode"] == 201, answer["body"]
    assert json.loads(answer["body"])["decision"]["outcome"] == "auto_approve"


def stream(desk: World) -> None:
    before = len(desk.published)

    desk.invoke("relay_events", document("dynamodb_stream.json"))

    relayed = [(event["deal_id"], event["type"]) for event in desk.published[before:]]
    assert relayed == [(PASSES, type_) for type_ in ("deal.evaluated", "deal.approved", "document.requested")]


def message_in_a_queue(_: World) -> None:
    (record,) = document("sqs_document_requested.json")["Records"]
    message = parse_message(record["body"])

    assert isinstance(message, BusEvent)
    assert (message.deal_id, message.type) == (PASSES, "document.requested")
    assert int(record["attributes"]["ApproximateReceiveCount"]) == 1


def schedule_tick(desk: World) -> None:
    assert set(desk.invoke("chase_stalled", document("schedule_tick.json"))) == {"silent"}


def authorizer_request(desk: World) -> None:
    request = document("authorizer_request.json")
    token = issue_token(desk.jwt_key, user="person-rita", role="rep")
    signed_in = {**request, "authorizationToken": request["authorizationToken"].replace("TOKEN", token)}

    policy = desk.invoke("authorizer", signed_in)

    assert policy["context"] == {"person_id": "person-rita", "role": "rep"}
    (statement,) = policy["policyDocument"]["Statement"]
    assert statement["Resource"] == request["methodArn"]
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        desk.invoke("authorizer", request)


def salesforce_records(_: World) -> None:
    for kind, records in document("salesforce_records.json").items():
        assert {name for record in records for name in record} <= set(SCHEMA[kind].fields), kind


def hubspot_records(_: World) -> None:
    for name, records in document("hubspot_records.json").items():
        if name != "owners":
            kind = type_named(name)
            assert kind is not None
            assert {prop for record in records for prop in record["properties"]} <= set(kind.properties), name


def quickbooks_records(_: World) -> None:
    books = document("quickbooks_records.json")
    skus = {line["ProductCode"] for line in document("salesforce_records.json")["OpportunityLineItem"]}

    assert skus <= {item["Name"] for item in books["Item"]}


def netsuite_records(_: World) -> None:
    books, crm = document("netsuite_records.json"), document("salesforce_records.json")

    assert {line["ProductCode"] for line in crm["OpportunityLineItem"]} <= {item["itemid"] for item in books["item"]}
    assert {account["Id"] for account in crm["Account"]} <= {one["externalId"] for one in books["customer"]}


def sap_records(_: World) -> None:
    books, crm = document("sap_records.json"), document("salesforce_records.json")

    assert {line["ProductCode"] for line in crm["OpportunityLineItem"]} <= {
        one["Material"] for one in books["Material"]
    }
    partners = {one["BusinessPartnerIDByExtSystem"]: one["BusinessPartnerFullName"] for one in books["BusinessPartner"]}
    assert {account["Id"]: account["Name"] for account in crm["Account"]}.items() <= partners.items()


READ: dict[str, Callable[[World], None]] = {
    "salesforce_quotes_submitted.xml": quotes_submitted,
    "salesforce_approval_decided.xml": approval_decided,
    "hubspot_deal_submitted.json": deal_submitted,
    "hubspot_approval_decided.json": decision_made,
    "docusign_envelope_completed.json": envelope_completed,
    "dropbox_sign_all_signed.json": signature_request_all_signed,
    "stripe_checkout_session_completed.json": checkout_session_completed,
    "quickbooks_invoice_updated.json": invoice_updated,
    "paypal_checkout_order_approved.json": checkout_order_approved,
    "api_quote.json": quote,
    "api_create_deal.json": create_deal,
    "dynamodb_stream.json": stream,
    "sqs_document_requested.json": message_in_a_queue,
    "schedule_tick.json": schedule_tick,
    "authorizer_request.json": authorizer_request,
    "salesforce_records.json": salesforce_records,
    "hubspot_records.json": hubspot_records,
    "quickbooks_records.json": quickbooks_records,
    "netsuite_records.json": netsuite_records,
    "sap_records.json": sap_records,
}


@pytest.mark.parametrize("name", sorted(READ))
def test_an_example_is_read_by_the_function_that_it_is_for(desk: World, name: str) -> None:
    READ[name](desk)


def test_every_example_is_read_and_explained() -> None:
    examples = {path.name for path in EVENTS.iterdir()} - {"README.md"}

    assert examples == set(READ)
    assert {name for name in examples if f"`{name}`" not in (EVENTS / "README.md").read_text()} == set()
