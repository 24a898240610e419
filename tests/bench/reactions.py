"""What every other function costs in a whole journey: its calls of the table, its time against a bare transaction."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from botocore.httpsession import URLLib3Session

from local.tokens import issue_token
from tests.bench.figures import WEBHOOKS, Figure
from tests.bench.recording import WRITE, table
from tests.journeys.people import PASSES, everybody_acts, submit
from tests.journeys.world import World

QUOTE = {
    "name": "Bench",
    "owner_id": "person-rita",
    "customer": {"id": "acct-1", "name": "Bench Inc", "country": "US"},
    "currency": "USD",
    "payment_terms_days": 30,
    "term_months": 12,
    "lines": [{"id": "1", "sku": "CORE-01", "quantity": "100", "list_unit_price": "100.00", "discount_percent": "10"}],
}


@dataclass
class Seen:
    """What one function did: `calls` of the first message that it wrote for, CPU seconds of all but its first."""

    event: dict[str, Any] | None = None
    calls: float = 0
    cpu: list[float] = field(default_factory=list)


def measure(bare_seconds: float) -> list[Figure]:
    """Figures of all functions without a target; `bare_seconds` is what the bare transaction takes."""
    with table(), World() as world, _watched(world) as (seen, calls):
        world.post(submit(world))
        for _ in range(12):
            world.settle()
            if not everybody_acts(world):
                break
            for letter in world.take_mail():
                world.post(letter)
        for number in range(4):
            key = {"Idempotency-Key": f"bench-{number}"}
            world.rest("POST", "/deals", QUOTE, user="person-rita", role="rep", headers=key)
            world.invoke("retry_parked", parked(f"bench-{number}", PASSES))
            token = issue_token(world.jwt_key, user="person-rita", role="rep")
            world.invoke("authorizer", {"authorizationToken": f"Bearer {token}", "methodArn": "arn:bench"})
        world.invoke("chase_stalled", {})
        world.settle()
        return [figure for name in sorted(seen) for figure in _figures(world, name, seen[name], calls, bare_seconds)]


def _figures(world: World, name: str, seen: Seen, calls: list[str], bare_seconds: float) -> Iterator[Figure]:
    if seen.event is None:
        return
    kept, event = seen.calls, seen.event
    calls.clear()
    world.invoke(name, event)
    yield Figure(f"table_calls.{name}.accepted", kept, "calls")
    yield Figure(f"table_calls.{name}.replayed", len(calls) / messages_in(event), "calls")
    cpu = statistics.median(seen.cpu)
    yield Figure(f"warm.{name}.cpu", cpu * 1e6, "us", "bare transaction", cpu / bare_seconds)


@contextmanager
def _watched(world: World) -> Iterator[tuple[dict[str, Seen], list[str]]]:
    """Counts what each function asks of the table and how long it computes; the twins run in threads of their own."""
    seen: dict[str, Seen] = {}
    calls: list[str] = []
    invoke, send = world.invoke, URLLib3Session.send

    def watched_send(self: URLLib3Session, request: Any) -> Any:
        target = request.headers.get("X-Amz-Target", b"")
        calls.append((target.decode() if isinstance(target, bytes) else target).rpartition(".")[2])
        return send(self, request)

    def watched_invoke(folder: str, event: dict[str, Any]) -> Any:
        calls.clear()
        begun = time.thread_time()
        answer = invoke(folder, event)
        taken, asked = (time.thread_time() - begun) / messages_in(event), len(calls) / messages_in(event)
        if folder not in WEBHOOKS:
            of = seen.setdefault(folder, Seen())
            of.cpu.append(taken)
            if of.event is None or (WRITE in calls and of.calls < asked):
                of.event, of.calls = event, asked
        return answer

    with patch.object(world, "invoke", watched_invoke), patch.object(URLLib3Session, "send", watched_send):
        yield seen, calls


def parked(id: str, deal_id: str) -> dict[str, Any]:
    """An approver's answer that had to wait for its deal."""
    answer = {"deal_id": deal_id, "approval_key": "bench", "record_id": "bench", "cause": f"salesforce:{id}"}
    body = json.dumps({"parked": {"kind": "salesforce", "message": answer}})
    attributes = {"ApproximateReceiveCount": "1"}
    return {"Records": [{"messageId": "m", "receiptHandle": "ParkedQueue:0", "body": body, "attributes": attributes}]}


def messages_in(event: dict[str, Any]) -> int:
    return len(event.get("Records", ())) or 1
