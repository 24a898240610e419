"""The first look: somebody of the desk should take up a deal within five minutes of opening time.

The clock starts when a deal first needs people, in the calendar of the desk as it is then, and ends with the first
act of somebody who may decide. Deals that no person has to look at have no clock.
"""

from __future__ import annotations

from datetime import datetime

from dealdesk.domain import events as e
from dealdesk.domain.calendar import OFFICE_HOURS, BusinessCalendar
from dealdesk.domain.deal import Deal
from dealdesk.domain.directory import Directory
from dealdesk.domain.stages import Stage

WITHIN_SECONDS = 300
DESK_CALENDAR = "deal-desk"
"""The calendar of the directory by which the clock runs; where nobody entered it, office hours in UTC."""
OTHERWISE = "office hours in UTC"
SLA = "touch"


def start(deal: Deal, directory: Directory, now: datetime) -> e.TouchClock | None:
    """The clock of a deal that needs people now; None for one that was looked at, or whose clock runs. One that was
    taken back untouched and comes again has a new clock.

    A submission counts from when it was made in the CRM, not from when the desk heard of it.
    """
    if deal.touched_at or (deal.clock and deal.stage is Stage.PENDING_APPROVAL):
        return None
    name = DESK_CALENDAR if DESK_CALENDAR in directory.calendars else OTHERWISE
    starts_at = deal.submitted_at if deal.unread and deal.submitted_at else now
    try:
        return e.TouchClock(starts_at, _calendar(name, directory).after(starts_at, WITHIN_SECONDS), name)
    except ValueError:  # a desk that does not open has nobody who could look
        return None


def touch(deal: Deal, by: str, directory: Directory, now: datetime) -> list[e.Event]:
    """The first act of a person on a deal that was submitted; nothing when there was one before."""
    if deal.touched_at is not None or deal.submitted_at is None:
        return []
    clock = deal.clock
    waited = _calendar(clock.calendar, directory).business_seconds(clock.starts_at, now) if clock else None
    return [e.DealTouched(by, int((now - deal.submitted_at).total_seconds()), waited)]


def breach(deal: Deal, now: datetime) -> list[e.Event]:
    """Said once, when the clock has run out and nobody has looked."""
    if deal.clock is None or deal.touched_at or deal.breached or now <= deal.clock.due_at:
        return []
    return [e.SlaBreached(SLA, deal.clock.due_at)]


def _calendar(name: str, directory: Directory) -> BusinessCalendar:
    return directory.calendars.get(name, OFFICE_HOURS)
