"""The Stripe twin, driven by Stripe's own library: sessions, refunds, keys, lists, and signed events."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest
import requests
import stripe

from local.twins.server import Fault, RunningTwin
from local.twins.stripe import StripeTwin, stripe_signature

KEY, WEBHOOK_SECRET = "sk_test_desk", "whsec_test_secret"
SESSIONS = "/v1/checkout/sessions"


class Receiver(Protocol):
    """The product's endpoint of conftest: what it answers, and what it was sent."""

    url: str
    answers: list[tuple[int, str]]
    bodies: list[bytes]
    headers: list[dict[str, str]]


@pytest.fixture
def twin(running: Callable[..., RunningTwin], receiver: Receiver) -> StripeTwin:
    twin = StripeTwin(api_key=KEY, webhook_secret=WEBHOOK_SECRET, webhook_url=receiver.url)
    running(twin)
    return twin


@pytest.fixture
def client(twin: StripeTwin) -> Iterator[stripe.StripeClient]:
    http = stripe.RequestsClient(timeout=5)
    yield stripe.StripeClient(KEY, base_addresses={"api": twin.url}, http_client=http, max_network_retries=0)
    http.close()  # type: ignore[no-untyped-call]


def a_session(unit_amount: int = 10_000, currency: str = "usd", **changed: Any) -> Any:
    price = {"currency": currency, "unit_amount": unit_amount, "product_data": {"name": "Platform, 12 months"}}
    return {
        "mode": "payment",
        "line_items": [{"quantity": 1, "price_data": price}],
        "success_url": "https://desk.example/paid?s={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://desk.example/unpaid",
        "client_reference_id": "deal-42",
        "metadata": {"deal_id": "42", "intent": "pay:42"},
        "payment_intent_data": {"metadata": {"deal_id": "42"}},
        **changed,
    }


def create(client: stripe.StripeClient, key: str = "", **changed: Any) -> stripe.checkout.Session:
    options: Any = {"idempotency_key": key} if key else {}
    return client.v1.checkout.sessions.create(a_session(**changed), options)


def post(twin: StripeTwin, path: str, params: dict[str, str], **headers: str) -> requests.Response:
    allowed = {"Authorization": f"Bearer {KEY}"}
    return requests.post(twin.url + path, data=params, headers={**allowed, **headers}, timeout=10)


def flat(**changed: str) -> dict[str, str]:
    """A session's parameters as they travel; an empty value leaves one out."""
    params = {
        "mode": "payment",
        "success_url": "https://desk.example/paid",
        "line_items[0][price_data][currency]": "usd",
        "line_items[0][price_data][unit_amount]": "10000",
        "line_items[0][price_data][product_data][name]": "Platform",
        "line_items[0][quantity]": "2",
    }
    return {name: value for name, value in (params | changed).items() if value}


def events_sent(twin: StripeTwin, receiver: Receiver) -> list[stripe.Event]:
    """What arrived, verified by Stripe's own library."""
    assert twin.webhooks.drain()
    return [
        stripe.Webhook.construct_event(body, headers["Stripe-Signature"], WEBHOOK_SECRET)
        for body, headers in zip(receiver.bodies, receiver.headers, strict=True)
    ]


def test_the_signature_is_that_of_the_checked_vector() -> None:
    session = {
        "id": "cs_test_a1",
        "object": "checkout.session",
        "client_reference_id": "deal-42",
        "payment_status": "paid",
        "payment_intent": "pi_1",
        "payment_link": "plink_1",
        "amount_total": 10000,
        "currency": "usd",
        "metadata": {"deal_id": "42"},
        "customer_details": {"name": "Zoë Müller €"},
    }
    event = {
        "id": "evt_1Test",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": 1795378476,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": "checkout.session.completed",
        "data": {"object": session},
    }
    body = json.dumps(event, indent=2, ensure_ascii=False).encode()

    header = stripe_signature("whsec_test_secret", 1795378476, body)

    assert header == "t=1795378476,v1=4a010b03d1706d6f8e8d474bd7e717a6f4f7e68beb9d52a7b81dc32c474d067b"


def test_a_session_is_open_unpaid_and_has_no_payment_intent_yet(client: stripe.StripeClient) -> None:
    made = create(client, "pay:42", expires_at=int(time.time()) + 84_600)

    session = client.v1.checkout.sessions.retrieve(made.id, {"expand": ["line_items"]})
    assert (session.status, session.payment_status, session.payment_intent) == ("open", "unpaid", None)
    assert (session.amount_total, session.currency, session.client_reference_id) == (10_000, "usd", "deal-42")
    assert session.metadata is not None
    assert session.metadata.to_dict() == {"deal_id": "42", "intent": "pay:42"}
    assert session.line_items is not None
    assert session.line_items.data[0].description == "Platform, 12 months"
    assert session.url
    assert session.url.endswith(f"/c/pay/{session.id}")


def test_a_card_pays_at_once(twin: StripeTwin, client: stripe.StripeClient, receiver: Receiver) -> None:
    made = create(client)

    twin.act("pay", {"session_id": made.id, "method": "card"})

    session = client.v1.checkout.sessions.retrieve(made.id, {"expand": ["payment_intent"]})
    intent = session.payment_intent
    assert isinstance(intent, stripe.PaymentIntent)
    assert (session.status, session.payment_status) == ("complete", "paid")
    assert (intent.status, intent.amount_received) == ("succeeded", 10_000)
    assert intent.metadata.to_dict() == {"deal_id": "42"}
    (event,) = events_sent(twin, receiver)
    told = event.data.object
    assert (event.type, told["id"], told["payment_status"]) == ("checkout.session.completed", made.id, "paid")
    assert event.to_dict()["request"] == {"id": None, "idempotency_key": None}


@pytest.mark.parametrize(
    ("succeeded", "kind", "payment_status"), [(True, "succeeded", "paid"), (False, "failed", "unpaid")]
)
def test_a_bank_debit_completes_unpaid_and_settles_later(
    twin: StripeTwin,
    client: stripe.StripeClient,
    receiver: Receiver,
    succeeded: bool,
    kind: str,
    payment_status: str,
) -> None:
    made = create(client)

    completed = twin.act("pay", {"session_id": made.id, "method": "ach"})["payment_status"]
    twin.act("settle", {"session_id": made.id, "succeeded": succeeded})

    assert completed == "unpaid"
    first, second = events_sent(twin, receiver)
    assert (first.type, first.data.object["payment_status"]) == ("checkout.session.completed", "unpaid")
    assert second.type == f"checkout.session.async_payment_{kind}"
    assert second.data.object["payment_status"] == payment_status


def test_after_a_declined_card_the_session_stays_open(
    twin: StripeTwin, client: stripe.StripeClient, receiver: Receiver
) -> None:
    made = create(client)

    twin.act("decline", {"session_id": made.id})
    twin.act("pay", {"session_id": made.id})

    failed, completed = events_sent(twin, receiver)
    assert failed.type == "payment_intent.payment_failed"
    assert failed.data.object["last_payment_error"]["code"] == "card_declined"
    assert completed.data.object["payment_intent"] == failed.data.object["id"]


def test_only_an_open_session_expires_or_is_paid(
    twin: StripeTwin, client: stripe.StripeClient, receiver: Receiver
) -> None:
    made = create(client)
    options: Any = {"idempotency_key": "expire:42"}
    expired = client.v1.checkout.sessions.expire(made.id, {}, options)

    with pytest.raises(stripe.InvalidRequestError, match="status of `expired`"):
        client.v1.checkout.sessions.expire(made.id)
    answer = requests.post(f"{twin.url}/_twin/act/pay", json={"session_id": made.id}, timeout=5)

    assert (expired.status, expired.url, answer.status_code) == ("expired", None, 400)
    (event,) = events_sent(twin, receiver)
    assert event.type == "checkout.session.expired"
    assert event.to_dict()["request"]["idempotency_key"] == "expire:42"


def test_paying_twice_is_refused(twin: StripeTwin, client: stripe.StripeClient) -> None:
    made = create(client)

    answers = [requests.post(f"{twin.url}/_twin/act/pay", json={"session_id": made.id}, timeout=5) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 400]


def test_a_session_expires_by_the_clock(twin: StripeTwin, client: stripe.StripeClient, receiver: Receiver) -> None:
    made = create(client)

    twin.clock = lambda: datetime.now(UTC) + timedelta(hours=24, seconds=1)

    assert client.v1.checkout.sessions.retrieve(made.id).status == "expired"
    assert client.v1.events.list({"type": "checkout.session.expired"}).data[0].data.object["id"] == made.id


def test_the_buyer_pays_on_the_hosted_page(twin: StripeTwin, client: stripe.StripeClient) -> None:
    made = create(client)
    assert made.url

    page = requests.get(made.url, timeout=5)
    declined = requests.post(made.url, data={"method": "decline"}, timeout=5)
    paid = requests.post(made.url, data={"method": "card"}, timeout=5, allow_redirects=False)
    closed = requests.get(made.url, timeout=5)

    assert '<form method="post">' in page.text
    assert "100.00 usd" in page.text
    assert (declined.status_code, paid.status_code, closed.status_code) == (402, 303, 410)
    assert paid.headers["Location"] == f"https://desk.example/paid?s={made.id}"


@pytest.mark.parametrize(
    ("changed", "code", "param"),
    [
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"line_items[0][colour]": "red"}, "parameter_unknown", "line_items[0][colour]"),
        ({"success_url": ""}, "parameter_missing", "success_url"),
        ({"mode": ""}, "parameter_missing", "mode"),
        ({"line_items[0][price_data][currency]": ""}, "parameter_missing", "line_items[0][price_data][currency]"),
        (
            {"line_items[0][price_data][product_data][name]": ""},
            "parameter_missing",
            "line_items[0][price_data][product_data]",
        ),
        (
            {"line_items[0][price_data][unit_amount]": "99.5"},
            "parameter_invalid_integer",
            "line_items[0][price_data][unit_amount]",
        ),
        (
            {"line_items[0][price_data][unit_amount]": "-1"},
            "parameter_invalid_integer",
            "line_items[0][price_data][unit_amount]",
        ),
        ({"line_items[0][price_data][unit_amount]": "1" + "0" * 12}, None, "line_items[0][price_data][unit_amount]"),
        ({"line_items[0][price_data][unit_amount]": "24"}, "amount_too_small", "line_items"),
        ({"line_items[0][quantity]": "0"}, "parameter_invalid_integer", "line_items[0][quantity]"),
        ({"line_items[0][price_data][currency]": "USD"}, None, "line_items[0][price_data][currency]"),
        ({"line_items[0][price_data][currency]": "xxx"}, None, "line_items[0][price_data][currency]"),
        ({"line_items[0][price_data][tax_behavior]": "x"}, None, "line_items[0][price_data][tax_behavior]"),
        ({"success_url": "desk"}, "url_invalid", "success_url"),
        ({"customer_email": "nobody"}, "email_invalid", "customer_email"),
        ({"mode": "subscription"}, None, "mode"),
        ({"expires_at": str(int(time.time()) + 600)}, None, "expires_at"),
        ({"expires_at": str(int(time.time()) + 90_000)}, None, "expires_at"),
        ({"client_reference_id": "x" * 201}, None, "client_reference_id"),
        ({"metadata[" + "k" * 41 + "]": "v"}, None, "metadata"),
        ({"metadata[k]": "v" * 501}, None, "metadata"),
        ({f"metadata[k{at}]": "v" for at in range(51)}, None, "metadata"),
        ({"payment_intent_data[metadata][k]": "v" * 501}, None, "payment_intent_data[metadata]"),
        ({"payment_method_types[0]": "cheque"}, None, "payment_method_types[0]"),
        ({"expand[0]": "customer"}, None, "expand"),
    ],
)
def test_a_wrong_parameter_is_named_and_makes_nothing(
    twin: StripeTwin, changed: dict[str, str], code: str | None, param: str
) -> None:
    answer = post(twin, SESSIONS, flat(**changed), **{"Idempotency-Key": "k"})

    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (400, "invalid_request_error")
    assert (error.get("code"), error.get("param")) == (code, param)
    assert twin.state()["sessions"] == twin.state()["idempotency_keys"] == []


def test_an_empty_value_is_an_attempt_to_unset(twin: StripeTwin) -> None:
    error = post(twin, SESSIONS, {**flat(), "client_reference_id": ""}).json()["error"]

    assert (error["code"], error["param"]) == ("parameter_invalid_empty", "client_reference_id")


@pytest.mark.parametrize(
    ("currency", "amount", "status"),
    [("jpy", 150, 200), ("isk", 15_050, 400), ("ugx", 500_000, 200), ("kwd", 1_005, 400), ("kwd", 1_010, 200)],
)
def test_amounts_follow_the_rules_of_their_currency(twin: StripeTwin, currency: str, amount: int, status: int) -> None:
    price = {"currency": currency, "unit_amount": str(amount)}

    answer = post(twin, SESSIONS, flat(**{f"line_items[0][price_data][{k}]": v for k, v in price.items()}))

    assert answer.status_code == status


def test_twelve_digits_are_not_too_much(client: stripe.StripeClient) -> None:
    assert create(client, unit_amount=999_999_999_999).amount_total == 999_999_999_999


def test_the_body_must_be_a_form(twin: StripeTwin) -> None:
    answer = requests.post(twin.url + SESSIONS, json=a_session(), headers={"Authorization": f"Bearer {KEY}"}, timeout=5)

    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


def test_the_key_comes_as_bearer_or_as_basic_user_name(twin: StripeTwin) -> None:
    url = f"{twin.url}/v1/events"

    basic = requests.get(url, auth=(KEY, ""), timeout=5)
    wrong = requests.get(url, headers={"Authorization": "Bearer sk_test_other"}, timeout=5)
    none = requests.get(url, timeout=5)

    assert (basic.status_code, wrong.status_code, none.status_code) == (200, 401, 401)
    assert wrong.json()["error"]["message"].startswith("Invalid API Key provided")


def test_a_wrong_key_is_an_authentication_error_of_the_library(twin: StripeTwin) -> None:
    http = stripe.RequestsClient(timeout=5)
    stranger = stripe.StripeClient("sk_test_other", base_addresses={"api": twin.url}, http_client=http)

    with pytest.raises(stripe.AuthenticationError):
        stranger.v1.events.list()
    http.close()  # type: ignore[no-untyped-call]


def test_every_answer_echoes_the_version_and_names_the_request(twin: StripeTwin) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "Stripe-Version": "2025-01-01.x"}

    answers = [requests.get(f"{twin.url}/v1/{what}", headers=headers, timeout=5) for what in ("events", "no")]

    assert [answer.headers["Stripe-Version"] for answer in answers] == ["2025-01-01.x"] * 2
    assert all(answer.headers["Request-Id"].startswith("req_") for answer in answers)
    assert (answers[1].status_code, answers[1].json()["error"]["type"]) == (404, "invalid_request_error")


def test_what_does_not_exist_is_missing(client: stripe.StripeClient) -> None:
    for look_up in (
        client.v1.checkout.sessions.retrieve,
        client.v1.payment_intents.retrieve,
        client.v1.refunds.retrieve,
        client.v1.events.retrieve,
    ):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            look_up("none_1")
        assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")


def test_a_key_gives_the_first_answer_again(twin: StripeTwin, client: stripe.StripeClient) -> None:
    first = create(client, "pay:42")
    twin.act("pay", {"session_id": first.id})

    again = create(client, "pay:42")

    assert (again.id, again.status, len(twin.payments.sessions)) == (first.id, "open", 1)
    assert again.last_response is not None
    assert again.last_response.headers["Idempotent-Replayed"] == "true"


def test_a_key_with_other_parameters_is_refused(twin: StripeTwin, client: stripe.StripeClient) -> None:
    create(client, "pay:42")

    with pytest.raises(stripe.IdempotencyError, match="same parameters") as refused:
        create(client, "pay:42", unit_amount=10_001)
    elsewhere = post(twin, "/v1/refunds", {"payment_intent": "pi_1"}, **{"Idempotency-Key": "pay:42"})

    assert refused.value.http_status == 400
    assert "same endpoint" in elsewhere.json()["error"]["message"]


def test_a_key_is_at_most_255_characters(client: stripe.StripeClient) -> None:
    create(client, "k" * 255)

    with pytest.raises(stripe.InvalidRequestError, match="255"):
        create(client, "k" * 256)


def test_the_work_of_a_lost_answer_is_found_under_its_key(twin: StripeTwin, client: stripe.StripeClient) -> None:
    twin.faults = [Fault("POST /v1/checkout/sessions", "drop_answer", status=500)]
    with pytest.raises(stripe.APIError):
        create(client, "pay:42")

    again = create(client, "pay:42")

    assert list(twin.payments.sessions) == [again.id]


def test_a_closed_line_leaves_the_work_done(twin: StripeTwin, client: stripe.StripeClient) -> None:
    twin.faults = [Fault("POST /v1/checkout/sessions", "drop_answer", status=0)]
    with pytest.raises(stripe.APIConnectionError):
        create(client, "pay:42")

    assert list(twin.payments.sessions) == [create(client, "pay:42").id]


def test_a_500_is_kept_under_its_key(twin: StripeTwin, client: stripe.StripeClient) -> None:
    twin.faults = [Fault("POST /v1/checkout/sessions", "status", status=500)]

    for key, succeeds in (("pay:42", False), ("pay:42", False), ("pay:42:2", True)):
        if succeeds:
            create(client, key)
        else:
            with pytest.raises(stripe.APIError):
                create(client, key)

    assert len(twin.payments.sessions) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_an_answer_from_before_the_work_is_not_kept(twin: StripeTwin, client: stripe.StripeClient, status: int) -> None:
    twin.faults = [Fault("POST /v1/checkout/sessions", "status", status=status)]
    with pytest.raises(stripe.RateLimitError if status == 429 else stripe.APIError):
        create(client, "pay:42")

    assert create(client, "pay:42").status == "open"


def test_a_key_in_use_is_a_conflict(twin: StripeTwin) -> None:
    twin.faults = [Fault("POST /v1/checkout/sessions", "drop_answer", status=500, seconds=0.6)]
    key = {"Idempotency-Key": "pay:42"}
    first = threading.Thread(target=post, args=(twin, SESSIONS, flat()), kwargs=key)
    first.start()
    while not twin.payments.sessions:
        time.sleep(0.01)

    during = post(twin, SESSIONS, flat(), **key)
    first.join()
    after = post(twin, SESSIONS, flat(), **key)

    assert (during.status_code, during.json()["error"]["code"]) == (409, "idempotency_key_in_use")
    assert (after.status_code, after.headers["Idempotent-Replayed"]) == (200, "true")


def test_a_pruned_key_makes_a_second_session(twin: StripeTwin, client: stripe.StripeClient) -> None:
    first = create(client, "pay:42")
    assert twin.prune(86_400) == 0

    twin.clock = lambda: datetime.now(UTC) + timedelta(hours=24, seconds=1)

    assert twin.prune(86_400) == 1
    assert create(client, "pay:42").id != first.id


def paid(twin: StripeTwin, client: stripe.StripeClient, **changed: Any) -> str:
    return str(twin.act("pay", {"session_id": create(client, **changed).id})["payment_intent"])


def test_refunds_never_exceed_the_charge(twin: StripeTwin, client: stripe.StripeClient, receiver: Receiver) -> None:
    intent = paid(twin, client)
    options: Any = {"idempotency_key": "refund:42"}
    part = client.v1.refunds.create(
        {"payment_intent": intent, "amount": 4_000, "reason": "requested_by_customer", "metadata": {"a": "b"}},
        options,
    )

    with pytest.raises(stripe.InvalidRequestError, match=r"60\.01 usd.*60\.00 usd") as too_much:
        client.v1.refunds.create({"payment_intent": intent, "amount": 6_001})
    rest = client.v1.refunds.create({"payment_intent": intent})
    with pytest.raises(stripe.InvalidRequestError) as nothing_left:
        client.v1.refunds.create({"payment_intent": intent})

    assert (part.status, part.amount, rest.amount) == ("succeeded", 4_000, 6_000)
    assert (too_much.value.param, nothing_left.value.code) == ("amount", "charge_already_refunded")
    assert [refund.id for refund in client.v1.refunds.list({"payment_intent": intent}).data] == [rest.id, part.id]
    told = [event for event in events_sent(twin, receiver) if event.type == "charge.refunded"]
    assert [event.data.object["amount_refunded"] for event in told] == [4_000, 10_000]


def test_a_refused_refund_is_kept_under_its_key(twin: StripeTwin, client: stripe.StripeClient) -> None:
    params = {"payment_intent": paid(twin, client), "amount": "10001"}

    answers = [post(twin, "/v1/refunds", params, **{"Idempotency-Key": "r"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert answers[1].headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "parameter_missing"),
        ({"payment_intent": "pi_none"}, "resource_missing"),
        ({"payment_intent": "pi_1", "amount": "0"}, "parameter_invalid_integer"),
        ({"payment_intent": "pi_1", "reason": "regret"}, None),
        ({"payment_intent": "pi_1", "colour": "red"}, "parameter_unknown"),
    ],
)
def test_a_wrong_refund_is_refused(twin: StripeTwin, params: dict[str, str], code: str | None) -> None:
    answer = post(twin, "/v1/refunds", params)

    assert answer.status_code in (400, 404)
    assert answer.json()["error"].get("code") == code


def test_a_debit_under_way_has_nothing_to_refund(twin: StripeTwin, client: stripe.StripeClient) -> None:
    session = twin.act("pay", {"session_id": create(client).id, "method": "ach"})

    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        client.v1.refunds.create({"payment_intent": session["payment_intent"]})


def test_lists_come_newest_first_in_pages(client: stripe.StripeClient) -> None:
    made = [create(client).id for _ in range(5)]

    page = client.v1.checkout.sessions.list({"limit": 2})
    every = [session.id for session in page.auto_paging_iter()]
    before = client.v1.checkout.sessions.list({"limit": 2, "ending_before": made[0]})

    assert ([session.id for session in page.data], page.has_more) == (made[:2:-1], True)
    assert every == made[::-1]
    assert ([session.id for session in before.data], before.has_more) == ([made[2], made[1]], True)


def test_sessions_are_found_by_payment_intent_status_and_time(twin: StripeTwin, client: stripe.StripeClient) -> None:
    intent = paid(twin, client)
    still_open = create(client)
    sessions, now = client.v1.checkout.sessions, int(time.time())

    assert [row.payment_intent for row in sessions.list({"payment_intent": intent}).data] == [intent]
    assert [row.id for row in sessions.list({"status": "open"}).data] == [still_open.id]
    assert len(sessions.list({"created": {"gte": now - 60}}).data) == 2
    assert sessions.list({"created": {"gt": now + 60}}).data == []


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "created[about]=1", "colour=red", "starting_after=cs_x"])
def test_a_wrong_list_is_refused(twin: StripeTwin, query: str) -> None:
    answer = requests.get(f"{twin.url}{SESSIONS}?{query}", auth=(KEY, ""), timeout=5)

    assert answer.status_code == 400


def test_payment_intents_are_found_by_their_metadata(twin: StripeTwin, client: stripe.StripeClient) -> None:
    intent = paid(twin, client, payment_intent_data={"metadata": {"deal_id": "O'Neil"}})
    paid(twin, client)
    search = client.v1.payment_intents.search

    found = search({"query": 'metadata["deal_id"]:"O\'Neil" AND status:\'succeeded\''})
    first = search({"query": "currency:'usd'", "limit": 1})

    assert [row.id for row in found.data] == [intent]
    assert len(list(first.auto_paging_iter())) == 2
    assert search({"query": "metadata['deal_id']:'43'"}).data == []
    with pytest.raises(stripe.InvalidRequestError, match="unable to parse"):
        search({"query": "deal 42"})


def test_events_are_kept_and_listed(twin: StripeTwin, client: stripe.StripeClient) -> None:
    intent = paid(twin, client)
    client.v1.refunds.create({"payment_intent": intent})

    listed = client.v1.events.list({"types": ["refund.created", "charge.refunded"]})
    completed = client.v1.events.list({"type": "checkout.session.completed", "created": {"gte": 1}})

    assert [event.type for event in listed.data] == ["charge.refunded", "refund.created"]
    assert client.v1.events.retrieve(completed.data[0].id).data.object["payment_intent"] == intent


def test_money_that_the_cards_bank_has_is_not_refunded(twin: StripeTwin, client: stripe.StripeClient) -> None:
    intent = paid(twin, client)
    dispute = twin.act("dispute", {"payment_intent": intent, "amount": 1_000})

    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"payment_intent": intent, "amount": 1_000})
    assert refused.value.code == "charge_disputed"

    twin.act("close_dispute", {"dispute_id": dispute["id"], "won": True})
    assert client.v1.refunds.create({"payment_intent": intent, "amount": 1_000}).status == "succeeded"


def test_an_event_is_sent_again_as_it_was(twin: StripeTwin, client: stripe.StripeClient, receiver: Receiver) -> None:
    intent = paid(twin, client)
    dispute = twin.act("dispute", {"payment_intent": intent})
    created = client.v1.events.list({"type": "charge.dispute.created"}).data[0]
    twin.act("close_dispute", {"dispute_id": dispute["id"], "won": False})

    twin.act("resend", {"event_id": created.id})

    again = events_sent(twin, receiver)[-1]
    assert (again.id, again.type, again.data.object["status"]) == (created.id, created.type, "needs_response")


def test_an_event_shows_its_object_as_it_was(twin: StripeTwin, client: stripe.StripeClient) -> None:
    made = create(client)
    twin.act("pay", {"session_id": made.id, "method": "ach"})
    twin.act("settle", {"session_id": made.id, "succeeded": True})

    first = client.v1.events.list({"type": "checkout.session.completed"}).data[0]

    assert first.data.object["payment_status"] == "unpaid"


def test_a_method_that_the_session_does_not_take_is_refused(twin: StripeTwin, client: stripe.StripeClient) -> None:
    made = create(client, payment_method_types=["card"])

    answer = requests.post(f"{twin.url}/_twin/act/pay", json={"session_id": made.id, "method": "ach"}, timeout=5)

    assert answer.status_code == 400


def test_a_free_session_needs_no_payment(twin: StripeTwin, client: stripe.StripeClient) -> None:
    session = twin.act("pay", {"session_id": create(client, unit_amount=0).id})

    assert (session["payment_status"], session["payment_intent"]) == ("no_payment_required", None)


def test_a_reset_forgets_everything(twin: StripeTwin, client: stripe.StripeClient) -> None:
    paid(twin, client)

    twin.reset()

    assert not any(twin.state().values())
