"""How long a warm function takes in this process: the 95th percentile over many deals, by every way through the desk.

Table, function and the vendors' twins share the process, so that its CPU time from the call to the answer is what the
answer takes on a machine that does nothing else. A batch counts as its messages, and a CRM's message has one change.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from local.people import PATHS
from local.tokens import issue_token
from tests.bench.figures import Figure
from tests.bench.in_process import table
from tests.bench.reactions import QUOTE, messages_in, parked
from tests.journeys.people import people_of
from tests.journeys.world import World
from tests.load.answers import percentile
from tests.load.quotes import NEEDS_BOTH, PASSES, a_hubspot_deal, an_opportunity

LIMIT_MS = 50
DEALS, TICKS = 12, 3
QUIET = timedelta(minutes=10)
READS = ("/deals/{deal_id}", "/deals/{deal_id}/timeline", "/deals")


def measure() -> list[Figure]:
    """A figure of every function; what is counted are its warm calls, after one deal has gone each way."""
    with table(), World() as world, _timed(world) as taken:
        _run(world, 1)
        taken.clear()
        _run(world, DEALS)
        return [
            Figure(f"p95.{name}", percentile(sorted(taken[name]), 95), "ms", limit=LIMIT_MS) for name in sorted(taken)
        ]


def _run(world: World, count: int) -> None:
    """So many deals each way, from the CRM or from REST to the posted invoice."""

    def act(twin: str, action: str, body: dict[str, Any]) -> dict[str, Any]:
        return world.twins[twin].act(action, body)

    for number in range(count):
        for terms, ledger in ((PASSES, ""), (NEEDS_BOTH, ""), (PASSES, "sap")):
            act("salesforce", "submit", {"opportunity_id": an_opportunity(act, number, terms, ledger)})
        act("hubspot", "submit", {"deal_id": a_hubspot_deal(act, number, NEEDS_BOTH)})
        _by_rest(world, number, count)
    crowd = [people_of(world, PATHS["hubspot"]), people_of(world)]
    acted = True
    while acted:
        for letter in world.take_mail():
            world.post(letter)
        world.settle(patience=QUIET)
        acted = bool(sum(people.everybody_acts() for people in crowd)) or bool(world.mail)
    for _ in range(TICKS):
        world.invoke("chase_stalled", {})
        world.invoke("escalate_approvals", {})
        world.settle(patience=QUIET)


def _by_rest(world: World, number: int, count: int) -> None:
    user, role = "person-rita", "rep"
    key = {"Idempotency-Key": f"latency-{count}-{number}"}
    _, made = world.rest("POST", "/deals", QUOTE, user=user, role=role, headers=key)
    for path in READS:
        world.rest("GET", path.format(deal_id=made["deal_id"]), user=user, role=role)
    world.rest("POST", "/guardrails/preview", QUOTE, user=user, role=role)
    world.invoke("retry_parked", parked(f"latency-{count}-{number}", made["deal_id"]))
    token = issue_token(world.jwt_key, user=user, role=role)
    world.invoke("authorizer", {"authorizationToken": f"Bearer {token}", "methodArn": "arn:bench"})


@contextmanager
def _timed(world: World) -> Iterator[dict[str, list[float]]]:
    """Milliseconds a message, by function."""
    taken: dict[str, list[float]] = defaultdict(list)
    invoke = world.invoke

    def timed(folder: str, event: dict[str, Any]) -> Any:
        world.function(folder)  # its import is a cold start, which is another figure
        began = time.process_time()
        answer = invoke(folder, event)
        count = messages_in(event)
        taken[folder] += [(time.process_time() - began) * 1000 / count] * count
        if isinstance(answer, dict) and answer.get("statusCode", 200) >= 500:
            raise RuntimeError(f"{folder} answered {answer['statusCode']}: {answer['body'][:300]}")
        return answer

    with patch.object(world, "invoke", timed):
        yield taken
