"""Carries out what the plan says, on the running system, and counts what it did."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field

from local.stack import Stack
from operate.installation import Installation
from tests.chaos.cast import Cast
from tests.chaos.plan import MODES, SENDERS, TWINS, Killed, Restarted, Strike, Submitted, WebhooksGo, script
from tests.chaos.restart import logs, restart
from tests.chaos.workers import kill_at_work

DIED = "errorMessage=Worker process died)"
KILL_PATIENCE_SECONDS = 3.0


@dataclass
class Mischief:
    """`kills` by function; `told_again` are events that were given to the bus again after restarts."""

    stack: Stack
    at: Installation
    cast: Cast
    say: Callable[[str], None]
    modes: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    restarts: int = 0
    told_again: int = 0
    killer: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    def begin(self, seed: int, deals: int) -> None:
        """From now on the vendors fail by their scripts, until those end."""
        for twin in TWINS:
            self.stack.twin(twin, "faults", "POST", [asdict(fault) for fault in script(seed, twin, deals)])

    def strike(self, what: Strike) -> None:
        match what:
            case Submitted():
                self.cast.submit(what)
            case WebhooksGo():
                self.modes[what.mode] += 1
                self.stack.twin(what.twin, "delivery", "POST", asdict(MODES[what.mode]))
            case Killed():
                self._kill(what)
            case Restarted():
                self._restart(what)

    def calm(self) -> None:
        """From now on every webhook arrives and every function lives."""
        self.killer.shutdown(cancel_futures=True)
        for twin in SENDERS:
            self.stack.twin(twin, "delivery", "POST", {})

    def mend(self) -> None:
        """From now on every vendor works."""
        for twin in TWINS:
            self.stack.twin(twin, "faults", "POST", [])

    def vendors_failed(self) -> Counter[str]:
        """How often each kind of fault struck a call, at all vendors."""
        failed: Counter[str] = Counter()
        for twin in TWINS:
            failed.update(self.stack.twin(twin, "failures"))
        return failed

    def webhooks_lost(self) -> tuple[int, int]:
        """How many webhooks were never sent, and how many tries of the others the desk did not take."""
        tries = [one for twin in SENDERS for one in self.stack.twin(twin, "deliveries")]
        lost = sum(one["attempt"] == 0 for one in tries)
        return lost, sum(not one["accepted"] for one in tries) - lost

    def died_at_work(self) -> int:
        """Invocations that ended with their process, as MiniStack noted them for queues and the stream."""
        return sum(path.read_text(errors="replace").count(DIED) for path in logs())

    def _kill(self, what: Killed) -> None:
        """In another thread: the functions that it waits for may need the people to act."""
        head, ms = self.stack.pids["ministack"], what.milliseconds
        self.killer.submit(self._kill_one, head, what.functions, ms)

    def _kill_one(self, head: int, functions: tuple[str, ...], milliseconds: int) -> None:
        wait = KILL_PATIENCE_SECONDS
        if killed := kill_at_work(head, functions, milliseconds=milliseconds, patience_seconds=wait):
            self.kills[killed] += 1

    def _restart(self, what: Restarted) -> None:
        began = time.monotonic()
        self.stack, told = restart(self.stack, self.at, what.away_seconds)
        self.restarts += 1
        self.told_again += told
        self.say(f"AWS was stopped and is back after {time.monotonic() - began:.1f} s; {told} events were told again")
