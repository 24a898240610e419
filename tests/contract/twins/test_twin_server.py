"""What every twin does, whatever the vendor: keeps a record, fails on request, delivers as it is told."""

import time
from collections.abc import Callable
from typing import Protocol

import pytest
import requests
from werkzeug.wrappers import Request, Response

from local.twins.server import Delivery, Fault, Json, RunningTwin, Twin, json_answer


class Receiver(Protocol):
    """The product's endpoint of conftest: what it answers, and what it was sent."""

    url: str
    answers: list[tuple[int, str]]
    bodies: list[bytes]
    headers: list[dict[str, str]]


class CounterTwin(Twin):
    """A vendor that counts."""

    name = "counter"

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.route("POST", "/count/<int:step>", self._count)
        self.action("set", self._set)

    def clear(self) -> None:
        self.count = 0

    def state(self) -> Json:
        return {"count": self.count}

    def vendor_error(self, status: int, code: str, message: str) -> Response:
        return json_answer({"oops": code, "why": message}, status)

    def _count(self, _request: Request, step: int) -> Response:
        self.count += step
        return json_answer({"count": self.count})

    def _set(self, body: Json) -> Json:
        self.count = body["count"]
        return {"count": self.count}


@pytest.fixture
def twin(running: Callable[..., RunningTwin]) -> CounterTwin:
    twin = CounterTwin()
    running(twin)
    return twin


def post(twin: Twin, path: str, body: object = None) -> requests.Response:
    return requests.post(twin.url + path, json=body, timeout=5)


def test_every_call_is_recorded_without_its_credentials(twin: CounterTwin) -> None:
    requests.post(
        f"{twin.url}/count/2?why=x",
        data="y" * 3_000,
        headers={"Authorization": "Bearer s", "X-Our": "1"},
        timeout=5,
    )

    [record] = requests.get(f"{twin.url}/_twin/requests", timeout=5).json()
    assert (record["method"], record["path"], record["status"]) == ("POST", "/count/2?why=x", 200)
    assert len(record["body"]) == 2_000
    assert record["headers"]["X-Our"] == "1"
    assert "Authorization" not in record["headers"]


def test_an_unknown_path_is_refused_in_the_vendors_shape(twin: CounterTwin) -> None:
    answer = post(twin, "/nothing")

    assert (answer.status_code, answer.json()["oops"]) == (404, "NOT_FOUND")


def test_a_status_fault_answers_without_doing_the_work_as_often_as_told(twin: CounterTwin) -> None:
    post(twin, "/_twin/faults", [{"match": "POST /count", "kind": "status", "status": 429, "times": 2,
                                  "headers": {"Retry-After": "1"}, "code": "SLOW_DOWN"}])  # fmt: skip

    first, second, third = (post(twin, "/count/1") for _ in range(3))

    assert (first.status_code, first.json()["oops"], first.headers["Retry-After"]) == (429, "SLOW_DOWN", "1")
    assert [second.status_code, third.status_code] == [429, 200]
    assert twin.count == 1


def test_a_list_of_faults_is_a_script(twin: CounterTwin) -> None:
    script = [{"match": "/count", "kind": "status", "status": 429, "after": 2, "times": 2},
              {"match": "/count", "kind": "status", "status": 503, "after": 1}]  # fmt: skip
    post(twin, "/_twin/faults", script)

    assert [post(twin, "/count/1").status_code for _ in range(7)] == [200, 200, 429, 429, 200, 503, 200]


def test_what_went_wrong_is_counted_by_the_message_of_its_fault(twin: CounterTwin) -> None:
    post(twin, "/_twin/faults", [{"match": "/count", "kind": "status", "times": 2, "message": "down"}])

    for _ in range(3):
        post(twin, "/count/1")

    assert requests.get(f"{twin.url}/_twin/failures", timeout=5).json() == {"down": 2}


def test_a_fault_spares_calls_that_it_does_not_match(twin: CounterTwin) -> None:
    twin.faults = [Fault("GET /count", "status")]

    assert post(twin, "/count/1").status_code == 200


def test_a_timeout_does_no_work_and_answers_late(twin: CounterTwin) -> None:
    twin.faults = [Fault("/count", "timeout", seconds=0.2)]
    began = time.monotonic()

    answer = post(twin, "/count/1")

    assert (answer.status_code, twin.count) == (504, 0)
    assert time.monotonic() - began >= 0.2


def test_a_slow_answer_is_the_real_one_only_late(twin: CounterTwin) -> None:
    twin.faults = [Fault("/count", "slow", seconds=0.2)]
    began = time.monotonic()

    answer = post(twin, "/count/1")

    assert (answer.status_code, twin.count) == (200, 1)
    assert time.monotonic() - began >= 0.2


def test_a_dropped_answer_has_done_the_work(twin: CounterTwin) -> None:
    twin.faults = [Fault("/count", "drop_answer")]

    assert post(twin, "/count/1").status_code == 500
    assert twin.count == 1


def test_a_dropped_answer_with_status_zero_closes_the_connection(twin: CounterTwin) -> None:
    twin.faults = [Fault("/count", "drop_answer", status=0)]

    with pytest.raises(requests.ConnectionError):
        post(twin, "/count/1")

    assert twin.count == 1
    assert twin.requests[-1].status == 0


def test_a_garbled_answer_has_done_the_work_and_says_so_to_nobody(twin: CounterTwin) -> None:
    twin.faults = [Fault("/count", "garble")]

    answer = post(twin, "/count/1")

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html")
    assert twin.count == 1


def test_the_operator_is_not_recorded_and_not_faulted(twin: CounterTwin) -> None:
    twin.faults = [Fault("", "status", times=9)]

    assert requests.get(f"{twin.url}/_twin/state", timeout=5).json() == {"count": 0}
    assert twin.requests == []


def test_a_person_acts_by_name(twin: CounterTwin) -> None:
    assert post(twin, "/_twin/act/set", {"count": 7}).json() == {"count": 7}
    assert twin.count == 7


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("act/unknown", {}, 404),
        ("act/set", {}, 400),
        ("faults", [{"kind": "status"}], 400),
        ("delivery", {"twice": True}, 400),
        ("elsewhere", {}, 404),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(twin: CounterTwin, path: str, body: object, status: int) -> None:
    assert post(twin, f"/_twin/{path}", body).status_code == status


def test_a_reset_forgets_everything(twin: CounterTwin) -> None:
    post(twin, "/count/3")
    post(twin, "/_twin/faults", [{"match": "x", "kind": "status"}])
    post(twin, "/_twin/delivery", {"drop": True})

    post(twin, "/_twin/reset")

    assert (twin.count, twin.requests, twin.faults, twin.webhooks.mode) == (0, [], [], Delivery())


def test_a_webhook_is_sent_again_until_accepted(twin: CounterTwin, receiver: Receiver) -> None:
    receiver.answers = [(500, ""), (302, "")]

    twin.webhooks.deliver(receiver.url, b"1", {"X-Sign": "abc"})

    assert twin.webhooks.drain()
    log = requests.get(f"{twin.url}/_twin/deliveries", timeout=5).json()
    assert [(one["attempt"], one["status"], one["accepted"]) for one in log] == [
        (1, 500, False),
        (2, 302, False),
        (3, 200, True),
    ]
    assert receiver.bodies == [b"1"] * 3
    assert receiver.headers[2]["X-Sign"] == "abc"


def test_webhooks_arrive_in_order_unless_told_otherwise(twin: CounterTwin, receiver: Receiver) -> None:
    for body in (b"1", b"2", b"3"):
        twin.webhooks.deliver(receiver.url, body, {})

    assert twin.webhooks.drain()
    assert receiver.bodies == [b"1", b"2", b"3"]


def test_shuffled_webhooks_arrive_latest_first(twin: CounterTwin, receiver: Receiver) -> None:
    post(twin, "/_twin/delivery", {"shuffle": True})

    for body in (b"1", b"2", b"3"):
        twin.webhooks.deliver(receiver.url, body, {})

    assert twin.webhooks.drain()
    assert receiver.bodies == [b"3", b"2", b"1"]


def test_webhooks_are_duplicated_delayed_and_dropped_on_request(twin: CounterTwin, receiver: Receiver) -> None:
    began = time.monotonic()
    twin.webhooks.mode = Delivery(duplicate=3, delay_seconds=0.2)
    twin.webhooks.deliver(receiver.url, b"1", {})
    twin.webhooks.mode = Delivery(drop=True)
    twin.webhooks.deliver(receiver.url, b"2", {})

    assert twin.webhooks.drain()
    assert time.monotonic() - began >= 0.2
    assert receiver.bodies == [b"1"] * 3
    assert [one.attempt for one in twin.webhooks.log] == [0, 1, 1, 1]


def test_a_receiver_that_is_not_there_counts_as_a_failed_try(twin: CounterTwin) -> None:
    twin.webhooks.deliver("http://127.0.0.1:9/hook", b"1", {})

    assert not twin.webhooks.drain(0.3)
    assert (twin.webhooks.log[0].status, twin.webhooks.log[0].accepted) == (0, False)
