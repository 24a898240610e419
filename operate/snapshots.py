"""Verifies that a deal's events are whole and its rows are what the events say, and writes the rows again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from dealdesk.adapters import codec
from dealdesk.adapters.claims import NEW, Condition, Item, equals, recorded
from dealdesk.adapters.dynamo_policies import DynamoPolicies
from dealdesk.domain.chain import Recorded, first_break
from dealdesk.domain.deal import Deal, DealId
from dealdesk.domain.fold import fold
from dealdesk.edge import aws
from dealdesk.errors import DealUnknown, VersionMoved
from dealdesk.ports import DealSummary
from operate.installation import Installation

PLAIN = ("version", "list_key", "updated_at", "due_key", "waits_for")


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a deal. `broken` are the events themselves, which nothing here can mend."""

    deal_id: str
    events: int
    broken: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    rows: tuple[Item, ...] = ()
    condition: Condition | None = None

    @property
    def whole(self) -> bool:
        return not self.broken and not self.stale


@dataclass(frozen=True, slots=True)
class Rows:
    snapshot: Item | None
    round: Item | None
    events: tuple[Item, ...]


def deal_ids(at: Installation) -> list[str]:
    """Every deal of which any row is left; reads the keys of the whole table."""
    scan = {
        "TableName": at.table_name,
        "FilterExpression": "begins_with(pk, :deal)",
        "ExpressionAttributeValues": {":deal": {"S": "DEAL#"}},
        "ProjectionExpression": "pk",
    }
    pages = aws.client("dynamodb").get_paginator("scan").paginate(**scan)
    return sorted({item["pk"]["S"].removeprefix("DEAL#") for page in pages for item in page["Items"]})


def examine(at: Installation, deal_id: str) -> Finding:
    """Looks a second time before it finds fault: a deal that is written between two pages only looks torn.

    Raises `DealUnknown`.
    """
    first = _examined(at, deal_id)
    return first if first.whole else _examined(at, deal_id)


def mend(at: Installation, finding: Finding) -> None:
    """Writes the stale rows as the events have them. Raises `VersionMoved` when the deal moved since it was seen."""
    snapshot, *others = finding.rows
    puts: list[dict[str, Any]] = [{"Put": {"TableName": at.table_name, "Item": snapshot, **(finding.condition or {})}}]
    puts.extend({"Put": {"TableName": at.table_name, "Item": row}} for row in others)
    try:
        aws.client("dynamodb").transact_write_items(TransactItems=puts)
    except ClientError as error:
        codes = [reason.get("Code") for reason in error.response.get("CancellationReasons") or []]
        if {"ConditionalCheckFailed", "TransactionConflict"} & set(codes):
            raise VersionMoved(f"deal {finding.deal_id} moved while it was looked at; verify it again") from error
        raise


def policy_faults(at: Installation) -> Iterator[str]:
    """What is wrong with the trails of policies."""
    policies = DynamoPolicies(at.table_name)
    for line in policies.lines():
        history = policies.history(line.policy_id)
        if (place := first_break(history)) is not None:
            yield f"policy {line.policy_id}: event {place} is missing or was altered"
        elif (line.events, line.last_hash) != (len(history), history[-1].hash if history else ""):
            yield f"policy {line.policy_id}: the list has seen {line.events} events, the trail has {len(history)}"


def _examined(at: Installation, deal_id: str) -> Finding:
    rows = _read(at, deal_id)
    try:
        records = [recorded(deal_id, item) for item in rows.events]
    except (KeyError, ValueError) as error:
        return Finding(deal_id, len(rows.events), broken=(f"an event lacks what every event has: {error}",))
    before, unreadable = _snapshot_of(rows.snapshot)
    broken = _chain_faults(records, rows.snapshot, before)
    if broken:
        return Finding(deal_id, len(records), broken=broken)
    try:
        deal = _folded(deal_id, records)
    except (msgspec.MsgspecError, KeyError) as error:
        return Finding(deal_id, len(records), broken=(f"an event cannot be read by this version: {error}",))
    wanted = at.deals.rows_of(deal, records[-1].occurred_at)
    stale = [unreadable] if unreadable else _differing(before, deal)
    stale += [] if rows.snapshot is None or unreadable else _stale_columns(rows.snapshot, wanted[0])
    stale_round = _stale_round(rows.round, wanted[1])
    return Finding(
        deal_id,
        len(records),
        stale=(*stale, *stale_round),
        rows=wanted if stale_round else wanted[:1],
        condition=_as_seen(rows.snapshot),
    )


def _read(at: Installation, deal_id: str) -> Rows:
    query = {
        "TableName": at.table_name,
        "KeyConditionExpression": "pk = :deal",
        "ExpressionAttributeValues": {":deal": {"S": f"DEAL#{deal_id}"}},
        "ConsistentRead": True,
    }
    pages = aws.client("dynamodb").get_paginator("query").paginate(**query)
    items: dict[str, Item] = {item["sk"]["S"]: item for page in pages for item in page["Items"]}
    if not items:
        raise DealUnknown(f"no deal {deal_id}")
    events = tuple(item for key, item in items.items() if key.startswith("EVENT#"))
    return Rows(items.get("DEAL"), items.get("ROUND"), events)


def _snapshot_of(item: Item | None) -> tuple[Deal | None, str]:
    if item is None:
        return None, "the snapshot is missing"
    try:
        return codec.parse(item["body"]["S"], Deal), ""
    except (msgspec.MsgspecError, KeyError) as error:
        return None, f"the snapshot cannot be read: {error}"


def _chain_faults(records: list[Recorded], item: Item | None, before: Deal | None) -> tuple[str, ...]:
    """The snapshot remembers the end of the chain: a history that was cut off or written anew does not pass."""
    if (place := first_break(records)) is not None:
        return (f"event {place} is missing or was altered",)
    if not records:
        return ("no event is left",)
    seen = max(int(item["version"]["N"]) if item and "version" in item else 0, before.version if before else 0)
    if seen > len(records):
        return (f"the snapshot has seen event {seen}, the events end at {len(records)}",)
    if before and before.version > 0 and records[before.version - 1].hash != before.last_hash:
        return (f"event {before.version} is not the one that the snapshot was made from",)
    return ()


def _folded(deal_id: str, records: list[Recorded]) -> Deal:
    deal = Deal(DealId(deal_id))
    for record in records:
        deal = fold(deal, [codec.parse_event(record.type, record.data)], record.occurred_at)
    return replace(deal, version=records[-1].sequence, last_hash=records[-1].hash)


def _differing(before: Deal | None, deal: Deal) -> list[str]:
    names = [field.name for field in fields(Deal) if getattr(before, field.name) != getattr(deal, field.name)]
    return [f"the snapshot differs from the events in {', '.join(names)}"] if names else []


def _stale_columns(item: Item, wanted: Item) -> list[str]:
    names = [name for name in PLAIN if item.get(name) != wanted.get(name)]
    if _summary(item) != _summary(wanted):
        names.append("summary")
    if _due_later(item, wanted):
        names.append("due_at")
    return [f"the list of deals differs from the events in {', '.join(names)}"] if names else []


def _stale_round(item: Item | None, wanted: Item) -> list[str]:
    columns = ("due_key", "due_at")
    same = [(item or {}).get(name) for name in columns] == [wanted.get(name) for name in columns]
    return [] if same else ["the approval round is looked at when the events do not say so"]


def _summary(item: Item) -> DealSummary | None:
    try:
        return codec.parse(item["summary"]["S"], DealSummary)
    except (msgspec.MsgspecError, KeyError):
        return None


def _due_later(item: Item, wanted: Item) -> bool:
    """How long a deal may be silent is a setting, so that an earlier look does no harm; times sort as texts."""
    if ("due_at" in item) != ("due_at" in wanted):
        return True
    return "due_at" in wanted and item["due_at"]["S"] > wanted["due_at"]["S"]


def _as_seen(item: Item | None) -> Condition:
    """The row must still be the one that was found wanting."""
    if item is None:
        return NEW
    if "version" not in item:
        names = {"#field": "version"}
        return {"ConditionExpression": "attribute_not_exists(#field)", "ExpressionAttributeNames": names}
    return equals("version", int(item["version"]["N"]))
