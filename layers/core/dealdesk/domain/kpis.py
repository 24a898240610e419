"""The desk's figures over a window, made from what its deals have added (`domain/figures.py`).

Every rate comes with the number that it is of, and is None where that is 0: no figure is made up. Times are seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from dealdesk.domain.figures import MILESTONES
from dealdesk.domain.touch import WITHIN_SECONDS

QUERY_VERSION = 1
"""Goes up when a figure means something else than before."""

Tally = Mapping[str, int]
"""How many by name, over the window."""
Distribution = Mapping[int, int]
"""How many by seconds."""

Z_95 = Decimal("1.959963984540054")
HALF = Decimal("0.5") + Decimal("1e-20")  # a product of fractions may miss a half by its rounding


@dataclass(frozen=True, slots=True)
class Rate:
    """`part` of `n`, with the 95% interval of Wilson."""

    part: int
    n: int
    rate: Decimal | None
    low: Decimal | None
    high: Decimal | None


@dataclass(frozen=True, slots=True)
class TouchRate:
    """Deals that somebody took up within five minutes of opening time, of those whose five minutes are over.

    Beside them, and in neither number: `open` may still be in time, `withdrawn` were no longer wanted before it was
    late, `auto` needed nobody. The percentiles are of the deals that were touched.
    """

    hits: Rate
    open: int
    withdrawn: int
    auto: int
    p50_seconds: Decimal | None
    p90_seconds: int | None


@dataclass(frozen=True, slots=True)
class TimeToCash:
    """From one start to the money. `median_seconds` is of the `n` deals that were paid in the window.

    The estimate of Kaplan and Meier is of the deals that started in the window: those that were lost leave it, and
    those that are open count for as long as they are. It is None where half of them are not expected to be paid yet.
    """

    n: int
    median_seconds: Decimal | None
    started: int
    lost: int
    open: int
    kaplan_meier_median_seconds: int | None


@dataclass(frozen=True, slots=True)
class StageTime:
    """How long deals took to reach a milestone from the one before it."""

    name: str
    n: int
    p50_seconds: Decimal | None
    p90_seconds: int | None


@dataclass(frozen=True, slots=True)
class QuoteToCash:
    """From when the quote was made, and from when it was first sent to the customer."""

    q2c_created: TimeToCash
    q2c_presented: TimeToCash
    stages: tuple[StageTime, ...]
    reopened: int


@dataclass(frozen=True, slots=True)
class Compliance:
    """Contracts signed whose terms were inside the rules or inside what people approved."""

    compliant: Rate
    by_rules: int
    by_approval: int
    outside: int


@dataclass(frozen=True, slots=True)
class Idempotency:
    """Payments that arrived a second time, of the effects on money and documents that the desk promised itself."""

    errors: Rate


def touch_rate(tally: Tally, as_of: datetime) -> TouchRate:
    took = _distribution(tally, "touch.after")
    waiting = _by_time(tally, "touch.waiting")
    late = tally.get("touch.missed", 0) + sum(number for due, number in waiting if due < as_of)
    return TouchRate(
        hits=rate(sum(n for seconds, n in took.items() if seconds <= WITHIN_SECONDS), sum(took.values()) + late),
        open=sum(number for due, number in waiting if due >= as_of),
        withdrawn=tally.get("touch.withdrawn", 0),
        auto=tally.get("touch.auto", 0),
        p50_seconds=median(took),
        p90_seconds=percentile(took, 90),
    )


def quote_to_cash(tally: Tally, as_of: datetime) -> QuoteToCash:
    reached = ((name, _distribution(tally, f"stage.{name}")) for name in MILESTONES[1:])
    return QuoteToCash(
        q2c_created=_time_to_cash(tally, "created", as_of),
        q2c_presented=_time_to_cash(tally, "presented", as_of),
        stages=tuple(StageTime(name, sum(took.values()), median(took), percentile(took, 90)) for name, took in reached),
        reopened=tally.get("cash.reopened", 0),
    )


def compliance(tally: Tally) -> Compliance:
    inside, exception, outside = (tally.get(f"signed.{name}", 0) for name in ("inside", "exception", "outside"))
    return Compliance(rate(inside + exception, inside + exception + outside), inside, exception, outside)


def idempotency(tally: Tally) -> Idempotency:
    return Idempotency(rate(tally.get("duplicates", 0), tally.get("intents", 0)))


def evaluations(tally: Tally) -> dict[str, int]:
    """Revisions judged, by outcome."""
    return {outcome: tally.get(f"evaluated.{outcome}", 0) for outcome in ("auto_approve", "needs_approval", "blocked")}


def rate(part: int, n: int) -> Rate:
    """With the score interval of Wilson, which stays inside 0 and 1 and is honest for few."""
    if n == 0:
        return Rate(part, n, None, None, None)
    p, z2 = Decimal(part) / n, Z_95 * Z_95
    middle = p + z2 / (2 * n)
    spread = Z_95 * (p * (1 - p) / n + z2 / (4 * n * n)).sqrt()
    whole = 1 + z2 / n
    return Rate(part, n, p, max(Decimal(0), (middle - spread) / whole), min(Decimal(1), (middle + spread) / whole))


def median(took: Distribution) -> Decimal | None:
    """The middle one, or the mean of the two in the middle."""
    n = sum(took.values())
    if n == 0:
        return None
    return Decimal(_nth(took, (n - 1) // 2) + _nth(took, n // 2)) / 2


def percentile(took: Distribution, percent: int) -> int | None:
    """The smallest value that at least so many of a hundred do not exceed."""
    n = sum(took.values())
    return _nth(took, -(-n * percent // 100) - 1) if n else None


def kaplan_meier_median(ended: Distribution, left: Distribution) -> int | None:
    """When half have ended, of those that may: who has `left` counts until then, at a tie one moment longer."""
    at_risk, alive = sum(ended.values()) + sum(left.values()), Decimal(1)
    for seconds in sorted({*ended, *left}):
        number = ended.get(seconds, 0)
        alive *= 1 - Decimal(number) / at_risk
        if number and alive <= HALF:
            return seconds
        at_risk -= number + left.get(seconds, 0)
    return None


def _time_to_cash(tally: Tally, start: str, as_of: datetime) -> TimeToCash:
    paid, lost = _distribution(tally, f"{start}.to_cash"), _distribution(tally, f"{start}.to_lost")
    open_for: Counter[int] = Counter()
    for since, number in _by_time(tally, f"{start}.open"):
        open_for[max(0, int((as_of - since).total_seconds()))] += number
    in_window = _distribution(tally, f"{start}.cash")
    return TimeToCash(
        n=sum(in_window.values()),
        median_seconds=median(in_window),
        started=sum(paid.values()) + sum(lost.values()) + open_for.total(),
        lost=sum(lost.values()),
        open=open_for.total(),
        kaplan_meier_median_seconds=kaplan_meier_median(paid, Counter(lost) + open_for),
    )


def _nth(took: Distribution, index: int) -> int:
    for seconds in sorted(took):
        index -= took[seconds]
        if index < 0:
            return seconds
    raise IndexError(index)


def _distribution(tally: Tally, prefix: str) -> dict[int, int]:
    return {int(value): number for value, number in _under(tally, prefix)}


def _by_time(tally: Tally, prefix: str) -> list[tuple[datetime, int]]:
    return [(datetime.fromisoformat(value).replace(tzinfo=UTC), number) for value, number in _under(tally, prefix)]


def _under(tally: Tally, prefix: str) -> Iterator[tuple[str, int]]:
    for name, number in tally.items():
        before, colon, value = name.partition(":")
        if colon and before == prefix and number:
            yield value, number
