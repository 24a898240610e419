"""What PayPal says is proven, noted once and never believed: money moves only after PayPal has been asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dealdesk.domain import payments
from dealdesk.domain.deal import Deal
from dealdesk.domain.money import Money
from dealdesk.domain.quote import Providers
from dealdesk.domain.stages import PaymentStatus, Stage
from dealdesk.ports import Cause
from local.twins.paypal import PayPalTwin
from tests.functions.conftest import Said
from tests.functions.messages import JSON, given, happened, keep, parked, refused, stored
from tests.journeys.world import World
from tests.unit.domain.deals import NOW

Event = dict[str, Any]


@pytest.fixture(scope="module")
def payable(desk: World) -> Deal:
    return keep(desk, Stage.AWAITING_PAYMENT, "wallet")


def twin(desk: World) -> PayPalTwin:
    found = desk.twins["paypal"]
    assert isinstance(found, PayPalTwin)
    return found


def order_event(deal_id: str, event_id: str = "WH-1", **changes: Any) -> bytes:
    """The payer has approved the deal's payment, unless the test says otherwise."""
    unit = {
        "amount": {"currency_code": "USD", "value": "10000.00"},
        "custom_id": changes.pop("custom_id", f"pay_{deal_id}_1,{deal_id}"),
        "invoice_id": f"pay_{deal_id}_1",
    }
    resource = {"id": "5O190127TN364715T", "status": "APPROVED", "purchase_units": [unit]}
    event = {"id": event_id, "event_type": "CHECKOUT.ORDER.APPROVED", "resource": resource}
    return json.dumps(event | changes).encode()


def capture_event(deal_id: str, event_id: str) -> bytes:
    resource = {
        "id": "3C679366HH908993F",
        "status": "COMPLETED",
        "amount": {"currency_code": "USD", "value": "10000.00"},
        "custom_id": f"pay_{deal_id}_1,{deal_id}",
        "supplementary_data": {"related_ids": {"order_id": "5O190127TN364715T"}},
    }
    event = {"id": event_id, "event_type": "PAYMENT.CAPTURE.COMPLETED", "resource": resource}
    return json.dumps(event).encode()


def request(desk: World, body: bytes, **headers: str) -> Event:
    signed = twin(desk).headers_of(body) | headers
    return {"httpMethod": "POST", "headers": signed, "body": body.decode(), "isBase64Encoded": False}


def test_an_approval_is_noted_and_published_and_moves_nothing(desk: World) -> None:
    deal = keep(desk, Stage.AWAITING_PAYMENT, "approves")

    answer = given(desk, "paypal", request(desk, order_event("approves", "WH-approves")))

    assert (answer.status, answer.document) == (200, {"status": "recorded"})
    assert happened(desk, "approves")[-1] == "payment.reported"
    assert stored(desk, "approves").payments == deal.payments
    desk.relay()
    waiting = [json.loads(message.body) for message in desk.queues["RequestPaymentQueue"].messages]
    (reported,) = [m["detail"]["data"] for m in waiting if m["detail-type"] == "payment.reported"]
    assert reported == {
        "payment_id": "pay_approves_1",
        "session_id": "5O190127TN364715T",
        "said": "CHECKOUT.ORDER.APPROVED",
    }


def test_a_message_that_says_the_money_has_arrived_is_only_a_hint(desk: World) -> None:
    keep(desk, Stage.AWAITING_PAYMENT, "claims")

    answer = given(desk, "paypal", request(desk, capture_event("claims", "WH-claims")))

    deal = stored(desk, "claims")
    assert answer.status == 200
    assert deal.payment is not None
    assert (deal.payment.status, deal.stage) == (PaymentStatus.PENDING, Stage.AWAITING_PAYMENT)


def test_a_replayed_message_is_noted_once(desk: World) -> None:
    keep(desk, Stage.AWAITING_PAYMENT, "twice")
    body = order_event("twice", "WH-twice")

    answers = [given(desk, "paypal", request(desk, body)) for _ in range(3)]

    assert [answer.document["status"] for answer in answers] == ["recorded", "duplicate", "duplicate"]
    assert happened(desk, "twice").count("payment.reported") == 1


def test_a_message_about_a_deal_that_is_not_known_yet_is_parked(desk: World) -> None:
    answer = given(desk, "paypal", request(desk, order_event("unheard", "WH-unheard")))

    assert answer.status == 202
    waiting = [json.loads(body) for body in parked(desk)]
    assert {
        "parked": {
            "kind": "paypal",
            "message": {
                "deal_id": "unheard",
                "cause": "paypal:WH-unheard",
                "report": {
                    "payment_id": "pay_unheard_1",
                    "session_id": "5O190127TN364715T",
                    "said": "CHECKOUT.ORDER.APPROVED",
                },
            },
        }
    } in waiting


def test_a_message_about_a_payment_that_is_not_recorded_yet_is_parked(desk: World) -> None:
    keep(desk, Stage.SIGNED, "early")

    answer = given(desk, "paypal", request(desk, order_event("early", "WH-early")))

    assert answer.status == 202
    assert "payment.reported" not in happened(desk, "early")


@pytest.mark.parametrize(
    "body",
    [
        order_event("wallet", custom_id="cart-4711"),
        order_event("wallet", custom_id=""),
        order_event("wallet", event_type="BILLING.PLAN.CREATED"),
    ],
    ids=["another system's", "nobody's", "a plan"],
)
def test_what_concerns_no_payment_of_the_desk_is_answered_and_ignored(desk: World, payable: Deal, body: bytes) -> None:
    answer = given(desk, "paypal", request(desk, body))

    assert (answer.status, answer.document) == (200, {"status": "ignored"})
    assert stored(desk, "wallet").version == payable.version


def test_a_message_without_a_signature_is_refused(desk: World, said: Said, payable: Deal) -> None:
    event = request(desk, order_event("wallet")) | {"headers": JSON}

    answer = refused(desk, said, "paypal", event)

    assert answer.status == 401
    assert "PAYPAL-TRANSMISSION-ID" in answer.document["detail"]


def test_a_message_that_was_changed_on_its_way_is_refused(desk: World, said: Said, payable: Deal) -> None:
    event = request(desk, order_event("wallet"))

    answer = refused(desk, said, "paypal", event | {"body": event["body"].replace("10000.00", "1.00")})

    assert answer.status == 401


def test_a_certificate_of_another_host_is_never_fetched(desk: World, said: Said, payable: Deal) -> None:
    other = {"Paypal-Cert-Url": "https://evil.example/v1/notifications/certs/CERT-1"}

    answer = refused(desk, said, "paypal", request(desk, order_event("wallet"), **other))

    assert (answer.status, "no address of PayPal's" in answer.body) == (401, True)


def test_a_certificate_that_cannot_be_fetched_now_brings_the_message_again(
    desk: World, said: Said, payable: Deal
) -> None:
    desk.port("receive_paypal", "certificates")._kept.clear()
    desk.fail("paypal", match="GET /v1/notifications/certs", kind="status", status=503)

    answer = refused(desk, said, "paypal", request(desk, order_event("wallet")))

    assert answer.status == 503


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[]", "the body is no PayPal event"),
        (b"{}", "the body is no PayPal event"),
        (order_event("wallet", resource=[]), "no PayPal order in resource"),
        (order_event("wallet", resource={"id": 7, "status": "APPROVED", "purchase_units": []}), "$.id"),
        (order_event("wallet", id=7), "$.id"),
        (b'{"more": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "nested too deeply"),
    ],
    ids=["list", "empty", "resource", "order", "id", "deep"],
)
def test_a_signed_body_that_is_no_message_is_refused(
    desk: World, said: Said, payable: Deal, body: bytes, words: str
) -> None:
    answer = refused(desk, said, "paypal", request(desk, body))

    assert (answer.status, words in answer.document["detail"]) == (422, True), answer.body


# -- what names no deal: refunds made at PayPal by hand, reversals, disputes


def corrected_event(kind: str, capture_id: str, event_id: str) -> bytes:
    if kind.startswith("CUSTOMER.DISPUTE"):
        resource: Event = {
            "dispute_id": "PP-D-4012",
            "disputed_transactions": [{"seller_transaction_id": capture_id}],
            "status": "WAITING_FOR_SELLER_RESPONSE",
        }
    else:
        upwards = {"href": f"https://api-m.paypal.com/v2/payments/captures/{capture_id}", "rel": "up", "method": "GET"}
        resource = {"id": "1JU08902781691411", "status": "COMPLETED", "links": [upwards]}
    return json.dumps({"id": event_id, "event_type": kind, "resource": resource}).encode()


CORRECTED = ["PAYMENT.CAPTURE.REFUNDED", "PAYMENT.CAPTURE.REVERSED", "CUSTOMER.DISPUTE.CREATED"]


def paid_by_paypal(desk: World, deal_id: str, capture_id: str) -> None:
    deal = keep(desk, Stage.AWAITING_PAYMENT, deal_id, providers=Providers(payment="paypal"))
    deals = desk.port("receive_paypal", "deals")
    settled = payments.succeeded(deal, f"pay_{deal_id}_1", "ORDER", Money(1_000_000, "USD"), capture_id, NOW)
    deals.save(deal, settled, cause=Cause("paypal", f"settled-{deal_id}"), actor="vendor:paypal", now=NOW)


@pytest.mark.parametrize("kind", CORRECTED)
def test_money_that_went_back_at_paypal_finds_its_deal_by_the_capture_and_is_a_hint(desk: World, kind: str) -> None:
    deal_id, capture_id = kind.lower().replace(".", "-"), f"CAP-{kind}"
    paid_by_paypal(desk, deal_id, capture_id)
    body = corrected_event(kind, capture_id, f"WH-{kind}")

    answers = [given(desk, "paypal", request(desk, body)).document["status"] for _ in range(2)]

    assert answers == ["recorded", "duplicate"]
    assert happened(desk, deal_id)[-1] == "payment.reported"
    assert (stored(desk, deal_id).refunds, stored(desk, deal_id).disputes) == ((), ())


@pytest.mark.parametrize("kind", CORRECTED)
def test_money_that_nobody_has_recorded_yet_is_parked_and_noted_once_it_is(desk: World, kind: str) -> None:
    deal_id, capture_id = f"late-{kind.lower().replace('.', '-')}", f"LATE-{kind}"
    body = corrected_event(kind, capture_id, f"WH-LATE-{kind}")
    assert given(desk, "paypal", request(desk, body)).status == 202

    paid_by_paypal(desk, deal_id, capture_id)
    while desk.serve_queue(desk.queues["ParkedQueue"]):
        desk.sleep(minutes=1)
    desk.sleep(minutes=1)
    desk.serve_queue(desk.queues["ParkedQueue"])

    assert happened(desk, deal_id)[-1] == "payment.reported"
