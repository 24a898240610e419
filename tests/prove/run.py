"""One schedule from its first message until the world is quiet, and the shortest schedule that still fails."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from dealdesk.domain.events import InvoiceDiffers, VendorAsked
from tests.prove import operators
from tests.prove.booking import MEMO
from tests.prove.broken import Broken
from tests.prove.fate import Fate
from tests.prove.promises import Promises
from tests.prove.story import Story
from tests.prove.sums import is_disputed
from tests.prove.world import World

# Steps under faults; then the weather is calm and everything must come to an end.
ROUGH_STEPS = 400
MOST_STEPS = 6_000
IDLE_CHASES = 3
QUIET_ROUNDS = 1
SILENCE = timedelta(minutes=21)
# A disputed deal is asked about once a day, and by turns with a draft that waits in the CRM.
SILENCE_OF_BANKS, QUIET_ROUNDS_OF_BANKS = timedelta(hours=25), 2
# Short schedules that go to each of the vendors.
EVERY_VENDOR = (0, 5, 10)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`refunds`, `memos` and `disputes` (by how they stand) are those at the vendors in the end, `differences` the
    posted invoices that were not what was collected, `redriven` the dead letters sent back.

    `trace` is a digest of everything that was recorded: two runs with one trace were the same."""

    seed: int
    vendors: str
    struck: tuple[str, ...]
    finding: str | None
    steps: int
    calls: int
    redriven: int
    refunds: int
    memos: int
    disputes: tuple[str, ...]
    differences: int
    trace: str


def run(seed: int, only: frozenset[str] | None = None) -> Outcome:
    warm_up()
    return _run(seed, only)


@cache
def warm_up() -> None:
    """What is imported on first use must not make the first run of a process another one than its repetition."""
    for seed in EVERY_VENDOR:
        _run(seed, None)


def _run(seed: int, only: frozenset[str] | None) -> Outcome:
    fate = Fate(seed, only)
    finding = None
    with World(fate) as world:
        promises, story = Promises(world), Story(world, fate)
        try:
            _play(world, story, promises)
        except Broken as broken:
            finding = str(broken)
        vendors = str(world.path)
        trace = _trace(promises, fate, vendors)
        refunds = len(world.town.paying.given_back())
        memos = sum(document.kind == MEMO for document in world.town.booking.documents())
        disputes = tuple(one.status for one in world.town.banks.chargebacks())
        recorded = [record for history in promises.chronicle.histories.values() for record in history]
    return Outcome(
        seed=seed,
        vendors=vendors,
        struck=tuple(fate.struck),
        finding=finding,
        steps=world.steps,
        calls=world.calls.number,
        redriven=world.work.redriven,
        refunds=refunds,
        memos=memos,
        disputes=disputes,
        differences=sum(record.type == InvoiceDiffers.TYPE for record in recorded),
        trace=trace,
    )


def shortest(outcome: Outcome) -> Outcome:
    """The same seed with as few faults as still break a promise: halves, quarters and so on are left out."""
    best, size = outcome, max(1, len(outcome.struck) // 2)
    while size:
        kept = list(best.struck)
        start = 0
        while start < len(kept):
            without = kept[:start] + kept[start + size :]
            tried = run(best.seed, frozenset(without))
            if tried.finding and len(tried.struck) <= len(without):
                best, kept = tried, list(tried.struck)
            else:
                start += size
        size //= 2
    return best


def _play(world: World, story: Story, promises: Promises) -> None:
    story.opening()
    world.webhooks.collect()
    idle, written = 0, -1
    for _ in range(ROUGH_STEPS):
        if not _one_step(world, story):
            idle = idle + 1 if written == len(world.table.stream) else 0
            written = len(world.table.stream)
        promises.check()
        if idle > IDLE_CHASES:
            break
    world.fate.calm = True
    world.vendors.recover()
    _end(world, story, promises)
    promises.check_the_end()
    if world.work.dead_letters():
        operators.redrive(world, world.fate)
        _end(world, story, promises)
        promises.check_after_redrive()


def _end(world: World, story: Story, promises: Promises) -> None:
    """Nothing moves any more, and nothing is left that no message told of."""
    told: set[str] = set()
    _come_to_rest(world, story, promises)
    while operators.find_unheard(world, promises.chronicle, told):
        _come_to_rest(world, story, promises)


def _one_step(world: World, story: Story) -> bool:
    """Something moves, or time passes; False when it passed until the next schedule."""
    story.time_has_passed()
    story.mischief()
    people_first = world.fate.dice("who").random() < 0.3
    if (people_first and story.go_on()) or world.step() or story.go_on():
        world.webhooks.collect()
        return True
    dues = [due for due in (world.waits_until(), story.waits_until()) if due]
    until = min([*dues, world.next_chase])
    world.pass_time(until)
    chased = world.now() >= world.next_chase
    if chased:
        world.chase()
    world.webhooks.collect()
    return not chased


def _come_to_rest(world: World, story: Story, promises: Promises) -> None:
    quiet = 0
    versions: list[int] = []
    for _ in range(MOST_STEPS):
        story.time_has_passed()
        while world.step() or story.go_on():
            world.webhooks.collect()
            promises.check()
            if world.steps > MOST_STEPS:
                raise Broken("the world never comes to rest")
        dues = [due for due in (world.waits_until(), story.waits_until()) if due]
        if dues:
            world.pass_time(min(dues))
            continue
        # Asking in vain is no movement: who waits for a letter that is dead is asked about for ever.
        histories = promises.chronicle.histories.values()
        seen = [sum(record.type != VendorAsked.TYPE for record in history) for history in histories]
        quiet = quiet + 1 if seen == versions else 0
        versions = seen
        disputed = any(is_disputed(deal) for deal in promises.chronicle.deals.values())
        if quiet >= (QUIET_ROUNDS_OF_BANKS if disputed else QUIET_ROUNDS):
            return
        world.pass_time(world.now() + (SILENCE_OF_BANKS if disputed else SILENCE))
        world.chase()
        world.webhooks.collect()
        promises.check()


def _trace(promises: Promises, fate: Fate, vendors: str) -> str:
    digest = hashlib.sha256("\n".join((vendors, *fate.struck)).encode())
    for deal_id, history in sorted(promises.chronicle.histories.items()):
        digest.update(f"{deal_id} {[record.hash for record in history]}".encode())
    return digest.hexdigest()
