"""The desk's figures in DynamoDB: what each deal has added, and sums by day and by quarter of an hour.

A deal that moves changes its own row and the sums in one transaction, so that the sums are always those of the rows.
They are spread over four rows each: deals that move at once seldom meet. Windows read whole days where they can and
quarters at their ends, so that any time zone has its own days.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dealdesk.adapters import codec
from dealdesk.adapters.claims import NEW, Item, busy, equals, key_of, new_item, transact
from dealdesk.domain.figures import Counts, changes
from dealdesk.edge import aws
from dealdesk.errors import VersionMoved
from dealdesk.ports import Counted

SPREAD = 4
DAY = timedelta(days=1)
QUARTERS_AT_ONCE = 40
KEYS = frozenset({"pk", "sk", "updated_at", "changes"})
"""What a sum has besides its numbers. `changes` counts how often it was changed."""


class DynamoFigures:
    """The `Figures` port."""

    def __init__(self, table_name: str) -> None:
        self._table = table_name
        self._dynamodb = aws.client("dynamodb")

    def added_by(self, deal_id: str) -> Counted | None:
        try:
            answer = self._dynamodb.get_item(TableName=self._table, Key=deal_key(deal_id), ConsistentRead=True)
        except (ClientError, BotoCoreError) as error:
            raise busy(error) from error
        return counted(answer["Item"]) if "Item" in answer else None

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

    def _keep(
        self,
        deal_id: str,
        counts: Mapping[str, Mapping[str, int]],
        version: int,
        before: Counted | None,
        now: datetime,
    ) -> None:
        row = deal_key(deal_id) | new_item(version=version, body=codec.dump(counts))
        seen = equals("body", before.row) if before else NEW
        writes: list[dict[str, Any]] = [{"Put": {"TableName": self._table, "Item": row, **seen}}]
        moved = changes(before.counts if before else {}, counts)
        for key, numbers in sums_of(deal_id, moved).items():
            writes.append({"Update": {"TableName": self._table, "Key": key_of(*key), **_adding(numbers, now)}})
        if transact(self._dynamodb, writes, f"the figures of deal {deal_id}") is not None:
            raise VersionMoved(f"the figures of deal {deal_id} were counted by somebody else")

    def between(self, start: datetime, end: datetime) -> tuple[Mapping[str, int], datetime | None]:
        tally: Counter[str] = Counter()
        newest = ""
        for item in self._sums(start, end):
            tally.update({name: int(number["N"]) for name, number in item.items() if name not in KEYS})
            newest = max(newest, item["updated_at"]["S"])
        return tally, datetime.fromisoformat(newest) if newest else None

    def _sums(self, start: datetime, end: datetime) -> Iterator[Item]:
        """Whole UTC days between the two, and the quarters before the first and after the last of them."""
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        first = _midnight(start) if start == _midnight(start) else _midnight(start) + DAY
        last = _midnight(end)
        if first > last:
            yield from self._quarters(start, end)
            return
        yield from self._quarters(start, first)
        month = first
        while month < last:
            following = (month.replace(day=1) + 32 * DAY).replace(day=1)
            until = min(following, last)
            yield from self._query(f"FIGURES#{month:%Y-%m}", f"{month:%d}", f"{until - DAY:%d}#~")
            month = following
        yield from self._quarters(last, end)

    def _quarters(self, start: datetime, end: datetime) -> Iterator[Item]:
        """Those of [start, end), which lie in one UTC day."""
        if start < end:
            last = end - timedelta(minutes=15)
            yield from self._query(f"FIGURES#{start:%Y-%m-%d}", f"{start:%H:%M}", f"{last:%H:%M}#~")

    def _query(self, pk: str, first: str, last: str) -> Iterator[Item]:
        query = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :first AND :last",
            "ExpressionAttributeValues": {":pk": {"S": pk}, ":first": {"S": first}, ":last": {"S": last}},
        }
        try:
            for page in self._dynamodb.get_paginator("query").paginate(**query):
                yield from page["Items"]
        except (ClientError, BotoCoreError) as error:
            raise busy(error) from error


def deal_key(deal_id: str) -> Item:
    return key_of(f"DEAL#{deal_id}", "FIGURES")


def counted(item: Item) -> Counted:
    """What the row of a deal says."""
    row = item["body"]["S"]
    return Counted(codec.parse(row, Counts), int(item["version"]["N"]), row)


def sums_of(deal_id: str, counts: Mapping[str, Mapping[str, int]]) -> dict[tuple[str, str], dict[str, int]]:
    """The numbers that belong into each sum, by its key: of the quarters, and of their days."""
    shard = zlib.crc32(deal_id.encode()) % SPREAD
    found: dict[tuple[str, str], Counter[str]] = {}
    for quarter, numbers in counts.items():
        day, _, time = quarter.partition("T")
        for key in ((f"FIGURES#{day}", f"{time}#{shard}"), (f"FIGURES#{day[:7]}", f"{day[8:]}#{shard}")):
            of_key = found.setdefault(key, Counter())
            of_key.update(numbers)
    return {key: {name: number for name, number in of_key.items() if number} for key, of_key in found.items()}


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


def _adding(numbers: Mapping[str, int], now: datetime) -> dict[str, Any]:
    """The update that adds these; a name that is new starts from 0."""
    names = {f"#n{index}": name for index, name in enumerate(numbers)}
    values = {f":n{index}": {"N": str(number)} for index, number in enumerate(numbers.values())}
    added = ", ".join(f"#n{index} :n{index}" for index in range(len(numbers)))
    return {
        "UpdateExpression": f"SET #at = :at ADD #changes :one{', ' if added else ''}{added}",
        "ExpressionAttributeNames": {"#at": "updated_at", "#changes": "changes", **names},
        "ExpressionAttributeValues": {":at": {"S": now.isoformat()}, ":one": {"N": "1"}, **values},
    }


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)
