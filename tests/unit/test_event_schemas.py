"""docs/events is what the code makes of it, and what leaves the desk is as docs/events says."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from dealdesk.adapters import codec
from dealdesk.contracts import bus
from dealdesk.domain import events as e
from dealdesk.domain import invoices, payments, signature
from dealdesk.domain.deal import Deal
from dealdesk.domain.directory import NOBODY
from dealdesk.domain.fold import fold
from dealdesk.domain.money import Money
from dealdesk.domain.policy_book import draft, publish
from dealdesk.domain.policy_events import POLICY_EVENT_TYPES, PolicyEvent, event_of
from dealdesk.domain.stages import EnvelopeStatus, Stage
from dealdesk.policies import template_document
from local.schemas import EVENT_TYPES, FOLDER, rendered, schema_of
from tests.unit.domain.deals import FINANCE, IN_FINANCE, LATER, NOW, OWNER, a_deal, a_story, decided, paid
from tests.unit.domain.quotes import a_quote

A_LINE = e.InvoiceLine("1", "CORE-01", "CORE-01", "1", "1.00", 100)
A_MEMO = e.CreditMemo(
    "crd_d-1_1", "CM-1", "inv_d-1_1", "DD-1", "71", "acct-1", "Acme Inc", "USD", (A_LINE,), 100, "less was sold"
)


def ended(status: EnvelopeStatus) -> list[e.Event]:
    deal = a_deal(Stage.OUT_FOR_SIGNATURE)
    assert deal.envelope is not None
    return signature.moved(deal, deal.envelope.key, deal.envelope.id, status, "not now", NOW, NOW)


def withdrawn() -> list[e.Event]:
    deal = a_deal(Stage.AWAITING_PAYMENT)
    asked = payments.roll_back(deal, "pay_d-1_1", OWNER)
    return asked + payments.failed(fold(deal, asked, NOW), "pay_d-1_1", "expired", "")


def refused_by_finance() -> list[e.Event]:
    deal: Deal = a_deal(Stage.PAID)
    return invoices.reject(deal, "inv_d-1_1", FINANCE, IN_FINANCE, "wrong address", NOBODY, NOW)


def by_use_cases() -> list[e.Event]:
    """What no decision of the domain makes, but the use cases around the vendors do."""
    return [
        e.DetailsChanged(a_quote(name="Another name"), "person-1"),
        e.QuoteRefused("Opportunity 0067F00000deal1QAA is no valid quote"),
        e.ApprovalAnswered("d-1:1:finance", "a0E7F00000appr1UAA"),
        e.ApprovalExpired(LATER),
        e.ApprovalReminded(1, "finance", (FINANCE,)),
        e.ApprovalEscalated(1, "finance", 1, "grp-cfo", (FINANCE,), "nobody answered in time"),
        e.SlaBreached("touch", LATER),
        e.PaymentReported("pay_d-1_1", "cs_1", "CHECKOUT.ORDER.APPROVED"),
        e.PaymentApproved("capture:payment:pay_d-1_1", "pay_d-1_1", "cs_1"),
        e.PaymentProcessing("capture:payment:pay_d-1_1", "pay_d-1_1"),
        e.RefundRequested("ref_d-1_1", "pay_d-1_1", "pi_1", Money(100, "USD"), "overpaid", "person-1"),
        e.RefundApproved("refund:ref_d-1_1", "ref_d-1_1", FINANCE),
        e.RefundRejected("ref_d-1_1", FINANCE, "not overpaid"),
        e.RefundSubmitted("refund:ref_d-1_1", "ref_d-1_1", "pay_d-1_1", "pi_1", Money(100, "USD"), "re_1"),
        e.RefundFailed("refund:ref_d-1_1", "ref_d-1_1", "the account is closed", "re_1"),
        e.PaymentRefunded("refund:ref_d-1_1", "ref_d-1_1", "pay_d-1_1", "pi_1", Money(100, "USD"), "re_1"),
        e.PaymentDisputed("dp_1", "pay_d-1_1", "pi_1", Money(100, "USD"), "OPEN", "fraudulent"),
        e.InvoiceDiffers("inv_d-1_1", 1_080_000, 1_000_000, "USD", 80_000),
        e.InvoiceDifferenceAccepted("inv_d-1_1", 80_000, FINANCE, "the tax is collected apart"),
        e.CreditMemoRequested(A_MEMO, "person-1", "ref_d-1_1"),
        e.CreditMemoApproved("credit:crd_d-1_1", "crd_d-1_1", FINANCE),
        e.CreditMemoRejected("crd_d-1_1", FINANCE, "billed as agreed"),
        e.CreditMemoPosted("credit:crd_d-1_1", "crd_d-1_1", "CM-1", "73", 100, NOW.date()),
        e.CreditMemoFailed("credit:crd_d-1_1", "crd_d-1_1", "the period is closed"),
        e.IntentAttempted("envelope:d-1:r1:1", 1, LATER),
        e.IntentInterrupted("envelope:d-1:r1:1", "DocuSign did not answer"),
        e.EffectFailed("envelope:d-1:r1:1", "send_envelope", "DocuSign refused"),
        e.InvoiceFailed("invoice:inv_d-1_1", "inv_d-1_1", "QuickBooks has no item CORE-01"),
        e.EnvelopeReported("env-d-1", "envelope:d-1:r1:1", "signature_request_all_signed"),
        e.EnvelopeExpirySet("env-d-1", LATER),
        e.EnvelopeResendRequested("resend:envelope:d-1:r1:1", "env-d-1"),
        e.EnvelopeResent("resend:envelope:d-1:r1:1", "env-d-1"),
        e.SigningViewRequested("env-d-1"),
        e.VendorAsked("signature", "sent"),
        e.InvoiceReported("inv_d-1_1", "7", "updated: 0.00 of 1200.50 USD open"),
    ]


def of_a_policy() -> list[PolicyEvent]:
    drafted = draft([], "ours", template_document("classic"), author="person-ann", now=NOW)
    return [event_of(drafted, None), event_of(publish([drafted], 1, by="person-ben", now=NOW), None)]


@cache
def examples() -> dict[str, e.Event | PolicyEvent]:
    """An event of every type, made as the desk makes it."""
    awaiting = a_deal(Stage.AWAITING_PAYMENT)
    happened: list[e.Event | PolicyEvent] = [
        *a_story(Stage.CLOSED).events,
        *a_story(Stage.REJECTED).events,
        *a_story(Stage.RECALLED).events,
        *decided(a_deal(Stage.PENDING_APPROVAL)),
        *ended(EnvelopeStatus.DECLINED),
        *ended(EnvelopeStatus.VOIDED),
        *signature.withdraw(a_deal(Stage.OUT_FOR_SIGNATURE), "the terms changed"),
        *payments.failed(awaiting, "pay_d-1_1", "expired", "the payment link expired unpaid"),
        *paid(awaiting, Money(1, "USD")),
        *paid(awaiting, Money(1, "EUR")),
        *withdrawn(),
        *refused_by_finance(),
        *by_use_cases(),
        *of_a_policy(),
    ]
    return {event.TYPE: event for event in happened}


def sent(event: e.Event | PolicyEvent) -> dict[str, Any]:
    """The event as it goes over the bus."""
    data = bus.public_data(event.TYPE, json.loads(codec.dump(event)))
    deal_id = "" if event.TYPE in POLICY_EVENT_TYPES else "d-1"
    whole = bus.BusEvent("d-1:000001", event.TYPE, bus.SCHEMA_VERSION, NOW.isoformat(), deal_id, 1, data)
    document: dict[str, Any] = json.loads(bus.dump(whole))
    return document


def test_the_published_schemas_are_those_of_the_code() -> None:
    published = {path.name: path.read_text() for path in FOLDER.iterdir()}

    assert published == rendered(), "run `make schemas`"


@pytest.mark.parametrize("type_", sorted(EVENT_TYPES))
def test_an_event_that_leaves_the_desk_is_as_its_schema_says(type_: str) -> None:
    schema, document = schema_of(type_), sent(examples()[type_])

    Draft202012Validator.check_schema(schema)
    assert [error.message for error in Draft202012Validator(schema).iter_errors(document)] == []
    assert set(document["data"]) == set(schema["properties"]["data"]["properties"])


@pytest.mark.parametrize("type_", sorted(EVENT_TYPES))
def test_an_event_that_lacks_a_field_is_not_as_its_schema_says(type_: str) -> None:
    document = sent(examples()[type_])
    schema = schema_of(type_)

    for name in schema["properties"]["data"].get("required", []):
        lacking = {**document, "data": {key: value for key, value in document["data"].items() if key != name}}
        assert not Draft202012Validator(schema).is_valid(lacking), name
