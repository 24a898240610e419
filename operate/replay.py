"""Tells the reactions again what happened in a span of time: from the archive of the bus, or from the table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dealdesk.contracts import bus
from dealdesk.edge import aws
from functions.relay_events.app import ENTRIES, entry_of, event_of
from operate.dead_letters import Queues, queue_named, reaction_of
from operate.installation import Installation, NotPossible

ARCHIVE, RULE = "Archive", "Rule"


@dataclass(frozen=True, slots=True)
class Span:
    """From `begin` on, until just before `end`."""

    begin: datetime
    end: datetime


def has_archive(at: Installation) -> bool:
    return ARCHIVE in at.resources


def start_replay(at: Installation, span: Span, reaction: str | None, now: datetime) -> str:
    """The name of the replay that EventBridge has started; it goes on by itself, minute by minute of the span."""
    events = aws.client("events")
    archive = events.describe_archive(ArchiveName=at.resource(ARCHIVE))
    destination: dict[str, Any] = {"Arn": archive["EventSourceArn"]}
    if reaction:
        destination["FilterArns"] = [_rule(at, reaction)["Arn"]]
    name = f"operate-{now:%Y%m%dT%H%M%SZ}"
    events.start_replay(
        ReplayName=name,
        EventSourceArn=archive["ArchiveArn"],
        EventStartTime=span.begin,
        EventEndTime=span.end,
        Destination=destination,
    )
    return name


def publish_again(at: Installation, span: Span, reaction: str | None) -> int:
    """Gives the events of the span to the bus again, or only to the queue of one reaction; how many."""
    happened = sorted(_happened(at, span), key=lambda event: (event.occurred_at, event.deal_id, event.sequence))
    if reaction is None:
        for start in range(0, len(happened), ENTRIES):
            entries = [entry_of(event, at.bus_name) for event in happened[start : start + ENTRIES]]
            if aws.client("events").put_events(Entries=entries)["FailedEntryCount"]:
                raise NotPossible("the bus did not take every event; start the same replay again, it bears repetition")
        return len(happened)
    queue, heard = queue_named(at, reaction), json.loads(_rule(at, reaction)["EventPattern"])["detail-type"]
    wanted = [event for event in happened if event.type in heard]
    for event in wanted:
        _send(queue, event)
    return len(wanted)


def _happened(at: Installation, span: Span) -> Iterator[bus.BusEvent]:
    scan = {
        "TableName": at.table_name,
        "FilterExpression": "begins_with(sk, :event) AND occurred_at >= :begin AND occurred_at < :end",
        "ExpressionAttributeValues": {
            ":event": {"S": "EVENT#"},
            ":begin": {"S": span.begin.isoformat()},
            ":end": {"S": span.end.isoformat()},
        },
        "ConsistentRead": True,
    }
    for page in aws.client("dynamodb").get_paginator("scan").paginate(**scan):
        yield from (event_of(item) for item in page["Items"])


def _rule(at: Installation, reaction: str) -> dict[str, Any]:
    """What EventBridge says of the rule that fills the reaction's queue. Raises `NotPossible`."""
    rules = {reaction_of(name.removesuffix(RULE)): name for name in at.resources if name.endswith(RULE)}
    if reaction not in rules:
        raise NotPossible(f"no rule leads to a reaction {reaction}; there are {', '.join(sorted(rules))}")
    # On a bus of its own CloudFormation calls a rule by the bus and the rule: `dealdesk-dev|…`.
    name = at.resource(rules[reaction]).rpartition("|")[2]
    rule: dict[str, Any] = aws.client("events").describe_rule(Name=name, EventBusName=at.bus_name)
    return rule


def _send(queue: Queues, event: bus.BusEvent) -> None:
    """As the rule would have done it."""
    body = {"source": bus.SOURCE, "detail-type": event.type, "detail": json.loads(bus.dump(event))}
    aws.client("sqs").send_message(QueueUrl=queue.work_url, MessageBody=json.dumps(body, ensure_ascii=False))
