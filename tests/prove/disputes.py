"""What payers' banks do in one run: take money back at some time, and decide at another; some of it nobody tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from local.twins.server import Refused
from tests.prove.chargebacks import LOST, WON
from tests.prove.fate import Fate
from tests.prove.paying import Receipt
from tests.prove.world import World

Act = Callable[[], object]
HOW_MANY = (0, 0, 0, 1, 1, 2)
# Tenths of what came.
SHARES = (3, 3, 7, 10, 10)
AT_ONCE = timedelta(0)
OPENED_AFTER = (AT_ONCE, AT_ONCE, timedelta(minutes=30), timedelta(days=3))
DECIDED_AFTER = (AT_ONCE, timedelta(minutes=30), timedelta(days=3), timedelta(days=40), None)
# What the vendor tells the desk: a message that is lost on the way is the weather's business.
TOLD = (("opened", "decided"), ("opened", "decided"), ("opened", "decided"), ("opened",), ("decided",), ())


@dataclass
class Plan:
    """One dispute: `decided_after` is None where the bank never decides; the times are set as it goes on."""

    share: int
    opened_after: timedelta
    decided_after: timedelta | None
    outcome: float
    told: tuple[str, ...]
    receipt: Receipt | None = None
    dispute_id: str = ""
    due: datetime | None = field(default=None)


class Disputes:
    """At most one dispute about the money of one payment; the first payments of a run are disputed."""

    def __init__(self, world: World, fate: Fate) -> None:
        self._world = world
        dice = fate.dice("disputes")
        self._plans = [_plan(dice) for _ in range(dice.choice(HOW_MANY))]
        self._met: set[str] = set()

    def wanted(self) -> list[Act]:
        """What banks would do now."""
        if not self._plans:
            return []
        self._meet_receipts()
        now = self._world.now()
        return [partial(self._go_on, plan) for plan in self._plans if plan.due and plan.due <= now]

    def waits_until(self) -> datetime | None:
        now = self._world.now()
        return min((plan.due for plan in self._plans if plan.due and plan.due > now), default=None)

    def _meet_receipts(self) -> None:
        free = [plan for plan in self._plans if plan.receipt is None]
        new = [one for one in self._world.town.paying.receipts() if one.reference not in self._met] if free else []
        for plan, receipt in zip(free, new, strict=False):
            plan.receipt, plan.due = receipt, self._world.now() + plan.opened_after
            self._met.add(receipt.reference)

    def _go_on(self, plan: Plan) -> None:
        plan.due = None
        if plan.dispute_id:
            self._telling(plan, "decided", partial(self._decide, plan))
            return
        try:
            self._telling(plan, "opened", partial(self._open, plan))
        except Refused:
            return  # all of it went back before
        if plan.decided_after is not None:
            plan.due = self._world.now() + plan.decided_after

    def _open(self, plan: Plan) -> None:
        assert plan.receipt is not None
        minor = plan.receipt.amount.amount_minor * plan.share // 10
        plan.dispute_id = self._world.town.banks.take(plan.receipt, minor)

    def _decide(self, plan: Plan) -> None:
        banks = self._world.town.banks
        lost = [outcome for outcome in banks.outcomes if outcome.startswith(LOST)]
        outcome = WON if plan.outcome < 0.5 else lost[int(plan.outcome * 100) % len(lost)]
        banks.decide(plan.dispute_id, outcome)

    def _telling(self, plan: Plan, what: str, act: Act) -> None:
        """What the vendor would say of it is dropped where the plan has it untold."""
        box: Any = self._world.twins[self._world.path.payment].webhooks
        before = len(box.letters)
        act()
        if what not in plan.told:
            del box.letters[before:]


def _plan(dice: Random) -> Plan:
    return Plan(
        dice.choice(SHARES),
        dice.choice(OPENED_AFTER),
        dice.choice(DECIDED_AFTER),
        dice.random(),
        dice.choice(TOLD),
    )
