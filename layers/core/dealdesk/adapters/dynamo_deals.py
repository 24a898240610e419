"""Deals in DynamoDB: one consistent read, and one transaction for everything that a cause changes."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from dealdesk.adapters import codec, reads
from dealdesk.adapters.claims import (
    NEW,
    Condition,
    Item,
    busy,
    claim_item,
    claim_key,
    commit,
    equals,
    event_item,
    key_of,
    new_item,
    recorded,
    replay,
    require_room,
)
from dealdesk.adapters.dynamo_references import reference_items
from dealdesk.domain.chain import Recorded, link
from dealdesk.domain.deal import Deal, DealId, look_again_at, may_be_silent_for, waits_for
from dealdesk.domain.events import Event, QuoteEvaluated
from dealdesk.domain.fold import fold
from dealdesk.edge import aws
from dealdesk.errors import DealUnknown
from dealdesk.ports import Cause, DealSummary

SPREAD = 4
ROOM_FOR_STEPS_BYTES = 32 * 1024


class DynamoDeals:
    """The `Deals` port. A deal that waits longer than `silent_after_seconds` for an outside system is asked about."""

    def __init__(self, table_name: str, silent_after_seconds: int) -> None:
        self._table = table_name
        self._dynamodb = aws.client("dynamodb")
        self._silent_after = timedelta(seconds=silent_after_seconds)

    def load(self, deal_id: str, cause: Cause | None = None, *, or_new: bool = False) -> Deal:
        snapshot, claim = self._read(deal_id, cause)
        if claim is not None and cause is not None:
            raise replay(claim, cause)
        if snapshot is not None:
            return codec.parse(snapshot["body"]["S"], Deal)
        if or_new:
            return Deal(DealId(deal_id))
        raise DealUnknown(f"no deal {deal_id}")

    def save(self, deal: Deal, events: Sequence[Event], *, cause: Cause, actor: str, now: datetime) -> Deal:
        if not events:
            self._commit(self._claim(deal, cause, now), None, [], seen_version=deal.version, cause=cause)
            return deal
        records = _chained(deal, events, str(cause), actor, now)
        folded = fold(deal, events, now)
        after = replace(folded, version=records[-1].sequence, last_hash=records[-1].hash)
        snapshot = self._snapshot(after, now)
        look = [] if look_again_at(deal) == look_again_at(after) else [_round(after)]
        look += reference_items(after, events)
        rows = [event_item(_deal_key(deal.id), record) for record in records]
        spare = _room_for_the_rest(after, events)
        require_room(f"deal {deal.id}", [snapshot, *rows], "split the quote or shorten its texts", "/lines", spare)
        claim = self._claim(after, cause, now)
        self._commit(claim, snapshot, rows, seen_version=deal.version, cause=cause, look=look)
        return after

    def history(self, deal_id: str, *, until: datetime | None = None) -> list[Recorded]:
        query = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :deal AND begins_with(sk, :event)",
            "ExpressionAttributeValues": {":deal": {"S": _deal_key(deal_id)}, ":event": {"S": "EVENT#"}},
            "ConsistentRead": True,
        }
        try:
            pages = self._dynamodb.get_paginator("query").paginate(**query)
            records = [recorded(deal_id, item) for page in pages for item in page["Items"]]
        except (ClientError, BotoCoreError) as error:
            raise busy(error) from error
        if not records:
            raise DealUnknown(f"no deal {deal_id}")
        return [record for record in records if until is None or record.occurred_at <= until]

    def story(self, deal_id: str, *, until: datetime | None = None) -> list[tuple[Recorded, Event]]:
        return [(record, codec.parse_event(record.type, record.data)) for record in self.history(deal_id, until=until)]

    def as_of(self, deal_id: str, *, version: int | None = None, at: datetime | None = None) -> Deal:
        deal = Deal(DealId(deal_id))
        for record, event in self.story(deal_id, until=at):
            if version is not None and record.sequence > version:
                break
            deal = fold(deal, [event], record.occurred_at)
            deal = replace(deal, version=record.sequence, last_hash=record.hash)
        return deal

    def rows_of(self, deal: Deal, at: datetime) -> tuple[Item, Item]:
        """The snapshot and the round as a save at `at` leaves them: what can be written again from the events."""
        return self._snapshot(deal, at), _round(deal)

    def _read(self, deal_id: str, cause: Cause | None) -> tuple[Item | None, Item | None]:
        keys = [key_of(_deal_key(deal_id), "DEAL")]
        if cause is not None:
            keys.append(key_of(*claim_key(cause)))
        found = {item["sk"]["S"]: item for item in reads.together(self._dynamodb, self._table, keys, f"deal {deal_id}")}
        return found.get("DEAL"), found.get("CLAIM")

    def _claim(self, after: Deal, cause: Cause, now: datetime) -> Item:
        return claim_item(cause, after.id, after.version, now)

    def _commit(
        self,
        claim: Item,
        snapshot: Item | None,
        events: list[Item],
        *,
        seen_version: int,
        cause: Cause,
        look: Sequence[Item] = (),
    ) -> None:
        writes: list[tuple[Item, Condition]] = [] if snapshot is None else [(snapshot, _unmoved(seen_version))]
        writes.extend((event, NEW) for event in events)
        writes.extend((item, {}) for item in look)
        commit(self._dynamodb, self._table, claim, writes, cause, f"deal {claim['deal_id']['S']}")

    def _snapshot(self, deal: Deal, now: datetime) -> Item:
        shard = _shard(deal)
        waits = waits_for(deal)
        return new_item(
            pk=_deal_key(deal.id),
            sk="DEAL",
            version=deal.version,
            body=codec.dump(deal),
            list_key=f"DEALS#{shard}",
            updated_at=now.isoformat(),
            summary=codec.dump(_summary(deal, now)),
            due_key=f"DUE#{shard}" if waits else None,
            due_at=(now + max(self._silent_after, may_be_silent_for(deal))).isoformat() if waits else None,
            waits_for=waits,
        )


def _round(deal: Deal) -> Item:
    """When the open round needs a look; without a time the row leaves the index."""
    at = look_again_at(deal)
    return new_item(
        pk=_deal_key(deal.id),
        sk="ROUND",
        due_key=f"ROUNDS#{_shard(deal)}" if at else None,
        due_at=at.isoformat() if at else None,
    )


def _shard(deal: Deal) -> int:
    return zlib.crc32(deal.id.encode()) % SPREAD


def _unmoved(seen_version: int) -> Condition:
    return NEW if seen_version == 0 else equals("version", seen_version)


def _deal_key(deal_id: str) -> str:
    return f"DEAL#{deal_id}"


def _chained(deal: Deal, events: Sequence[Event], cause: str, actor: str, now: datetime) -> list[Recorded]:
    records: list[Recorded] = []
    previous, sequence = deal.last_hash, deal.version
    for event in events:
        sequence += 1
        record = link(deal.id, sequence, event.TYPE, now, cause, actor, codec.dump(event), previous)
        records.append(record)
        previous = record.hash
    return records


def _room_for_the_rest(deal: Deal, events: Sequence[Event]) -> int:
    """What the snapshot still needs when new terms are taken: they must not turn out too long when money arrives.

    The draft of the invoice repeats each line, with its SKU twice.
    """
    if deal.quote is None or not any(isinstance(event, QuoteEvaluated) for event in events):
        return 0
    return 2 * len(codec.dump(deal.quote.lines).encode()) + ROOM_FOR_STEPS_BYTES


def _summary(deal: Deal, now: datetime) -> DealSummary:
    total = deal.quote.net_total if deal.quote else None
    return DealSummary(
        deal_id=deal.id,
        name=deal.quote.name if deal.quote else "",
        stage=deal.stage.value,
        owner_id=deal.owner_id,
        crm=deal.crm.system if deal.crm else None,
        outcome=deal.decision.outcome.value if deal.decision else None,
        total_minor=total.amount_minor if total else None,
        currency=total.currency if total else None,
        updated_at=now.isoformat(),
    )
