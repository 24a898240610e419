"""The Dropbox Sign twin, driven by Dropbox Sign's own library: requests, lists, cancellations, and callbacks."""

from __future__ import annotations

import email
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dropbox_sign
import pytest
import requests
from dropbox_sign import models
from dropbox_sign.api import SignatureRequestApi

from local.twins.dropbox_sign import DropboxSignTwin
from local.twins.dropbox_sign_callbacks import as_form, callback, event_hash
from local.twins.server import RunningTwin
from tests.contract.twins.conftest import Receiver

API_KEY = "324e3b0840f065eb51f3fd63231d0d33daa35d4ed10d27718839e81737065782"
TEMPLATE = "c26b8a16784a872da37ea946b9ddec7c1e11dff6"
SIGNERS = [("Client", "Zoë O'Neil", "zoe@express.example"), ("Seller", "Ren Rep", "ren@acme.example")]
AT = "/v3/signature_request"


@pytest.fixture
def twin(running: Callable[..., RunningTwin], receiver: Receiver) -> DropboxSignTwin:
    receiver.default = (200, "Hello API Event Received")
    template = {"title": "Order form", "roles": ["Client", "Seller"], "custom_fields": ["Cost"]}
    twin = DropboxSignTwin(api_key=API_KEY, callback_url=receiver.url, templates={TEMPLATE: template})
    running(twin)
    return twin


@pytest.fixture
def api(twin: DropboxSignTwin) -> Iterator[SignatureRequestApi]:
    settings = dropbox_sign.Configuration(username=API_KEY, host=f"{twin.url}/v3")
    with dropbox_sign.ApiClient(settings) as client:
        yield SignatureRequestApi(client)
        client.rest_client.pool_manager.clear()


def definition(**changed: Any) -> models.SignatureRequestSendWithTemplateRequest:
    given = {
        "template_ids": [TEMPLATE],
        "signers": [
            models.SubSignatureRequestTemplateSigner(role=role, name=name, email_address=address)
            for role, name, address in SIGNERS
        ],
        "metadata": {"deal_id": "42"},
        "custom_fields": [models.SubCustomField(name="Cost", value="$20,000")],
        "title": "Offer – Zoë",
        "allow_decline": True,
        "test_mode": True,
    }
    return models.SignatureRequestSendWithTemplateRequest(**(given | changed))


def send(api: SignatureRequestApi, **changed: Any) -> str:
    answer = api.signature_request_send_with_template(definition(**changed))
    return str(answer.signature_request.signature_request_id)


def post(twin: DropboxSignTwin, **changed: Any) -> requests.Response:
    """A definition as it travels; None leaves a field out."""
    signers = [{"role": role, "name": name, "email_address": address} for role, name, address in SIGNERS]
    given = {"template_ids": [TEMPLATE], "signers": signers} | changed
    body = {name: value for name, value in given.items() if value is not None}
    return requests.post(f"{twin.url}{AT}/send_with_template", json=body, auth=(API_KEY, ""), timeout=5)


def told(twin: DropboxSignTwin, receiver: Receiver) -> list[Any]:
    """The callbacks so far, read as the vendor's walkthrough says: a form with a field `json`."""
    assert twin.webhooks.drain()
    found = []
    for body, headers in zip(receiver.bodies, receiver.headers, strict=True):
        message = email.message_from_bytes(f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + body)
        parts: Any = message.get_payload()
        (part,) = parts
        assert part.get_param("name", header="content-disposition") == "json"
        found.append(json.loads(part.get_payload(decode=True)))
    return found


def events(twin: DropboxSignTwin, receiver: Receiver) -> list[str]:
    return [str(callback["event"]["event_type"]) for callback in told(twin, receiver)]


@pytest.mark.parametrize(
    ("event_time", "event_type", "expected"),
    [
        ("1669926463", "account_confirmed", "ff8b03439122f9160500c3fb855bdee5a9ccba5fff27d3b258745d8f3074832f"),
        ("1348177752", "signature_request_sent", "08d45a6b7677492b78be030cef18cfeaece8fe67e163cc8e526ee638ad483756"),
        ("1348177752", "template_created", "4a9b22fa68d5addb8b6313eea9d42ecb393903a4240b71503ef78e9dac6c100d"),
    ],
)
def test_the_hash_is_that_of_the_published_examples(event_time: str, event_type: str, expected: str) -> None:
    assert event_hash(API_KEY, event_time, event_type) == expected


def test_the_vendors_library_takes_the_callbacks_for_genuine() -> None:
    message = callback(API_KEY, "signature_request_sent", datetime.now(UTC), request={"signature_request_id": "x"})
    read = models.EventCallbackRequest.init(message)

    assert dropbox_sign.EventCallbackHelper.is_valid(API_KEY, read)
    assert not dropbox_sign.EventCallbackHelper.is_valid("another key", read)


def test_what_was_sent_can_be_read_back(api: SignatureRequestApi) -> None:
    request_id = send(api)

    read = api.signature_request_get(request_id).signature_request

    assert (read.title, read.metadata, read.test_mode) == ("Offer – Zoë", {"deal_id": "42"}, True)
    assert (read.is_complete, read.is_declined, read.has_error) == (False, False, False)
    assert [(s.signer_role, s.signer_name, s.status_code) for s in read.signatures] == [
        ("Client", "Zoë O'Neil", "awaiting_signature"),
        ("Seller", "Ren Rep", "awaiting_signature"),
    ]
    assert abs(read.created_at - datetime.now(UTC).timestamp()) < 5


def test_the_same_post_twice_makes_two_requests(api: SignatureRequestApi, twin: DropboxSignTwin) -> None:
    assert send(api) != send(api)
    assert len(twin.state()["signature_requests"]) == 2


@pytest.mark.parametrize(
    ("changed", "status", "name"),
    [
        ({"template_ids": None}, 400, "bad_request"),
        ({"template_ids": ["unknown"]}, 404, "not_found"),
        ({"signers": None}, 400, "bad_request"),
        ({"signers": [{"role": "Client", "name": "Zoë", "email_address": "zoe@x.example"}]}, 400, "bad_request"),
        ({"signers": [{"role": "client", "name": "Zoë", "email_address": "zoe@x.example"}]}, 400, "bad_request"),
        ({"custom_fields": [{"name": "Price", "value": "1"}]}, 400, "bad_request"),
        ({"metadata": {"k" * 41: "v"}}, 400, "bad_request"),
        ({"metadata": {"k": "v" * 1_001}}, 400, "bad_request"),
        ({"metadata": {f"k{n}": "v" for n in range(11)}}, 400, "bad_request"),
        ({"title": "t" * 256}, 400, "bad_request"),
        ({"test_mode": "yes"}, 400, "bad_request"),
        ({"idempotency_key": "x"}, 400, "bad_request"),
    ],
    ids=str,
)
def test_a_definition_that_the_vendor_would_not_take_is_refused(
    twin: DropboxSignTwin, changed: dict[str, Any], status: int, name: str
) -> None:
    answer = post(twin, **changed)

    assert (answer.status_code, answer.json()["error"]["error_name"]) == (status, name)
    assert answer.json()["error"]["error_msg"]
    assert twin.state()["signature_requests"] == []


@pytest.mark.parametrize("auth", [None, ("other", ""), (API_KEY, "secret"), ("", API_KEY)])
def test_only_the_api_key_as_user_name_is_let_in(twin: DropboxSignTwin, auth: tuple[str, str] | None) -> None:
    answer = requests.get(f"{twin.url}{AT}/list", auth=auth, timeout=5)

    assert (answer.status_code, answer.json()["error"]["error_name"]) == (401, "unauthorized")


def test_the_list_comes_in_pages_newest_first(api: SignatureRequestApi) -> None:
    sent = [send(api, title=f"Offer {number}") for number in range(5)]

    pages = [api.signature_request_list(page=page, page_size=2) for page in (1, 2, 3)]

    listed = [request.signature_request_id for page in pages for request in page.signature_requests]
    assert listed == sent[::-1]
    assert (pages[0].list_info.num_pages, pages[0].list_info.num_results) == (3, 5)


@pytest.mark.parametrize("asked", [{"page_size": "101"}, {"page_size": "0"}, {"page": "0"}, {"page": "x"}])
def test_a_page_that_cannot_be_is_refused(twin: DropboxSignTwin, asked: dict[str, str]) -> None:
    answer = requests.get(f"{twin.url}{AT}/list", params=asked, auth=(API_KEY, ""), timeout=5)

    assert (answer.status_code, answer.json()["error"]["error_name"]) == (400, "bad_request")


def test_a_search_finds_a_request_only_when_it_is_indexed(api: SignatureRequestApi, twin: DropboxSignTwin) -> None:
    request_id = send(api, title="Offer [envelope:42]")

    at_once = api.signature_request_list(query="title:[envelope:42]").signature_requests
    twin.clock = lambda: datetime.now(UTC) + timedelta(minutes=1)
    later = api.signature_request_list(query="title:[envelope:42]").signature_requests

    assert at_once == []
    assert [request.signature_request_id for request in later] == [request_id]


def test_all_signers_sign_and_each_step_is_told(
    api: SignatureRequestApi, twin: DropboxSignTwin, receiver: Receiver
) -> None:
    request_id = send(api)

    twin.act("view", {"signature_request_id": request_id})
    twin.act("sign", {"signature_request_id": request_id})
    between = api.signature_request_get(request_id).signature_request
    twin.act("sign", {"signature_request_id": request_id})
    after = api.signature_request_get(request_id).signature_request

    assert (between.is_complete, after.is_complete) == (False, True)
    assert all(signature.signed_at for signature in after.signatures)
    assert events(twin, receiver) == [
        f"signature_request_{step}" for step in ("sent", "viewed", "signed", "signed", "all_signed", "downloadable")
    ]


def test_a_signer_declines_only_where_the_sender_allows_it(
    api: SignatureRequestApi, twin: DropboxSignTwin, receiver: Receiver
) -> None:
    strict, lenient = send(api, allow_decline=False), send(api)

    refused = requests.post(f"{twin.url}/_twin/act/decline", json={"signature_request_id": strict}, timeout=5)
    twin.act("decline", {"signature_request_id": lenient, "reason": "too expensive"})

    read = api.signature_request_get(lenient).signature_request
    assert refused.status_code == 400
    assert (read.is_declined, read.signatures[0].decline_reason) == (True, "too expensive")
    assert events(twin, receiver)[-1] == "signature_request_declined"


def test_an_expired_request_shows_in_its_signatures(api: SignatureRequestApi, twin: DropboxSignTwin) -> None:
    request_id = send(api)
    twin.act("sign", {"signature_request_id": request_id})

    twin.act("expire", {"signature_request_id": request_id})

    read = api.signature_request_get(request_id).signature_request
    assert [signature.status_code for signature in read.signatures] == ["signed", "expired"]


def test_a_cancellation_is_accepted_first_and_done_later(
    api: SignatureRequestApi, twin: DropboxSignTwin, receiver: Receiver
) -> None:
    request_id, start = send(api), datetime.now(UTC)
    twin.clock = lambda: start

    api.signature_request_cancel(request_id)
    queued = api.signature_request_get(request_id).signature_request
    before = events(twin, receiver)
    twin.clock = lambda: start + timedelta(seconds=3)
    with pytest.raises(dropbox_sign.ApiException) as gone:
        api.signature_request_get(request_id)

    assert not queued.is_declined
    assert before == ["signature_request_sent"]
    assert (gone.value.status, gone.value.data.error.error_name) == (410, "deleted")
    assert events(twin, receiver)[-1] == "signature_request_canceled"
    assert api.signature_request_list().signature_requests == []


def test_what_everybody_has_signed_cannot_be_cancelled(api: SignatureRequestApi, twin: DropboxSignTwin) -> None:
    request_id = send(api)
    for _ in SIGNERS:
        twin.act("sign", {"signature_request_id": request_id})

    with pytest.raises(dropbox_sign.ApiException) as refused:
        api.signature_request_cancel(request_id)

    assert (refused.value.status, refused.value.data.error.error_name) == (400, "bad_request")


def test_a_request_that_nobody_made_is_not_found(api: SignatureRequestApi) -> None:
    with pytest.raises(dropbox_sign.ApiException) as unknown:
        api.signature_request_get("0" * 40)

    assert (unknown.value.status, unknown.value.data.error.error_name) == (404, "not_found")


def test_an_answer_without_the_magic_words_is_a_failure_and_the_callback_comes_again(
    twin: DropboxSignTwin, receiver: Receiver
) -> None:
    receiver.answers += [(200, "OK"), (500, "Hello API Event Received")]

    twin.act("test_callback", {})

    assert events(twin, receiver) == ["callback_test"] * 3
    assert [attempt.accepted for attempt in twin.webhooks.log] == [False, False, True]


def test_a_callback_names_its_signer(api: SignatureRequestApi, twin: DropboxSignTwin, receiver: Receiver) -> None:
    request_id = send(api)

    twin.act("sign", {"signature_request_id": request_id})

    signed, sent = told(twin, receiver)[-1], told(twin, receiver)[0]
    signature_id = twin.signature_requests[request_id].signatures[0].id
    assert signed["event"]["event_metadata"]["related_signature_id"] == signature_id
    assert sent["event"]["event_metadata"]["related_signature_id"] is None
    assert signed["signature_request"]["metadata"] == {"deal_id": "42"}


def test_a_form_can_be_made_the_same_twice() -> None:
    assert as_form({"event": "Zoë"}, "b") == as_form({"event": "Zoë"}, "b")


def test_every_answer_tells_what_is_left_of_the_minute(twin: DropboxSignTwin) -> None:
    first, second = post(twin), post(twin)

    left = "X-RateLimit-Remaining"
    assert (first.headers["X-RateLimit-Limit"], first.headers[left], second.headers[left]) == ("100", "99", "98")


def test_a_reset_forgets_everything(api: SignatureRequestApi, twin: DropboxSignTwin) -> None:
    send(api)

    twin.reset()

    assert twin.state() == {"signature_requests": []}
