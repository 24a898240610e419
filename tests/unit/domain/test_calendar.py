"""Business time (SEMANTICS 6): the vectors by name, and what holds for every calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdesk.domain.calendar import BusinessCalendar, weekdays

NEW_YORK = ZoneInfo("America/New_York")
DESK = weekdays("America/New_York", time(9), time(17), frozenset({date(2026, 7, 3)}))
# Hypothesis takes naive bounds and puts the zone on by itself.
INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


def new_york(day: str, clock: str) -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=NEW_YORK)


@pytest.mark.parametrize(
    ("start", "end", "minutes"),
    [
        (("2026-03-06", "16:58"), ("2026-03-09", "09:02"), 4),
        (("2026-03-07", "12:00"), ("2026-03-09", "09:05"), 5),
        (("2026-07-02", "16:57"), ("2026-07-06", "09:02"), 5),
        (("2026-03-10", "07:00"), ("2026-03-10", "09:04"), 4),
        (("2026-03-06", "16:58"), ("2026-03-09", "16:00"), 7 * 60 + 2),
    ],
    ids=[
        "a weekend with a change of the clock",
        "from a Saturday",
        "over a holiday",
        "before opening",
        "Friday evening to Monday afternoon is never negative",
    ],
)
def test_business_time_is_what_lies_inside_opening_hours(
    start: tuple[str, str], end: tuple[str, str], minutes: int
) -> None:
    assert DESK.business_seconds(new_york(*start), new_york(*end)) == minutes * 60


def test_a_second_past_five_minutes_is_a_second_more() -> None:
    assert DESK.business_seconds(new_york("2026-03-07", "12:00"), new_york("2026-03-09", "09:05:01")) == 301


def test_a_night_shift_loses_the_hour_that_the_clock_skips() -> None:
    nights = BusinessCalendar("America/New_York", {day: ((time(22), time(6)),) for day in range(7)})

    seconds = nights.business_seconds(new_york("2026-03-07", "20:00"), new_york("2026-03-08", "12:00"))

    assert seconds == 7 * 3600


def test_a_half_day_counts_only_its_hours() -> None:
    half = BusinessCalendar(DESK.zone, DESK.hours, {date(2026, 12, 24): ((time(9), time(12)),)})

    assert half.business_seconds(new_york("2026-12-24", "09:00"), new_york("2026-12-24", "23:00")) == 3 * 3600


@given(INSTANTS, INSTANTS, INSTANTS)
def test_business_time_adds_up_and_is_never_negative(a: datetime, b: datetime, c: datetime) -> None:
    first, second, third = sorted([a, b, c])

    parts = DESK.business_seconds(first, second) + DESK.business_seconds(second, third)

    assert 0 <= DESK.business_seconds(first, third) - parts <= 1
    assert DESK.business_seconds(third, first) == 0


@given(INSTANTS, st.integers(1, 200_000))
def test_after_is_the_inverse_of_measuring(start: datetime, seconds: int) -> None:
    start = start.replace(microsecond=0)

    assert DESK.business_seconds(start, DESK.after(start, seconds)) == seconds


def test_a_calendar_that_never_opens_says_so() -> None:
    with pytest.raises(ValueError, match="does not open"):
        BusinessCalendar("UTC", {}).after(datetime(2026, 1, 1, tzinfo=UTC), 1)


def test_an_instant_at_closing_is_outside() -> None:
    closing = new_york("2026-03-10", "17:00")

    assert DESK.business_seconds(closing, closing + timedelta(minutes=5)) == 0
