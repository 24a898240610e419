"""An outside effect, exactly once: a leased intent, a look-up after any doubt, a call with a key made from the fact."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from dealdesk.domain.deal import Deal, Intent
from dealdesk.domain.events import EffectFailed, Event, IntentAttempted, IntentInterrupted
from dealdesk.domain.stages import Effect
from dealdesk.errors import AlreadyHandled, LeaseHeld, VendorRefused, VendorUnavailable
from dealdesk.ports import Cause, Deals
from dealdesk.usecases.change import change

Answer = TypeVar("Answer")

# Longer than any function that calls a vendor may run (template.yaml says how long), so a lease outlives its worker.
LEASE = timedelta(seconds=75)


@dataclass(frozen=True, slots=True)
class Work(Generic[Answer]):
    """How one kind of effect is done. `gate` raises unless the deal may have it now; nobody else tries for `lease`."""

    actor: str
    gate: Callable[[Deal, Intent, datetime], object]
    look_up: Callable[[Deal, Intent], Answer | None]
    call: Callable[[Deal, Intent, datetime], Answer]
    record: Callable[[Deal, Intent, Answer, datetime], Sequence[Event]]
    refused: Callable[[Deal, Intent, str], Sequence[Event]] = lambda _deal, intent, reason: [
        EffectFailed(intent.key, intent.effect.value, reason)
    ]
    lease: timedelta = LEASE


def carry_out(
    deals: Deals, deal_id: str, works: Mapping[Effect, Work[object]], clock: Callable[[], datetime]
) -> list[str]:
    """Carries out every intent that the deal wants now and `works` knows; returns their keys.

    Raises `LeaseHeld` while another worker is at it, `VendorUnavailable` when the answer is in doubt,
    and what the gate raises.
    """
    deal = deals.load(deal_id)
    wanted = [i for i in deal.intents if i.effect in works and deal.wants(i)]
    for intent in wanted:
        _carry_out_one(deals, deal_id, intent.key, works[intent.effect], clock)
    return [intent.key for intent in wanted]


def _carry_out_one(deals: Deals, deal_id: str, key: str, work: Work[object], clock: Callable[[], datetime]) -> None:
    taken = _take_lease(deals, deal_id, key, work, clock())
    if taken is None:
        return
    deal, intent = taken
    try:
        answer = _answered(work, deal, intent, clock)
    except VendorUnavailable as doubt:
        now, wait = clock(), doubt.retry_after_seconds
        happened = [IntentInterrupted(key, str(doubt), now + timedelta(seconds=wait) if wait else None)]
        cause_id = f"{_opening(intent)}:{intent.attempts}:interrupted"
        _record(deals, deal_id, cause_id, lambda _: happened, work.actor, now)
        raise
    except VendorRefused as refusal:
        reason = str(refusal)
        cause_id = f"{_opening(intent)}:{intent.attempts}:refused"
        _record(deals, deal_id, cause_id, lambda d: work.refused(d, intent, reason), work.actor, clock())
        return
    now = clock()
    _record(deals, deal_id, _opening(intent), lambda d: work.record(d, intent, answer, now), work.actor, now)


def _answered(work: Work[Answer], deal: Deal, intent: Intent, clock: Callable[[], datetime]) -> Answer:
    """What the vendor has made of the intent, now or in an attempt before.

    Who was here before may still be at work: what the vendor then refuses may be the repetition of what has landed
    since we looked, so that a refusal is believed only when a second look finds nothing either.
    """
    if intent.attempts == 1:
        return work.call(deal, intent, clock())
    try:
        answer = work.look_up(deal, intent)
        return work.call(deal, intent, clock()) if answer is None else answer
    except VendorRefused:
        answer = work.look_up(deal, intent)
        if answer is None:
            raise
        return answer


def _take_lease(deals: Deals, deal_id: str, key: str, work: Work[object], now: datetime) -> tuple[Deal, Intent] | None:
    """The deal and the leased intent, or None when the intent is no longer wanted."""
    deal = deals.load(deal_id)
    intent = deal.intent(key)
    if intent is None or not deal.wants(intent):
        return None
    if intent.lease_until and now < intent.lease_until:
        raise LeaseHeld(f"another worker carries out {key} until {intent.lease_until.isoformat()}")
    work.gate(deal, intent, now)
    attempt = intent.attempts + 1
    try:
        deal = deals.save(
            deal,
            [IntentAttempted(key, attempt, now + work.lease)],
            cause=Cause("attempt", f"{_opening(intent)}:{attempt}"),
            actor=work.actor,
            now=now,
        )
    except AlreadyHandled as taken:
        raise LeaseHeld(f"another worker has just taken {key}") from taken
    leased = deal.intent(key)
    assert leased is not None
    return deal, leased


def _opening(intent: Intent) -> str:
    """What was carried out may be asked for again under the same key: that is another fact, with causes of its own."""
    return f"{intent.key}@{intent.opened_at.isoformat()}"


def _record(
    deals: Deals,
    deal_id: str,
    cause_id: str,
    decide: Callable[[Deal], Sequence[Event]],
    actor: str,
    now: datetime,
) -> None:
    try:
        change(deals, deal_id, decide, cause=Cause("intent", cause_id), actor=actor, now=now)
    except AlreadyHandled:
        return
