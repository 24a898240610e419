"""Business hours and the five-minute touch: when the clock starts, what ends it, and when it was too late."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from dealdesk.domain import approvals
from dealdesk.domain import events as e
from dealdesk.domain.calendar import BusinessCalendar, weekdays
from dealdesk.domain.deal import Deal, look_again_at
from dealdesk.domain.directory import Directory
from dealdesk.domain.stages import Stage
from dealdesk.domain.touch import DESK_CALENDAR, OTHERWISE, WITHIN_SECONDS
from dealdesk.errors import ApproverConflicted, ApproverNotEntitled, WrongStage
from tests.unit.domain.deals import FINANCE, IN_FINANCE, NOW, OWNER, Story
from tests.unit.domain.quotes import a_quote

ZONE = ZoneInfo("America/New_York")
JULY_3 = frozenset({date(2026, 7, 3)})
NEW_YORK = weekdays("America/New_York", time(9), time(17), JULY_3)
NIGHTS = BusinessCalendar("America/New_York", dict.fromkeys(range(7), ((time(22), time(6)),)))
MINUTE = timedelta(minutes=1)
MONDAY = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)


def new_york(year: int, month: int, day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, second, tzinfo=ZONE).astimezone(UTC)


def submitted(at: datetime, *, heard: datetime | None = None, calendar: BusinessCalendar | None = NEW_YORK) -> Story:
    """A quote over the limit of finance, submitted in the CRM at one time and judged when the desk heard of it."""
    directory = Directory(calendars={DESK_CALENDAR: calendar} if calendar else {})
    story = Story(directory=directory).then([e.QuoteReceived(None, at, OWNER)], heard or at)
    return story.quoted(a_quote(off="20", payment_terms_days=40), at=heard or at)


def clock_of(deal: Deal) -> e.TouchClock:
    assert deal.clock is not None
    return deal.clock


def touched(story: Story, at: datetime) -> e.DealTouched:
    story.decided(by=FINANCE, groups=IN_FINANCE, at=at)
    return next(event for event in story.events if isinstance(event, e.DealTouched))


VECTORS = {
    "over the weekend in which the clocks go forward": (
        new_york(2026, 3, 6, 16, 58),
        new_york(2026, 3, 9, 9, 2),
        240,
    ),
    "from Saturday noon, just in time": (new_york(2026, 3, 14, 12), new_york(2026, 3, 16, 9, 5), 300),
    "from Saturday noon, a second late": (new_york(2026, 3, 14, 12), new_york(2026, 3, 16, 9, 5, 1), 301),
    "over a holiday": (new_york(2026, 7, 2, 16, 57), new_york(2026, 7, 6, 9, 2), 300),
    "before opening": (new_york(2026, 7, 7, 7), new_york(2026, 7, 7, 9, 4), 240),
}


@pytest.mark.parametrize(("start", "end", "seconds"), VECTORS.values(), ids=VECTORS)
def test_6_the_touch_is_measured_in_the_opening_hours_of_the_desk(start: datetime, end: datetime, seconds: int) -> None:
    story = submitted(start)

    assert touched(story, end).business_seconds == seconds
    assert (clock_of(story.deal).due_at >= end) is (seconds <= WITHIN_SECONDS)


def test_6_a_night_shift_has_seven_hours_when_the_clocks_go_forward() -> None:
    assert NIGHTS.business_seconds(new_york(2026, 3, 7, 22), new_york(2026, 3, 8, 6)) == 7 * 3600


def test_6_the_clock_starts_with_the_submission_in_the_crm_and_not_when_the_desk_heard_of_it() -> None:
    story = submitted(MONDAY, heard=MONDAY + 4 * MINUTE)

    assert clock_of(story.deal) == e.TouchClock(MONDAY, MONDAY + 5 * MINUTE, DESK_CALENDAR)


def test_6_without_a_calendar_of_the_desk_office_hours_count() -> None:
    saturday = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    story = submitted(saturday, calendar=None)

    assert clock_of(story.deal).calendar == OTHERWISE
    assert clock_of(story.deal).due_at == datetime(2026, 11, 23, 9, 5, tzinfo=UTC)


def test_6_a_desk_that_never_opens_has_no_clock_and_the_quote_goes_its_way() -> None:
    story = submitted(MONDAY, calendar=BusinessCalendar("UTC", {}))

    assert story.deal.clock is None
    assert story.deal.stage is Stage.PENDING_APPROVAL
    assert touched(story, MONDAY + MINUTE).business_seconds is None


def test_6_a_deal_that_nobody_has_to_look_at_has_no_clock() -> None:
    story = Story().then([e.QuoteReceived(None, NOW, OWNER)]).quoted(a_quote())

    assert story.deal.clock is None


def test_6_an_edit_before_anybody_looked_does_not_start_the_clock_again() -> None:
    story = submitted(MONDAY)
    story.quoted(a_quote(off="21", payment_terms_days=40), at=MONDAY + 3 * MINUTE)

    assert clock_of(story.deal).due_at == MONDAY + 5 * MINUTE


def test_6_what_was_taken_back_untouched_and_comes_again_has_a_new_clock() -> None:
    story = submitted(MONDAY)
    story.then(approvals.recall(story.deal, OWNER, may_recall_any=False), MONDAY + MINUTE)
    later = MONDAY + timedelta(hours=1)
    story.quoted(a_quote(off="20", payment_terms_days=40), at=later)

    assert clock_of(story.deal).starts_at == later


def test_6_the_calendar_is_fixed_when_the_clock_starts() -> None:
    story = submitted(MONDAY, calendar=None)
    story.directory = Directory(calendars={DESK_CALENDAR: BusinessCalendar("UTC", {})})

    assert touched(story, MONDAY + 2 * MINUTE).business_seconds == 120


def test_6_a_late_touch_is_said_once_and_the_round_is_looked_at_for_it() -> None:
    story = submitted(MONDAY)
    due = MONDAY + 5 * MINUTE
    assert look_again_at(story.deal) == due

    story.chased(due)
    assert not story.deal.breached
    story.chased(due + MINUTE)
    story.chased(due + 2 * MINUTE)

    assert [event for event in story.events if isinstance(event, e.SlaBreached)] == [e.SlaBreached("touch", due)]
    assert look_again_at(story.deal) != due


def test_6_nothing_is_late_that_somebody_has_looked_at() -> None:
    story = submitted(MONDAY)
    story.then(approvals.claim(story.deal, FINANCE, IN_FINANCE, story.directory, MONDAY + MINUTE), MONDAY + MINUTE)

    story.chased(MONDAY + timedelta(hours=1))

    assert not any(isinstance(event, e.SlaBreached) for event in story.events)
    assert story.events[-1].TYPE == "deal.touched"


def test_6_the_first_who_looks_counts_and_decides_nothing() -> None:
    story = submitted(MONDAY)
    at = MONDAY + 2 * MINUTE

    first = approvals.claim(story.deal, FINANCE, IN_FINANCE, story.directory, at)
    story.then(first, at)

    assert first == [e.DealTouched(FINANCE, 120, 120)]
    assert story.deal.stage is Stage.PENDING_APPROVAL
    assert approvals.claim(story.deal, "person-fin-2", IN_FINANCE, story.directory, at) == []


def test_6_only_who_may_decide_can_take_a_deal_up() -> None:
    deal = submitted(MONDAY).deal

    with pytest.raises(ApproverNotEntitled):
        approvals.claim(deal, "person-x", frozenset({"grp-support"}), Directory(), MONDAY)
    with pytest.raises(ApproverConflicted):
        approvals.claim(deal, OWNER, IN_FINANCE, Directory(), MONDAY)
    with pytest.raises(WrongStage):
        approvals.claim(Story().quoted(a_quote()).deal, FINANCE, IN_FINANCE, Directory(), MONDAY)
