"""Windows of time as people say them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from dealdesk.domain.window import Window, read_window
from dealdesk.errors import Malformed

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)


def test_days_are_those_of_the_zone_and_the_last_one_is_inside() -> None:
    assert read_window("2026-11-01", "2026-11-02", "America/New_York", NOW) == Window(
        datetime(2026, 11, 1, 4, tzinfo=UTC), datetime(2026, 11, 3, 5, tzinfo=UTC), "America/New_York"
    )


def test_a_day_in_which_the_clocks_go_back_has_twenty_five_hours() -> None:
    window = read_window("2026-11-01", "2026-11-01", "America/New_York", NOW)

    assert window.end - window.start == timedelta(hours=25)


def test_without_anything_it_is_the_last_thirty_days_with_today() -> None:
    window = read_window(None, None, "America/New_York", NOW)

    assert window.end == datetime(2026, 11, 25, 5, tzinfo=UTC)  # there it is still the 24th
    assert [day for day, _ in window.days()][:1] == [date(2026, 10, 26)]


def test_times_are_taken_with_their_offset_and_without_one_in_the_zone() -> None:
    window = read_window("2026-11-25T01:15:00+05:30", "2026-11-25T02:45", "Asia/Kolkata", NOW)

    assert window == Window(
        datetime(2026, 11, 24, 19, 45, tzinfo=UTC), datetime(2026, 11, 24, 21, 15, tzinfo=UTC), "Asia/Kolkata"
    )


def test_a_plus_sign_that_became_a_space_is_still_an_offset() -> None:
    assert read_window("2026-11-24T01:15:00 05:30", None, "UTC", NOW).start == datetime(
        2026, 11, 23, 19, 45, tzinfo=UTC
    )


def test_the_days_cover_the_window_without_a_gap() -> None:
    window = read_window("2026-03-07T12:00:00Z", "2026-03-09", "America/New_York", NOW)
    parts = [part for _, part in window.days()]

    assert (parts[0].start, parts[-1].end) == (window.start, window.end)
    assert all(one.end == other.start for one, other in pairwise(parts))
    assert [day.isoformat() for day, _ in window.days()] == ["2026-03-07", "2026-03-08", "2026-03-09"]


@pytest.mark.parametrize(
    ("begin", "end", "zone", "pointer", "said"),
    [
        ("yesterday", None, "UTC", "from", "2026-11-25T14:15:00Z"),
        ("2026-11-31", None, "UTC", "from", "a date like"),
        (None, "2026-11-25T14:20:00Z", "UTC", "to", "quarter of an hour"),
        ("2026-11-25", "2026-11-24", "UTC", "to", "before it begins"),
        ("2016-11-25", "2026-11-24", "UTC", "from", "five years"),
        (None, None, "Mars/Olympus", "timezone", "America/New_York"),
        (None, None, "../../etc/passwd", "timezone", "no time zone"),
        (None, None, "", "timezone", "no time zone"),
        ("9999-12-31", "9999-12-31", "UTC", "to", "a date like"),
        (None, "9999-12-20", "UTC", "to", "between 2000 and 2099"),
        (None, "0001-01-01", "America/New_York", "to", "between 2000 and 2099"),
        ("1999-12-31", "2000-01-02", "UTC", "from", "between 2000 and 2099"),
    ],
)
def test_anything_else_is_refused_with_what_would_be_right(
    begin: str | None, end: str | None, zone: str, pointer: str, said: str
) -> None:
    with pytest.raises(Malformed, match=said) as refused:
        read_window(begin, end, zone, NOW)

    assert refused.value.pointer == pointer
