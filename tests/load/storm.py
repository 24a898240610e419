"""One storm: everything sent, everything worked off, and what the table has more than before."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from local.stack import Stack, call
from tests.load.answers import Answers
from tests.load.table import items_of
from tests.load.watch import dead_letters, is_quiet

PATIENCE_SECONDS = 240.0
QUIET_LOOKS = 3
Sent = tuple[int, bytes]
"""Status and body of an answer."""


@dataclass(frozen=True, slots=True)
class Storm:
    """`items` are the rows that the table has more than before, at most `most_items`; `wrong` should be empty."""

    name: str
    sent: int
    seconds: float
    items: int
    most_items: int
    wrong: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def blow(
    stack: Stack,
    name: str,
    sends: Sequence[Callable[[], Sent]],
    *,
    connections: int,
    most_items: int,
    wrong: Callable[[Sequence[Sent]], Iterable[str]],
    sent: int | None = None,
) -> Storm:
    """Sends all by so many connections, waits until the queues are empty, and looks at what came of it."""
    before, began = items_of(stack), time.monotonic()
    with ThreadPoolExecutor(connections) as pool:
        answers = [one.result() for one in [pool.submit(send) for send in sends]]
    found = [] if until_quiet(stack) else [f"the queues are not empty after {PATIENCE_SECONDS:.0f} s"]
    seconds = time.monotonic() - began
    found += wrong(answers)
    items = items_of(stack) - before
    if items > most_items:
        found.append(f"the table has {items} rows more, at most {most_items} are expected")
    found += [f"{count} letters lie in {queue}" for queue, count in dead_letters(stack).items()]
    return Storm(name, len(sends) if sent is None else sent, round(seconds, 1), items, most_items, tuple(found))


def until_quiet(stack: Stack) -> bool:
    """Whether the queues became empty, and stayed so while the stream could still have brought something."""
    deadline, quiet = time.monotonic() + PATIENCE_SECONDS, 0
    while quiet < QUIET_LOOKS:
        if time.monotonic() > deadline:
            return False
        time.sleep(1)
        quiet = quiet + 1 if is_quiet(stack) else 0
    return True


def post(answers: Answers, route: str, url: str, headers: dict[str, str], body: bytes) -> Sent:
    """One webhook, timed."""
    answer = answers.timed(route, lambda: call("POST", url, headers=headers, body=body))
    return answer.status, answer.body


def secret(stack: Stack, vendor: str) -> dict[str, Any]:
    """What the vendor and the desk share, from Secrets Manager."""
    kept = stack.boto("secretsmanager").get_secret_value(SecretId=stack.secrets[vendor])
    loaded: dict[str, Any] = json.loads(kept["SecretString"])
    return loaded


def not_taken(taken: Iterable[bool]) -> list[str]:
    refused = sum(not one for one in taken)
    return [f"{refused} messages were not taken"] if refused else []


def not_once(events: Sequence[str], *types: str) -> list[str]:
    return [f"{type_} happened {events.count(type_)} times" for type_ in types if events.count(type_) != 1]
