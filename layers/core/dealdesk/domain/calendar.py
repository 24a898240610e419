"""Business time: what of the time between two instants lies inside a team's opening hours.

Each local window is converted to UTC by itself and the overlaps are added up; local clocks are never subtracted,
so changes of the clock, weekends and holidays come out right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
FURTHEST = timedelta(days=366 * 2)

Window = tuple[time, time]


@dataclass(frozen=True, slots=True)
class BusinessCalendar:
    """Opening hours of a team in its own time zone.

    `hours` maps a weekday (0 is Monday) to its windows, half-open [open, close). A window that closes at or before
    it opens runs into the next day. `days` overrides single dates: holidays have no window, half days shorter ones.
    """

    zone: str
    hours: Mapping[int, tuple[Window, ...]]
    days: Mapping[date, tuple[Window, ...]] = field(default_factory=dict)

    def business_seconds(self, start: datetime, end: datetime) -> int:
        """Whole seconds of opening time in [start, end); 0 when end is not after start. Both must be aware."""
        total = timedelta(0)
        for opens, closes in self._windows(start, end):
            total += max(min(closes, end) - max(opens, start), timedelta(0))
        return int(total.total_seconds())

    def after(self, start: datetime, seconds: int) -> datetime:
        """The instant at which `seconds` of opening time have passed since `start`.

        Raises ValueError when the calendar does not open enough within two years.
        """
        left = timedelta(seconds=seconds)
        for opens, closes in self._windows(start, start + FURTHEST):
            begin = max(opens, start)
            if closes <= begin:
                continue
            if closes - begin >= left:
                return begin + left
            left -= closes - begin
        raise ValueError(f"the calendar of {self.zone} does not open for {seconds} s within two years")

    def _windows(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Every window that may touch [start, end), in UTC; the day before may reach into it overnight."""
        zone = ZoneInfo(self.zone)
        day = start.astimezone(zone).date() - DAY
        last = end.astimezone(zone).date()
        while day <= last:
            for opens, closes in self.days.get(day, self.hours.get(day.weekday(), ())):
                closing_day = day if closes > opens else day + DAY
                yield (
                    datetime.combine(day, opens, zone).astimezone(UTC),
                    datetime.combine(closing_day, closes, zone).astimezone(UTC),
                )
            day += DAY


def weekdays(zone: str, opens: time, closes: time, holidays: frozenset[date] = frozenset()) -> BusinessCalendar:
    """Monday to Friday with one window a day, closed on `holidays`."""
    return BusinessCalendar(zone, dict.fromkeys(range(5), ((opens, closes),)), dict.fromkeys(holidays, ()))


OFFICE_HOURS = weekdays("UTC", time(9), time(17))
"""The calendar of people of whom the directory says nothing."""
