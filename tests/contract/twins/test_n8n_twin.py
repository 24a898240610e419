"""The n8n twin takes what is signed, refuses what is not, and counts repetitions."""

import hashlib
import hmac
import json
from collections.abc import Callable

import pytest
import requests

from local.twins.n8n import N8nTwin, n8n_signature
from local.twins.server import RunningTwin

SECRET = "n8n-signing-secret"


@pytest.fixture
def twin(running: Callable[..., RunningTwin]) -> N8nTwin:
    twin = N8nTwin(path="deal-desk/8f1c", secret=SECRET)
    running(twin)
    return twin


def post(twin: N8nTwin, body: bytes, key: str = "evt-1", **changed: str) -> requests.Response:
    headers = {
        "Content-Type": "application/json",
        "X-DealDesk-Timestamp": "1795378476",
        "X-DealDesk-Signature": n8n_signature(SECRET, "1795378476", body),
        "X-Idempotency-Key": key,
    }
    return requests.post(f"{twin.url}/webhook/deal-desk/8f1c", data=body, headers={**headers, **changed}, timeout=5)


def test_the_signature_is_the_hex_hmac_of_time_dot_body() -> None:
    expected = hmac.new(b"k", b"17." + "Zoë".encode(), hashlib.sha256).hexdigest()

    assert n8n_signature("k", "17", "Zoë".encode()) == expected


def test_a_repetition_is_received_but_not_distinct(twin: N8nTwin) -> None:
    answers = [post(twin, b'{"a": 1}', key) for key in ("evt-1", "evt-1", "evt-2")]

    state = twin.state()
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert answers[0].json() == {"message": "Workflow was started"}
    assert (state["received"], state["distinct"], state["conflicting"]) == (3, 2, [])
    assert [event["repeated"] for event in state["events"]] == [False, True, False]


def test_one_key_with_two_bodies_is_reported(twin: N8nTwin) -> None:
    post(twin, b'{"a": 1}')
    post(twin, b'{"a": 2}')

    assert twin.state()["conflicting"] == ["evt-1"]


@pytest.mark.parametrize(
    "changed",
    [
        {"X-DealDesk-Signature": "0" * 64},
        {"X-DealDesk-Signature": ""},
        {"X-DealDesk-Timestamp": "1795378477"},
        {"X-DealDesk-Timestamp": ""},
        {"X-Idempotency-Key": ""},
    ],
)
def test_what_is_not_signed_is_refused(twin: N8nTwin, changed: dict[str, str]) -> None:
    answer = post(twin, b"{}", **changed)

    assert (answer.status_code, answer.text) == (403, "Authorization data is wrong!")
    assert twin.events == []


def test_a_time_that_is_no_number_is_refused_however_well_signed(twin: N8nTwin) -> None:
    signed = n8n_signature(SECRET, "now", b"{}")

    answer = post(twin, b"{}", **{"X-DealDesk-Timestamp": "now", "X-DealDesk-Signature": signed})

    assert answer.status_code == 403


def test_an_unknown_path_is_not_found(twin: N8nTwin) -> None:
    answer = requests.post(f"{twin.url}/webhook/other", data=b"{}", timeout=5)

    assert answer.status_code == 404
    assert answer.json()["message"] == 'The requested webhook "POST other" is not registered.'


def test_a_body_that_is_no_json_is_refused(twin: N8nTwin) -> None:
    assert post(twin, b"not json").status_code == 422


def test_the_instance_says_that_it_is_well(twin: N8nTwin) -> None:
    answer = requests.get(f"{twin.url}/healthz", timeout=5)

    assert (answer.status_code, json.loads(answer.content)) == (200, {"status": "ok"})
