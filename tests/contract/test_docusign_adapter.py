"""What is special about DocuSign: one look at an envelope in 15 minutes, e-mails again, and embedded signing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import requests
import time_machine
import urllib3
from docusign_esign.client.api_exception import ApiException

from dealdesk.adapters.docusign import DocusignSignatures, translated
from dealdesk.contracts import docusign
from dealdesk.domain.stages import EnvelopeStatus, Stage
from dealdesk.errors import VendorRefused, VendorUnavailable
from dealdesk.ports import Person
from local.twins.docusign_connect import connect_message
from local.twins.server import Fault, RunningTwin, Twin
from tests.contract.signature_benches import ACCOUNT, DocusignBench
from tests.unit.domain.deals import a_deal

SIGNER = Person("contact-1", "Zoë O'Neil", "zoe@express.example")
KEY = "envelope:d-1:r1:1"


@pytest.fixture
def bench(running: Callable[[Twin], RunningTwin], key_pair: tuple[str, str]) -> Iterator[DocusignBench]:
    with time_machine.travel(datetime.now(UTC), tick=True) as clock:
        yield DocusignBench(clock, running, key_pair)


@pytest.fixture
def port(bench: DocusignBench) -> DocusignSignatures:
    assert isinstance(bench.port, DocusignSignatures)
    return bench.port


@pytest.fixture
def envelope_id(port: DocusignSignatures) -> str:
    return port.send(KEY, a_deal(Stage.APPROVED), SIGNER)


def looks(bench: DocusignBench, envelope_id: str) -> int:
    path = f"/envelopes/{envelope_id}?"
    return sum(path in request.path and request.method == "GET" for request in bench.twin.requests)


def test_an_envelope_is_looked_at_once_in_a_quarter_of_an_hour(
    bench: DocusignBench, port: DocusignSignatures, envelope_id: str
) -> None:
    first = port.status(envelope_id)
    bench.sign(envelope_id)

    bench.later(minutes=14)
    soon = port.status(envelope_id)
    looked_soon = looks(bench, envelope_id)
    bench.later(minutes=2)
    later = port.status(envelope_id)

    assert (first.status, soon.status, later.status) == (
        EnvelopeStatus.SENT,
        EnvelopeStatus.SENT,
        EnvelopeStatus.COMPLETED,
    )
    assert (looked_soon, looks(bench, envelope_id)) == (1, 2)
    assert bench.twin.state()["polls_too_often"] == 0


def test_a_void_needs_one_look_although_it_is_asked_about_before_and_after(
    bench: DocusignBench, port: DocusignSignatures, envelope_id: str
) -> None:
    port.status(envelope_id)

    port.void(envelope_id, "the terms changed")

    state = port.status(envelope_id)
    assert (state.status, state.key, state.reason) == (EnvelopeStatus.VOIDED, KEY, "the terms changed")
    assert looks(bench, envelope_id) == 1


def test_after_a_doubtful_send_the_request_is_left_time_to_land(bench: DocusignBench, port: DocusignSignatures) -> None:
    bench.twin.faults.append(Fault(match="POST", kind="drop_answer", status=503))

    with pytest.raises(VendorUnavailable) as doubt:
        port.send(KEY, a_deal(Stage.APPROVED), SIGNER)

    assert doubt.value.retry_after_seconds == 60


def test_a_look_that_another_worker_has_just_had_is_put_off_and_refuses_nothing(
    bench: DocusignBench, port: DocusignSignatures, envelope_id: str
) -> None:
    port.status(envelope_id)

    with pytest.raises(VendorUnavailable) as put_off:
        bench.another_worker().status(envelope_id)

    assert put_off.value.retry_after_seconds == 900


def test_a_signature_between_look_and_void_is_never_called_a_void(
    bench: DocusignBench, port: DocusignSignatures, envelope_id: str
) -> None:
    port.status(envelope_id)
    bench.sign(envelope_id)

    with pytest.raises(VendorUnavailable):
        port.void(envelope_id, "the terms changed")
    bench.later(minutes=16)
    port.void(envelope_id, "the terms changed")

    assert port.status(envelope_id).status is EnvelopeStatus.COMPLETED


def test_looks_that_are_out_of_date_are_forgotten(bench: DocusignBench, port: DocusignSignatures) -> None:
    for number in range(3):
        port.status(port.send(f"envelope:d-{number}:r1:1", a_deal(Stage.APPROVED), SIGNER))
        bench.later(minutes=16)

    assert len(port._looks) == 1


def test_an_embedded_view_is_for_the_signer_and_opens_once(port: DocusignSignatures, envelope_id: str) -> None:
    url = port.recipient_view(envelope_id, SIGNER, "https://desk.test/signed")

    first, second = (requests.get(url, timeout=5, allow_redirects=False) for _ in range(2))

    assert (first.status_code, second.status_code) == (200, 302)
    with pytest.raises(VendorRefused, match="UNKNOWN_ENVELOPE_RECIPIENT"):
        port.recipient_view(envelope_id, Person("contact-2", "Yan", "yan@x.example"), "https://desk.test/signed")


def test_the_signer_is_written_to_although_they_may_sign_embedded(bench: DocusignBench, envelope_id: str) -> None:
    (role,) = bench.twin.envelopes[envelope_id].roles

    assert role["clientUserId"] == SIGNER.id
    assert role["embeddedRecipientStartURL"] == "SIGN_AT_DOCUSIGN"


def test_a_corrected_envelope_is_still_out(bench: DocusignBench, port: DocusignSignatures, envelope_id: str) -> None:
    bench.twin.act("correct", {"envelope_id": envelope_id, "email": "yan@express.example", "name": "Yan"})

    assert port.status(envelope_id).status is EnvelopeStatus.SENT


def test_connect_tells_why_a_signer_declined(bench: DocusignBench, envelope_id: str) -> None:
    bench.decline(envelope_id, "too expensive")
    envelope = bench.twin.envelopes[envelope_id]
    told = connect_message(
        "envelope-declined", envelope, account_id=ACCOUNT, user_id="u", configuration_id=1, now=datetime.now(UTC)
    )

    state = docusign.state_of(docusign.parse_message(told))

    assert state is not None
    assert (state.status, state.reason) == (EnvelopeStatus.DECLINED, "too expensive")


def failure(status: int, code: str = "", headers: dict[str, str] | None = None) -> ApiException:
    error = ApiException(status=status)
    error.body, error.headers = json.dumps({"errorCode": code, "message": "no"}).encode(), headers or {}
    return error


@pytest.mark.parametrize("status", [0, 401, 408, 429, 500, 502, 503, 504])
def test_what_may_heal_by_itself_is_tried_again(status: int) -> None:
    assert isinstance(translated(failure(status)), VendorUnavailable)


@pytest.mark.parametrize(
    ("code", "seconds"),
    [
        ("HOURLY_APIINVOCATION_LIMIT_EXCEEDED", None),
        ("BURST_APIINVOCATION_LIMIT_EXCEEDED", None),
        ("Hourly_APIInvocation_Envelope_Limit_Exceeded", None),
        ("Hourly_Envelope_Polling_Limit_Exceeded", 900),
        ("Burst_Envelope_Polling_Limit_Exceeded", 900),
    ],
)
def test_a_limit_that_comes_as_a_bad_request_is_waited_for(code: str, seconds: int | None) -> None:
    error = translated(failure(400, code))

    assert isinstance(error, VendorUnavailable)
    assert error.retry_after_seconds == seconds


def test_the_vendors_own_time_to_wait_goes_first() -> None:
    error = translated(failure(429, "Hourly_Envelope_Polling_Limit_Exceeded", {"Retry-After": "30"}))

    assert isinstance(error, VendorUnavailable)
    assert error.retry_after_seconds == 30


@pytest.mark.parametrize("status", [400, 403, 404, 409])
def test_what_docusign_will_never_take_is_refused(status: int) -> None:
    assert isinstance(translated(failure(status, "ENVELOPE_IS_INCOMPLETE")), VendorRefused)


@pytest.mark.parametrize("kind", [urllib3.exceptions.TimeoutError, urllib3.exceptions.ProtocolError])
def test_a_line_that_breaks_leaves_doubt(kind: type[Exception]) -> None:
    assert isinstance(translated(kind("x")), VendorUnavailable)


def test_a_sign_in_that_is_unreadable_says_nothing_about_the_deal(
    bench: DocusignBench, port: DocusignSignatures
) -> None:
    bench.twin.faults.append(Fault(match="/oauth/token", kind="status", status=200))

    with pytest.raises(VendorUnavailable):
        port.send(KEY, a_deal(Stage.APPROVED), SIGNER)
    assert bench.sent() == 0
