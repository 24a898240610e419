"""REST requests of people: tried again with the same key until they are answered, now and then sent twice."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.prove.broken import Broken
from tests.prove.fate import Fate
from tests.prove.invocation import Invocation
from tests.prove.world import World

MOST_TRIES = 6
ABOUT = ("payment_id", "deal_id", "invoice_id", "refund_id", "memo_id", "amount_minor", "total_minor")

Who = dict[str, str]
FINANCE: Who = {"user": "person-fiona", "role": "finance"}
FINANCE_TOO: Who = {"user": "person-felix", "role": "finance"}
EXECUTIVE: Who = {"user": "person-eric", "role": "executive"}
REP: Who = {"user": "person-rep", "role": "rep"}
MANAGER: Who = {"user": "person-dana", "role": "deal_desk"}


@dataclass
class Request:
    method: str
    path: str
    body: Any
    key: str
    who: Who
    due: datetime
    headers: dict[str, str]
    tries: int = 0
    in_flight: bool = False

    def is_about(self, deal_id: str) -> bool:
        return deal_id in self.path or deal_id in str(self.body)


class Asking:
    def __init__(self, world: World, fate: Fate) -> None:
        self.world, self.fate = world, fate
        self.requests: list[Request] = []
        self._answers: dict[str, tuple[int, str]] = {}
        self._number = 0

    def ask(
        self,
        method: str,
        path: str,
        body: Any,
        who: Who,
        *,
        key: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        made = Request(method, path, body, key or self.new_key(), who, self.world.now(), headers or {})
        self.requests.append(made)
        if self.fate.strikes("click", ("twice",)):
            self.requests.append(Request(method, path, body, made.key, who, made.due, headers or {}))

    def new_key(self) -> str:
        self._number += 1
        return f"key-{self._number}"

    def waits_for(self, deal_id: str) -> bool:
        """Whether somebody has asked something about the deal, and has no answer yet."""
        return any(request.is_about(deal_id) for request in self.requests)

    def waits_until(self) -> datetime | None:
        return min((request.due for request in self.requests if not request.in_flight), default=None)

    def send_one(self) -> bool:
        """False when no request is due."""
        now = self.world.now()
        ready = [request for request in self.requests if request.due <= now and not request.in_flight]
        if not ready:
            return False
        self._send(self.fate.pick("person", ready))
        return True

    def _send(self, request: Request) -> None:
        request.in_flight = True
        headers = {"Idempotency-Key": request.key, **request.headers}

        def work() -> Any:
            return self.world.rest(
                request.method,
                request.path,
                request.body,
                headers=headers,
                user=request.who["user"],
                role=request.who["role"],
            )

        name = f"{request.method} {request.path.split('/')[-1]}"
        self.world.start("rest", work, lambda one: self._answered(request, one), name)

    def _answered(self, request: Request, one: Invocation) -> None:
        request.in_flight = False
        status, document = one.answer if isinstance(one.answer, tuple) and not one.died else (0, None)
        request.tries += 1
        if status in (0, 503) or (status == 409 and document["title"] == "Somebody moved first"):
            request.due = self.world.now() + timedelta(seconds=5 * 2**request.tries)
            if request.tries < MOST_TRIES and "If-Match" not in request.headers:
                return
        self.requests.remove(request)
        if 200 <= status < 300:
            self._same_answer(request, status, document)

    def _same_answer(self, request: Request, status: int, document: Any) -> None:
        """The same key and body give the same answer, about the same payment, deal, invoice, refund or memo."""
        ids = {name: document[name] for name in ABOUT if name in document}
        said = json.dumps([request.method, request.path, request.body, ids], sort_keys=True)
        before = self._answers.setdefault(request.key, (status, said))
        if before != (status, said):
            raise Broken(f"key {request.key} was answered with {before} and with {(status, said)}")
