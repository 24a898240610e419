"""What the PayPal adapter makes of PayPal's own ways: short keys, a second step, its currencies and its errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from dealdesk.adapters.paypal import PaypalPayments
from dealdesk.adapters.paypal_login import translated
from dealdesk.contracts.paypal import custom_id_of, our_ids
from dealdesk.contracts.paypal_money import DECIMALS, from_paypal, to_paypal
from dealdesk.domain import payments
from dealdesk.domain.deal import Deal
from dealdesk.domain.fold import fold
from dealdesk.domain.money import Money
from dealdesk.domain.stages import Stage
from dealdesk.errors import Malformed, VendorRefused, VendorUnavailable
from dealdesk.ports import PaymentLink
from local.twins.paypal import PayPalTwin
from local.twins.server import Fault, serve
from tests.unit.domain.deals import a_deal

ORDERS = "/v2/checkout/orders"


@pytest.fixture
def twin() -> Iterator[PayPalTwin]:
    made = PayPalTwin(client_id="app", client_secret="s3cret", webhook_id="4JH86294D6297924G")
    with closing(serve(made)):
        yield made


@pytest.fixture
def paypal(twin: PayPalTwin) -> PaypalPayments:
    return connected(twin)


def connected(twin: PayPalTwin, secret: str = "s3cret") -> PaypalPayments:
    def clock() -> datetime:
        return twin.clock()

    return PaypalPayments(twin.url, client_id="app", client_secret=secret, return_url="https://desk.test", clock=clock)


def deal_to_pay() -> Deal:
    now = datetime.now(UTC)
    deal = a_deal(Stage.SIGNED)
    return fold(deal, payments.ask(deal, now), now)


def create(paypal: PaypalPayments, amount: Money | None = None) -> PaymentLink:
    deal = deal_to_pay()
    assert deal.payment is not None
    payment = deal.payment
    return paypal.create_link(payment.key, payment.id, deal, amount or payment.amount, datetime.now(UTC))


def later(twin: PayPalTwin, **span: float) -> None:
    twin.clock = lambda: datetime.now(UTC) + timedelta(**span)


def sent(twin: PayPalTwin, path: str = ORDERS) -> list[dict[str, Any]]:
    """The bodies that PayPal was sent."""
    return [json.loads(call.body) for call in twin.requests if call.method == "POST" and call.path == path]


# -- the order


def test_the_order_carries_our_ids_and_where_the_payer_comes_back_to(twin: PayPalTwin, paypal: PaypalPayments) -> None:
    create(paypal)

    (body,) = sent(twin)
    (unit,) = body["purchase_units"]
    assert body["intent"] == "CAPTURE"
    assert (unit["custom_id"], unit["invoice_id"]) == ("pay_d-1_1,d-1", "pay_d-1_1")
    assert unit["amount"] == {"currency_code": "USD", "value": "10000.00"}
    experience = body["payment_source"]["paypal"]["experience_context"]
    assert experience["return_url"] == "https://desk.test/console/payments/done"
    assert experience["cancel_url"] == "https://desk.test/console/payments/open"


def test_the_request_id_is_made_from_the_fact_and_not_from_the_attempt(
    twin: PayPalTwin, paypal: PaypalPayments
) -> None:
    create(paypal)
    later(twin, hours=1)
    create(connected(twin))

    ids = {call.headers.get("Paypal-Request-Id") for call in twin.requests if call.path == ORDERS}
    assert ids == {"payment:pay_d-1_1"}
    assert len({call.body for call in twin.requests if call.path == ORDERS}) == 1


def test_a_link_lives_as_long_as_paypal_lets_its_payer_come(twin: PayPalTwin, paypal: PaypalPayments) -> None:
    first = create(paypal)
    later(twin, hours=2)

    again = create(paypal)

    assert again.expires_at == first.expires_at
    assert abs(first.expires_at - datetime.now(UTC) - timedelta(hours=3)) < timedelta(minutes=1)


def test_an_order_is_open_for_as_long_as_it_can_be_approved_and_then_expired(
    twin: PayPalTwin, paypal: PaypalPayments
) -> None:
    link = create(paypal)

    later(twin, hours=5, minutes=59)
    before = paypal.state(link.session_id).outcome
    later(twin, hours=6, minutes=1)

    assert (before, paypal.state(link.session_id).outcome) == ("open", "expired")


def test_an_order_that_paypal_forgot_is_expired_and_names_no_payment(twin: PayPalTwin, paypal: PaypalPayments) -> None:
    link = create(paypal)
    twin.act("forget", {"order_id": link.session_id})

    state = paypal.state(link.session_id)

    assert (state.outcome, state.payment_id) == ("expired", "")


def test_an_order_of_another_system_is_not_the_desks(twin: PayPalTwin, paypal: PaypalPayments) -> None:
    link = create(paypal)
    twin.held.orders[link.session_id]["purchase_units"][0]["custom_id"] = "cart-4711"

    with pytest.raises(VendorRefused, match="none of the desk's"):
        paypal.state(link.session_id)


def test_two_orders_of_one_payment_can_never_both_be_captured(twin: PayPalTwin, paypal: PaypalPayments) -> None:
    first = create(paypal)
    later(twin, hours=6, seconds=1)
    second = create(paypal)
    assert first.session_id != second.session_id
    twin.act("approve", {"order_id": second.session_id})
    assert paypal.capture(second.session_id, "capture:payment:pay_d-1_1").outcome == "paid"

    twin.held.orders[first.session_id]["status"] = "APPROVED"
    twin.held.approved_at[first.session_id] = twin.clock()
    twin.held.funding[first.session_id] = "wallet"
    with pytest.raises(VendorRefused, match="DUPLICATE_INVOICE_ID"):
        paypal.capture(first.session_id, "capture:payment:pay_d-1_1")

    assert len(twin.state()["captures"]) == 1


@pytest.mark.parametrize(
    ("payment_id", "deal_id"),
    [
        ("pay_d-1_1", "d-1"),
        ("pay_a_b_12_3", "a_b_12"),
        (f"pay_{'x' * 64}_10", "x" * 64),
        ("pay_a.b:c@d-e_1", "a.b:c@d-e"),
    ],
)
def test_our_ids_come_back_from_127_characters(payment_id: str, deal_id: str) -> None:
    custom_id = custom_id_of(payment_id, deal_id)

    assert len(custom_id) <= 127
    assert our_ids(custom_id) == (payment_id, deal_id)


@pytest.mark.parametrize("custom_id", ["", "cart-4711", "pay_1", "pay__1", "pay_d-1_x", "PAY_d-1_1"])
def test_a_custom_id_of_another_system_is_none_of_ours(custom_id: str) -> None:
    assert our_ids(custom_id) is None


# -- the money


def test_an_approved_order_is_no_money_until_it_is_captured(twin: PayPalTwin, paypal: PaypalPayments) -> None:
    link = create(paypal)
    twin.act("approve", {"order_id": link.session_id})

    assert paypal.state(link.session_id).outcome == "approved"
    assert twin.state()["captures"] == []


def test_a_bank_payment_is_on_its_way_until_the_bank_has_answered(twin: PayPalTwin, paypal: PaypalPayments) -> None:
    links = [create(paypal), create_another(paypal)]
    for link in links:
        twin.act("approve", {"order_id": link.session_id, "funding": "echeck"})
    pending = [paypal.capture(link.session_id, f"capture:{link.session_id}").outcome for link in links]

    twin.act("settle", {"order_id": links[0].session_id, "succeeded": True})
    twin.act("settle", {"order_id": links[1].session_id, "succeeded": False})

    assert pending == ["processing", "processing"]
    assert [paypal.state(link.session_id).outcome for link in links] == ["paid", "failed"]


def create_another(paypal: PaypalPayments) -> PaymentLink:
    deal = deal_to_pay()
    assert deal.payment is not None
    return paypal.create_link("payment:pay_d-1_2", "pay_d-1_2", deal, deal.payment.amount, datetime.now(UTC))


def test_a_declined_payer_is_not_charged_and_the_refusal_is_final(twin: PayPalTwin, paypal: PaypalPayments) -> None:
    link = create(paypal)
    twin.act("approve", {"order_id": link.session_id, "funding": "declined"})

    with pytest.raises(VendorRefused, match=r"INSTRUMENT_DECLINED \(debug id \w+\)"):
        paypal.capture(link.session_id, "capture:k")

    assert twin.state()["captures"] == []


def test_an_approval_that_has_lapsed_takes_nothing(twin: PayPalTwin, paypal: PaypalPayments) -> None:
    link = create(paypal)
    twin.act("approve", {"order_id": link.session_id})
    later(twin, hours=3, seconds=2)

    with pytest.raises(VendorRefused, match="ORDER_NOT_APPROVED"):
        paypal.capture(link.session_id, "capture:k")


def test_a_refund_whose_key_paypal_forgot_is_found_by_its_invoice_id_and_not_made_again(
    twin: PayPalTwin, paypal: PaypalPayments
) -> None:
    link = create(paypal)
    twin.act("approve", {"order_id": link.session_id})
    paid = paypal.capture(link.session_id, "capture:k")
    first = paypal.refund("refund:1", paid.reference, Money(100, "USD"), "d-1")
    later(twin, days=46)
    twin.held.orders[link.session_id]["create_time"] = twin.clock().isoformat()

    assert connected(twin).refund("refund:1", paid.reference, Money(100, "USD"), "d-1") == first
    assert len(twin.state()["refunds"]) == 1


# -- currencies


@pytest.mark.parametrize(
    ("money", "value"),
    [
        (Money(1_000_000, "USD"), "10000.00"),
        (Money(5, "EUR"), "0.05"),
        (Money(5_000, "JPY"), "5000"),
        (Money(500_000, "HUF"), "5000"),
        (Money(500_000, "TWD"), "5000"),
    ],
    ids=str,
)
def test_an_amount_has_the_decimals_that_paypal_gives_its_currency(money: Money, value: str) -> None:
    assert to_paypal(money) == {"currency_code": money.currency, "value": value}
    assert from_paypal(value, money.currency) == money


@pytest.mark.parametrize("money", [Money(500_001, "HUF"), Money(99, "TWD")], ids=str)
def test_a_fraction_that_paypal_cannot_carry_is_refused_and_never_rounded(money: Money) -> None:
    with pytest.raises(VendorRefused, match=f"whole {money.currency} only"):
        to_paypal(money)


@pytest.mark.parametrize("currency", ["KWD", "INR", "UGX", "CLP"])
def test_a_currency_that_paypal_does_not_take_is_refused_before_any_call(
    twin: PayPalTwin, paypal: PaypalPayments, currency: str
) -> None:
    with pytest.raises(VendorRefused, match=f"takes no {currency}"):
        create(paypal, Money(1_000, currency))

    assert twin.requests == []


@pytest.mark.parametrize("currency", sorted(DECIMALS))
def test_every_currency_of_the_table_is_one_that_paypal_takes(
    twin: PayPalTwin, paypal: PaypalPayments, currency: str
) -> None:
    link = create(paypal, Money(123_400, currency))

    assert paypal.state(link.session_id).amount == Money(123_400, currency)


@pytest.mark.parametrize(
    ("value", "currency"),
    [("10.001", "USD"), ("1e3", "USD"), ("-1.00", "USD"), ("", "USD"), ("NaN", "USD"), ("0.5", "JPY"), ("1.00", "ZZZ")],
)
def test_an_amount_that_is_none_is_refused(value: str, currency: str) -> None:
    with pytest.raises(Malformed):
        from_paypal(value, currency)


# -- signing in, and errors


def test_one_token_serves_many_calls(twin: PayPalTwin, paypal: PaypalPayments) -> None:
    link = create(paypal)
    paypal.state(link.session_id)

    assert len([call for call in twin.requests if call.path == "/v1/oauth2/token"]) == 1


def test_a_token_that_paypal_no_longer_takes_is_renewed_once(twin: PayPalTwin, paypal: PaypalPayments) -> None:
    link = create(paypal)
    twin._tokens.clear()

    assert paypal.state(link.session_id).outcome == "open"


def test_what_may_still_be_at_work_at_paypal_is_given_a_minute_to_land(
    twin: PayPalTwin, paypal: PaypalPayments
) -> None:
    link = create(paypal)
    twin.faults += [
        Fault("POST /v2/checkout/orders", "drop_answer", status=0),
        Fault("GET /v2", "drop_answer", status=0),
    ]

    with pytest.raises(VendorUnavailable) as taking:
        paypal.capture(link.session_id, "capture:1")
    with pytest.raises(VendorUnavailable) as asking:
        paypal.state(link.session_id)

    assert (taking.value.retry_after_seconds, asking.value.retry_after_seconds) == (60, None)


@pytest.mark.parametrize("how", ["wrong secret", "busy", "garbled", "closed"])
def test_without_a_token_the_work_waits(twin: PayPalTwin, how: str) -> None:
    faults = {
        "busy": Fault("/v1/oauth2", "status", status=429, headers={"Retry-After": "30"}),
        "garbled": Fault("/v1/oauth2", "status", status=200),
        "closed": Fault("/v1/oauth2", "drop_answer", status=0),
    }
    twin.faults += [faults[how]] if how in faults else []

    with pytest.raises(VendorUnavailable) as waits:
        create(connected(twin, "wrong" if how == "wrong secret" else "s3cret"))

    assert waits.value.retry_after_seconds == (30 if how == "busy" else None)
    assert "wrong" not in str(waits.value)


def answer(status: int, issue: str = "SOME_ISSUE", body: bytes | None = None) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = body if body is not None else json.dumps({"name": "N", "details": [{"issue": issue}]}).encode()
    return response


@pytest.mark.parametrize(
    ("status", "issue", "error"),
    [
        (400, "INVALID_PARAMETER_SYNTAX", VendorRefused),
        (404, "INVALID_RESOURCE_ID", VendorRefused),
        (422, "INSTRUMENT_DECLINED", VendorRefused),
        (422, "ORDER_COMPLETION_IN_PROGRESS", VendorUnavailable),
        (409, "PREVIOUS_REQUEST_IN_PROGRESS", VendorUnavailable),
        (401, "", VendorUnavailable),
        (403, "PERMISSION_DENIED", VendorUnavailable),
        (408, "", VendorUnavailable),
        (429, "RATE_LIMIT_REACHED", VendorUnavailable),
        (500, "INTERNAL_SERVICE_ERROR", VendorUnavailable),
        (503, "SERVICE_UNAVAILABLE", VendorUnavailable),
    ],
)
def test_every_class_of_paypals_errors_says_what_it_means_for_the_desk(
    status: int, issue: str, error: type[Exception]
) -> None:
    assert type(translated(answer(status, issue))) is error


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"details": 7}'])
def test_an_error_without_paypals_shape_is_told_apart_by_its_status(body: bytes) -> None:
    assert type(translated(answer(422, body=body))) is VendorRefused
    assert type(translated(answer(502, body=body))) is VendorUnavailable
