"""What the desk answered while it was under load: how long it took and how it ended, route by route."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from urllib3.exceptions import HTTPError

from local.stack import Answer, Stack

NOTHING = 0


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer to one request; the status `NOTHING` says that none came."""

    route: str
    status: int
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Route:
    """All answers of one route; `unanswered` are requests that got none. Times in milliseconds."""

    route: str
    answers: int
    p50: float
    p95: float
    p99: float
    refused_4xx: int
    failed_5xx: int
    unanswered: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Answers:
    """Collects answers from many threads."""

    seen: list[Answered] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, answered: Answered) -> None:
        with self._lock:
            self.seen.append(answered)

    def timed(self, route: str, call: Callable[[], Answer]) -> Answer:
        """Makes the call and notes how it was answered; none within the client's minute is the status `NOTHING`."""
        began = time.perf_counter()
        try:
            answer = call()
        except HTTPError:
            answer = Answer(NOTHING, {}, b"")
        self.add(Answered(route, answer.status, (time.perf_counter() - began) * 1000))
        return answer

    def routes(self) -> list[Route]:
        by_route = defaultdict(list)
        for answered in self.seen:
            by_route[answered.route].append(answered)
        return [_route(route, by_route[route]) for route in sorted(by_route)]

    def failures(self) -> int:
        """How many answers were a 5xx."""
        return sum(answered.status >= 500 for answered in self.seen)


def _route(route: str, seen: list[Answered]) -> Route:
    times = sorted(answered.milliseconds for answered in seen)
    return Route(
        route=route,
        answers=len(seen),
        p50=percentile(times, 50),
        p95=percentile(times, 95),
        p99=percentile(times, 99),
        refused_4xx=sum(400 <= answered.status < 500 for answered in seen),
        failed_5xx=sum(answered.status >= 500 for answered in seen),
        unanswered=sum(answered.status == NOTHING for answered in seen),
    )


def percentile(ordered: list[float], percent: int) -> float:
    """The nearest rank: the smallest value that so many percent of all do not exceed."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def of_webhooks(stack: Stack, twins: Iterable[str]) -> list[Answered]:
    """Every answer that the twins got to their webhooks so far."""
    found = []
    for twin in twins:
        for attempt in stack.twin(twin, "deliveries"):
            vendor = attempt["url"].partition("/webhooks/")[2].partition("/")[0]
            found.append(Answered(f"POST /webhooks/{vendor}", attempt["status"], attempt["milliseconds"]))
    return found


@dataclass(frozen=True)
class Person:
    """Somebody with a token of their own, whose every request is timed."""

    stack: Stack
    answers: Answers
    token: str

    def ask(
        self, method: str, route: str, body: Any = None, headers: Mapping[str, str] | None = None, **ids: str
    ) -> Answer:
        """`route` as OpenAPI writes it; `ids` fill its braces, and what is left of them is the query."""
        path = route.format_map(ids)
        name = f"{method} {route.partition('?')[0]}"
        return self.answers.timed(
            name, lambda: self.stack.request(method, path, json=body, token=self.token, headers=headers)
        )
