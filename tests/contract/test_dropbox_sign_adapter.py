"""What is special about Dropbox Sign: no key, lists that lag, cancellations that happen later."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import time_machine

from dealdesk.adapters.dropbox_sign import MOST_PAGES, PAGE_SIZE, DropboxSignSignatures, translated
from dealdesk.domain.deal import Deal
from dealdesk.domain.stages import EnvelopeStatus, Stage
from dealdesk.errors import VendorRefused, VendorUnavailable
from dealdesk.ports import Person
from local.twins.dropbox_sign import DropboxSignTwin
from local.twins.dropbox_sign_requests import made
from local.twins.server import Fault, RunningTwin
from tests.contract.signature_benches import API_KEY, TEMPLATE
from tests.unit.domain.deals import a_deal

SIGNER = Person("contact-1", "Zoë O'Neil", "zoe@express.example")
KEY = "envelope:d-1:r1:1"


@pytest.fixture
def twin(running: Callable[..., RunningTwin]) -> DropboxSignTwin:
    fields = ["deal_total", "payment_terms", "term"]
    twin = DropboxSignTwin(
        api_key=API_KEY,
        templates={TEMPLATE: {"title": "Order form", "roles": ["signer"], "custom_fields": fields}},
    )
    running(twin)
    return twin


@pytest.fixture
def signatures(twin: DropboxSignTwin) -> DropboxSignSignatures:
    return DropboxSignSignatures(twin.url, api_key=API_KEY, template_id=TEMPLATE, test_mode=True)


@pytest.fixture
def deal() -> Deal:
    return a_deal(Stage.APPROVED)


def sends_of_others(twin: DropboxSignTwin, count: int, at: datetime) -> None:
    """Requests of other programs of this account, one a second, the last of them at `at`."""
    signer = {"role": "signer", "name": "Yan", "email_address": "yan@acme.example"}
    for number in range(count):
        moment = at - timedelta(seconds=count - number)
        other = made({"template_ids": [TEMPLATE], "signers": [signer]}, twin.templates, moment)
        twin.signature_requests[other.id] = other


def lists_asked(twin: DropboxSignTwin) -> int:
    return sum(request.path.startswith("/v3/signature_request/list") for request in twin.requests)


def test_the_desks_ids_go_out_with_the_request_and_the_title_is_unique(
    twin: DropboxSignTwin, signatures: DropboxSignSignatures, deal: Deal
) -> None:
    signatures.send(KEY, deal, SIGNER)

    (sent,) = twin.state()["signature_requests"]
    assert sent["metadata"] == {"deal_id": "d-1", "dealdesk_intent": KEY}
    assert (sent["title"], sent["subject"]) == (f"Acme FY27 [{KEY}]", "Please sign: Acme FY27")
    assert {field["name"]: field["value"] for field in sent["custom_fields"]} == {
        "deal_total": "10,000.00 USD",
        "payment_terms": "net 30",
        "term": "12 months",
    }
    assert sent["test_mode"] is True


def test_a_long_name_does_not_push_the_key_out_of_the_title(
    twin: DropboxSignTwin, signatures: DropboxSignSignatures
) -> None:
    deal = a_deal(Stage.APPROVED, name="N" * 255)

    signatures.send(KEY, deal, SIGNER)

    (sent,) = twin.state()["signature_requests"]
    assert sent["title"].endswith(f"N [{KEY}]")
    assert len(sent["title"]) == 255


def test_after_a_doubtful_send_the_list_is_left_time_to_catch_up(
    twin: DropboxSignTwin, signatures: DropboxSignSignatures, deal: Deal
) -> None:
    twin.faults.append(Fault(match="send_with_template", kind="drop_answer", status=0))

    with pytest.raises(VendorUnavailable) as doubt:
        signatures.send(KEY, deal, SIGNER)

    assert doubt.value.retry_after_seconds == 60


def test_a_request_is_found_at_once_because_no_search_is_asked(
    twin: DropboxSignTwin, signatures: DropboxSignSignatures, deal: Deal
) -> None:
    signatures.send(KEY, deal, SIGNER)
    search = {"query": f"metadata:{KEY}"}
    searched = requests.get(f"{twin.url}/v3/signature_request/list", params=search, auth=(API_KEY, ""), timeout=5)

    assert searched.json()["signature_requests"] == []
    assert signatures.look_up(KEY, datetime.now(UTC)) is not None


def test_a_request_behind_many_newer_ones_is_found_on_a_later_page(
    twin: DropboxSignTwin, signatures: DropboxSignSignatures, deal: Deal
) -> None:
    opened_at = datetime.now(UTC)
    signatures.send(KEY, deal, SIGNER)
    sends_of_others(twin, 2 * PAGE_SIZE, opened_at + timedelta(seconds=2 * PAGE_SIZE + 1))

    found = signatures.look_up(KEY, opened_at)

    assert found is not None
    assert found.key == KEY
    assert lists_asked(twin) == 3


def test_pages_from_before_the_intent_are_not_read(twin: DropboxSignTwin, signatures: DropboxSignSignatures) -> None:
    opened_at = datetime.now(UTC)
    sends_of_others(twin, 5 * PAGE_SIZE, opened_at - timedelta(minutes=5))

    assert signatures.look_up(KEY, opened_at) is None
    assert lists_asked(twin) == 1


def test_a_list_that_is_not_newest_first_is_read_to_its_end(
    twin: DropboxSignTwin, signatures: DropboxSignSignatures, deal: Deal
) -> None:
    opened_at = datetime.now(UTC)
    signatures.send(KEY, deal, SIGNER)
    sends_of_others(twin, 2 * PAGE_SIZE, opened_at - timedelta(hours=1))
    for number, request in enumerate(list(twin.signature_requests.values())[1:]):
        request.created_at = opened_at - timedelta(hours=2, seconds=number)

    assert signatures.look_up(KEY, opened_at) is not None


def test_a_look_up_that_cannot_see_all_of_the_list_does_not_say_that_nothing_was_sent(
    twin: DropboxSignTwin, signatures: DropboxSignSignatures
) -> None:
    opened_at = datetime.now(UTC)
    sends_of_others(twin, MOST_PAGES * PAGE_SIZE + 1, opened_at + timedelta(hours=1))

    with pytest.raises(VendorUnavailable, match="may be among them"):
        signatures.look_up(KEY, opened_at)


def test_a_cancellation_that_is_only_queued_leaves_the_contract_out(
    twin: DropboxSignTwin, signatures: DropboxSignSignatures, deal: Deal
) -> None:
    envelope_id = signatures.send(KEY, deal, SIGNER)

    signatures.void(envelope_id, "the terms changed")
    queued = signatures.status(envelope_id)
    twin.act("finish_cancel", {"signature_request_id": envelope_id})
    done = signatures.status(envelope_id)

    assert (queued.status, queued.key) == (EnvelopeStatus.SENT, KEY)
    assert done.status is EnvelopeStatus.VOIDED
    assert abs(done.changed_at - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_cancellation_that_never_happened_is_asked_again(
    twin: DropboxSignTwin, signatures: DropboxSignSignatures, deal: Deal
) -> None:
    envelope_id = signatures.send(KEY, deal, SIGNER)
    signatures.void(envelope_id, "the terms changed")
    twin.signature_requests[envelope_id].cancel_due = None

    signatures.void(envelope_id, "the terms changed")

    assert twin.signature_requests[envelope_id].cancel_due is not None


@pytest.mark.parametrize("status", [401, 402, 403, 408, 409, 429, 500, 502, 503, 504])
def test_what_may_heal_by_itself_is_tried_again(
    twin: DropboxSignTwin, signatures: DropboxSignSignatures, deal: Deal, status: int
) -> None:
    twin.faults.append(Fault(match="/v3/", kind="status", status=status))

    with pytest.raises(VendorUnavailable):
        signatures.send(KEY, deal, SIGNER)


@pytest.mark.parametrize("status", [400, 404, 405, 413, 422])
def test_what_the_vendor_will_never_take_is_refused(
    twin: DropboxSignTwin, signatures: DropboxSignSignatures, deal: Deal, status: int
) -> None:
    twin.faults.append(Fault(match="/v3/", kind="status", status=status, code="bad_request", message="no such thing"))

    with pytest.raises(VendorRefused, match="bad_request: no such thing"):
        signatures.send(KEY, deal, SIGNER)


def test_the_end_of_a_limit_is_told_by_the_vendors_own_clock() -> None:
    response = answer(429, {"X-Ratelimit-Reset": "1430170900", "Date": "Mon, 27 Apr 2015 21:41:00 GMT"})

    refusal = translated(response)

    assert isinstance(refusal, VendorUnavailable)
    assert refusal.retry_after_seconds == 40


def test_a_refusal_that_is_no_json_is_still_a_refusal() -> None:
    refusal = translated(answer(400, {}, "<html>"))

    assert isinstance(refusal, VendorRefused)
    assert "status 400" in str(refusal)


def answer(status: int, headers: dict[str, str], body: Any = "") -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.headers.update(headers)
    response._content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return response


def test_a_second_reminder_within_the_hour_is_one_e_mail_and_an_hour_later_there_is_another(
    twin: DropboxSignTwin, signatures: DropboxSignSignatures, deal: Deal
) -> None:
    with time_machine.travel(datetime.now(UTC), tick=True) as clock:
        envelope_id = signatures.send(KEY, deal, SIGNER)
        (signature,) = twin.signature_requests[envelope_id].signatures

        signatures.resend(envelope_id, SIGNER)
        first = signature.reminded_at
        signatures.resend(envelope_id, SIGNER)
        within_the_hour = signature.reminded_at
        clock.shift(timedelta(minutes=61))
        signatures.resend(envelope_id, SIGNER)

    assert first == within_the_hour
    assert signature.reminded_at != first


def test_a_reminder_to_somebody_who_does_not_sign_is_refused(signatures: DropboxSignSignatures, deal: Deal) -> None:
    envelope_id = signatures.send(KEY, deal, SIGNER)
    signatures.resend(envelope_id, SIGNER)

    with pytest.raises(VendorRefused, match="does not belong to a signer"):
        signatures.resend(envelope_id, Person("contact-2", "Yan", "yan@x.example"))


def test_a_contract_that_was_sent_by_e_mail_has_no_page(signatures: DropboxSignSignatures, deal: Deal) -> None:
    envelope_id = signatures.send(KEY, deal, SIGNER)

    with pytest.raises(VendorRefused, match="no signing page"):
        signatures.recipient_view(envelope_id, SIGNER, "https://desk.test/signed")
