"""The `Figures` port: the sums are always those of what the deals have added, whoever counts and how often."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.adapters.dynamo_figures import DynamoFigures
from dealdesk.domain.events import CrmRecord, QuoteReceived
from dealdesk.edge import aws
from dealdesk.errors import TableBusy, VersionMoved
from dealdesk.ports import Cause, Counted
from dealdesk.usecases.measure_deal import measure_deal
from tests.fakes.dynamodb import Contention
from tests.table import TABLE

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
FIRST, LATER = "2026-11-25T10:00", "2026-11-25T11:45"
QUARTER, DAY = timedelta(minutes=15), timedelta(days=1)


@pytest.fixture
def figures(table_name: str, monkeypatch: pytest.MonkeyPatch) -> DynamoFigures:
    monkeypatch.setattr(aws, "clients", {})
    return DynamoFigures(table_name)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def sums(figures: DynamoFigures, start: str = "2026-11-01T00:00", end: str = "2026-12-01T00:00") -> dict[str, int]:
    tally, _ = figures.between(at(start), at(end))
    return {name: number for name, number in tally.items() if number}


def keep(figures: DynamoFigures, deal_id: str, counts: Mapping[str, Mapping[str, int]], version: int = 1) -> None:
    figures.keep(deal_id, counts, version=version, before=figures.added_by(deal_id), now=NOW)


def test_a_deal_that_has_added_nothing_is_not_there(figures: DynamoFigures) -> None:
    assert figures.added_by("d-1") is None
    assert figures.between(at(FIRST), at(LATER)) == ({}, None)


def test_what_a_deal_adds_is_there_and_in_the_sums(figures: DynamoFigures) -> None:
    keep(figures, "d-1", {FIRST: {"intents": 1}})
    keep(figures, "d-2", {FIRST: {"intents": 2, "duplicates": 1}})

    seen = figures.added_by("d-2")
    assert seen is not None
    assert (seen.counts, seen.version) == ({FIRST: {"intents": 2, "duplicates": 1}}, 1)
    assert sums(figures) == {"intents": 3, "duplicates": 1}
    assert figures.between(at(FIRST), at(LATER))[1] == NOW


def test_a_deal_that_moves_takes_back_what_it_had_added(figures: DynamoFigures) -> None:
    keep(figures, "d-1", {FIRST: {"touch.waiting:2026-11-25T10:05": 1}})
    keep(figures, "d-1", {FIRST: {"touch.after:120": 1}, LATER: {"intents": 1}}, version=2)

    assert sums(figures) == {"touch.after:120": 1, "intents": 1}


def test_two_who_saw_the_same_do_not_both_add(figures: DynamoFigures) -> None:
    keep(figures, "d-1", {FIRST: {"intents": 1}})
    seen = figures.added_by("d-1")
    figures.keep("d-1", {FIRST: {"intents": 2}}, version=2, before=seen, now=NOW)

    with pytest.raises(VersionMoved):
        figures.keep("d-1", {FIRST: {"intents": 2}}, version=2, before=seen, now=NOW)
    with pytest.raises(VersionMoved):
        figures.keep("d-1", {FIRST: {"intents": 5}}, version=3, before=None, now=NOW)

    assert sums(figures) == {"intents": 2}


def test_a_window_takes_its_first_quarter_and_not_the_one_at_its_end(figures: DynamoFigures) -> None:
    keep(figures, "d-1", {FIRST: {"a": 1}, "2026-11-25T11:30": {"b": 1}, LATER: {"c": 1}})

    assert sums(figures, FIRST, LATER) == {"a": 1, "b": 1}
    assert sums(figures, "2026-11-25T10:15", "2026-11-25T12:00") == {"b": 1, "c": 1}


QUARTERS = st.integers(min_value=0, max_value=110 * 96)
EPOCH = datetime(2026, 10, 12, tzinfo=UTC)
NUMBERS = itertools.count()


@given(st.lists(QUARTERS, min_size=1, max_size=12), QUARTERS, QUARTERS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_window_is_the_sum_of_its_quarters(
    figures: DynamoFigures, happened: list[int], one: int, other: int
) -> None:
    """Over the ends of a year, of months and days: what is whole is read as such, the rest in parts, nothing twice."""
    start, end = EPOCH + min(one, other) * QUARTER, EPOCH + max(one, other) * QUARTER
    deal_id = f"d-{next(NUMBERS)}"
    before = figures.between(start, end)[0].get("x", 0)
    counts: dict[str, Counter[str]] = {}
    for number in happened:
        counts.setdefault(f"{EPOCH + number * QUARTER:%Y-%m-%dT%H:%M}", Counter())["x"] += 1

    keep(figures, deal_id, counts)

    inside = sum(start <= EPOCH + number * QUARTER < end for number in happened)
    assert figures.between(start, end)[0].get("x", 0) - before == inside


def test_more_than_one_transaction_holds_is_added_in_steps(figures: DynamoFigures) -> None:
    many = {f"{EPOCH + number * DAY:%Y-%m-%dT%H:%M}": {"intents": 1} for number in range(130)}

    keep(figures, "d-1", many)
    keep(figures, "d-1", dict(list(many.items())[:7]), version=2)

    assert sums(figures, "2026-01-01T00:00", "2027-12-01T00:00") == {"intents": 7}


def a_deal(deals: DynamoDeals, deal_id: str) -> None:
    received = QuoteReceived(CrmRecord("salesforce", deal_id), NOW, "person-1")
    new = deals.load(deal_id, or_new=True)
    deals.save(new, [received], cause=Cause("test", deal_id), actor="person-1", now=NOW)


def test_thirty_two_who_count_one_deal_count_it_once(figures: DynamoFigures) -> None:
    deals = DynamoDeals(TABLE, 1200)
    a_deal(deals, "d-1")

    def measure(_: int) -> bool | None:
        try:
            return measure_deal(deals, figures, "d-1", now=NOW)
        except VersionMoved:
            return None

    with ThreadPoolExecutor(32) as pool:
        answers = Counter(pool.map(measure, range(32)))

    assert answers[True] == 1
    assert sums(figures) == {"created.open:2026-11-25T12": 1}
    assert measure_deal(deals, figures, "d-1", now=NOW) is False


def test_deals_that_are_counted_at_once_are_all_in_the_sums(figures: DynamoFigures) -> None:
    deals = DynamoDeals(TABLE, 1200)
    for number in range(24):
        a_deal(deals, f"d-{number}")

    contention = Contention(aws.client("dynamodb"))

    def measure(number: int) -> None:
        while True:
            try:
                measure_deal(deals, figures, f"d-{number}", now=NOW)
            except TableBusy:
                continue  # as its message would come again
            return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(measure, range(24)))

    assert contention.met > 0
    assert sums(figures) == {"created.open:2026-11-25T12": 24}


def test_who_has_read_less_than_was_counted_changes_nothing(figures: DynamoFigures) -> None:
    deals = DynamoDeals(TABLE, 1200)
    a_deal(deals, "d-1")
    keep(figures, "d-1", {FIRST: {"intents": 1}}, version=9)

    assert measure_deal(deals, figures, "d-1", now=NOW) is False
    assert sums(figures) == {"intents": 1}


def rows() -> Iterator[dict[str, Any]]:
    for page in boto3.client("dynamodb").get_paginator("scan").paginate(TableName=TABLE):
        yield from page["Items"]


def test_the_sums_say_how_often_they_changed(figures: DynamoFigures) -> None:
    keep(figures, "d-1", {FIRST: {"intents": 1}})
    keep(figures, "d-1", {FIRST: {"intents": 3}}, version=2)

    found = {row["sk"]["S"]: (row["changes"]["N"], row["body"]["S"]) for row in rows() if "changes" in row}
    assert {sk.partition("#")[0] for sk in found} == {"10:00", "25", "11"}
    assert set(found.values()) == {("2", '{"intents":{"":3}}')}


def test_counted_is_what_the_table_has(figures: DynamoFigures) -> None:
    keep(figures, "d-1", {FIRST: {"b": 1, "a": 2}})

    assert figures.added_by("d-1") == Counted({FIRST: {"b": 1, "a": 2}}, 1, '{"2026-11-25T10:00":{"a":2,"b":1}}')
