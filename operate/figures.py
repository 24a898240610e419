"""Holds the desk's figures against the events that they come from, and counts them anew where they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from dealdesk.adapters import reads
from dealdesk.adapters.claims import Item
from dealdesk.adapters.dynamo_figures import DynamoFigures, Key, as_seen, counted, numbers_in, sum_row, sums_of
from dealdesk.domain.figures import count
from dealdesk.edge import aws
from dealdesk.errors import VersionMoved
from dealdesk.usecases.measure_deal import measure_deal
from operate.installation import Installation
from operate.snapshots import deal_ids


@dataclass(frozen=True, slots=True)
class WrongSum:
    """A sum that is not the sum of what the deals have added; `seen` is its row, None where there is none."""

    key: Key
    numbers: Mapping[str, int]
    seen: Item | None

    def __str__(self) -> str:
        (pk, sk), has = self.key, numbers_in(self.seen)
        names = sorted(name for name in {*has, *self.numbers} if has.get(name, 0) != self.numbers.get(name, 0))
        told = ", ".join(f"{name} {has.get(name, 0)} for {self.numbers.get(name, 0)}" for name in names[:3])
        return f"sum {pk.removeprefix('FIGURES#')} {sk}: {told}{', …' if len(names) > 3 else ''}"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and what puts it right at the time that it is given; that raises `VersionMoved`."""

    what: str
    repair: Callable[[datetime], None]


def faults(at: Installation) -> Iterator[Fault]:
    """First what each deal has added, then the sums of all of them, looked at when the deals have been put right."""
    for deal_id in deal_ids(at):
        if is_behind(at, deal_id):
            yield Fault(f"{deal_id}: its events count to something else", partial(count_anew, at, deal_id))
    for wrong in wrong_sums(at):
        yield Fault(str(wrong), partial(mend, at, wrong))


def is_behind(at: Installation, deal_id: str) -> bool:
    """Whether the deal's events count to something else than what it has added."""
    added = DynamoFigures(at.table_name).added_by(deal_id)
    story = [(record.occurred_at, event) for record, event in at.deals.story(deal_id)]
    return count(deal_id, story) != (added.counts if added else None)


def count_anew(at: Installation, deal_id: str, now: datetime) -> None:
    """Raises `VersionMoved` when the deal was counted meanwhile."""
    measure_deal(at.deals, DynamoFigures(at.table_name), deal_id, now=now)


def wrong_sums(at: Installation) -> list[WrongSum]:
    """Reads the whole table. A sum that moves while it is looked at is not judged."""
    seen = {(item["pk"]["S"], item["sk"]["S"]): item for item in _scan(at, "begins_with(pk, :kind)", "FIGURES#")}
    wanted: dict[Key, Counter[str]] = {}
    for item in _scan(at, "sk = :kind", "FIGURES"):
        for key, numbers in sums_of(item["pk"]["S"].removeprefix("DEAL#"), counted(item).counts).items():
            wanted.setdefault(key, Counter()).update(numbers)
    differing = [
        WrongSum(key, wanted.get(key, {}), seen.get(key))
        for key in sorted({*seen, *wanted})
        if numbers_in(seen.get(key)) != dict(wanted.get(key, {}))
    ]
    return [wrong for wrong in differing if _read(at, wrong.key) == wrong.seen]


def mend(at: Installation, wrong: WrongSum, now: datetime) -> None:
    """Raises `VersionMoved` when a deal has added to the sum since it was seen."""
    row, condition = sum_row(wrong.key, wrong.numbers, wrong.seen, now), as_seen(wrong.seen)
    try:
        aws.client("dynamodb").put_item(TableName=at.table_name, Item=row, **condition)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            raise VersionMoved(f"{wrong} moved while it was looked at; ask again") from error
        raise


def _scan(at: Installation, which: str, kind: str) -> Iterator[Item]:
    scan: dict[str, Any] = {
        "TableName": at.table_name,
        "FilterExpression": which,
        "ExpressionAttributeValues": {":kind": {"S": kind}},
        "ConsistentRead": True,
    }
    for page in aws.client("dynamodb").get_paginator("scan").paginate(**scan):
        yield from page["Items"]


def _read(at: Installation, key: Key) -> Item | None:
    return reads.row(aws.client("dynamodb"), at.table_name, *key)
