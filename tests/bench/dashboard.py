"""What the dashboard costs with a hundred times the deals: it reads sums, whose number and size have a bound.

The sums are made here as the desk makes them, from what deals add. Their names are drawn, as a million histories would
take a quarter of an hour to fold; `tests/unit/test_dashboard_bench.py` holds the names against real ones.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from dealdesk.adapters.claims import Item
from dealdesk.adapters.dynamo_figures import DynamoFigures, sum_row, sums_of
from dealdesk.contracts import figure_rest
from dealdesk.domain.figures import Counts, bucket, quarter_of
from dealdesk.edge import aws
from tests.bench.figures import Figure
from tests.bench.in_process import table
from tests.table import TABLE

FEW, MANY = 10_000, 1_000_000
FIRST = datetime(2026, 8, 1, tzinfo=UTC)
DAYS = 90
LARGEST_ROW_KB = 400
LIMIT = 10
TRIES = 5


def measure() -> list[Figure]:
    """The summary of ninety days of New York, in CPU time, and the largest row that it reads."""
    seconds, rows_kb = zip(*(_summary_of(deals) for deals in (FEW, MANY)), strict=True)
    return [
        Figure("dashboard.summary_10k", seconds[0] * 1000, "ms"),
        Figure("dashboard.summary_1m", seconds[1] * 1000, "ms"),
        Figure("dashboard.growth", seconds[1] / seconds[0], "x", f"{FEW:,} deals", seconds[1] / seconds[0], LIMIT),
        Figure("dashboard.largest_row_1m", rows_kb[1], "kB", limit=LARGEST_ROW_KB),
    ]


def a_deal(dice: random.Random) -> Counts:
    """What a deal may add: it needs people or not, and is paid, lost or open."""
    start = FIRST + timedelta(seconds=dice.randrange(DAYS * 86_400))
    counts: dict[str, Counter[str]] = {}

    def add(at: datetime, *names: str) -> None:
        counts.setdefault(quarter_of(at), Counter()).update(names)

    if dice.random() < 0.5:
        add(start, "evaluated.auto_approve", "touch.auto", "intents")
    else:
        add(
            start, "evaluated.needs_approval", f"touch.after:{bucket(int(dice.expovariate(1 / 240)), 1_000)}", "intents"
        )
    at, spans = start, [int(dice.lognormvariate(10, 1.5)) for _ in range(5)]
    reached = 5 if dice.random() < 0.8 else dice.randrange(5)
    for name, span in list(zip(("approved", "sent", "signed", "cash", "posted"), spans, strict=True))[:reached]:
        at += timedelta(seconds=span)
        add(at, f"stage.{name}:{bucket(span)}", "intents")
    cash = start + timedelta(seconds=sum(spans[:4]))
    took = bucket(sum(spans[:4]))
    if reached == 5:
        add(start, f"created.to_cash:{took}")
        add(start + timedelta(seconds=sum(spans[:2])), f"presented.to_cash:{bucket(sum(spans[2:4]))}")
        add(cash, f"created.cash:{took}", f"presented.cash:{bucket(sum(spans[2:4]))}", "signed.inside")
    elif dice.random() < 0.5:
        add(start, f"created.to_lost:{bucket(sum(spans[:reached]))}")
    else:
        add(start, f"created.open:{start:%Y-%m-%dT%H}")
    return {quarter: dict(numbers) for quarter, numbers in counts.items()}


def sums(deals: int) -> Iterator[Item]:
    """The rows that so many deals leave."""
    dice = random.Random(deals)
    found: dict[tuple[str, str], Counter[str]] = {}
    for number in range(deals):
        for key, numbers in sums_of(f"d-{number}", a_deal(dice)).items():
            found.setdefault(key, Counter()).update(numbers)
    for key, numbers in found.items():
        yield sum_row(key, numbers, None, FIRST)


def _summary_of(deals: int) -> tuple[float, float]:
    """CPU seconds of the best of a few, and kB of the largest row."""
    with table() as made:
        aws.clients.clear()
        largest = 0
        for row in sums(deals):
            made.put(row)
            largest = max(largest, len(row["body"]["S"]))
        figures = DynamoFigures(TABLE)
        start = FIRST + timedelta(hours=4)
        taken = []
        for _ in range(TRIES):
            began = time.process_time()
            tally, _ = figures.between(start, start + timedelta(days=DAYS))
            figure_rest.summary(tally, FIRST + timedelta(days=DAYS))
            taken.append(time.process_time() - began)
        aws.clients.clear()
        return min(taken), largest / 1024
