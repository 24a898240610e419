"""DynamoDB where an emulator falls short of its documentation: on the wire, between the real client and the table.

The shapes are those of the API reference: TransactWriteItems, TransactionCanceledException, BatchGetItem. What an
emulator does instead is in docs/guides/dynamodb.md.
"""

from __future__ import annotations

import io
import json
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ReadTimeoutError
from botocore.httpsession import URLLib3Session

Answer = Callable[[AWSPreparedRequest], AWSResponse]
_ERRORS = "com.amazonaws.dynamodb.v20120810#"


def refused(code: str, message: str = "refused", status: int = 400, **more: Any) -> Answer:
    """The whole request is refused with this error."""
    return lambda request: _answer(request, status, {"__type": f"{_ERRORS}{code}", "message": message, **more})


def cancelled(*codes: str, found: dict[str, Any] | None = None) -> Answer:
    """The transaction is cancelled, with a reason for each action; the first one shows the item that it `found`."""
    reasons: list[dict[str, Any]] = [{"Code": c} if c == "None" else {"Code": c, "Message": c} for c in codes]
    if found is not None:
        reasons[0]["Item"] = found
    message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{', '.join(codes)}]"
    return refused("TransactionCanceledException", message, CancellationReasons=reasons)


def answer_lost(request: AWSPreparedRequest) -> AWSResponse:
    """The request is carried out, and nobody hears of it."""
    _send(request)
    raise ReadTimeoutError(endpoint_url=request.url)


def all_but(served: int) -> Answer:
    """A batch of reads of which this many are served; the others are to be asked for again."""

    def answer(request: AWSPreparedRequest) -> AWSResponse:
        ((table, wanted),) = json.loads(request.body)["RequestItems"].items()
        first, rest = wanted["Keys"][:served], wanted["Keys"][served:]
        found: dict[str, Any] = {"Responses": {table: []}}
        if first:
            found = json.loads(_send(request, {"RequestItems": {table: wanted | {"Keys": first}}}).content)
        return _answer(request, 200, found | {"UnprocessedKeys": {table: wanted | {"Keys": rest}}})

    return answer


class Wire:
    """Gives the next requests of an operation these answers; what has none goes on to the table."""

    def __init__(self, client: Any) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._answers: dict[str, deque[Answer]] = defaultdict(deque)
        client.meta.events.register("before-send.dynamodb", self._pass)

    def answers(self, operation: str, *answers: Answer) -> None:
        self._answers[operation].extend(answers)

    def forget(self) -> None:
        """The answers that were not needed."""
        self._answers.clear()

    def tokens(self) -> list[str]:
        """Of every transaction that was sent, in order."""
        return [body["ClientRequestToken"] for operation, body in self.asked if operation == "TransactWriteItems"]

    def _pass(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        operation, body = _operation(request), json.loads(request.body)
        self.asked.append((operation, body))
        waiting = self._answers[operation]
        return waiting.popleft()(request) if waiting else None


class Contention:
    """Transactions as DynamoDB runs them: who meets another one on an item is cancelled, and does not wait for it.

    The emulators run one request after the other, so that nobody ever meets anybody.
    """

    def __init__(self, client: Any, lasting_seconds: float = 0.02) -> None:
        self.met = 0
        self._lasting = lasting_seconds
        self._lock = threading.Lock()
        self._held: set[tuple[str, str]] = set()
        self._running: set[str] = set()
        client.meta.events.register("before-send.dynamodb.TransactWriteItems", self._run)

    def _run(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        body = json.loads(request.body)
        keys, token = list(_keys(body)), body["ClientRequestToken"]
        with self._lock:
            if token in self._running:
                return refused("TransactionInProgressException")(request)
            if not self._held.isdisjoint(keys):
                self.met += 1
                return cancelled(*("TransactionConflict" if key in self._held else "None" for key in keys))(request)
            self._held.update(keys)
            self._running.add(token)
        try:
            time.sleep(self._lasting)
            return _send(request)
        finally:
            with self._lock:
                self._held.difference_update(keys)
                self._running.discard(token)


def _keys(body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for action in body["TransactItems"]:
        ((_, asked),) = action.items()
        item = asked.get("Item") or asked["Key"]
        yield item["pk"]["S"], item["sk"]["S"]


def _operation(request: AWSPreparedRequest) -> str:
    target = request.headers["X-Amz-Target"]
    return str(target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]


def _send(request: AWSPreparedRequest, body: dict[str, Any] | None = None) -> AWSResponse:
    if body is not None:
        request.body = json.dumps(body).encode()
        request.headers["Content-Length"] = str(len(request.body))
    response = URLLib3Session().send(request)
    assert response.content is not None  # read here, since the connection is this session's
    return response


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def _answer(request: AWSPreparedRequest, status: int, body: dict[str, Any]) -> AWSResponse:
    headers = {"Content-Type": "application/x-amz-json-1.0"}
    return AWSResponse(request.url, status, headers, _Raw(json.dumps(body).encode()))
