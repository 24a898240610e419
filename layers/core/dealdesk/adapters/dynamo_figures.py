"""The desk's figures in DynamoDB: what each deal has added, and sums by month, by day and by quarter of an hour.

A deal that moves changes its own row and the sums in one transaction, so that the sums are always those of the rows.
They are spread over four rows each: deals that move at once seldom meet. Windows read whole months and days where they
can and quarters at their ends, so that any time zone has its own days.
"""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from dealdesk.adapters import codec, reads
from dealdesk.adapters.claims import ATTEMPTS, NEW, Condition, Item, equals, key_of, new_item, pause, transact
from dealdesk.domain.figures import Counts, changes
from dealdesk.edge import aws
from dealdesk.errors import TableBusy, VersionMoved
from dealdesk.ports import Counted

SPREAD = 4
DAY, QUARTER, MOMENT = timedelta(days=1), timedelta(minutes=15), timedelta(microseconds=1)
QUARTERS_AT_ONCE = 30  # each in three sums at worst, and a transaction has a hundred writes

Key = tuple[str, str]
Sum = dict[str, dict[str, int]]
"""How many, by the two halves of a name: `touch.after` and `240`, or `intents` and nothing."""


class DynamoFigures:
    """The `Figures` port."""

    def __init__(self, table_name: str) -> None:
        self._table = table_name
        self._dynamodb = aws.client("dynamodb")

    def added_by(self, deal_id: str) -> Counted | None:
        row = reads.row(self._dynamodb, self._table, *_deal_key(deal_id))
        return counted(row) if row else None

    def keep(
        self,
        deal_id: str,
        counts: Mapping[str, Mapping[str, int]],
        *,
        version: int,
        before: Counted | None,
        now: datetime,
    ) -> None:
        for counts_then in _in_steps(before.counts if before else {}, counts):
            self._keep(deal_id, counts_then, version, before, now)
            before = Counted(counts_then, version, codec.dump(counts_then))

    def between(self, start: datetime, end: datetime) -> tuple[Mapping[str, int], datetime | None]:
        merged: dict[str, Counter[str]] = defaultdict(Counter)
        newest = ""
        for row in self._sums(start, end):
            for kind, numbers in codec.parse(row["body"]["S"], Sum).items():
                merged[kind].update(numbers)
            newest = max(newest, row["updated_at"]["S"])
        return _flat(merged), datetime.fromisoformat(newest) if newest else None

    def _keep(
        self,
        deal_id: str,
        counts: Mapping[str, Mapping[str, int]],
        version: int,
        before: Counted | None,
        now: datetime,
    ) -> None:
        """Tried again when another deal has moved one of the sums meanwhile."""
        pk, sk = _deal_key(deal_id)
        row = new_item(pk=pk, sk=sk, version=version, body=codec.dump(counts))
        seen = equals("body", before.row) if before else NEW
        moved = sums_of(deal_id, changes(before.counts if before else {}, counts))
        subject = f"the figures of deal {deal_id}"
        for attempt in range(ATTEMPTS):
            writes = [self._put(row, seen), *(self._put(*new) for new in self._added_to_sums(moved, subject, now))]
            try:
                stands = transact(self._dynamodb, writes, subject)
            except VersionMoved:
                pause(attempt)
                continue
            if stands is not None:
                raise VersionMoved(f"{subject} were counted by somebody else")
            return
        raise TableBusy(f"{subject} kept meeting those of others; try again")

    def _added_to_sums(
        self, moved: Mapping[Key, Mapping[str, int]], subject: str, now: datetime
    ) -> Iterator[tuple[Item, Condition]]:
        keys = [key_of(*key) for key in moved]
        found = reads.together(self._dynamodb, self._table, keys, subject) if keys else []
        there = {(row["pk"]["S"], row["sk"]["S"]): row for row in found}
        for key, numbers in moved.items():
            total = Counter(numbers_in(there.get(key)))
            total.update(numbers)
            yield sum_row(key, total, there.get(key), now), as_seen(there.get(key))

    def _put(self, row: Item, condition: Condition) -> dict[str, Any]:
        return {"Put": {"TableName": self._table, "Item": row, **condition}}

    def _sums(self, start: datetime, end: datetime) -> Iterator[Item]:
        """Whole UTC days between the two, and the quarters before the first and after the last of them."""
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        first, last = _midnight(start + DAY - MOMENT), _midnight(end)
        if first > last:
            yield from self._quarters(start, end)
            return
        yield from self._quarters(start, first)
        yield from self._days(first, last)
        yield from self._quarters(last, end)

    def _days(self, start: datetime, end: datetime) -> Iterator[Item]:
        """Whole months between the two midnights, and the days before the first and after the last of them."""
        first, last = _first_of_month(start, or_later=True), _first_of_month(end)
        if first > last:
            yield from self._days_of_month(start, end)
            return
        yield from self._days_of_month(start, first)
        while first < last:
            following = min(first.replace(year=first.year + 1, month=1), last)
            yield from self._rows(f"FIGURES#{first:%Y}", f"{first:%m}", f"{following - DAY:%m}")
            first = following
        yield from self._days_of_month(last, end)

    def _days_of_month(self, start: datetime, end: datetime) -> Iterator[Item]:
        if start < end:
            yield from self._rows(f"FIGURES#{start:%Y-%m}", f"{start:%d}", f"{end - DAY:%d}")

    def _quarters(self, start: datetime, end: datetime) -> Iterator[Item]:
        """Those of [start, end), which lie in one UTC day."""
        if start < end:
            yield from self._rows(f"FIGURES#{start:%Y-%m-%d}", f"{start:%H:%M}", f"{end - QUARTER:%H:%M}")

    def _rows(self, pk: str, first: str, last: str) -> Iterator[Item]:
        return reads.rows(self._dynamodb, self._table, pk, first, f"{last}#~")


def counted(row: Item) -> Counted:
    """What the row of a deal says."""
    body = row["body"]["S"]
    return Counted(codec.parse(body, Counts), int(row["version"]["N"]), body)


def sums_of(deal_id: str, counts: Mapping[str, Mapping[str, int]]) -> dict[Key, dict[str, int]]:
    """The numbers that belong into each sum, by its key: of the quarters, their days and their months."""
    shard = zlib.crc32(deal_id.encode()) % SPREAD
    found: dict[Key, Counter[str]] = {}
    for quarter, numbers in counts.items():
        for whole, part in ((quarter[:4], quarter[5:7]), (quarter[:7], quarter[8:10]), (quarter[:10], quarter[11:])):
            found.setdefault((f"FIGURES#{whole}", f"{part}#{shard}"), Counter()).update(numbers)
    return {key: {name: number for name, number in of_key.items() if number} for key, of_key in found.items()}


def sum_row(key: Key, numbers: Mapping[str, int], before: Item | None, now: datetime) -> Item:
    """The row of a sum with these numbers, after the one that was there `before`."""
    halves: Sum = {}
    for name, number in numbers.items():
        kind, _, value = name.partition(":")
        if number:
            halves.setdefault(kind, {})[value] = number
    pk, sk = key
    changed = 1 + (int(before["changes"]["N"]) if before else 0)
    return new_item(pk=pk, sk=sk, body=codec.dump(halves), changes=changed, updated_at=now.isoformat())


def as_seen(row: Item | None) -> Condition:
    """The sum must still be this one."""
    return equals("changes", int(row["changes"]["N"])) if row else NEW


def numbers_in(row: Item | None) -> dict[str, int]:
    """What a sum says, by name; nothing for one that is not there."""
    return _flat(codec.parse(row["body"]["S"], Sum)) if row else {}


def _flat(halves: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    return {
        f"{kind}:{value}" if value else kind: number
        for kind, numbers in halves.items()
        for value, number in numbers.items()
    }


def _in_steps(
    before: Mapping[str, Mapping[str, int]], after: Mapping[str, Mapping[str, int]]
) -> Iterator[Mapping[str, Mapping[str, int]]]:
    """From one to the other with no more quarters at a time than a transaction holds, each on its own day at worst."""
    moved = sorted({*before, *after})
    for end in range(QUARTERS_AT_ONCE, len(moved), QUARTERS_AT_ONCE):
        done = set(moved[:end])
        yield {quarter: after[quarter] for quarter in after if quarter in done} | {
            quarter: before[quarter] for quarter in before if quarter not in done
        }
    yield after


def _deal_key(deal_id: str) -> Key:
    return f"DEAL#{deal_id}", "FIGURES"


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _first_of_month(at: datetime, *, or_later: bool = False) -> datetime:
    """Midnight of the first day of its month, or of the next one if it is not just that."""
    first = _midnight(at).replace(day=1)
    return first if first == at or not or_later else (first + 32 * DAY).replace(day=1)
