"""Figures made from counts: rates with their intervals, proper medians, and estimates that keep what is open."""

from __future__ import annotations

import statistics
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdesk.domain import kpis

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
TOOK = st.lists(st.integers(min_value=0, max_value=10**6), min_size=1, max_size=40)


def test_the_touch_rate_is_of_those_whose_five_minutes_are_over() -> None:
    tally = {
        "touch.after:0": 1,
        "touch.after:300": 2,
        "touch.after:301": 1,
        "touch.missed": 1,
        "touch.waiting:2026-11-25T11:59": 1,
        "touch.waiting:2026-11-25T12:00": 4,
        "touch.withdrawn": 8,
        "touch.auto": 16,
    }

    found = kpis.touch_rate(tally, NOW)

    assert (found.hits.part, found.hits.n, found.open, found.withdrawn, found.auto) == (3, 6, 4, 8, 16)
    assert (found.p50_seconds, found.p90_seconds) == (Decimal(300), 301)


def test_a_name_that_has_come_back_to_nothing_is_nothing() -> None:
    found = kpis.touch_rate({"touch.waiting:2026-11-25T11:59": 0, "touch.after:10": 0, "touch.after:20": 1}, NOW)

    assert (found.hits.n, found.p50_seconds) == (1, Decimal(20))


# From the formula of Wilson (1927) with z = 1.959964, to four digits.
@pytest.mark.parametrize(
    ("part", "n", "low", "high"),
    [
        (0, 10, "0.0000", "0.2775"),
        (5, 10, "0.2366", "0.7634"),
        (10, 10, "0.7225", "1.0000"),
        (81, 263, "0.2553", "0.3662"),
    ],
)
def test_the_interval_is_that_of_wilson(part: int, n: int, low: str, high: str) -> None:
    found = kpis.rate(part, n)

    assert found.low is not None
    assert found.high is not None
    assert (f"{found.low:.4f}", f"{found.high:.4f}") == (low, high)


def test_of_nothing_there_is_no_rate_and_no_median() -> None:
    assert kpis.rate(0, 0) == kpis.Rate(0, 0, None, None, None)
    assert kpis.median({}) is None
    assert kpis.percentile({}, 90) is None
    assert kpis.kaplan_meier_median({}, {}) is None


@given(TOOK)
def test_the_median_is_the_mean_of_the_two_in_the_middle(took: list[int]) -> None:
    assert kpis.median(Counter(took)) == Decimal(str(statistics.median(took)))


@given(TOOK, st.integers(min_value=1, max_value=100))
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(took: list[int], percent: int) -> None:
    found = kpis.percentile(Counter(took), percent)

    assert found in took
    assert sum(value <= found for value in took) * 100 >= percent * len(took)
    assert sum(value < found for value in took) * 100 < percent * len(took)


def test_kaplan_and_meier_with_their_textbook_example() -> None:
    """Weeks of remission under 6-MP (Freireich 1963): 21 patients, 9 relapses, median 23."""
    relapsed = Counter({6: 3, 7: 1, 10: 1, 13: 1, 16: 1, 22: 1, 23: 1})
    left = Counter([6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35])

    assert kpis.kaplan_meier_median(relapsed, left) == 23


@given(TOOK)
def test_without_anybody_who_left_it_is_when_half_have_ended(took: list[int]) -> None:
    half = sorted(took)[(len(took) + 1) // 2 - 1]

    assert kpis.kaplan_meier_median(Counter(took), {}) == half


def test_open_deals_count_for_as_long_as_they_are_and_lost_ones_leave() -> None:
    yesterday = NOW - timedelta(days=1)
    tally = {
        "created.to_cash:3600": 2,
        "created.to_lost:60": 1,
        f"created.open:{yesterday:%Y-%m-%dT%H}": 2,
        "created.cash:3600": 1,
        "created.cash:7200": 1,
    }

    found = kpis.quote_to_cash(tally, NOW).q2c_created

    assert (found.n, found.median_seconds) == (2, Decimal(5400))
    assert (found.started, found.lost, found.open) == (5, 1, 2)
    assert found.kaplan_meier_median_seconds == 3600  # two of the four that were left by then


def test_it_is_not_known_when_half_will_have_paid_while_too_few_have() -> None:
    tally = {"presented.to_cash:3600": 1, "presented.open:2026-11-01T00": 3}

    assert kpis.quote_to_cash(tally, NOW).q2c_presented.kaplan_meier_median_seconds is None


def test_stages_have_their_own_times() -> None:
    stages = {
        stage.name: stage for stage in kpis.quote_to_cash({"stage.signed:60": 9, "stage.signed:7200": 1}, NOW).stages
    }

    assert list(stages) == ["approved", "sent", "signed", "cash", "posted"]
    assert (stages["signed"].n, stages["signed"].p50_seconds, stages["signed"].p90_seconds) == (10, Decimal(60), 60)
    assert stages["sent"].p50_seconds is None


def test_what_rules_or_people_allowed_is_compliant() -> None:
    found = kpis.compliance({"signed.inside": 6, "signed.exception": 3, "signed.outside": 1})

    assert (found.compliant.part, found.compliant.n, found.outside) == (9, 10, 1)


def test_a_payment_that_came_twice_is_one_error_of_all_that_was_promised() -> None:
    assert kpis.idempotency({"intents": 400, "duplicates": 1}).errors.rate == Decimal("0.0025")
