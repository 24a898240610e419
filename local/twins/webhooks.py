"""Sends a twin's webhooks as vendors do: again until accepted; late, twice or out of order if told so."""

import heapq
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import requests

FIRST_RETRY_SECONDS = 0.2
MAX_TRIES = 8
SHUFFLE_WINDOW_SECONDS = 0.25
RECEIVER_TIMEOUT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """How messages queued from now on travel; `duplicate` counts copies, `shuffle` puts the latest first."""

    duplicate: int = 1
    shuffle: bool = False
    delay_seconds: float = 0
    drop: bool = False


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One try of one message; status 0 says that no answer came, attempt 0 that the message was dropped."""

    at: str
    url: str
    status: int
    attempt: int
    accepted: bool
    milliseconds: float = 0


@dataclass(order=True, slots=True)
class _Message:
    due: float
    rank: int
    url: str = field(compare=False)
    body: bytes = field(compare=False)
    headers: dict[str, str] = field(compare=False)
    attempt: int = field(compare=False, default=1)


def any_success(status: int, _body: bytes) -> bool:
    """What most vendors take for an acknowledgement: any 2xx."""
    return 200 <= status < 300


class WebhookSender:
    """One daemon thread that sends what is queued, and retries with hours compressed to seconds."""

    def __init__(self, accepted: Callable[[int, bytes], bool] = any_success) -> None:
        self.mode = Delivery()
        self.log: list[DeliveryAttempt] = []
        self._accepted = accepted
        self._waiting: list[_Message] = []
        self._changed = threading.Condition()
        self._count = 0
        self._sending = False
        self._closed = False
        self._thread: threading.Thread | None = None

    def deliver(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Queue one message under the present mode; returns at once."""
        with self._changed:
            if self.mode.drop:
                self._record(url, 0, 0, accepted=False)
                return
            for _ in range(self.mode.duplicate):
                self._count += 1
                rank = -self._count if self.mode.shuffle else self._count
                heapq.heappush(self._waiting, _Message(self._due(), rank, url, body, dict(headers)))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def drain(self, timeout_seconds: float = 10) -> bool:
        """Wait until nothing is queued or under way; False if the time was too short."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._waiting or self._sending), timeout_seconds)

    def reset(self) -> None:
        """Forget the queue, the log and the mode."""
        with self._changed:
            self._waiting.clear()
            self.log.clear()
            self.mode = Delivery()
            self._changed.notify_all()

    def close(self) -> None:
        """Stop the thread; what is still queued is never sent."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(RECEIVER_TIMEOUT_SECONDS)

    def _due(self) -> float:
        """Messages of one shuffle window share their due time, so that only the rank orders them."""
        due = time.monotonic() + self.mode.delay_seconds
        if not self.mode.shuffle:
            return due
        held = [message.due for message in self._waiting if message.rank < 0]
        return max(held) if held else due + SHUFFLE_WINDOW_SECONDS

    def _run(self) -> None:
        while (message := self._next()) is not None:
            began = time.monotonic()
            status, accepted = self._send(message)
            took = (time.monotonic() - began) * 1000
            with self._changed:
                self._record(message.url, status, message.attempt, accepted=accepted, milliseconds=took)
                if not accepted and message.attempt < MAX_TRIES and not self._closed:
                    message.due = time.monotonic() + FIRST_RETRY_SECONDS * 2 ** (message.attempt - 1)
                    message.attempt += 1
                    heapq.heappush(self._waiting, message)
                self._sending = False
                self._changed.notify_all()

    def _next(self) -> _Message | None:
        with self._changed:
            while not self._closed:
                wait_seconds = self._waiting[0].due - time.monotonic() if self._waiting else None
                if wait_seconds is not None and wait_seconds <= 0:
                    self._sending = True
                    return heapq.heappop(self._waiting)
                self._changed.wait(wait_seconds)
            return None

    def _send(self, message: _Message) -> tuple[int, bool]:
        try:
            answer = requests.post(
                message.url,
                data=message.body,
                headers=message.headers,
                timeout=RECEIVER_TIMEOUT_SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException:
            return 0, False
        return answer.status_code, self._accepted(answer.status_code, answer.content)

    def _record(self, url: str, status: int, attempt: int, *, accepted: bool, milliseconds: float = 0) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.log.append(DeliveryAttempt(at, url, status, attempt, accepted, round(milliseconds, 1)))
