"""What a deal adds to the figures, by its story; and that adding is all there is to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdesk.domain import approvals, signature
from dealdesk.domain import events as e
from dealdesk.domain.directory import NOBODY
from dealdesk.domain.figures import Counts, bucket, changes, count, quarter_of
from dealdesk.domain.money import Money
from dealdesk.domain.stages import EnvelopeStatus, Stage
from local.build import read_template
from tests.table import ROOT
from tests.unit.domain.deals import (
    EXECUTIVE,
    FINANCE,
    IN_EXECUTIVE,
    IN_FINANCE,
    OWNER,
    Story,
    a_story,
    linked,
    paid,
    posting,
)
from tests.unit.domain.quotes import a_quote

MONDAY = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
FROM, TO = quarter_of(MONDAY), quarter_of(MONDAY + 4 * HOUR)


def history(story: Story) -> list[tuple[datetime, e.Event]]:
    return list(zip(story.times, story.events, strict=True))


def counted(story: Story) -> Counts:
    return count("d-1", history(story))


def names(counts: Counts) -> dict[str, int]:
    """Without the quarters."""
    found: Counter[str] = Counter()
    for numbers in counts.values():
        found.update(numbers)
    return dict(found)


def submitted(off: str = "10", **terms: object) -> Story:
    return Story().then([e.QuoteReceived(None, MONDAY, OWNER)], MONDAY).quoted(a_quote(off=off, **terms), at=MONDAY)


def asked() -> Story:
    return submitted("25", payment_terms_days=40)


def signed(story: Story, at: datetime) -> Story:
    """The contract goes out, and the customer signs an hour later."""
    deal_id = story.deal.id
    intent = next(intent for intent in story.deal.intents if intent.key.startswith("envelope:"))
    story.then(signature.sent(story.deal, intent.key, f"env-{deal_id}", at), at)
    completed = signature.moved(
        story.deal, intent.key, f"env-{deal_id}", EnvelopeStatus.COMPLETED, "", at + HOUR, at + HOUR
    )
    return story.then(completed, at + HOUR)


def paid_up(story: Story, at: datetime) -> Story:
    story.then(linked(story.deal), at)
    return story.then(paid(story.deal), at)


def whole_way() -> Story:
    story = paid_up(signed(submitted(), MONDAY + HOUR), MONDAY + 4 * HOUR)
    return story.then(posting(story.deal), MONDAY + 5 * HOUR)


def test_a_deal_that_needs_nobody_counts_beside_the_touch_rate() -> None:
    at_once = ("created.open:2026-11-23T10", "evaluated.auto_approve", "intents", "touch.auto", "stage.approved:0")

    assert counted(submitted()) == {FROM: dict.fromkeys(at_once, 1)}


def test_a_deal_on_its_whole_way() -> None:
    counts = counted(whole_way())

    assert counts[FROM] == {"evaluated.auto_approve": 1, "intents": 1, "touch.auto": 1, "created.to_cash:14400": 1} | {
        "stage.approved:0": 1
    }
    assert counts[quarter_of(MONDAY + HOUR)] == {"stage.sent:3600": 1, "presented.to_cash:10800": 1}
    assert counts[quarter_of(MONDAY + 2 * HOUR)] == {"stage.signed:3600": 1, "signed.inside": 1, "intents": 1}
    assert counts[TO] == {"created.cash:14400": 1, "presented.cash:10800": 1, "stage.cash:7200": 1}
    assert counts[quarter_of(MONDAY + 5 * HOUR)] == {"stage.posted:3600": 1, "intents": 1}


def test_a_deal_that_waits_for_people_waits_until_its_clock_runs_out() -> None:
    assert (
        names(counted(asked())).items() >= {"touch.waiting:2026-11-23T10:05": 1, "evaluated.needs_approval": 1}.items()
    )


@pytest.mark.parametrize(("minutes", "name"), [(4, "touch.after:240"), (60, "touch.after:3600")])
def test_a_touch_counts_with_its_time_where_the_clock_started(minutes: int, name: str) -> None:
    story = asked()
    at = MONDAY + minutes * MINUTE
    story.then(approvals.claim(story.deal, FINANCE, IN_FINANCE, NOBODY, at), at)

    touches = {key: number for key, number in counted(story)[FROM].items() if key.startswith("touch")}
    assert touches == {name: 1}


@pytest.mark.parametrize(("minutes", "name"), [(3, "touch.withdrawn"), (6, "touch.missed")])
def test_what_is_taken_back_untouched_was_late_or_was_not(minutes: int, name: str) -> None:
    story = asked()
    at = MONDAY + minutes * MINUTE
    story.then(approvals.recall(story.deal, OWNER, may_recall_any=False), at)

    assert names(counted(story))[name] == 1


def test_what_comes_again_is_counted_again() -> None:
    story = asked()
    story.then(approvals.recall(story.deal, OWNER, may_recall_any=False), MONDAY + 10 * MINUTE)
    story.quoted(a_quote(off="25", payment_terms_days=40), at=MONDAY + DAY)
    story.then(approvals.claim(story.deal, FINANCE, IN_FINANCE, NOBODY, MONDAY + DAY + MINUTE), MONDAY + DAY + MINUTE)

    assert names(counted(story)).items() >= {"touch.missed": 1, "touch.after:60": 1}.items()


def test_a_contract_that_people_approved_is_an_exception_and_not_outside() -> None:
    story = asked()
    story.decided(by=FINANCE, groups=IN_FINANCE, at=MONDAY)
    story.decided("executive", by=EXECUTIVE, groups=IN_EXECUTIVE, at=MONDAY)

    assert names(counted(signed(story, MONDAY + HOUR)))["signed.exception"] == 1


def test_a_contract_that_nobody_approved_as_it_was_signed_is_outside() -> None:
    story = signed(submitted(), MONDAY + HOUR)
    forged = [
        replace(event, certificate=replace(event.certificate, fingerprint="other"))
        if isinstance(event, e.DealApproved)
        else event
        for event in story.events
    ]

    assert names(count("d-1", zip(story.times, forged, strict=True)))["signed.outside"] == 1


def test_a_lost_deal_leaves_when_it_ended() -> None:
    story = asked()
    story.decided(by=FINANCE, groups=IN_FINANCE, approve=False, at=MONDAY + HOUR)

    assert names(counted(story))["created.to_lost:3600"] == 1


def test_half_of_the_money_is_no_cash() -> None:
    story = signed(submitted(), MONDAY + HOUR)
    story.then(linked(story.deal), MONDAY + 4 * HOUR)
    assert story.deal.payment is not None
    half = Money(story.deal.payment.amount.amount_minor // 2, "USD")
    story.then(paid(story.deal, half), MONDAY + 4 * HOUR)

    found = names(counted(story))

    assert "created.open:2026-11-23T10" in found
    assert not any(name.startswith("created.cash") for name in found)


@pytest.mark.parametrize(("days", "flagged"), [(90, True), (91, False)])
def test_money_that_goes_back_within_ninety_days_flags_the_measure_and_deletes_nothing(
    days: int, *, flagged: bool
) -> None:
    story = whole_way()
    gone = e.PaymentRefunded("refund:r", "r", "pay_d-1_1", "pi_1", Money(100, "USD"), "re_1")
    story.then([gone], MONDAY + 4 * HOUR + days * DAY)

    found = names(counted(story))

    assert ("cash.reopened" in found) is flagged
    assert found["created.cash:14400"] == 1


def test_a_payment_that_came_twice_is_an_error_and_the_other_unmatched_money_is_not() -> None:
    story = whole_way()
    for duplicate in (True, False):
        money = e.PaymentUnmatched("pay_d-1_1", "cs_1", Money(100, "USD"), "why", duplicate, f"pi_{duplicate}")
        story.then([money], MONDAY + DAY)

    assert names(counted(story))["duplicates"] == 1


def test_asking_again_for_a_posting_is_one_intent() -> None:
    story = whole_way()
    again = next(event for event in story.events if isinstance(event, e.PostingRequested))
    before = names(counted(story))["intents"]

    assert names(counted(story.then([again], MONDAY + DAY)))["intents"] == before


KEPT = [(-5, 0), (0, 0), (99, 99), (101, 102), (199, 200), (203, 205), (499, 500), (504, 500), (505, 510), (999, 1000)]


@pytest.mark.parametrize(("seconds", "kept"), [*KEPT, (14_400, 14_400), (1_234_567, 1_240_000)])
def test_times_are_kept_to_few_numbers(seconds: int, kept: int) -> None:
    assert bucket(seconds) == kept


@pytest.mark.parametrize("seconds", [0, 299, 300, 301, 999])
def test_the_time_until_a_touch_is_exact_where_it_is_judged(seconds: int) -> None:
    assert bucket(seconds, 1_000) == seconds


@given(st.integers(min_value=0, max_value=10**9))
def test_a_kept_time_is_at_most_one_and_a_quarter_percent_off(seconds: int) -> None:
    assert abs(bucket(seconds) - seconds) * 80 <= seconds
    assert bucket(bucket(seconds)) == bucket(seconds)


def test_there_are_few_times_however_many_deals() -> None:
    assert len({bucket(seconds) for seconds in range(10_000)} | {bucket(day * 86_400) for day in range(1_000)}) < 1_000


def prefixes(story: Story) -> Iterator[tuple[e.Event, Counts, Counts]]:
    """What the deal has added before and after each of its events."""
    told = history(story)
    for end in range(1, len(told) + 1):
        yield told[end - 1][1], count("d-1", told[: end - 1]), count("d-1", told[:end])


REAL = [stage for stage in Stage if stage not in (Stage.EXPIRED, Stage.LOST)]


@pytest.mark.parametrize("stage", REAL)
def test_differences_lead_from_nothing_to_the_counts(stage: Stage) -> None:
    sums: dict[str, Counter[str]] = {}
    for _, before, after in prefixes(a_story(stage)):
        for quarter, numbers in changes(before, after).items():
            sums.setdefault(quarter, Counter()).update(numbers)

    left = {quarter: {name: n for name, n in numbers.items() if n} for quarter, numbers in sums.items()}
    assert {quarter: numbers for quarter, numbers in left.items() if numbers} == counted(a_story(stage))


def test_every_event_that_moves_a_figure_is_told_to_the_function_that_counts() -> None:
    told = read_template(ROOT / "template.yaml")["Resources"]["MeasureDealsRule"]["Properties"]["EventPattern"]
    stories = [whole_way(), asked(), *(a_story(stage) for stage in REAL)]
    half = signed(submitted(), MONDAY + HOUR)
    half.then(linked(half.deal), MONDAY + 4 * HOUR)
    half.then(paid(half.deal, Money(100, "USD")), MONDAY + 4 * HOUR)
    gone = e.PaymentRefunded("refund:r", "r", "pay_d-1_1", "pi_1", Money(100, "USD"), "re_1")
    lost = e.PaymentDisputed("dp_1", "pay_d-1_1", "pi_1", Money(100, "USD"), "LOST", "fraud")
    twice = e.PaymentUnmatched("pay_d-1_1", "cs_1", Money(100, "USD"), "why", True, "pi_2")
    stories += [half, whole_way().then([gone], MONDAY + DAY), whole_way().then([lost, twice], MONDAY + DAY)]
    asked_back: list[e.Event] = [
        e.RefundApproved("refund:r", "r", FINANCE),
        e.CreditMemoApproved("credit:c", "c", FINANCE),
    ]
    stories += [whole_way().then(asked_back, MONDAY + DAY), asked().then([e.ApprovalExpired(MONDAY)], MONDAY + DAY)]

    moving = {event.TYPE for story in stories for event, before, after in prefixes(story) if before != after}

    assert moving - set(told["detail-type"]) == set()
    # The last event of a transaction leads here as well as the others: what is told beyond is for those.
    assert set(told["detail-type"]) - moving <= {"payment.partially_paid"}
