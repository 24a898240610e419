"""The span of time that figures are asked for: whole days of a time zone, or instants on a quarter of an hour."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dealdesk.errors import Malformed

DAYS_UNTOLD = 30
LONGEST = timedelta(days=5 * 366)
YEARS = range(2000, 2100)
"""Of which figures can be asked for; in these every time zone is whole quarters of an hour off."""
DAY = timedelta(days=1)
QUARTER_MINUTES = 15


@dataclass(frozen=True, slots=True)
class Window:
    """[start, end) in UTC, and the zone whose days are meant."""

    start: datetime
    end: datetime
    zone: str

    def days(self) -> Iterator[tuple[date, Window]]:
        """Each local day that it touches, cut at its ends."""
        zone = ZoneInfo(self.zone)
        day = self.start.astimezone(zone).date()
        while (start := _midnight(day, zone)) < self.end:
            following = _midnight(day + DAY, zone)
            yield day, Window(max(start, self.start), min(following, self.end), self.zone)
            day += DAY


def read_window(begin: str | None, end: str | None, zone: str, now: datetime) -> Window:
    """From what a caller gave: dates, of which the last is inside the window, or times with their offset.

    Without a beginning it is the 30 days up to the end, without an end up to today. Raises `Malformed`.
    """
    try:
        clock = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Malformed(
            f"{zone[:40]!r} is no time zone; use a name like America/New_York", pointer="timezone"
        ) from None
    today = now.astimezone(clock).date()
    until = _instant(end, "to", clock, is_end=True) if end else _midnight(today + DAY, clock)
    since = (
        _instant(begin, "from", clock)
        if begin
        else _midnight(until.astimezone(clock).date() - DAYS_UNTOLD * DAY, clock)
    )
    if not since < until:
        raise Malformed(f"the window ends at {until.isoformat()}, before it begins", pointer="to")
    if until - since > LONGEST:
        raise Malformed("the window is longer than five years; ask for a shorter one", pointer="from")
    return Window(since, until, zone)


def _instant(text: str, name: str, zone: ZoneInfo, *, is_end: bool = False) -> datetime:
    text = text.strip().replace(" ", "+")  # a plus sign that nobody escaped arrives as a space
    try:
        moment = _read(text, zone, is_end=is_end)
    except (ValueError, OverflowError):
        wanted = "a date like 2026-11-25 or a time like 2026-11-25T14:15:00Z"
        raise Malformed(f"{name} must be {wanted}, not {text[:40]!r}", pointer=name) from None
    if moment.year not in YEARS:
        raise Malformed(f"{name} must lie between {YEARS[0]} and {YEARS[-1]}, not in {text[:40]!r}", pointer=name)
    if (moment.minute % QUARTER_MINUTES, moment.second, moment.microsecond) != (0, 0, 0):
        raise Malformed(f"{name} must be on a quarter of an hour, not {text[:40]!r}", pointer=name)
    return moment


def _read(text: str, zone: ZoneInfo, *, is_end: bool) -> datetime:
    if len(text) == len("2026-11-25"):
        return _midnight(date.fromisoformat(text) + (DAY if is_end else timedelta(0)), zone)
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=moment.tzinfo or zone).astimezone(UTC)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """When the local day begins; where the clocks skip midnight, at the first moment there is."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
