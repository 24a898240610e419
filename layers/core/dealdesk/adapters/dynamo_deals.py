"""Deals in DynamoDB: one consistent read, and one transaction for everything that a cause changes.

Items are written as they go over the wire, and not through the model of `rows.py`: every webhook takes this path,
and the model costs it a tenth of its time (make bench: `warm.*`, `cold.*`).
"""

from __future__ import annotations

import random
import time
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dealdesk.adapters import codec
from dealdesk.domain.chain import Recorded, link
from dealdesk.domain.deal import Deal, DealId, waits_for
from dealdesk.domain.events import Event
from dealdesk.domain.fold import fold
from dealdesk.edge import aws
from dealdesk.errors import AlreadyHandled, CauseReused, DealUnknown, TableBusy, TooLarge, VersionMoved
from dealdesk.ports import Cause, DealSummary

ITEM_LIMIT_BYTES = 400 * 1024
TRANSACTION_LIMIT_BYTES = 4 * 1024 * 1024
ROW_OVERHEAD_BYTES = 2 * 1024
SPREAD = 4
ATTEMPTS = 6
NEW = {"ConditionExpression": "attribute_not_exists(pk)"}

_TRANSIENT = {
    "TransactionConflict",
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
    "TransactionInProgress",
    "TransactionConflictException",
    "TransactionInProgressException",
    "ThrottlingException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "InternalServerError",
}

Item = dict[str, dict[str, str]]


class DynamoDeals:
    """The `Deals` port. A deal that waits longer than `silent_after_seconds` for an outside system is asked about."""

    def __init__(self, table_name: str, silent_after_seconds: int) -> None:
        self._table = table_name
        self._dynamodb = aws.client("dynamodb")
        self._silent_after = timedelta(seconds=silent_after_seconds)

    def load(self, deal_id: str, cause: Cause | None = None, *, or_new: bool = False) -> Deal:
        snapshot, claim = self._read(deal_id, cause)
        if claim is not None and cause is not None:
            raise _replay(claim, cause)
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
        rows = [_event(record) for record in records]
        _check_size(deal.id, [snapshot, *rows])
        self._commit(self._claim(after, cause, now), snapshot, rows, seen_version=deal.version, cause=cause)
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
            records = [_recorded(deal_id, item) for page in pages for item in page["Items"]]
        except (ClientError, BotoCoreError) as error:
            raise _busy(error) from error
        if not records:
            raise DealUnknown(f"no deal {deal_id}")
        return [record for record in records if until is None or record.occurred_at <= until]

    def as_of(self, deal_id: str, *, version: int | None = None, at: datetime | None = None) -> Deal:
        deal = Deal(DealId(deal_id))
        for record in self.history(deal_id, until=at):
            if version is not None and record.sequence > version:
                break
            deal = fold(deal, [codec.parse_event(record.type, record.data)], record.occurred_at)
            deal = replace(deal, version=record.sequence, last_hash=record.hash)
        return deal

    def _read(self, deal_id: str, cause: Cause | None) -> tuple[Item | None, Item | None]:
        keys = [_key(_deal_key(deal_id), "DEAL")]
        if cause is not None:
            keys.append(_key(*_claim_key(cause)))
        wanted = {self._table: {"Keys": keys, "ConsistentRead": True}}
        found: dict[str, Item] = {}
        for attempt in range(ATTEMPTS):
            try:
                answer = self._dynamodb.batch_get_item(RequestItems=wanted)
            except (ClientError, BotoCoreError) as error:
                raise _busy(error) from error
            found |= {item["sk"]["S"]: item for item in answer["Responses"].get(self._table, [])}
            wanted = answer.get("UnprocessedKeys")
            if not wanted:
                return found.get("DEAL"), found.get("CLAIM")
            _pause(attempt)
        raise TableBusy(f"the table kept putting off the read of deal {deal_id}; try again")

    def _claim(self, after: Deal, cause: Cause, now: datetime) -> Item:
        pk, sk = _claim_key(cause)
        return _item(
            pk=pk,
            sk=sk,
            deal_id=after.id,
            version=after.version,
            payload_hash=cause.payload_hash,
            occurred_at=now.isoformat(),
        )

    def _commit(
        self, claim: Item, snapshot: Item | None, events: list[Item], *, seen_version: int, cause: Cause
    ) -> None:
        puts = [self._put(claim, NEW | {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"})]
        if snapshot is not None:
            puts.append(self._put(snapshot, _unmoved(seen_version)))
        puts.extend(self._put(event, NEW) for event in events)
        deal_id = claim["deal_id"]["S"]
        # One token for all attempts: if the answer to the first was lost, the second is the same transaction.
        token = str(uuid.uuid4())
        for attempt in range(ATTEMPTS):
            try:
                self._dynamodb.transact_write_items(TransactItems=puts, ClientRequestToken=token)
            except ClientError as error:
                self._explain(error, deal_id, cause)
            except BotoCoreError as error:
                raise _busy(error) from error
            else:
                return
            _pause(attempt)
        raise TableBusy(f"transactions on deal {deal_id} kept colliding; try again")

    def _put(self, item: Item, condition: dict[str, Any]) -> dict[str, Any]:
        return {"Put": {"TableName": self._table, "Item": item, **condition}}

    def _explain(self, error: ClientError, deal_id: str, cause: Cause) -> None:
        """Raises what a cancelled transaction proves; returns when it proves nothing and may be tried again."""
        reasons: list[dict[str, Any]] = error.response.get("CancellationReasons") or []
        codes = [reason.get("Code") for reason in reasons]
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        if codes and codes[0] == "ConditionalCheckFailed":
            claim = reasons[0].get("Item") or self._read(deal_id, cause)[1]
            if claim is None:
                raise TableBusy(f"the claim of {cause} cannot be read; try again") from error
            raise _replay(claim, cause) from error
        if "ConditionalCheckFailed" in codes:
            raise VersionMoved(f"deal {deal_id} was changed by somebody else; read it again") from error
        if "ValidationError" in codes or code == "ValidationException":
            raise TooLarge(f"the table refuses the change: {message}") from error
        if _TRANSIENT.isdisjoint([code, *codes]):
            raise _busy(error) from error

    def _snapshot(self, deal: Deal, now: datetime) -> Item:
        shard = zlib.crc32(deal.id.encode()) % SPREAD
        waits = waits_for(deal)
        return _item(
            pk=_deal_key(deal.id),
            sk="DEAL",
            version=deal.version,
            body=codec.dump(deal),
            list_key=f"DEALS#{shard}",
            updated_at=now.isoformat(),
            summary=codec.dump(_summary(deal, now)),
            due_key=f"DUE#{shard}" if waits else None,
            due_at=(now + self._silent_after).isoformat() if waits else None,
            waits_for=waits,
        )


def _event(record: Recorded) -> Item:
    return _item(
        pk=_deal_key(record.deal_id),
        sk=f"EVENT#{record.sequence:06d}",
        version=record.sequence,
        type=record.type,
        occurred_at=record.occurred_at.isoformat(),
        cause=record.cause,
        actor=record.actor,
        body=record.data,
        previous_hash=record.previous_hash,
        hash=record.hash,
    )


def _item(**fields: str | int | None) -> Item:
    """The row as DynamoDB takes it; a field that is None is left out."""
    return {
        name: {"N": str(value)} if isinstance(value, int) else {"S": value}
        for name, value in fields.items()
        if value is not None
    }


def _key(pk: str, sk: str) -> Item:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _unmoved(seen_version: int) -> dict[str, Any]:
    if seen_version == 0:
        return NEW
    return {
        "ConditionExpression": "#version = :seen",
        "ExpressionAttributeNames": {"#version": "version"},
        "ExpressionAttributeValues": {":seen": {"N": str(seen_version)}},
    }


def _busy(error: ClientError | BotoCoreError) -> TableBusy:
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    return TableBusy(f"the table did not answer: {code}")


def _pause(attempt: int) -> None:
    time.sleep(random.uniform(0, 0.02 * 2**attempt))


def _deal_key(deal_id: str) -> str:
    return f"DEAL#{deal_id}"


def _claim_key(cause: Cause) -> tuple[str, str]:
    return f"CLAIM#{cause.source}#{cause.id}", "CLAIM"


def _replay(claim: Item, cause: Cause) -> Exception:
    if _text(claim, "payload_hash") != cause.payload_hash:
        return CauseReused(f"{cause} was used before with another request; use a new key for a new request")
    return AlreadyHandled(claim["deal_id"]["S"], int(claim["version"]["N"]))


def _text(item: Item, name: str) -> str | None:
    return item[name]["S"] if name in item else None


def _chained(deal: Deal, events: Sequence[Event], cause: str, actor: str, now: datetime) -> list[Recorded]:
    records: list[Recorded] = []
    previous, sequence = deal.last_hash, deal.version
    for event in events:
        sequence += 1
        record = link(deal.id, sequence, event.TYPE, now, cause, actor, codec.dump(event), previous)
        records.append(record)
        previous = record.hash
    return records


def _recorded(deal_id: str, item: Item) -> Recorded:
    return Recorded(
        deal_id=deal_id,
        sequence=int(item["version"]["N"]),
        type=item["type"]["S"],
        occurred_at=datetime.fromisoformat(item["occurred_at"]["S"]),
        cause=item["cause"]["S"],
        actor=item["actor"]["S"],
        data=item["body"]["S"],
        previous_hash=_text(item, "previous_hash") or "",
        hash=item["hash"]["S"],
    )


def _check_size(deal_id: str, items: list[Item]) -> None:
    texts = [(_text(item, "body") or "", _text(item, "summary") or "") for item in items]
    sizes = [len(body.encode()) + len(summary.encode()) + ROW_OVERHEAD_BYTES for body, summary in texts]
    if max(sizes) > ITEM_LIMIT_BYTES or sum(sizes) > TRANSACTION_LIMIT_BYTES:
        raise TooLarge(
            f"deal {deal_id} would need {max(sizes):,} bytes in one item of the table, which holds at most "
            f"{ITEM_LIMIT_BYTES:,}; split the quote or shorten its texts",
            pointer="/lines",
        )


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
