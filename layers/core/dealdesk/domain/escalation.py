"""What becomes of a step that nobody answers: a reminder, then more people who may decide, and in the end expiry.

The clock runs in business time: a step is late when somebody who can answer it has had all of its hours. Silence
never approves.
"""

from __future__ import annotations

from datetime import UTC, datetime, time

from dealdesk.domain import events as e
from dealdesk.domain.calendar import OFFICE_HOURS
from dealdesk.domain.certificate import valid_for
from dealdesk.domain.deal import Deal
from dealdesk.domain.directory import Directory
from dealdesk.domain.entitlement import asked_rungs, can_be_answered, conflicted, ladder, who_can
from dealdesk.domain.stages import Stage
from dealdesk.domain.touch import breach
from dealdesk.errors import ApproverConflicted, WrongStage

HOUR = 3600
TOOK_TOO_LONG = "nobody answered in time"
NOBODY_LEFT = "nobody who may decide this step is there"


def chase(deal: Deal, directory: Directory, now: datetime) -> list[e.Event]:
    """What time has made necessary: a breach, an expiry, or reminders and escalations of the steps that are open."""
    live = deal.round
    if live is None or live.closed or deal.stage is not Stage.PENDING_APPROVAL:
        return []
    happened: list[e.Event] = breach(deal, now)
    ends = ends_at(deal)
    if ends is not None and now >= ends:
        return [*happened, e.ApprovalExpired(ends)]
    for step_id in live.open_steps:
        happened += _chase_step(deal, live.steps[step_id], directory, now)
    return happened


def ends_at(deal: Deal) -> datetime | None:
    """When a round that nobody finishes ends: after the policy's days, or with the quote, whichever is first."""
    if deal.round is None or deal.quote is None:
        return None
    ends = deal.round.asked_at + valid_for(deal)
    if deal.quote.valid_until is None:
        return ends
    return min(ends, datetime.combine(deal.quote.valid_until, time.max, tzinfo=UTC))


def escalate(deal: Deal, step_id: str, people: tuple[str, ...], by: str, directory: Directory) -> list[e.Event]:
    """An administrator opens a step to named people besides those who are asked; it decides nothing.

    Raises `WrongStage` for a step that is not asked now, and `ApproverConflicted`.
    """
    live = deal.round
    if live is None or step_id not in live.open_steps:
        raise WrongStage(f"deal {deal.id} does not ask for step {step_id} now")
    named = tuple(sorted({directory.identity(person) for person in people}))
    barred = conflicted(deal, directory)
    if not barred.isdisjoint(named):
        raise ApproverConflicted(f"{', '.join(sorted(barred & set(named)))} has an interest in deal {deal.id}")
    return [e.ApprovalEscalated(live.number, step_id, live.escalated(step_id), None, named, f"asked by {by}")]


def _chase_step(deal: Deal, step: e.StepAsked, directory: Directory, now: datetime) -> list[e.Event]:
    live = deal.round
    assert live is not None
    opened = live.opened_at(step.id)
    rungs = asked_rungs(deal, step, directory, now)
    people = who_can(deal, rungs, directory, now)
    passed, allowed = _business_seconds(people, directory, opened, now), step.sla_hours * HOUR
    reached = live.escalated(step.id)
    if not can_be_answered(deal, step, directory, now):
        return _climb(deal, step, directory, len(ladder(step, directory)), NOBODY_LEFT, now)
    if passed >= allowed * (1 + reached):
        return _climb(deal, step, directory, reached + 1, TOOK_TOO_LONG, now)
    if 2 * passed >= allowed and step.id not in live.reminded:
        return [e.ApprovalReminded(live.number, step.id, people)]
    return []


def _climb(deal: Deal, step: e.StepAsked, directory: Directory, rung: int, reason: str, now: datetime) -> list[e.Event]:
    """Up to this rung, or word to an administrator when there is none; nothing when that was said before."""
    assert deal.round is not None
    rungs, reached = ladder(step, directory), deal.round.escalated(step.id)
    if rung <= reached or reached >= len(rungs):
        return []
    above = rungs[rung : rung + 1]
    people = who_can(deal, above, directory, now)
    group = above[0].group if above else None
    return [e.ApprovalEscalated(deal.round.number, step.id, rung, group, people, reason)]


def _business_seconds(people: tuple[str, ...], directory: Directory, start: datetime, end: datetime) -> int:
    members = [directory.member(person) for person in people]
    names = {member.calendar for member in members if member} or {None}
    calendars = [directory.calendars.get(name or "", OFFICE_HOURS) for name in names]
    return max(calendar.business_seconds(start, end) for calendar in calendars)
