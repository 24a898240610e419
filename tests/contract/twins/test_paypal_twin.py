"""The PayPal twin: signed in or refused, strict about every field, forgetful as PayPal is, and signing what it says."""

import base64
import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from local.twins.paypal import PayPalTwin
from local.twins.server import Fault, Json, Refused, RunningTwin

CREDENTIALS, WEBHOOK = ("app", "s3cret"), "4JH86294D6297924G"
ORDERS = "/v2/checkout/orders"


class Receiver(Protocol):
    """The product's endpoint of conftest: what it answers, and what it was sent."""

    url: str
    answers: list[tuple[int, str]]
    bodies: list[bytes]
    headers: list[dict[str, str]]


@pytest.fixture
def twin(running: Callable[..., RunningTwin], receiver: Receiver) -> PayPalTwin:
    twin = PayPalTwin(
        client_id=CREDENTIALS[0], client_secret=CREDENTIALS[1], webhook_id=WEBHOOK, webhook_url=receiver.url
    )
    running(twin)
    return twin


def token_of(twin: PayPalTwin) -> str:
    form = {"grant_type": "client_credentials"}
    answer = requests.post(f"{twin.url}/v1/oauth2/token", auth=CREDENTIALS, data=form, timeout=5)
    return str(answer.json()["access_token"])


def call(twin: PayPalTwin, method: str, path: str, body: Any = None, key: str = "", **more: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {token_of(twin)}", "Prefer": "return=representation", **more}
    if key:
        headers["PayPal-Request-Id"] = key
    return requests.request(method, twin.url + path, json=body, headers=headers, timeout=5)


def an_order(value: str = "10.00", currency: str = "USD", **changes: Any) -> Json:
    unit = {"amount": {"currency_code": currency, "value": value}, "custom_id": "pay_d-1_1,d-1"}
    return {"intent": "CAPTURE", "purchase_units": [{**unit, **changes.pop("unit", {})}], **changes}


def opened(twin: PayPalTwin, key: str = "", **changes: Any) -> str:
    answer = call(twin, "POST", ORDERS, an_order(**changes), key)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def captured(twin: PayPalTwin, **changes: Any) -> Json:
    order_id = opened(twin, **changes)
    twin.act("approve", {"order_id": order_id})
    order = call(twin, "POST", f"{ORDERS}/{order_id}/capture", {}).json()
    capture: Json = order["purchase_units"][0]["payments"]["captures"][0]
    return capture


def issue_of(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["details"][0]["issue"]


def later(twin: PayPalTwin, **span: float) -> None:
    twin.clock = lambda: datetime.now(UTC) + timedelta(**span)


# -- signing in


@pytest.mark.parametrize("given", [("app", "wrong"), ("other", "s3cret"), None])
def test_nobody_gets_a_token_without_the_applications_credentials(
    twin: PayPalTwin, given: tuple[str, str] | None
) -> None:
    form = {"grant_type": "client_credentials"}

    answer = requests.post(f"{twin.url}/v1/oauth2/token", auth=given, data=form, timeout=5)

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_a_call_without_a_valid_token_is_refused(twin: PayPalTwin) -> None:
    valid = token_of(twin)
    answers = [
        requests.get(f"{twin.url}{ORDERS}/1", headers={"Authorization": f"Bearer {token}"}, timeout=5).status_code
        for token in ("", "made-up", valid)
    ]
    later(twin, hours=10)

    assert answers == [401, 401, 404]
    old = requests.get(f"{twin.url}{ORDERS}/1", headers={"Authorization": f"Bearer {valid}"}, timeout=5)
    assert old.status_code == 401


# -- orders


def test_an_order_waits_for_its_payer_at_a_page(twin: PayPalTwin) -> None:
    plain = call(twin, "POST", ORDERS, an_order()).json()
    wallet = {"paypal": {"experience_context": {"return_url": "https://desk.test/done"}}}
    by_wallet = call(twin, "POST", ORDERS, an_order(payment_source=wallet), "k-1").json()

    assert (plain["status"], plain["links"][1]["rel"]) == ("CREATED", "approve")
    assert (by_wallet["status"], by_wallet["links"][1]["rel"]) == ("PAYER_ACTION_REQUIRED", "payer-action")
    page = requests.post(by_wallet["links"][1]["href"], allow_redirects=False, timeout=5)
    assert page.headers["Location"] == f"https://desk.test/done?token={by_wallet['id']}&PayerID=PAYER23456789"
    assert call(twin, "GET", f"{ORDERS}/{by_wallet['id']}").json()["status"] == "APPROVED"


def test_by_default_only_the_id_the_status_and_the_links_are_shown(twin: PayPalTwin) -> None:
    answer = call(twin, "POST", ORDERS, an_order(), Prefer="return=minimal")

    assert set(answer.json()) == {"id", "status", "links"}


@pytest.mark.parametrize(
    ("body", "status", "issue"),
    [
        ({}, 400, "MISSING_REQUIRED_PARAMETER"),
        (an_order(intent="TAKE"), 400, "INVALID_PARAMETER_VALUE"),
        (an_order(purchase_units=[]), 400, "INVALID_ARRAY_MIN_ITEMS"),
        (an_order(surprise=1), 400, "INVALID_PARAMETER"),
        (an_order(unit={"custom_id": "x" * 128}), 400, "INVALID_STRING_LENGTH"),
        (an_order(unit={"invoice_id": ""}), 400, "INVALID_STRING_LENGTH"),
        (an_order(unit={"amount": {"currency_code": "USD"}}), 400, "MISSING_REQUIRED_PARAMETER"),
        (an_order(unit={"amount": {"currency_code": "USD", "value": 10.0}}), 400, "INVALID_PARAMETER_SYNTAX"),
        (an_order(value="1e3"), 400, "INVALID_PARAMETER_SYNTAX"),
        (an_order(value="0.00"), 422, "CANNOT_BE_ZERO_OR_NEGATIVE"),
        (an_order(value="-1.00"), 422, "CANNOT_BE_ZERO_OR_NEGATIVE"),
        (an_order(value="1.001"), 422, "DECIMAL_PRECISION"),
        (an_order(value="100.50", currency="JPY"), 422, "DECIMALS_NOT_SUPPORTED"),
        (an_order(value="100.00", currency="HUF"), 422, "DECIMALS_NOT_SUPPORTED"),
        (an_order(currency="KWD"), 422, "INVALID_CURRENCY_CODE"),
        (an_order(payment_source={"paypal": {}}), 422, "PAYPAL_REQUEST_ID_REQUIRED"),
    ],
    ids=str,
)
def test_an_order_that_paypal_would_not_take_is_refused_by_its_issue(
    twin: PayPalTwin, body: Json, status: int, issue: str
) -> None:
    answer = call(twin, "POST", ORDERS, body)

    assert issue_of(answer) == (status, issue)
    assert answer.headers["Paypal-Debug-Id"] == answer.json()["debug_id"]
    assert twin.state()["orders"] == []


def test_an_experience_that_paypal_does_not_know_is_refused(twin: PayPalTwin) -> None:
    wallet = {"paypal": {"experience_context": {"user_action": "PAY_LATER"}}}

    assert issue_of(call(twin, "POST", ORDERS, an_order(payment_source=wallet), "k")) == (
        400,
        "INVALID_PARAMETER_VALUE",
    )


# -- request ids


def test_a_request_id_gives_the_latest_state_of_what_it_made(twin: PayPalTwin) -> None:
    first = call(twin, "POST", ORDERS, an_order(), "k-1")
    twin.act("approve", {"order_id": first.json()["id"]})

    again = call(twin, "POST", ORDERS, an_order(value="99.00"), "k-1")

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    assert again.json()["status"] == "APPROVED"
    assert again.json()["purchase_units"][0]["amount"]["value"] == "10.00"


def test_without_a_request_id_the_order_is_duplicated(twin: PayPalTwin) -> None:
    assert opened(twin) != opened(twin)


def test_the_request_id_of_an_order_is_forgotten_after_six_hours(twin: PayPalTwin) -> None:
    first = opened(twin, "k-1")
    later(twin, hours=5, minutes=59)
    assert call(twin, "POST", ORDERS, an_order(), "k-1").json()["id"] == first

    later(twin, hours=6, minutes=1)

    assert opened(twin, "k-1") != first


def test_a_request_id_that_is_too_long_is_refused(twin: PayPalTwin) -> None:
    assert issue_of(call(twin, "POST", ORDERS, an_order(), "k" * 109)) == (400, "INVALID_STRING_LENGTH")


# -- captures


def test_an_order_is_captured_once_after_its_payer_has_approved(twin: PayPalTwin) -> None:
    order_id = opened(twin)
    early = call(twin, "POST", f"{ORDERS}/{order_id}/capture", {}, "c-1")
    twin.act("approve", {"order_id": order_id})
    done = call(twin, "POST", f"{ORDERS}/{order_id}/capture", {}, "c-1")
    replayed = call(twin, "POST", f"{ORDERS}/{order_id}/capture", {}, "c-1")
    again = call(twin, "POST", f"{ORDERS}/{order_id}/capture", {}, "c-2")

    assert issue_of(early) == (422, "ORDER_NOT_APPROVED")
    assert (done.status_code, done.json()["status"], replayed.status_code) == (201, "COMPLETED", 200)
    assert issue_of(again) == (422, "ORDER_ALREADY_CAPTURED")
    assert len(twin.state()["captures"]) == 1


def test_a_second_payment_with_the_same_invoice_id_is_blocked(twin: PayPalTwin) -> None:
    captured(twin, unit={"invoice_id": "inv-1"})
    order_id = opened(twin, unit={"invoice_id": "inv-1"})
    twin.act("approve", {"order_id": order_id})

    assert issue_of(call(twin, "POST", f"{ORDERS}/{order_id}/capture", {})) == (422, "DUPLICATE_INVOICE_ID")


def test_a_declined_payer_may_approve_again(twin: PayPalTwin) -> None:
    order_id = opened(twin)
    twin.act("approve", {"order_id": order_id, "funding": "declined"})
    refused = call(twin, "POST", f"{ORDERS}/{order_id}/capture", {})
    twin.act("approve", {"order_id": order_id})

    assert issue_of(refused) == (422, "INSTRUMENT_DECLINED")
    assert call(twin, "POST", f"{ORDERS}/{order_id}/capture", {}).status_code == 201


def test_an_order_can_be_approved_for_six_hours_and_is_forgotten_after_three_days(twin: PayPalTwin) -> None:
    order_id = opened(twin)
    later(twin, hours=6, minutes=1)
    late = requests.post(f"{twin.url}/_twin/act/approve", json={"order_id": order_id}, timeout=5)
    still = call(twin, "GET", f"{ORDERS}/{order_id}").status_code
    later(twin, days=3, minutes=1)

    assert (late.status_code, still) == (422, 200)
    assert issue_of(call(twin, "GET", f"{ORDERS}/{order_id}")) == (404, "INVALID_RESOURCE_ID")


def test_a_captured_order_is_still_shown_after_months(twin: PayPalTwin) -> None:
    order_id = captured(twin)["supplementary_data"]["related_ids"]["order_id"]
    later(twin, days=180)

    assert call(twin, "GET", f"{ORDERS}/{order_id}").json()["status"] == "COMPLETED"


# -- refunds


def test_no_more_is_given_back_than_was_taken(twin: PayPalTwin) -> None:
    path = f"/v2/payments/captures/{captured(twin)['id']}/refund"

    def refund(value: str, currency: str = "USD", **more: str) -> requests.Response:
        return call(twin, "POST", path, {"amount": {"currency_code": currency, "value": value}, **more})

    first = refund("4.00", invoice_id="r-1")
    assert (first.status_code, first.json()["status"]) == (201, "COMPLETED")
    assert issue_of(refund("1.00", invoice_id="r-1")) == (422, "DUPLICATE_INVOICE_ID")
    assert issue_of(refund("6.01")) == (422, "REFUND_AMOUNT_EXCEEDED")
    assert issue_of(refund("1.00", "EUR")) == (422, "REFUND_CAPTURE_CURRENCY_MISMATCH")
    assert call(twin, "POST", path, {}).json()["amount"]["value"] == "6.00"
    assert issue_of(refund("0.01")) == (422, "CAPTURE_FULLY_REFUNDED")


def test_a_refund_is_found_at_its_order_and_by_its_id(twin: PayPalTwin) -> None:
    capture = captured(twin)
    made = call(twin, "POST", f"/v2/payments/captures/{capture['id']}/refund", {"invoice_id": "r-1"}, "r-1").json()

    order = call(twin, "GET", f"{ORDERS}/{capture['supplementary_data']['related_ids']['order_id']}").json()
    assert [refund["invoice_id"] for refund in order["purchase_units"][0]["payments"]["refunds"]] == ["r-1"]
    assert call(twin, "GET", f"/v2/payments/refunds/{made['id']}").json()["id"] == made["id"]
    assert call(twin, "GET", f"/v2/payments/captures/{capture['id']}").json()["status"] == "REFUNDED"


def test_the_request_id_of_a_refund_is_kept_for_45_days(twin: PayPalTwin) -> None:
    path = f"/v2/payments/captures/{captured(twin)['id']}/refund"
    body = {"amount": {"currency_code": "USD", "value": "1.00"}}
    first = call(twin, "POST", path, body, "r-1").json()["id"]
    later(twin, days=44)
    assert call(twin, "POST", path, body, "r-1").json()["id"] == first

    later(twin, days=46)

    assert call(twin, "POST", path, body, "r-1").json()["id"] != first


# -- disputes


def test_money_that_a_bank_has_is_not_refunded(twin: PayPalTwin) -> None:
    capture_id = captured(twin)["id"]
    path, body = f"/v2/payments/captures/{capture_id}/refund", {"amount": {"currency_code": "USD", "value": "1.00"}}
    dispute = twin.act("dispute", {"capture_id": capture_id, "value": "4.00"})

    assert issue_of(call(twin, "POST", path, body)) == (422, "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK")

    twin.act("resolve", {"dispute_id": dispute["dispute_id"], "outcome": "RESOLVED_SELLER_FAVOUR"})
    assert call(twin, "POST", path, body).status_code == 201


def test_no_more_is_disputed_than_is_left(twin: PayPalTwin) -> None:
    capture_id = captured(twin)["id"]
    body = {"amount": {"currency_code": "USD", "value": "4.00"}}
    call(twin, "POST", f"/v2/payments/captures/{capture_id}/refund", body)

    opened_over = twin.act("dispute", {"capture_id": capture_id, "value": "9.00"})["dispute_amount"]["value"]

    assert opened_over == "6.00"
    with pytest.raises(Refused):
        twin.act("dispute", {"capture_id": capture_id})


# -- messages


def test_a_message_is_sent_again_under_its_id(twin: PayPalTwin, receiver: Receiver) -> None:
    captured(twin)
    first = twin.state()["events"][0]["id"]

    twin.act("resend", {"event_id": first})

    assert twin.webhooks.drain()
    sent = [json.loads(body)["id"] for body in receiver.bodies]
    assert (sent[-1], sent.count(first)) == (first, 2)


def test_every_message_is_signed_as_paypal_signs(twin: PayPalTwin, receiver: Receiver) -> None:
    captured(twin)
    assert twin.webhooks.drain()

    kinds = []
    for body, headers in zip(receiver.bodies, receiver.headers, strict=True):
        pem = requests.get(headers["Paypal-Cert-Url"], timeout=5).content
        key = x509.load_pem_x509_certificate(pem).public_key()
        assert isinstance(key, RSAPublicKey)
        said = (headers["Paypal-Transmission-Id"], headers["Paypal-Transmission-Time"], WEBHOOK, str(zlib.crc32(body)))
        signature = base64.b64decode(headers["Paypal-Transmission-Sig"])
        key.verify(signature, "|".join(said).encode(), PKCS1v15(), SHA256())
        kinds.append(json.loads(body)["event_type"])
    assert kinds == ["CHECKOUT.ORDER.APPROVED", "CHECKOUT.ORDER.COMPLETED", "PAYMENT.CAPTURE.COMPLETED"]


def test_a_bank_payment_pends_and_its_answer_is_told(twin: PayPalTwin) -> None:
    order_id = opened(twin)
    twin.act("approve", {"order_id": order_id, "funding": "echeck"})
    call(twin, "POST", f"{ORDERS}/{order_id}/capture", {})
    twin.act("settle", {"order_id": order_id, "succeeded": False})

    kinds = [event["event_type"] for event in twin.state()["events"]]
    assert kinds[-2:] == ["PAYMENT.CAPTURE.PENDING", "PAYMENT.CAPTURE.DENIED"]


def test_a_fault_has_paypals_shape(twin: PayPalTwin) -> None:
    twin.faults.append(Fault(f"GET {ORDERS}", "status", status=429, headers={"Retry-After": "3"}))

    answer = call(twin, "GET", f"{ORDERS}/1")

    assert (answer.status_code, answer.json()["name"], answer.headers["Retry-After"]) == (
        429,
        "RATE_LIMIT_REACHED",
        "3",
    )


def test_a_reset_twin_knows_nothing(twin: PayPalTwin) -> None:
    captured(twin)

    twin.reset()

    assert not any(twin.state().values())
